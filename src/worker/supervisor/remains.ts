/**
 * What a supervisor that is gone may have left: where its socket is, which processes and control
 * groups are its, and how to make sure that nothing of them is left before another one takes over.
 */
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FoundAttempt } from '../../ports/runner.ts';
import { cgroupPids, cgroupPopulated, childGroups, killCgroup, removeCgroup } from './cgroup.ts';
import { killByEnvironment, signal } from './processes.ts';

/** Addresses of unix sockets are shorter than paths may be. */
const socketPathMax = 100;
/** How long processes may take to die after SIGKILL before we say that something is wrong. */
const dyingMs = 10_000;

/** Short paths of long directories: each stands for a descriptor, which stays open for that. */
const shortPaths = new Map<string, string>();

/** Path of the socket; of a long directory through a descriptor, one however often it is asked. */
export function socketPath(dataDir: string): string {
  const path = join(dataDir, 'supervisor.sock');
  if (Buffer.byteLength(path) <= socketPathMax) return path;
  let short = shortPaths.get(dataDir);
  if (short === undefined) {
    mkdirSync(dataDir, { recursive: true });
    short = `/proc/self/fd/${openSync(dataDir, 'r')}`;
    shortPaths.set(dataDir, short);
  }
  return join(short, 'supervisor.sock');
}

export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** Waits for `condition`, blocking: for the short time before a supervisor says hello. */
function waitBlocking(condition: () => boolean, what: string): void {
  for (let waitedMs = 0; !condition(); waitedMs += 5) {
    if (waitedMs >= dyingMs) throw new Error(`${what} after ${dyingMs} ms`);
    sleep(5);
  }
}

/** Group of cgroup2 that held the attempts of the supervisor of this directory. */
const heldPath = (dataDir: string): string => join(dataDir, 'supervisor.cgroup');
/** Groups of version 1 that bounded them, one a line. */
const boundPath = (dataDir: string): string => join(dataDir, 'supervisor.limits');

/** Notes which groups are this supervisor's, for whoever comes after it. */
export function noteGroups(
  dataDir: string,
  held: string | undefined,
  bounding: readonly string[],
): void {
  if (held !== undefined) writeFileSync(heldPath(dataDir), held);
  writeFileSync(boundPath(dataDir), bounding.join('\n'));
}

/** The group that held the attempts, where there is a note of one. */
export const heldGroup = (dataDir: string): string | undefined =>
  readIfThere(heldPath(dataDir)) || undefined;

const boundGroups = (dataDir: string): readonly string[] =>
  (readIfThere(boundPath(dataDir)) ?? '').split('\n').filter(Boolean);

/** Removes the groups of a supervisor that is gone, as far as no process is left in them. */
export function removeGroups(dataDir: string): void {
  for (const base of [heldGroup(dataDir) ?? '', ...boundGroups(dataDir)].filter(Boolean)) {
    for (const name of childGroups(base)) removeCgroup(join(base, name));
    removeCgroup(base);
  }
}

/** Ends what is in the groups that bounded attempts; true where there was something. */
export function killBounded(dataDir: string): boolean {
  let any = false;
  for (const base of boundGroups(dataDir)) {
    for (const name of childGroups(base)) {
      for (const pid of cgroupPids(join(base, name))) any = signal(pid, 'SIGKILL') || any;
    }
  }
  return any;
}

/**
 * Makes sure that no attempt of an earlier supervisor of this directory lives. Where it had control
 * groups, they are asked; else processes are found by the attempt in their environment.
 */
export function endEverything(dataDir: string, attempts: readonly FoundAttempt[]): void {
  const held = heldGroup(dataDir);
  if (held !== undefined) {
    killCgroup(held);
    waitBlocking(() => !cgroupPopulated(held), `processes are left in ${held}`);
  }
  const left = 'attempts of an earlier supervisor are left';
  waitBlocking(() => !killBounded(dataDir), left);
  removeGroups(dataDir);
  const open = openAttempts(attempts);
  if (open.length === 0) return;
  waitBlocking(() => !killByEnvironment(open), left);
}

/** Attempts without an exit, each as the variables that all of its processes have. */
export function openAttempts(attempts: readonly FoundAttempt[]): string[][] {
  return attempts
    .filter(attempt => attempt.outcome === undefined)
    .map(attempt => [`TSCHED_TASK_ID=${attempt.taskId}`, `TSCHED_FENCE=${attempt.fence}`]);
}
