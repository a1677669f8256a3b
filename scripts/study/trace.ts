/**
 * What the study feeds a cluster with: nodes of three tiers and a stream of jobs in the manner of
 * the public traces (Google 2011 and 2019, Alibaba 2018), from a seed. What those have in common
 * and what makes placement hard is in it: most jobs are one task and a few are hundreds that come
 * at once; most tasks are short and small and a few are long or as large as a node, so that most of
 * the work is in few of them; a few tenants bring most of it.
 *
 * Arrivals are stretched so that the work that comes is exactly the load asked for: a heavy tail
 * would else make each seed another load. The trace begins in the middle of things: what came
 * earlier and still runs is there at the beginning, with what is left of it. From an empty cluster
 * it would take minutes until the long tasks are as many as they will be.
 */
import { noResources, type Resources, type Tier } from '../../src/model/resources.ts';
import type { Random } from '../../src/ports/clock.ts';
import { seededRandom } from '../../test/simulation/virtual-time.ts';

const gib = 2 ** 30;

export interface TraceNode {
  readonly tier: Tier;
  readonly total: Resources;
}

export interface Tenant {
  readonly name: string;
  readonly weight: number;
}

/** One task; its number is its place in the trace, which is in the order of `atMs`. */
export interface Job {
  readonly atMs: number;
  readonly tenant: Tenant;
  readonly tier: Tier;
  readonly request: Resources;
  readonly durationMs: number;
  /** 0 is none. */
  readonly capMs: number;
  /** `undefined` for the default of a day. */
  readonly toleranceMs: number | undefined;
}

export interface Trace {
  readonly nodes: readonly TraceNode[];
  readonly jobs: readonly Job[];
  readonly tenants: readonly Tenant[];
  readonly spanMs: number;
}

export interface TraceOptions {
  readonly seed: number;
  readonly nodes: number;
  /** Work that comes in the span by what the cluster could do in it, by CPU: 0.8 is 80 %. */
  readonly load: number;
  readonly spanMs: number;
  /** All tasks may wait for a day: none is urgent, which goes before fairness. */
  readonly patient?: boolean | undefined;
}

const tenantCount = 20;
/** No task takes longer. */
const longestMs = 120_000;
/** What a busy cluster runs when the trace begins comes within this time. */
const beginMs = 2_000;

/** Draws with names, from one stream. */
class Draw {
  readonly #random: Random;

  constructor(seed: number, stream: string) {
    this.#random = seededRandom(seed, stream);
  }

