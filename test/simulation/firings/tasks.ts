/**
 * The life of the tasks that schedules make, at its shortest: each is assigned, starts, succeeds
 * and, once it is old enough, leaves the history, so that a year of them fits into memory.
 */
import { systemOutcome } from '../../../src/model/attempt.ts';
import type { ItemReply, ShardCommandBody } from '../../../src/model/command.ts';
import { type TaskId, timeOfId } from '../../../src/model/ids.ts';
import { limits } from '../../../src/model/limits.ts';
import { check } from '../violation.ts';

const itemsMax = 512;
const to = { node: 'n1', nodeName: 'one', incarnation: 'a' };

type Ask = (body: ShardCommandBody) => readonly ItemReply[];

export class Tasks {
  readonly #digest: Uint8Array;
  #waiting: TaskId[] = [];
  #settled: TaskId[] = [];

  constructor(digest: Uint8Array) {
    this.#digest = digest;
  }

  made(id: TaskId): void {
    this.#waiting.push(id);
  }

  /** Runs all that wait, and what follows them. */
  run(ask: Ask, wallMs: number): void {
    const outcome = systemOutcome('succeeded', wallMs, '');
    while (this.#waiting.length > 0) {
      const ids = this.#waiting.splice(0, itemsMax);
      const items = ids.map(taskId => ({ taskId, ...to }));
      const fenced = ask({ kind: 'assign', items }).map(reply => {
        check(reply.ok, () => `a task that waits is not assigned: ${JSON.stringify(reply)}`);
        return { taskId: reply.taskId, fence: reply.fence ?? 0 };
      });
      ask({ kind: 'start', items: fenced.map(item => ({ ...item, startedAtMs: wallMs })) });
      ask({ kind: 'finish', items: fenced.map(item => ({ ...item, outcome })) });
      this.#settled.push(...ids);
    }
  }

  /** The oldest leave the history. */
  expire(ask: Ask, stateMs: number): void {
    let count = 0;
    for (; count < this.#settled.length; count++) {
      if (timeOfId(this.#settled[count]!) > stateMs - limits.historyMsMin) break;
    }
    for (let from = 0; from < count; from += itemsMax) {
      const items = this.#settled.slice(from, Math.min(count, from + itemsMax)).map(taskId => ({
        ...{ taskId, state: 'succeeded' as const },
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
