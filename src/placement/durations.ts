/**
 * How long attempts last lately, as one leader sees them end. Room that is left to another leader
 * may stand empty for a while, as what leaders know of each other is old: where attempts last for
 * milliseconds that would be most of the time, and who has had too little has more soon anyway.
 */

/** From here on room is left to others: a sixth of the use at worst, where all of it is in vain. */
const longMs = 1_000;
/** The mean is of about so many, the latest. */
const meanOf = 16;

export class Durations {
  #ended = 0;
  #meanMs = 0;

  ended(durationMs: number): void {
    this.#ended = Math.min(meanOf, this.#ended + 1);
    this.#meanMs += (durationMs - this.#meanMs) / this.#ended;
  }

  /** Unless it is known that they are short. */
  get areLong(): boolean {
    return this.#ended === 0 || this.#meanMs >= longMs;
  }
}
