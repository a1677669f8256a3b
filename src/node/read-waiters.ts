/**
 * Linearizable reads of one group that wait: first for the core to confirm the leader with a
 * majority, then for what was committed at that time to be applied. All reads of a turn share one
 * round.
 */
import { TschedError } from '../model/errors.ts';
import { limits } from '../model/limits.ts';

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: TschedError) => void;
}

export class ReadWaiters {
  /** Not handed to the core yet. */
  readonly #queue: Waiter[] = [];
  readonly #byCounter = new Map<number, Waiter[]>();
  /** Confirmed, ascending by the index that has to be applied. */
  readonly #byIndex: { readonly index: number; readonly waiters: readonly Waiter[] }[] = [];

  /** Not answered yet, wherever they stand. */
  #waiting = 0;

  /** Rejects with `overloaded` where too many wait already. */
  add(): Promise<void> {
    if (this.#waiting >= limits.readsWaitingMax) {
      const detail = { retryAfterMs: 500 };
      const error = new TschedError('overloaded', 'too many reads wait for a majority', detail);
      return Promise.reject(error);
    }
    this.#waiting++;
    return new Promise((resolve, reject) => {
      this.#queue.push({
        resolve: () => {
          this.#waiting--;
          resolve();
        },
        reject: error => {
          this.#waiting--;
          reject(error);
        },
      });
    });
  }

  get queued(): boolean {
    return this.#queue.length > 0;
  }

  /** What is queued belongs to the round of this counter. */
  begin(counter: number): void {
    this.#byCounter.set(counter, this.#queue.splice(0));
  }

  refuseQueued(error: TschedError): void {
    for (const waiter of this.#queue.splice(0)) waiter.reject(error);
  }

  /** The round is confirmed, and with it every earlier one. */
  confirmed(counter: number, index: number, applied: number): void {
    for (const [earlier, waiters] of this.#byCounter) {
      if (earlier > counter) continue;
      this.#byCounter.delete(earlier);
      if (index <= applied) for (const waiter of waiters) waiter.resolve();
      else this.#byIndex.push({ index, waiters });
    }
  }

  /** The round will never be confirmed: the leadership ended. */
  lost(counter: number, error: TschedError): void {
    for (const waiter of this.#byCounter.get(counter) ?? []) waiter.reject(error);
    this.#byCounter.delete(counter);
  }

  applied(index: number): void {
    while (this.#byIndex.length > 0 && this.#byIndex[0]!.index <= index) {
      for (const waiter of this.#byIndex.shift()!.waiters) waiter.resolve();
    }
  }

  abandon(error: TschedError): void {
    this.refuseQueued(error);
    for (const counter of [...this.#byCounter.keys()]) this.lost(counter, error);
    for (const { waiters } of this.#byIndex.splice(0)) {
      for (const waiter of waiters) waiter.reject(error);
    }
  }
}
