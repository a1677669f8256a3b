/** Nodes that leave a cluster: drained, removed, silent for too long, or with a disk that lies. */
import { describe, expect, test } from 'vitest';
import { limits } from '../../../src/model/limits.ts';
import type { TschedNode } from '../../../src/node/node.ts';
import { decodeStarts, startsKey } from '../../../src/node/start-record.ts';
import type { MemoryDisk } from '../../../src/storage/memory-disk.ts';
import { adminToken, SmallWorld } from './small-world.ts';

const shards = 4;

/** A cluster of so many nodes that is at rest, with the disks they are on. */
async function settledWorld(count: number, deadAfterMs = 10_000) {
  const world = new SmallWorld({ shards, settings: { deadAfterMs: String(deadAfterMs) } });
  const nodes = await world.cluster(count);
  await world.until(() => isWhole(nodes), 120_000);
  return { world, nodes };
}

/** Whether nothing is to move, by the word of every node. */
const isWhole = (nodes: readonly TschedNode[]): boolean =>
  nodes.every(node => {
    const groups = node.registry.machine()?.groups() ?? [];
    return groups.length > 0 && groups.every(group => settled(nodes, group.group));
  });

/** A group has an odd number of voters, each of them on one of these nodes, and one leads. */
function settled(nodes: readonly TschedNode[], group: number): boolean {
  const leader = nodes.map(node => node.loop.replica(group)).find(one => one?.leading === true);
  if (leader === undefined) return false;
  const { conf } = leader.descriptor;
  const names = new Set(nodes.map(node => node.context.nodeId));
  const voters = conf.voters.map(id => leader.member(id)?.node ?? '?');
  const wanted = group === 0 ? (nodes.length >= 5 ? 5 : 3) : 3;
  return (
    conf.votersOutgoing.length === 0 &&
    voters.length === (nodes.length >= 3 ? wanted : 1) &&
    voters.every(node => names.has(node))
  );
}

const drain = (world: SmallWorld, at: TschedNode, node: string, force = false) =>
  world.within(at.api.drainNode(node, { on: true, force }, adminToken));

const summaryOf = async (world: SmallWorld, at: TschedNode, name: string) =>
  world.within(at.api.node(name));

