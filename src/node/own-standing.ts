/**
 * What the registry says of this node, and what this node does about it.
 *
 * - Draining: the worker takes nothing any more; at the deadline what still runs is ended, and runs
 *   again elsewhere.
 * - Too old: the cluster version is above what this program reads. This process ends.
 * - Removed: this process ends. A node that was away asks its peers, since nobody speaks to it.
 * - Started: until somebody has said that this store has not been started later than now, a replica
 *   here hears nothing, so that a disk that was rolled back never votes under its old identity
 *   (research: lost disks). The registry says so by taking the registration. Where the registry
 *   itself needs this node's vote, its other voters say so one by one, from their own copies: with
 *   this node, a majority of them.
 */
import { TschedError } from '../model/errors.ts';
import { type NodeId, registryGroup } from '../model/ids.ts';
import type { NodeState } from '../registry/state.ts';
import { background, type NodeContext } from './context.ts';
import type { RegistryClient } from './registry-client.ts';
import type { WorkerHost } from './worker-host.ts';

/** Peers are asked again after this long. */
const againMs = 1_000;
const askMs = 2_000;
/** A registry that has not taken this node in by then has no majority: shards go on without it. */
const registryPatienceMs = 3_000;
/** The same where even its voters cannot be reached. */
const votersPatienceMs = 10_000;
/** Nothing heard from the registry for so long: was this node removed? */
const silenceMs = 10_000;

/** What a node's copy of the registry says of the one that asks. */
interface Standing {
  readonly state?: NodeState | undefined;
  readonly storeId?: string | undefined;
  readonly bootCount?: number | undefined;
  readonly bootId?: string | undefined;
  readonly name?: string | undefined;
}

export interface OwnStore {
  readonly storeId: string;
  readonly bootCount: number;
  readonly bootId: string;
}

/** By this node's own copy of the registry: no leader has to be there to say so. */
const tooOld = (version: number, reads: number): TschedError =>
  new TschedError(
    'programTooOld',
    `the cluster is at version ${version}, and this program reads up to ${reads}: start the ` +
      'program that the other nodes run',
  );

export class OwnStanding {
  readonly #context: NodeContext;
  readonly #registry: RegistryClient;
  readonly #worker: () => WorkerHost;
  readonly #store: OwnStore;
  readonly #registered: () => boolean;
  readonly #ended: (error: TschedError) => void;
  readonly #startedMs: number;
  /** Peers that found nothing against this start. */
  readonly #vouched = new Set<NodeId>();
  readonly #asked = new Map<NodeId, number>();
  #registryOpenMs: number | undefined;
  #open = false;
  #over = false;
  /** Nodes of the cluster, as far as this one was told. */
  #known: readonly NodeId[] = [];
  #drainingSinceMs: number | undefined;

  constructor(deps: {
    readonly context: NodeContext;
    readonly registry: RegistryClient;
    readonly worker: () => WorkerHost;
    readonly store: OwnStore;
    /** The registry has taken this process in. */
    readonly registered: () => boolean;
    /** This node may not go on. */
    readonly ended: (error: TschedError) => void;
  }) {
    this.#context = deps.context;
    this.#registry = deps.registry;
    this.#worker = deps.worker;
    this.#store = deps.store;
    this.#registered = deps.registered;
    this.#ended = deps.ended;
    this.#startedMs = deps.context.clock.nowMs();
    this.#context.peers.answer('standing', from => this.#standingOf(from), { open: true });
  }

