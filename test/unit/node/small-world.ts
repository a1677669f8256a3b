/**
 * A few real nodes on virtual time, a simulated network and disks in memory, for tests of one
 * thing.
 */
import type { NodeId, TaskId } from '../../../src/model/ids.ts';
import { encodeSpec, type TaskSpec } from '../../../src/model/spec.ts';
import type { LogLimits } from '../../../src/node/log-policy.ts';
import { bootstrapOps } from '../../../src/node/make-cluster.ts';
import { TschedNode } from '../../../src/node/node.ts';
import { sha256Hex } from '../../../src/node/sha256.ts';
import type { WireRange } from '../../../src/node/wire-version.ts';
import type { BulkTransport } from '../../../src/ports/bulk.ts';
import type { Clock, Random } from '../../../src/ports/clock.ts';
import { silentLog } from '../../../src/ports/log.ts';
import type { Runner } from '../../../src/ports/runner.ts';
import { decodeJoinToken } from '../../../src/registry/join-token.ts';
import { MemoryDisk } from '../../../src/storage/memory-disk.ts';
import { createSimNet } from '../../simulation/sim-net.ts';
import { createSimStore } from '../../simulation/sim-store.ts';
import { seededRandom, VirtualTime } from '../../simulation/virtual-time.ts';

export const adminToken = 'the token of the administrator';
export const admin = { name: 'admin', tenant: 'default' };

export const resources = (cpuMilli: number) => ({
  cpuMilli,
  memoryBytes: 0,
  diskBytes: 0,
  iops: 0,
  bandwidth: 0,
  ports: 0,
});

/** A task that never ends by itself: no test has to know when one settles. */
export const someSpec = (change: Partial<TaskSpec> = {}): TaskSpec => ({
  tenant: 'default',
  owner: 'somebody',
  name: 'some',
  run: { kind: 'command', argv: ['true'] },
  env: [],
  cwd: '',
  tier: 'basic',
  request: resources(100),
  limit: resources(100),
  labels: [],
  require: [],
  attempts: 1,
  backoff: { initialMs: 1_000, maxMs: 1_000 },
  capMs: 0,
  graceMs: 1_000,
  leaseMs: 20_000,
  outputBytesMax: 1_000_000,
  ...change,
});

const idleRunner = (clock: Clock): Runner =>
  ({
    start: async () => ({ incarnation: `inc-${clock.wallMs()}`, found: [], isolation: {} }),
    launch: () => undefined,
    end: () => undefined,
    renew: () => undefined,
    acknowledge: () => undefined,
    output: async () => undefined,
    stop: async () => undefined,
  }) as unknown as Runner;

export interface SmallWorldOptions {
  readonly shards?: number;
  readonly seed?: number;
  /** How long a write to a disk takes. */
  readonly writeMs?: number;
  readonly logLimits?: LogLimits;
  /** Of the cluster, by name. */
  readonly settings?: Readonly<Record<string, string>>;
  /** What runs attempts; nothing ever starts where it is not given. */
  readonly runner?: (world: SmallWorld, clock: Clock, random: Random) => Runner;
}

export class SmallWorld {
  readonly time = new VirtualTime();
  readonly faults = { writeMsMin: 1, writeMsMax: 4 };
  /** Nodes of another version of the program, as far as the wire goes. */
  readonly wireOf = new Map<NodeId, WireRange>();
  /** The cluster version that a node's program reads, where it is another. */
  readonly readsOf = new Map<NodeId, number>();
  /** Disks with faults of their own. */
  readonly faultsOf = new Map<NodeId, { writeMsMin: number; writeMsMax: number }>();
  readonly net;
  readonly fatals: unknown[] = [];
  /** Of the nodes that were started. */
  readonly disks = new Map<NodeId, MemoryDisk>();
  /** What each node opens streams with. */
  readonly bulk = new Map<NodeId, BulkTransport>();
  readonly #seed: number;
  readonly #boots = new Map<NodeId, number>();
  readonly #shards: number;
  readonly #logLimits: LogLimits | undefined;
  readonly #settings: Readonly<Record<string, string>>;
  readonly #runner: SmallWorldOptions['runner'];

