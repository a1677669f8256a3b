/**
 * Control groups of the attempts of one supervisor: one cgroup2 directory each, below one directory
 * of the supervisor. To hold an attempt together only what cgroup2 offers without any controller is
 * relied on: membership that a process cannot leave unnoticed, `cgroup.kill`, `cgroup.procs`,
 * `cpu.stat`. Where memory is accounted too, it is read.
 *
 * Works on a pure cgroup2 host and on a hybrid one, where cgroup2 is mounted at `unified`.
 */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

export interface CgroupUsage {
  readonly userCpuMs: number;
  readonly systemCpuMs: number;
  /** Exact peak of the whole tree, where the memory controller is on. */
  readonly peakMemoryBytes: number | undefined;
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

/** `memory` tells whether memory is accounted here. */
export function cgroupUsage(path: string, memory: boolean): CgroupUsage {
  const cpu = readText(join(path, 'cpu.stat')) ?? '';
  const micros = (pattern: RegExp): number => Number(pattern.exec(cpu)?.[1] ?? 0);
  const peak = memory ? readText(join(path, 'memory.peak')) : undefined;
  return {
    userCpuMs: Math.round(micros(/^user_usec (\d+)$/m) / 1_000),
    systemCpuMs: Math.round(micros(/^system_usec (\d+)$/m) / 1_000),
    peakMemoryBytes: peak === undefined ? undefined : Number(peak),
  };
}

/**
 * Hands controllers on to the groups below, as far as this group has them and is allowed to. One
 * that has processes is not, but for the root of all; of `cpu` and `pids` the kernel would take it,
 * for threads alone, and refuse whole processes in the groups below from then on.
 */
export function handOn(path: string, names: readonly string[]): void {
  if (isInnermost(path)) return;
  for (const name of names) {
    try {
      writeFileSync(join(path, 'cgroup.subtree_control'), `+${name}`, { flag: 'r+' });
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    }
  }
}

/** Controllers that are on in this group of cgroup2. */
export const controllersOn = (path: string): readonly string[] =>
  (readText(join(path, 'cgroup.controllers')) ?? '').split(/\s+/).filter(Boolean);

/** Whether this user may hand on what is on in this group, as far as files tell. */
export function mayHandOn(path: string): boolean {
  try {
    accessSync(join(path, 'cgroup.subtree_control'), constants.W_OK);
    return true;
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
}

/** It has processes, which keep it from handing on what is on in it; that of all may have some. */
export const isInnermost = (path: string): boolean =>
  existsSync(join(path, 'cgroup.events')) && (readText(join(path, 'cgroup.procs')) ?? '') !== '';