describe('a node that is drained', () => {
  test('gives up its leaderships, then its replicas, and is told to end once it is removed', async () => {
    const { world, nodes } = await settledWorld(4);
    const [first, second] = [nodes[0]!, nodes[1]!];
    const before = await summaryOf(world, first, 'n2');
    expect(before).toMatchObject({ state: 'up', reachable: true });
    const begun = await drain(world, first, 'n2');
    expect(begun).toMatchObject({ state: 'draining', drain: { drained: false } });
    const held = begun.drain!.replicasLeft;
    expect(held).toBeGreaterThan(0);
    let leadsAtFirstRemoval: number | undefined;
    await world.until(() => {
      const seats = first.registry.machine()!.seatsOf('n2').length;
      if (seats < held && leadsAtFirstRemoval === undefined) {
        leadsAtFirstRemoval = [...second.loop.replicas()].filter(one => one.leading).length;
      }
      return seats === 0;
    });
    expect(leadsAtFirstRemoval).toBe(0);
    const stay = nodes.filter(node => node !== second);
    await world.until(() => isWhole(stay));
    await world.pass(2_000);
    const after = await summaryOf(world, first, 'n2');
    expect(after.drain).toMatchObject({ replicasLeft: 0, leadsLeft: 0, drained: true });
    // It still follows the registry.
    expect(second.registry.machine()!.node('n2')?.state).toBe('draining');
    expect(second.worker.advertisement().draining).toBe(true);
    const removed = await world.within(first.api.removeNode('n2', { force: false }, adminToken));
    expect(removed.state).toBe('removed');
    await world.until(() => world.fatals.length > 0, 20_000);
    expect(world.fatals).toMatchObject([{ code: 'nodeRemoved' }]);
    expect((await world.within(first.api.nodes())).map(node => node.name)).not.toContain('n2');
    const all = await world.within(first.api.nodes({ all: true }));
    expect(all.find(node => node.name === 'n2')?.state).toBe('removed');
  });

  test('is given its share again once that is taken back', async () => {
    const { world, nodes } = await settledWorld(4);
    const [first, second] = [nodes[0]!, nodes[1]!];
    await drain(world, first, 'n2');
    await world.until(() => first.registry.machine()!.seatsOf('n2').length === 0);
    const back = await world.within(
      second.api.drainNode('self', { on: false, force: false }, adminToken),
    );
    expect(back).toMatchObject({ name: 'n2', state: 'up', drain: undefined });
    await world.until(() => first.registry.machine()!.seatsOf('n2').length > 0);
    expect(second.worker.advertisement().draining).toBe(false);
  });

  test('may be the leader of everything', async () => {
    const { world, nodes } = await settledWorld(4);
    const leader = nodes.find(node => node.registry.leading)!;
    const { nodeId } = leader.context;
    for (const replica of leader.loop.replicas()) {
      if (!replica.leading) replica.core.campaign();
      leader.loop.touch(replica);
    }
    await drain(world, leader, nodeId);
    const stay = nodes.filter(node => node !== leader);
    await world.until(() => isWhole(stay));
    await world.until(() => stay[0]!.registry.machine()!.seatsOf(nodeId).length === 0);
  });

  test('is refused where shards would shrink, and without an administrator', async () => {
    const { world, nodes } = await settledWorld(3);
    const [, second] = nodes;
    await expect(drain(world, second!, 'n3')).rejects.toMatchObject({
      code: 'tooFewNodes',
      message: expect.stringContaining('shards 1-4 would go from 3 voters to 1'),
    });
    const asked = second!.api.drainNode('n3', { on: true, force: true }, 'another token');
    await expect(world.within(asked)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(
      world.within(second!.api.removeNode('n3', { force: true }, adminToken)),
    ).rejects.toMatchObject({ code: 'notDrained' });
    await expect(drain(world, second!, 'nobody')).rejects.toMatchObject({ code: 'unknownNode' });
    expect(nodes[0]!.registry.machine()!.node('n3')?.state).toBe('up');
  });

  test('leaves one voter and a copy of three, where that is forced', async () => {
    const { world, nodes } = await settledWorld(3);
    await drain(world, nodes[0]!, 'n3', true);
    const stay = nodes.slice(0, 2);
    await world.until(() => isWhole(stay));
    await world.until(() => nodes[0]!.registry.machine()!.seatsOf('n3').length === 0);
    const groups = nodes[0]!.registry.machine()!.groups();
    expect(groups.map(group => group.learners.length)).toContain(1);
  });
});

const cutOff = (world: SmallWorld, nodes: readonly TschedNode[], name: string): void => {
  for (const { context } of nodes) {
    if (context.nodeId !== name) world.net.cut(name, context.nodeId);
  }
};

describe('a node that is silent', () => {
  test('is suspected, then declared dead and replaced, and is up again when it speaks', async () => {
    const { world, nodes } = await settledWorld(4);
    const [first] = nodes;
    const machine = first!.registry.machine()!;
    cutOff(world, nodes, 'n4');
    await world.pass(7_000);
    expect(machine.node('n4')?.state).toBe('up');
    const suspected = await summaryOf(world, first!, 'n4');
    expect(suspected).toMatchObject({ state: 'suspected', reachable: false });
    const health = await world.within(first!.api.clusterHealth());
    expect(health.nodesByState).toEqual({ up: 3, suspected: 1 });
    expect(health.problems.join()).toMatch(/node n4 cannot be reached: .* silent for 10s/);
    await world.until(() => machine.node('n4')?.state === 'dead', 10_000);
    const stay = nodes.slice(0, 3);
    await world.until(() => isWhole(stay));
    await world.until(() => machine.seatsOf('n4').length === 0);
    expect((await world.within(first!.api.clusterHealth())).problems.join()).toMatch(
      /node n4 is dead/,
    );
    world.net.heal();
    await world.until(() => machine.node('n4')?.state === 'up', 20_000);
    await world.until(() => machine.seatsOf('n4').length > 0 && isWhole(nodes));
    expect(world.fatals).toEqual([]);
  });

  test('is not declared dead where nobody could take over', async () => {
    const { world, nodes } = await settledWorld(3);
    cutOff(world, nodes, 'n3');
    await world.pass(60_000);
    expect(nodes[0]!.registry.machine()!.node('n3')?.state).toBe('up');
    expect(nodes[0]!.registry.machine()!.group(1)?.voters).toHaveLength(3);
  });

  test('is told that it was removed when it returns', async () => {
    const { world, nodes } = await settledWorld(4);
    const [first] = nodes;
    const machine = first!.registry.machine()!;
    cutOff(world, nodes, 'n4');
    await world.until(() => machine.node('n4')?.state === 'dead', 30_000);
    await world.within(first!.api.removeNode('n4', { force: false }, adminToken));
    await world.pass(15_000);
    expect(world.fatals).toEqual([]);
    world.net.heal();
    await world.until(() => world.fatals.length > 0, 30_000);
    expect(world.fatals).toMatchObject([{ code: 'nodeRemoved' }]);
  });
});

describe('a data directory', () => {
  /** The cluster with n3 stopped, and its disk. */
  async function without(world: SmallWorld): Promise<{ nodes: TschedNode[]; disk: MemoryDisk }> {
    const nodes = await world.cluster(2);
    const secret = await world.secretOf(nodes[0]!);
    const disk = world.emptyDisk('n3');
    for (let start = 1; start <= 2; start++) {
      const third = await world.boot('n3', disk, { secret, contacts: ['n1'] });
      await world.until(() => third.ready && isWhole([...nodes, third]));
      await world.within(third.stop({ endTasks: false }));
      world.net.crash('n3');
      disk.locked = false;
    }
    return { nodes, disk };
  }

  test('that was rolled back is refused before any replica on it hears a word', async () => {
    const world = new SmallWorld({ shards });
    const { disk } = await without(world);
    // As if the copy were older: the registry has seen a later start.
    disk.bootCount -= 2;
    const third = await world.boot('n3', disk);
    const bootedMs = world.time.nowMs;
    await world.until(() => world.fatals.length > 0, 20_000);
    expect(world.fatals).toMatchObject([{ code: 'storeRolledBack' }]);
    expect(String(world.fatals[0])).toContain(
      'this is its start 1, and it does not know of start 2',
    );
    for (const replica of third.loop.replicas())
      expect(replica.heardMs).toBeLessThanOrEqual(bootedMs);
  });

  test('that was copied before the last start is refused, however often it is started', async () => {
    const world = new SmallWorld({ shards });
    const { nodes, disk } = await without(world);
    const copy = disk.copy();
    const third = await world.boot('n3', disk);
    await world.until(() => third.ready && isWhole([...nodes, third]));
    await world.within(third.stop({ endTasks: false }));
    world.net.crash('n3');
    // Its count of starts is beyond the one that is known.
    copy.bootCount += 5;
    await world.boot('n3', copy);
    await world.until(() => world.fatals.length > 0, 20_000);
    expect(world.fatals).toMatchObject([{ code: 'storeRolledBack' }]);
  });

  test('of a node that was killed a hundred times before it could register is taken in', async () => {
    const world = new SmallWorld({ shards });
    const { nodes, disk } = await without(world);
    for (const other of ['n1', 'n2']) world.net.cut('n3', other);
    for (let start = 1; start <= 100; start++) {
      const alone = await world.boot('n3', disk);
      await world.within(alone.stop({ endTasks: false }));
      world.net.crash('n3');
      disk.locked = false;
    }
    world.net.heal();
    const { ids } = decodeStarts(disk.meta.get(startsKey)!);
    expect(ids).toHaveLength(limits.unconfirmedStartsMax);
    const third = await world.boot('n3', disk);
    await world.until(() => third.ready && isWhole([...nodes, third]));
    expect(decodeStarts(disk.meta.get(startsKey)!).ids).toEqual([ids.at(-1)]);
    expect(world.fatals).toEqual([]);
  });

  test('that was wiped comes back as a new member, and its old replicas are replaced', async () => {
    const world = new SmallWorld({ shards });
    const { nodes } = await without(world);
    const machine = nodes[0]!.registry.machine()!;
    const spent = machine.lastReplicaId;
    const disk = world.emptyDisk('n3');
    disk.header = { ...disk.header!, storeId: 'another store' };
    const secret = await world.secretOf(nodes[0]!);
    const third = await world.boot('n3', disk, { secret, contacts: ['n1', 'n2'] });
    await world.until(() => third.ready && machine.seatsOf('n3').length === shards + 1, 60_000);
    await world.until(() => isWhole([...nodes, third]));
    for (const replica of third.loop.replicas()) expect(replica.id).toBeGreaterThan(spent);
    expect(world.fatals).toEqual([]);
  });

  test('that is whole takes part again, also where the registry has no leader', async () => {
    const world = new SmallWorld({ shards });
    const { nodes, disk } = await without(world);
    await world.within(nodes[1]!.stop({ endTasks: false }));
    world.net.crash('n2');
    // Two of three are gone: the registry needs the vote of the one that comes back.
    const third = await world.boot('n3', disk);
    await world.until(() => third.ready, 30_000);
    expect(world.fatals).toEqual([]);
  });
});
