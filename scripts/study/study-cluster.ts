/**
 * The simulated cluster: its nodes, the shards spread over them, and the clients that submit the
 * trace. Virtual time; everything from the seed, so a run can be repeated to the event.
 */
import { createHash } from 'node:crypto';
import type { Advertisement } from '../../src/model/advertisement.ts';
import { formatTaskId, type NodeId, slotCount, type TaskId } from '../../src/model/ids.ts';
import { initialSlotTable } from '../../src/model/slots.ts';
import { encodeSpec, type TaskSpec } from '../../src/model/spec.ts';
import type { ShardLeader } from '../../src/node/shard-leader.ts';
import type { Clock, Random } from '../../src/ports/clock.ts';
import { specKey } from '../../src/shard/keys.ts';
import { seededRandom, VirtualTime } from '../../test/simulation/virtual-time.ts';
import { Links } from './links.ts';
import type { Times } from './omniscient.ts';
import { StudyLog } from './study-log.ts';
import { StudyNode } from './study-node.ts';
import type { Job, Trace } from './trace.ts';

/** The shards that a cluster has where nobody asked for another number. */
const shards = 64;
/** Nodes begin their beats within this time. */
const staggerMs = 1_000;
/** The trace begins when all have heard of each other. */
const originMs = 1_500;

export interface Traffic {
  readonly placements: number;
  /** Placements that came back, by why. */
  readonly refusals: ReadonlyMap<string, number>;
  /** Advertisements that were gossiped by all. */
  readonly gossiped: number;
  /** Advertisements that were told to those who lead over their own connections. */
  readonly told: number;
  /** Of both, what those who lead have read. */
  readonly advertisedBytes: number;
  readonly plans: number;
  /** Nodes that lead. */
  readonly leaders: number;
}

export class StudyCluster implements Times {
  readonly startedMs: Float64Array;
  readonly endedMs: Float64Array;
  readonly time = new VirtualTime();
  readonly #clock: Clock = this.time.clock(() => true);
  readonly #trace: Trace;
  readonly #links: Links;
  readonly #draw: Random;
  readonly #nodes: StudyNode[];
  readonly #byId: ReadonlyMap<NodeId, StudyNode>;
  readonly #leaders: { readonly leader: ShardLeader; readonly node: StudyNode }[] = [];
  /** Nodes that lead: the only ones whose planner has something to do. */
  readonly #planners = new Set<StudyNode>();
  /** Who hears the gossip of a node after so many hops. */
  readonly #hearers = new Map<StudyNode, readonly (readonly StudyNode[])[]>();
  readonly #slots = initialSlotTable(shards);
  readonly #specs = new Map<string, { readonly digest: Uint8Array; readonly bytes: Uint8Array }>();
  readonly #rows = new Map<string, Uint8Array>();
  readonly #numbers = new Map<TaskId, number>();
  readonly #ledBy: NodeId[] = [];
  #resolved = false;
  #left: number;

