/**
 * State from rows that were stored before. Only unsettled tasks come back into memory; of settled
 * ones their IDs and keys do, read from the head of the row. Rows are given in key order, so that
 * task rows say which specs are in use before spec rows come, and whether any of those is decoded:
 * what memory keeps of a spec stands in the row of its task as well, since programs write it there.
 */
import { assert } from '../model/assert.ts';
import { DecodeError } from '../model/bytes.ts';
import { decodeSpecTerms } from '../model/spec.ts';
import { holdBit } from '../model/task.ts';
import { digestWords, rowKind } from './keys.ts';
import { isSettledCode, stateCode } from './memory/task-table.ts';
import { decodeMeta, type Meta } from './meta.ts';
import { PlainRow } from './plain-row.ts';
import { openTaskRow, type TaskRecordBody, type TaskRowHead } from './record.ts';
import type { ShardState } from './state.ts';

export type StateRow = readonly [key: Uint8Array, value: Uint8Array];

type KeyHashWords = TaskRowHead['keyHash'];

/**
 * Fills an empty state, some rows at a time, so that they need not all be in memory at once. Throws
 * `DecodeError` for rows of another version, `AssertionError` where rows do not belong together.
 */
export class RowLoader {
  readonly #state: ShardState;
  #meta: Meta | undefined;
  #lastKind = 0;
  readonly #plain = new PlainRow();
  /** Specs of unsettled tasks of which no row that was read said more than the digest. */
  #unlearned = 0;
  /** Tasks in a line. Which one that is, their specs say, which come later. */
  readonly #inLine: { readonly row: number; readonly number: number }[] = [];

  constructor(state: ShardState) {
    this.#state = state;
  }

  /** The next rows, in key order. */
  add(rows: Iterable<StateRow>): void {
    const state = this.#state;
    for (const [key, value] of rows) {
      const kind = key[0]!;
      assert(kind >= this.#lastKind, 'state rows come in key order');
      this.#lastKind = kind;
      if (kind === rowKind.meta) this.#meta = decodeMeta(value);
      else if (kind === rowKind.task) this.#loadTask(value);
      else if (kind === rowKind.spec) this.#loadSpec(key, value);
      else if (kind === rowKind.outbox || kind === rowKind.inbox) state.mail.load(key, value);
      else if (kind === rowKind.workflow || kind === rowKind.graph) {
        state.workflows.load(key, value);
      } else if (kind === rowKind.schedule) state.schedules.loadOrigin(value);
      else if (kind === rowKind.standing) state.schedules.loadStanding(key, value);
      else if (kind === rowKind.hourBudget) state.hourBudgets.load(key, value);
      else if (kind === rowKind.deadLetter) state.deadLetters.load(key, value);
      else throw new DecodeError(`state row of an unknown kind ${kind}`);
    }
  }

  /** No more rows come. */
  end(): void {
    const state = this.#state;
    const meta = this.#meta;
    if (meta === undefined) {
      assert(this.#lastKind === 0, 'state rows come with a meta row');
      return;
    }
    meta.counts.forEach((count, code) => {
      assert(count === state.counts[code], `state rows are missing: counter ${code}`);
    });
    state.loadMeta(meta);
    queueAll(state);
    for (const { row, number } of this.#inLine.sort((l, r) => l.number - r.number)) {
      const line = state.specs.line(state.table.spec(row));
      assert(line !== undefined, 'a task in a line has the key of it');
      const isHeld = (state.table.holds(row) & holdBit(line.hold)) !== 0;
      state.lines.restore(row, line.hash, { number, width: line.width, isHeld });
    }
  }

  #loadTask(value: Uint8Array): void {
    if (this.#plain.read(value)) this.#loadPlain(value);
    else this.#loadOther(value);
  }

  #loadPlain(value: Uint8Array): void {
    const { table, counts, keys } = this.#state;
    const plain = this.#plain;
    const { words, keyHigh: high, keyLow: low } = plain;
    counts[stateCode.waiting]!++;
    if (plain.isKeyed) keys.add(high, low, words);
    const terms = plain.termsFrom === 0 ? undefined : value.subarray(plain.termsFrom);
    const spec = this.#specOf(plain.digest, terms, plain.isKeyed ? { high, low } : undefined);
    const row = table.insert(words);
    table.setSpec(row, spec);
    table.setSubmittedAt(row, plain.submittedAtMs);
    table.setReadySince(row, plain.readySinceMs);
    table.setBackedOff(row, plain.isBackedOff);
  }

  #loadOther(value: Uint8Array): void {
    const state = this.#state;
    const { head, body } = openTaskRow(value);
    state.counts[head.state]!++;
    if (head.keyHash) state.keys.add(head.keyHash.high, head.keyHash.low, head.words);
    if (isSettledCode(head.state)) {
      state.settled.add(head.words, head.digest[0]!);
      state.settledSpecs.add(head.digest, head.tenant);
      return;
    }
    const { record, terms } = body();
    const spec = this.#specOf(head.digest, terms, head.keyHash);
    const row = state.table.insert(head.words);
    loadUnsettled(state, row, { spec, code: head.state }, record);
    if (record.lineNumber !== undefined) this.#inLine.push({ row, number: record.lineNumber });
  }

