/** The clock and the randomness of a real node. */
import { randomFillSync } from 'node:crypto';
import { uptime } from 'node:os';
import type { Clock, Random } from '../ports/clock.ts';

/** How long the boot clock is carried on by the monotonic one between two readings. */
const bootReadMs = 50;
let bootReadAtMs = Number.NEGATIVE_INFINITY;
let bootBaseMs = 0;

export const realClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  /**
   * CLOCK_BOOTTIME, which goes on during suspend and is the same in every process. A reading costs
   * a file, so that one serves for 50 ms. Just after a resume the value may lag by as much: whoever
   * waits for a lease to end waits longer, and the supervisor judges deadlines by its own reading.
   */
  bootMs() {
    const nowMs = performance.now();
    if (nowMs - bootReadAtMs > bootReadMs) {
      // A reading has 10 ms steps: never below what was told before.
      const carriedMs = bootBaseMs === 0 ? 0 : bootBaseMs + (nowMs - bootReadAtMs);
      bootReadAtMs = nowMs;
      bootBaseMs = Math.max(carriedMs, uptime() * 1_000);
    }
    return bootBaseMs + (nowMs - bootReadAtMs);
  },
  after(delayMs, fire) {
    if (delayMs <= 0) {
      // After pending IO: what has arrived is taken in before a tick is fired.
      const immediate = setImmediate(fire);
      return () => clearImmediate(immediate);
    }
    const timer = setTimeout(fire, delayMs);
    return () => clearTimeout(timer);
  },
};

export function realRandom(): Random {
  const pool = new Uint32Array(1_024);
  let next = pool.length;
  return {
    uint32() {
      if (next === pool.length) {
        randomFillSync(pool);
        next = 0;
      }
      return pool[next++]!;
    },
  };
}
