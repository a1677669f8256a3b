/**
 * Bounds what attempts use, by the controllers that this machine lets us have. Those of cgroup2 are
 * set on the group that holds the attempt's processes together; those of version 1 have groups of
 * their own, which a process has to enter one by one. Empty ones are used again: see
 * `cgroup-pool.ts`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BoundFile, type Bounds, boundFiles, type GroupVersion } from './bounds.ts';
import { cgroupPids, createCgroup, removeCgroup } from './cgroup.ts';
import type { Controller } from './own-groups.ts';
import { signal } from './processes.ts';

/** Where the groups of a controller are: below `base`. */
export interface ControllerHome {
  readonly controller: Controller;
  readonly version: GroupVersion;
  readonly base: string;
}

/** Whose memory ran out where the kernel ended a process for it. */
export type MemoryVerdict = 'own' | 'others';

/** Groups of version 1 of one attempt. */
interface FirstGroups {
  readonly paths: ReadonlyMap<Controller, string>;
  /** Bounds that they have, as text. */
  bounds: string;
}

const spareMax = 256;
/**
 * An empty group that is charged with more than this is not used again: files in memory that its
 * attempt left would count against the next one.
 */
const leftBytesMax = 1024 * 1024;

const numberIn = (path: string, pattern: RegExp): number =>
  Number(pattern.exec(readFileSync(path, 'latin1'))?.[1] ?? 0);

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? '';

function writeBound(group: string, { name, text, otherwise, optional }: BoundFile): void {
  try {
    // Without O_CREAT: the file is the kernel's, or there is none.
    writeFileSync(join(group, name), text, { flag: 'r+' });
  } catch (error) {
    if (optional === true) return;
    if (otherwise === undefined || codeOf(error) !== 'EINVAL') throw error;
    writeFileSync(join(group, name), otherwise, { flag: 'r+' });
  }
}

/** Gives a group these bounds; throws where the kernel refuses one that is needed. */
export function writeBounds(group: string, files: readonly BoundFile[]): void {
  for (const file of files) writeBound(group, file);
}

/** Processes of the group that the kernel has ended for want of memory. */
const killsOf = (group: string, version: GroupVersion): number =>
  version === 2
    ? numberIn(join(group, 'memory.events'), /^oom_kill (\d+)$/m)
    : numberIn(join(group, 'memory.oom_control'), /^oom_kill (\d+)$/m);

/** How often it wanted more than its own limit. */
const hitsOf = (group: string, version: GroupVersion): number =>
  version === 2
    ? numberIn(join(group, 'memory.events'), /^oom (\d+)$/m)
    : numberIn(join(group, 'memory.failcnt'), /^(\d+)/);

export class Limiter {
  readonly #homes: readonly ControllerHome[];
  readonly #spare: FirstGroups[] = [];
  #made = 0;

  constructor(homes: readonly ControllerHome[]) {
    this.#homes = homes;
  }

  /** Groups of version 1, to be removed with the supervisor. */
  get bases(): readonly string[] {
    return this.#homes.filter(home => home.version === 1).map(home => home.base);
  }

  /** `held` is the group of cgroup2 that holds the attempt, or ''. */
  limit(bounds: Bounds, held: string): AttemptLimits {
    for (const { controller, version } of this.#homes) {
      if (version === 2) writeBounds(held, boundFiles(controller, version, bounds));
    }
    return new AttemptLimits(this, this.#homes, held, this.#take(bounds));
  }

  #take(bounds: Bounds): FirstGroups | undefined {
    const homes = this.#homes.filter(home => home.version === 1);
    if (homes.length === 0) return undefined;
    const spare = this.#spare.pop();
    if (spare !== undefined) {
      try {
        this.#bound(spare, bounds);
        return spare;
      } catch {
        // What its last attempt left cannot be brought below the limit: another one is made.
        this.#remove(spare);
      }
    }
    const name = `attempt-${++this.#made}`;
    const paths = new Map(homes.map(home => [home.controller, join(home.base, name)]));
    for (const path of paths.values()) createCgroup(path);
    const groups = { paths, bounds: '' };
    this.#bound(groups, bounds);
    return groups;
  }

  #bound(groups: FirstGroups, bounds: Bounds): void {
    const text = JSON.stringify(bounds);
    if (groups.bounds === text) return;
    for (const [controller, path] of groups.paths) {
      writeBounds(path, boundFiles(controller, 1, bounds));
    }
    groups.bounds = text;
  }

  /** Takes groups back whose attempt is over; `empty` where it is known that nobody is in them. */
  give(groups: FirstGroups, empty: boolean): void {
    const reusable = this.#spare.length < spareMax && (empty || isEmpty(groups));
    if (reusable && isClean(groups)) this.#spare.push(groups);
    else this.#remove(groups);
  }

  #remove({ paths }: FirstGroups): void {
    for (const path of paths.values()) {
      // Where nothing better holds them, a process may have left its attempt but not its group.
      for (const pid of cgroupPids(path)) signal(pid, 'SIGKILL');
      removeCgroup(path);
    }
  }
}

const isEmpty = ({ paths }: FirstGroups): boolean =>
  [...paths.values()].every(path => cgroupPids(path, 1).length === 0);

/** Nothing of its attempt counts for the next one. */
function isClean({ paths }: FirstGroups): boolean {
  const memory = paths.get('memory');
  if (memory === undefined) return true;
  if (numberIn(join(memory, 'memory.usage_in_bytes'), /^(\d+)/) > leftBytesMax) return false;
  return hitsOf(memory, 1) === 0 && killsOf(memory, 1) === 0;
}

/** The bounds of one attempt. */
export class AttemptLimits {
  /** Groups that its process has to enter, beside the one that holds it. */
  readonly joins: readonly string[];
  readonly #limiter: Limiter;
  readonly #memory: { readonly group: string; readonly version: GroupVersion } | undefined;
  readonly #held: string;
  #groups: FirstGroups | undefined;

  constructor(
    limiter: Limiter,
    homes: readonly ControllerHome[],
    held: string,
    groups: FirstGroups | undefined,
  ) {
    this.#limiter = limiter;
    this.#groups = groups;
    this.joins = groups === undefined ? [] : [...groups.paths.values()];
    const version = homes.find(home => home.controller === 'memory')?.version;
    const group = version === 2 ? held : groups?.paths.get('memory');
    this.#memory = version === undefined || group === undefined ? undefined : { group, version };
    this.#held = held;
  }

  /** The kernel keeps to the memory limit; else it has to be watched. */
  get inKernel(): boolean {
    return this.#memory !== undefined;
  }

  /** Version 1 ends one process at a time, so the rest of the attempt may go on without it. */
  get endsOneByOne(): boolean {
    return this.#memory?.version === 1;
  }

  /** Whether the kernel has ended a process of it for want of memory; ask before it is cleared. */
  verdict(): MemoryVerdict | undefined {
    if (this.#memory === undefined) return undefined;
    const { group, version } = this.#memory;
    if (killsOf(group, version) === 0) return undefined;
    return hitsOf(group, version) > 0 ? 'own' : 'others';
  }

  /** Once nothing of it runs any more. */
  release(): void {
    const groups = this.#groups;
    this.#groups = undefined;
    if (groups !== undefined) this.#limiter.give(groups, this.#held !== '');
  }
}
