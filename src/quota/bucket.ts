/**
 * A token bucket in whole numbers: millionths of a permit. Time is a monotonic clock's and enters
 * as data; it may stand still, and what is older than what was seen before counts as that.
 */

const millionths = 1_000_000;

export class Bucket {
  #level: number;
  #atMs: number;

  /** Holds `permits` at `nowMs`. */
  constructor(nowMs: number, permits = 0) {
    this.#level = permits * millionths;
    this.#atMs = Math.floor(nowMs);
  }

  /** Lets permits run in at `perSecond` up to now; above `most` they are lost. */
  fill(nowMs: number, perSecond: number, most: number): void {
    const now = Math.floor(nowMs);
    if (now > this.#atMs) {
      const perMs = Math.floor(perSecond * 1_000);
      const room = most * millionths - this.#level;
      // Not the product of a long time and a high rate: that is no whole number any more.
      const full = perMs > 0 && now - this.#atMs >= room / perMs;
      this.#level += full ? Math.max(0, room) : perMs * (now - this.#atMs);
      this.#atMs = now;
    }
    this.#level = Math.min(this.#level, most * millionths);
  }

  get permits(): number {
    return Math.max(0, Math.floor(this.#level / millionths));
  }

  /** Not more than there are. */
  take(permits: number): void {
    this.#level -= permits * millionths;
  }

  /** Until there are that many, at this rate; `undefined` where they never come. */
  waitMs(permits: number, perSecond: number): number | undefined {
    const missing = permits * millionths - this.#level;
    if (missing <= 0) return 0;
    const perMs = Math.floor(perSecond * 1_000);
    return perMs <= 0 ? undefined : Math.ceil(missing / perMs);
  }
}
