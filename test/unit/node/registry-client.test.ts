/** What the registry takes from other nodes, and what it says when it cannot be asked. */
import { describe, expect, test } from 'vitest';
import type { TschedNode } from '../../../src/node/node.ts';
import { encodeRegistryCommand, type RegistryCommand } from '../../../src/registry/command.ts';
import { adminToken, SmallWorld } from './small-world.ts';

const stamp = { atMs: 0, actor: { name: '', tenant: '' } };
const sha256 = 'b'.repeat(64);

function ask(from: TschedNode, command: RegistryCommand): Promise<Uint8Array> {
  return from.context.peers.request('n1', 'registry', encodeRegistryCommand(command), 2_000);
}

describe('the registry', () => {
  test('takes no administration from a node, only what nodes do for themselves', async () => {
    const world = new SmallWorld({ shards: 1 });
    const [first, second] = await world.cluster(2);
    const token = { id: 'x', name: 'x', sha256, role: 'admin' as const, tenant: 'default' };
    const node = first!.registry.machine()!.node('n1')!;
    const alien: RegistryCommand[] = [
      { ...stamp, kind: 'putToken', token },
      { ...stamp, kind: 'dropToken', id: 'admin' },
      { ...stamp, kind: 'setNodeState', node: 'n1', state: 'removed' },
      { ...stamp, kind: 'setSetting', name: 'a', value: 'b' },
      { ...stamp, kind: 'drainNode', node: 'n1', on: true, force: true },
      { ...stamp, kind: 'removeNode', node: 'n1', force: true },
      { ...stamp, kind: 'putTenant', name: 'acme', plan: 'free', isNew: true },
      { ...stamp, kind: 'putPlan', name: 'free' },
      { ...stamp, kind: 'registerNode', node: { ...node, addresses: ['/elsewhere'] } },
      {
        ...stamp,
        kind: 'reportGroup',
        group: 1,
        confIndex: 99,
        voters: [{ replicaId: 2, node: 'n1' }],
        learners: [],
        leader: 'n1',
      },
    ];
    for (const command of alien) {
      await expect(world.within(ask(second!, command))).rejects.toMatchObject({
        code: 'forbidden',
      });
    }
    expect(first!.registry.machine()!.token(sha256)).toBeUndefined();
    expect(first!.registry.machine()!.node('n1')!.state).toBe('up');
    const secret = { sha256, expiresAtMs: 1 };
    await world.within(ask(second!, { ...stamp, kind: 'putJoinSecret', secret }));
  });

  test('lets an administrator drain through any node, and do nothing else there', async () => {
    const world = new SmallWorld({ shards: 1 });
    const [, second] = await world.cluster(2);
    const { registry } = second!;
    const drain = { kind: 'drainNode', node: 'n2', on: true, force: true } as const;
    await world.within(registry.administer(drain, adminToken));
    await world.until(() => registry.machine()?.node('n2')?.state === 'draining');
    const setting = { kind: 'setSetting', name: 'deadAfterMs', value: '1' } as const;
    for (const [command, token] of [
      [setting, adminToken],
      [{ ...drain, on: false }, 'guessed'],
    ] as const) {
      await expect(world.within(registry.administer(command, token))).rejects.toMatchObject({
        code: 'forbidden',
      });
    }
    expect(registry.machine()?.node('n2')?.state).toBe('draining');
  });

  test('is read anew where something was applied, and not at every submit', async () => {
    const world = new SmallWorld({ shards: 1 });
    const [first] = await world.cluster(2);
    const { registry } = first!;
    const [members, tiers] = [registry.members(), registry.tiers()];
    expect(registry.members()).toBe(members);
    expect(registry.tiers()).toBe(tiers);
    const drain = { kind: 'drainNode', node: 'n2', on: true, force: true } as const;
    await world.within(registry.administer(drain, adminToken));
    expect(registry.members().map(({ state }) => state)).toEqual(['up', 'draining']);
    expect(members.map(({ state }) => state)).toEqual(['up', 'up']);
    const changes = [{ field: 'cpuMilli', value: 250 }] as const;
    await world.within(
      registry.administer({ kind: 'setTier', tier: 'basic', changes }, adminToken),
    );
    expect(registry.tiers().basic.amounts.cpuMilli).toBe(250);
  });

  test('keeps out of its log what no replica could read', async () => {
    const world = new SmallWorld({ shards: 1 });
    const [first, second] = await world.cluster(2);
    const registration = { ...first!.registry.machine()!.node('n2')!, addresses: '\u{1f600}' };
    const asked = second!.context.peers.ask('n1', 'join', { registration, joinSecret: sha256 });
    await expect(world.within(asked)).rejects.toMatchObject({ code: 'badRequest' });
    await world.pass(500);
    expect(world.fatals).toEqual([]);
  });

  test('answers in time at a leader that has lost its majority', async () => {
    const world = new SmallWorld({ shards: 1 });
    const nodes = await world.cluster(3);
    const leader = nodes.find(node => node.registry.leading)!;
    for (const node of nodes) {
      if (node !== leader) world.net.cut(leader.context.nodeId, node.context.nodeId);
    }
    const asked = leader.api.joinToken();
    await expect(world.within(asked, 6_000)).rejects.toMatchObject({ code: 'outcomeUnknown' });
  });
});

describe('a node that joins', () => {
  test('asks the next contact where the first one cannot help', async () => {
    const world = new SmallWorld({ shards: 1 });
    const [first, second] = await world.cluster(2);
    const secret = await world.secretOf(first!);
    // The second node hears the new one, but not the registry's leader.
    world.net.cut('n1', 'n2');
    await world.pass(3_000);
    expect(second!.registry.leading).toBe(false);
    const disk = world.emptyDisk('n3');
    const third = await world.boot('n3', disk, { secret, contacts: ['n2', 'n1'] });
    await world.until(() => third.registry.machine()?.node('n3') !== undefined, 15_000);
    expect(first!.registry.machine()!.node('n3')?.name).toBe('n3');
  });
});
