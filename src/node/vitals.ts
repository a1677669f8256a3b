/**
 * How fast this node's disk and loop are, and whether it is too slow to lead. Pure: it is told what
 * was measured and when. A leader waits for its disk before it counts itself, and a loop that comes
 * late beats late, so a slow one makes a whole group slow that has faster voters.
 *
 *   well -> slow   the average of either is over `slowMs`, or one write has taken `stuckMs`
 *   slow -> well   both averages are under `wellMs` and were for `restMs`
 *
 * A single stall, however long, is no reason: samples count for at most `sampleMsMax`.
 */

import type { NodeVitals } from '../ports/node-api.ts';

/** Weight of a new sample in an average. */
const weight = 0.2;
const sampleMsMax = 1_000;
/** An average that is over this makes a node slow. */
export const slowMs = 500;
/** Both averages have to be under this for it to be well again. */
export const wellMs = 100;
/** So long, since a slow disk is mostly slow in spells. */
export const restMs = 10_000;
/** A write that has not ended after this says enough by itself. */
export const stuckMs = 2_000;
/** Maxima are kept of this long at least, and of twice that at most. */
const windowMs = 30_000;
/** An unfit node leaves elections to the others for so many ticks more. */
export const unfitTicks = 50;
/** A slow node without work writes a little this often: else it could not learn that it is well. */
const probeEveryMs = 1_000;

class Signal {
  averageMs = 0;
  #maxMs = 0;
  #maxBeforeMs = 0;
  #windowFromMs = 0;

  add(ms: number, nowMs: number): void {
    this.#turn(nowMs);
    this.averageMs += weight * (Math.min(ms, sampleMsMax) - this.averageMs);
    this.#maxMs = Math.max(this.#maxMs, ms);
  }

  maxMs(nowMs: number): number {
    this.#turn(nowMs);
    return Math.max(this.#maxMs, this.#maxBeforeMs);
  }

  #turn(nowMs: number): void {
    const passedMs = nowMs - this.#windowFromMs;
    if (passedMs < windowMs) return;
    this.#maxBeforeMs = passedMs < 2 * windowMs ? this.#maxMs : 0;
    this.#maxMs = 0;
    this.#windowFromMs = nowMs;
  }
}

export class Vitals {
  readonly #batch = new Signal();
  readonly #lag = new Signal();
  #writingSinceMs: number | undefined;
  #slow = false;
  /** First instant since which a slow node measured well. */
  #wellSinceMs: number | undefined;
  #probedMs = Number.NEGATIVE_INFINITY;

  /** The disk is nearly full; told by who looks at it. */
  diskLow = false;

  get slow(): boolean {
    return this.#slow;
  }

  /** This node had better not lead. */
  get unfit(): boolean {
    return this.#slow || this.diskLow;
  }

  batchBegan(nowMs: number): void {
    this.#writingSinceMs = nowMs;
  }

  batchEnded(nowMs: number): void {
    if (this.#writingSinceMs === undefined) return;
    this.#batch.add(nowMs - this.#writingSinceMs, nowMs);
    this.#writingSinceMs = undefined;
  }

  /** The loop's tick was due at `dueMs` and came now. */
  ticked(dueMs: number, nowMs: number): void {
    this.#lag.add(Math.max(0, nowMs - dueMs), nowMs);
  }

  /** Decides anew; called at every tick. */
  check(nowMs: number): boolean {
    const stuck = this.#inFlightMs(nowMs) >= stuckMs;
    const worstMs = Math.max(this.#batch.averageMs, this.#lag.averageMs);
    if (stuck || worstMs >= slowMs) {
      this.#slow = true;
      this.#wellSinceMs = undefined;
    } else if (this.#slow && worstMs < wellMs && this.#inFlightMs(nowMs) < wellMs) {
      this.#wellSinceMs ??= nowMs;
      if (nowMs - this.#wellSinceMs >= restMs) this.#slow = false;
    } else this.#wellSinceMs = undefined;
    return this.#slow;
  }

  /** Whether a write should be made only to see how long it takes. */
  probeDue(nowMs: number): boolean {
    if (!this.#slow || nowMs - this.#probedMs < probeEveryMs) return false;
    this.#probedMs = nowMs;
    return true;
  }

  report(nowMs: number): NodeVitals {
    return {
      slow: this.#slow,
      diskLow: this.diskLow,
      batchMs: Math.round(this.#batch.averageMs),
      batchMaxMs: Math.round(Math.max(this.#batch.maxMs(nowMs), this.#inFlightMs(nowMs))),
      lagMs: Math.round(this.#lag.averageMs),
      lagMaxMs: Math.round(this.#lag.maxMs(nowMs)),
    };
  }

  #inFlightMs(nowMs: number): number {
    return this.#writingSinceMs === undefined ? 0 : nowMs - this.#writingSinceMs;
  }
}

/** What is slow about it, for a person. */
export function describeSlowness({ batchMs, lagMs }: NodeVitals): string {
  return batchMs >= lagMs
    ? `a write to its disk takes ${batchMs} ms`
    : `its loop comes ${lagMs} ms late`;
}
