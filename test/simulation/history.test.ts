/**
 * The history of three nodes on virtual time, by tenant, while shards change their leaders: who
 * floods it pushes out itself, a plan keeps for longer than the cluster, and all replicas agree.
 */
import { expect, test } from 'vitest';
import type { TaskId } from '../../src/model/ids.ts';
import type { TschedNode } from '../../src/node/node.ts';
import type { ShardMachine } from '../../src/shard/machine.ts';
import { adminToken, SmallWorld, someSpec, submitted } from '../unit/node/small-world.ts';
import { SimRunner } from './sim-runner.ts';

const shards = 4;
const perShard = 25;

test('each tenant keeps what is its own, whoever leads its shards', async () => {
  const world = new SmallWorld({
    shards,
    seed: 7,
    settings: { 'history.maxAge': '1m', 'history.maxCount': String(shards * perShard) },
    runner: (small, clock, random) =>
      new SimRunner({ scheduler: small.time, clock, random, intervals: [] }),
  });
  const nodes = await world.cluster(3);
  await world.until(() => nodes.every(node => node.context.clusterVersion() >= 3));
  const { tenancy } = nodes[0]!.api;
  await world.within(tenancy.setPlan('long', { historyAge: '1h' }, adminToken));
  for (const name of ['calm', 'flood']) {
    await world.within(tenancy.createTenant(name, 'long', adminToken));
  }
  await world.until(() =>
    nodes.every(node => node.registry.machine()?.tenant('flood') !== undefined),
  );
  /** One by one: tasks that are submitted together may be of one shard. */
  const run = async (node: TschedNode, tenant: string, count: number): Promise<TaskId[]> => {
    const spec = someSpec({ tenant, run: { kind: 'command', argv: ['sim', 'ms=20'] } });
    const ids: TaskId[] = [];
    while (ids.length < count) ids.push(...(await submitted(world, node, [spec])));
    return ids;
  };
  const machine = (node: TschedNode, shard: number): ShardMachine | undefined =>
    node.loop.replica(shard)?.machine as unknown as ShardMachine | undefined;
  const settled = (node: TschedNode): Map<string, number>[] =>
    Array.from({ length: shards }, (_, at) => new Map(machine(node, at + 1)?.settledByTenant()));
  const sum = (node: TschedNode, tenant: string): number =>
    settled(node).reduce((all, one) => all + (one.get(tenant) ?? 0), 0);

  const usual = await run(nodes[0]!, 'default', 12);
  const calm = await run(nodes[1]!, 'calm', 12);
  await run(nodes[2]!, 'flood', 250);
  await world.until(
    () => nodes.every(node => sum(node, 'calm') === 12 && sum(node, 'default') === 12),
    60_000,
  );
  // The leader of some shards is cut off while they are swept.
  const [alone, ...others] = nodes;
  for (const other of others) world.net.cut(alone!.context.nodeId, other.context.nodeId);
  await world.pass(20_000);
  world.net.heal();
  await world.pass(100_000);
  for (const node of nodes) {
    expect(sum(node, 'default')).toBe(0);
    expect(sum(node, 'calm')).toBe(12);
    for (const held of settled(node)) {
      const all = [...held.values()].reduce((total, count) => total + count, 0);
      expect(all).toBeLessThanOrEqual(perShard + 2);
      // Those that became old were counted while it was swept.
      expect(all).toBeGreaterThanOrEqual(perShard - usual.length);
    }
  }
  const view = await world.within(nodes[0]!.api.get(calm[0]!));
  expect(view.state).toBe('succeeded');
  const gone = world.within(nodes[0]!.api.get(usual[0]!));
  await expect(gone).rejects.toMatchObject({ code: 'unknownTask' });
  const digests = nodes.map(node =>
    Array.from({ length: shards }, (_, at) => machine(node, at + 1)?.digest()),
  );
  expect(digests[1]).toEqual(digests[0]);
  expect(digests[2]).toEqual(digests[0]);
  expect(world.fatals).toEqual([]);
}, 300_000);
