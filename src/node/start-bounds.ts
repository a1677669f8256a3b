/**
 * Looks after the start bounds of the shards led here: proposes what is due of tasks that have not
 * started. What is true of them, and that a bound is missed at most once, is decided in apply.
 */
import { TschedError } from '../model/errors.ts';
import { background, type NodeContext } from './context.ts';
import type { ShardLeader } from './shard-leader.ts';
import { itemsMax } from './submit-queue.ts';

export class StartBounds {
  readonly #context: NodeContext;
  readonly #leaders: () => Iterable<ShardLeader>;
  /** Those of whose last proposal nothing is known yet. */
  readonly #asking = new Set<ShardLeader>();
  #stopped = false;
  /** Tasks that expired unstarted, by proposals of this node. */
  dropped = 0;

  constructor(context: NodeContext, leaders: () => Iterable<ShardLeader>) {
    this.#context = context;
    this.#leaders = leaders;
  }

  /** To be called a few times a second. */
  round(): void {
    // A program of an older cluster version would stop at the command.
    if (this.#stopped || this.#context.clusterVersion() < 3) return;
    const wallMs = this.#context.clock.wallMs();
    for (const leader of this.#leaders()) {
      if (!leader.replica.leading || this.#asking.has(leader)) continue;
      const due = leader.machine.overdue(wallMs, itemsMax);
      if (due.length === 0) continue;
      this.#asking.add(leader);
      const asked = this.#ask(leader, due).finally(() => this.#asking.delete(leader));
      background(this.#context, 'start bounds', asked);
    }
  }

  async #ask(
    leader: ShardLeader,
    due: ReturnType<ShardLeader['machine']['overdue']>,
  ): Promise<void> {
    try {
      const replies = await leader.ask({ kind: 'overdue', items: due });
      for (const reply of replies) {
        if (!reply.ok || reply.repeated) continue;
        if (leader.machine.isSettled(reply.taskId)) this.dropped++;
      }
    } catch (error) {
      if (!(error instanceof TschedError)) throw error;
      const { shard } = leader;
      this.#context.log.debug('start bounds were not told', { shard, why: error.message });
    }
  }

  stop(): void {
    this.#stopped = true;
  }
}
