/**
 * One node of the study: the real worker, planner, advertiser and leaders of shards, between a
 * network, logs and processes that only take time.
 */
import { type Advertisement, decodeAdvertisement } from '../../src/model/advertisement.ts';
import type { NodeId } from '../../src/model/ids.ts';
import type { Refusal } from '../../src/model/worker-protocol.ts';
import { Advertiser } from '../../src/node/advertiser.ts';
import type { NodeContext } from '../../src/node/context.ts';
import type { NodeSettings } from '../../src/node/node-parts.ts';
import type { PlacementPolicy } from '../../src/node/placement-policy.ts';
import { ledHere } from '../../src/node/ready-work.ts';
import type { RegistryClient } from '../../src/node/registry-client.ts';
import type { Replica } from '../../src/node/replica.ts';
import { Scheduler } from '../../src/node/scheduler.ts';
import { ShardLeader } from '../../src/node/shard-leader.ts';
import { WorkerHost, workerSettingsOf } from '../../src/node/worker-host.ts';
import { WorkerWire } from '../../src/node/worker-wire.ts';
import type { Clock, Random } from '../../src/ports/clock.ts';
import type { Log } from '../../src/ports/log.ts';
import type { Links } from './links.ts';
import type { StudyLog } from './study-log.ts';
import { type Processes, StudyRunner } from './study-runner.ts';
import type { TraceNode } from './trace.ts';

const clusterVersion = 3;

const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: (message, fields) => {
    throw new Error(`${message} ${JSON.stringify(fields)}`);
  },
  child: () => silent,
};

/** What a node knows of the world around it. */
export interface World {
  readonly clock: Clock;
  readonly links: Links;
  readonly random: (stream: string) => Random;
  readonly processes: Processes;
  readonly nodes: () => readonly { readonly id: NodeId }[];
  readonly leaderOf: (shard: number) => NodeId;
  readonly node: (id: NodeId) => StudyNode;
  readonly gossip: (from: StudyNode, advertisement: Advertisement) => void;
  readonly weightOf: (tenant: string) => number;
  /** What a shard would find in its store. */
  readonly rowOf: (key: Uint8Array) => Uint8Array | undefined;
}

/** What leaves for one peer at the end of a turn. */
interface Sent {
  readonly peer: NodeId;
  readonly kind: 'toWorker' | 'fromWorker' | 'advert';
  readonly bytes: Uint8Array;
}

/** In the place of the writers of frames, one for each peer: this one has many peers to tell. */
class Outbox {
  #sent: Sent[] = [];
  #peer: NodeId = '';
  readonly #begun: () => void;

  constructor(begun: () => void) {
    this.#begun = begun;
  }

  to(peer: NodeId): this {
    this.#peer = peer;
    return this;
  }

  take(): readonly Sent[] {
    const sent = this.#sent;
    this.#sent = [];
    return sent;
  }

  toWorker(bytes: Uint8Array): void {
    this.#add('toWorker', bytes);
  }

  fromWorker(bytes: Uint8Array): void {
    this.#add('fromWorker', bytes);
  }

  advert(bytes: Uint8Array): void {
    this.#add('advert', bytes);
  }

  #add(kind: Sent['kind'], bytes: Uint8Array): void {
    if (this.#sent.length === 0) this.#begun();
    this.#sent.push({ peer: this.#peer, kind, bytes });
  }
}

/** Nothing is reserved. */
const nothingKept: readonly never[] = [];

/** What a plan takes of a core, as measured: it looks at each node. */
const planUsPerNode = 3;

/** The clock of a planner, for which a plan takes as long as it would: it paces itself by that. */
class PlanningClock {
  readonly clock: Clock;
  readonly #planUs: () => number;
  readonly #nowMs: () => number;
  #spentMs = 0;
  #spentAtMs = 0;

  constructor(clock: Clock, planUs: () => number) {
    this.#nowMs = () => clock.nowMs();
    this.#planUs = planUs;
    this.clock = { ...clock, nowMs: () => this.#nowMs() + this.#spentNowMs };
  }

  /** Nothing else happens between two events, so what was spent in one is over with it. */
  get #spentNowMs(): number {
    return this.#nowMs() === this.#spentAtMs ? this.#spentMs : 0;
  }

  spend(): void {
    this.#spentMs = this.#spentNowMs + this.#planUs() / 1_000;
    this.#spentAtMs = this.#nowMs();
  }
}

/** The real one, with an ear at what workers refuse. */
class CountingScheduler extends Scheduler {
  readonly refusals = new Map<Refusal, number>();

  override refused(node: NodeId, why: Refusal): void {
    this.refusals.set(why, (this.refusals.get(why) ?? 0) + 1);
    super.refused(node, why);
  }
}

