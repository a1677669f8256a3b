/**
 * A run as data: what was asked, the verdict in words, every check, every fault with its recovery,
 * and the lines of the picture. The page is drawn from this and from nothing else, so that a
 * program that reads the JSON knows as much as whoever looks at the page.
 */
import type { Lack } from './abilities.ts';
import { livesOf } from './attempt-log.ts';
import type { CheckResult } from './checks.ts';
import { kindRow } from './fault-kinds.ts';
import type { History, NodeSpan } from './history.ts';
import { type Recovery, recoveries } from './recovery.ts';
import type { Scenario } from './scenario.ts';

export interface ReportFault {
  readonly number: number;
  readonly kind: string;
  readonly nodes: readonly string[];
  readonly does: string;
  readonly promise: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly told: readonly string[];
  readonly failed?: string | undefined;
  readonly recovery: readonly Recovery[];
}

export interface Lane {
  readonly node: string;
  readonly spans: readonly {
    readonly fromMs: number;
    readonly toMs: number;
    readonly state: NodeSpan['state'];
  }[];
  /** Shards that it led, at each change. */
  readonly led: readonly { readonly atMs: number; readonly count: number }[];
}

/** One bucket of time. */
export interface Bucket {
  readonly fromMs: number;
  readonly begun: number;
  readonly acked: number;
  readonly ended: number;
  /** Of the submits that were acknowledged in it, from their first try; absent without any. */
  readonly p50Ms?: number | undefined;
  readonly p99Ms?: number | undefined;
}

export interface Totals {
  readonly submitted: number;
  readonly acked: number;
  readonly settled: number;
  readonly attempts: number;
  readonly lostAttempts: number;
  readonly replicasCompared: number;
  /** Longest time without any acknowledgement while work was submitted. */
  readonly longestSilenceMs: number;
  readonly ackP50Ms?: number | undefined;
  readonly ackP99Ms?: number | undefined;
  readonly slowestAckRecoveryMs?: number | undefined;
  readonly slowestLedRecoveryMs?: number | undefined;
}

export interface Report {
  readonly format: 1;
  readonly scenario: string;
  readonly about: string;
  readonly seed: number;
  readonly verdict: 'green' | 'red' | 'skipped';
  readonly headline: string;
  readonly nodes: number;
  readonly shards: number;
  readonly startedAt: string;
  readonly version: string;
  readonly endMs: number;
  readonly workEndMs: number;
  readonly lacks: readonly Lack[];
  /** What has to be known of the cluster; of one of the run's own there is nothing. */
  readonly notes: readonly string[];
  readonly checks: readonly CheckResult[];
  readonly totals: Totals;
  readonly faults: readonly ReportFault[];
  readonly lanes: readonly Lane[];
  readonly bucketMs: number;
  readonly buckets: readonly Bucket[];
}

export interface ReportInput {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly startedAt: string;
  readonly version: string;
}

const bucketsMax = 240;
const noTotals: Totals = {
  submitted: 0,
  acked: 0,
  settled: 0,
  attempts: 0,
  lostAttempts: 0,
  replicasCompared: 0,
  longestSilenceMs: 0,
};

const headOf = ({ scenario, seed, startedAt, version }: ReportInput) => ({
  format: 1 as const,
  scenario: scenario.name,
  about: scenario.about,
  seed,
  nodes: scenario.nodes,
  shards: scenario.shards,
  startedAt,
  version,
});

/** Of a scenario that this machine cannot run: never green, and it says why. */
export function reportSkipped(input: ReportInput, lacks: readonly Lack[]): Report {
  const reasons = [...new Set(lacks.map(lack => lack.reason))].join('; ');
  return {
    ...headOf(input),
    verdict: 'skipped',
    headline: `Skipped: nothing was run and nothing is shown, because ${reasons}.`,
    ...{ endMs: 0, workEndMs: 0, lacks, notes: [], checks: [], totals: noTotals },
    ...{ faults: [], lanes: [], bucketMs: 1_000, buckets: [] },
  };
}

export function reportRun(
  input: ReportInput,
  history: History,
  checks: readonly CheckResult[],
): Report {
  const verdict = checks.every(check => check.ok) ? 'green' : 'red';
  const measured = recoveries(history);
  const bucketMs = Math.max(500, Math.ceil(history.endMs / bucketsMax / 500) * 500);
  const totals = totalsOf(history, measured);
  return {
    ...headOf(input),
    verdict,
    headline: headlineOf(verdict, history, totals, checks),
    endMs: Math.round(history.endMs),
    workEndMs: Math.round(history.workEndMs),
    lacks: [],
    notes: history.notes,
    checks,
    totals,
    faults: history.faults.map(fault => ({
      number: fault.number,
      kind: fault.kind,
      nodes: fault.nodes.map(number => `n${number}`),
      does: kindRow(fault.kind).does,
      promise: kindRow(fault.kind).promise,
      fromMs: Math.round(fault.fromMs),
      toMs: Math.round(fault.toMs),
      told: fault.told,
      ...(fault.failed === undefined ? {} : { failed: fault.failed }),
      recovery: measured.filter(one => one.fault === fault.number),
    })),
    lanes: lanesOf(history),
    bucketMs,
    buckets: bucketsOf(history, bucketMs),
  };
}