  constructor(trace: Trace, seed: number) {
    this.#trace = trace;
    this.startedMs = new Float64Array(trace.jobs.length).fill(Number.NaN);
    this.endedMs = new Float64Array(trace.jobs.length).fill(Number.NaN);
    this.#left = trace.jobs.length;
    this.#draw = seededRandom(seed, 'cluster');
    this.#links = new Links(this.time, seededRandom(seed, 'links'), trace.nodes.length);
    const weights = new Map(trace.tenants.map(({ name, weight }) => [name, weight]));
    const world = {
      clock: this.#clock,
      links: this.#links,
      random: (stream: string) => seededRandom(seed, stream),
      processes: {
        durationMs: (id: TaskId) => this.#trace.jobs[this.#number(id)]!.durationMs,
        started: (id: TaskId) => this.#started(this.#number(id)),
      },
      nodes: () => this.#nodes,
      leaderOf: (shard: number) => this.#leaders[shard - 1]!.node.id,
      node: (id: NodeId) => this.#byId.get(id)!,
      gossip: (from: StudyNode, advertisement: Advertisement) => this.#gossip(from, advertisement),
      weightOf: (tenant: string) => weights.get(tenant) ?? 1,
      rowOf: (key: Uint8Array) => this.#rows.get(hex(key)),
    };
    this.#nodes = trace.nodes.map((node, number) => new StudyNode(`n${number}`, node, world));
    this.#byId = new Map(this.#nodes.map(node => [node.id, node]));
    for (let shard = 1; shard <= shards; shard++) {
      const log = new StudyLog(shard, this.#links, () => {
        this.#resolved = true;
      });
      const node = this.#nodes[Math.floor(((shard - 1) * this.#nodes.length) / shards)]!;
      this.#leaders.push({ leader: node.lead(shard, log), node });
      this.#planners.add(node);
    }
  }

  /** Runs until every task has started, as when it ends follows from that, or until an instant. */
  async run(untilMs = Number.POSITIVE_INFINITY): Promise<void> {
    for (const node of this.#nodes) {
      this.#clock.after(this.#uniform() * staggerMs, () => {
        this.#resolved = true;
        void node.start();
      });
    }
    this.#submitFrom(0);
    while (this.#left > 0 && this.time.nowMs < originMs + untilMs && this.time.step()) {
      if (!this.#resolved) continue;
      this.#resolved = false;
      // Whatever waited for a promise goes on at the instant at which it was resolved.
      await new Promise(resolve => setImmediate(resolve));
    }
  }

  get traffic(): Traffic {
    const sum = (of: (node: StudyNode) => number): number =>
      this.#nodes.reduce((total, node) => total + of(node), 0);
    const refusals = new Map<string, number>();
    for (const { scheduler } of this.#nodes) {
      for (const [why, count] of scheduler.refusals) {
        refusals.set(why, (refusals.get(why) ?? 0) + count);
      }
    }
    const leaders = this.#planners.size;
    const gossipedBytes = sum(({ count }) => count.gossipedBytes);
    return {
      placements: sum(({ count }) => count.placements),
      refusals,
      gossiped: sum(({ count }) => count.gossiped),
      told: sum(({ count }) => count.told),
      advertisedBytes: leaders * gossipedBytes + sum(({ count }) => count.toldBytes),
      plans: sum(({ scheduler }) => scheduler.plans),
      leaders,
    };
  }

  #uniform(): number {
    return this.#draw.uint32() / 2 ** 32;
  }

  /** Submissions that come at one instant, then those after them. */
  #submitFrom(first: number): void {
    const { jobs } = this.#trace;
    const atMs = jobs[first]?.atMs;
    if (atMs === undefined) return;
    this.time.after(originMs + atMs - this.time.nowMs, () => {
      let next = first;
      for (; jobs[next]?.atMs === atMs; next++) this.#submit(next, jobs[next]!);
      this.#submitFrom(next);
    });
  }

  #submit(number: number, job: Job): void {
    const slot = this.#draw.uint32() % slotCount;
    const id = formatTaskId({ atMs: this.#clock.wallMs(), slot, random: number });
    this.#numbers.set(id, number);
    const { leader, node } = this.#leaders[this.#slots[slot]! - 1]!;
    this.#ledBy[number] = node.id;
    const specs = [this.#specOf(job)];
    // From the client to the node that it knows, and from there to the leader.
    this.#links.after('link', () =>
      this.#links.after('link', () => {
        const actor = { name: 'client', tenant: job.tenant.name };
        leader.submit({ specs, items: [{ id, spec: 0 }] }, actor).then(
          ([reply]) => {
            if (reply?.ok !== true) throw new Error(`refused: ${JSON.stringify(reply)}`);
          },
          (error: unknown) => {
            throw error;
          },
        );
      }),
    );
  }

  #specOf({ tenant, tier, request, capMs, toleranceMs }: Job) {
    const { cpuMilli, memoryBytes } = request;
    const key = [tenant.name, tier, cpuMilli, memoryBytes, capMs, toleranceMs].join(' ');
    let spec = this.#specs.get(key);
    if (spec === undefined) {
      const parts = { tenant: tenant.name, tier, request, limit: request, capMs, toleranceMs };
      const bytes = encodeSpec(specWith(parts));
      const digest = createHash('sha256').update(bytes).digest().subarray(0, 16);
      spec = { digest: new Uint8Array(digest), bytes };
      this.#specs.set(key, spec);
      this.#rows.set(hex(specKey(spec.digest)), bytes);
    }
    return spec;
  }

  /** Which node leads the shard of a task that was submitted. */
  leaderOf(number: number): NodeId | undefined {
    return this.#ledBy[number];
  }

  #number(id: TaskId): number {
    return this.#numbers.get(id)!;
  }

  #started(number: number): void {
    if (!Number.isNaN(this.startedMs[number]!)) throw new Error(`task ${number} started twice`);
    this.startedMs[number] = this.time.nowMs - originMs;
    this.endedMs[number] = this.startedMs[number]! + this.#trace.jobs[number]!.durationMs;
    this.#left--;
  }

  #gossip(from: StudyNode, advertisement: Advertisement): void {
    let hearers = this.#hearers.get(from);
    if (hearers === undefined) {
      hearers = this.#hearersOf(from);
      this.#hearers.set(from, hearers);
    }
    const byHops = hearers;
    this.#links.gossip(hops => {
      for (const node of byHops[hops] ?? []) node.scheduler.know(advertisement);
    });
  }

  /** Everybody hears of those who lead; what others have to say is left out where nobody plans. */
  #hearersOf(from: StudyNode): StudyNode[][] {
    const hearers: StudyNode[][] = [];
    const author = this.#nodes.indexOf(from);
    for (const [number, node] of this.#nodes.entries()) {
      if (node === from || !(this.#planners.has(from) || this.#planners.has(node))) continue;
      (hearers[this.#links.distance(author, number)] ??= []).push(node);
    }
    return hearers;
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const specWith = (
  parts: Pick<TaskSpec, 'tenant' | 'tier' | 'request' | 'limit' | 'capMs' | 'toleranceMs'>,
): TaskSpec => ({
  owner: 'client',
  name: '',
  run: { kind: 'command', argv: ['work'] },
  env: [],
  cwd: '',
  labels: [],
  require: [],
  attempts: 1,
  backoff: { initialMs: 0, maxMs: 0 },
  graceMs: 1_000,
  leaseMs: 20_000,
  outputBytesMax: 1_000_000,
  ...parts,
});
