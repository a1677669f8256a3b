/**
 * The gangs of a shard: tasks that were submitted together to start together (ADR 0030). A gang is
 * an array whose spec says so, admitted as a whole, and what is here are its tasks that have not
 * settled, by their ranks.
 *
 * While any of them cannot be placed, because it still ends or something else holds it, all are
 * held by `gang`. Once all can, the first is let into the ready queue and stands there for the
 * others; they are assigned by one item of one command, so they always have the same fence. When
 * the attempt of one is over before its time, those of the others are recalled: their workers end
 * them, and all wait again together. Which of these moves when is in `commands/gang-recall.ts`.
 *
 * None of this is stored: it follows from the rows.
 */
import { assert } from '../model/assert.ts';
import type { TaskId } from '../model/ids.ts';
import type { ReadyBatch } from '../model/planning.ts';
import { type HoldKind, holdBit } from '../model/task.ts';
import type { SpecTable } from './memory/spec-table.ts';
import type { AttemptRecord } from './memory/task-detail.ts';
import { isSettledCode, stateCode, type TaskTable } from './memory/task-table.ts';

const gangBit = holdBit('gang');
const none: readonly number[] = Object.freeze([]);

/** What the gangs look at of the shard's state, and the moves that they make. */
interface Tasks {
  readonly table: TaskTable;
  readonly specs: SpecTable;
  live(row: number): AttemptRecord | undefined;
  hold(row: number, kind: HoldKind): void;
  release(row: number, kind: HoldKind): void;
}

export class Gangs {
  readonly #state: Tasks;
  /** Rows by rank. */
  readonly #rows = new Map<TaskId, number[]>();
  #isLooking = false;

  constructor(state: Tasks) {
    this.#state = state;
  }

  #idOf(row: number): TaskId | undefined {
    const { table, specs } = this.#state;
    if (specs.traits(table.spec(row)).demand.gang === undefined) return undefined;
    return table.detail(row)?.arrayId;
  }

  /** The tasks of its gang that are not settled, itself included, by rank; none for any other. */
  of(row: number): readonly number[] {
    const id = this.#idOf(row);
    return (id && this.#rows.get(id)) ?? none;
  }

  /** The tasks that people take hold of with this one: all that are left of its gang, or itself. */
  withIts(row: number): readonly number[] {
    const rows = this.of(row);
    return rows.length === 0 ? [row] : rows;
  }

  /** Takes in a task of a gang; does nothing for any other. */
  add(row: number): void {
    const id = this.#idOf(row);
    if (id === undefined) return;
    const rows = this.#rows.get(id) ?? [];
    rows.push(row);
    rows.sort((left, right) => this.#rank(left) - this.#rank(right));
    this.#rows.set(id, rows);
  }

  #rank(row: number): number {
    return this.#state.table.detail(row)?.arrayIndex ?? 0;
  }

  /** A task has settled: the others go on without it. */
  drop(row: number): void {
    const id = this.#idOf(row);
    const rows = id && this.#rows.get(id)?.filter(other => other !== row);
    if (id === undefined || rows === undefined) return;
    if (rows.length === 0) this.#rows.delete(id);
    else {
      this.#rows.set(id, rows);
      this.changed(rows[0]!);
    }
  }

  /** Whether all that are left of the gang of `row` could be placed now, but for a back-off. */
  isWhole(row: number): boolean {
    const { table } = this.#state;
    return this.of(row).every(
      member => table.state(member) === stateCode.waiting && (table.holds(member) & ~gangBit) === 0,
    );
  }

  /** A task began or ceased to wait, or to be held by something else. */
  changed(row: number): void {
    const rows = this.of(row);
    if (rows.length === 0 || this.#isLooking) return;
    this.#isLooking = true;
    const isWhole = this.isWhole(row);
    rows.forEach((member, place) => {
      if (isWhole && place === 0) this.#state.release(member, 'gang');
      else this.#state.hold(member, 'gang');
    });
    this.#isLooking = false;
  }

  /** The gang of a row; size 0 where it is of none. */
  about(row: number): { readonly ids: TaskId[]; readonly fence: number; readonly size: number } {
    const { table, specs } = this.#state;
    const rows = row < 0 ? none : this.of(row);
    if (rows.length === 0) return { ids: [], fence: 0, size: 0 };
    const { gang = 0 } = specs.traits(table.spec(row)).demand;
    return { ids: rows.map(member => table.id(member)), fence: table.fence(row), size: gang };
  }

  /** Batches in which the tasks that stand for a gang name it. */
  withMembers(batches: ReadyBatch[], rowOf: (id: TaskId) => number): ReadyBatch[] {
    const { table } = this.#state;
    return batches.map(batch => {
      if (batch.lane.demand.gang === undefined) return batch;
      const tasks = batch.tasks.map(task => ({
        ...task,
        gang: this.of(rowOf(task.id)).map(row => ({
          id: table.id(row),
          avoid: table.detail(row)?.avoid ?? [],
        })),
      }));
      return { ...batch, tasks };
    });
  }

  /** Throws `AssertionError` where the gangs contradict the rows. */
  check(): void {
    const { table } = this.#state;
    let known = 0;
    for (const [id, rows] of this.#rows) {
      const [first] = rows;
      assert(first !== undefined, `gang ${id} has a task`);
      known += rows.length;
      const isWhole = this.isWhole(first);
      rows.forEach((row, place) => {
        assert(this.#idOf(row) === id, `what is in gang ${id} is of it`);
        assert(!isSettledCode(table.state(row)), `what is left of gang ${id} has not settled`);
        assert(table.fence(row) === table.fence(first), `gang ${id} is assigned as a whole`);
        const stands = isWhole && place === 0;
        const isHeld = (table.holds(row) & gangBit) !== 0;
        assert(stands !== isHeld, `the first of gang ${id} stands for it once all can be placed`);
      });
    }
    let rows = 0;
    for (let row = 0; row < table.rowsEnd; row++) {
      if (!table.isTask(row) || isSettledCode(table.state(row))) continue;
      if (this.#idOf(row) !== undefined) rows++;
      const recalled = table.detail(row)?.recall;
      assert(recalled === undefined || this.#state.live(row), 'what is recalled is live');
    }
    assert(rows === known, 'every task of a gang is in it');
  }
}