  uniform(): number {
    return (this.#random.uint32() + 0.5) / 2 ** 32;
  }

  normal(): number {
    return Math.sqrt(-2 * Math.log(this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  exponential(mean: number): number {
    return -mean * Math.log(this.uniform());
  }

  /** Pareto, cut off at both ends. */
  pareto(shape: number, least: number, most: number): number {
    const tail = 1 - (least / most) ** shape;
    return least / (1 - this.uniform() * tail) ** (1 / shape);
  }

  /** One of the values, each as often as its share says. */
  pick<T>(choices: readonly (readonly [share: number, value: T])[]): T {
    let left = this.uniform() * choices.reduce((sum, [share]) => sum + share, 0);
    for (const [share, value] of choices) {
      left -= share;
      if (left < 0) return value;
    }
    return choices.at(-1)![1];
  }
}

const nodeKinds: readonly (readonly [share: number, node: TraceNode])[] = (
  [
    [0.5, 'basic', 4],
    [0.35, 'regular', 8],
    [0.15, 'premium', 16],
  ] as const
).map(([share, tier, cpus]) => [
  share,
  { tier, total: { ...noResources, cpuMilli: cpus * 1_000, memoryBytes: cpus * 4 * gib } },
]);

/** As many of each kind as its share says, dealt over the cluster. */
function nodesOf(count: number, draw: Draw): TraceNode[] {
  const nodes: TraceNode[] = [];
  let shares = 0;
  for (const [share, node] of nodeKinds) {
    shares += share;
    while (nodes.length < Math.round(shares * count)) nodes.push(node);
  }
  return nodes
    .map(node => [draw.uniform(), node] as const)
    .sort(([left], [right]) => left - right)
    .map(([, node]) => node);
}

const weights = [4, 2, 1, 1, 2, 1, 1, 1];

/** The first brings most jobs: a tenth of the work is that of the last ten. */
const tenants: readonly (readonly [share: number, tenant: Tenant])[] = Array.from(
  { length: tenantCount },
  (_, at) => [1 / (at + 1) ** 0.8, { name: `t${at + 1}`, weight: weights[at % weights.length]! }],
);

/** Half are over in 2 s; one in twenty takes 15 s to 2 minutes, and they are half of the work. */
function durationOf(draw: Draw): number {
  const ms =
    draw.uniform() < 0.95
      ? 2_000 * Math.exp(1.1 * draw.normal())
      : draw.pareto(1.1, 15_000, longestMs);
  return Math.round(Math.min(longestMs, Math.max(50, ms)));
}

function requestOf(draw: Draw): Resources {
  const cpuMilli = draw.pick([
    [0.25, 250],
    [0.25, 500],
    [0.3, 1_000],
    [0.13, 2_000],
    [0.07, 4_000],
  ]);
  const gibPerCpu = draw.pick([
    [0.5, 1],
    [0.3, 2],
    [0.2, 4],
  ]);
  return { ...noResources, cpuMilli, memoryBytes: (cpuMilli / 1_000) * gibPerCpu * gib };
}

const tierShares = [
  [0.7, 'basic'],
  [0.2, 'regular'],
  [0.1, 'premium'],
] as const;

const tolerances = [
  [0.15, 30_000],
  [0.35, 300_000],
  [0.5, undefined],
] as const;

/** All tasks of one submission: alike, but for how long they take. */
function burstOf(draw: Draw, atMs: number, patient: boolean): Job[] {
  const size = draw.uniform() < 0.7 ? 1 : Math.floor(draw.pareto(1.3, 2, 100));
  const shared = {
    atMs,
    tenant: draw.pick(tenants),
    tier: draw.pick(tierShares),
    request: requestOf(draw),
    toleranceMs: draw.pick(tolerances),
    ...(patient ? { toleranceMs: undefined } : {}),
  };
  const capped = draw.uniform() < 0.5;
  return Array.from({ length: size }, () => {
    const durationMs = durationOf(draw);
    // People give caps with room to spare.
    const capMs = capped ? Math.ceil((durationMs * (1.2 + 4 * draw.uniform())) / 1_000) * 1_000 : 0;
    return { ...shared, durationMs, capMs };
  });
}

const cpuWork = ({ request, durationMs }: Job): number => request.cpuMilli * durationMs;

export function makeTrace(options: TraceOptions): Trace {
  const { seed, nodes: count, load, spanMs, patient = false } = options;
  const nodes = nodesOf(count, new Draw(seed, 'nodes'));
  const draw = new Draw(seed, 'jobs');
  const cpuMilli = nodes.reduce((sum, { total }) => sum + total.cpuMilli, 0);
  const wholeMs = longestMs + spanMs;
  const wanted = cpuMilli * wholeMs * load;
  const jobs: Job[] = [];
  let work = 0;
  let atMs = 0;
  while (work < wanted) {
    atMs += draw.exponential(1);
    for (const job of burstOf(draw, atMs, patient)) {
      work += cpuWork(job);
      jobs.push(job);
    }
  }
  const stretch = (wholeMs * (work / wanted)) / atMs;
  const placed = jobs.flatMap(job => begun({ ...job, atMs: job.atMs * stretch - longestMs }, draw));
  return {
    nodes,
    jobs: placed.sort((left, right) => left.atMs - right.atMs),
    tenants: tenants.map(([, tenant]) => tenant),
    spanMs,
  };
}

/** A task that came before the beginning is there with what is left of it, if anything is. */
function begun(job: Job, draw: Draw): Job[] {
  if (job.atMs >= 0) return [job];
  const durationMs = Math.round(job.atMs + job.durationMs);
  return durationMs > 0 ? [{ ...job, atMs: draw.uniform() * beginMs, durationMs }] : [];
}
