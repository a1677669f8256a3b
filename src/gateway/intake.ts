/**
 * Bytes of request bodies that this node has taken in and not answered yet. The bound holds for all
 * connections together, so that no number of clients can fill the memory: what is over it is
 * refused before it is read.
 */
import { refuse } from './problem.ts';

const retryAfterMs = 1_000;

export class Intake {
  readonly bytesMax: number;
  #bytes = 0;
  #refused = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Requests that were refused for want of room. */
  get refused(): number {
    return this.#refused;
  }

  /** Holds room for `bytes` until they are given back, or throws `overloaded`. */
  take(bytes: number): void {
    if (this.#bytes + bytes > this.bytesMax) {
      this.#refused++;
      refuse(
        'overloaded',
        `Requests of ${this.#bytes} bytes wait for their answer here, at most ${this.bytesMax} may.`,
        { retryAfterMs },
      );
    }
    this.#bytes += bytes;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}
