/**
 * CLOCK_BOOTTIME in whole milliseconds: it goes on while the machine is suspended and is the same
 * for every process of the machine, so a deadline can be handed from the node to its supervisor.
 */
import { uptime } from 'node:os';

/** An answer is good for this long: asking the kernel costs more than most of what asks. */
const freshMs = 4;

let askedAtMs = Number.NEGATIVE_INFINITY;
let answerMs = 0;

/** Exact to 10 ms, as the kernel gives it, and 4 ms more. */
export function bootMs(): number {
  // `performance` stands still in a suspended machine and goes on in a stopped process.
  const now = performance.now();
  if (now - askedAtMs >= freshMs) {
    askedAtMs = now;
    answerMs = Math.floor(uptime() * 1_000);
  }
  return answerMs;
}
