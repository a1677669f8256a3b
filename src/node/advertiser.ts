/**
 * Tells the other nodes what this one has: by gossip every second, which also says that it lives,
 * and sooner where something changed.
 */
import { decodeAdvertisement } from '../model/advertisement.ts';
import type { Gossip } from '../ports/transport.ts';
import type { NodeContext } from './context.ts';
import type { RegistryClient } from './registry-client.ts';
import type { Scheduler } from './scheduler.ts';
import type { WorkerHost } from './worker-host.ts';

const everyMs = 1_000;
/** Resources that changed are told at most this often. */
const soonMs = 100;
/** Up to so many nodes that is said to each of them directly; beyond, by gossip. */
const directlyMax = 16;

export class Advertiser {
  readonly #context: NodeContext;
  readonly #gossip: Gossip;
  readonly #worker: () => WorkerHost;
  readonly #scheduler: Scheduler;
  readonly #registry: RegistryClient;
  #toldMs = -everyMs;
  #planned = false;
  #stopped = false;

  constructor(deps: {
    readonly context: NodeContext;
    readonly gossip: Gossip;
    readonly worker: () => WorkerHost;
    readonly scheduler: Scheduler;
    readonly registry: RegistryClient;
  }) {
    this.#context = deps.context;
    this.#gossip = deps.gossip;
    this.#worker = deps.worker;
    this.#scheduler = deps.scheduler;
    this.#registry = deps.registry;
  }

  start(): void {
    if (this.#stopped) return;
    this.#gossip.publish(this.#renew());
    this.#context.clock.after(everyMs, () => this.start());
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Something changed that others place by. */
  soon(): void {
    if (this.#planned || this.#stopped) return;
    this.#planned = true;
    const sinceMs = this.#context.clock.nowMs() - this.#toldMs;
    this.#context.clock.after(Math.max(0, soonMs - sinceMs), () => {
      this.#planned = false;
      if (!this.#stopped) this.#tell();
    });
  }

  /**
   * Over each node's own connection, where they are few: gossip signs a message and has everybody
   * verify it and pass it on, which costs more than all else that a short task takes.
   */
  #tell(): void {
    const { nodeId, peers } = this.#context;
    const nodes = this.#registry.machine()?.nodes() ?? [];
    const others = nodes.filter(({ id }) => id !== nodeId && peers.connected(id));
    const bytes = this.#renew();
    if (others.length > directlyMax) this.#gossip.publish(bytes);
    else for (const { id } of others) peers.to(id).advert(bytes);
  }

  #renew(): Uint8Array {
    this.#toldMs = this.#context.clock.nowMs();
    const worker = this.#worker();
    worker.refresh();
    const bytes = worker.advertisementBytes();
    this.#scheduler.know(decodeAdvertisement(bytes));
    return bytes;
  }
}
