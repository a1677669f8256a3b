/** Messages between shards' leaders and workers, over the wire or within this node. */
import { DecodeError } from '../model/bytes.ts';
import type { NodeId, ShardId } from '../model/ids.ts';
import { decodeFromWorker, decodeToWorker, type ToWorker } from '../model/worker-protocol.ts';
import type { NodeContext } from './context.ts';
import type { Scheduler } from './scheduler.ts';
import type { ShardLeader } from './shard-leader.ts';
import type { WorkerHost } from './worker-host.ts';

export class WorkerWire {
  readonly #context: NodeContext;
  readonly #worker: () => WorkerHost;
  readonly #scheduler: () => Scheduler;

  constructor(deps: {
    readonly context: NodeContext;
    readonly worker: () => WorkerHost;
    readonly scheduler: () => Scheduler;
  }) {
    this.#context = deps.context;
    this.#worker = deps.worker;
    this.#scheduler = deps.scheduler;
  }

  tellWorker(node: NodeId, message: ToWorker, encode: () => Uint8Array): void {
    const { clock, nodeId, peers } = this.#context;
    if (node !== nodeId) peers.to(node).toWorker(encode());
    else clock.after(0, () => this.#worker().onMessage(node, message));
  }

  onToWorker(from: NodeId, bytes: Uint8Array): void {
    const message = this.#decoded(from, () => decodeToWorker(bytes));
    if (message !== undefined) this.#worker().onMessage(from, message);
  }

  onFromWorker(from: NodeId, bytes: Uint8Array): void {
    const message = this.#decoded(from, () => decodeFromWorker(bytes));
    if (message !== undefined) this.leaderFor(message.shard)?.onWorker(from, message);
  }

  /** The leader of a shard, where it is here and may act. */
  leaderFor(shard: ShardId): ShardLeader | undefined {
    const leader = this.#scheduler().leader(shard);
    return leader?.replica.leading === true ? leader : undefined;
  }

  #decoded<T>(from: NodeId, decode: () => T): T | undefined {
    try {
      return decode();
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      const { peers, log } = this.#context;
      peers.badFrames++;
      log.warn('dropped a message that cannot be read', { peer: from, why: error.message });
      return undefined;
    }
  }
}
