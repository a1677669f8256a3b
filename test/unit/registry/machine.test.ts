import { describe, expect, test } from 'vitest';
import { DecodeError } from '../../../src/model/bytes.ts';
import { limits } from '../../../src/model/limits.ts';
import { encodeRegistryCommand } from '../../../src/registry/command.ts';
import { RegistryMachine } from '../../../src/registry/machine.ts';
import { bootstrap, cluster, Feed, hex, registration } from './builders.ts';

const rowsOf = (machine: RegistryMachine): [Uint8Array, Uint8Array][] => {
  const flush = machine.takeFlush(5_000);
  if (flush === undefined) throw new Error('nothing to flush');
  machine.flushed(flush.token);
  return flush.rows.flatMap(([key, value]) =>
    value === undefined ? [] : [[key, value] as [Uint8Array, Uint8Array]],
  );
};

describe('the bootstrap', () => {
  test('nothing is taken before it', () => {
    const feed = new Feed();
    const reply = feed.ask({ kind: 'registerNode', node: registration('a') });
    expect(reply).toMatchObject({ ok: false, code: 'starting' });
    expect(feed.machine.cluster()).toBeUndefined();
  });

  test('it seats the first node in every group under the known replica ids', () => {
    const { machine } = cluster();
    expect(machine.cluster()).toMatchObject({ id: 'cluster-1', shards: 4, replication: 3 });
    expect(machine.node('a')).toMatchObject({ state: 'up', sinceMs: 1_000_000 });
    expect(machine.groups().map(group => group.voters)).toEqual(
      [1, 2, 3, 4, 5].map(replicaId => [{ replicaId, node: 'a' }]),
    );
    expect(machine.replicaOwner(5)).toMatchObject({ group: 4, node: 'a', dead: false });
    expect([machine.slotTable()[0], machine.slotTable()[5], machine.slotTable()[4095]]).toEqual([
      1, 2, 4,
    ]);
    expect(machine.token(hex('a'))).toMatchObject({ role: 'admin' });
  });

  test('repeated it changes nothing, and another cluster is refused', () => {
    const feed = cluster();
    expect(feed.ask(bootstrap())).toEqual({ ok: true, repeated: true });
    const other = { ...bootstrap(), clusterId: 'cluster-2' } as ReturnType<typeof bootstrap>;
    expect(feed.ask(other)).toMatchObject({ ok: false, code: 'dataDirTaken' });
  });

  test.each([0, 3, 8192])('refuses %i shards', shards => {
    expect(new Feed().ask(bootstrap(shards))).toMatchObject({ ok: false, code: 'badRequest' });
  });
});

describe('a node joins', () => {
  test('with a join secret it becomes joining, then up', () => {
    const feed = cluster('b');
    expect(feed.machine.node('b')?.state).toBe('up');
    expect(feed.machine.nodeByName('name-b')?.id).toBe('b');
    expect(feed.machine.nodes().map(node => node.id)).toEqual(['a', 'b']);
  });

  test('without a known secret it is refused', () => {
    const feed = cluster();
    for (const joinSecret of [undefined, hex('c')]) {
      const reply = feed.ask({ kind: 'registerNode', node: registration('b'), joinSecret });
      expect(reply).toMatchObject({ ok: false, code: 'joinRefused' });
    }
    expect(feed.machine.node('b')).toBeUndefined();
  });

  test('an expired or used-up secret admits nobody', () => {
    const feed = cluster();
    const secret = { sha256: hex('c'), expiresAtMs: 2_000_000, usesLeft: 1 };
    feed.ask({ kind: 'putJoinSecret', secret });
    const join = (id: string) =>
      feed.ask({ kind: 'registerNode', node: registration(id), joinSecret: hex('c') });
    expect(join('b')).toMatchObject({ ok: true });
    expect(join('c')).toMatchObject({ ok: false, message: expect.stringContaining('used up') });
    feed.ask({ kind: 'putJoinSecret', secret: { ...secret, usesLeft: 5 } });
    feed.atMs = 2_000_000;
    expect(join('c')).toMatchObject({ ok: false, message: expect.stringContaining('expired') });
  });

  test('under a name that another node has it is refused, until that one is removed', () => {
    const feed = cluster('b');
    const node = registration('c', { name: 'name-b' });
    const join = () => feed.ask({ kind: 'registerNode', node, joinSecret: hex('b') });
    expect(join()).toMatchObject({
      code: 'joinRefused',
      message: expect.stringContaining('another node is named "name-b" (up, ID b)'),
    });
    feed.ask({ kind: 'setNodeState', node: 'b', state: 'removed' });
    expect(join()).toMatchObject({ ok: true });
  });

  test.each([
    ['name', { name: 'a b' }],
    ['name', { name: '' }],
    ['weight', { weight: 10_001 }],
    ['addresses', { addresses: Array.from({ length: 17 }, () => 'x') }],
  ])('a registration with a bad %s is refused', (_what, changes) => {
    const feed = cluster();
    const node = registration('b', changes);
    const reply = feed.ask({ kind: 'registerNode', node, joinSecret: hex('b') });
    expect(reply).toMatchObject({ ok: false, code: 'badRequest' });
  });
});

