/**
 * The tasks of a shard that have not started yet, by the next instant at which something is due:
 * their start bound, and behind it, where they have one, the end of the time in which they could
 * start. One heap over all of them, so that the leader finds those that are due in O(found log
 * found), whatever waits. Not replicated: it follows from the rows.
 */
import { RowHeap } from './memory/row-heap.ts';
import type { SpecTable } from './memory/spec-table.ts';
import { none, stateCode, type TaskTable } from './memory/task-table.ts';
import { traitsOf } from './memory/traits-of.ts';
import { failureRules } from './rules.ts';

export class DueTasks {
  readonly #table: TaskTable;
  readonly #specs: SpecTable;
  readonly #rules: () => number;
  readonly #heap: RowHeap;

  constructor(table: TaskTable, specs: SpecTable, rules: () => number) {
    this.#table = table;
    this.#specs = specs;
    this.#rules = rules;
    this.#heap = new RowHeap({
      isBefore: (left, right) => {
        const difference = this.#dueMs(left) - this.#dueMs(right);
        return difference !== 0 ? difference < 0 : table.isIdBefore(left, right);
      },
      place: row => table.duePlace(row),
      setPlace: (row, place) => table.setDuePlace(row, place),
    });
  }

  get size(): number {
    return this.#heap.size;
  }

  boundMs(row: number): number {
    return this.#table.readySince(row) + traitsOf(this.#table, this.#specs, row).toleranceMs;
  }

  /** When it is dropped unless it has started; `undefined` for never. */
  expiryMs(row: number): number | undefined {
    const { expireMs } = this.#specs.traits(this.#table.spec(row));
    return expireMs === 0 ? undefined : this.#table.readySince(row) + expireMs;
  }

  #dueMs(row: number): number {
    return this.#table.hasMissedBound(row)
      ? (this.expiryMs(row) ?? Number.POSITIVE_INFINITY)
      : this.boundMs(row);
  }

  /**
   * Whether an attempt of it is known to have started, or one that counts has failed: then its
   * start is waited for no more. One that was lost before anybody heard of its start does not
   * count; by older rules it did. Enough attempts are kept to tell: while no run counts, at most
   * `limits.lostMax` of those kept did not start.
   */
  hasStarted(row: number): boolean {
    if (this.#table.runs(row) !== 0) return true;
    if (this.#rules() < failureRules) return this.#table.lost(row) !== 0;
    const ended = this.#table.detail(row)?.ended ?? [];
    return ended.some(({ startedAtMs }) => startedAtMs !== undefined);
  }

  /** Whether its start is still waited for, and nothing but the cluster keeps it from starting. */
  hasBound(row: number): boolean {
    const state = this.#table.state(row);
    const isUnstarted = state === stateCode.waiting || state === stateCode.assigned;
    return (
      isUnstarted &&
      this.#table.holds(row) === 0 &&
      !this.hasStarted(row) &&
      this.#table.detail(row)?.cancelRequested === undefined
    );
  }

  /** Whether something will be due of the task as it is now. */
  isWatched(row: number): boolean {
    if (!this.hasBound(row)) return false;
    if (!this.#table.hasMissedBound(row)) return true;
    // Of what has been sent to a node already the attempt decides.
    return this.expiryMs(row) !== undefined && this.#table.state(row) === stateCode.waiting;
  }

  has(row: number): boolean {
    return this.#heap.has(row);
  }

  /** Puts the task where it belongs now. */
  refresh(row: number): void {
    if (this.#heap.has(row)) this.#heap.remove(row);
    if (this.isWatched(row)) this.#heap.push(row);
  }

  /** The first rows for which something is due at this instant, at most `limit`. */
  due(nowMs: number, limit: number): number[] {
    const first = this.#heap.first;
    if (first === none || this.#dueMs(first) > nowMs) return [];
    return this.#heap.firstRows(limit).filter(row => this.#dueMs(row) <= nowMs);
  }
}
