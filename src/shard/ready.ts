/**
 * The ready queue of a shard: one heap of tasks per demand and tenant, in the order (`readySince`,
 * ID), and one heap of those that back off after a failed run. A million waiting tasks cost the
 * planner nothing: it sees the first few of each heap, and none of a tenant that is paused.
 *
 * The leader's clock decides when a back-off is over. What is then moved to its demand stays there,
 * so `nowMs` should not go back between calls. None of this is replicated: it follows from the
 * rows.
 */
import type { Demand, ReadyBatch, ReadyTask } from '../model/planning.ts';
import { RowHeap } from './memory/row-heap.ts';
import type { SpecTable, Traits } from './memory/spec-table.ts';
import { none, type TaskTable } from './memory/task-table.ts';

/** Empty heaps that are kept for the next task of their demand and tenant. */
const emptyHeapsMax = 256;

/** The heaps of one demand, by tenant. */
type Tenants = Map<string, RowHeap>;

export class ReadyQueue {
  readonly #table: TaskTable;
  readonly #specs: SpecTable;
  readonly #byDemand = new Map<Demand, Tenants>();
  #heaps = 0;
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

  #heapOf(row: number): RowHeap {
    const { demand, tenant } = this.#traits(row);
    let tenants = this.#byDemand.get(demand);
    if (tenants === undefined) {
      tenants = new Map();
      this.#byDemand.set(demand, tenants);
    }
    let heap = tenants.get(tenant);
    if (heap === undefined) {
      heap = new RowHeap(this.#table);
      tenants.set(tenant, heap);
      this.#heaps++;
    }
    return heap;
  }

  #dropHeap({ demand, tenant }: Traits): void {
    const tenants = this.#byDemand.get(demand);
    if (tenants?.delete(tenant) !== true) return;
    this.#heaps--;
    if (tenants.size === 0) this.#byDemand.delete(demand);
  }

  #addReady(row: number): void {
    this.#heapOf(row).push(row);
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
    const heap = this.#heapOf(row);
    heap.remove(row);
    this.#ready--;
    if (heap.size === 0 && this.#heaps > emptyHeapsMax) this.#dropHeap(this.#traits(row));
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
   * task first. Tenants that `mayPlace` refuses are passed over as a whole. O(heaps + tasks looked
   * at log of them).
   */
  batches(
    limitPerDemand: number,
    nowMs: number,
    mayPlace: (tenant: string) => boolean,
  ): ReadyBatch[] {
    this.#endBackoffs(nowMs);
    const batches: { first: number; batch: ReadyBatch }[] = [];
    for (const [demand, tenants] of this.#byDemand) {
      const rows: number[] = [];
      let count = 0;
      for (const [tenant, heap] of tenants) {
        if (heap.size === 0 || !mayPlace(tenant)) continue;
        count += heap.size;
        for (const row of heap.firstRows(limitPerDemand)) rows.push(row);
      }
      if (count === 0) continue;
      if (tenants.size > 1) rows.sort((left, right) => this.#order(left, right));
      const tasks = rows.slice(0, limitPerDemand).map(row => this.#readyTask(row));
      batches.push({ first: rows[0]!, batch: { demand, count, tasks } });
    }
    batches.sort((left, right) => this.#order(left.first, right.first));
    return batches.map(({ batch }) => batch);
  }

  #order(left: number, right: number): number {
    return this.#table.isBefore(left, right) ? -1 : 1;
  }

  #readyTask(row: number): ReadyTask {
    return {
      id: this.#table.id(row),
      tenant: this.#traits(row).tenant,
      readySinceMs: this.#table.readySince(row),
      avoid: this.#table.detail(row)?.avoid ?? [],
    };
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
    for (const { demand, heap } of this.heaps()) {
      if (demand === undefined) continue;
      for (let place = 0; place < heap.size; place++) {
        if (this.#table.isBefore(heap.at(place), row)) position++;
      }
    }
    return { position, ready: this.#ready };
  }

  /** Every heap with what it holds, for the invariants. */
  *heaps(): Generator<{ readonly demand: Demand | undefined; readonly heap: RowHeap }> {
    yield { demand: undefined, heap: this.#backingOff };
    for (const [demand, tenants] of this.#byDemand) {
      for (const heap of tenants.values()) yield { demand, heap };
    }
  }
}
