/** When the version of the cluster is raised, and who is not let in afterwards. */
import { describe, expect, test } from 'vitest';
import { ownClusterVersion as newest, versionTextOf } from '../../../src/model/cluster-version.ts';
import { ClusterVersion } from '../../../src/node/cluster-version.ts';
import type { TschedNode } from '../../../src/node/node.ts';
import { silentLog } from '../../../src/ports/log.ts';
import type { RegistryMachine } from '../../../src/registry/machine.ts';
import {
  accepted,
  type NodeRegistration,
  type RegistryNode,
  type RegistryReply,
} from '../../../src/registry/state.ts';
import { SmallWorld, someSpec, submitted } from './small-world.ts';

const versionsOf = (nodes: readonly TschedNode[]): number[] =>
  nodes.map(node => node.context.clusterVersion());

const figuresOf = (node: TschedNode): (number | undefined)[] =>
  ['tsched_cluster_version', 'tsched_program_cluster_version'].map(
    wanted => node.api.metrics().find(({ name }) => name === wanted)?.value,
  );

/** The node stops in order and starts again as a program that reads up to `reads`. */
async function restartAs(world: SmallWorld, node: TschedNode, reads: number): Promise<TschedNode> {
  const id = node.context.nodeId;
  await world.within(node.stop({ endTasks: false, handOver: true }));
  world.readsOf.set(id, reads);
  const disk = world.disks.get(id)!;
  return world.boot(id, disk);
}

describe('a cluster of two versions', () => {
  test('is raised once the last node is upgraded, and says who holds it back', async () => {
    const world = new SmallWorld({ shards: 2 });
    for (const id of ['n1', 'n2', 'n3']) world.readsOf.set(id, 1);
    const nodes = await world.cluster(3);
    for (const place of [0, 1, 2]) {
      await world.pass(2_000);
      expect(versionsOf(nodes)).toEqual([1, 1, 1]);
      nodes[place] = await restartAs(world, nodes[place]!, newest);
      await world.until(() => nodes.every(node => node.ready));
      if (place === 2) break;
      // Ready is who may take tasks; that the registry has its program is known a little later.
      await world.pass(1_000);
      const { clusterVersion, problems } = await world.within(nodes[1]!.api.clusterHealth());
      expect(clusterVersion).toBe(1);
      const notes = problems.filter(text => text.includes('cluster version'));
      expect(notes).toEqual(
        ['n1', 'n2', 'n3']
          .slice(place + 1)
          .map(name => `node ${name} holds the cluster version at 1: upgrade it (program 0)`),
      );
    }
    await world.until(() => versionsOf(nodes).every(version => version === newest));
    const { clusterVersion, problems } = await world.within(nodes[1]!.api.clusterHealth());
    expect(clusterVersion).toBe(newest);
    expect(problems.join()).not.toContain('cluster version');
    expect(nodes.map(figuresOf)).toEqual([
      [newest, newest],
      [newest, newest],
      [newest, newest],
    ]);
    const list = await world.within(nodes[2]!.api.nodes());
    expect(list.map(node => [node.version, node.clusterVersion])).toEqual([
      ['0', newest],
      ['0', newest],
      ['0', newest],
    ]);
    expect(world.fatals).toEqual([]);
  });

  test('lets a node go back to the older program until then', async () => {
    const world = new SmallWorld({ shards: 1 });
    for (const id of ['n1', 'n2', 'n3']) world.readsOf.set(id, 1);
    const nodes = await world.cluster(3);
    nodes[0] = await restartAs(world, nodes[0]!, newest);
    nodes[1] = await restartAs(world, nodes[1]!, newest);
    await world.until(() => nodes.every(node => node.ready));
    nodes[0] = await restartAs(world, nodes[0]!, 1);
    nodes[2] = await restartAs(world, nodes[2]!, newest);
    await world.until(() => nodes.every(node => node.ready));
    await world.pass(2_000);
    expect(versionsOf(nodes)).toEqual([1, 1, 1]);
    await submitted(world, nodes[0]!, [someSpec()]);
    expect(world.fatals).toEqual([]);
  });

  test('that was raised ends an older program, which starts again once upgraded', async () => {
    const world = new SmallWorld({ shards: 1 });
    const nodes = await world.cluster(3);
    await world.until(() => versionsOf(nodes).every(version => version === newest));
    const older = await restartAs(world, nodes[2]!, 1);
    await world.until(() => world.fatals.length > 0);
    expect(world.fatals[0]).toMatchObject({
      code: 'programTooOld',
      message: expect.stringContaining(`the cluster is at version ${newest}`),
    });
    expect(older.ready).toBe(false);
    await submitted(world, nodes[0]!, [someSpec()]);
    nodes[2] = await restartAs(world, older, newest);
    await world.until(() => nodes.every(node => node.ready));
    expect(world.fatals).toHaveLength(1);
  });

  test('that was raised takes no older node in, and tells it why', async () => {
    const world = new SmallWorld({ shards: 1 });
    const [first] = await world.cluster(1);
    await world.until(() => first!.context.clusterVersion() === newest);
    world.readsOf.set('n2', 1);
    const secret = await world.secretOf(first!);
    await world.boot('n2', world.emptyDisk('n2'), { secret, contacts: ['n1'] });
    await world.until(() => world.fatals.length > 0);
    expect(world.fatals[0]).toMatchObject({
      code: 'programTooOld',
      message:
        `the cluster is at version ${newest}, and the program of n2 (0) reads up to 1: start the program ` +
        'that the other nodes run',
    });
    expect(first!.registry.machine()!.node('n2')).toBeUndefined();
  });
});

