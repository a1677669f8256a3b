/**
 * The window of append messages that were sent to one follower and not yet acknowledged, bounded by
 * count and by bytes of data. A ring of (last index, bytes) that grows as needed.
 * Invariant: indexes rise from the oldest to the newest.
 */
import { ensure } from './fatal.ts';
import type { Index } from './message.ts';

export class Inflights {
  readonly #maxCount: number;
  readonly #maxBytes: number;
  #indexes: Index[] = [];
  #sizes: number[] = [];
  #start = 0;
  #count = 0;
  #bytes = 0;

  /** `maxBytes` 0 means no limit by bytes. */
  constructor(maxCount: number, maxBytes: number) {
    this.#maxCount = maxCount;
    this.#maxBytes = maxBytes;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The last message may cross the byte limit: one below a message must not stop the flow. */
  get full(): boolean {
    return this.#count >= this.#maxCount || (this.#maxBytes !== 0 && this.#bytes >= this.#maxBytes);
  }

  /** Notes a message that ends at `lastIndex`. The window must not be full. */
  add(lastIndex: Index, bytes: number): void {
    ensure(!this.full, `append window is full at ${this.#count} messages`);
    if (this.#count === this.#indexes.length) this.#grow();
    const at = (this.#start + this.#count) % this.#indexes.length;
    this.#indexes[at] = lastIndex;
    this.#sizes[at] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  #grow(): void {
    const capacity = Math.max(4, this.#indexes.length * 2);
    const indexes = new Array<Index>(capacity).fill(0);
    const sizes = new Array<number>(capacity).fill(0);
    for (let position = 0; position < this.#count; position++) {
      const from = (this.#start + position) % this.#indexes.length;
      indexes[position] = this.#indexes[from]!;
      sizes[position] = this.#sizes[from]!;
    }
    this.#indexes = indexes;
    this.#sizes = sizes;
    this.#start = 0;
  }

  /** Frees every message whose last index is at or below `index`. */
  freeThrough(index: Index): void {
    while (this.#count > 0 && this.#indexes[this.#start]! <= index) {
      this.#bytes -= this.#sizes[this.#start]!;
      this.#start = (this.#start + 1) % this.#indexes.length;
      this.#count--;
    }
  }

  clear(): void {
    this.#start = 0;
    this.#count = 0;
    this.#bytes = 0;
  }
}
