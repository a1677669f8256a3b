/**
 * A node: builds every room from its ports, in the order in which they depend on each other, starts
 * them in that order and stops them in reverse. The only room that knows all others. Everything it
 * needs from outside comes in as a port, so that the simulator runs the same code.
 */
import { type NodeId, registryGroup } from '../model/ids.ts';
import type { NodeApi } from '../ports/node-api.ts';
import type { StoreImage } from '../ports/store.ts';
import type { Effect } from '../shard/effects.ts';
import { Advertiser } from './advertiser.ts';
import { createApi } from './api.ts';
import { ClusterReads } from './cluster-reads.ts';
import { background, type NodeContext } from './context.ts';
import { DiskWatch } from './disk-watch.ts';
import { DriveLoop } from './drive-loop.ts';
import { EventsFeed } from './events-feed.ts';
import { campaignWhereAlone } from './failover.ts';
import { IdDraw } from './id-draw.ts';
import { LeaderBalance } from './leader-balance.ts';
import { LeaderDirectory } from './leader-directory.ts';
import { LeaderDuties } from './leader-duties.ts';
import { Leaderships } from './leaderships.ts';
import { standardLog } from './log-policy.ts';
import { machineFor } from './machine-for.ts';
import { Membership } from './membership.ts';
import { metricsOf } from './metrics.ts';
import type { NodeEnd, NodePorts, NodeSettings } from './node-parts.ts';
import { OwnStanding } from './own-standing.ts';
import { peerHandlers } from './peer-handlers.ts';
import { Peers, type Standing } from './peers.ts';
import { placementPolicy } from './placement-policy.ts';
import { ledHere } from './ready-work.ts';
import { Registration } from './registration.ts';
import { RegistryClient } from './registry-client.ts';
import type { Replica } from './replica.ts';
import { Reservations } from './reservations.ts';
import { Scheduler } from './scheduler.ts';
import { ShardAccess } from './shard-access.ts';
import { ShardLeaders } from './shard-leaders.ts';
import { ShardMessages } from './shard-messages.ts';
import { Snapshots } from './snapshots.ts';
import { hostOf, mayHold, standingOf, takesWork } from './standing-of.ts';
import { StartRecord } from './start-record.ts';
import { TaskReads } from './task-reads.ts';
import { TaskWrites } from './task-writes.ts';
import { TenantDesk } from './tenant-desk.ts';
import { UnfitNodes } from './unfit-nodes.ts';
import { WorkerHost, workerSettingsOf } from './worker-host.ts';
import { WorkerWire } from './worker-wire.ts';
import { Workflows } from './workflows.ts';

export class TschedNode {
  /** The verbs behind the HTTP API. */
  readonly api: NodeApi;
  readonly context: NodeContext;
  readonly loop: DriveLoop;
  readonly scheduler: Scheduler;
  readonly registry: RegistryClient;
  readonly worker: WorkerHost;
  readonly #ports: NodePorts;
  readonly #settings: NodeSettings;
  readonly #image: StoreImage;
  readonly #end: NodeEnd;
  readonly #peers: Peers;
  readonly #membership: Membership;
  readonly #ownStanding: OwnStanding;
  readonly #balance: LeaderBalance;
  readonly #snapshots: Snapshots;
  readonly #disk: DiskWatch | undefined;
  readonly #wire: WorkerWire;
  readonly #advertiser: Advertiser;
  readonly #directory: LeaderDirectory;
  readonly #reads: TaskReads;
  readonly #writes: TaskWrites;
  readonly #cluster: ClusterReads;
  readonly #feed: EventsFeed;
  readonly #leaderships: Leaderships;
  readonly #duties: LeaderDuties;
  readonly #tenants: TenantDesk;
  readonly #registration: Registration;
  readonly #reservations: Reservations;
  readonly #counters = { submitted: 0, settled: 0 };
  #stopping = false;

