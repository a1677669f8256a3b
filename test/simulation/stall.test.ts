/**
 * A process that stood still for a while (SIGSTOP, a long collection of garbage) must not take that
 * for the death of its leaders: what came in meanwhile is stepped before time passes for it, and
 * time passes by one tick at most (CockroachDB 9372 was ticks before messages).
 */
import { expect, test } from 'vitest';
import { SimCluster } from './cluster.ts';
import { drawOptions } from './options.ts';
import { setUp } from './run.ts';

test('a follower that goes on after a stall follows its leader on', async () => {
  const cluster = new SimCluster({
    ...drawOptions(1),
    nodes: 3,
    shards: 2,
    growUnderLoad: false,
    skewedClocks: false,
  });
  await setUp(cluster);
  const pass = async (ms: number): Promise<void> => {
    const untilMs = cluster.time.nowMs + ms;
    await cluster.until(
      () => cluster.time.nowMs >= untilMs,
      ms + 1_000,
      () => 'time passes',
    );
  };
  // Leaders are spread over the nodes by then.
  await pass(60_000);
  const machine = cluster.nodes[2]!;
  const { loop } = machine.node!;
  const groups = [...loop.replicas()].filter(({ core }) => core.role === 'follower');
  const before = groups.map(({ core }) => ({ term: core.term, lead: core.lead }));
  expect(before.length).toBeGreaterThan(0);
  const { ticks } = loop.counters;
  machine.process!.pause();
  // Longer than any election timeout, and shorter than the others wait for a silent connection.
  await pass(3_500);
  expect(loop.counters.ticks).toBe(ticks);
  machine.process!.resume();
  await pass(150);
  expect(loop.counters.ticks - ticks).toBeLessThanOrEqual(2);
  await pass(3_000);
  expect(groups.map(({ core }) => ({ term: core.term, lead: core.lead }))).toEqual(before);
});