  constructor(options: SmallWorldOptions = {}) {
    this.#seed = options.seed ?? 1;
    this.#shards = options.shards ?? 2;
    this.#logLimits = options.logLimits;
    this.#settings = options.settings ?? {};
    this.#runner = options.runner;
    this.net = createSimNet({
      scheduler: {
        nowMs: () => this.time.nowMs,
        after: (delayMs, fire) => this.time.after(delayMs, fire),
      },
      random: seededRandom(this.#seed, 'net'),
    });
  }

  /** A disk with a whole cluster of one node on it. */
  firstDisk(id: NodeId): MemoryDisk {
    const disk = this.emptyDisk(id);
    disk.commit(
      bootstrapOps({
        clusterId: 'c',
        clusterName: 'small',
        nodeId: id,
        nodeName: id,
        storeId: `store-${id}`,
        shards: this.#shards,
        replication: 3,
        atMs: 1_767_225_600_000,
        adminTokenSha256: sha256Hex(Buffer.from(adminToken)),
        settings: this.#settings,
      }),
    );
    disk.bootCount = 1;
    return disk;
  }

  emptyDisk(id: NodeId): MemoryDisk {
    const disk = new MemoryDisk();
    disk.header = { clusterId: 'c', nodeId: id, storeId: `store-${id}` };
    return disk;
  }

  async boot(
    id: NodeId,
    disk: MemoryDisk,
    join?: { readonly secret: Uint8Array; readonly contacts: readonly NodeId[] },
    wire = this.wireOf.get(id),
  ): Promise<TschedNode> {
    // No two processes draw the same.
    const boot = (this.#boots.get(id) ?? 0) + 1;
    this.#boots.set(id, boot);
    const random = seededRandom(this.#seed, boot === 1 ? id : `${id} again ${boot}`);
    const faults = this.faultsOf.get(id) ?? this.faults;
    const store = createSimStore({ scheduler: this.time, random, faults, disk });
    const image = await this.within(store.open(error => this.fatals.push(error)));
    const { transport, gossip, bulk } = this.net.join(id);
    this.bulk.set(id, bulk);
    this.disks.set(id, disk);
    const clock = this.time.clock(() => true);
    const node = new TschedNode({
      ports: {
        clock,
        random,
        log: silentLog,
        store,
        transport,
        gossip,
        bulk,
        runner: this.#runner?.(this, clock, random) ?? idleRunner(clock),
      },
      settings: {
        name: id,
        version: '0',
        tier: 'premium',
        total: { ...resources(4_000), memoryBytes: 1e9 },
        labels: [],
        zone: '',
        httpAddress: '',
        networkKey: new Uint8Array(32),
        logLimits: this.#logLimits,
        joinSecret: join?.secret,
        wire,
        clusterVersion: this.readsOf.get(id),
        bootstrap: (join?.contacts ?? []).map(contact => ({
          node: contact,
          addresses: [`/sim/p2p/${contact}`],
        })),
      },
      image,
      end: { fatal: error => this.fatals.push(error), stopAsked: () => undefined },
    });
    await this.within(node.start());
    return node;
  }

  /** A cluster of so many nodes, each group replicated as it should be. */
  async cluster(count: number): Promise<TschedNode[]> {
    const first = await this.boot('n1', this.firstDisk('n1'));
    await this.until(() => first.ready);
    const nodes = [first];
    if (count === 1) return nodes;
    const secret = await this.secretOf(first);
    for (let number = 2; number <= count; number++) {
      const id = `n${number}`;
      nodes.push(await this.boot(id, this.emptyDisk(id), { secret, contacts: ['n1'] }));
    }
    await this.until(() => nodes.every(node => node.ready));
    const voters = count >= 3 ? 3 : 1;
    await this.until(() =>
      [...first.loop.replicas()].every(({ descriptor, group }) => {
        const { conf } = descriptor;
        // The registry has sizes of its own.
        if (group === 0 && count > 3) return conf.votersOutgoing.length === 0;
        return conf.voters.length === voters && conf.votersOutgoing.length === 0;
      }),
    );
    return nodes;
  }

  async secretOf(node: TschedNode): Promise<Uint8Array> {
    const token = decodeJoinToken(await this.within(node.api.joinToken()));
    if (!token.ok) throw new Error(token.message);
    return token.secret;
  }

  /** Lets time pass until `condition`; throws after `limitMs` of it. */
  async until(condition: () => boolean, limitMs = 60_000): Promise<void> {
    const endMs = this.time.nowMs + limitMs;
    while (!condition()) {
      if (this.time.nowMs > endMs) throw new Error(`not within ${limitMs} ms of virtual time`);
      this.time.step();
      await new Promise<void>(resolve => setImmediate(resolve));
    }
  }

  async pass(ms: number): Promise<void> {
    let over = false;
    this.time.after(ms, () => {
      over = true;
    });
    await this.until(() => over, ms + 1);
  }

  /** What `work` comes to, while time passes; throws where it comes to nothing within `limitMs`. */
  async within<T>(work: Promise<T>, limitMs = 60_000): Promise<T> {
    let done = false;
    const settle = (): void => {
      done = true;
    };
    work.then(settle, settle);
    await this.until(() => done, limitMs);
    return work;
  }
}

/** Submits and returns the IDs; throws where one is refused. */
export async function submitted(
  world: SmallWorld,
  node: TschedNode,
  specs: readonly TaskSpec[],
): Promise<TaskId[]> {
  const replies = await world.within(
    node.api.submit(
      specs.map(spec => ({ spec })),
      admin,
    ),
  );
  return replies.map(reply => {
    if (!reply.ok) throw new Error(`${reply.code}: ${reply.message}`);
    return reply.id;
  });
}

export const specBytes = (spec: TaskSpec): number => encodeSpec(spec).length;
