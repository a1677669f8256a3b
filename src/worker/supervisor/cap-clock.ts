/**
 * How long an attempt has run and may run: the time in which it is stopped does not count, since
 * a cap bounds what an attempt does. Instants are those of CLOCK_BOOTTIME. Pure.
 */
export class CapClock {
  #capMs: number;
  /** Of an attempt that was never stopped: when it began. */
  #sinceMs: number;
  #stoppedAtMs: number | undefined;

  /** `capMs` 0 is no cap. */
  constructor(capMs: number, nowBootMs: number) {
    this.#capMs = capMs;
    this.#sinceMs = nowBootMs;
  }

  get stopped(): boolean {
    return this.#stoppedAtMs !== undefined;
  }

  /** When it is over its cap, should it not be stopped or changed before. */
  get endsAt(): number {
    const never = this.#capMs === 0 || this.stopped;
    return never ? Number.POSITIVE_INFINITY : this.#sinceMs + this.#capMs;
  }

  /** Another cap, over all the time it has run. */
  change(capMs: number): void {
    this.#capMs = capMs;
  }

  stop(stopped: boolean, nowBootMs: number): void {
    if (stopped) this.#stoppedAtMs ??= nowBootMs;
    else if (this.#stoppedAtMs !== undefined) {
      this.#sinceMs += nowBootMs - this.#stoppedAtMs;
      this.#stoppedAtMs = undefined;
    }
  }
}
