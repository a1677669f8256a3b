/** Waiting for a condition, with a deadline and an end that is asked for from outside. */
import { setTimeout as delay } from 'node:timers/promises';

/** The run was interrupted: what waits stops waiting, and everything is cleaned up. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

export interface Patience {
  readonly limitMs: number;
  readonly pollMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks `probe` until it answers something else than `undefined` or `false`; `undefined` after the
 * limit. Rejects with `Interrupted` at once where the signal says so.
 */
export async function until<T>(
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  { limitMs, pollMs = 50, signal }: Patience,
): Promise<T | undefined> {
  const deadlineMs = performance.now() + limitMs;
  for (;;) {
    const answer = await probe();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadlineMs) return undefined;
    await pause(pollMs, signal);
  }
}

/** Lets time pass; rejects with `Interrupted` where the signal says so. */
export async function pause(lengthMs: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(lengthMs, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    if ((error as Error).name !== 'AbortError') throw error;
    throw new Interrupted('interrupted', { cause: error });
  }
}
