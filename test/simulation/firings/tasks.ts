/**
 * The life of the tasks that schedules make, at its shortest: each is assigned, starts and
 * succeeds, or is cancelled before that, and, once it is old enough, leaves the history, so that a
 * year of them fits into memory. To cancel takes one command instead of three, and to a schedule
 * its task is settled either way.
 */
import { type Outcome, systemOutcome } from '../../../src/model/attempt.ts';
import type { ItemReply, ShardCommandBody } from '../../../src/model/command.ts';
import { type TaskId, timeOfId } from '../../../src/model/ids.ts';
import { limits } from '../../../src/model/limits.ts';
import { check } from '../violation.ts';

const itemsMax = 512;
/** Of so many batches of tasks one is run. */
const batchesPerRun = 16;
const to = { node: 'n1', nodeName: 'one', incarnation: 'a' };

interface Settled {
  readonly taskId: TaskId;
  readonly state: 'succeeded' | 'cancelled';
}

type Ask = (body: ShardCommandBody) => readonly ItemReply[];

export class Tasks {
  readonly #digest: Uint8Array;
  #waiting: TaskId[] = [];
  #settled: Settled[] = [];
  #batches = 0;

  constructor(digest: Uint8Array) {
    this.#digest = digest;
  }

  made(id: TaskId): void {
    this.#waiting.push(id);
  }

  /** Runs all that wait, and what follows them, or cancels them. */
  run(ask: Ask, wallMs: number): void {
    const outcome = systemOutcome('succeeded', wallMs, '');
    while (this.#waiting.length > 0) {
      const ids = this.#waiting.splice(0, itemsMax);
      const isRun = this.#batches++ % batchesPerRun === 0;
      if (isRun) runAll(ask, ids, outcome);
      else cancelAll(ask, ids);
      const state = isRun ? ('succeeded' as const) : ('cancelled' as const);
      for (const taskId of ids) this.#settled.push({ taskId, state });
    }
  }

  /** The oldest leave the history. */
  expire(ask: Ask, stateMs: number): void {
    let count = 0;
    for (; count < this.#settled.length; count++) {
      if (timeOfId(this.#settled[count]!.taskId) > stateMs - limits.historyMsMin) break;
    }
    for (let from = 0; from < count; from += itemsMax) {
      const items = this.#settled.slice(from, Math.min(count, from + itemsMax)).map(settled => ({
        ...settled,
        ...{ digest: this.#digest, keyHash: undefined },
      }));
      const replies = ask({ kind: 'expire', items });
      check(
        replies.every(reply => reply.ok && !reply.repeated),
        () => `a settled task does not expire: ${JSON.stringify(replies.find(r => !r.ok))}`,
      );
    }
    this.#settled.splice(0, count);
  }
}

function runAll(ask: Ask, ids: readonly TaskId[], outcome: Outcome): void {
  const items = ids.map(taskId => ({ taskId, ...to }));
  const fenced = ask({ kind: 'assign', items }).map(reply => {
    check(reply.ok, () => `a task that waits is not assigned: ${JSON.stringify(reply)}`);
    return { taskId: reply.taskId, fence: reply.fence ?? 0 };
  });
  const startedAtMs = outcome.endedAtMs;
  ask({ kind: 'start', items: fenced.map(item => ({ ...item, startedAtMs })) });
  ask({ kind: 'finish', items: fenced.map(item => ({ ...item, outcome })) });
}

function cancelAll(ask: Ask, ids: readonly TaskId[]): void {
  const replies = ask({ kind: 'cancel', items: ids.map(taskId => ({ taskId })), reason: '' });
  check(
    replies.every(reply => reply.ok && !reply.repeated),
    () => `a task that waits is not cancelled: ${JSON.stringify(replies.find(r => !r.ok))}`,
  );
}
