/**
 * Binary min-heap of task rows with a place column, so that any row can be taken out again in
 * O(log n). Its order is total, hence what a heap answers does not depend on the history that built
 * it, though its layout does.
 */
import { grown, resize32, type Words } from './columns.ts';
import { none } from './task-table.ts';

/** The order of a heap, and the column in which its rows find their places. */
export interface HeapOrder {
  isBefore(left: number, right: number): boolean;
  place(row: number): number;
  setPlace(row: number, place: number): void;
}

const capacityMin = 16;

export class RowHeap {
  readonly #order: HeapOrder;
  #rows: Words = new Uint32Array(capacityMin);
  #size = 0;

  constructor(order: HeapOrder) {
    this.#order = order;
  }

  get size(): number {
    return this.#size;
  }

  /** The first row; `none` where the heap is empty. */
  get first(): number {
    return this.#size === 0 ? none : this.#rows[0]!;
  }

  /** Row at a place below `size`. */
  at(place: number): number {
    return this.#rows[place]!;
  }

  push(row: number): void {
    if (this.#size === this.#rows.length) {
      this.#rows = resize32(this.#rows, grown(this.#size));
    }
    this.#siftUp(this.#size++, row);
  }

  /** Whether the row is in this heap, and not in another with the same column of places. */
  has(row: number): boolean {
    const place = this.#order.place(row);
    return place < this.#size && this.#rows[place] === row;
  }

  /** Takes a row out that is in this heap; what it is ordered by may have changed already. */
  remove(row: number): void {
    const order = this.#order;
    const place = order.place(row);
    order.setPlace(row, none);
    const last = this.#rows[--this.#size]!;
    if (last !== row) {
      if (place > 0 && order.isBefore(last, this.#rows[(place - 1) >>> 1]!)) {
        this.#siftUp(place, last);
      } else {
        this.#siftDown(place, last);
      }
    }
    if (this.#size === 0 && this.#rows.length > 65_536) this.#rows = new Uint32Array(capacityMin);
  }

  /**
   * The first rows in order, at most `limit`, without changing the heap: a walk from the root that
   * keeps the places whose parent was already taken in a heap of their own, O(limit log limit).
   */
  firstRows(limit: number): number[] {
    const found: number[] = [];
    if (this.#size === 0) return found;
    const open = [0];
    while (found.length < limit && open.length > 0) {
      const place = this.#popPlace(open);
      found.push(this.#rows[place]!);
      for (const child of [place * 2 + 1, place * 2 + 2]) {
        if (child < this.#size) this.#pushPlace(open, child);
      }
    }
    return found;
  }

  #placeBefore(left: number, right: number): boolean {
    return this.#order.isBefore(this.#rows[left]!, this.#rows[right]!);
  }

  #pushPlace(open: number[], place: number): void {
    let hole = open.length;
    open.push(place);
    while (hole > 0) {
      const parent = (hole - 1) >>> 1;
      if (!this.#placeBefore(place, open[parent]!)) break;
      open[hole] = open[parent]!;
      hole = parent;
    }
    open[hole] = place;
  }

  #popPlace(open: number[]): number {
    const first = open[0]!;
    const last = open.pop()!;
    if (open.length === 0) return first;
    let hole = 0;
    for (let child = 1; child < open.length; child = hole * 2 + 1) {
      if (child + 1 < open.length && this.#placeBefore(open[child + 1]!, open[child]!)) child++;
      if (!this.#placeBefore(open[child]!, last)) break;
      open[hole] = open[child]!;
      hole = child;
    }
    open[hole] = last;
    return first;
  }

  #put(place: number, row: number): void {
    this.#rows[place] = row;
    this.#order.setPlace(row, place);
  }

  #siftUp(place: number, row: number): void {
    while (place > 0) {
      const parent = (place - 1) >>> 1;
      const above = this.#rows[parent]!;
      if (!this.#order.isBefore(row, above)) break;
      this.#put(place, above);
      place = parent;
    }
    this.#put(place, row);
  }

  #siftDown(place: number, row: number): void {
    for (;;) {
      let child = place * 2 + 1;
      if (child >= this.#size) break;
      if (
        child + 1 < this.#size &&
        this.#order.isBefore(this.#rows[child + 1]!, this.#rows[child]!)
      )
        child++;
      const below = this.#rows[child]!;
      if (!this.#order.isBefore(below, row)) break;
      this.#put(place, below);
      place = child;
    }
    this.#put(place, row);
  }
}
