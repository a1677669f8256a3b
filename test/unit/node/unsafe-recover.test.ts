/** Going on without a majority that is lost for good: what one store holds, and nobody else. */
import { describe, expect, test } from 'vitest';
import type { TschedNode } from '../../../src/node/node.ts';
import { planRecovery, type RecoveryPlan } from '../../../src/node/unsafe-recover.ts';
import type { MemoryDisk } from '../../../src/storage/memory-disk.ts';
import { createSimStore } from '../../simulation/sim-store.ts';
import { seededRandom } from '../../simulation/virtual-time.ts';
import { SmallWorld, someSpec, submitted } from './small-world.ts';

const shards = 4;

/** A cluster whose disks are at hand. */
async function clusterWithDisks(world: SmallWorld, count: number) {
  const disks = new Map<string, MemoryDisk>([['n1', world.firstDisk('n1')]]);
  const first = await world.boot('n1', disks.get('n1')!);
  const nodes = [first];
  await world.until(() => first.ready);
  const secret = await world.secretOf(first);
  for (let number = 2; number <= count; number++) {
    const id = `n${number}`;
    disks.set(id, world.emptyDisk(id));
    nodes.push(await world.boot(id, disks.get(id)!, { secret, contacts: ['n1'] }));
  }
  const wanted = count === 2 ? 2 : 3;
  await world.until(() =>
    nodes.every(node => {
      const groups = node.registry.machine()?.groups() ?? [];
      return (
        groups.length === shards + 1 &&
        groups.every(({ voters, learners, group }) =>
          group === 0 && count >= 5
            ? voters.length === 5
            : voters.length + (count === 2 ? learners.length : 0) === wanted,
        )
      );
    }),
  );
  return { nodes, disks };
}

/** Everything ends at once, as when the power goes. */
async function stopAll(
  world: SmallWorld,
  nodes: readonly TschedNode[],
  disks: ReadonlyMap<string, MemoryDisk>,
): Promise<void> {
  await Promise.all(nodes.map(node => world.within(node.stop({ endTasks: false }))));
  for (const [id, disk] of disks) {
    world.net.crash(id);
    disk.locked = false;
  }
}

async function recover(
  world: SmallWorld,
  disk: MemoryDisk,
  lost: readonly string[],
): Promise<RecoveryPlan> {
  const store = createSimStore({
    scheduler: world.time,
    random: seededRandom(9, 'recovery'),
    faults: world.faults,
    disk,
  });
  const image = await world.within(store.open(error => world.fatals.push(error)));
  const { plan, ops } = await world.within(planRecovery(store, image, lost, 1_800_000_000_000));
  if (ops.length > 0) await world.within(new Promise<void>(done => store.write(ops, done)));
  await world.within(store.close());
  disk.locked = false;
  return plan;
}

describe('unsafe recovery', () => {
  test('of one of three keeps what it has, takes tasks again, and grows with new nodes', async () => {
    const world = new SmallWorld({ shards });
    const { nodes, disks } = await clusterWithDisks(world, 3);
    const ids = await submitted(
      world,
      nodes[0]!,
      Array.from({ length: 12 }, () => someSpec()),
    );
    await stopAll(world, nodes, disks);
    const plan = await recover(world, disks.get('n2')!, ['n1', 'n3']);
    expect(plan.groups).toHaveLength(shards + 1);
    for (const group of plan.groups) {
      expect(group).toMatchObject({ plan: 'recover', survivor: 'n2' });
      expect(group.voters).toContain('n1!');
    }
    const second = await world.boot('n2', disks.get('n2')!);
    await world.until(() => second.ready && second.registry.leading, 30_000);
    for (const id of ids) {
      expect(await world.within(second.api.get(id))).toMatchObject({ id, stale: false });
    }
    await submitted(world, second, [someSpec()]);
    expect(second.registry.machine()!.node('n1')?.state).toBe('removed');
    const secret = await world.secretOf(second);
    const fresh: TschedNode[] = [];
    for (const id of ['n4', 'n5']) {
      fresh.push(await world.boot(id, world.emptyDisk(id), { secret, contacts: ['n2'] }));
    }
    await world.until(() => {
      const groups = second.registry.machine()!.groups();
      return groups.every(({ voters }) => voters.length === 3);
    });
    // Replicas made from the log alone have the same members, once they have heard.
    await world.until(() =>
      [second, ...fresh].every(node =>
        [...node.loop.replicas()].every(({ descriptor }) => descriptor.conf.voters.length === 3),
      ),
    );
    expect(world.fatals).toEqual([]);
    // A lost node that returns all the same is told to end.
    await world.boot('n3', disks.get('n3')!);
    await world.until(() => world.fatals.length > 0, 30_000);
    expect(world.fatals).toMatchObject([{ code: 'nodeRemoved' }]);
  });

  test('makes a copy that only followed the voter', async () => {
    const world = new SmallWorld({ shards });
    const { nodes, disks } = await clusterWithDisks(world, 2);
    const [id] = await submitted(world, nodes[0]!, [someSpec()]);
    await world.pass(2_000);
    await stopAll(world, nodes, disks);
    const plan = await recover(world, disks.get('n2')!, ['n1']);
    expect(plan.groups.every(group => group.plan === 'recover')).toBe(true);
    const second = await world.boot('n2', disks.get('n2')!);
    await world.until(() => second.ready, 30_000);
    expect(await world.within(second.api.get(id!))).toMatchObject({ id });
  });

  test('chooses one of several survivors, and leaves what has its majority', async () => {
    const world = new SmallWorld({ shards });
    const { nodes, disks } = await clusterWithDisks(world, 5);
    await stopAll(world, nodes, disks);
    const lost = ['n1', 'n2', 'n3'];
    const plans = [
      await recover(world, disks.get('n4')!, lost),
      await recover(world, disks.get('n5')!, lost),
    ];
    const chosen = new Map<number, number>();
    for (const plan of plans) {
      for (const { group, plan: what, voters } of plan.groups) {
        const left = voters.filter(name => !name.endsWith('!')).length;
        if (what === 'keep') expect(left * 2).toBeGreaterThan(voters.length);
        if (what === 'recover') chosen.set(group, (chosen.get(group) ?? 0) + 1);
      }
    }
    expect(chosen.get(0)).toBe(1);
    for (const count of chosen.values()) expect(count).toBe(1);
  });

  test('changes nothing where nothing is lost, and refuses nodes that are not', async () => {
    const world = new SmallWorld({ shards });
    const { nodes, disks } = await clusterWithDisks(world, 3);
    await stopAll(world, nodes, disks);
    const plan = await recover(world, disks.get('n1')!, ['n3']);
    expect(plan.groups.every(group => group.plan === 'keep')).toBe(true);
    await expect(recover(world, disks.get('n1')!, ['n9'])).rejects.toMatchObject({
      code: 'unknownNode',
    });
    disks.get('n1')!.locked = false;
    await expect(recover(world, disks.get('n1')!, ['n1'])).rejects.toMatchObject({
      code: 'badRequest',
    });
  });
});
