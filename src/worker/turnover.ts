/**
 * How many attempts ended here lately: what a queue of this node is worth. One that stands in it
 * waits for those, while one that stays with its leader may go wherever room is next, in the
 * order of all. So as many are taken ahead as end within a tenth of a second, less one, as one may
 * have ended by chance: all that may be where tasks take milliseconds, and where the next one then
 * starts without a round trip; none where they take seconds.
 */
const withinMs = 100;

export class Turnover {
  /** When they ended, oldest first. */
  readonly #endedMs: number[] = [];
  readonly #most: number;

  /** At most so many are taken ahead. */
  constructor(most: number) {
    this.#most = most + 1;
  }

  ended(nowMs: number): void {
    this.#endedMs.push(nowMs);
    if (this.#endedMs.length > this.#most) this.#endedMs.shift();
  }

  /** Attempts that a queue may hold. */
  ahead(nowMs: number): number {
    while (this.#endedMs.length > 0 && this.#endedMs[0]! <= nowMs - withinMs) this.#endedMs.shift();
    return Math.max(0, this.#endedMs.length - 1);
  }
}