  constructor(options: {
    readonly ports: NodePorts;
    readonly settings: NodeSettings;
    readonly image: StoreImage;
    readonly end: NodeEnd;
  }) {
    const { ports, settings, image } = options;
    this.#ports = ports;
    this.#settings = settings;
    this.#image = image;
    this.#end = options.end;
    const { clock, random, log, store, transport } = ports;
    this.#peers = new Peers({ clock, random, log, transport, wire: settings.wire });
    this.loop = new DriveLoop({
      clock,
      random,
      log,
      store,
      peers: this.#peers,
      machineFor,
      snapshots: {
        maySend: (replica, to) => this.#snapshots.maySend(replica, to),
        send: (replica, message) => this.#snapshots.send(replica, message),
      },
      logLimits: settings.logLimits ?? standardLog,
      observer: {
        applied: (replica, _index, effects) => this.#applied(replica, effects),
        roleChanged: replica => this.#roleChanged(replica),
        confChanged: () => undefined,
        installed: () => {
          this.#feed.changed();
          this.#reads.lookAgain();
        },
        fatal: error => this.#end.fatal(error),
      },
    });
    this.context = {
      nodeId: transport.self,
      nodeName: settings.name,
      clock,
      random,
      log,
      peers: this.#peers,
      loop: this.loop,
      clusterVersion: () => this.registry.version.current(),
      leaderOf: group => this.#directory.leaderOf(group),
    };
    this.registry = new RegistryClient(this.context, settings.clusterVersion);
    this.#snapshots = new Snapshots({
      ports,
      loop: this.loop,
      clusterId: image.header.clusterId,
      machineFor,
      connected: node => this.#peers.connected(node),
      mayTell: (node, group) => mayHold(standingOf(this.registry.machine(), node), group),
    });
    this.#wire = new WorkerWire({
      context: this.context,
      worker: () => this.worker,
      scheduler: () => this.scheduler,
    });
    this.scheduler = new Scheduler({
      clock,
      random,
      log,
      send: (node, message, encode) => this.#wire.tellWorker(node, message, encode),
      policy: placementPolicy(
        transport.self,
        () => this.registry,
        tenant => this.#tenants.weightOf(tenant),
      ),
      connected: node => this.#peers.connected(node) && takesWork(this.registry.machine(), node),
      hostOf: node => hostOf(this.registry.machine(), node),
    });
    this.#reservations = new Reservations({
      context: this.context,
      registry: this.registry,
      scheduler: () => this.scheduler,
      cluster: () => this.#cluster,
    });
    this.#directory = new LeaderDirectory({
      loop: this.loop,
      peers: this.#peers,
      scheduler: this.scheduler,
      registry: () => this.registry.machine(),
    });
    this.#advertiser = new Advertiser({
      context: this.context,
      gossip: ports.gossip,
      worker: () => this.worker,
      scheduler: this.scheduler,
      registry: this.registry,
    });
    this.worker = new WorkerHost({
      context: this.context,
      runner: ports.runner,
      settings: workerSettingsOf(settings),
      deliverHere: (from, message) =>
        void clock.after(0, () => this.#wire.leaderFor(message.shard)?.onWorker(from, message)),
      describe: () => ({
        ...ledHere(this.scheduler, this.context),
        httpAddress: settings.httpAddress,
        registryIndex: this.registry.appliedIndex,
      }),
      shares: () => this.#reservations.here(),
      changed: advertisement => {
        this.scheduler.know(advertisement);
        this.#advertiser.soon();
      },
    });
    const table = () => this.registry.machine()?.slotTable() ?? [];
    const shared = { context: this.context, scheduler: this.scheduler, store, table };
    const leaders = new ShardLeaders(this.context, this.scheduler);
    this.#leaderships = new Leaderships({
      ...shared,
      messages: new ShardMessages({ ...shared, leaders }),
      gate: () => this.#tenants.scheduleGate,
      changed: () => this.#advertiser.soon(),
    });
    this.#duties = new LeaderDuties(this.context, store, this.registry, this.scheduler);
    const start = new StartRecord(image, random, (key, value) => this.loop.record(key, value));
    this.#ownStanding = new OwnStanding({
      context: this.context,
      registry: this.registry,
      worker: () => this.worker,
      start,
      registered: () => this.#registration.done,
      ended: error => this.#end.fatal(error),
    });
    if (ports.disk !== undefined) {
      const { vitals } = this.loop;
      this.#disk = new DiskWatch({ disk: ports.disk, settings: settings.disk, clock, log, vitals });
    }
    const unfitNodes = new UnfitNodes(this.context, this.#disk?.room);
    this.#balance = new LeaderBalance(this.context, () => this.registry.machine(), unfitNodes);
    this.#membership = new Membership({
      context: this.context,
      registry: this.registry,
      balance: this.#balance,
      standing: this.#ownStanding,
      unfitNodes,
      duties: this.#duties,
    });
    const writable = () => this.#directory.writableShards();
    const draw = new IdDraw({ clock, random, table, writable });
    this.#cluster = new ClusterReads({
      ...shared,
      registry: this.registry,
      membership: this.#membership,
      isolation: () => this.worker.isolation,
      unfitNodes,
    });
    this.#writes = new TaskWrites({
      ...shared,
      leaders,
      draw,
      inFlightMax: settings.submitsInFlightMax,
      totals: () => this.registry.members(),
      admit: spec => this.#reservations.admit(spec),
    });
    const shards = () => this.registry.machine()?.cluster()?.shards ?? 0;
    const nodeOf = (id: NodeId): string => this.#cluster.nodeName(id);
    const access = new ShardAccess({
      ...shared,
      reported: shard => this.registry.seatsOf(shard),
      setting: name => this.registry.setting(name),
    });
    const submitted = (count: number): void => {
      this.#counters.submitted += count;
    };
    const { context, registry, scheduler } = this;
    this.#tenants = new TenantDesk({ context, registry, scheduler, access });
    this.#reads = new TaskReads({ ...shared, access, nodeOf });
    const workflows = new Workflows({
      ...shared,
      access,
      draw,
      shards,
      reads: this.#reads,
      writes: this.#writes,
      leaders,
      gate: this.#tenants.gate,
      submitted,
    });
    this.#feed = new EventsFeed({ context, shards, shardOf: id => access.shardOf(id) });
    this.api = createApi({
      context: this.context,
      settings,
      clusterId: image.header.clusterId,
      registry: this.registry,
      writes: this.#writes,
      access,
      draw,
      reads: this.#reads,
      ports,
      shards,
      leaders,
      tenants: this.#tenants,
      feed: this.#feed,
      workflows,
      cluster: this.#cluster,
      reservations: this.#reservations,
      ready: () => this.ready,
      stopAsked: how => this.#end.stopAsked(how),
      submitted,
      metrics: () =>
        metricsOf({
          loop: this.loop,
          scheduler: this.scheduler,
          worker: this.worker,
          peers: this.#peers,
          transport,
          gossip: ports.gossip,
          snapshots: this.#snapshots.counters(),
          version: this.registry.version,
          submitsInFlight: this.#writes.inFlight,
          nowMs: clock.nowMs(),
          diskFreeBytes: this.#disk?.room.freeBytes,
          counters: { ...this.#counters, ...this.#leaderships.counters },
          duties: this.#duties,
          gate: this.#tenants.gate,
        }),
    });
    this.#registration = new Registration({
      ...{ context: this.context, registry: this.registry, settings, start },
      labels: () => this.worker.labels,
      refused: error => this.#end.fatal(error),
    });
  }

  /** Recovers what the store holds, connects, and begins. Resolves before the node is ready. */
  async start(): Promise<void> {
    const { gossip, log } = this.#ports;
    const standing = (node: NodeId): Standing => standingOf(this.registry.machine(), node);
    await this.loop.recover(this.#image);
    this.#end.recovered?.();
    await this.#disk?.start();
    await this.#peers.start(
      peerHandlers({
        log,
        loop: this.loop,
        wire: this.#wire,
        scheduler: this.scheduler,
        hears: group => this.#ownStanding.hears(group),
      }),
      standing,
    );
    await this.#snapshots.start();
    await gossip.start(
      // Work goes to whoever advertises room, and requests to whoever says that it leads.
      (author, message) =>
        standing(author) === 'member' && this.scheduler.advertised(author, message),
    );
    await this.worker.start(this.#image.bootCount);
    this.loop.start();
    campaignWhereAlone(this.loop);
    for (const { node, addresses } of this.#settings.bootstrap)
      this.#peers.connect(node, addresses);
    this.#membership.start();
    this.#reservations.start();
    background(this.context, 'register', this.#registration.register());
    this.#advertiser.start();
  }

  #applied(replica: Replica, effects: readonly unknown[]): void {
    if (replica.group === registryGroup) return;
    const mine = effects as readonly Effect[];
    for (const effect of mine) {
      if (effect.kind === 'workflowSettled') this.#reads.settled(effect.workflowId);
      if (effect.kind !== 'settled') continue;
      this.#counters.settled++;
      this.#reads.settled(effect.taskId);
    }
    this.#feed.changed();
    if (replica.leading) this.#leaderships.applied(replica, mine);
  }

  #roleChanged(replica: Replica): void {
    if (replica.group !== registryGroup) this.#leaderships.roleChanged(replica);
  }

  get ready(): boolean {
    return (
      this.#registration.done &&
      !this.#stopping &&
      this.registry.machine()?.cluster() !== undefined &&
      this.#directory.writableShards().length > 0
    );
  }

  /** Hands leaderships away, then stops everything; attempts live on unless `endTasks`. */
  async stop(options: { readonly endTasks: boolean; readonly handOver?: boolean }): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    const diskLeft = this.#disk?.stop();
    this.#registration.stop();
    this.#advertiser.stop();
    this.#tenants.stop();
    this.#duties.stop();
    this.#reservations.stop();
    if (options.handOver !== false) await this.#balance.handOver();
    this.#membership.stop();
    this.scheduler.stop();
    this.#leaderships.stop();
    await this.worker.stop({ end: options.endTasks });
    await this.#snapshots.stop();
    await this.loop.stop();
    this.#peers.stop();
    await this.#ports.gossip.stop();
    await this.#ports.transport.stop();
    await this.#ports.store.close();
    await diskLeft;
  }
}
