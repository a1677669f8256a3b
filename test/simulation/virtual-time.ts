/**
 * Virtual time: events in order of their instant, then of their making. Nothing happens between two
 * events, so a year of waiting costs nothing and a run is a function of its seed.
 */
import type { Clock, Random } from '../../src/ports/clock.ts';

interface Event {
  readonly atMs: number;
  readonly order: number;
  fire: (() => void) | undefined;
}

/** Wall clock at the start of every run: 2026-01-01T00:00:00Z. */
const epochMs = 1_767_225_600_000;

export class VirtualTime {
  readonly #heap: Event[] = [];
  #nowMs = 0;
  #order = 0;
  events = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events that are planned, cancelled ones included. */
  get pending(): number {
    return this.#heap.length;
  }

  after(delayMs: number, fire: () => void): () => void {
    const event: Event = {
      atMs: this.#nowMs + Math.max(0, delayMs),
      order: this.#order++,
      fire,
    };
    this.#push(event);
    return () => {
      event.fire = undefined;
    };
  }

  /** Fires the next event; false where there is none. */
  step(): boolean {
    for (;;) {
      const event = this.#pop();
      if (event === undefined) return false;
      this.#nowMs = Math.max(this.#nowMs, event.atMs);
      if (event.fire === undefined) continue;
      this.events++;
      event.fire();
      return true;
    }
  }

  /** The clock of a process that may be killed: `alive` false, and none of its timers fires. */
  clock(alive: () => boolean): Clock {
    return {
      nowMs: () => this.#nowMs,
      wallMs: () => epochMs + Math.floor(this.#nowMs),
      bootMs: () => this.#nowMs,
      after: (delayMs, fire) =>
        this.after(delayMs, () => {
          if (alive()) fire();
        }),
    };
  }

  #push(event: Event): void {
    const heap = this.#heap;
    heap.push(event);
    let at = heap.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(heap[at]!, heap[parent]!)) break;
      [heap[at], heap[parent]] = [heap[parent]!, heap[at]!];
      at = parent;
    }
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined) return undefined;
    if (heap.length > 0) {
      heap[0] = last;
      let at = 0;
      for (;;) {
        const left = 2 * at + 1;
        if (left >= heap.length) break;
        const right = left + 1;
        const child = right < heap.length && before(heap[right]!, heap[left]!) ? right : left;
        if (!before(heap[child]!, heap[at]!)) break;
        [heap[at], heap[child]] = [heap[child]!, heap[at]!];
        at = child;
      }
    }
    return top;
  }
}

const before = (left: Event, right: Event): boolean =>
  left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order);

/**
 * A small generator with good bits (sfc32), forked by name so that streams do not disturb each
 * other.
 */
export function seededRandom(seed: number, stream = ''): Random {
  let a = seed >>> 0;
  let b = 0x9e3779b9;
  let c = 0x243f6a88;
  let counter = 1;
  for (let position = 0; position < stream.length; position++) {
    c = Math.imul(c ^ stream.charCodeAt(position), 0x01000193) >>> 0;
  }
  const next = (): number => {
    const sum = (a + b + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = (b ^ (b >>> 9)) >>> 0;
    b = (c + (c << 3)) >>> 0;
    c = ((c << 21) | (c >>> 11)) >>> 0;
    c = (c + sum) >>> 0;
    return sum;
  };
  for (let round = 0; round < 15; round++) next();
  return { uint32: next };
}
