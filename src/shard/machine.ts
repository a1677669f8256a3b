/**
 * The replicated state machine of one shard: log entries in, replies, effects and dirty rows out.
 * Apply is a pure function of the state and the entry, so replicas that applied the same entries
 * agree on every decision; `digest()` proves it.
 *
 * The driver calls, in this order: `loadRows` and `loaded` for what is stored, `apply` for every
 * committed command, `takeFlush` when it wants to write, `flushed` once that is durable. Queries
 * answer for `applied`. What the driver reads from the store it decodes with `decodeTaskRow`.
 */
import { assert } from '../model/assert.ts';
import { decodeShardCommand, type ItemReply } from '../model/command.ts';
import type { Minutes } from '../model/hour.ts';
import type { NodeId, TaskId } from '../model/ids.ts';
import type { ReadyBatch } from '../model/planning.ts';
import { hashText } from '../model/slots.ts';
import type { TaskEvent, TaskState } from '../model/task.ts';
import { applyCommand } from './apply-command.ts';
import { checkRules } from './commands/adopt.ts';
import { settleDependents } from './commands/dependents.ts';
import { prepareSpecs } from './commands/submit.ts';
import type { Applied } from './effects.ts';
import { encodeRows } from './encode-rows.ts';
import { startQueued } from './firing.ts';
import { checkState } from './invariants.ts';
import {
  digestBytes,
  digestLength,
  digestWords,
  metaKey,
  specKey,
  specKeyOf,
  taskKey,
} from './keys.ts';
import { ShardLinks } from './links.ts';
import { type LiveAttempt, liveAttempt } from './live-attempt.ts';
import { RowLoader, type StateRow } from './load.ts';
import { firstInIdOrder, rowsInIdOrder } from './memory/id-order.ts';
import { idWordCount, packId } from './memory/id-words.ts';
import { isSettledCode, none, stateCode } from './memory/task-table.ts';
import type { ReadableUses } from './memory/tenant-use.ts';
import { encodeMeta } from './meta.ts';
import type { TaskRecord } from './record.ts';
import { recordOf } from './record-of.ts';
import type { ScheduleBook } from './schedules.ts';
import { lookup, ShardState } from './state.ts';
import type { Turn } from './turn.ts';

/** Everything dirty, to be written as one batch that stands for exactly `applied`. */
export interface Flush {
  readonly applied: number;
  /** A missing value deletes. */
  readonly rows: (readonly [key: Uint8Array, value: Uint8Array | undefined])[];
  readonly token: number;
}

type TaskCounts = Readonly<Record<TaskState, number>>;

/** Which IDs `hotIds` walks, and how. */
interface IdQuery {
  /** Only IDs behind this one in the direction of the walk. */
  readonly after?: TaskId | undefined;
  /** Newest first. */
  readonly reverse?: boolean | undefined;
  /** Also the settled tasks whose rows are not stored yet. */
  readonly settled?: boolean | undefined;
}

export class ShardMachine {
  readonly #state: ShardState;
  /** What is asked of messages and workflows. */
  readonly links: ShardLinks;
  #loader: RowLoader | undefined;
  #applied = 0;

