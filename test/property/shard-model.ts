/**
 * The rules of a shard again, as plainly as they can be said: one object per task, nothing packed,
 * nothing forgotten, every question answered by looking at all tasks. The real machine has to
 * agree.
 */
import { isDeepStrictEqual } from 'node:util';
import type { OutcomeKind } from '../../src/model/attempt.ts';
import type { PlacementItem, ShardCommand, SubmitItem } from '../../src/model/command.ts';
import { parseTaskId, slotOfId } from '../../src/model/ids.ts';
import { limits } from '../../src/model/limits.ts';
import { keySlot } from '../../src/model/slots.ts';
import { decodeSpec, type TaskSpec } from '../../src/model/spec.ts';
import type { SpecOverrides } from '../../src/model/spec-overrides.ts';
import { isSettled, type TaskState } from '../../src/model/task.ts';
import { spreadMs } from '../../src/shard/commands/end-attempt.ts';
import { packId } from '../../src/shard/memory/id-words.ts';

export interface ModelTask {
  readonly id: string;
  readonly spec: TaskSpec;
  readonly specBytes: string;
  state: TaskState;
  fence: number;
  /** How often it was. */
  assigned: number;
  runs: number;
  lost: number;
  /** Supervisors that ended under it. */
  supervisorsLost: number;
  /** Which of all tasks it was when it was admitted. */
  readonly number: number;
  deadLetter: boolean;
  /** Others in the line of its key have to settle first. */
  isBehind: boolean;
  node: string | undefined;
  cancelled: boolean;
  /** An attempt of it is known to have started. */
  started: boolean;
  /** Its start bound was missed, and that was told. */
  missed: boolean;
  readySinceMs: number;
  /** Of a gang: what it is called, and its place in it. */
  gang: { readonly id: string; readonly rank: number } | undefined;
  recall: 'again' | 'counts' | 'over' | undefined;
  avoid: string[];
  /** `readySinceMs` is the end of a back-off. */
  backedOff: boolean;
  /** Not placed until it is resumed. */
  paused: 'no' | 'placement' | 'suspend';
  /** Its worker said that it stands still. */
  suspended: boolean;
  /** What was changed since it was submitted. */
  changed: Record<string, unknown>;
  ended: { fence: number; node: string; kind: OutcomeKind }[];
}

/** Whether anything keeps it from being placed. */
export const isHeld = ({ isBehind, paused }: ModelTask): boolean => isBehind || paused !== 'no';

/** Whether it could be placed, but for its back-off. */
const mayGo = (task: ModelTask): boolean => task.state === 'waiting' && !isHeld(task);

/** A reply without its message. */
export interface ModelReply {
  readonly said: string;
  readonly taskId: string;
  readonly fence?: number | undefined;
}

const lineKey = ({ orderKey, maxRunningPer }: TaskSpec): string | undefined =>
  orderKey ?? maxRunningPer?.key;

interface Ended {
  readonly kind: OutcomeKind;
  readonly exitCode?: number | undefined;
  readonly supervisorLost?: boolean | undefined;
  readonly startedAtMs?: number | undefined;
}

/** For the causes that the specs of these tests name. */
function mayRetry({ retryOn = [], noRetryOn = [] }: TaskSpec, outcome: Ended): boolean {
  const is = (cause: string): boolean =>
    cause === 'oom'
      ? outcome.kind === 'outOfMemory'
      : outcome.kind === 'failed' && outcome.exitCode === Number(cause);
  if (noRetryOn.some(is)) return false;
  return retryOn.length === 0 || retryOn.some(is);
}

const ok = (taskId: string, fence?: number): ModelReply => ({ said: 'ok', taskId, fence });
const repeated = (taskId: string): ModelReply => ({ said: 'repeated', taskId });

export class ShardModel {
  readonly tasks = new Map<string, ModelTask>();
  /** Everything that was ever taken of hourly budgets. */
  readonly charges: { tenant: string; count: number; minute: number }[] = [];
  nowMs = 0;
  #lastStampMs = 0;
  #epoch = 0;
  /** Newest instant in the ID of a task that expired. */
  #expiredToMs = 0;
  #rules = 1;
  #admitted = 0;
  /** Tasks that the present command has cancelled with others of their gangs. */
  readonly #along = new Set<string>();

