/** What is known of the cluster itself: nodes, shards, health. */
import { readVersionText } from '../model/cluster-version.ts';
import { TschedError } from '../model/errors.ts';
import { type NodeId, registryGroup } from '../model/ids.ts';
import type { NodeView } from '../model/planning.ts';
import type {
  ClusterHealth,
  DrainView,
  NodeDetail,
  NodeSummary,
  NodeVitals,
  ReplicaSummary,
  ShardMoves,
  ShardSummary,
} from '../ports/node-api.ts';
import type { RegistryMachine } from '../registry/machine.ts';
import { everyTenant } from '../registry/pauses.ts';
import type { RegistryNode } from '../registry/state.ts';
import { movesOf } from '../routing/moves.ts';
import type { ShardMachine } from '../shard/machine.ts';
import { pausesIn } from './attempt-wishes.ts';
import { healthOf } from './cluster-health.ts';
import type { NodeContext } from './context.ts';
import type { Membership } from './membership.ts';
import { deadAfterOf } from './node-watch.ts';
import type { RegistryClient } from './registry-client.ts';
import type { Replica } from './replica.ts';
import type { Scheduler } from './scheduler.ts';
import { seatsNow, targetsOf } from './targets.ts';
import type { UnfitNodes } from './unfit-nodes.ts';

const askMs = 1_500;
/** An advertisement this old is not shown as the present. */
const freshMs = 5_000;

export class ClusterReads {
  readonly #context: NodeContext;
  readonly #registry: RegistryClient;
  readonly #scheduler: Scheduler;
  readonly #membership: Membership;
  readonly #isolation: () => Readonly<Record<string, string>>;
  readonly #unfitNodes: UnfitNodes;

  constructor(deps: {
    readonly context: NodeContext;
    readonly registry: RegistryClient;
    readonly scheduler: Scheduler;
    readonly membership: Membership;
    readonly isolation: () => Readonly<Record<string, string>>;
    readonly unfitNodes: UnfitNodes;
  }) {
    this.#context = deps.context;
    this.#registry = deps.registry;
    this.#scheduler = deps.scheduler;
    this.#membership = deps.membership;
    this.#isolation = deps.isolation;
    this.#unfitNodes = deps.unfitNodes;
    this.#context.peers.answer('shards', () => this.#ledHere());
    this.#context.peers.answer('isolation', () => this.#isolation());
  }

  nodeName(id: NodeId): string {
    return this.#registry.machine()?.node(id)?.name ?? id.slice(-8);
  }

