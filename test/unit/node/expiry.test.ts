/** Whole nodes whose settled tasks leave the history, by age and by count. */
import { describe, expect, test } from 'vitest';
import type { TaskId } from '../../../src/model/ids.ts';
import type { TschedNode } from '../../../src/node/node.ts';
import type { ShardMachine } from '../../../src/shard/machine.ts';
import { admin, adminToken, resources, SmallWorld, someSpec, submitted } from './small-world.ts';

const shardOf = (node: TschedNode): ShardMachine =>
  node.loop.replica(1)!.machine as unknown as ShardMachine;

/** A node of one shard. */
async function single(settings: Record<string, string>) {
  const world = new SmallWorld({ shards: 1, settings });
  const disk = world.firstDisk('n1');
  const node = await world.boot('n1', disk);
  await world.until(() => node.ready);
  // It takes the whole node and never ends: what comes after it waits until it is cancelled.
  const hogSpec = someSpec({ request: resources(4_000), leaseMs: 3_600_000 });
  const [hog] = await submitted(world, node, [hogSpec]);
  await world.until(() => shardOf(node).record(hog!)?.state === 'assigned');
  const rows = (): number =>
    disk.groups.get(1)!.rows.range({
      from: new Uint8Array(0),
      to: Uint8Array.of(9),
      limit: 10_000,
    }).length;
  const cancel = (ids: readonly TaskId[]) =>
    world.within(node.api.cancel(ids, 'not needed', admin));
  return { world, node, rows, cancel };
}

