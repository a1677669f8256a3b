/** Groups that move between nodes, and replicas that find out that they were removed. */
import { describe, expect, test } from 'vitest';
import { limits } from '../../../src/model/limits.ts';
import { caughtUp } from '../../../src/node/move-brake.ts';
import type { TschedNode } from '../../../src/node/node.ts';
import { wasRemoved } from '../../../src/node/removed-replica.ts';
import type { RegistryMachine } from '../../../src/registry/machine.ts';
import { SmallWorld } from './small-world.ts';

describe('a group whose leader has to leave it', () => {
  test('is led nearly all the time', async () => {
    const world = new SmallWorld({ shards: 8 });
    const nodes = await world.cluster(3);
    const secret = await world.secretOf(nodes[0]!);
    nodes.push(await world.boot('n4', world.emptyDisk('n4'), { secret, contacts: ['n1'] }));
    const leaderlessMs = new Map<number, number>();
    let beforeMs = world.time.nowMs;
    let settledSinceMs = beforeMs;
    await world.until(() => {
      const passedMs = world.time.nowMs - beforeMs;
      beforeMs = world.time.nowMs;
      for (let group = 0; group <= 8; group++) {
        const led = nodes.some(node => node.loop.replica(group)?.leading === true);
        if (!led) leaderlessMs.set(group, (leaderlessMs.get(group) ?? 0) + passedMs);
      }
      const seats = [...nodes[3]!.loop.replicas()].filter(replica =>
        replica.descriptor.conf.voters.includes(replica.id),
      );
      if (seats.length === 0) settledSinceMs = world.time.nowMs;
      return world.time.nowMs - settledSinceMs > 10_000;
    });
    expect(Math.max(0, ...leaderlessMs.values())).toBeLessThan(500);
  });
});

describe('a cluster that grows', () => {
  test('begins few moves at a time, and is whole soon all the same', async () => {
    const world = new SmallWorld({ shards: 64 });
    const first = await world.boot('n1', world.firstDisk('n1'));
    await world.until(() => first.ready);
    const secret = await world.secretOf(first);
    const startedMs = world.time.nowMs;
    for (const id of ['n2', 'n3']) {
      await world.boot(id, world.emptyDisk(id), { secret, contacts: ['n1'] });
    }
    const led = () => [...first.loop.replicas()].filter(one => one.leading && one.group > 0);
    let most = 0;
    await world.until(() => {
      const late = led().flatMap(replica =>
        replica.descriptor.conf.learners.filter(id => !caughtUp(replica, id)).map(() => replica),
      );
      most = Math.max(most, new Set(late.map(replica => replica.group)).size);
      const groups = first.registry.machine()?.groups() ?? [];
      return groups.length === 65 && groups.every(({ voters }) => voters.length === 3);
    });
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(limits.groupsMovingMax);
    expect(world.time.nowMs - startedMs).toBeLessThan(10_000);
  });
});

describe('a node whose disk is replaced while it is given replicas', () => {
  test('is given new ones, however many on the old disk were under way', async () => {
    const world = new SmallWorld({ shards: 64 });
    const disk = world.firstDisk('n1');
    const first = await world.boot('n1', disk);
    await world.until(() => first.ready);
    const secret = await world.secretOf(first);
    const join = { secret, contacts: ['n1'] };
    const others = new Map<string, TschedNode>();
    for (const id of ['n2', 'n3', 'n4', 'n5']) {
      others.set(id, await world.boot(id, world.emptyDisk(id), join));
    }
    const confOf = (group: number) => first.loop.replica(group)!.descriptor.conf;
    const learnersOnSecond = () =>
      [...first.loop.replicas()].filter(
        replica =>
          replica.group > 0 &&
          confOf(replica.group).voters.length === 1 &&
          confOf(replica.group).learners.some(id => replica.member(id)?.node === 'n2'),
      );
    // As many as may be under way at all, and a registry that goes on without the two.
    await world.until(
      () =>
        confOf(0).voters.length === 5 && learnersOnSecond().length >= limits.replicasCatchingUpMax,
    );
    for (const node of [first, others.get('n2')!]) {
      world.net.crash(node.context.nodeId);
      await world.within(node.stop({ endTasks: false, handOver: false }));
    }
    disk.locked = false;
    const emptied = world.emptyDisk('n2');
    emptied.header = { ...emptied.header!, storeId: 'another store' };
    const third = others.get('n3')!;
    const known = () => third.registry.machine()?.node('n2');
    await world.boot('n2', emptied, { secret, contacts: ['n3', 'n4'] });
    await world.until(() => known()?.storeId === 'another store' && known()?.state === 'up');
    // The leader of the shards was away when the node came back, and finds it as it is now.
    await world.boot('n1', disk);
    await world.until(() => {
      const groups = third.registry.machine()?.groups() ?? [];
      return groups.length === 65 && groups.every(({ voters }) => voters.length >= 3);
    }, 30_000);
    expect(world.fatals).toEqual([]);
  });
});

describe('a replica that hears of nobody', () => {
  const seat = (replicaId: number) => ({ replicaId, node: `n${replicaId}` });
  const registry = (known: {
    readonly confIndex: number;
    readonly last: number;
    readonly free?: number;
  }): Pick<RegistryMachine, 'group' | 'replicaOwner' | 'lastReplicaId'> => ({
    group: group =>
      group === 1
        ? { group, confIndex: known.confIndex, voters: [seat(1), seat(2)], learners: [seat(3)] }
        : undefined,
    replicaOwner: id =>
      id <= 3 || id === known.free
        ? {
            replicaId: id,
            group: 1,
            node: `n${id}`,
            storeId: '',
            confIndex: 1,
            seated: id <= 3,
            dead: false,
          }
        : undefined,
    lastReplicaId: known.last,
  });
  const replica = (id: number, confIndex: number, group = 1) => ({
    id,
    group,
    descriptor: { confIndex },
  });

  test('was removed where a configuration as new as its own does not have it', () => {
    expect(wasRemoved(replica(5, 40), registry({ confIndex: 50, last: 9 }))).toBe(true);
    // It fell after it had stored its own removal.
    expect(wasRemoved(replica(5, 50), registry({ confIndex: 50, last: 9 }))).toBe(true);
  });

  test('was not where it is seated', () => {
    expect(wasRemoved(replica(3, 40), registry({ confIndex: 50, last: 9 }))).toBe(false);
  });

  test('cannot know where its own configuration is newer than the registry’s', () => {
    expect(wasRemoved(replica(5, 60), registry({ confIndex: 50, last: 9 }))).toBe(false);
  });

  test('was not where its id has just been handed out and its addition is not reported yet', () => {
    expect(wasRemoved(replica(5, 40), registry({ confIndex: 50, last: 5, free: 5 }))).toBe(false);
    // The registry here has not even heard of the id.
    expect(wasRemoved(replica(10, 40), registry({ confIndex: 50, last: 9 }))).toBe(false);
  });

  test('cannot know of a group that the registry does not have', () => {
    expect(wasRemoved(replica(5, 1, 7), registry({ confIndex: 50, last: 9 }))).toBe(false);
  });
});
