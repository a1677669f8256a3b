/** The bytes of format 1. A changed line here is a broken upgrade: add a version instead. */
import { describe, expect, test } from 'vitest';
import { DecodeError } from '../../../src/model/bytes.ts';
import { TschedError } from '../../../src/model/errors.ts';
import { roles } from '../../../src/model/role.ts';
import {
  decodeRegistryCommand,
  encodeRegistryCommand,
  type RegistryCommand,
  registryCommandKinds,
} from '../../../src/registry/command.ts';
import { nodeStates } from '../../../src/registry/state.ts';
import { adminToken, anAsk, cluster, hex, registration } from './builders.ts';

const toHex = (bytes: Uint8Array): string =>
  [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join('');

const stamp = { atMs: 1_000_000, actor: { name: 'node:a', tenant: 't' } } as const;

const commands: readonly RegistryCommand[] = [
  {
    ...stamp,
    kind: 'bootstrap',
    clusterId: 'c1',
    name: 'test',
    shards: 64,
    replication: 3,
    formatVersion: 1,
    node: registration('a'),
    tokens: [adminToken],
  },
  {
    ...stamp,
    kind: 'registerNode',
    node: registration('b', { zone: 'z', bootCount: 300 }),
    joinSecret: 'ab',
  },
  { ...stamp, kind: 'setNodeState', node: 'b', state: 'draining' },
  {
    ...stamp,
    kind: 'allocateReplica',
    group: 300,
    node: 'b',
    storeId: 's',
    confIndex: 70_000,
  },
  {
    ...stamp,
    kind: 'reportGroup',
    group: 1,
    confIndex: 9,
    voters: [{ replicaId: 2, node: 'a' }],
    learners: [{ replicaId: 200, node: 'b' }],
    leader: 'a',
  },
  { ...stamp, kind: 'putToken', token: { ...adminToken, expiresAtMs: 5 } },
  { ...stamp, kind: 'dropToken', id: 'tok-1' },
  { ...stamp, kind: 'putJoinSecret', secret: { sha256: 'ab', expiresAtMs: 5, usesLeft: 2 } },
  { ...stamp, kind: 'setSetting', name: 'deadAfterMs', value: '300000' },
  { ...stamp, kind: 'drainNode', node: 'b', on: true, deadlineMs: 600_000, force: false },
  { ...stamp, kind: 'removeNode', node: 'b', force: true },
  {
    ...stamp,
    kind: 'registerStart',
    node: registration('b', { bootCount: 300 }),
    joinSecret: 'ab',
    starts: { confirmedCount: 298, ids: ['s1', 's2'] },
  },
  {
    ...stamp,
    kind: 'setTier',
    tier: 'regular',
    changes: [{ field: 'cpuMilli', value: 300 }, { field: 'capMsMax' }],
  },
  { ...stamp, kind: 'putTenant', name: 'acme', plan: 'free', isNew: true },
  { ...stamp, kind: 'putPlan', name: 'own', values: [['burst', '5']] },
  { ...stamp, kind: 'pausePlacement', scope: '*', on: true, suspend: true, reason: 'why' },
  {
    ...stamp,
    kind: 'putTemplate',
    template: { tenant: 't', name: 'n', description: 'd', document: '{}' },
    expected: 300,
  },
  { ...stamp, kind: 'dropTemplate', tenant: 't', name: 'n', revision: 2 },
  {
    ...stamp,
    kind: 'putReservation',
    ask: {
      name: 'nightly',
      tenant: 't',
      amount: { cpuMilli: 1_500, memoryBytes: 2, diskBytes: 3, iops: 4, bandwidth: 5, ports: 6 },
      untilMs: 2_000_000,
      nodes: ['a', 'b'],
      count: 2,
      tier: 'regular',
      require: [['zone', 'a']],
    },
  },
  { ...stamp, kind: 'dropReservation', name: 'nightly', over: true },
];

describe('a command of the registry', () => {
  test('every kind has its bytes', () => {
    expect(commands.map(command => command.kind)).toEqual(registryCommandKinds);
    const bytes = commands.map(
      command => `${command.kind} ${toHex(encodeRegistryCommand(command))}`,
    );
    expect(bytes).toMatchInlineSnapshot(`
      [
        "bootstrap 0100c0843d066e6f64653a61017402633104746573744003010161066e616d652d610773746f72652d610106626f6f742d61011d2f6970342f3132372e302e302e312f7463702f373030302f7032702f610e3132372e302e302e313a3830303001a01fc0843d0000000001046469736b03737364006405302e312e300105746f6b2d310561646d696e4061616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161000764656661756c7400",
        "registerNode 0101c0843d066e6f64653a6101740162066e616d652d620773746f72652d62ac0206626f6f742d62011d2f6970342f3132372e302e302e312f7463702f373030302f7032702f620e3132372e302e302e313a3830303001a01fc0843d0000000001046469736b03737364017a6405302e312e3001026162",
        "setNodeState 0102c0843d066e6f64653a610174016202",
        "allocateReplica 0103c0843d066e6f64653a610174ac0201620173f0a204",
        "reportGroup 0104c0843d066e6f64653a61017401090102016101c8010162010161",
        "putToken 0105c0843d066e6f64653a61017405746f6b2d310561646d696e4061616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161000764656661756c740105",
        "dropToken 0106c0843d066e6f64653a61017405746f6b2d31",
        "putJoinSecret 0107c0843d066e6f64653a61017402616201050102",
        "setSetting 0108c0843d066e6f64653a6101740b6465616441667465724d730106333030303030",
        "drainNode 0109c0843d066e6f64653a61017401620101c0cf2400",
        "removeNode 010ac0843d066e6f64653a610174016201",
        "registerStart 010bc0843d066e6f64653a6101740162066e616d652d620773746f72652d62ac0206626f6f742d62011d2f6970342f3132372e302e302e312f7463702f373030302f7032702f620e3132372e302e302e313a3830303001a01fc0843d0000000001046469736b03737364006405302e312e3001026162aa0202027331027332",
        "setTier 010cc0843d066e6f64653a61017401020001ac020600",
        "putTenant 0118c0843d066e6f64653a6101740461636d65046672656501",
        "putPlan 0119c0843d066e6f64653a610174036f776e01010562757273740135",
        "pausePlacement 0120c0843d066e6f64653a610174012a010103776879",
        "putTemplate 0121c0843d066e6f64653a6101740174016e0164027b7d01ac02",
        "dropTemplate 0122c0843d066e6f64653a6101740174016e0102",
        "putReservation 010fc0843d066e6f64653a610174076e696768746c790174dc0b020304050680897a0201610162020101047a6f6e650161",
        "dropReservation 0110c0843d066e6f64653a610174076e696768746c7901",
      ]
    `);
  });

  test('is read as it was written', () => {
    for (const command of commands) {
      const read = decodeRegistryCommand(encodeRegistryCommand(command));
      expect(JSON.parse(JSON.stringify(read))).toEqual(JSON.parse(JSON.stringify(command)));
    }
  });

  test('cut short or with bytes too many is a DecodeError', () => {
    for (const command of commands) {
      const bytes = encodeRegistryCommand(command);
      for (let length = 0; length < bytes.length; length++) {
        expect(() => decodeRegistryCommand(bytes.subarray(0, length))).toThrow(DecodeError);
      }
      expect(() => decodeRegistryCommand(Uint8Array.of(...bytes, 0))).toThrow(DecodeError);
    }
  });

  test('of another version or an unknown kind is a DecodeError', () => {
    const bytes = encodeRegistryCommand({ ...stamp, kind: 'dropToken', id: 'x' });
    expect(() => decodeRegistryCommand(bytes.with(0, 2))).toThrow('version 2');
    expect(() => decodeRegistryCommand(bytes.with(1, 99))).toThrow('unknown kind');
  });
});

describe('a command that must not get into a log', () => {
  const refusal = (command: unknown): unknown => {
    try {
      return encodeRegistryCommand(command as RegistryCommand);
    } catch (error) {
      return error instanceof TschedError ? error.message : error;
    }
  };
  const register = (changes: object): unknown => ({
    ...stamp,
    kind: 'registerNode',
    node: { ...registration('b'), ...changes },
  });

  test('because a word is not in its set', () => {
    expect(refusal(register({ tier: 'golden' }))).toBe('unknown tier: golden');
    const state = { ...stamp, kind: 'setNodeState', node: 'a', state: 'asleep' };
    expect(refusal(state)).toBe('unknown node state: asleep');
    const token = { ...stamp, kind: 'putToken', token: { ...adminToken, role: 'king' } };
    expect(refusal(token)).toBe('unknown role: king');
  });

  test('because it is too large', () => {
    expect(refusal(register({ name: 'x'.repeat(300_000) }))).toContain('too large');
  });

  test('is none where a label is long: apply refuses that one', () => {
    const label = register({ labels: [['k', 'x'.repeat(100_000)]] });
    const bytes = encodeRegistryCommand(label as RegistryCommand);
    const feed = cluster();
    const applied = feed.machine.apply(feed.index + 1, bytes);
    expect(applied.replies).toMatchObject([{ ok: false, message: 'a label is too long' }]);
  });
});

test('the numbers of states and roles on disk are their positions', () => {
  expect(nodeStates).toEqual(['joining', 'up', 'draining', 'removed', 'dead']);
  expect(roles).toEqual(['admin', 'submitter', 'reader']);
});

test('rows have these bytes', () => {
  const feed = cluster('b');
  feed.ask({ kind: 'setSetting', name: 's', value: 'x' });
  feed.ask({ kind: 'allocateReplica', group: 1, node: 'b', storeId: 'store-b', confIndex: 3 });
  feed.ask({ kind: 'putJoinSecret', secret: { sha256: hex('c'), usesLeft: 3 } });
  const changes = [
    { field: 'ports', value: 300 } as const,
    { field: 'cpuMilli', value: 0 } as const,
  ];
  feed.ask({ kind: 'setTier', tier: 'basic', changes });
  feed.ask({ kind: 'putReservation', ask: anAsk({ name: 'nightly', nodes: ['a'] }) });
  const text = new TextDecoder();
  const rows = feed.machine.takeFlush(100)?.rows ?? [];
  const lines = rows.map(
    ([key, value]) => `${text.decode(key)} ${toHex(value ?? Uint8Array.of())}`,
  );
  const short = (line: string): string =>
    line.length > 400 ? `${line.slice(0, 60)}... ${line.length} characters` : line;
  expect(lines.map(short)).toMatchInlineSnapshot(`
    [
      "c 0109636c75737465722d3104746573740403c0843d01",
      "g0 010000010101610000",
      "g1 010100010201610000",
      "g2 010200010301610000",
      "g3 010300010401610000",
      "g4 010400010501610000",
      "ibasic 01020001000501ac02",
      "jbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb 0140626262626262626262626262626262626262626262626262626262626262626262626262626262626262626262626262626262626262626262626262626262620000",
      "jcccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc 014063636363636363636363636363636363636363636363636363636363636363636363636363636363636363636363636363636363636363636363636363636363000103",
      "m 01c0843dc9ac979e06",
      "na 010161066e616d652d610773746f72652d610106626f6f742d61011d2f6970342f3132372e302e302e312f7463702f373030302f7032702f610e3132372e302e302e313a3830303001a01fc0843d0000000001046469736b03737364006405302e312e3001c0843d",
      "nb 010162066e616d652d620773746f72652d620106626f6f742d62011d2f6970342f3132372e302e302e312f7463702f373030302f7032702f620e3132372e302e302e313a3830303001a01fc0843d0000000001046469736b03737364006405302e312e3001c0843d",
      "os 010178",
      "r1 01010001610773746f72652d610001",
      "r2 01020101610773746f72652d610001",
      "r3 01030201610773746f72652d610001",
      "r4 01040301610773746f72652d610001",
      "r5 01050401610773746f72652d610001",
      "r6 01060101620773746f72652d620300",
      "s 0100010002000300040001000200030004000100020003000400010002... 16388 characters",
      "taaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 0105746f6b2d310561646d696e4061616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161000764656661756c7400",
      "vnightly 01076e696768746c790764656661756c74066e6f64653a61c0843dc096b102e8070000000000010161",
    ]
  `);
});

test('rows of tenants and plans have these bytes', () => {
  const feed = cluster();
  feed.machine.takeFlush(100);
  feed.ask({ kind: 'putPlan', name: 'own', values: [['burst', '5']] });
  feed.ask({ kind: 'putTenant', name: 'acme', plan: 'own', isNew: true });
  const rows = feed.machine.takeFlush(100)?.rows ?? [];
  const text = new TextDecoder();
  const lines = rows.map(([key, value]) => [text.decode(key), toHex(value ?? Uint8Array.of())]);
  expect(Object.fromEntries(lines.filter(([key]) => key !== 'm'))).toEqual({
    pown: '01010562757273740135',
    uacme: '010461636d65036f776ec0843d',
  });
});
