/**
 * What a supervisor that is gone may have left: where its socket is, which processes and control
 * groups are its, and how to make sure that nothing of them is left before another one takes over.
 */
import { mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FoundAttempt } from '../../ports/runner.ts';
import { cgroupPopulated, childGroups, killCgroup, removeCgroup } from './cgroup.ts';
import { killByEnvironment } from './processes.ts';

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

/** Removes the control group of a supervisor that is gone, once no process is left in it. */
export function removeBase(base: string): void {
  for (const name of childGroups(base)) removeCgroup(join(base, name));
  removeCgroup(base);
}

/** Ends everything below the control group of an earlier supervisor and removes it. */
function endCgroup(base: string): void {
  killCgroup(base);
  waitBlocking(() => !cgroupPopulated(base), `processes are left in ${base}`);
  removeBase(base);
}

/**
 * Makes sure that no attempt of an earlier supervisor of this directory lives. Where it had a
 * control group, that is asked; else processes are found by the attempt in their environment.
 */
export function endEverything(dataDir: string, attempts: readonly FoundAttempt[]): void {
  const base = readIfThere(join(dataDir, 'supervisor.cgroup'));
  if (base !== undefined && base !== '') endCgroup(base);
  const open = openAttempts(attempts);
  if (open.length === 0) return;
  waitBlocking(() => !killByEnvironment(open), 'attempts of an earlier supervisor are left');
}

/** Attempts without an exit, each as the variables that all of its processes have. */
export function openAttempts(attempts: readonly FoundAttempt[]): string[][] {
  return attempts
    .filter(attempt => attempt.outcome === undefined)
    .map(attempt => [`TSCHED_TASK_ID=${attempt.taskId}`, `TSCHED_FENCE=${attempt.fence}`]);
}
