/**
 * The rules of a shard again, as plainly as they can be said: one object per task, nothing packed,
 * nothing forgotten, every question answered by looking at all tasks. The real machine has to
 * agree.
 */
import type { OutcomeKind } from '../../src/model/attempt.ts';
import type { PlacementItem, ShardCommand, SubmitItem } from '../../src/model/command.ts';
import { parseTaskId, slotOfId } from '../../src/model/ids.ts';
import { limits } from '../../src/model/limits.ts';
import { keySlot } from '../../src/model/slots.ts';
import { decodeSpec, type TaskSpec } from '../../src/model/spec.ts';
import { isSettled, type TaskState } from '../../src/model/task.ts';

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
  node: string | undefined;
  cancelled: boolean;
  readySinceMs: number;
  backedOff: boolean;
  /** Of a gang: what it is called, and its place in it. */
  gang: { readonly id: string; readonly rank: number } | undefined;
  recall: 'again' | 'counts' | 'over' | undefined;
  avoid: string[];
  ended: { fence: number; node: string; kind: OutcomeKind }[];
}

/** A reply without its message. */
export interface ModelReply {
  readonly said: string;
  readonly taskId: string;
  readonly fence?: number | undefined;
}

const ok = (taskId: string, fence?: number): ModelReply => ({ said: 'ok', taskId, fence });
const repeated = (taskId: string): ModelReply => ({ said: 'repeated', taskId });

export class ShardModel {
  readonly tasks = new Map<string, ModelTask>();
  nowMs = 0;
  #lastStampMs = 0;
  #epoch = 0;
  /** Newest instant in the ID of a task that expired. */
  #expiredToMs = 0;
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
        return command.items.map(item => this.#start(item.taskId, item.fence));
      case 'finish':
        return command.items.map(item => this.#end(item.taskId, item.fence, item.outcome.kind));
      case 'lose':
        return command.items.map(item => this.#end(item.taskId, item.fence, 'lost'));
      case 'cancel':
        this.#along.clear();
        return command.items.map(item => this.#cancel(item.taskId));
      case 'recover':
        this.#epoch = Math.max(this.#epoch + 1, command.epoch);
        return [];
      case 'expire':
        return command.items.map(item => this.#expire(item.taskId));
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
    if (spec.idempotencyKey !== undefined) {
      if (keySlot(spec) !== slotOfId(id as never)) return { said: 'badId', taskId: id };
      for (const task of this.tasks.values()) {
        if (task.spec.tenant !== spec.tenant) continue;
        if (task.spec.idempotencyKey !== spec.idempotencyKey) continue;
        const isSame = task.specBytes === specBytes;
        return isSame ? repeated(task.id) : { said: 'keyConflict', taskId: id };
      }
    }
    const { atMs } = parseTaskId(id)!;
    if (atMs <= this.#expiredToMs) return { said: 'idExpired', taskId: id };
    this.tasks.set(id, {
      id,
      spec,
      specBytes,
      state: 'waiting',
      fence: 0,
      assigned: 0,
      runs: 0,
      lost: 0,
      node: undefined,
      cancelled: false,
      readySinceMs: this.#readyBaseMs(),
      backedOff: false,
      gang: undefined,
      recall: undefined,
      avoid: [],
      ended: [],
    });
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
    if (task.state !== 'waiting' || task.gang) return { said: 'badRequest', taskId: id };
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
    if (gang.length === 0 || !isAll || gang.some(task => task.state !== 'waiting')) {
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
    task.recall = undefined;
    const gang = this.#gangOf(task);
    task.state = task.cancelled ? 'cancelled' : 'waiting';
    if (task.state === 'waiting') this.#recall(gang, 'again');
    return ok(id);
  }

  #start(id: string, fence: number): ModelReply {
    const missing = this.#missing(id);
    if (missing) return missing;
    const task = this.tasks.get(id)!;
    if (task.node === undefined || task.fence !== fence) return { said: 'badRequest', taskId: id };
    if (task.state === 'running') return repeated(id);
    task.state = 'running';
    return ok(id);
  }

  #end(id: string, fence: number, kind: OutcomeKind): ModelReply {
    const task = this.tasks.get(id);
    if (task === undefined || isSettled(task.state)) return repeated(id);
    const { node } = task;
    if (node === undefined || fence !== task.fence) {
      return fence <= task.fence ? repeated(id) : { said: 'badRequest', taskId: id };
    }
    const { recall } = task;
    if (recall && !task.cancelled && kind !== 'succeeded') {
      this.#endRecalled(task, recall, kind);
      return ok(id);
    }
    const gang = this.#gangOf(task);
    task.node = undefined;
    task.recall = undefined;
    task.ended.push({ fence, node, kind });
    if (kind === 'lost') task.lost++;
    else task.runs++;
    if (kind === 'succeeded') task.state = 'succeeded';
    else if (kind === 'cancelled' || task.cancelled) task.state = 'cancelled';
    else if (kind === 'lost') {
      task.state = task.lost >= limits.lostMax ? 'aborted' : 'waiting';
      if (task.state === 'waiting') task.readySinceMs = this.#readyBaseMs();
    } else if (task.runs >= task.spec.attempts) task.state = 'failed';
    else {
      const { initialMs, maxMs } = task.spec.backoff;
      task.state = 'waiting';
      this.#backOff(task, initialMs, maxMs);
      task.avoid = [...task.avoid.filter(other => other !== node), node];
    }
    const others = gang.filter(other => other !== task);
    if (task.state === 'waiting') this.#recall(others, kind === 'lost' ? 'again' : 'counts');
    else if (task.state !== 'succeeded') this.#recall(others, 'over');
    return ok(id);
  }

  #backOff(task: ModelTask, initialMs: number, maxMs: number): void {
    const pauseMs = Math.min(maxMs, initialMs * 2 ** (task.runs - 1));
    task.readySinceMs = this.#readyBaseMs() + pauseMs;
    task.backedOff = pauseMs > 0;
  }

  /** The end of an attempt that was recalled, or its refusal where there is no `kind`. */
  #endRecalled(task: ModelTask, recall: string, kind: OutcomeKind | undefined): void {
    const { fence, node } = task;
    if (kind !== undefined && task.state === 'running') {
      task.ended.push({ fence, node: node!, kind });
    }
    task.node = undefined;
    task.recall = undefined;
    task.state = recall === 'over' ? 'aborted' : 'waiting';
    if (recall !== 'counts') return;
    task.runs++;
    const { initialMs, maxMs } = task.spec.backoff;
    const since = task.readySinceMs;
    this.#backOff(task, initialMs, maxMs);
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
      one.state = 'cancelled';
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

  count(state: TaskState): number {
    return [...this.tasks.values()].filter(task => task.state === state).length;
  }

  /** Those that wait, of gangs only the first, and only if all that is left of the gang waits. */
  queued(): ModelTask[] {
    return [...this.tasks.values()].filter(task => {
      const gang = this.#gangOf(task);
      const stands = gang.length === 0 || gang[0] === task;
      return task.state === 'waiting' && stands && gang.every(({ state }) => state === 'waiting');
    });
  }

  /** IDs of the tasks that are ready at an instant, oldest first. */
  ready(nowMs: number): string[] {
    return this.queued()
      .filter(task => !task.backedOff || task.readySinceMs <= nowMs)
      .sort((left, right) =>
        left.readySinceMs !== right.readySinceMs
          ? left.readySinceMs - right.readySinceMs
          : left.id < right.id
            ? -1
            : 1,
      )
      .map(task => task.id);
  }
}