  apply(command: ShardCommand): ModelReply[] {
    this.#passTime(command.atMs);
    switch (command.kind) {
      case 'submit':
        return this.#submitAll(command);
      case 'assign':
        return command.items.map(item => this.#assign(item.taskId, item.node));
      case 'assignGang':
        return command.items.map(item => this.#assignGang(item.members));
      case 'unassign':
        return command.items.map(item => this.#unassign(item.taskId, item.fence));
      case 'start':
        return command.items.map(item => this.#start(item.taskId, item.fence, item.startedAtMs));
      case 'finish':
        return command.items.map(item => this.#end(item.taskId, item.fence, item.outcome));
      case 'lose':
        return command.items.map(item => this.#end(item.taskId, item.fence, { kind: 'lost' }));
      case 'cancel':
        this.#along.clear();
        return command.items.map(item => this.#cancel(item.taskId));
      case 'recover':
        this.#epoch = Math.max(this.#epoch + 1, command.epoch);
        return [];
      case 'expire':
        return command.items.map(item => this.#expire(item.taskId));
      case 'overdue':
        return command.items.map(item => this.#overdue(item.taskId));
      case 'charge':
        for (const { tenant, count } of command.items) {
          this.charges.push({ tenant, count, minute: Math.floor(this.nowMs / 60_000) });
        }
        return [];
      case 'adopt':
        this.#rules = Math.max(this.#rules, command.rules);
        return [];
      case 'replay':
        return command.items.map(item =>
          this.#replay(item.id, item.retryOf!, command.specs[item.spec]!.bytes),
        );
      case 'purge':
        return command.items.map(item => this.#purge(item.taskId));
      case 'pause':
        return command.items.map(item => this.#pause(item.taskId, command.suspend));
      case 'resume':
        return command.items.map(item => this.#resume(item.taskId));
      case 'update':
        return command.items.map(item => this.#update(item.taskId, command.overrides));
      case 'suspended':
        return command.items.map(item => this.#suspended(item.taskId, item.fence, item.suspended));
      default:
        throw new Error(`${command.kind} has a model of its own`);
    }
  }

  #passTime(stampMs: number): void {
    const minuteLater = this.nowMs + 60_000;
    if (this.nowMs === 0) this.nowMs = stampMs;
    else if (stampMs > minuteLater) {
      this.nowMs = Math.max(minuteLater, Math.min(stampMs, this.#lastStampMs));
    } else if (stampMs > this.nowMs) this.nowMs = stampMs;
    this.#lastStampMs = stampMs;
  }

  /** State time, or a minute after the stamp where that is earlier. */
  #readyBaseMs(): number {
    return Math.min(this.nowMs, this.#lastStampMs + 60_000);
  }

  #submitAll({ items, specs }: ShardCommand & { kind: 'submit' }): ModelReply[] {
    const replies: ModelReply[] = [];
    while (replies.length < items.length) {
      const rest = items.slice(replies.length);
      const { bytes } = specs[rest[0]!.spec]!;
      const size = decodeSpec(bytes).gang;
      if (size === undefined) replies.push(this.#submit(rest[0]!.id, bytes));
      else replies.push(...this.#submitGang(rest, bytes, size));
    }
    return replies;
  }

  #submitGang(rest: readonly SubmitItem[], bytes: Uint8Array, size: number): ModelReply[] {
    const { spec, arrayId } = rest[0]!;
    const gang: SubmitItem[] = [];
    for (const item of rest.slice(0, size)) {
      if (item.spec !== spec || item.arrayId !== arrayId) break;
      if (item.arrayIndex !== gang.length) break;
      gang.push(item);
    }
    if (gang.length < size) {
      return rest
        .slice(0, Math.max(1, gang.length))
        .map(({ id }) => ({ said: 'badSpec', taskId: id }));
    }
    // All of them are tried, then all are taken back unless all were taken.
    const before = new Map(this.tasks);
    const replies = gang.map(item => this.#submit(item.id, bytes));
    const isTaken = replies.every(reply => reply.said === 'ok');
    if (!isTaken) {
      this.tasks.clear();
      for (const [id, task] of before) this.tasks.set(id, task);
    }
    gang.forEach((item, rank) => {
      if (isTaken) this.tasks.get(item.id)!.gang = { id: arrayId!, rank };
    });
    return replies.map(reply =>
      isTaken || reply.said !== 'ok' ? reply : { said: 'idTaken', taskId: reply.taskId },
    );
  }

  /** The tasks of its gang that are not settled, by rank. */
  #gangOf(task: ModelTask): ModelTask[] {
    if (task.gang === undefined) return [];
    return [...this.tasks.values()]
      .filter(other => other.gang?.id === task.gang?.id && !isSettled(other.state))
      .sort((left, right) => left.gang!.rank - right.gang!.rank);
  }

  #submit(id: string, bytes: Uint8Array): ModelReply {
    const spec = decodeSpec(bytes);
    const specBytes = bytes.join();
    const known = this.tasks.get(id);
    if (known)
      return known.specBytes === specBytes ? repeated(id) : { said: 'idTaken', taskId: id };
    const slot = keySlot(spec);
    if (slot !== undefined && slot !== slotOfId(id as never)) return { said: 'badId', taskId: id };
    if (spec.idempotencyKey !== undefined) {
      for (const task of this.tasks.values()) {
        if (task.spec.tenant !== spec.tenant || lineKey(task.spec) !== lineKey(spec)) continue;
        if (task.spec.idempotencyKey !== spec.idempotencyKey) continue;
        const isSame = task.specBytes === specBytes;
        return isSame ? repeated(task.id) : { said: 'keyConflict', taskId: id };
      }
    }
    const { atMs } = parseTaskId(id)!;
    if (atMs <= this.#expiredToMs) return { said: 'idExpired', taskId: id };
    const task: ModelTask = {
      id,
      spec,
      specBytes,
      state: 'waiting',
      fence: 0,
      assigned: 0,
      runs: 0,
      lost: 0,
      supervisorsLost: 0,
      number: ++this.#admitted,
      deadLetter: false,
      isBehind: false,
      node: undefined,
      cancelled: false,
      started: false,
      missed: false,
      readySinceMs: this.#readyBaseMs(),
      gang: undefined,
      recall: undefined,
      avoid: [],
      backedOff: false,
      paused: 'no',
      suspended: false,
      changed: {},
      ended: [],
    };
    this.tasks.set(id, task);
    const line = this.#line(task);
    task.isBehind = line.length > 0;
    this.#letGo(line);
    return ok(id);
  }

  /** The unsettled tasks with its key, itself included, as they were admitted. */
  #line(task: ModelTask): ModelTask[] {
    const { tenant, orderKey, maxRunningPer } = task.spec;
    if (orderKey === undefined && maxRunningPer === undefined) return [];
    return [...this.tasks.values()]
      .filter(({ state, spec }) => !isSettled(state) && spec.tenant === tenant)
      .filter(({ spec }) => spec.orderKey === orderKey)
      .filter(({ spec }) => spec.maxRunningPer?.key === maxRunningPer?.key)
      .sort((left, right) => left.number - right.number);
  }

  /** From the front, as many as each allows; returns those that are let go now. */
  #letGo(line: readonly ModelTask[]): ModelTask[] {
    const released: ModelTask[] = [];
    for (const [open, task] of line.entries()) {
      if (!task.isBehind) continue;
      if (open >= (task.spec.maxRunningPer?.max ?? 1)) break;
      task.isBehind = false;
      released.push(task);
    }
    return released;
  }

  /** Whoever is let go because a task settled is ready since now. */
  #settle(task: ModelTask, state: TaskState): void {
    task.state = state;
    task.isBehind = false;
    if (state === 'failed' && this.#rules >= 3) task.deadLetter = true;
    const released = this.#letGo(this.#line(task));
    for (const other of released) this.#beReady(other);
  }

  /** Nothing holds it any more: it stands in the queue as of now, unless it backs off still. */
  #beReady(task: ModelTask): void {
    if (task.state !== 'waiting' || isHeld(task) || task.backedOff) return;
    task.readySinceMs = this.#readyBaseMs();
  }

  #replay(id: string, dead: string, bytes: Uint8Array): ModelReply {
    if (this.tasks.has(id)) return this.#submit(id, bytes);
    const task = this.tasks.get(dead);
    if (task === undefined) return { said: 'unknownTask', taskId: id };
    if (!isSettled(task.state)) return { said: 'notSettled', taskId: id };
    if (!task.deadLetter) return { said: 'notDeadLetter', taskId: id };
    const reply = this.#submit(id, bytes);
    if (reply.said === 'ok') task.deadLetter = false;
    return reply;
  }

  #purge(id: string): ModelReply {
    const task = this.tasks.get(id);
    if (task === undefined) return { said: 'unknownTask', taskId: id };
    if (!isSettled(task.state)) return { said: 'notSettled', taskId: id };
    if (!task.deadLetter) return repeated(id);
    task.deadLetter = false;
    return ok(id);
  }

  #missing(id: string): ModelReply | undefined {
    const task = this.tasks.get(id);
    if (task === undefined) return { said: 'unknownTask', taskId: id };
    return isSettled(task.state) ? { said: 'alreadySettled', taskId: id } : undefined;
  }

  #assign(id: string, node: string): ModelReply {
    const missing = this.#missing(id);
    if (missing) return missing;
    const task = this.tasks.get(id)!;
    if (task.state !== 'waiting' || isHeld(task) || task.gang) {
      return { said: 'badRequest', taskId: id };
    }
    this.#place(task, node);
    return ok(id, task.fence);
  }

  #place(task: ModelTask, node: string): void {
    task.state = 'assigned';
    task.backedOff = false;
    task.assigned++;
    task.fence = this.#epoch * 2 ** 32 + task.assigned;
    task.node = node;
  }

  #assignGang(members: readonly PlacementItem[]): ModelReply {
    for (const { taskId } of members) {
      const missing = this.#missing(taskId);
      if (missing) return missing;
    }
    const { taskId } = members[0]!;
    const asked = members.map(member => this.tasks.get(member.taskId)!);
    const gang = this.#gangOf(asked[0]!);
    const isAll = asked.length === gang.length && gang.every(task => asked.includes(task));
    if (gang.length === 0 || !isAll || !gang.every(mayGo)) {
      return { said: 'badRequest', taskId };
    }
    members.forEach(({ node }, place) => void this.#place(asked[place]!, node));
    return ok(taskId, asked[0]!.fence);
  }

  /** What the end of one that did not succeed means for the others of its gang. */
  #recall(gang: readonly ModelTask[], kind: 'again' | 'counts' | 'over'): void {
    const strength = ['again', 'counts', 'over'];
    for (const task of gang) {
      if (isSettled(task.state) || task.cancelled) continue;
      if (task.state !== 'waiting') {
        const stronger = strength.indexOf(kind) > strength.indexOf(task.recall ?? '');
        if (stronger) task.recall = kind;
      } else if (kind === 'over') task.state = 'aborted';
    }
  }

  #unassign(id: string, fence: number): ModelReply {
    const missing = this.#missing(id);
    if (missing) return missing;
    const task = this.tasks.get(id)!;
    if (task.node === undefined || task.fence !== fence || task.state !== 'assigned') {
      return { said: 'badRequest', taskId: id };
    }
    const { recall } = task;
    if (recall && !task.cancelled) {
      this.#endRecalled(task, recall, undefined);
      return ok(id);
    }
    task.node = undefined;
    task.suspended = false;
    task.recall = undefined;
    const gang = this.#gangOf(task);
    if (task.cancelled) this.#settle(task, 'cancelled');
    else {
      task.state = 'waiting';
      this.#recall(gang, 'again');
    }
    return ok(id);
  }

  #start(id: string, fence: number, startedAtMs: number): ModelReply {
    const missing = this.#missing(id);
    if (missing) return missing;
    const task = this.tasks.get(id)!;
    if (task.node === undefined || task.fence !== fence) return { said: 'badRequest', taskId: id };
    if (task.state === 'running') return repeated(id);
    this.#hearStart(task, startedAtMs);
    task.state = 'running';
    return ok(id);
  }

  #hearStart(task: ModelTask, startedAtMs: number): void {
    const late = startedAtMs > boundOf(task) && this.nowMs >= boundOf(task);
    if (late && this.#rules >= 3 && this.#awaitsStart(task)) task.missed = true;
  }

  #end(id: string, fence: number, outcome: Ended): ModelReply {
    const { kind } = outcome;
    const task = this.tasks.get(id);
    if (task === undefined || isSettled(task.state)) return repeated(id);
    const { node } = task;
    if (node === undefined || fence !== task.fence) {
      return fence <= task.fence ? repeated(id) : { said: 'badRequest', taskId: id };
    }
    const startedAtMs = kind === 'startFailed' ? 0 : (outcome.startedAtMs ?? 0);
    if (startedAtMs > 0) this.#hearStart(task, startedAtMs);
    const knownToStart = task.state === 'running' || startedAtMs > 0;
    const { recall } = task;
    if (recall && !task.cancelled && kind !== 'succeeded') {
      this.#endRecalled(task, recall, knownToStart ? kind : undefined);
      return ok(id);
    }
    task.started ||= knownToStart;
    const gang = this.#gangOf(task);
    task.node = undefined;
    task.suspended = false;
    task.recall = undefined;
    task.ended.push({ fence, node, kind });
    if (kind === 'lost') task.lost++;
    else task.runs++;
    const supervisorLost = outcome.supervisorLost === true && this.#rules >= 3;
    if (supervisorLost) task.supervisorsLost++;
    if (kind === 'succeeded') this.#settle(task, 'succeeded');
    else if (kind === 'cancelled' || task.cancelled) this.#settle(task, 'cancelled');
    else if (kind === 'lost') {
      if (task.supervisorsLost >= 2) this.#settle(task, 'failed');
      else if (task.lost >= 5) this.#settle(task, this.#rules >= 3 ? 'failed' : 'aborted');
      else {
        task.state = 'waiting';
        if (this.#hasStarted(task)) task.readySinceMs = this.#readyBaseMs();
        if (supervisorLost) this.#avoid(task, node);
      }
    } else if (task.runs >= this.#terms(task).attempts || !mayRetry(task.spec, outcome)) {
      this.#settle(task, 'failed');
    } else {
      task.state = 'waiting';
      this.#backOff(task);
      this.#avoid(task, node);
    }
    const others = gang.filter(other => other !== task);
    if (task.state === 'waiting') this.#recall(others, kind === 'lost' ? 'again' : 'counts');
    else if (task.state !== 'succeeded') this.#recall(others, 'over');
    return ok(id);
  }

  #avoid(task: ModelTask, node: string): void {
    task.avoid = [...task.avoid.filter(other => other !== node), node];
  }

  #pauseMs(task: ModelTask): number {
    const { id, runs } = task;
    const { initialMs, maxMs } = this.#terms(task).backoff;
    const pauseMs = Math.min(maxMs, initialMs * 2 ** (runs - 1));
    if (this.#rules < 3) return pauseMs;
    const words = new Uint32Array(4);
    packId(id, words);
    return spreadMs(pauseMs, words, runs);
  }

  #backOff(task: ModelTask): void {
    const pauseMs = this.#pauseMs(task);
    task.readySinceMs = this.#readyBaseMs() + pauseMs;
    task.backedOff = pauseMs > 0;
  }

  /** The end of an attempt that was recalled, or its refusal where there is no `kind`. */
  #endRecalled(task: ModelTask, recall: string, kind: OutcomeKind | undefined): void {
    const { fence, node } = task;
    if (kind !== undefined) {
      task.ended.push({ fence, node: node!, kind });
      task.started = true;
    }
    task.node = undefined;
    task.recall = undefined;
    if (recall === 'over') {
      this.#settle(task, 'aborted');
      return;
    }
    task.state = 'waiting';
    if (recall !== 'counts') return;
    task.runs++;
    const since = task.readySinceMs;
    this.#backOff(task);
    if (!task.backedOff) task.readySinceMs = since;
  }

  #cancel(id: string): ModelReply {
    const missing = this.#missing(id);
    if (missing && this.#along.has(id)) return repeated(id);
    if (missing) return missing;
    const task = this.tasks.get(id)!;
    const reply = task.cancelled ? repeated(id) : ok(id);
    for (const one of [task, ...this.#gangOf(task)]) {
      one.cancelled = true;
      if (one.state !== 'waiting') continue;
      this.#settle(one, 'cancelled');
      if (one !== task) this.#along.add(one.id);
    }
    return reply;
  }

  #expire(id: string): ModelReply {
    const task = this.tasks.get(id);
    if (task === undefined) return repeated(id);
    if (!isSettled(task.state)) return { said: 'notSettled', taskId: id };
    const { atMs } = parseTaskId(id)!;
    if (atMs > this.nowMs - limits.historyMsMin) return { said: 'badRequest', taskId: id };
    this.tasks.delete(id);
    this.#expiredToMs = Math.max(this.#expiredToMs, atMs);
    return ok(id);
  }

  #overdue(id: string): ModelReply {
    const missing = this.#missing(id);
    if (missing) return missing;
    const task = this.tasks.get(id)!;
    if (!this.#awaitsStart(task)) return repeated(id);
    const missed = !task.missed && boundOf(task) <= this.nowMs;
    const { expireMs } = task.spec;
    const late = expireMs !== undefined && task.readySinceMs + expireMs <= this.nowMs;
    const dropped = late && task.state === 'waiting';
    if (missed) task.missed = true;
    if (dropped) for (const late of [task, ...this.#gangOf(task)]) this.#settle(late, 'aborted');
    return missed || dropped ? ok(id) : repeated(id);
  }

  /** Whether its start is still waited for; of a gang by the one that stands for it. */
  #awaitsStart(task: ModelTask): boolean {
    if (task.state !== 'waiting' && task.state !== 'assigned') return false;
    if (this.#hasStarted(task) || task.cancelled || isHeld(task)) return false;
    return task.gang === undefined || this.#isQueued(task);
  }

  /** By older rules an attempt that was lost counts, whether or not it had started. */
  #hasStarted({ runs, lost, started }: ModelTask): boolean {
    return runs > 0 || (this.#rules < 3 ? lost > 0 : started);
  }

  /** The spec with what was changed of it. */
  #terms(task: ModelTask): TaskSpec {
    return { ...task.spec, ...task.changed };
  }

  /** What people take hold of with it: all that are left of its gang, or itself alone. */
  #together(task: ModelTask): ModelTask[] {
    return task.gang === undefined ? [task] : this.#gangOf(task);
  }

  #pause(id: string, suspend: boolean): ModelReply {
    const missing = this.#missing(id);
    if (missing) return missing;
    const wanted = suspend ? 'suspend' : 'placement';
    const others = this.#together(this.tasks.get(id)!).filter(
      task => task.paused !== wanted && task.paused !== 'suspend',
    );
    for (const task of others) task.paused = wanted;
    return others.length === 0 ? repeated(id) : ok(id);
  }

  #resume(id: string): ModelReply {
    const missing = this.#missing(id);
    if (missing) return missing;
    const paused = this.#together(this.tasks.get(id)!).filter(task => task.paused !== 'no');
    for (const task of paused) {
      task.paused = 'no';
      this.#beReady(task);
    }
    return paused.length === 0 ? repeated(id) : ok(id);
  }

  #update(id: string, overrides: SpecOverrides): ModelReply {
    const missing = this.#missing(id);
    if (missing) return missing;
    const tasks = this.#together(this.tasks.get(id)!);
    const onlyCap = Object.keys(overrides).every(name => name === 'capMs');
    const { attempts, toleranceMs = 0 } = overrides;
    for (const task of tasks) {
      if (!onlyCap && task.state !== 'waiting') return { said: 'notWaiting', taskId: id };
      const isTooFew = attempts !== undefined && attempts <= task.runs;
      if (isTooFew || toleranceMs > (task.spec.expireMs ?? Number.POSITIVE_INFINITY)) {
        return { said: 'badRequest', taskId: id };
      }
    }
    const changed = tasks.filter(task => this.#change(task, overrides));
    return changed.length === 0 ? repeated(id) : ok(id);
  }

  /** False where it has these values already. */
  #change(task: ModelTask, overrides: SpecOverrides): boolean {
    const changed = { ...task.changed, ...overrides };
    const known = Object.keys(overrides).every(name => name in task.changed);
    if (known && isDeepStrictEqual(changed, task.changed)) return false;
    const before = boundOf(task);
    task.changed = changed;
    const bound = boundOf(task);
    const started = this.#hasStarted(task);
    const isAhead = bound > this.nowMs || isHeld(task) || this.#waitsForGang(task);
    if (!started && bound !== before && isAhead) task.missed = false;
    return true;
  }

  #suspended(id: string, fence: number, suspended: boolean): ModelReply {
    const missing = this.#missing(id);
    if (missing) return missing;
    const task = this.tasks.get(id)!;
    if (task.node === undefined || task.fence !== fence) return { said: 'badRequest', taskId: id };
    if (task.suspended === suspended) return repeated(id);
    task.suspended = suspended;
    return ok(id);
  }

  count(state: TaskState): number {
    return [...this.tasks.values()].filter(task => task.state === state).length;
  }

  /** One of a gang that does not stand in the queue for it. */
  #waitsForGang(task: ModelTask): boolean {
    return this.#gangOf(task).length > 0 && !this.#isQueued(task);
  }

  /** Those that wait, of gangs only the first, and only if all that is left of the gang waits. */
  queued(): ModelTask[] {
    return [...this.tasks.values()].filter(task => this.#isQueued(task));
  }

  #isQueued(task: ModelTask): boolean {
    if (task.state !== 'waiting') return false;
    const gang = this.#gangOf(task);
    return gang.length === 0 || (gang[0] === task && gang.every(mayGo));
  }

  /** IDs of the tasks that are ready at an instant, in the order of the queue. */
  ready(nowMs: number): string[] {
    return this.queued()
      .filter(task => !task.backedOff || task.readySinceMs <= nowMs)
      .filter(task => !isHeld(task))
      .sort((left, right) => compare(orderOf(left, nowMs), orderOf(right, nowMs)))
      .map(task => task.id);
  }

  /** Unstarted tasks whose bound has passed untold, or that are to be dropped. */
  due(nowMs: number): string[] {
    return [...this.tasks.values()]
      .filter(task => this.#awaitsStart(task))
      .filter(task => {
        if (!task.missed) return boundOf(task) <= nowMs;
        const { expireMs = Number.POSITIVE_INFINITY } = task.spec;
        return task.state === 'waiting' && task.readySinceMs + expireMs <= nowMs;
      })
      .map(task => task.id)
      .sort();
  }
}

const dayMs = 86_400_000;

/** Its specification with what was changed since. */
const nowOf = ({ spec, changed }: ModelTask): TaskSpec => ({ ...spec, ...changed });

function boundOf(task: ModelTask): number {
  const { readySinceMs } = task;
  const { toleranceMs, expireMs = dayMs } = nowOf(task);
  return readySinceMs + (toleranceMs ?? Math.min(dayMs, expireMs));
}

/** Class, priority, start bound, cap, age, ID. */
function orderOf(task: ModelTask, nowMs: number): (number | string)[] {
  const bound = boundOf(task);
  const { priority: word = 'normal', capMs } = nowOf(task);
  const priority = { high: 0, normal: 1, low: 2 }[word];
  const cap = capMs === 0 ? Number.POSITIVE_INFINITY : capMs;
  return [bound - nowMs <= 60_000 ? 0 : 1, priority, bound, cap, task.readySinceMs, task.id];
}

function compare(left: readonly (number | string)[], right: readonly (number | string)[]): number {
  const at = left.findIndex((value, place) => value !== right[place]);
  return at < 0 ? 0 : left[at]! < right[at]! ? -1 : 1;
}
