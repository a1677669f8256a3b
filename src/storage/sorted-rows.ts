/**
 * Rows in memory with range reads. Keys are Latin-1 strings, whose order is the order of the bytes.
 * The order is made when a range is asked for, not with each write: most runs of the simulator
 * write rows all the time and read a range seldom.
 */
import type { Row } from '../ports/store.ts';

interface Stored {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

const textOf = (key: Uint8Array): string =>
  Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');

export class SortedRows {
  readonly #rows = new Map<string, Stored>();
  /** Ascending; may name keys that are gone. */
  #order: string[] = [];
  /** Keys written since the order was made, where they were not there before. */
  readonly #fresh = new Set<string>();

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#rows.get(textOf(key))?.value;
  }

  /** Keeps the two arrays, which are never changed; without a value the row is deleted. */
  set(key: Uint8Array, value: Uint8Array | undefined): void {
    const text = textOf(key);
    if (value === undefined) {
      this.#rows.delete(text);
      return;
    }
    if (!this.#rows.has(text)) this.#fresh.add(text);
    this.#rows.set(text, { key, value });
  }

  copy(): SortedRows {
    const other = new SortedRows();
    for (const { key, value } of this.#rows.values()) other.set(key, value);
    return other;
  }

  range(range: {
    from: Uint8Array;
    to: Uint8Array;
    limit: number;
    reverse?: boolean | undefined;
  }): Row[] {
    const order = this.#sorted();
    const low = lowerBound(order, textOf(range.from));
    const high = lowerBound(order, textOf(range.to));
    const found: Row[] = [];
    for (let step = 0; step < high - low && found.length < range.limit; step++) {
      const text = order[range.reverse === true ? high - 1 - step : low + step]!;
      const stored = this.#rows.get(text);
      if (stored !== undefined) found.push([stored.key, stored.value]);
    }
    return found;
  }

  #sorted(): readonly string[] {
    const fresh = this.#fresh;
    if (fresh.size > 0 || this.#order.length > 2 * this.#rows.size) {
      const kept = this.#order.filter(text => this.#rows.has(text) && !fresh.has(text));
      // Two ascending runs: the sort merges them in linear time. It compares code units.
      this.#order = kept.concat([...fresh].filter(text => this.#rows.has(text)).sort()).sort();
      fresh.clear();
    }
    return this.#order;
  }
}

function lowerBound(order: readonly string[], text: string): number {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (order[middle]! < text) low = middle + 1;
    else high = middle;
  }
  return low;
}
