/**
 * The rules of a shard again, as plainly as they can be said: one object per task, nothing packed,
 * nothing forgotten, every question answered by looking at all tasks. The real machine has to
 * agree.
 */
import { isDeepStrictEqual } from 'node:util';
import type { OutcomeKind } from '../../src/model/attempt.ts';
import type { ShardCommand } from '../../src/model/command.ts';
import { parseTaskId, slotOfId } from '../../src/model/ids.ts';
import { limits } from '../../src/model/limits.ts';
import { keySlot } from '../../src/model/slots.ts';
import { decodeSpec, type TaskSpec } from '../../src/model/spec.ts';
import type { SpecOverrides } from '../../src/model/spec-overrides.ts';
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

  apply(command: ShardCommand): ModelReply[] {
    this.#passTime(command.atMs);
    switch (command.kind) {
      case 'submit':
        return command.items.map(item => this.#submit(item.id, command.specs[item.spec]!.bytes));
      case 'assign':
        return command.items.map(item => this.#assign(item.taskId, item.node));
      case 'unassign':
        return command.items.map(item => this.#unassign(item.taskId, item.fence));
      case 'start':
        return command.items.map(item => this.#start(item.taskId, item.fence));
      case 'finish':
        return command.items.map(item => this.#end(item.taskId, item.fence, item.outcome.kind));
      case 'lose':
        return command.items.map(item => this.#end(item.taskId, item.fence, 'lost'));
      case 'cancel':
        return command.items.map(item => this.#cancel(item.taskId));
      case 'recover':
        this.#epoch = Math.max(this.#epoch + 1, command.epoch);
        return [];
      case 'expire':
        return command.items.map(item => this.#expire(item.taskId));
      case 'pause':
        return command.items.map(item => this.#pause(item.taskId, command.suspend));
      case 'resume':
        return command.items.map(item => this.#resume(item.taskId));
      case 'update':
        return command.items.map(item => this.#update(item.taskId, command.overrides));
      case 'suspended':
        return command.items.map(item => this.#suspended(item.taskId, item.fence, item.suspended));
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
      avoid: [],
      backedOff: false,
      paused: 'no',
      suspended: false,
      changed: {},
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
    if (task.state !== 'waiting' || task.paused !== 'no') return { said: 'badRequest', taskId: id };
    task.state = 'assigned';
    task.backedOff = false;
    task.assigned++;
    task.fence = this.#epoch * 2 ** 32 + task.assigned;
    task.node = node;
    return ok(id, task.fence);
  }

  #unassign(id: string, fence: number): ModelReply {
    const missing = this.#missing(id);
    if (missing) return missing;
    const task = this.tasks.get(id)!;
    if (task.node === undefined || task.fence !== fence || task.state !== 'assigned') {
      return { said: 'badRequest', taskId: id };
    }
    task.node = undefined;
    task.suspended = false;
    task.state = task.cancelled ? 'cancelled' : 'waiting';
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
    task.node = undefined;
    task.suspended = false;
    task.ended.push({ fence, node, kind });
    if (kind === 'lost') task.lost++;
    else task.runs++;
    if (kind === 'succeeded') task.state = 'succeeded';
    else if (kind === 'cancelled' || task.cancelled) task.state = 'cancelled';
    else if (kind === 'lost') {
      task.state = task.lost >= limits.lostMax ? 'aborted' : 'waiting';
      if (task.state === 'waiting') task.readySinceMs = this.#readyBaseMs();
    } else if (task.runs >= this.#terms(task).attempts) task.state = 'failed';
    else {
      const { initialMs, maxMs } = this.#terms(task).backoff;
      const pauseMs = Math.min(maxMs, initialMs * 2 ** (task.runs - 1));
      task.state = 'waiting';
      task.backedOff = pauseMs > 0;
      task.readySinceMs = this.#readyBaseMs() + pauseMs;
      task.avoid = [...task.avoid.filter(other => other !== node), node];
    }
    return ok(id);
  }

  #cancel(id: string): ModelReply {
    const missing = this.#missing(id);
    if (missing) return missing;
    const task = this.tasks.get(id)!;
    if (task.cancelled) return repeated(id);
    task.cancelled = true;
    if (task.state === 'waiting') task.state = 'cancelled';
    return ok(id);
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

  /** The spec with what was changed of it. */
  #terms(task: ModelTask): TaskSpec {
    return { ...task.spec, ...task.changed };
  }

  #pause(id: string, suspend: boolean): ModelReply {
    const missing = this.#missing(id);
    if (missing) return missing;
    const task = this.tasks.get(id)!;
    const wanted = suspend ? 'suspend' : 'placement';
    if (task.paused === wanted || task.paused === 'suspend') return repeated(id);
    task.paused = wanted;
    return ok(id);
  }

  #resume(id: string): ModelReply {
    const missing = this.#missing(id);
    if (missing) return missing;
    const task = this.tasks.get(id)!;
    if (task.paused === 'no') return repeated(id);
    task.paused = 'no';
    // It stands in the queue as of now, unless it backs off still.
    const waits = task.state === 'waiting' && !task.backedOff;
    if (waits) task.readySinceMs = this.#readyBaseMs();
    return ok(id);
  }

  #update(id: string, overrides: SpecOverrides): ModelReply {
    const missing = this.#missing(id);
    if (missing) return missing;
    const task = this.tasks.get(id)!;
    const onlyCap = Object.keys(overrides).every(name => name === 'capMs');
    if (!onlyCap && task.state !== 'waiting') return { said: 'notWaiting', taskId: id };
    if (overrides.attempts !== undefined && overrides.attempts <= task.runs) {
      return { said: 'badRequest', taskId: id };
    }
    const changed = { ...task.changed, ...overrides };
    const known = Object.keys(overrides).every(name => name in task.changed);
    if (known && isDeepStrictEqual(changed, task.changed)) return repeated(id);
    task.changed = changed;
    return ok(id);
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

  /** IDs of the tasks that are ready at an instant, oldest first. */
  ready(nowMs: number): string[] {
    return [...this.tasks.values()]
      .filter(
        task => task.state === 'waiting' && task.paused === 'no' && task.readySinceMs <= nowMs,
      )
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
