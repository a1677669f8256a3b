/**
 * Tells the other nodes what this one has: by gossip every second, which also says that it lives,
 * and sooner where something changed. In a large cluster both come later, as what each node has to
 * read grows with the number of nodes: that is bounded, not the age of what is read.
 */
import { decodeAdvertisement } from '../model/advertisement.ts';
import type { NodeId } from '../model/ids.ts';
import type { Gossip } from '../ports/transport.ts';
import type { NodeContext } from './context.ts';
import type { RegistryClient } from './registry-client.ts';
import type { Scheduler } from './scheduler.ts';
import type { WorkerHost } from './worker-host.ts';

const everyMs = 1_000;
/** Gossip that a node reads, checks and passes on in a second, once there are as many nodes. */
const gossipPerSecondMax = 500;
/** Resources that changed are told at most this often. */
const soonMs = 100;
/** So much of that reaches a node in a second at most, once there are as many. */
const toldPerSecondMax = 2_000;
/** Up to so many nodes are all told of it; beyond, those that place tasks. */
const toldAllMax = 16;

export class Advertiser {
  readonly #context: NodeContext;
  readonly #gossip: Gossip;
  readonly #worker: () => WorkerHost;
  readonly #scheduler: Scheduler;
  readonly #registry: RegistryClient;
  #toldMs = -everyMs;
  /** What the last gossip said that this node leads. */
  #gossipedLeads = '';
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
    deps.scheduler.demand.onHeads = () => this.soon();
  }

  start(): void {
    if (this.#stopped) return;
    this.#publish(this.#renew());
    const pauseMs = Math.max(everyMs, (1_000 * this.#nodes().length) / gossipPerSecondMax);
    this.#context.clock.after(pauseMs, () => this.start());
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Something changed that others place by. */
  soon(): void {
    if (this.#planned || this.#stopped) return;
    this.#planned = true;
    const sinceMs = this.#context.clock.nowMs() - this.#toldMs;
    const pauseMs = Math.max(soonMs, (1_000 * this.#nodes().length) / toldPerSecondMax);
    this.#context.clock.after(Math.max(0, pauseMs - sinceMs), () => {
      this.#planned = false;
      if (!this.#stopped) this.#tell();
    });
  }

  #nodes(): readonly { readonly id: NodeId }[] {
    return this.#registry.machine()?.nodes() ?? [];
  }

  /**
   * Over each node's own connection: gossip signs a message and has everybody verify it and pass it
   * on, which costs more than all else that a short task takes. Only who leads is news to all.
   */
  #tell(): void {
    const { nodeId, peers } = this.#context;
    const told = this.#renew();
    const nodes = this.#nodes();
    const areFew = nodes.length <= toldAllMax + 1;
    if (!areFew && told.leads !== this.#gossipedLeads) {
      this.#publish(told);
      return;
    }
    for (const id of areFew ? nodes.map(node => node.id) : this.#leading()) {
      if (id !== nodeId && peers.connected(id)) peers.to(id).advert(told.bytes);
    }
  }

  /** Nodes that lead shards, by their own last word: they place tasks. */
  #leading(): NodeId[] {
    const leading = this.#scheduler.views().filter(view => view.advertisement.leads.length > 0);
    return leading.map(view => view.advertisement.node);
  }

  #publish({ bytes, leads }: { readonly bytes: Uint8Array; readonly leads: string }): void {
    this.#gossipedLeads = leads;
    this.#gossip.publish(bytes);
  }

  #renew(): { readonly bytes: Uint8Array; readonly leads: string } {
    this.#toldMs = this.#context.clock.nowMs();
    const worker = this.#worker();
    worker.refresh();
    const bytes = worker.advertisementBytes();
    const advertisement = decodeAdvertisement(bytes);
    this.#scheduler.know(advertisement);
    return { bytes, leads: advertisement.leads.join(' ') };
  }
}
