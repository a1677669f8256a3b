/**
 * Which rows are still to be written or deleted. The driver takes everything that is dirty in one
 * go and says when it is durable; a row that changes meanwhile is dirty again and is not dropped by
 * the older flush. What this tracks is local: it decides what is written and forgotten, never what
 * is applied.
 *
 * A task may expire while its row is still to be written: then only the deletion is. Its row number
 * may be another task's by the time of the flush, which is why the list of dirty rows is checked
 * against their marks.
 */
import { assert } from '../model/assert.ts';
import { specKey, taskKeyOf } from './keys.ts';
import type { SpecTable } from './memory/spec-table.ts';
import { isSettledCode, type TaskTable } from './memory/task-table.ts';
import { type SideRow, SideRows } from './side-rows.ts';

interface Taken {
  readonly token: number;
  readonly rows: readonly number[];
  readonly specs: readonly { readonly spec: number; readonly bytes: Uint8Array }[];
  readonly side: readonly SideRow[];
  /** Keys of rows to be deleted; none of them is written by the same flush. */
  readonly gone: readonly Uint8Array[];
}

/** What a task row is counted as until it is encoded; its texts come on top. */
const rowBytesGuess = 160;
const goneBytesGuess = 32;
/** Flushes are told apart by a byte in each row; 0 is none. Few are under way at a time. */
const tokensMax = 255;

export class FlushTracker {
  readonly #table: TaskTable;
  readonly #specs: SpecTable;
  /** Rows of other kinds. */
  readonly side = new SideRows();
  #rows: number[] = [];
  #newSpecs: number[] = [];
  #gone: Uint8Array[] = [];
  /** Digests of specs whose rows go, in hexadecimal. */
  readonly #goneSpecs = new Set<string>();
  #metaDirty = false;
  #bytes = 0;
  #token = 0;
  readonly #taken: Taken[] = [];

  constructor(table: TaskTable, specs: SpecTable) {
    this.#table = table;
    this.#specs = specs;
  }

  get rowCount(): number {
    const changed = this.#rows.length + this.#newSpecs.length + (this.#metaDirty ? 1 : 0);
    return changed + this.side.size + this.#gone.length + this.#goneSpecs.size;
  }

  get byteCount(): number {
    return this.#bytes + this.side.bytes;
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

  /** The row of the task with this ID goes. */
  dropTask(words: Uint32Array): void {
    this.#gone.push(taskKeyOf(words));
    this.#bytes += goneBytesGuess;
  }

  /** The row of a spec goes; `spec` is its number where it is in memory, else -1. */
  dropSpec(digestHex: string, spec: number): void {
    this.#goneSpecs.add(digestHex);
    this.#bytes += goneBytesGuess;
    if (spec >= 0) this.#newSpecs = this.#newSpecs.filter(other => other !== spec);
  }

  /** Everything dirty, now clean; `undefined` where nothing is. */
  take(): Taken | undefined {
    if (this.rowCount === 0) return undefined;
    assert(this.#taken.length < tokensMax, 'few flushes are under way at a time');
    this.#token = (this.#token % tokensMax) + 1;
    const token = this.#token;
    const rows = this.#rows.filter(row => this.#takeRow(row, token));
    const specs = this.#newSpecs.map(spec => {
      const bytes = this.#specs.unstored(spec);
      assert(bytes, 'the bytes of a spec stay until they are stored');
      // It went and came back: the row that is written stands.
      if (this.#goneSpecs.size > 0) this.#goneSpecs.delete(this.#specs.digestHex(spec));
      return { spec, bytes };
    });
    const gone = [...this.#gone, ...[...this.#goneSpecs].map(digest => specKey(digest))];
    const taken = { token, rows, specs, side: this.side.take(), gone };
    this.#rows = [];
    this.#newSpecs = [];
    this.#gone = [];
    this.#goneSpecs.clear();
    this.#metaDirty = false;
    this.#bytes = 0;
    this.#taken.push(taken);
    return taken;
  }

  /** False for a row that was left by an expired task, or is in the list twice since. */
  #takeRow(row: number, token: number): boolean {
    if (!this.#table.isDirty(row)) return false;
    this.#table.setDirty(row, false);
    this.#table.setTaken(row, token);
    return true;
  }

  /**
   * The flush `token` is durable. Returns the rows of settled tasks that may leave memory; flushes
   * become durable in the order in which they were taken.
   */
  done(token: number): number[] {
    const taken = this.#taken.shift();
    assert(taken?.token === token, `flush ${token} was not the oldest one under way`);
    for (const { spec, bytes } of taken.specs) this.#specs.stored(spec, bytes);
    this.side.done(taken.side);
    return taken.rows.filter(
      row =>
        this.#table.isTask(row) &&
        this.#table.taken(row) === token &&
        !this.#table.isDirty(row) &&
        isSettledCode(this.#table.state(row)),
    );
  }

  /** Rows marked dirty, for the invariants. */
  dirtyRows(): number[] {
    return this.#rows.filter(row => this.#table.isDirty(row));
  }
}