describe('a node starts again', () => {
  test('on the same store with a higher boot count it keeps its state', () => {
    const feed = cluster('b');
    feed.ask({ kind: 'setNodeState', node: 'b', state: 'draining' });
    const node = registration('b', { bootCount: 2, bootId: 'boot-2', httpAddress: 'h:1' });
    expect(feed.ask({ kind: 'registerNode', node })).toEqual({ ok: true, repeated: false });
    expect(feed.machine.node('b')).toMatchObject({ state: 'draining', httpAddress: 'h:1' });
  });

  test('on a disk that was rolled back it is refused', () => {
    const feed = cluster('b');
    const again = (bootCount: number, bootId: string) =>
      feed.ask({ kind: 'registerNode', node: registration('b', { bootCount, bootId }) });
    expect(again(5, 'x')).toMatchObject({ ok: true });
    expect(again(5, 'y')).toMatchObject({ ok: false, code: 'storeRolledBack' });
    expect(again(4, 'y')).toMatchObject({ ok: false, code: 'storeRolledBack' });
    expect(again(5, 'x')).toEqual({ ok: true, repeated: true });
  });

  test('on a copy of its disk from before its last start it is refused, however often started', () => {
    const feed = cluster('b');
    const again = (bootCount: number, bootId: string, confirmedCount: number, ids: string[]) =>
      feed.ask({
        kind: 'registerStart',
        node: registration('b', { bootCount, bootId }),
        starts: { confirmedCount, ids },
      });
    // Registered before by a program that kept no ids: only the count counts.
    expect(again(5, 's5', 0, ['s5'])).toMatchObject({ ok: true });
    // A copy is taken now. The node goes on, killed before and behind the registry's word.
    expect(again(8, 's8', 5, ['s5', 's7', 's8'])).toMatchObject({ ok: true });
    expect(again(9, 's9', 5, ['s5', 's7', 's8', 's9'])).toMatchObject({ ok: true });
    expect(again(12, 'sC', 5, ['s5', 'sA', 'sB', 'sC'])).toMatchObject({
      code: 'storeRolledBack',
      message: expect.stringContaining('this is its start 12, and it does not know of start 9'),
    });
    // An older program says nothing of its starts; the id that it draws asks for nothing either.
    const node = registration('b', { bootCount: 13, bootId: 'c0ffee' });
    expect(feed.ask({ kind: 'registerNode', node })).toMatchObject({ ok: true });
    expect(again(14, 'sE', 9, ['s9', 'sE'])).toMatchObject({ ok: true });
  });

  test('where the registry was set back itself it is not locked out', () => {
    const feed = cluster('b');
    const node = registration('b', { bootCount: 3, bootId: 's3' });
    feed.ask({ kind: 'registerStart', node, starts: { confirmedCount: 0, ids: ['s3'] } });
    // Starts 4 and 5 were registered and confirmed in what the registry has lost.
    const later = registration('b', { bootCount: 6, bootId: 's6' });
    const starts = { confirmedCount: 5, ids: ['s5', 's6'] };
    expect(feed.ask({ kind: 'registerStart', node: later, starts })).toMatchObject({ ok: true });
  });

  test('naming more starts than a store keeps it is refused', () => {
    const feed = cluster('b');
    const node = registration('b', { bootCount: 3, bootId: 's3' });
    const ids = Array.from({ length: limits.unconfirmedStartsMax + 1 }, (_, at) => `s${at}`);
    const starts = { confirmedCount: 0, ids };
    const reply = feed.ask({ kind: 'registerStart', node, starts });
    expect(reply).toMatchObject({ code: 'badRequest' });
  });

  test('with another store its seats are dead and its free replica ids are gone', () => {
    const feed = cluster('b');
    const allocate = (group: number) =>
      feed.ask({ kind: 'allocateReplica', group, node: 'b', storeId: 'store-b', confIndex: 0 });
    expect(allocate(1)).toMatchObject({ replicaId: 6 });
    expect(allocate(2)).toMatchObject({ replicaId: 7 });
    feed.ask({
      kind: 'reportGroup',
      group: 1,
      confIndex: 10,
      voters: [{ replicaId: 2, node: 'a' }],
      learners: [{ replicaId: 6, node: 'b' }],
      leader: 'a',
    });
    const { effects } = feed.apply({
      kind: 'registerNode',
      node: registration('b', { storeId: 'store-b2' }),
    });
    expect(effects).toContainEqual({ kind: 'replicasDied', node: 'b', replicaIds: [6] });
    expect(feed.machine.replicaOwner(6)).toMatchObject({ dead: true });
    expect(feed.machine.replicaOwner(7)).toBeUndefined();
    expect(feed.machine.node('b')?.state).toBe('joining');
    expect(allocate(1)).toMatchObject({ ok: false });
  });

  test('with a store that it gave up it is refused', () => {
    const feed = cluster('b');
    feed.ask({ kind: 'registerNode', node: registration('b', { storeId: 'store-b2' }) });
    const back = registration('b', { bootCount: 9, bootId: 'z' });
    expect(feed.ask({ kind: 'registerNode', node: back })).toMatchObject({
      code: 'storeRolledBack',
      message: expect.stringContaining('was given up'),
    });
    expect(feed.machine.node('b')?.storeId).toBe('store-b2');
    // Also after a restart from the rows on the disk.
    const loaded = new RegistryMachine();
    loaded.loadRows(rowsOf(feed.machine));
    loaded.loaded(feed.machine.applied);
    const { actor, atMs } = { actor: { name: '', tenant: '' }, atMs: feed.atMs };
    const command = encodeRegistryCommand({ kind: 'registerNode', node: back, actor, atMs });
    const { replies } = loaded.apply(feed.machine.applied + 1, command);
    expect(replies).toMatchObject([{ code: 'storeRolledBack' }]);
  });

  test('declared dead it is up again', () => {
    const feed = cluster('b');
    feed.ask({ kind: 'setNodeState', node: 'b', state: 'dead' });
    feed.ask({ kind: 'registerNode', node: registration('b', { bootCount: 2, bootId: 'z' }) });
    expect(feed.machine.node('b')?.state).toBe('up');
  });

  test('removed it may not return', () => {
    const feed = cluster('b');
    feed.ask({ kind: 'setNodeState', node: 'b', state: 'removed' });
    const node = registration('b', { bootCount: 2 });
    const reply = feed.ask({ kind: 'registerNode', node, joinSecret: hex('b') });
    expect(reply).toMatchObject({
      code: 'nodeRemoved',
      message: 'node name-b was removed from the cluster',
    });
    expect(feed.ask({ kind: 'setNodeState', node: 'b', state: 'up' })).toMatchObject({ ok: false });
  });
});