/** Tenants with plans of their own. */
async function tenantsOf(
  world: SmallWorld,
  node: TschedNode,
  plans: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Promise<void> {
  const { tenancy } = node.api;
  await world.until(() => node.context.clusterVersion() >= 3);
  for (const [name, values] of Object.entries(plans)) {
    await world.within(tenancy.setPlan(`of-${name}`, values, adminToken));
    await world.within(tenancy.createTenant(name, `of-${name}`, adminToken));
  }
}

async function passMinutes(world: SmallWorld, minutes: number): Promise<void> {
  for (let left = minutes; left > 0; left--) await world.pass(60_000);
}

describe('the history', () => {
  test('loses what settled longer ago than its age, and nothing else', async () => {
    const { world, node, rows, cancel } = await single({ 'history.maxAge': '1m' });
    const [first, second, third] = await submitted(world, node, [
      someSpec(),
      someSpec(),
      someSpec(),
    ]);
    await world.pass(30_000);
    await cancel([first!]);
    await world.pass(20_000);
    await cancel([second!]);
    // 20 s later than an age after the first settled: before the second has.
    await world.pass(50_000);
    const known = [first!, second!, third!].map(id => shardOf(node).knows(id));
    expect(known).toEqual([false, true, true]);
    await expect(world.within(node.api.get(first!))).rejects.toMatchObject({
      code: 'unknownTask',
      message: expect.stringContaining('settled tasks are kept for 1m'),
    });
    expect((await world.within(node.api.get(second!))).state).toBe('cancelled');
    await world.pass(40_000);
    await cancel([third!]);
    await world.pass(90_000);
    expect(shardOf(node).counts().cancelled).toBe(0);
    // The meta row, the task that runs, and its spec.
    await world.until(() => rows() === 3);
    expect(world.fatals).toEqual([]);
  });

  test('keeps the newest where there are too many, whatever their age', async () => {
    const { world, node, cancel } = await single({ 'history.maxCount': '100' });
    const ids: TaskId[] = [];
    for (let round = 0; round < 10; round++) {
      ids.push(
        ...(await submitted(
          world,
          node,
          Array.from({ length: 30 }, () => someSpec()),
        )),
      );
      await world.pass(10);
    }
    await cancel(ids);
    await world.pass(9_000);
    expect(shardOf(node).counts().cancelled).toBe(300);
    await world.pass(20_000);
    const left = ids.filter(id => shardOf(node).knows(id));
    expect(left.sort()).toEqual([...ids].sort().slice(-100));
    expect(node.api.metrics()).toContainEqual(
      expect.objectContaining({ name: 'tsched_expired_total', value: 200 }),
    );
  });

  test('goes by a setting as soon as it is changed', async () => {
    const { world, node, cancel } = await single({});
    const [id] = await submitted(world, node, [someSpec()]);
    await cancel([id!]);
    await world.pass(120_000);
    expect(shardOf(node).knows(id!)).toBe(true);
    const changed = node.api.changeSettings({ 'history.maxAge': '60s' }, adminToken);
    expect(await world.within(changed)).toContainEqual(
      expect.objectContaining({ name: 'history.maxAge', value: '1m', default: '7d' }),
    );
    await world.until(() => !shardOf(node).knows(id!), 10_000);
    await world.within(node.api.changeSettings({ 'history.maxAge': '' }, adminToken));
    expect(node.api.settings()[0]).toMatchObject({ value: '7d' });
  });

  test('is kept as long as the plan of each tenant says', async () => {
    const { world, node, cancel } = await single({ 'history.maxAge': '20m' });
    await tenantsOf(world, node, { brief: { historyAge: '10m' }, long: { historyAge: '1h' } });
    const specs = ['default', 'brief', 'long'].map(tenant => someSpec({ tenant }));
    const [usual, brief, long] = await submitted(world, node, specs);
    await cancel([usual!, brief!, long!]);
    const known = (): boolean[] => [usual!, brief!, long!].map(id => shardOf(node).knows(id));
    await passMinutes(world, 9);
    expect(known()).toEqual([true, true, true]);
    await passMinutes(world, 3);
    expect(known()).toEqual([true, false, true]);
    await passMinutes(world, 10);
    expect(known()).toEqual([false, false, true]);
    // What a plan gives, another takes: from then on, and of what is there already.
    const { tenancy } = node.api;
    await world.within(tenancy.setTenant('long', 'of-brief', adminToken));
    await passMinutes(world, 2);
    expect(known()).toEqual([false, false, false]);
    expect(world.fatals).toEqual([]);
  });

  test('is kept in the number that the plan of each tenant says, and no younger than it may', async () => {
    const { world, node, cancel } = await single({});
    await tenantsOf(world, node, { few: { historyCount: '20' } });
    const ids = new Map<string, TaskId[]>();
    for (const tenant of ['few', 'default', 'few']) {
      const specs = Array.from({ length: 50 }, () => someSpec({ tenant }));
      const made = await submitted(world, node, specs);
      ids.set(tenant, [...(ids.get(tenant) ?? []), ...made]);
      await cancel(made);
      await world.pass(10);
    }
    const count = (tenant: string): number =>
      new Map(shardOf(node).settledByTenant()).get(tenant) ?? 0;
    await passMinutes(world, 9);
    expect([count('few'), count('default')]).toEqual([100, 50]);
    await passMinutes(world, 3);
    expect([count('few'), count('default')]).toEqual([20, 50]);
    const left = ids.get('few')!.filter(id => shardOf(node).knows(id));
    expect(left.sort()).toEqual([...ids.get('few')!].sort().slice(-20));
  });

  test('is taken from a tenant that floods it, not from one that has little', async () => {
    const { world, node, cancel } = await single({ 'history.maxCount': '100' });
    await tenantsOf(world, node, { calm: {} });
    const calm = await submitted(
      world,
      node,
      Array.from({ length: 20 }, () => someSpec({ tenant: 'calm' })),
    );
    await cancel(calm);
    await world.pass(10);
    const flood = await submitted(
      world,
      node,
      Array.from({ length: 300 }, () => someSpec()),
    );
    await cancel(flood);
    await passMinutes(world, 1);
    expect([...shardOf(node).settledByTenant()].sort()).toEqual([
      ['calm', 20],
      ['default', 80],
    ]);
  });

  test('takes no setting that is none, and no value out of range', async () => {
    const { world, node } = await single({});
    for (const values of [
      { 'history.age': '1d' },
      { 'history.maxAge': '9s' },
      { 'history.maxAge': 'long' },
      { 'history.maxCount': '99' },
      { 'history.maxAge': '3d', 'history.maxCount': '1e6' },
    ]) {
      const asked = world.within(node.api.changeSettings(values, adminToken));
      await expect(asked).rejects.toMatchObject({ code: 'badRequest' });
    }
    expect(node.api.settings().map(({ value }) => value)).toEqual(['7d', '1000000', '80']);
  });
});