  /** Whether replicas of this group may hear what is said to them. */
  hears(group: number): boolean {
    if (!this.#open) this.#consider();
    return this.#open || (group === registryGroup && this.#registryOpenMs !== undefined);
  }

  /** To be called a few times a second. */
  round(): void {
    if (this.#over) return;
    if (!this.#open) this.#consider();
    const machine = this.#registry.machine();
    if (machine?.cluster() !== undefined) this.#known = machine.nodes().map(({ id }) => id);
    const own = machine?.node(this.#context.nodeId);
    if (own?.state === 'removed') {
      this.#end(new TschedError('nodeRemoved', `node ${own.name} was removed from the cluster`));
      return;
    }
    const { own: reads } = this.#registry.version;
    if (machine !== undefined && machine.clusterVersion() > reads) {
      this.#end(tooOld(machine.clusterVersion(), reads));
      return;
    }
    if (own !== undefined) this.#drain(own.state === 'draining');
    if (!this.#open || this.#forgotten()) this.#askPeers();
  }

  /** When what still runs here is ended, on the clock of this process; none where nothing is. */
  get drainDeadlineMs(): number | undefined {
    const drain = this.#registry.machine()?.drain(this.#context.nodeId);
    if (drain?.deadlineMs === undefined || this.#drainingSinceMs === undefined) return undefined;
    return this.#drainingSinceMs + drain.deadlineMs;
  }

  #drain(draining: boolean): void {
    const worker = this.#worker();
    if (!draining) {
      this.#drainingSinceMs = undefined;
      if (worker.reactor.draining) worker.drain(false);
      return;
    }
    const nowMs = this.#context.clock.nowMs();
    this.#drainingSinceMs ??= nowMs;
    const late = nowMs >= (this.drainDeadlineMs ?? Number.POSITIVE_INFINITY);
    if (!worker.reactor.draining || (late && worker.reactor.running > 0)) worker.drain(true, late);
  }

  /**
   * The registry's leader has not spoken to this node's replica for long, or took it away: a node
   * that is removed loses it before it has looked at what the registry says last.
   */
  #forgotten(): boolean {
    const replica = this.#context.loop.replica(registryGroup);
    if (replica === undefined) return this.#known.length > 0;
    if (replica.core.role === 'leader') return false;
    return this.#context.clock.nowMs() - replica.heardMs > silenceMs;
  }

  #consider(): void {
    const nowMs = this.#context.clock.nowMs();
    if (this.#registryOpenMs === undefined && this.#votersVouch()) this.#registryOpenMs = nowMs;
    const openMs = this.#registryOpenMs ?? Number.POSITIVE_INFINITY;
    const late = this.#vouched.size > 0 && nowMs - this.#startedMs >= votersPatienceMs;
    this.#open = this.#registered() || nowMs - openMs >= registryPatienceMs || late;
  }

  /** With this node, a majority of the registry's voters know of no later start. */
  #votersVouch(): boolean {
    const replica = this.#context.loop.replica(registryGroup);
    // Without one there is nothing that could vote; whoever makes one here knows this store.
    if (replica === undefined) return this.#registered();
    const { voters } = replica.descriptor.conf;
    const wanted = Math.floor(voters.length / 2) + 1;
    let count = 0;
    for (const id of voters) {
      const node = replica.member(id)?.node;
      if (id === replica.id || (node !== undefined && this.#vouched.has(node))) count += 1;
    }
    return count >= wanted;
  }

  #askPeers(): void {
    const { clock, peers, nodeId } = this.#context;
    const nowMs = clock.nowMs();
    for (const id of this.#known) {
      if (id === nodeId || !peers.connected(id)) continue;
      if (nowMs - (this.#asked.get(id) ?? Number.NEGATIVE_INFINITY) < againMs) continue;
      this.#asked.set(id, nowMs);
      const asked = peers.ask<Standing>(id, 'standing', {}, askMs);
      background(
        this.#context,
        'ask for my standing',
        asked.then(standing => this.#heard(id, standing)),
      );
    }
  }

  #heard(from: NodeId, standing: Standing): void {
    const { storeId, bootCount, bootId } = this.#store;
    const known = standing.bootCount ?? 0;
    const mine = standing.storeId === storeId;
    if (standing.state === 'removed') {
      this.#end(
        new TschedError('nodeRemoved', `node ${standing.name ?? ''} was removed from the cluster`),
      );
    } else if (mine && (known > bootCount || (known === bootCount && standing.bootId !== bootId))) {
      this.#end(
        new TschedError(
          'storeRolledBack',
          `the data directory was rolled back: this is its start ${bootCount}, but start ${known} ` +
            'was seen before',
        ),
      );
    } else this.#vouched.add(from);
  }

  #standingOf(node: NodeId): Standing {
    const known = this.#registry.machine()?.node(node);
    if (known === undefined) return {};
    const { state, storeId, bootCount, bootId, name } = known;
    return { state, storeId, bootCount, bootId, name };
  }

  #end(error: TschedError): void {
    if (this.#over) return;
    this.#over = true;
    this.#ended(error);
  }
}
