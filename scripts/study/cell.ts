/** One cell of the study: a size, a load and a seed, run by the real code and by the omniscient. */
import { limits } from '../../src/model/limits.ts';
import { percentile } from '../bench/statistics.ts';
import { type Fairness, fairnessOf, type Windows } from './fairness.ts';
import { runOmniscient, type Times } from './omniscient.ts';
import { StudyCluster } from './study-cluster.ts';
import { makeTrace, type Trace } from './trace.ts';

export interface CellOptions {
  readonly nodes: number;
  readonly load: number;
  readonly seed: number;
  /** Virtual; what comes in the first part is run and not measured. */
  readonly spanMs: number;
}

/** Tasks that come before this are run and not measured. */
const warmMs = 5_000;

interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

/**
 * When fairness is looked at. Nothing is preempted, so where more comes than there is room for,
 * what was given away comes back only when tasks end: it is looked at in the second half of the
 * span, as nobody has shared out what runs at the beginning, and much of that is long. Below that
 * what is asked for changes within seconds.
 */
const windowsOf = ({ load, spanMs }: CellOptions): Windows =>
  isOverload(load)
    ? { fromMs: Math.max(warmMs, spanMs / 2), windowMs: 20_000 }
    : { fromMs: warmMs, windowMs: 5_000 };

/** What one scheduler made of the trace. */
interface Served {
  /** From the submit to the end, in milliseconds. */
  readonly response: Percentiles;
  /** From the submit to the start, in milliseconds. */
  readonly wait: Percentiles;
  /** Share of the CPUs that ran tasks, while tasks came. */
  readonly use: number;
  /** Share of the tasks that started within their start bound. */
  readonly boundsKept: number;
  readonly fairness: Fairness;
}

export interface Cell extends CellOptions {
  /** Those that are measured. */
  readonly tasks: number;
  readonly real: Served;
  readonly omniscient: Served;
  /** Placements that came back for each task that started. */
  readonly refusals: number;
  /** The same, after the task stood in a queue in vain. */
  readonly queuedInVain: number;
  /** Advertisements in a second: gossiped by all nodes, and told to each that leads. */
  readonly gossipPerSecond: number;
  readonly toldPerSecond: number;
  /** Bytes of them that each node that leads reads in a second. */
  readonly advertisedBytesPerSecond: number;
  readonly plansPerTask: number;
}

/** More work than there is room for has no response time: it only shows who is served. */
export const isOverload = (load: number): boolean => load >= 1;

export async function runCell(options: CellOptions): Promise<Cell> {
  const trace = makeTrace({ ...options, patient: isOverload(options.load) });
  const omniscient = runOmniscient(trace);
  const cluster = new StudyCluster(trace, options.seed);
  await cluster.run(isOverload(options.load) ? trace.spanMs : undefined);
  const { placements, refusals, gossiped, told, advertisedBytes, plans, leaders } = cluster.traffic;
  const refused = [...refusals.values()].reduce((sum, count) => sum + count, 0);
  const queuedInVain = refusals.get('waitedTooLong') ?? 0;
  const seconds = cluster.time.nowMs / 1_000;
  const started = placements - refused;
  return {
    ...options,
    tasks: trace.jobs.filter(({ atMs }) => atMs >= warmMs).length,
    real: servedOf(trace, cluster, windowsOf(options)),
    omniscient: servedOf(trace, omniscient, windowsOf(options)),
    refusals: refused / started,
    queuedInVain: queuedInVain / started,
    gossipPerSecond: gossiped / seconds,
    toldPerSecond: told / leaders / seconds,
    advertisedBytesPerSecond: advertisedBytes / leaders / seconds,
    plansPerTask: plans / started,
  };
}

function servedOf(trace: Trace, times: Times, windows: Windows): Served {
  const measured = trace.jobs.flatMap(({ atMs, toleranceMs }, number) => {
    const startedMs = times.startedMs[number]!;
    if (atMs < warmMs || Number.isNaN(startedMs)) return [];
    const waitMs = startedMs - atMs;
    const kept = waitMs <= (toleranceMs ?? limits.toleranceMsDefault);
    return [{ waitMs, responseMs: times.endedMs[number]! - atMs, kept }];
  });
  const waits = measured.map(({ waitMs }) => waitMs);
  const responses = measured.map(({ responseMs }) => responseMs);
  return {
    response: { p50: percentile(responses, 0.5), p99: percentile(responses, 0.99) },
    wait: { p50: percentile(waits, 0.5), p99: percentile(waits, 0.99) },
    use: useOf(trace, times),
    boundsKept: measured.filter(({ kept }) => kept).length / measured.length,
    fairness: fairnessOf(trace, times, windows),
  };
}

function useOf(trace: Trace, { startedMs, endedMs }: Times): number {
  const total = trace.nodes.reduce((sum, node) => sum + node.total.cpuMilli, 0);
  let busy = 0;
  trace.jobs.forEach(({ request }, number) => {
    const fromMs = Math.max(warmMs, startedMs[number]!);
    const toMs = Math.min(trace.spanMs, endedMs[number]!);
    if (toMs > fromMs) busy += (toMs - fromMs) * request.cpuMilli;
  });
  return busy / total / (trace.spanMs - warmMs);
}