describe('replica ids', () => {
  const allocate = (feed: Feed, confIndex: number) =>
    feed.ask({ kind: 'allocateReplica', group: 1, node: 'b', storeId: 'store-b', confIndex });

  test('a free one is given again at the same configuration, never at a newer one', () => {
    const feed = cluster('b');
    expect(allocate(feed, 3)).toEqual({ ok: true, repeated: false, replicaId: 6 });
    expect(allocate(feed, 3)).toEqual({ ok: true, repeated: true, replicaId: 6 });
    expect(allocate(feed, 4)).toEqual({ ok: true, repeated: false, replicaId: 7 });
    expect(allocate(feed, 3)).toMatchObject({ ok: false, code: 'badRequest' });
  });

  test('one that left its group is spent', () => {
    const feed = cluster('b');
    const report = (confIndex: number, learners: number[]) =>
      feed.ask({
        kind: 'reportGroup',
        group: 1,
        confIndex,
        voters: [{ replicaId: 2, node: 'a' }],
        learners: learners.map(replicaId => ({ replicaId, node: 'b' })),
        leader: 'a',
      });
    allocate(feed, 0);
    report(5, [6]);
    expect(feed.machine.replicaOwner(6)).toMatchObject({ seated: true, dead: false });
    report(6, []);
    expect(feed.machine.replicaOwner(6)).toBeUndefined();
    expect(allocate(feed, 6)).toMatchObject({ replicaId: 7 });
  });

  test('one that came and went between two reports is spent, a newer one is not', () => {
    const feed = cluster('b');
    const report = (confIndex: number) =>
      feed.ask({
        kind: 'reportGroup',
        group: 1,
        confIndex,
        voters: [{ replicaId: 2, node: 'a' }],
        learners: [],
      });
    expect(allocate(feed, 3)).toMatchObject({ replicaId: 6 });
    report(3);
    expect(feed.machine.replicaOwner(6)).toMatchObject({ seated: false });
    // Added at 4 and removed at 5, before anybody told of 4.
    report(5);
    expect(feed.machine.replicaOwner(6)).toBeUndefined();
    expect(allocate(feed, 5)).toMatchObject({ replicaId: 7 });
  });

  test('one that was dropped on its way into the group counts as dead', () => {
    const feed = cluster('b');
    allocate(feed, 0);
    allocate(feed, 1);
    feed.ask({
      kind: 'reportGroup',
      group: 1,
      confIndex: 5,
      voters: [{ replicaId: 2, node: 'a' }],
      learners: [{ replicaId: 6, node: 'b' }],
    });
    expect(feed.machine.replicaOwner(6)).toMatchObject({ seated: true, dead: true });
  });
});