export class StudyNode {
  readonly id: NodeId;
  readonly scheduler: CountingScheduler;
  readonly worker: WorkerHost;
  /** Tasks that its planner sent to nodes, advertisements that it gossiped and that it was told. */
  readonly count = { placements: 0, gossiped: 0, gossipedBytes: 0, told: 0, toldBytes: 0 };
  readonly #world: World;
  readonly #context: NodeContext;
  readonly #wire: WorkerWire;
  readonly #advertiser: Advertiser;
  readonly #logs = new Map<number, StudyLog>();
  readonly #outbox = new Outbox(() => this.#world.clock.after(0, () => this.#flush()));

  constructor(id: NodeId, node: TraceNode, world: World) {
    this.id = id;
    this.#world = world;
    const { clock, links } = world;
    const random = world.random(id);
    this.#context = this.#contextOf(random);
    const planning = new PlanningClock(clock, () => world.nodes().length * planUsPerNode);
    const policy: PlacementPolicy = {
      self: id,
      offPeakLoadMax: () => {
        planning.spend();
        return 0.8;
      },
      weightOf: world.weightOf,
    };
    this.#wire = new WorkerWire({
      context: this.#context,
      worker: () => this.worker,
      scheduler: () => this.scheduler,
    });
    this.scheduler = new CountingScheduler({
      clock: planning.clock,
      random,
      log: silent,
      send: (to, message, encode) => this.#wire.tellWorker(to, message, encode),
      connected: () => true,
      hostOf: node => node,
      policy,
    });
    const runner = new StudyRunner({
      clock,
      links,
      processes: world.processes,
      incarnation: `${id}-a`,
    });
    this.worker = new WorkerHost({
      context: this.#context,
      runner,
      settings: workerSettingsOf({ ...node, labels: [] } as unknown as NodeSettings),
      deliverHere: (from, message) =>
        void clock.after(0, () => this.#wire.leaderFor(message.shard)?.onWorker(from, message)),
      describe: () => ({
        ...ledHere(this.scheduler, this.#context),
        httpAddress: '10.0.0.1:7171',
        registryIndex: 1_000,
      }),
      shares: () => nothingKept,
      changed: advertisement => {
        this.scheduler.know(advertisement);
        this.#advertiser.soon();
      },
    });
    this.#advertiser = new Advertiser({
      context: this.#context,
      gossip: {
        start: () => Promise.resolve(),
        publish: bytes => this.#publish(bytes),
        counters: () => ({}),
        stop: () => Promise.resolve(),
      },
      worker: () => this.worker,
      scheduler: this.scheduler,
      registry: { machine: () => ({ nodes: world.nodes }) } as unknown as RegistryClient,
    });
  }

  #contextOf(random: Random): NodeContext {
    const { clock, leaderOf } = this.#world;
    const context = {
      nodeId: this.id,
      nodeName: this.id,
      clock,
      random,
      log: silent,
      peers: {
        connected: () => true,
        to: (peer: NodeId) => this.#outbox.to(peer),
      },
      loop: {
        vitals: { diskLow: false },
        // No replica of the registry: nobody has paused anything.
        replica: () => undefined,
        propose: ({ group }: Replica, data: Uint8Array) => this.#logs.get(group)!.propose(data),
        read: ({ group }: Replica) => this.#logs.get(group)!.read(),
      },
      clusterVersion: () => clusterVersion,
      leaderOf,
    };
    return context as unknown as NodeContext;
  }

  /** The node begins; every one at another moment, so that their beats differ. */
  async start(): Promise<void> {
    await this.worker.start(1);
    this.#advertiser.start();
  }

  /** It leads this shard from now on. */
  lead(shard: number, log: StudyLog): ShardLeader {
    this.#logs.set(shard, log);
    const leader = new ShardLeader({
      context: this.#context,
      desk: this.scheduler,
      replica: { group: shard, leading: true } as unknown as Replica,
      machine: log.machine,
      readRow: this.#world.rowOf,
    });
    log.onEffects = effects => {
      for (const { kind } of effects) if (kind === 'assigned') this.count.placements++;
      leader.onEffects(effects);
    };
    this.scheduler.addLeader(leader);
    return leader;
  }

  #publish(bytes: Uint8Array): void {
    this.count.gossiped++;
    this.count.gossipedBytes += bytes.length;
    this.#world.gossip(this, decodeAdvertisement(bytes));
  }

  /** What leaves in one turn is equally long on its way. */
  #flush(): void {
    const sent = this.#outbox.take();
    this.#world.links.after('link', () => {
      const read = new Map<Uint8Array, Advertisement>();
      for (const one of sent) this.#world.node(one.peer).#receive(this.id, one, read);
    });
  }

  /** An advertisement that many are told is read once for all of them. */
  #receive(from: NodeId, { kind, bytes }: Sent, read: Map<Uint8Array, Advertisement>): void {
    if (kind === 'toWorker') this.#wire.onToWorker(from, bytes);
    else if (kind === 'fromWorker') this.#wire.onFromWorker(from, bytes);
    else {
      this.count.told++;
      this.count.toldBytes += bytes.length;
      const advertisement = read.get(bytes) ?? decodeAdvertisement(bytes);
      read.set(bytes, advertisement);
      this.scheduler.know(advertisement);
    }
  }
}
