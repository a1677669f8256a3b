/**
 * Finds out, by doing it, which controllers of this machine can bound attempts, and says so: in
 * words for `node show`, and as labels that tasks can require.
 */
import { availableParallelism, getPriority } from 'node:os';
import { join } from 'node:path';
import { execaSync } from 'execa';
import { limits } from '../../model/limits.ts';
import { noResources } from '../../model/resources.ts';
import { baseFile, boundFiles, boundsOf } from './bounds.ts';
import { controllersOn, createCgroup, isInnermost, mayHandOn, removeCgroup } from './cgroup.ts';
import { type ControllerHome, Limiter, writeBounds } from './limiter.ts';
import { baseBelow, type Controller, controllers, type OwnGroups } from './own-groups.ts';
import { joinScript } from './shell.ts';

/** The best way of keeping attempts to their limits that may be used. */
export type LimitKind = 'kernel' | 'watch';

const reasonOf = (error: unknown): string =>
  error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error);

/** As a small task has them: what is refused here would be refused to each. */
const trialBounds = boundsOf(
  {
    limit: { ...noResources, cpuMilli: 500, memoryBytes: 64 * 1024 * 1024 },
    request: { ...noResources, cpuMilli: 100 },
  },
  1,
);

/** Whether a process can be put into a group of this home and be bounded there. */
function tryOut({ controller, version, base }: ControllerHome): void {
  const trial = join(base, `probe-${process.pid}`);
  createCgroup(trial);
  try {
    writeBounds(trial, boundFiles(controller, version, trialBounds));
    const inside = execaSync('/bin/sh', ['-c', joinScript, 'sh', trial, '--', 'echo', 'in'], {
      reject: false,
    });
    if (inside.exitCode !== 0) {
      throw new Error(String(inside.stderr).split('\n', 1)[0] || 'a group cannot be entered');
    }
  } finally {
    removeCgroup(trial);
  }
}

export interface LimitProbe {
  readonly limiter: Limiter;
  readonly words: Readonly<Record<string, string>>;
  readonly labels: readonly (readonly [string, string])[];
}

/** Why attempts have none of cgroup2, by what can be seen of `own`, the group of this process. */
function whyNone(controller: Controller, own: string | undefined): string {
  const here = own !== undefined && controllersOn(own).includes(controller);
  if (!here) return `no ${controller} controller of control groups is handed on to this process`;
  const on = `the ${controller} controller is on in ${own}`;
  if (!mayHandOn(own)) {
    return `${on}, but that group is not this user's; let it be delegated (systemd: Delegate=)`;
  }
  return isInnermost(own)
    ? `${on}, but a group with processes cannot hand it on; ` +
        'let the node start in a group below it (systemd: DelegateSubgroup=)'
    : `${on}, but attempts cannot be put into groups below it`;
}

/** What was found of one controller: where it is, or why it cannot be used. */
type Found = ControllerHome | { readonly reason: string };

function find(controller: Controller, dataDir: string, groups: OwnGroups, held: string): Found {
  const first = groups.first[controller];
  const second = held !== '' && controllersOn(held).includes(controller);
  if (!second && first === undefined) {
    return { reason: whyNone(controller, groups.second) };
  }
  const home: ControllerHome = second
    ? { controller, version: 2, base: held }
    : { controller, version: 1, base: baseBelow(first ?? '', dataDir) };
  try {
    createCgroup(home.base);
    if (controller === 'cpu') {
      writeBounds(home.base, [baseFile(home.version, availableParallelism(), getPriority())]);
    }
    tryOut(home);
    return home;
  } catch (error) {
    if (home.version === 1) removeCgroup(home.base);
    return { reason: reasonOf(error) };
  }
}

/**
 * `held` is the group of cgroup2 below which attempts are, or ''; `groups` is where this process
 * itself is.
 */
export function probeLimits(
  dataDir: string,
  groups: OwnGroups,
  held: string,
  best: LimitKind,
): LimitProbe {
  const found = controllers.map(controller =>
    best === 'watch' ? { reason: 'switched off' } : find(controller, dataDir, groups, held),
  );
  const homes = found.filter(one => 'base' in one);
  const [memory, cpu, pids] = found.map(one =>
    'base' in one
      ? { by: `by the kernel, control groups version ${one.version}`, reason: '' }
      : { by: undefined, reason: one.reason },
  );
  const watched = 'looked at ten times a second, and ended when it is seen to be over';
  const words = {
    memoryLimit: memory?.by ?? `${watched}: ${memory?.reason}`,
    cpuLimit: cpu?.by ?? `not enforced: ${cpu?.reason}`,
    processLimit:
      pids?.by === undefined
        ? `not enforced: ${pids?.reason}`
        : `${limits.attemptProcessesMax} processes and threads, ${pids.by}`,
  };
  const labels = [
    ['memory-limit', memory?.by === undefined ? 'watched' : 'kernel'],
    ['cpu-limit', cpu?.by === undefined ? 'none' : 'kernel'],
  ] as const;
  return { limiter: new Limiter(homes), words, labels };
}