describe('a report of a group', () => {
  const report = (confIndex: number, voters: [number, string][], leader?: string) =>
    ({
      kind: 'reportGroup',
      group: 1,
      confIndex,
      voters: voters.map(([replicaId, node]) => ({ replicaId, node })),
      learners: [],
      leader,
    }) as const;

  test('the newest configuration wins, an older one changes nothing', () => {
    const feed = cluster('b');
    feed.ask(report(7, [[2, 'a']], 'a'));
    expect(feed.ask(report(6, [[2, 'a']], 'b'))).toEqual({ ok: true, repeated: true });
    expect(feed.machine.group(1)).toMatchObject({ confIndex: 7, leader: 'a' });
  });

  test('at an equal index only the leader may differ', () => {
    const feed = cluster('b');
    feed.ask(report(7, [[2, 'a']], 'a'));
    expect(feed.ask(report(7, [[2, 'a']], 'b'))).toEqual({ ok: true, repeated: false });
    expect(feed.machine.group(1)?.leader).toBe('b');
    const other = report(7, [[3, 'a']], 'a');
    expect(feed.ask(other)).toMatchObject({ ok: false, code: 'badRequest' });
  });

  test.each([
    ['an id never handed out', [[99, 'a']]],
    ['an id of another group', [[3, 'a']]],
    ['an id of another node', [[2, 'b']]],
    [
      'one id twice',
      [
        [2, 'a'],
        [2, 'a'],
      ],
    ],
    ['no voter', []],
  ] as [string, [number, string][]][])('with %s is refused', (_what, voters) => {
    const feed = cluster('b');
    expect(feed.ask(report(9, voters))).toMatchObject({ ok: false, code: 'badRequest' });
    expect(feed.machine.group(1)?.confIndex).toBe(0);
  });
});

