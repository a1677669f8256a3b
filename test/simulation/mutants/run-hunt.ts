/** Starts a hunt in a process of its own and waits for what it says. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type Hunt, huntProgram } from './hunt.ts';

const run = promisify(execFile);

/** Seconds after its time is up until a hunt is ended; a seed under way is finished first. */
const graceSeconds = 60;

/** Rejects where the process fails: the bug was not planted, or broke the simulator itself. */
export async function runHunt(
  name: string,
  seconds: number,
  seeds: readonly number[] = [],
): Promise<Hunt> {
  const words = [huntProgram, name, String(seconds), ...seeds.map(String)];
  const timeout = (seconds + graceSeconds) * 1_000;
  const { stdout } = await run(process.execPath, words, { timeout, killSignal: 'SIGKILL' });
  return JSON.parse(stdout) as Hunt;
}
