/**
 * Control groups of the attempts of one supervisor: one cgroup2 directory each, below one directory
 * of the supervisor. Only what cgroup2 offers without any controller is relied on: membership that
 * a process cannot leave unnoticed, `cgroup.kill`, `cgroup.procs`, `cpu.stat`. Where memory is
 * accounted too, it is read.
 *
 * Works on a pure cgroup2 host and on a hybrid one, where cgroup2 is mounted at `unified`.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface CgroupUsage {
  readonly userCpuMs: number;
  readonly systemCpuMs: number;
  /** Exact peak of the whole tree, where the memory controller is on. */
  readonly peakMemoryBytes: number | undefined;
  readonly outOfMemory: boolean;
}

const readText = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    // Gone (the group was removed meanwhile) or not offered by this kernel: both mean no answer.
    if (error instanceof Error) return undefined;
    throw error;
  }
};

/** Where this process's own cgroup2 directory is, or `undefined` where cgroup2 is not mounted. */
function ownCgroup(): string | undefined {
  const mounts = readText('/proc/self/mountinfo') ?? '';
  const mount = mounts.split('\n').find(line => / - cgroup2 /.test(line));
  const membership = /^0::(.*)$/m.exec(readText('/proc/self/cgroup') ?? '')?.[1];
  if (mount === undefined || membership === undefined) return undefined;
  const [, , , root, point] = mount.split(' ');
  if (root === undefined || point === undefined) return undefined;
  const inside = membership.startsWith(root) ? membership.slice(root.length) : membership;
  return join(point, inside);
}

/** Directory of the supervisor of `dataDir` below the caller's own group. */
export function baseCgroup(dataDir: string): string | undefined {
  const own = ownCgroup();
  if (own === undefined) return undefined;
  const digest = createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
  return join(own, `tsched-${digest}`);
}

export const createCgroup = (path: string): void => void mkdirSync(path, { recursive: true });

export function killCgroup(path: string): void {
  try {
    writeFileSync(join(path, 'cgroup.kill'), '1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/**
 * Stops all processes in and below the group, or lets them go on; false where the kernel does not
 * offer that (before 5.2).
 */
export function freezeCgroup(path: string, frozen: boolean): boolean {
  try {
    // Without O_CREAT: the file is the kernel's, or there is none.
    writeFileSync(join(path, 'cgroup.freeze'), frozen ? '1' : '0', { flag: 'r+' });
    return true;
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
}

/** Whether everything in the group stands still. */
export const isCgroupFrozen = (path: string): boolean =>
  /^frozen 1$/m.test(readText(join(path, 'cgroup.events')) ?? '');

/** Processes in the group itself, at most `max`; ids as seen from the caller's PID namespace. */
export function cgroupPids(path: string, max = 4_096): number[] {
  const text = readText(join(path, 'cgroup.procs')) ?? '';
  // A process of a namespace that cannot be seen from here is listed as 0.
  const pids = text.split('\n', max).map(Number);
  return pids.filter(pid => pid > 0);
}

/**
 * Removes the group; false while processes are left in it. Groups that the attempt made below its
 * own are removed with it.
 */
export function removeCgroup(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return true;
    if (code !== 'EBUSY' && code !== 'ENOTEMPTY') throw error;
  }
  let empty = true;
  for (const name of childGroups(path)) empty = removeCgroup(join(path, name)) && empty;
  return empty && !cgroupPopulated(path) && tryRemove(path);
}

function tryRemove(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return true;
    if (code === 'EBUSY' || code === 'ENOTEMPTY') return false;
    throw error;
  }
}

export function childGroups(path: string): string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return entries.filter(entry => entry.isDirectory()).map(entry => entry.name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** As `childGroups`, from the link count: 2, and one for each directory in it. */
export const hasChildGroups = (path: string): boolean => statSync(path).nlink > 2;

/** Whether a live process is in the group or below it. */
export function cgroupPopulated(path: string): boolean {
  return /^populated 1$/m.test(readText(join(path, 'cgroup.events')) ?? '');
}

/** `memory` tells whether memory is accounted here (`hasMemory`). */
export function cgroupUsage(path: string, memory: boolean): CgroupUsage {
  const cpu = readText(join(path, 'cpu.stat')) ?? '';
  const micros = (pattern: RegExp): number => Number(pattern.exec(cpu)?.[1] ?? 0);
  const peak = memory ? readText(join(path, 'memory.peak')) : undefined;
  const events = peak === undefined ? '' : (readText(join(path, 'memory.events')) ?? '');
  return {
    userCpuMs: Math.round(micros(/^user_usec (\d+)$/m) / 1_000),
    systemCpuMs: Math.round(micros(/^system_usec (\d+)$/m) / 1_000),
    peakMemoryBytes: peak === undefined ? undefined : Number(peak),
    outOfMemory: /^oom_kill [1-9]/m.test(events),
  };
}

/** Turns memory accounting on for the groups below `base`, where that is allowed. */
export function accountMemory(base: string): void {
  try {
    writeFileSync(join(base, 'cgroup.subtree_control'), '+memory');
  } catch (error) {
    // Not offered to this group (a hybrid host, or not delegated): memory is then sampled.
    if (!(error instanceof Error)) throw error;
  }
}

export const hasMemory = (path: string): boolean =>
  statSync(join(path, 'memory.peak'), { throwIfNoEntry: false }) !== undefined;