  constructor(options: { readonly shard: number }) {
    this.#state = new ShardState(options.shard);
    this.links = new ShardLinks(this.#state);
  }

  /** The next rows of what is stored, in key order; all of them before anything else. */
  loadRows(rows: Iterable<StateRow>): void {
    this.#loader ??= new RowLoader(this.#state);
    this.#loader.add(rows);
  }

  /** Those were the rows of the flush that stood for `applied`. */
  loaded(applied: number): void {
    this.#loader?.end();
    this.#loader = undefined;
    this.#applied = applied;
  }

  /** Index of the newest command that was applied; entries that are no commands pass it by. */
  get applied(): number {
    return this.#applied;
  }

  /** State time; 0 before the first command. */
  get nowMs(): number {
    return this.#state.nowMs;
  }

  /**
   * Applies a committed entry. Never throws for what a user sent; throws `DecodeError`, with
   * nothing changed, for an entry that only a newer version can read: then the replica has to stop.
   */
  apply(index: number, data: Uint8Array): Applied {
    assert(index > this.#applied, `entry ${index} comes after ${this.#applied}`);
    const state = this.#state;
    const command = decodeShardCommand(data);
    if (command.kind === 'adopt') checkRules(command);
    const specs = 'specs' in command ? prepareSpecs(state, command.specs) : [];
    const { released } = state;
    state.beginCommand(index, command.atMs);
    const changed = { readyChanged: false, messagesChanged: false };
    const turn: Turn = { state, actor: command.actor, effects: [], ...changed };
    const replies = applyCommand(turn, command, specs);
    settleDependents(turn);
    startQueued(turn);
    for (const reply of replies) foldReply(state, reply);
    if (turn.readyChanged || state.released !== released)
      turn.effects.push({ kind: 'readyChanged' });
    if (turn.messagesChanged) turn.effects.push({ kind: 'messagesChanged' });
    this.#applied = index;
    return { replies, effects: turn.effects };
  }

  get dirtyRows(): number {
    const { flush, schedules } = this.#state;
    return flush.rowCount + schedules.dirtyRows;
  }

  /** An estimate. */
  get dirtyBytes(): number {
    return this.#state.flush.byteCount;
  }

  /**
   * Every dirty row, however many: the batch has to stand for exactly `applied`. `undefined` where
   * nothing is dirty. `maxRows` only says what the driver hoped for.
   */
  takeFlush(maxRows: number): Flush | undefined {
    assert(maxRows > 0, 'a flush takes at least one row');
    const state = this.#state;
    const taken = state.flush.take();
    if (taken === undefined) return undefined;
    const rows: Flush['rows'] = [[metaKey(), encodeMeta(state.meta)]];
    for (const key of taken.gone) rows.push([key, undefined]);
    const digest = new Uint32Array(digestLength / 4);
    for (const { spec, bytes } of taken.specs) {
      state.specs.copyDigest(spec, digest);
      rows.push([specKeyOf(digest), bytes]);
    }
    for (const row of encodeRows(state, taken.rows)) rows.push(row);
    for (const row of state.schedules.takeRows()) rows.push(row);
    rows.push(...taken.side);
    return { applied: this.#applied, rows, token: taken.token };
  }

  /** A flush is durable: what it held of settled tasks and of specs leaves memory. */
  flushed(token: number): void {
    for (const row of this.#state.flush.done(token)) this.#state.forget(row);
  }

  #row(id: TaskId): number {
    const words = new Uint32Array(idWordCount);
    return packId(id, words) ? this.#state.table.find(words) : -1;
  }

  /** A task in memory: unsettled, or settled and not stored yet. */
  record(id: TaskId): TaskRecord | undefined {
    const row = this.#row(id);
    return row < 0 ? undefined : recordOf(this.#state, row);
  }

  taskKey(id: TaskId): Uint8Array {
    return taskKey(id);
  }

  specKey(digest: string | Uint8Array): Uint8Array {
    return specKey(digest);
  }

  /** Bytes of a spec whose row is not stored yet. */
  specBytes(digestHex: string): Uint8Array | undefined {
    const spec = this.#state.specs.find(digestWords(digestBytes(digestHex)));
    return spec < 0 ? undefined : this.#state.specs.unstored(spec);
  }

  /**
   * IDs of the unsettled tasks in ID order, found lazily. The walk is over with the next `apply` or
   * `flushed`.
   */
  *hotIds(query: IdQuery = {}): Generator<TaskId> {
    const { table } = this.#state;
    const reverse = query.reverse ?? false;
    const { after } = query;
    const accepts = (row: number): boolean => {
      if (query.settled !== true && isSettledCode(table.state(row))) return false;
      if (after === undefined) return true;
      return reverse ? table.id(row) < after : table.id(row) > after;
    };
    for (const row of rowsInIdOrder(table, { accepts, reverse })) yield table.id(row);
  }

  /** The smallest ID in memory: unsettled, or settled and not stored yet. O(tasks). */
  firstHotId(): TaskId | undefined {
    const row = firstInIdOrder(this.#state.table);
    return row === none ? undefined : this.#state.table.id(row);
  }

  /**
   * What the planner may place: the first ready tasks of each lane, at most `limitPerDemand` of
   * each, the lane with the earliest bound first. `nowMs` is the leader's clock and ends back-offs;
   * tenants that `mayPlace` refuses are passed over.
   */
  readyBatches(
    limitPerDemand: number,
    nowMs: number,
    mayPlace: (tenant: string) => boolean = () => true,
  ): ReadyBatch[] {
    const { gangs, ready } = this.#state;
    return gangs.withMembers(ready.batches(limitPerDemand, nowMs, mayPlace), id => this.#row(id));
  }

  readyCount(nowMs: number): number {
    return this.#state.ready.count(nowMs);
  }

  /** End of the earliest back-off that was not over when the queue was last asked. */
  nextReadyAtMs(): number | undefined {
    return this.#state.ready.nextReadyAtMs();
  }

  /**
   * Tasks that have not started and of which something is due at this instant (`commands/overdue`);
   * `late` ones are known to have missed their start bound.
   */
  overdue(nowMs: number, limit: number): { readonly taskId: TaskId; readonly late: boolean }[] {
    const { table, due } = this.#state;
    return due
      .due(nowMs, limit)
      .map(row => ({ taskId: table.id(row), late: table.hasMissedBound(row) }));
  }

  /** When the task should start; `undefined` where it did, or where something holds it. */
  startBoundMs(id: TaskId): number | undefined {
    const row = this.#row(id);
    return row < 0 || !this.#state.due.hasBound(row) ? undefined : this.#state.due.boundMs(row);
  }

  /** Every attempt that is assigned or running, in ID order. */
  liveAttempts(): LiveAttempt[] {
    return this.#state.attempts.rows().map(row => liveAttempt(this.#state, row));
  }

  liveAttemptsOn(node: NodeId): LiveAttempt[] {
    return this.#state.attempts.rows(node).map(row => liveAttempt(this.#state, row));
  }

  /** The live attempt with exactly this fence. */
  attempt(id: TaskId, fence: number): LiveAttempt | undefined {
    const row = this.#row(id);
    if (row < 0 || this.#state.live(row)?.fence !== fence) return undefined;
    return liveAttempt(this.#state, row);
  }

  /** The tasks of its gang that are not settled, by rank, with the fence that all of them have. */
  gangOf(id: TaskId): { readonly ids: readonly TaskId[]; readonly fence: number; size: number } {
    return this.#state.gangs.about(this.#row(id));
  }

  /** Place of a task among the ready ones, from 1; `undefined` where it is not ready. O(ready). */
  position(id: TaskId, nowMs: number): { position: number; ready: number } | undefined {
    const row = this.#row(id);
    const { table, ready } = this.#state;
    if (row < 0 || table.state(row) !== stateCode.waiting) return undefined;
    if (table.holds(row) !== 0) return undefined;
    return ready.position(row, nowMs);
  }

  /**
   * Whether the shard has a task of this ID: on the disk only, where it settled; false once it has
   * expired, be its row still to be deleted.
   */
  knows(id: TaskId): boolean {
    const found = this.#state.lookUp(id);
    return found >= 0 || found === lookup.settled;
  }

  isSettled(id: TaskId): boolean {
    return this.#state.lookUp(id) === lookup.settled;
  }

  /** The rules by which it decides: see `rules.ts`. */
  get rules(): number {
    return this.#state.rules;
  }

  isDeadLetter(id: TaskId): boolean {
    const state = this.#state;
    return state.lookUp(id) === lookup.settled && state.deadLetters.has(state.words);
  }

  get deadLetters(): number {
    return this.#state.deadLetters.size;
  }

  /** How many tasks stand before one in the line of its key; `undefined` where it has none. */
  aheadInLine(id: TaskId): number | undefined {
    const row = this.#row(id);
    return row < 0 ? undefined : this.#state.lines.ahead(row);
  }

  /** How many settled tasks expired, and the instant in the newest of their IDs. */
  get expired(): { readonly tasks: number; readonly toMs: number } {
    return this.#state.expired;
  }

  /** The shard's tasks by state, those that left memory included, those that expired not. */
  counts(): TaskCounts {
    const { counts } = this.#state;
    return {
      waiting: counts[stateCode.waiting]!,
      assigned: counts[stateCode.assigned]!,
      running: counts[stateCode.running]!,
      succeeded: counts[stateCode.succeeded]!,
      failed: counts[stateCode.failed]!,
      cancelled: counts[stateCode.cancelled]!,
      aborted: counts[stateCode.aborted]!,
    };
  }

  /** Settled tasks of each tenant that has some, those that left memory included. */
  settledByTenant(): Iterable<[tenant: string, tasks: number]> {
    return this.#state.settledSpecs.byTenant();
  }

  /** What the unsettled tasks of each tenant hold here. */
  get uses(): ReadableUses {
    return this.#state.uses;
  }

  /** What was handed out of the hourly budget of a tenant whose home this is. */
  hourBudget(tenant: string): Minutes {
    return this.#state.hourBudgets.of(tenant);
  }

  /** To be read only; what changes is replaced. */
  get schedules(): ScheduleBook {
    return this.#state.schedules;
  }

  /** Events after `seq`, oldest first, at most `limit`; `expired` where some of them are gone. */
  eventsAfter(seq: number, limit: number): TaskEvent[] | 'expired' {
    return this.#state.events.after(seq, limit);
  }

  /** Events of one task that are still held, oldest first. O(held). */
  eventsOf(id: TaskId): TaskEvent[] {
    return this.#state.events.of(id);
  }

  get lastSeq(): number {
    return this.#state.events.lastSeq;
  }

  /** Oldest event that is still held; `lastSeq + 1` where none is. */
  get firstSeq(): number {
    return this.#state.events.firstSeq;
  }

  /** Rolling hash of every decision, equal on all replicas at equal `applied`. */
  digest(): number {
    return this.#state.digest;
  }

  /** Bytes of tables in memory, for metrics; objects of tasks that ran are not counted. */
  tableBytes(): number {
    const { table, specs, settled, settledSpecs, keys, deadLetters } = this.#state;
    const tables = [table, specs, settled, settledSpecs, keys, deadLetters];
    return tables.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Throws `AssertionError` where the state contradicts itself. O(tasks). */
  checkInvariants(): void {
    checkState(this.#state);
  }
}

function foldReply(state: ShardState, reply: ItemReply): void {
  if (reply.ok) state.fold(reply.repeated ? 2 : 1);
  else state.fold(hashText(reply.code));
}