  /** Counts a task more of a spec, which is learnt from the terms if none of it taught that. */
  #specOf(digest: Uint32Array, terms: Uint8Array | undefined, hash: KeyHashWords): number {
    const { specs } = this.#state;
    let spec = specs.find(digest);
    if (spec < 0) {
      spec = specs.expect(digest);
      this.#unlearned++;
    }
    if (terms !== undefined && !specs.isLearned(spec)) {
      specs.learnKept(spec, terms, hash);
      this.#unlearned--;
    }
    specs.use(spec);
    return spec;
  }

  #loadSpec(key: Uint8Array, value: Uint8Array): void {
    if (this.#unlearned === 0) return;
    const { specs } = this.#state;
    const spec = specs.find(digestWords(key.subarray(1)));
    if (spec < 0 || specs.isLearned(spec)) return;
    specs.learn(spec, decodeSpecTerms(value));
    this.#unlearned--;
  }
}

function loadUnsettled(
  state: ShardState,
  row: number,
  about: { readonly spec: number; readonly code: number },
  record: TaskRecordBody,
): void {
  const { table } = state;
  table.setSpec(row, about.spec);
  table.setState(row, about.code);
  table.setFence(row, record.fence);
  table.setRuns(row, record.runs);
  table.setLost(row, record.lost);
  table.setSubmittedAt(row, record.submittedAtMs);
  table.setReadySince(row, record.readySinceMs);
  table.setBackedOff(row, record.backedOff);
  table.setHolds(row, record.holds);
  table.setMissedBound(row, record.boundMissed === true);
  const { workflow, dependency, dependents } = record;
  const isPlain =
    record.attempts.length === 0 &&
    (workflow ?? dependency ?? dependents) === undefined &&
    record.retryOf === undefined &&
    record.arrayId === undefined &&
    record.arrayIndex === undefined &&
    record.firing === undefined &&
    record.pause === undefined &&
    record.update === undefined;
  if (isPlain) return;
  const detail = table.ensureDetail(row);
  detail.retryOf = record.retryOf;
  detail.arrayId = record.arrayId;
  detail.arrayIndex = record.arrayIndex;
  detail.firing = record.firing;
  detail.workflow = workflow;
  detail.dependency = dependency && { ...dependency };
  detail.dependents = dependents && new Set(dependents);
  detail.cancelRequested = record.cancelRequested;
  detail.avoid = record.avoid;
  detail.supervisorsLost = record.supervisorsLost ?? 0;
  detail.pause = record.pause;
  detail.update = record.update;
  detail.suspended = record.suspended === true;
  detail.recall = record.recall;
  const live = about.code === stateCode.waiting ? undefined : record.attempts.at(-1);
  detail.ended = live === undefined ? record.attempts : record.attempts.slice(0, -1);
  if (live !== undefined) state.attempts.set(row, live);
}

/** Each unsettled task where it belongs, now that its spec is known. */
function queueAll(state: ShardState): void {
  const { table } = state;
  for (let row = 0; row < table.rowsEnd; row++) {
    assert(state.specs.isLearned(table.spec(row)), 'the spec of an unsettled task is stored');
    state.gangs.add(row);
    state.learnChanges(row);
    const code = table.state(row);
    state.uses.enter(state.specs.traits(table.spec(row)), code);
    if (code === stateCode.waiting) state.enqueue(row);
    else state.due.refresh(row);
  }
}
