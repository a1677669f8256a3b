/**
 * Changes on their way to the leader of their shard, wherever it is: asked for and repeated until
 * the answer is known or the time is up, and taken in where another node asks for them. Repeating
 * is safe, as every change names what it is about.
 */
import type {
  Actor,
  ItemReply,
  ShardCommand,
  ShardCommandBody,
  ShardCommandKind,
} from '../model/command.ts';
import { type ErrorCode, TschedError } from '../model/errors.ts';
import type { ShardId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import type { NodeContext } from './context.ts';
import { decodeForwarded, decodeReplies, encodeForwarded, encodeReplies } from './forwarded.ts';
import type { Scheduler } from './scheduler.ts';
import type { ShardLeader } from './shard-leader.ts';
import { codeOf } from './submit-replies.ts';
import { within } from './within.ts';

/** A cluster without a majority has to say so within 5 s, the start of the CLI included. */
const writeTimeoutMs = 4_200;
const repeatMs = 40;
/** `forbidden`: the node asked has not heard yet that this one is a member. */
const passing: readonly ErrorCode[] = ['notLeader', 'nodeUnreachable', 'starting', 'forbidden'];

type Of<Kind extends ShardCommandKind> = ShardCommand & { readonly kind: Kind };

type Serving = (leader: ShardLeader, command: ShardCommand) => Promise<readonly ItemReply[]>;

export class ShardLeaders {
  readonly #context: NodeContext;
  readonly #scheduler: Pick<Scheduler, 'leader'>;
  readonly #served = new Map<ShardCommandKind, Serving>();
  /** Requests of other nodes that wait for consensus here. */
  #forwardedBytes = 0;

  constructor(context: NodeContext, scheduler: Pick<Scheduler, 'leader'>) {
    this.#context = context;
    this.#scheduler = scheduler;
  }

  /** Says what the leader of a shard does about commands of this kind, asked here or elsewhere. */
  serve<Kind extends ShardCommandKind>(
    kind: Kind,
    run: (leader: ShardLeader, command: Of<Kind>) => Promise<readonly ItemReply[]>,
  ): void {
    const judged: Serving = (leader, command) => {
      if (command.kind !== kind) throw new TschedError('badRequest', `not a ${kind}`);
      return run(leader, command as Of<Kind>);
    };
    this.#served.set(kind, judged);
    this.#context.peers.handle(kind, (_from, payload) =>
      this.forwarded(payload, async (shard, command) => judged(this.leading(shard), command)),
    );
  }

  /** Asks the leader of a shard for what it serves under the kind of the command. */
  change(shard: ShardId, body: ShardCommandBody, actor: Actor): Promise<readonly ItemReply[]> {
    const command = { ...body, actor, atMs: 0 } as ShardCommand;
    return this.ask(
      shard,
      async leader => this.#served.get(body.kind)!(leader, command),
      () => ({ method: body.kind, payload: encodeForwarded(shard, command) }),
    );
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

  /** Runs what another node forwards, its bytes bounded. */
  async forwarded(
    payload: Uint8Array,
    run: (shard: ShardId, command: ShardCommand) => Promise<readonly ItemReply[]>,
  ): Promise<Uint8Array> {
    const bytes = payload.length;
    if (this.#forwardedBytes + bytes > limits.forwardedBytesInFlightMax) {
      throw new TschedError('overloaded', 'too much of other nodes waits for consensus here');
    }
    this.#forwardedBytes += bytes;
    try {
      const { shard, command } = decodeForwarded(payload);
      return encodeReplies(await run(shard, command), this.#context.clusterVersion());
    } finally {
      this.#forwardedBytes -= bytes;
    }
  }

  /** Throws `notLeader` where this node does not lead the shard. */
  leading(shard: ShardId): ShardLeader {
    const leader = this.#scheduler.leader(shard);
    if (leader?.replica.leading !== true) {
      throw new TschedError('notLeader', `this node does not lead shard ${shard}`);
    }
    return leader;
  }
}
