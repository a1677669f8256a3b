/**
 * The ready queue of a shard: one heap of tasks per demand, in the order (`readySince`, ID), and
 * one heap of those that back off after a failed run. A million waiting tasks cost the planner
 * nothing: it sees the first few of each demand.
 *
 * The leader's clock decides when a back-off is over. What is then moved to its demand stays there,
 * so `nowMs` should not go back between calls. None of this is replicated: it follows from the
 * rows.
 */
import type { Demand, ReadyBatch } from '../model/planning.ts';
import { RowHeap } from './memory/row-heap.ts';
import type { SpecTable, Traits } from './memory/spec-table.ts';
import { none, type TaskTable } from './memory/task-table.ts';

/** Empty heaps of demands that are kept for the next task of the demand. */
const emptyHeapsMax = 256;

export class ReadyQueue {
  readonly #table: TaskTable;
  readonly #specs: SpecTable;
  readonly #byDemand = new Map<Demand, RowHeap>();
  readonly #backingOff: RowHeap;
  #ready = 0;

  constructor(table: TaskTable, specs: SpecTable) {
    this.#table = table;
    this.#specs = specs;
    this.#backingOff = new RowHeap(table);
  }

  /** Tasks in the queue, those that back off included. */
  get size(): number {
    return this.#ready + this.#backingOff.size;
  }

  #traits(row: number): Traits {
    return this.#specs.traits(this.#table.spec(row));
  }

  #demandHeap(row: number): RowHeap {
    const { demand } = this.#traits(row);
    let heap = this.#byDemand.get(demand);
    if (heap === undefined) {
      heap = new RowHeap(this.#table);
      this.#byDemand.set(demand, heap);
    }
    return heap;
  }

  #addReady(row: number): void {
    this.#demandHeap(row).push(row);
    this.#ready++;
  }

  /** Adds a waiting task; `readySince` and the back-off mark of its row are set. */
  add(row: number): void {
    if (this.#table.isBackedOff(row)) this.#backingOff.push(row);
    else this.#addReady(row);
  }

  /** Takes a task out that was added. */
  remove(row: number): void {
    if (this.#isBackingOff(row)) {
      this.#backingOff.remove(row);
      return;
    }
    const { demand } = this.#traits(row);
    const heap = this.#demandHeap(row);
    heap.remove(row);
    this.#ready--;
    if (heap.size === 0 && this.#byDemand.size > emptyHeapsMax) this.#byDemand.delete(demand);
  }

  #isBackingOff(row: number): boolean {
    const place = this.#table.place(row);
    return place < this.#backingOff.size && this.#backingOff.at(place) === row;
  }

  #endBackoffs(nowMs: number): void {
    for (let row = this.#backingOff.first; row !== none; row = this.#backingOff.first) {
      if (this.#table.readySince(row) > nowMs) break;
      this.#backingOff.remove(row);
      this.#addReady(row);
    }
  }

  /**
   * The oldest ready tasks of each demand, at most `limitPerDemand` each; the batch with the oldest
   * task first. O(demands log demands + tasks returned log of them).
   */
  batches(limitPerDemand: number, nowMs: number): ReadyBatch[] {
    this.#endBackoffs(nowMs);
    const heaps = [...this.#byDemand].filter(([, heap]) => heap.size > 0);
    heaps.sort(([, left], [, right]) => (this.#table.isBefore(left.first, right.first) ? -1 : 1));
    return heaps.map(([demand, heap]) => ({
      demand,
      count: heap.size,
      tasks: heap.firstRows(limitPerDemand).map(row => ({
        id: this.#table.id(row),
        tenant: this.#traits(row).tenant,
        readySinceMs: this.#table.readySince(row),
        avoid: this.#table.detail(row)?.avoid ?? [],
      })),
    }));
  }

  count(nowMs: number): number {
    this.#endBackoffs(nowMs);
    return this.#ready;
  }

  /** End of the earliest back-off that is not over; `undefined` where no task backs off. */
  nextReadyAtMs(): number | undefined {
    const row = this.#backingOff.first;
    return row === none ? undefined : this.#table.readySince(row);
  }

  /** Place of a waiting task among all that are ready, from 1; `undefined` while it backs off. */
  position(row: number, nowMs: number): { position: number; ready: number } | undefined {
    this.#endBackoffs(nowMs);
    if (this.#isBackingOff(row)) return undefined;
    let position = 1;
    for (const heap of this.#byDemand.values()) {
      for (let place = 0; place < heap.size; place++) {
        if (this.#table.isBefore(heap.at(place), row)) position++;
      }
    }
    return { position, ready: this.#ready };
  }

  /** Every heap with what it holds, for the invariants. */
  *heaps(): Generator<{ readonly demand: Demand | undefined; readonly heap: RowHeap }> {
    yield { demand: undefined, heap: this.#backingOff };
    for (const [demand, heap] of this.#byDemand) yield { demand, heap };
  }
}
