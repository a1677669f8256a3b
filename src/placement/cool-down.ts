/**
 * How long a leader leaves a node alone after it refused a task. Refusals mean that other leaders
 * were faster with the same advertisement, so the pause is drawn, and grows while they go on.
 */
import { createDraw } from './random.ts';

const firstMs = 250;
const lastMs = 4_000;

/**
 * Milliseconds until the node may be asked again after so many refusals in a row (from 1): between
 * half and the whole of 250 ms, doubled each time up to 4 s. `seed` differs between leaders.
 */
export function coolDownMs(refusals: number, seed: number): number {
  const whole = Math.min(lastMs, firstMs * 2 ** Math.min(refusals - 1, 10));
  return Math.ceil(whole * (0.5 + createDraw(seed)() / 2));
}