describe('the leader of the registry', () => {
  const registration = (id: string, reads: number): NodeRegistration =>
    ({ id, name: id, version: versionTextOf('0', reads) }) as NodeRegistration;

  function keeper(reads: Readonly<Record<string, number>>, states: Record<string, string> = {}) {
    const nodes = Object.entries(reads).map(
      ([id, version]) =>
        ({ ...registration(id, version), state: states[id] ?? 'up' }) as RegistryNode,
    );
    const world = { version: 1, leading: true, proposed: [] as string[] };
    let answer: (reply: RegistryReply | Error) => void = () => undefined;
    const version = new ClusterVersion({
      own: 3,
      log: silentLog,
      registry: {
        machine: () =>
          ({
            nodes: () => nodes,
            node: (id: string) => nodes.find(node => node.id === id),
            clusterVersion: () => world.version,
          }) as unknown as RegistryMachine,
        get leading() {
          return world.leading;
        },
        proposeHere: ({ name, value }) => {
          world.proposed.push(`${name}=${value}`);
          return new Promise((resolve, reject) => {
            answer = reply => (reply instanceof Error ? reject(reply) : resolve(reply));
          });
        },
      },
    });
    return { version, world, settle: (reply: RegistryReply | Error) => answer(reply) };
  }

  const turn = () => new Promise<void>(resolve => setImmediate(resolve));

  test('raises to the lowest of all nodes that were not removed, the dead ones too', () => {
    const { version, world } = keeper({ a: 3, b: 2, c: 1 }, { b: 'dead', c: 'removed' });
    version.round();
    expect(world.proposed).toEqual(['clusterVersion=2']);
  });

  test('never raises above what it reads itself, never lowers, never as a follower', () => {
    const newer = keeper({ a: 9, b: 9 });
    newer.version.round();
    expect(newer.world.proposed).toEqual(['clusterVersion=3']);
    const lower = keeper({ a: 1, b: 2 });
    lower.world.version = 2;
    lower.version.round();
    expect(lower.world.proposed).toEqual([]);
    const follower = keeper({ a: 2, b: 2 });
    follower.world.leading = false;
    follower.version.round();
    expect(follower.world.proposed).toEqual([]);
  });

  test('raises nothing while a registration is on its way', async () => {
    const { version, world } = keeper({ a: 2, b: 2 });
    let register: (reply: RegistryReply) => void = () => undefined;
    const registered = version.admit(
      registration('c', 1),
      () => new Promise(resolve => (register = resolve)),
    );
    version.round();
    expect(world.proposed).toEqual([]);
    register(accepted);
    expect(await registered).toEqual(accepted);
    version.round();
    expect(world.proposed).toEqual(['clusterVersion=2']);
  });

  test('registers no older node while a raise is on its way, and tries a lost one again', async () => {
    const { version, world, settle } = keeper({ a: 2, b: 2 });
    version.round();
    version.round();
    expect(world.proposed).toHaveLength(1);
    const register = async () => accepted;
    expect(await version.admit(registration('b', 1), register)).toMatchObject({
      ok: false,
      code: 'programTooOld',
    });
    expect(await version.admit(registration('b', 2), register)).toEqual(accepted);
    settle(new Error('no leader any more'));
    await turn();
    expect(await version.admit(registration('b', 1), register)).toEqual(accepted);
    version.round();
    expect(world.proposed).toHaveLength(2);
  });

  test('tells a removed node that it was removed, not to upgrade', async () => {
    const { version, world } = keeper({ a: 2, b: 1 }, { b: 'removed' });
    world.version = 2;
    const removed = { ok: false, code: 'nodeRemoved', message: '' } as const;
    expect(await version.admit(registration('b', 1), async () => removed)).toEqual(removed);
  });
});
