/**
 * How many attempts ended here lately: what a queue of this node is worth. One that stands in it
 * waits for those, while one that stays with its leader may go wherever room is next. So as many
 * are taken ahead as end within half a second: all that may be where tasks take milliseconds, and
 * where the next one then starts without a round trip; none where they take minutes.
 */
const withinMs = 500;

export class Turnover {
  /** When they ended, oldest first. */
  readonly #endedMs: number[] = [];
  readonly #most: number;

  /** Counts up to `most`. */
  constructor(most: number) {
    this.#most = most;
  }

  ended(nowMs: number): void {
    this.#endedMs.push(nowMs);
    if (this.#endedMs.length > this.#most) this.#endedMs.shift();
  }

  count(nowMs: number): number {
    while (this.#endedMs.length > 0 && this.#endedMs[0]! <= nowMs - withinMs) this.#endedMs.shift();
    return this.#endedMs.length;
  }
}
