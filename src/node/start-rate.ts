/**
 * How many tasks of a shard started a second lately: a count for each of the last few spans of
 * time. Known to the leader only, and only for as long as it leads.
 */

const spanMs = 5_000;
const spans = 60;

/** So far back starts are counted. */
export const rateWindowMs = spanMs * spans;

export class StartRate {
  readonly #counts = new Uint32Array(spans);
  readonly #beganMs: number;
  /** Number of the newest span that was counted in. */
  #newest: number;

  constructor(nowMs: number) {
    this.#beganMs = nowMs;
    this.#newest = Math.floor(nowMs / spanMs);
  }

  note(nowMs: number): void {
    this.#turn(nowMs);
    this.#counts[this.#newest % spans]!++;
  }

  /** Starts that were counted, and over how long: the window, or less since counting began. */
  lately(nowMs: number): { readonly starts: number; readonly overMs: number } {
    this.#turn(nowMs);
    let starts = 0;
    for (const count of this.#counts) starts += count;
    const oldestMs = (this.#newest - spans + 1) * spanMs;
    return { starts, overMs: nowMs - Math.max(oldestMs, this.#beganMs) };
  }

  /** Empties the spans that have passed since the last look. */
  #turn(nowMs: number): void {
    const now = Math.max(this.#newest, Math.floor(nowMs / spanMs));
    const passed = Math.min(spans, now - this.#newest);
    for (let span = 0; span < passed; span++) this.#counts[(now - span) % spans] = 0;
    this.#newest = now;
  }
}