function headlineOf(
  verdict: 'green' | 'red',
  history: History,
  totals: Totals,
  checks: readonly CheckResult[],
): string {
  const faults = `${history.faults.length} ${history.faults.length === 1 ? 'fault' : 'faults'}`;
  if (verdict === 'green') {
    return (
      `All promises were kept: ${totals.acked} acknowledged tasks through ${faults}, none lost, ` +
      'none run twice at once, all replicas equal.'
    );
  }
  const broken = checks.filter(check => !check.ok);
  const first = broken[0]!;
  const more = broken.length > 1 ? `, and ${broken.length - 1} more` : '';
  return `A promise was broken: “${first.promise}” does not hold (${first.found})${more}.`;
}

function totalsOf(history: History, measured: readonly Recovery[]): Totals {
  const acked = history.submits.filter(submit => submit.ackedMs !== undefined);
  const latencies = acked.map(({ begunMs, ackedMs }) => ackedMs! - begunMs);
  const tasks = [...history.tasks.values()].filter(task => task !== undefined);
  const slowest = (values: readonly (number | undefined)[]): number | undefined => {
    const known = values.filter(value => value !== undefined);
    return known.length === 0 ? undefined : Math.max(...known);
  };
  return {
    submitted: history.submits.length,
    acked: acked.length,
    settled: tasks.filter(task => task.state === 'succeeded').length,
    attempts: [...livesOf(history.lines).values()].flat().length,
    lostAttempts: tasks.reduce((sum, task) => sum + task.lost, 0),
    replicasCompared: history.comparison.compared,
    longestSilenceMs: longestSilence(history),
    ackP50Ms: quantile(latencies, 0.5),
    ackP99Ms: quantile(latencies, 0.99),
    slowestAckRecoveryMs: slowest(measured.map(one => one.ackMs)),
    slowestLedRecoveryMs: slowest(measured.map(one => one.ledMs)),
  };
}

function longestSilence({ submits }: History): number {
  const atMs = submits
    .flatMap(({ ackedMs }) => (ackedMs === undefined ? [] : [ackedMs]))
    .sort((left, right) => left - right);
  const gaps = atMs.slice(1).map((at, place) => at - atMs[place]!);
  return Math.round(Math.max(0, ...gaps));
}

/** The value that this share of all is not above; `undefined` of nothing. */
export function quantile(values: readonly number[], share: number): number | undefined {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((left, right) => left - right);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!);
}

function lanesOf(history: History): Lane[] {
  return Array.from({ length: history.nodes }, (_, place) => {
    const number = place + 1;
    // What happens while the cluster is taken down belongs to no run.
    const own = history.spans.filter(span => span.node === number && span.fromMs < history.endMs);
    const led: { atMs: number; count: number }[] = [];
    for (const { atMs, leaders } of history.leaders) {
      const count = leaders.filter(leader => leader === number).length;
      if (led.at(-1)?.count !== count) led.push({ atMs: Math.round(atMs), count });
    }
    return {
      node: `n${number}`,
      spans: own.map(({ fromMs, state }, position) => ({
        fromMs: Math.round(fromMs),
        toMs: Math.round(own[position + 1]?.fromMs ?? history.endMs),
        state,
      })),
      led,
    };
  });
}

function bucketsOf(history: History, bucketMs: number): Bucket[] {
  const count = Math.max(1, Math.ceil(history.endMs / bucketMs));
  const begun = new Array<number>(count).fill(0);
  const ended = new Array<number>(count).fill(0);
  const latencies: number[][] = Array.from({ length: count }, () => []);
  const placeOf = (atMs: number): number =>
    Math.min(count - 1, Math.max(0, Math.floor(atMs / bucketMs)));
  for (const { begunMs, ackedMs } of history.submits) {
    begun[placeOf(begunMs)]!++;
    if (ackedMs !== undefined) latencies[placeOf(ackedMs)]!.push(ackedMs - begunMs);
  }
  for (const { what, upS } of history.lines) {
    if (what === 'end') ended[placeOf((upS - history.upAtStartS) * 1_000)]!++;
  }
  return latencies.map((own, place) => {
    const p50Ms = quantile(own, 0.5);
    return {
      fromMs: place * bucketMs,
      begun: begun[place]!,
      acked: own.length,
      ended: ended[place]!,
      ...(p50Ms === undefined ? {} : { p50Ms, p99Ms: quantile(own, 0.99) }),
    };
  });
}
