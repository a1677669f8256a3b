/** The placement study at a small size: the same code as `npm run study`, and figures that hold. */
import { describe, expect, test } from 'vitest';
import { runCell } from '../../scripts/study/cell.ts';
import { fairnessOf, jainOf, maxMinShares } from '../../scripts/study/fairness.ts';
import { runOmniscient, type Times } from '../../scripts/study/omniscient.ts';
import { plotOf } from '../../scripts/study/plot.ts';
import { missedBy, pageOf, tableOf } from '../../scripts/study/report.ts';
import { makeTrace } from '../../scripts/study/trace.ts';
import { noResources, type Resources } from '../../src/model/resources.ts';

const small = { nodes: 20, seed: 3, spanMs: 12_000 };

describe('the trace', () => {
  const trace = makeTrace({ ...small, load: 0.8, spanMs: 120_000 });

  test('is the load that was asked for, from the beginning', () => {
    const cpuMilli = trace.nodes.reduce((sum, { total }) => sum + total.cpuMilli, 0);
    const work = trace.jobs.reduce((sum, job) => sum + job.request.cpuMilli * job.durationMs, 0);
    // What is left of earlier tasks is there too, and what runs beyond the end.
    expect(work / cpuMilli / trace.spanMs).toBeGreaterThan(0.7);
    expect(work / cpuMilli / trace.spanMs).toBeLessThan(1.2);
  });

  test('has a heavy tail, three tiers and twenty tenants', () => {
    const ms = trace.jobs.map(job => job.durationMs).sort((left, right) => left - right);
    const half = ms.reduce((sum, value) => sum + value, 0) / 2;
    let [work, longest] = [0, 0];
    for (let at = ms.length - 1; work < half; at--, longest++) work += ms[at]!;
    expect(longest / ms.length).toBeLessThan(0.15);
    expect(new Set(trace.jobs.map(job => job.tier)).size).toBe(3);
    expect(new Set(trace.jobs.map(job => job.tenant.name)).size).toBe(20);
  });
});

test('the omniscient scheduler never gives out more than there is', () => {
  const trace = makeTrace({ ...small, load: 1.2 });
  const { startedMs, endedMs } = runOmniscient(trace);
  const cpuMilli = trace.nodes.reduce((sum, { total }) => sum + total.cpuMilli, 0);
  const changes = trace.jobs.flatMap(({ request }, number) => [
    { atMs: startedMs[number]!, by: request.cpuMilli },
    { atMs: endedMs[number]!, by: -request.cpuMilli },
  ]);
  changes.sort((left, right) => left.atMs - right.atMs || left.by - right.by);
  let used = 0;
  for (const { by } of changes) {
    used += by;
    expect(used).toBeLessThanOrEqual(cpuMilli);
  }
  expect(used).toBe(0);
});

test('the Jain index is 1 for even shares and 1 / n for one that has all', () => {
  expect(jainOf([3, 3, 3])).toBe(1);
  expect(jainOf([5, 0, 0, 0, 0])).toBeCloseTo(0.2);
});

test('a tenant is due no more than it asks for, and the others share what it leaves by weight', () => {
  const shares = maxMinShares(10, [
    { wanted: 20, weight: 1 },
    { wanted: 1, weight: 4 },
    { wanted: 20, weight: 2 },
  ]);
  expect(shares).toEqual([3, 1, 6]);
  const content = [
    { wanted: 2, weight: 1 },
    { wanted: 3, weight: 1 },
  ];
  expect(maxMinShares(10, content)).toEqual([2, 3]);
});

describe('fairness', () => {
  const cpu = (cpus: number): Resources => ({
    ...noResources,
    cpuMilli: cpus * 1_000,
    memoryBytes: cpus,
  });
  /** Ten CPUs for 40 s; a and b ask for all of it, c for one CPU. */
  const tenants = ['a', 'b', 'c'].map(name => ({ name, weight: 1 }));
  const jobs = [4.5, 5.5, 4.5, 5.5, 1].map((cpus, number) => ({
    atMs: 0,
    tenant: tenants[Math.floor(number / 2)]!,
    tier: 'basic' as const,
    request: cpu(cpus),
    durationMs: 50_000,
    capMs: 0,
    toleranceMs: undefined,
  }));
  const trace = {
    nodes: [{ tier: 'basic' as const, total: cpu(10) }],
    jobs,
    tenants,
    spanMs: 40_000,
  };
  const windows = { fromMs: 0, windowMs: 20_000 };
  const served = (numbers: readonly number[]): Times => ({
    startedMs: Float64Array.from(jobs, (_, number) => (numbers.includes(number) ? 0 : Number.NaN)),
    endedMs: Float64Array.from(jobs, () => 50_000),
  });

  test('is 1 where those that ask for too much hold the same, and the others all they ask for', () => {
    const even = fairnessOf(trace, served([0, 2, 4]), windows);
    expect(even.mean).toBeCloseTo(1);
    expect(even.contending).toBeCloseTo(1);
    expect(even.tenants).toBe(2);
  });

  test('is that of one of two where one has all', () => {
    const { mean, contending, tenants: count } = fairnessOf(trace, served([0, 1]), windows);
    expect(count).toBe(2);
    expect(mean).toBeCloseTo(1 / 3);
    expect(contending).toBeCloseTo(1 / 2);
  });

  test('is 1 where nobody asks for more than there is, and nobody contends', () => {
    const content = { ...trace, jobs: jobs.slice(4) };
    const { mean, contending, tenants: count } = fairnessOf(content, served([0]), windows);
    expect(mean).toBe(1);
    expect(contending).toBeNull();
    expect(count).toBe(0);
  });

  test('is none where no window ends in the span', () => {
    const late = { fromMs: 30_000, windowMs: 20_000 };
    expect(fairnessOf(trace, served([0, 1]), late).mean).toBeNull();
  });
});

test('a small cluster at half its load serves as well as the best', async () => {
  const cell = await runCell({ ...small, load: 0.5 });
  expect(cell.tasks).toBeGreaterThan(50);
  expect(missedBy([cell])).toEqual([]);
  // A commit, a frame and a process to start: what a start costs where nothing is in the way.
  expect(cell.real.wait.p50).toBeGreaterThan(10);
  expect(cell.real.wait.p50).toBeLessThan(50);
  expect(tableOf([cell])).toContain(' 100.00 % |');
  expect(pageOf([cell])).toContain('All goals that these rows show are met.');
  expect(plotOf([cell])).toMatch(/^<svg .*<\/svg>\n$/s);
  expect(await runCell({ ...small, load: 0.5 })).toEqual(cell);
});
