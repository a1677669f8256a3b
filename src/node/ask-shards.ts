/**
 * Asking for many shards at once: each at its leader, which asks a majority, else at whoever holds
 * a replica. What could not be confirmed is named, and so is what nobody answered for.
 */
import { TschedError } from '../model/errors.ts';
import type { NodeId, ShardId } from '../model/ids.ts';
import type { NodeContext } from './context.ts';
import { readTimeoutMs, type ShardAccess } from './shard-access.ts';
import { within } from './within.ts';

/** A leader that no majority confirms within this answers for itself alone, and says so. */
const confirmMs = 1_000;
/** For those that are asked where the leader did not answer. */
const secondMs = 1_000;

/** Part of every such request. */
export interface Asked {
  readonly shards: readonly ShardId[];
  /** No majority is asked: the answer is what the replicas there have. */
  readonly local: boolean;
}

/** Part of every answer to one. */
export interface Answered {
  /** Shards asked for that have no replica there any more. */
  readonly missing: readonly ShardId[];
  /** Shards whose replica there could not confirm with a majority what is the newest. */
  readonly stale: readonly ShardId[];
}

/** What came back for all shards that were asked for. */
export interface Gathered<T> extends Answered {
  readonly answers: readonly T[];
}

const ascending = (left: number, right: number): number => left - right;

export class ShardQuestions {
  readonly #context: NodeContext;
  readonly #access: ShardAccess;

  constructor(context: NodeContext, access: ShardAccess) {
    this.#context = context;
    this.#access = access;
  }

  /** With `local` no leader is asked, but the nearest replica of each shard. */
  async ask<T extends Answered>(method: string, asked: Asked, body: object): Promise<Gathered<T>> {
    const { peers } = this.#context;
    const leaders = new Map<ShardId, NodeId>();
    for (const shard of asked.local ? [] : asked.shards) {
      const leader = this.#context.leaderOf(shard);
      if (leader !== undefined && peers.connected(leader)) leaders.set(shard, leader);
    }
    const led = asked.shards.filter(shard => leaders.has(shard));
    const leaderless = asked.shards.filter(shard => !leaders.has(shard));
    const [first, held] = await Promise.all([
      this.#round<T>(method, led, body, shard => leaders.get(shard), false),
      this.#round<T>(method, leaderless, body, shard => this.#access.holders(shard)[0], true),
    ]);
    // A leader that does not answer may be cut off: another replica knows nearly as much.
    const elsewhere = (shard: ShardId): NodeId | undefined =>
      this.#access.holders(shard).find(node => node !== leaders.get(shard));
    const second = await this.#round<T>(method, first.missing, body, elsewhere, true);
    return {
      answers: [...first.answers, ...held.answers, ...second.answers],
      missing: [...held.missing, ...second.missing].sort(ascending),
      stale: [...first.stale, ...held.stale, ...second.stale].sort(ascending),
    };
  }

  async #round<T extends Answered>(
    method: string,
    shards: readonly ShardId[],
    body: object,
    nodeFor: (shard: ShardId) => NodeId | undefined,
    local: boolean,
  ): Promise<Gathered<T>> {
    const byNode = new Map<NodeId, ShardId[]>();
    const missing: ShardId[] = [];
    for (const shard of shards) {
      const node = nodeFor(shard);
      if (node === undefined) missing.push(shard);
      else byNode.set(node, [...(byNode.get(node) ?? []), shard]);
    }
    const answers: T[] = [];
    const stale: ShardId[] = [];
    await Promise.all(
      [...byNode].map(async ([node, mine]) => {
        try {
          const limitMs = local ? secondMs : readTimeoutMs;
          const request = { shards: mine, local, ...body };
          const answer = await this.#context.peers.ask<T>(node, method, request, limitMs);
          answers.push(answer);
          missing.push(...answer.missing);
          stale.push(...answer.stale);
        } catch (error) {
          if (!(error instanceof TschedError)) throw error;
          missing.push(...mine);
        }
      }),
    );
    return { answers, missing, stale };
  }

  /** Shards of which this node cannot say, with a majority, that it knows the newest. */
  async unconfirmed({ shards, local }: Asked): Promise<ShardId[]> {
    if (local) return [...shards];
    const { loop, clock } = this.#context;
    const late = (): TschedError => new TschedError('notLeader', 'not confirmed in time');
    const sure = await Promise.all(
      shards.map(async shard => {
        const replica = loop.replica(shard);
        if (replica?.leading !== true) return false;
        try {
          await within(clock, loop.read(replica), confirmMs, late);
          return true;
        } catch (error) {
          if (error instanceof TschedError) return false;
          throw error;
        }
      }),
    );
    return shards.filter((_, position) => sure[position] === false);
  }
}
