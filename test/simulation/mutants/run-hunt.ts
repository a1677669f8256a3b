/** Starts a hunt in a process of its own and waits for what it says. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type Hunt, huntProgram } from './hunt.ts';

const run = promisify(execFile);

/** Seconds after its time is up until a hunt is ended; a seed under way is finished first. */
const graceSeconds = 60;

/**
 * Rejects where the process fails: the bug was not planted, or broke the simulator itself. A hunt
 * that does not end in time, be it that one seed takes so long, has not found its bug.
 */
export async function runHunt(
  name: string,
  seconds: number,
  seeds: readonly number[] = [],
): Promise<Hunt> {
  const words = [huntProgram, name, String(seconds), ...seeds.map(String)];
  const timeout = (seconds + graceSeconds) * 1_000;
  try {
    const { stdout } = await run(process.execPath, words, { timeout, killSignal: 'SIGKILL' });
    return JSON.parse(stdout) as Hunt;
  } catch (error) {
    if ((error as { killed?: boolean }).killed !== true) throw error;
    const message = `it was still running after ${timeout / 1_000} s`;
    return { name, seed: undefined, seeds: 0, seconds: timeout / 1_000, message };
  }
}
