/**
 * Which rows are still to be written. The driver takes everything that is dirty in one go and says
 * when it is durable; a row that changes meanwhile is dirty again and is not dropped by the older
 * flush. What this tracks is local: it decides what is written and forgotten, never what is
 * applied.
 */
import { assert } from '../model/assert.ts';
import type { SpecTable } from './memory/spec-table.ts';
import { isSettledCode, type TaskTable } from './memory/task-table.ts';

interface Taken {
  readonly token: number;
  readonly rows: readonly number[];
  readonly specs: readonly number[];
}

/** What a task row is counted as until it is encoded; its texts come on top. */
const rowBytesGuess = 160;

export class FlushTracker {
  readonly #table: TaskTable;
  readonly #specs: SpecTable;
  #rows: number[] = [];
  #newSpecs: number[] = [];
  #metaDirty = false;
  #bytes = 0;
  #token = 0;
  readonly #taken: Taken[] = [];

  constructor(table: TaskTable, specs: SpecTable) {
    this.#table = table;
    this.#specs = specs;
  }

  get rowCount(): number {
    return this.#rows.length + this.#newSpecs.length + (this.#metaDirty ? 1 : 0);
  }

  get byteCount(): number {
    return this.#bytes;
  }

  markMeta(): void {
    this.#metaDirty = true;
  }

  /** `extraBytes` is what the change adds to the row beyond its usual size. */
  markTask(row: number, extraBytes = 0): void {
    this.#bytes += extraBytes;
    if (this.#table.isDirty(row)) return;
    this.#table.setDirty(row, true);
    this.#rows.push(row);
    this.#bytes += rowBytesGuess;
  }

  markSpec(spec: number, bytes: number): void {
    this.#newSpecs.push(spec);
    this.#bytes += bytes;
  }

  /** Everything dirty, now clean; `undefined` where nothing is. */
  take(): Taken | undefined {
    if (this.rowCount === 0) return undefined;
    const taken = { token: ++this.#token, rows: this.#rows, specs: this.#newSpecs };
    for (const row of taken.rows) {
      this.#table.setDirty(row, false);
      this.#table.setTaken(row, taken.token);
    }
    this.#rows = [];
    this.#newSpecs = [];
    this.#metaDirty = false;
    this.#bytes = 0;
    this.#taken.push(taken);
    return taken;
  }

  /**
   * The flush `token` is durable. Returns the rows of settled tasks that may leave memory; flushes
   * become durable in the order in which they were taken.
   */
  done(token: number): number[] {
    const taken = this.#taken.shift();
    assert(taken?.token === token, `flush ${token} was not the oldest one under way`);
    for (const spec of taken.specs) this.#specs.stored(spec);
    return taken.rows.filter(
      row =>
        this.#table.taken(row) === token &&
        !this.#table.isDirty(row) &&
        isSettledCode(this.#table.state(row)),
    );
  }

  /** Rows marked dirty, for the invariants. */
  dirtyRows(): readonly number[] {
    return this.#rows;
  }
}
