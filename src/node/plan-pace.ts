/** How soon a planner may plan again: at its own pace, whatever comes in meanwhile. */

/** Least time between two plans: events in between are taken together. */
const leastMs = 3;
/**
 * The same after plans that placed nothing: twice as long after each, up to this. In a full cluster
 * what comes in changes nothing most of the time.
 */
const blockedMs = 24;
/** Plans take at most a quarter of the time, however many demands wait. */
const pausePerPlan = 3;

export class PlanPace {
  #betweenMs = leastMs;
  #tookMs = 0;

  /** From the begin of one plan to the begin of the next. */
  get pauseMs(): number {
    return Math.max(this.#betweenMs, (1 + pausePerPlan) * this.#tookMs);
  }

  /** A plan placed so many tasks of those that waited; `undefined` where none did. */
  planned(placements: number | undefined): void {
    this.#betweenMs = placements === 0 ? Math.min(blockedMs, 2 * this.#betweenMs) : leastMs;
  }

  took(milliseconds: number): void {
    this.#tookMs = milliseconds;
  }
}
