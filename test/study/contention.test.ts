/** Leaders after the same rooms, by the code that the study runs. */
import { expect, test } from 'vitest';
import { StudyCluster } from '../../scripts/study/study-cluster.ts';
import { noResources } from '../../src/model/resources.ts';

test('a leader that was refused at first is not left with nothing for good', async () => {
  // Two nodes of one CPU each, and more short tasks from the beginning than will run.
  const total = { ...noResources, cpuMilli: 1_000, memoryBytes: 2 ** 33 };
  const tenant = { name: 'default', weight: 1 };
  const jobs = Array.from({ length: 900 }, (_, number) => ({
    atMs: Math.floor(number / 50),
    tenant,
    tier: 'basic' as const,
    request: { ...noResources, cpuMilli: 1_000 },
    durationMs: 10 + ((number * 311) % 20),
    capMs: 0,
    toleranceMs: undefined,
  }));
  const nodes = [0, 1].map(() => ({ tier: 'basic' as const, total }));
  const cluster = new StudyCluster({ nodes, jobs, tenants: [tenant], spanMs: 12_000 }, 1);
  await cluster.run(12_000);
  const started = jobs.map((_, number) => number).filter(n => !Number.isNaN(cluster.startedMs[n]!));
  const ofFirst = started.filter(number => cluster.leaderOf(number) === 'n0').length;
  expect(started.length).toBeGreaterThan(400);
  expect(started.length).toBeLessThan(jobs.length);
  // All tasks are equally old, and half of them are with each leader.
  expect(ofFirst / started.length).toBeGreaterThan(0.3);
  expect(ofFirst / started.length).toBeLessThan(0.7);
});