  #machine(): RegistryMachine {
    const machine = this.#registry.machine();
    if (machine?.cluster() === undefined)
      throw new TschedError('starting', 'this node has not joined its cluster yet');
    return machine;
  }

  #nodes(): RegistryNode[] {
    return this.#machine()
      .nodes()
      .filter(node => node.state !== 'removed');
  }

  async nodes(options: { readonly all?: boolean | undefined } = {}): Promise<NodeSummary[]> {
    const nodes = options.all === true ? this.#machine().nodes() : this.#nodes();
    return nodes.map(node => this.#summary(node));
  }

  #summary(node: RegistryNode): NodeSummary {
    const view = this.#scheduler.views().find(one => one.advertisement.node === node.id);
    const self = node.id === this.#context.nodeId;
    const { program, clusterVersion } = readVersionText(node.version);
    const fresh = view !== undefined && view.ageMs <= freshMs ? view : undefined;
    const reachable = fresh !== undefined || this.#heardLately(node.id);
    let replicas = 0;
    for (const group of this.#registry.machine()?.groups() ?? []) {
      if ([...group.voters, ...group.learners].some(seat => seat.node === node.id)) replicas++;
    }
    return {
      id: node.id,
      name: node.name,
      state: node.state === 'up' && !reachable ? 'suspected' : node.state,
      stateSinceMs: node.sinceMs,
      reachable,
      drain: node.state === 'draining' ? this.#drain(node, fresh, reachable) : undefined,
      self,
      tier: node.tier,
      total: node.total,
      free: fresh?.advertisement.free,
      running: fresh?.advertisement.running ?? 0,
      queued: fresh?.advertisement.queued ?? 0,
      leads: fresh?.advertisement.leads.length ?? 0,
      replicas,
      advertAgeMs: view === undefined ? undefined : Math.round(view.ageMs),
      httpAddress: node.httpAddress,
      labels: Object.fromEntries(node.labels),
      version: program,
      clusterVersion,
    };
  }

  /** Connected, and not silent: a process that stands still keeps its connections for long. */
  #heardLately(node: NodeId): boolean {
    const { peers, clock } = this.#context;
    const heardMs = peers.heardMs(node) ?? Number.POSITIVE_INFINITY;
    return peers.connected(node) && clock.nowMs() - heardMs <= freshMs;
  }

  #drain(node: RegistryNode, fresh: NodeView | undefined, reachable: boolean): DrainView {
    const machine = this.#machine();
    const replicasLeft = machine.seatsOf(node.id).length;
    const advertised = fresh?.advertisement;
    const attemptsLeft =
      advertised === undefined ? undefined : advertised.running + advertised.queued;
    return {
      replicasLeft,
      leadsLeft: advertised?.leads.length ?? 0,
      attemptsLeft,
      deadlineMs: machine.drain(node.id)?.deadlineMs,
      // What ran on a node that is gone is declared lost by the leaders of its shards.
      drained: replicasLeft === 0 && (attemptsLeft === 0 || !reachable),
    };
  }

  /** By id, name or the end of an id; removed nodes last. Throws `unknownNode`. */
  find(idOrName: string): RegistryNode {
    const wanted = idOrName === 'self' ? this.#context.nodeId : idOrName;
    const all = this.#machine().nodes();
    const nodes = [
      ...all.filter(one => one.state !== 'removed'),
      ...all.filter(one => one.state === 'removed'),
    ];
    const node =
      nodes.find(one => one.id === wanted || one.name === wanted) ??
      nodes.find(one => wanted.length >= 6 && one.id.endsWith(wanted));
    if (node === undefined) throw new TschedError('unknownNode', `there is no node "${idOrName}"`);
    return node;
  }

  /** What is still to be moved, or would be `without` a node. */
  async moves(without?: string): Promise<ShardMoves[]> {
    const machine = this.#machine();
    const left = without === undefined ? undefined : this.find(without).id;
    const names = (ids: readonly NodeId[]): string[] => ids.map(id => this.nodeName(id));
    return movesOf(seatsNow(machine), targetsOf(machine, left)).map(moves => ({
      shard: moves.group,
      adds: names(moves.adds),
      removes: names(moves.removes),
      promotes: names(moves.promotes),
      demotes: names(moves.demotes),
    }));
  }

  async node(idOrName: string): Promise<NodeDetail> {
    const node = this.find(idOrName);
    const [isolation, vitals] = await Promise.all([
      this.#askOf<Readonly<Record<string, string>>>(node.id, 'isolation'),
      this.#askOf<NodeVitals>(node.id, 'vitals'),
    ]);
    return {
      ...this.#summary(node),
      addresses: node.addresses,
      storeId: node.storeId,
      bootCount: node.bootCount,
      isolation,
      vitals,
    };
  }

  async #askOf<T>(node: NodeId, method: string): Promise<T | undefined> {
    try {
      return await this.#context.peers.ask<T>(node, method, {}, askMs);
    } catch (error) {
      if (error instanceof TschedError) return undefined;
      throw error;
    }
  }

  async shards(): Promise<ShardSummary[]> {
    const cluster = this.#registry.machine()?.cluster();
    if (cluster === undefined)
      throw new TschedError('starting', 'this node has not joined its cluster yet');
    const found = new Map<number, ShardSummary>();
    const answers = await Promise.all(
      this.#nodes().map(async node => {
        if (!this.#context.peers.connected(node.id)) return [];
        try {
          return await this.#context.peers.ask<ShardSummary[]>(node.id, 'shards', {}, askMs);
        } catch (error) {
          if (error instanceof TschedError) return [];
          throw error;
        }
      }),
    );
    for (const shard of answers.flat()) {
      const other = found.get(shard.shard);
      // Two may say that they lead for a moment; the higher term is right.
      if (other === undefined || other.term < shard.term) found.set(shard.shard, shard);
    }
    return Array.from({ length: cluster.shards }, (_, position) => {
      const shard = position + 1;
      return found.get(shard) ?? this.#leaderless(shard);
    });
  }

  #ledHere(): ShardSummary[] {
    const summaries: ShardSummary[] = [];
    for (const replica of this.#context.loop.replicas()) {
      if (replica.group !== registryGroup && replica.leading) summaries.push(this.#shard(replica));
    }
    return summaries;
  }

  replicas(): ReplicaSummary[] {
    return [...this.#context.loop.replicas()].map(replica => ({
      shard: replica.group,
      leading: replica.leading,
      term: replica.core.term,
      applied: replica.applied,
      digest: (replica.machine.digest() >>> 0).toString(16).padStart(8, '0'),
    }));
  }

  #shard(replica: Replica): ShardSummary {
    const { conf } = replica.descriptor;
    const name = (id: number): string => this.nodeName(replica.member(id)?.node ?? '?');
    const counts = (replica.machine as unknown as ShardMachine).counts();
    return {
      shard: replica.group,
      term: replica.core.term,
      leader: this.#context.nodeName,
      voters: conf.voters.map(name),
      learners: conf.learners.map(name),
      firstIndex: replica.log.firstIndex(),
      commit: replica.core.committed,
      applied: replica.applied,
      waiting: counts.waiting,
      running: counts.assigned + counts.running,
      settled: counts.succeeded + counts.failed + counts.cancelled + counts.aborted,
      state: this.#shardState(replica),
    };
  }

  #shardState(replica: Replica): ShardSummary['state'] {
    const { conf } = replica.descriptor;
    const target = this.#membership.targets().get(replica.group);
    const nodesOf = (ids: readonly number[]): string =>
      ids
        .map(id => replica.member(id)?.node ?? '?')
        .sort()
        .join();
    const settled =
      target !== undefined &&
      conf.votersOutgoing.length === 0 &&
      nodesOf(conf.voters) === [...target.voters].sort().join() &&
      nodesOf(conf.learners) === [...target.learners].sort().join();
    const lagging = replica.core.status().progress.some(one => {
      const node = replica.member(one.id)?.node;
      // Not `recentActive`: the core forgets it at every check of its quorum.
      const gone = node === undefined || !this.#context.peers.connected(node);
      return one.id !== replica.id && (gone || one.state !== 'replicate');
    });
    if (!settled) return 'growing';
    return lagging ? 'underReplicated' : 'ok';
  }

  #leaderless(shard: number): ShardSummary {
    const group = this.#registry.machine()?.group(shard);
    const replica = this.#context.loop.replica(shard);
    const name = (seat: { node: NodeId }): string => {
      const up = this.#context.peers.connected(seat.node);
      return up ? this.nodeName(seat.node) : `${this.nodeName(seat.node)}!`;
    };
    return {
      shard,
      term: replica?.core.term ?? 0,
      voters: group?.voters.map(name) ?? [],
      learners: group?.learners.map(name) ?? [],
      firstIndex: replica?.log.firstIndex() ?? 0,
      commit: replica?.core.committed ?? 0,
      applied: replica?.applied ?? 0,
      waiting: 0,
      running: 0,
      settled: 0,
      state: 'noLeader',
    };
  }

  async health(): Promise<ClusterHealth> {
    const nodes = await this.nodes();
    const shards = await this.shards();
    const unfit = nodes.flatMap(({ id, name }) => {
      const why = this.#unfitNodes.why(id);
      return why === undefined ? [] : [{ name, why }];
    });
    const foreign = nodes.flatMap(({ id, name }) => {
      const why = this.#context.peers.whyForeign(id);
      return why === undefined ? [] : [{ name, why }];
    });
    const registry = this.#context.loop.replica(registryGroup);
    const registryGrown =
      registry === undefined || !registry.leading || this.#shardState(registry) === 'ok';
    return healthOf({
      nodes,
      shards,
      registryLed: this.#context.leaderOf(registryGroup) !== undefined,
      registryGrown,
      clusterVersion: this.#context.clusterVersion(),
      deadAfterMs: deadAfterOf(this.#machine()),
      paused: pausesIn(this.#context).get(everyTenant),
      unfit,
      foreign,
    });
  }
}
