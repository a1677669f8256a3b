/**
 * What a leader puts into the log of its shard.
 *
 * State time takes a jump of more than a minute whole only where two commands in a row claim it
 * (ADR 0015). The first one after a quiet hour would be dated an hour ago: `--in 10m` would be over
 * at once, and so would `--expire` and every start bound. So a command without items goes before
 * it, which makes it the second; both are in the same batch of the disk.
 *
 * Not where the leader's own clock was set meanwhile, as the clock that is never set knows: one
 * wrong stamp moves a shard by a minute at most, as it ever did.
 */
import { encodeShardCommand, type ItemReply, type ShardCommand } from '../model/command.ts';
import type { ShardMachine } from '../shard/machine.ts';
import { timeJumpMaxMs } from '../shard/state-time.ts';
import { background, type NodeContext } from './context.ts';
import type { Replica } from './replica.ts';

export class ShardProposals {
  readonly #context: NodeContext;
  readonly #replica: Replica;
  readonly #machine: ShardMachine;
  /** The newest stamp of this leader, and when that was by the clock that is never set. */
  #last: { readonly stampMs: number; readonly bootMs: number } | undefined;

  constructor(context: NodeContext, replica: Replica, machine: ShardMachine) {
    this.#context = context;
    this.#replica = replica;
    this.#machine = machine;
  }

  /** Resolves with a reply for each item once the command is applied. */
  async propose(command: ShardCommand): Promise<readonly ItemReply[]> {
    const { actor, atMs } = command;
    if (this.#isLate(atMs)) {
      // Of this kind because nodes of every version know it.
      const work = this.#put({ kind: 'unassign', items: [], actor, atMs });
      background(this.#context, 'state time', work);
    }
    return await this.#put(command);
  }

  async #put(command: ShardCommand): Promise<readonly ItemReply[]> {
    const applied = await this.#context.loop.propose(this.#replica, encodeShardCommand(command));
    return applied.replies as readonly ItemReply[];
  }

  /** Whether the shard would date by an older time what is stamped with this one. */
  #isLate(stampMs: number): boolean {
    const bootMs = this.#context.clock.bootMs();
    const before = this.#last;
    const knownMs = Math.max(this.#machine.nowMs, before?.stampMs ?? 0);
    this.#last = { stampMs, bootMs };
    if (stampMs - knownMs <= timeJumpMaxMs) return false;
    return (
      before === undefined || stampMs - before.stampMs <= bootMs - before.bootMs + timeJumpMaxMs
    );
  }
}
