/** What reads rest on: a majority, or what one replica has, and then they say so. */
import { expect, test } from 'vitest';
import { SmallWorld, someSpec, submitted } from './small-world.ts';

async function withoutMajority() {
  const world = new SmallWorld({ shards: 2 });
  const nodes = await world.cluster(3);
  const ids = await submitted(
    world,
    nodes[0]!,
    Array.from({ length: 6 }, () => someSpec()),
  );
  const page = await world.within(nodes[2]!.api.list({ limit: 10, consistency: 'linearizable' }));
  expect(page.tasks).toHaveLength(6);
  expect(page.staleShards).toEqual([]);
  // The third node's replicas have everything before it is left alone.
  await world.until(() =>
    [1, 2].every(shard => {
      const [first, , third] = nodes.map(node => node.loop.replica(shard)!);
      return first!.applied === third!.applied;
    }),
  );
  world.net.isolate('n3', ['n1', 'n2']);
  await world.until(() => [1, 2].every(shard => !nodes[2]!.loop.replica(shard)!.leading));
  return { world, nodes, ids, alone: nodes[2]! };
}

test('a task whose shard has no majority is shown stale, and how old that is', async () => {
  const { world, ids, alone } = await withoutMajority();
  await world.pass(5_000);
  const view = await world.within(alone.api.get(ids[0]!), 4_500);
  expect(view).toMatchObject({ id: ids[0], stale: true });
  expect(view.staleMs).toBeGreaterThan(4_000);
  expect(view.staleMs).toBeLessThan(15_000);
});

test('a linearizable read is refused there, a local one is answered at once', async () => {
  const { world, ids, alone } = await withoutMajority();
  await expect(world.within(alone.api.get(ids[0]!, 'linearizable'))).rejects.toMatchObject({
    code: 'noQuorum',
  });
  const startedMs = world.time.nowMs;
  const view = await world.within(alone.api.get(ids[0]!, 'local'));
  expect(view.stale).toBe(true);
  expect(world.time.nowMs - startedMs).toBeLessThan(50);
});

test('a local read of a healthy cluster is marked, a usual one is not', async () => {
  const world = new SmallWorld({ shards: 1 });
  const nodes = await world.cluster(3);
  const [id] = await submitted(world, nodes[0]!, [someSpec()]);
  for (const node of nodes) {
    expect(await world.within(node.api.get(id!))).toMatchObject({ stale: false });
    expect(await world.within(node.api.get(id!))).not.toHaveProperty('staleMs');
    const local = await world.within(node.api.get(id!, 'local'));
    expect(local).toMatchObject({ id, stale: true });
    expect(local.staleMs).toBeLessThan(1_000);
  }
});

test('a listing names the shards that no majority confirmed', async () => {
  const { world, alone, ids } = await withoutMajority();
  const page = await world.within(alone.api.list({ limit: 10 }), 4_500);
  expect(page.staleShards).toEqual([1, 2]);
  expect(page.missingShards).toEqual([]);
  expect(page.tasks.map(task => task.id)).toEqual([...ids].sort().reverse());
  await expect(
    world.within(alone.api.list({ limit: 10, consistency: 'linearizable' })),
  ).rejects.toMatchObject({ code: 'noQuorum' });
});

test('a leader that was cut off names its shards before it knows that it does not lead', async () => {
  const world = new SmallWorld({ shards: 2 });
  const nodes = await world.cluster(3);
  await submitted(world, nodes[0]!, [someSpec()]);
  const leader = nodes.find(node => node.loop.replica(1)!.leading)!;
  world.net.isolate(
    leader.context.nodeId,
    nodes.map(node => node.context.nodeId),
  );
  expect(leader.loop.replica(1)!.leading).toBe(true);
  const page = await world.within(leader.api.list({ limit: 10 }), 4_500);
  expect(page.staleShards).toContain(1);
});

test('no task is changed by a name that an old replica explains', async () => {
  const { world, ids, alone } = await withoutMajority();
  const newest = [...ids].sort().at(-1)!;
  for (const name of ['last', newest.slice(-8)]) {
    expect(await world.within(alone.api.resolve(name))).toBe(newest);
    const change = alone.api.resolve(name, undefined, 'change');
    await expect(world.within(change)).rejects.toMatchObject({ code: 'noQuorum' });
  }
});
