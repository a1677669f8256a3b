/**
 * The state of one shard and the few moves that every command is made of. Each move keeps rows,
 * counters, queues, events and the digest together; commands decide which move, and nothing else
 * changes state.
 *
 * A decision may depend only on what every replica has at the same index: unsettled tasks, the
 * settled IDs, the keys, the counters, what expired, and state time. It must not depend on whether
 * the row of a settled task is still in memory, on row numbers, or on what the event ring still
 * holds.
 */
import { assert } from '../model/assert.ts';
import { attemptOf, nextFence, type Outcome } from '../model/attempt.ts';
import type { SubmitItem } from '../model/command.ts';
import type { NodeId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import { type EventKind, eventKinds, type HoldKind, holdBit, taskStates } from '../model/task.ts';
import { DeadLetters } from './dead-letters.ts';
import { DueTasks } from './due.ts';
import { type EventAbout, EventRing } from './events.ts';
import { FlushTracker } from './flush.ts';
import { Gangs } from './gangs.ts';
import { Lines } from './lines.ts';
import { Mailbox } from './mailbox.ts';
import { HourBudgets } from './memory/hour-budgets.ts';
import { idWordCount, packId } from './memory/id-words.ts';
import { KnownKeys, SettledIds } from './memory/known-ids.ts';
import { LiveIndex } from './memory/live-index.ts';
import { SettledSpecs } from './memory/settled-specs.ts';
import { SharedNames } from './memory/shared-names.ts';
import { SpecTable } from './memory/spec-table.ts';
import type { AttemptRecord, UpdateRecord } from './memory/task-detail.ts';
import { isSettledCode, stateCode, TaskTable } from './memory/task-table.ts';
import { TenantUses } from './memory/tenant-use.ts';
import type { Meta } from './meta.ts';
import { ReadyQueue } from './ready.ts';
import { failureRules } from './rules.ts';
import { ScheduleBook } from './schedules.ts';
import { ShardNumbers } from './shard-numbers.ts';
import { beginOf } from './state-time.ts';
import { WorkflowTable } from './workflows.ts';

/** What `lookUp` answers where the ID is not that of an unsettled task. */
export const lookup = { settled: -1, unknown: -2, malformed: -3 } as const;

export class ShardState extends ShardNumbers {
  readonly table = new TaskTable();
  readonly specs = new SpecTable();
  readonly ready = new ReadyQueue(this.table, this.specs);
  readonly due = new DueTasks(this.table, this.specs, () => this.rules);
  readonly attempts = new LiveIndex(this.table);
  readonly settled = new SettledIds();
  readonly settledSpecs = new SettledSpecs();
  readonly keys = new KnownKeys();
  readonly schedules = new ScheduleBook();
  readonly uses = new TenantUses();
  readonly names = new SharedNames();
  readonly events: EventRing;
  readonly flush = new FlushTracker(this.table, this.specs);
  readonly lines = new Lines();
  readonly gangs = new Gangs(this);
  readonly hourBudgets = new HourBudgets(this.flush.side);
  readonly deadLetters = new DeadLetters(this.flush.side);
  readonly mail = new Mailbox(this.flush.side);
  readonly workflows = new WorkflowTable(this.flush.side);
  /** Rows of tasks that settled in this command, and that others wait for. */
  readonly settledNow: number[] = [];
  /** Tasks by state, in the order of `taskStates`: all that the shard has, but what expired. */
  readonly counts: number[] = taskStates.map(() => 0);
  /** Words of the ID that `lookUp` was asked about last. */
  readonly words = new Uint32Array(idWordCount);
  readonly #eventWords = new Uint32Array(idWordCount);
  readonly #digestWords = new Uint32Array(4);
  #held = 0;
  /** Tasks that became ready because a hold went, since the shard was loaded. */
  released = 0;

  constructor(shard: number) {
    super();
    this.events = new EventRing(shard);
  }

  override beginCommand(index: number, atMs: number): void {
    super.beginCommand(index, atMs);
    this.flush.markMeta();
  }

  get meta(): Meta {
    return { ...this.numbers, lastSeq: this.events.lastSeq, counts: this.counts };
  }

  loadMeta(meta: Meta): void {
    this.loadNumbers(meta);
    this.events.restart(meta.lastSeq);
  }

  /** Row of an unsettled task, or one of `lookup`. Leaves the ID's words in `words`. */
  lookUp(id: string): number {
    if (!packId(id, this.words)) return lookup.malformed;
    const row = this.table.find(this.words);
    if (row >= 0) return isSettledCode(this.table.state(row)) ? lookup.settled : row;
    return this.settled.has(this.words) ? lookup.settled : lookup.unknown;
  }

  /** Adds a waiting task with the ID in `words`, held by `others` and where its line says so. */
  admit(item: SubmitItem, spec: number, others = 0): number {
    const { table } = this;
    const row = table.insert(this.words);
    table.setSpec(row, spec);
    table.setSubmittedAt(row, this.stampMs);
    const beginMs = beginOf(this.specs.traits(spec), this.readyBaseMs);
    table.setReadySince(row, beginMs);
    table.setBackedOff(row, beginMs > this.readyBaseMs);
    this.specs.use(spec);
    if (item.retryOf !== undefined || item.arrayId !== undefined || item.arrayIndex !== undefined) {
      const detail = table.ensureDetail(row);
      detail.retryOf = item.retryOf;
      detail.arrayId = item.arrayId && this.names.share(item.arrayId);
      detail.arrayIndex = item.arrayIndex;
    }
    this.counts[stateCode.waiting]!++;
    this.uses.enter(this.specs.traits(spec), stateCode.waiting);
    const line = this.specs.line(spec);
    const isHeld = line !== undefined && this.lines.join(row, line.hash, line.width);
    const holds = isHeld ? others | holdBit(line.hold) : others;
    table.setHolds(row, holds);
    this.enqueue(row);
    this.flush.markTask(row);
    this.note('submitted', row);
    return row;
  }

  /** Waiting tasks that something holds: they are not in the ready queue. */
  get held(): number {
    return this.#held;
  }

  /** Keeps a task from being placed: at once where it waits, else when it would wait again. */
  hold(row: number, kind: HoldKind): void {
    const { table } = this;
    const holds = table.holds(row);
    if ((holds & holdBit(kind)) !== 0) return;
    if (holds === 0 && table.state(row) === stateCode.waiting) {
      this.ready.remove(row);
      this.#held++;
    }
    table.setHolds(row, holds | holdBit(kind));
    this.due.refresh(row);
    this.flush.markTask(row);
    this.gangs.changed(row);
  }

  /**
   * Takes that hold away. With the last one a waiting task becomes ready, as of now; one of a gang
   * with the last that is its own. What the gang holds keeps its place, however often a node
   * refuses one of its tasks.
   */
  release(row: number, kind: HoldKind): void {
    const { table } = this;
    const holds = table.holds(row);
    if ((holds & holdBit(kind)) === 0) return;
    const left = holds & ~holdBit(kind);
    const isWaiting = table.state(row) === stateCode.waiting;
    const isItsOwnLast = kind !== 'gang' && (left & ~holdBit('gang')) === 0;
    if (isWaiting && isItsOwnLast && !table.isBackedOff(row)) {
      table.setReadySince(row, this.readyBaseMs);
    }
    table.setHolds(row, left);
    this.due.refresh(row);
    this.flush.markTask(row);
    if (left === 0 && isWaiting) {
      this.#held--;
      this.enqueue(row);
      this.released++;
    }
    this.gangs.changed(row);
  }

  /** Takes a waiting task that is about to settle out of the queue, or out of what is held. */
  leaveQueue(row: number): void {
    if (this.table.holds(row) === 0) {
      this.ready.remove(row);
      return;
    }
    this.#held--;
    this.table.setHolds(row, 0);
  }

  /** Puts a waiting task where it belongs. */
  enqueue(row: number): void {
    if (this.table.holds(row) === 0) this.ready.add(row);
    else this.#held++;
    this.due.refresh(row);
  }

  /**
   * What somebody changed of a task stands in the place of its spec's, and it where it then
   * belongs.
   */
  change(row: number, update: UpdateRecord): void {
    const { table } = this;
    const isQueued = table.state(row) === stateCode.waiting && table.holds(row) === 0;
    const boundMs = this.due.boundMs(row);
    if (isQueued) this.ready.remove(row);
    table.ensureDetail(row).update = update;
    this.learnChanges(row);
    if (isQueued) this.ready.add(row);
    // Another bound than the one that was missed: should it pass as well, that is told as well.
    const isOther = this.due.boundMs(row) !== boundMs && !this.due.hasStarted(row);
    const isAhead = table.holds(row) !== 0 || this.due.boundMs(row) > this.nowMs;
    if (isOther && isAhead) table.setMissedBound(row, false);
    this.due.refresh(row);
    this.flush.markTask(row, 64);
  }

  /** Makes of what was changed of a task what its place follows from. It is in no queue. */
  learnChanges(row: number): void {
    const detail = this.table.detail(row);
    if (detail?.update === undefined) return;
    const before = detail.changedTraits;
    detail.changedTraits = this.specs.takeChanged(this.table.spec(row), detail.update.overrides);
    if (before !== undefined) this.specs.giveBack(before);
  }

  /** The start bound of a task has passed before it started: told once. */
  missBound(row: number): void {
    this.table.setMissedBound(row, true);
    this.due.refresh(row);
    this.flush.markTask(row);
    this.note('boundMissed', row);
  }

  #setState(row: number, code: number): void {
    const before = this.table.state(row);
    this.uses.move(this.specs.traits(this.table.spec(row)), before, code);
    this.counts[before]!--;
    this.counts[code]!++;
    this.table.setState(row, code);
  }

  /** Gives a waiting task, held only where it is one of a gang, its next fence and an attempt. */
  assign(row: number, to: { node: NodeId; nodeName: string; incarnation: string }): number {
    const { table } = this;
    const fence = nextFence(table.fence(row), this.epoch);
    if (table.holds(row) === 0) this.ready.remove(row);
    else this.#held--;
    table.setBackedOff(row, false);
    table.setFence(row, fence);
    this.attempts.set(row, {
      fence,
      run: table.runs(row) + 1,
      node: this.names.share(to.node),
      nodeName: this.names.share(to.nodeName),
      incarnation: this.names.share(to.incarnation),
      assignedAtMs: this.shownInstant(row),
    });
    this.#setState(row, stateCode.assigned);
    this.due.refresh(row);
    this.flush.markTask(row, 100);
    this.gangs.changed(row);
    this.note('assigned', row, { attempt: fence, node: to.node });
    return fence;
  }

  /** The stamp, but not before the task was submitted: what people see never runs backwards. */
  shownInstant(row: number): number {
    return Math.max(this.stampMs, this.table.submittedAt(row));
  }

  live(row: number): AttemptRecord | undefined {
    return this.attempts.get(row);
  }

  markStarted(row: number, startedAtMs: number): void {
    const detail = this.table.ensureDetail(row);
    assert(detail.live, 'an assigned task has a live attempt');
    detail.live = { ...detail.live, startedAtMs };
    this.#setState(row, stateCode.running);
    this.due.refresh(row);
    this.flush.markTask(row);
    this.note('started', row, { attempt: detail.live.fence, node: detail.live.node });
  }

  /** Takes the live attempt away; the next move is `wait` or `settle`. */
  endLive(row: number): AttemptRecord {
    return this.attempts.end(row);
  }

  /** Keeps an ended attempt, and of all of them the newest `limits.attemptsKept`. */
  keepEnded(row: number, attempt: AttemptRecord): void {
    const detail = this.table.ensureDetail(row);
    detail.ended = [...detail.ended.slice(1 - limits.attemptsKept), attempt];
  }

  /**
   * Puts a task without a live attempt back; with `backedOff`, not to run before `readySinceMs`.
   */
  wait(row: number, readySinceMs: number, backedOff: boolean): void {
    this.table.setReadySince(row, readySinceMs);
    this.table.setBackedOff(row, backedOff);
    this.#setState(row, stateCode.waiting);
    this.enqueue(row);
    this.flush.markTask(row);
    this.gangs.changed(row);
  }

  /** The final state of a task that is not in the ready queue and has no live attempt. */
  settle(row: number, code: number, end: { reason: string; outcome?: Outcome | undefined }): void {
    assert(isSettledCode(code), 'a task settles in a settled state');
    const { table } = this;
    const detail = table.ensureDetail(row);
    detail.reason = end.reason;
    detail.outcome = end.outcome;
    detail.settledAtMs = this.shownInstant(row);
    detail.dependency = undefined;
    if (detail.workflow ?? detail.dependents) this.settledNow.push(row);
    table.setBackedOff(row, false);
    table.setHolds(row, 0);
    this.#setState(row, code);
    this.due.refresh(row);
    table.copyWords(row, this.#eventWords);
    const spec = table.spec(row);
    this.settled.add(this.#eventWords, this.specs.digestWord(spec));
    this.specs.copyDigest(spec, this.#digestWords);
    this.settledSpecs.add(this.#digestWords, this.specs.traits(spec).tenant);
    if (code === stateCode.failed && this.rules >= failureRules) {
      this.deadLetters.add(this.#eventWords, detail.settledAtMs);
    }
    this.flush.markTask(row, end.reason.length);
    const hold = this.specs.line(spec)?.hold;
    if (hold !== undefined) for (const next of this.lines.leave(row)) this.release(next, hold);
    this.gangs.drop(row);
  }

  /** Appends an event about a task as it is now, and takes it into the digest. */
  note(kind: EventKind, row: number, about: EventAbout = {}): void {
    const { table } = this;
    const words = this.#eventWords;
    table.copyWords(row, words);
    const state = table.state(row);
    const { tenant } = this.specs.traits(table.spec(row));
    const attempt = attemptOf(about.attempt ?? 0);
    const code = eventKinds.indexOf(kind);
    this.events.append({
      kind: code,
      atMs: this.stampMs,
      words,
      tenant,
      state,
      attempt,
      node: about.node,
      outcome: about.outcome,
      why: about.why,
    });
    this.fold((code << 8) | state);
    for (let word = 0; word < idWordCount; word++) this.fold(words[word]!);
    this.fold(attempt);
  }

  /** A settled task whose row is stored leaves memory; what remains is its ID and its key. */
  forget(row: number): void {
    const spec = this.table.spec(row);
    const changed = this.table.detail(row)?.changedTraits;
    if (changed !== undefined) this.specs.giveBack(changed);
    this.table.remove(row);
    this.specs.release(spec);
  }
}
