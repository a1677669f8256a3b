/** A node with a slow disk in a cluster: it gives up leading, and comes back. */
import { expect, test } from 'vitest';
import type { TschedNode } from '../../../src/node/node.ts';
import { SmallWorld, someSpec, submitted } from './small-world.ts';

const shards = 4;
const groups = Array.from({ length: shards + 1 }, (_, group) => group);
const leads = (node: TschedNode): number =>
  groups.filter(group => node.loop.replica(group)?.leading === true).length;
const led = (nodes: readonly TschedNode[]): boolean =>
  nodes.reduce((sum, node) => sum + leads(node), 0) === shards + 1;

async function threeDisks() {
  const world = new SmallWorld({ shards });
  const disks = ['n1', 'n2', 'n3'].map(id => {
    const faults = { writeMsMin: 1, writeMsMax: 4 };
    world.faultsOf.set(id, faults);
    return faults;
  });
  const nodes = await world.cluster(3);
  await world.until(() => led(nodes) && nodes.every(node => leads(node) > 0), 300_000);
  const slow = (number: number, ms: number): void => {
    Object.assign(disks[number]!, { writeMsMin: ms, writeMsMax: ms });
  };
  return { world, nodes, slow };
}

test('leaderships leave a node whose disk is slow, and return when it is well', async () => {
  const { world, nodes, slow } = await threeDisks();
  const [first, second] = nodes;
  slow(0, 900);
  // Nothing but the tasks of others keeps its disk busy once it leads nothing.
  await submitted(
    world,
    second!,
    Array.from({ length: 8 }, () => someSpec()),
  );
  await world.until(() => first!.loop.vitals.slow, 60_000);
  await world.until(() => leads(first!) === 0 && led(nodes), 30_000);
  const { problems, ok } = await world.within(second!.api.clusterHealth());
  expect(ok).toBe(false);
  expect(problems.join()).toMatch(
    /node n1 leads nothing for now: a write to its disk takes \d+ ms/,
  );
  const detail = await world.within(second!.api.node('n1'));
  expect(detail.vitals).toMatchObject({ slow: true, lagMs: 0 });
  // The others do not hand anything back as long as it is.
  for (let round = 0; round < 30; round++) {
    await world.pass(1_000);
    expect(leads(first!)).toBe(0);
  }
  const startedMs = world.time.nowMs;
  await submitted(world, second!, [someSpec()]);
  expect(world.time.nowMs - startedMs).toBeLessThan(200);

  slow(0, 3);
  await world.until(() => !first!.loop.vitals.slow, 60_000);
  await world.until(() => leads(first!) > 0 && led(nodes), 300_000);
  const health = await world.within(second!.api.clusterHealth());
  expect(health.problems.join()).not.toContain('slow');
});

test('where every voter is slow somebody leads all the same', async () => {
  const { world, nodes, slow } = await threeDisks();
  for (const number of [0, 1, 2]) slow(number, 900);
  await submitted(
    world,
    nodes[0]!,
    Array.from({ length: 8 }, () => someSpec()),
  );
  await world.until(() => nodes.every(node => node.loop.vitals.slow), 120_000);
  await world.pass(30_000);
  await world.until(() => led(nodes), 30_000);
  await submitted(world, nodes[0]!, [someSpec()]);
});

test('a slow follower leaves the election to a voter that is well', async () => {
  const { world, nodes, slow } = await threeDisks();
  slow(2, 900);
  await submitted(
    world,
    nodes[0]!,
    Array.from({ length: 8 }, () => someSpec()),
  );
  await world.until(() => nodes[2]!.loop.vitals.slow && leads(nodes[2]!) === 0, 60_000);
  world.net.isolate('n1', ['n2', 'n3']);
  const rest = nodes.slice(1);
  await world.until(() => led(rest), 60_000);
  expect(leads(rest[0]!)).toBe(shards + 1);
});
