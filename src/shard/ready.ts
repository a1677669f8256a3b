/**
 * The ready queue of a shard: one heap of tasks per lane (demand, tenant, priority, off-peak), in
 * the order of their start bounds, then the shorter execution cap, then age; and one heap of those
 * that back off after a failed run. A million waiting tasks cost the planner nothing: it sees the
 * first few of each lane, and puts classes and tenants in order.
 *
 * The leader's clock decides when a back-off is over. What is then moved to its lane stays there,
 * so `nowMs` should not go back between calls. None of this is replicated: it follows from the
 * rows.
 */
import type { Demand, Lane, ReadyBatch } from '../model/planning.ts';
import { isUrgent } from '../model/start-bound.ts';
import { type HeapOrder, RowHeap } from './memory/row-heap.ts';
import type { SpecTable } from './memory/spec-table.ts';
import { none, type TaskTable } from './memory/task-table.ts';
import type { Traits } from './memory/traits.ts';
import { traitsOf } from './memory/traits-of.ts';

/** Empty heaps of lanes that are kept for the next task of the lane. */
const emptyHeapsMax = 256;
/**
 * So many times what a demand is asked for is offered by all of its lanes together. Few tenants are
 * each offered as much as the planner may take; of many, each at least one.
 */
const offeredPerDemand = 16;

export class ReadyQueue {
  readonly #table: TaskTable;
  readonly #specs: SpecTable;
  readonly #laneOrder: HeapOrder;
  readonly #byLane = new Map<Lane, RowHeap>();
  readonly #backingOff: RowHeap;
  #ready = 0;

  constructor(table: TaskTable, specs: SpecTable) {
    this.#table = table;
    this.#specs = specs;
    this.#backingOff = new RowHeap(table);
    this.#laneOrder = {
      isBefore: (left, right) => this.isBefore(left, right),
      place: row => table.place(row),
      setPlace: (row, place) => table.setPlace(row, place),
    };
  }

  /** Tasks in the queue, those that back off included. */
  get size(): number {
    return this.#ready + this.#backingOff.size;
  }

  #traits(row: number): Traits {
    return traitsOf(this.#table, this.#specs, row);
  }

  boundMs(row: number): number {
    return this.#table.readySince(row) + this.#traits(row).toleranceMs;
  }

  /** The order of a lane: earliest bound, shortest cap, then age and ID. Total. */
  isBefore(left: number, right: number): boolean {
    const table = this.#table;
    const [l, r] = [this.#traits(left), this.#traits(right)];
    if (l !== r) {
      const byBound =
        table.readySince(left) + l.toleranceMs - (table.readySince(right) + r.toleranceMs);
      if (byBound !== 0) return byBound < 0;
      if (l.capMs !== r.capMs) return r.capMs === 0 || (l.capMs !== 0 && l.capMs < r.capMs);
    }
    return table.isBefore(left, right);
  }

  #laneHeap(row: number): RowHeap {
    const { lane } = this.#traits(row);
    let heap = this.#byLane.get(lane);
    if (heap === undefined) {
      heap = new RowHeap(this.#laneOrder);
      this.#byLane.set(lane, heap);
    }
    return heap;
  }

  #addReady(row: number): void {
    this.#laneHeap(row).push(row);
    this.#ready++;
  }

  /** Adds a waiting task; `readySince` and the back-off mark of its row are set. */
  add(row: number): void {
    if (this.#table.isBackedOff(row)) this.#backingOff.push(row);
    else this.#addReady(row);
  }

  /** Takes a task out that was added. */
  remove(row: number): void {
    if (this.#backingOff.has(row)) {
      this.#backingOff.remove(row);
      return;
    }
    const { lane } = this.#traits(row);
    const heap = this.#laneHeap(row);
    heap.remove(row);
    this.#ready--;
    if (heap.size === 0 && this.#byLane.size > emptyHeapsMax) this.#byLane.delete(lane);
  }

  #endBackoffs(nowMs: number): void {
    for (let row = this.#backingOff.first; row !== none; row = this.#backingOff.first) {
      if (this.#table.readySince(row) > nowMs) break;
      this.#backingOff.remove(row);
      this.#addReady(row);
    }
  }

  /**
   * The first ready tasks of each lane, at most `limitPerDemand` each, fewer where a demand has
   * many lanes; the lane with the earliest bound first. Lanes of tenants that `mayPlace` refuses
   * are passed over. O(lanes log lanes + tasks returned log of
   * them).
   */
  batches(
    limitPerDemand: number,
    nowMs: number,
    mayPlace: (tenant: string) => boolean,
  ): ReadyBatch[] {
    this.#endBackoffs(nowMs);
    const lanes = [...this.#byLane].filter(
      ([lane, heap]) => heap.size > 0 && mayPlace(lane.tenant),
    );
    lanes.sort(([, left], [, right]) => (this.isBefore(left.first, right.first) ? -1 : 1));
    const lanesOf = new Map<Demand, number>();
    for (const [{ demand }] of lanes) lanesOf.set(demand, (lanesOf.get(demand) ?? 0) + 1);
    return lanes.map(([lane, heap]) => {
      const share = Math.ceil((offeredPerDemand * limitPerDemand) / lanesOf.get(lane.demand)!);
      return { lane, count: heap.size, tasks: this.#tasks(heap, Math.min(limitPerDemand, share)) };
    });
  }

  #tasks(heap: RowHeap, limit: number): ReadyBatch['tasks'] {
    return heap.firstRows(limit).map(row => ({
      id: this.#table.id(row),
      readySinceMs: this.#table.readySince(row),
      boundMs: this.boundMs(row),
      capMs: this.#traits(row).capMs,
      avoid: this.#table.detail(row)?.avoid ?? [],
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

  /**
   * Place of a waiting task among all that are ready, from 1, as if all tenants had the same share;
   * `undefined` while it backs off.
   */
  position(row: number, nowMs: number): { position: number; ready: number } | undefined {
    this.#endBackoffs(nowMs);
    if (this.#backingOff.has(row)) return undefined;
    const { priority } = this.#traits(row).lane;
    const urgent = isUrgent(this.boundMs(row), nowMs);
    let position = 1;
    for (const [lane, heap] of this.#byLane) {
      for (let place = 0; place < heap.size; place++) {
        const other = heap.at(place);
        const otherUrgent = isUrgent(this.boundMs(other), nowMs);
        if (otherUrgent !== urgent) position += otherUrgent ? 1 : 0;
        else if (lane.priority !== priority) position += lane.priority < priority ? 1 : 0;
        else if (this.isBefore(other, row)) position++;
      }
    }
    return { position, ready: this.#ready };
  }

  /** Every heap with what it holds, for the invariants; the one of back-offs has no lane. */
  *heaps(): Generator<{ readonly lane: Lane | undefined; readonly heap: RowHeap }> {
    yield { lane: undefined, heap: this.#backingOff };
    for (const [lane, heap] of this.#byLane) yield { lane, heap };
  }
}
