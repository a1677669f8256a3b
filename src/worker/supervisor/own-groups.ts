/**
 * Where the control groups of this process are, by what `/proc` says of mounts and membership: the
 * one of cgroup2, and those of the controllers that version 1 has in hierarchies of their own. A
 * machine may have both (a hybrid one has cgroup2 without controllers, for its membership alone).
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';

/** The controllers that bound attempts. */
export const controllers = ['memory', 'cpu', 'pids'] as const;
export type Controller = (typeof controllers)[number];

export interface OwnGroups {
  /** Directory of our group of cgroup2; `undefined` where that is not mounted. */
  readonly second: string | undefined;
  /** Directories of our groups of version 1, of the controllers that have one. */
  readonly first: Readonly<Partial<Record<Controller, string>>>;
}

/** Path below the mount point: what is mounted may be a part of the hierarchy. */
function directory(root: string, point: string, membership: string): string {
  const above = root === '/' ? 1 : root.length;
  return join(point, membership.startsWith(root) ? membership.slice(above) : membership);
}

/** `mountinfo` and `membership` are the texts of /proc/self/mountinfo and /proc/self/cgroup. */
export function ownGroups(mountinfo: string, membership: string): OwnGroups {
  let second: string | undefined;
  const first: Partial<Record<Controller, string>> = {};
  const members = membership.split('\n').map(line => {
    const [, names = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    return { names: names.split(','), path };
  });
  const pathOf = (name: string): string | undefined =>
    members.find(({ names, path }) => path !== '' && names.includes(name))?.path;
  for (const line of mountinfo.split('\n')) {
    const [head = '', tail = ''] = line.split(' - ', 2);
    const [, , , root, point] = head.split(' ');
    const [kind, , options = ''] = tail.split(' ');
    if (root === undefined || point === undefined) continue;
    if (kind === 'cgroup2') {
      const path = pathOf('');
      if (path !== undefined) second ??= directory(root, point, path);
    }
    if (kind !== 'cgroup') continue;
    for (const controller of controllers) {
      const path = options.split(',').includes(controller) ? pathOf(controller) : undefined;
      if (path !== undefined) first[controller] ??= directory(root, point, path);
    }
  }
  return { second, first };
}

/** Directory of the groups of the supervisor of `dataDir` below one of ours. */
export function baseBelow(own: string, dataDir: string): string {
  const digest = createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
  return join(own, `tsched-${digest}`);
}

/**
 * Groups below which attempts may be put, best first. Controllers can be handed on only by a group
 * without processes, so the unit of a service manager that delegates puts the service into a group
 * below its own; then the unit's is where ours belong.
 */
export function parentsOf(second: string): readonly string[] {
  const above = join(second, '..');
  const unit = /\.(service|scope)$/;
  return unit.test(above) && !unit.test(second) ? [above, second] : [second];
}
