/**
 * The newest fence of each task that was refused or has ended on this node. Pure, bounded.
 *
 * A repeated or late dispatch must get the answer that the first one got: the leader may have given
 * the task to another node on the strength of it.
 */
import type { TaskId } from '../model/ids.ts';
import type { Refusal } from '../model/worker-protocol.ts';

/** Tasks remembered: at 1,500 attempts a second, ten seconds of them. */
const fenceMemoryMax = 16_384;

/** `settled`: it was accepted; whatever became of it, the shard knows or will be told. */
export type FenceAnswer = 'settled' | Refusal;

export class FenceMemory {
  readonly #newest = new Map<TaskId, { readonly fence: number; readonly answer: FenceAnswer }>();

  remember(taskId: TaskId, fence: number, answer: FenceAnswer): void {
    const known = this.#newest.get(taskId);
    if (known !== undefined && known.fence > fence) return;
    this.#newest.delete(taskId);
    this.#newest.set(taskId, { fence, answer });
    if (this.#newest.size <= fenceMemoryMax) return;
    for (const oldest of this.#newest.keys()) {
      this.#newest.delete(oldest);
      break;
    }
  }

  /** The answer that (task, fence) got, or `undefined` where it is new here. */
  recall(taskId: TaskId, fence: number): FenceAnswer | undefined {
    const known = this.#newest.get(taskId);
    if (known === undefined || known.fence < fence) return undefined;
    // A lower fence is over by definition: a higher one was assigned after it.
    return known.fence === fence ? known.answer : 'noLease';
  }
}