describe('tokens, secrets and settings', () => {
  const reader = {
    id: 'tok-2',
    name: 'eve',
    sha256: hex('d'),
    role: 'reader',
    tenant: 'red',
  } as const;

  test('a token is found by its hash, replaced by its id, and dropped', () => {
    const feed = cluster();
    expect(feed.ask({ kind: 'putToken', token: reader })).toEqual({ ok: true, repeated: false });
    expect(feed.ask({ kind: 'putToken', token: reader })).toEqual({ ok: true, repeated: true });
    feed.ask({ kind: 'putToken', token: { ...reader, sha256: hex('e') } });
    expect(feed.machine.token(hex('d'))).toBeUndefined();
    expect(feed.machine.token(hex('e'))).toMatchObject({ tenant: 'red' });
    feed.ask({ kind: 'dropToken', id: 'tok-2' });
    expect(feed.machine.tokens()).toHaveLength(1);
    expect(feed.ask({ kind: 'dropToken', id: 'tok-2' })).toEqual({ ok: true, repeated: true });
  });

  test('a hash under two ids is refused, and so is dropping the last admin token', () => {
    const feed = cluster();
    const taken = { ...reader, sha256: hex('a') };
    expect(feed.ask({ kind: 'putToken', token: taken })).toMatchObject({ ok: false });
    expect(feed.ask({ kind: 'dropToken', id: 'tok-1' })).toMatchObject({ code: 'forbidden' });
  });

  test('a secret is withdrawn with no uses left', () => {
    const feed = cluster();
    feed.ask({ kind: 'putJoinSecret', secret: { sha256: hex('b'), usesLeft: 0 } });
    expect(feed.machine.joinSecret(hex('b'))).toBeUndefined();
  });

  test('a setting without a value is forgotten', () => {
    const feed = cluster();
    feed.ask({ kind: 'setSetting', name: 'deadAfterMs', value: '300000' });
    expect(feed.machine.setting('deadAfterMs')).toBe('300000');
    feed.ask({ kind: 'setSetting', name: 'deadAfterMs' });
    expect(feed.machine.setting('deadAfterMs')).toBeUndefined();
  });

  test('the cluster version is a setting like any other, 1 until it is raised', () => {
    const feed = cluster();
    expect(feed.machine.clusterVersion()).toBe(1);
    // Programs of version 1 apply the same command: a reply of its own would part the digests.
    const before = feed.machine.digest();
    const other = cluster();
    expect(other.machine.digest()).toBe(before);
    feed.ask({ kind: 'setSetting', name: 'clusterVersion', value: '2' });
    other.ask({ kind: 'setSetting', name: 'anythingElse', value: '2' });
    expect(feed.machine.clusterVersion()).toBe(2);
    expect(feed.machine.digest()).toBe(other.machine.digest());
  });
});

