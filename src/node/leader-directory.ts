/** Who leads which group, as far as this node knows: by its own replica, else by hints. */
import { type NodeId, registryGroup, type ShardId } from '../model/ids.ts';
import type { RegistryMachine } from '../registry/machine.ts';
import type { DriveLoop } from './drive-loop.ts';
import type { Peers } from './peers.ts';
import type { Scheduler } from './scheduler.ts';

export class LeaderDirectory {
  readonly #loop: DriveLoop;
  readonly #peers: Peers;
  readonly #scheduler: Scheduler;
  readonly #registry: () => RegistryMachine | undefined;

  constructor(deps: {
    readonly loop: DriveLoop;
    readonly peers: Peers;
    readonly scheduler: Scheduler;
    readonly registry: () => RegistryMachine | undefined;
  }) {
    this.#loop = deps.loop;
    this.#peers = deps.peers;
    this.#scheduler = deps.scheduler;
    this.#registry = deps.registry;
  }

  leaderOf(group: ShardId): NodeId | undefined {
    const replica = this.#loop.replica(group);
    if (replica !== undefined) {
      if (replica.leading) return this.#peers.self;
      const leader = replica.leaderNode;
      if (leader !== undefined) return leader === this.#peers.self ? undefined : leader;
      if (replica.descriptor.conf.voters.includes(replica.id)) return undefined;
    }
    return this.#hinted(group);
  }

  /**
   * Without a replica here: who advertises that it leads, newest first; else the registry's word.
   */
  #hinted(group: ShardId): NodeId | undefined {
    if (group !== registryGroup) {
      let best: { node: NodeId; ageMs: number } | undefined;
      for (const view of this.#scheduler.views()) {
        const { advertisement, ageMs } = view;
        if (!advertisement.leads.includes(group) || !this.#peers.connected(advertisement.node))
          continue;
        if (best === undefined || ageMs < best.ageMs) best = { node: advertisement.node, ageMs };
      }
      if (best !== undefined) return best.node;
    }
    const leader = this.#registry()?.group(group)?.leader;
    return leader !== undefined && this.#peers.connected(leader) ? leader : undefined;
  }

  /** Shards led here; without any, those with a leader that is connected. */
  writableShards(): ShardId[] {
    const here: ShardId[] = [];
    for (const leader of this.#scheduler.leaders())
      if (leader.replica.leading) here.push(leader.shard);
    if (here.length > 0) return here;
    const shards = this.#registry()?.cluster()?.shards ?? 0;
    const others: ShardId[] = [];
    for (let shard = 1; shard <= shards; shard++) {
      const leader = this.leaderOf(shard);
      if (leader !== undefined && this.#peers.connected(leader)) others.push(shard);
    }
    return others;
  }
}
