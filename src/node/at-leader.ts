/**
 * Changes of a shard are made by its leader, here or on another node: asked again, with the same
 * IDs, until the answer is known or the time is up. Whatever is asked has to be safe to repeat.
 */
import type { ItemReply } from '../model/command.ts';
import { type ErrorCode, TschedError } from '../model/errors.ts';
import type { ShardId } from '../model/ids.ts';
import type { NodeContext } from './context.ts';
import { decodeReplies } from './forwarded.ts';
import type { Scheduler } from './scheduler.ts';
import type { ShardLeader } from './shard-leader.ts';
import { codeOf } from './submit-replies.ts';
import { within } from './within.ts';

/** A cluster without a majority has to say so within 5 s, the start of the CLI included. */
const writeTimeoutMs = 4_200;
const repeatMs = 40;
/** `forbidden`: the node asked has not heard yet that this one is a member. */
const passing: readonly ErrorCode[] = ['notLeader', 'nodeUnreachable', 'starting', 'forbidden'];

export class AtLeader {
  readonly #context: NodeContext;
  readonly #scheduler: Scheduler;

  constructor(context: NodeContext, scheduler: Scheduler) {
    this.#context = context;
    this.#scheduler = scheduler;
  }

  /** The leader of a shard that this node leads; throws `notLeader` where it does not. */
  here(shard: ShardId): ShardLeader {
    const leader = this.#scheduler.leader(shard);
    if (leader?.replica.leading !== true) {
      throw new TschedError('notLeader', `this node does not lead shard ${shard}`);
    }
    return leader;
  }

  /** Runs `here` where this node leads the shard, else asks the leader, until the time is up. */
  async ask(
    shard: ShardId,
    here: (leader: ShardLeader) => Promise<readonly ItemReply[]>,
    there: () => { readonly method: string; readonly payload: Uint8Array },
  ): Promise<readonly ItemReply[]> {
    const { clock, peers, nodeId } = this.#context;
    const deadlineMs = clock.nowMs() + writeTimeoutMs;
    let unknown = false;
    let request: ReturnType<typeof there> | undefined;
    const late = (): TschedError =>
      new TschedError('outcomeUnknown', `shard ${shard} did not confirm in time`);
    for (;;) {
      const leftMs = deadlineMs - clock.nowMs();
      if (leftMs <= 0) {
        if (unknown) throw late();
        throw new TschedError('noQuorum', `shard ${shard} has no leader that can be reached`, {
          retryAfterMs: 1_000,
        });
      }
      const leaderNode = this.#context.leaderOf(shard);
      try {
        if (leaderNode === nodeId) {
          const leader = this.#scheduler.leader(shard);
          if (leader?.replica.leading === true)
            return await within(clock, here(leader), leftMs, late);
        } else if (leaderNode !== undefined) {
          // Encoded once, however often it is sent.
          const { method, payload } = (request ??= there());
          return decodeReplies(
            await peers.request(leaderNode, method, payload, Math.min(leftMs, 2_500)),
          );
        }
      } catch (error) {
        const code = codeOf(error);
        if (code === 'outcomeUnknown') unknown = true;
        // An earlier attempt may have been taken: no refusal of a later one is the last word then.
        else if (!unknown && !passing.includes(code)) throw error;
      }
      await new Promise<void>(resolve => clock.after(repeatMs, resolve));
    }
  }
}
