/** Waiting for a condition with a deadline: the only way in which these tests let time pass. */
import { setTimeout as delay } from 'node:timers/promises';

const pollMs = 25;

/**
 * Asks `probe` until it answers something else than `undefined` or `false`, and returns that. What
 * it throws counts as "not yet". Rejects with `what` and the last error after `limitMs`.
 */
export async function until<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  limitMs = 30_000,
): Promise<T> {
  const deadline = performance.now() + limitMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== false) return answer;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      const why = last === undefined ? '' : `; last error: ${String(last)}`;
      throw new Error(`did not happen within ${limitMs} ms: ${what}${why}`, { cause: last });
    }
    await delay(pollMs);
  }
}