describe('tenants and plans', () => {
  const acme = { kind: 'putTenant', name: 'acme', plan: 'free', isNew: true } as const;

  test('the default tenant is there, and others are made once', () => {
    const feed = cluster();
    expect(feed.machine.tenants()).toMatchObject([{ name: 'default', plan: 'unlimited' }]);
    expect(feed.ask(acme)).toEqual({ ok: true, repeated: false });
    expect(feed.ask(acme)).toEqual({ ok: true, repeated: true });
    const other = { ...acme, plan: 'premium' };
    expect(feed.ask(other)).toMatchObject({ code: 'tenantTaken' });
    expect(feed.ask({ ...other, isNew: false })).toMatchObject({ ok: true });
    expect(feed.machine.tenant('acme')).toMatchObject({ plan: 'premium', createdAtMs: 1_000_000 });
    expect(feed.ask({ ...acme, name: 'none', isNew: false })).toMatchObject({
      code: 'unknownTenant',
    });
    expect(feed.ask({ ...acme, name: 'Bad Name' })).toMatchObject({ code: 'badRequest' });
    expect(feed.ask({ ...acme, name: 'red', plan: 'none' })).toMatchObject({ code: 'unknownPlan' });
  });

  test('a tenant is as old as the instant at which it was made, however long nothing happened', () => {
    const feed = cluster();
    feed.atMs += 3_600_000;
    feed.ask(acme);
    expect(feed.machine.tenant('acme')?.createdAtMs).toBe(feed.atMs);
  });

  test('a plan is forgotten unless a tenant would be left without one', () => {
    const feed = cluster();
    const values = [['burst', '5']] as const;
    feed.ask({ kind: 'putPlan', name: 'own', values });
    feed.ask({ kind: 'putPlan', name: 'free', values });
    feed.ask({ ...acme, plan: 'own' });
    expect(feed.machine.planNames()).toContain('own');
    expect(feed.ask({ kind: 'putPlan', name: 'own' })).toMatchObject({ code: 'badRequest' });
    expect(feed.ask({ kind: 'putPlan', name: 'free' })).toMatchObject({ ok: true });
    expect(feed.machine.planValues('free')).toBeUndefined();
    expect(feed.machine.planNames()).toContain('free');
    feed.ask({ ...acme, isNew: false });
    expect(feed.ask({ kind: 'putPlan', name: 'own' })).toMatchObject({ ok: true });
    expect(feed.machine.planNames()).not.toContain('own');
  });
});

describe('the machine', () => {
  test('state time never falls and no command moves it by more than a minute (DESIGN 4)', () => {
    const feed = cluster();
    feed.atMs = 10;
    feed.ask({ kind: 'setSetting', name: 's', value: '1' });
    expect(feed.machine.nowMs).toBe(1_000_000);
    feed.atMs = 9_000_000_000;
    feed.ask({ kind: 'setSetting', name: 's', value: '2' });
    expect(feed.machine.nowMs).toBe(1_060_000);
  });

  test('an empty entry moves only the applied index', () => {
    const { machine, index } = cluster();
    const before = machine.digest();
    expect(machine.apply(index + 3, new Uint8Array())).toEqual({ replies: [], effects: [] });
    expect([machine.applied, machine.digest()]).toEqual([index + 3, before]);
  });

  test('a command of an unknown kind stops the replica', () => {
    const { machine, index } = cluster();
    const future = Uint8Array.of(1, 200, 1, 0, 0);
    expect(() => machine.apply(index + 1, future)).toThrow(DecodeError);
  });

  test('rows that were flushed make the same machine', () => {
    const feed = cluster('b', 'c');
    feed.ask({ kind: 'setSetting', name: 's', value: 'x' });
    const loaded = new RegistryMachine();
    loaded.loadRows(rowsOf(feed.machine));
    loaded.loaded(feed.machine.applied);
    loaded.checkInvariants();
    expect(loaded.digest()).toBe(feed.machine.digest());
    expect(loaded.nodes()).toEqual(feed.machine.nodes());
    expect(loaded.groups()).toEqual(feed.machine.groups());
    expect(loaded.cluster()).toEqual(feed.machine.cluster());
    expect(loaded.slotTable()).toEqual(feed.machine.slotTable());
    expect(loaded.setting('s')).toBe('x');
    expect(loaded.takeFlush(10)).toBeUndefined();
  });

  test('a flush holds what changed since the last one, deletions too', () => {
    const feed = cluster();
    rowsOf(feed.machine);
    feed.ask({ kind: 'setSetting', name: 's', value: 'x' });
    expect(feed.machine.dirtyRows).toBe(2);
    expect(rowsOf(feed.machine)).toHaveLength(2);
    feed.ask({ kind: 'setSetting', name: 's' });
    const flush = feed.machine.takeFlush(10);
    const text = new TextDecoder();
    expect(flush?.rows.map(([key, value]) => [text.decode(key), value === undefined])).toEqual([
      ['m', false],
      ['os', true],
    ]);
    expect(feed.machine.settled).toBe(false);
    expect(feed.machine.takeFlush(10)).toBeUndefined();
  });
});
