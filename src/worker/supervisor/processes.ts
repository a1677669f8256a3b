/**
 * Processes as `/proc` shows them. A process that is gone gives an empty answer, never an error.
 */
import { readdirSync, readFileSync } from 'node:fs';

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    // ENOENT and ESRCH: gone; EACCES: another user's, about which nothing is asked here.
    if (error instanceof Error) return '';
    throw error;
  }
}

/** Fields of /proc/PID/stat from the state (field 3) on; the command's name may hold anything. */
function statFields(pid: number): string[] {
  const text = read(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** Clock ticks since boot at which the process started: with the boot id it names it for good. */
export function startTicks(pid: number): number | undefined {
  const [state, ...rest] = statFields(pid);
  if (state === undefined || state === '' || state === 'Z' || state === 'X') return undefined;
  const ticks = Number(rest[18]);
  return Number.isNaN(ticks) ? undefined : ticks;
}

export const bootId = (): string => read('/proc/sys/kernel/random/boot_id').trim();

/** Whether a signal has stopped it, or it is over: it does nothing by itself. */
export const standsStill = (pid: number): boolean =>
  ['T', 't', 'Z', 'X', '', undefined].includes(statFields(pid)[0]);

/** Whether it is a child of `parent`, a zombie included: until it is waited for, the id is its. */
export const isChildOf = (pid: number, parent: number): boolean =>
  Number(statFields(pid)[1]) === parent;

export function children(pid: number): number[] {
  const text = read(`/proc/${pid}/task/${pid}/children`);
  return text.split(' ').filter(Boolean).map(Number);
}

/** All descendants that are still attached, at most `max`. */
export function descendants(pid: number, max = 4_096): number[] {
  const found: number[] = [];
  const queue = [pid];
  for (let next = queue.pop(); next !== undefined && found.length < max; next = queue.pop()) {
    const below = children(next);
    found.push(...below);
    queue.push(...below);
  }
  return found;
}

export interface ProcessUsage {
  readonly userCpuMs: number;
  readonly systemCpuMs: number;
  readonly memoryBytes: number;
  readonly peakMemoryBytes: number;
  /** Of its memory, what is no part of a file: it cannot be had back from it. */
  readonly heldBytes: number;
}

/** Milliseconds of one clock tick: 100 Hz is fixed in the interface of every Linux this runs on. */
const tickMs = 10;

export function processUsage(pid: number, withCpu: boolean): ProcessUsage {
  const status = read(`/proc/${pid}/status`);
  const kib = (pattern: RegExp): number => Number(pattern.exec(status)?.[1] ?? 0) * 1_024;
  const fields = withCpu ? statFields(pid) : [];
  return {
    // utime and stime of the process and of the children it has waited for.
    userCpuMs: (Number(fields[11] ?? 0) + Number(fields[13] ?? 0)) * tickMs,
    systemCpuMs: (Number(fields[12] ?? 0) + Number(fields[14] ?? 0)) * tickMs,
    memoryBytes: kib(/^VmRSS:\s+(\d+)/m),
    peakMemoryBytes: kib(/^VmHWM:\s+(\d+)/m),
    heldBytes: kib(/^RssAnon:\s+(\d+)/m) + kib(/^RssShmem:\s+(\d+)/m),
  };
}

/**
 * `heldBytes` again, with what it shares with other processes divided among them; `undefined` where
 * the kernel does not tell. Walks its memory, so it is for when it matters.
 */
export function ownShareBytes(pid: number): number | undefined {
  const text = read(`/proc/${pid}/smaps_rollup`);
  const anon = /^Pss_Anon:\s+(\d+)/m.exec(text)?.[1];
  const shared = /^Pss_Shmem:\s+(\d+)/m.exec(text)?.[1];
  if (anon === undefined || shared === undefined) return undefined;
  return (Number(anon) + Number(shared)) * 1_024;
}

/** Sends a signal to a process, or with a negative `pid` to a group; true where there was one. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  // To the kernel 0 is the group of whoever asks.
  if (pid === 0) return false;
  try {
    process.kill(pid, name);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // EPERM: it changed its user; without a control group that is beyond reach, and shown as such.
    if (code === 'ESRCH' || code === 'EPERM') return false;
    throw error;
  }
}

/** How often a tree that grows while it is stopped is looked at again before that is given up. */
const stopPasses = 8;

/**
 * Stops every process that `list` tells; true once all of them stand still and no more come. What
 * forks meanwhile is found by the next look.
 */
export function stopAll(list: () => readonly number[]): boolean {
  for (let pass = 0; pass < stopPasses; pass++) {
    const moving = list().filter(pid => !standsStill(pid));
    if (moving.length === 0) return true;
    for (const pid of moving) signal(pid, 'SIGSTOP');
  }
  return false;
}

/**
 * Ends every process whose environment holds all entries (`NAME=value`) of one of `attempts`; true
 * where there was one. For machines without control groups or PID namespaces: it finds what left
 * its process group.
 */
export function killByEnvironment(attempts: readonly (readonly string[])[]): boolean {
  let any = false;
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid <= 1 || pid === process.pid) continue;
    const environment = new Set(read(`/proc/${pid}/environ`).split('\0'));
    const matches = attempts.some(entries => entries.every(entry => environment.has(entry)));
    if (matches) any = signal(pid, 'SIGKILL') || any;
  }
  return any;
}
