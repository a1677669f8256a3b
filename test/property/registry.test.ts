/** The registry under any sequence of commands: what it promises, and against a replay. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { tiers } from '../../src/model/resources.ts';
import { tierFields } from '../../src/model/tiers.ts';
import {
  encodeRegistryCommand,
  type RegistryCommand,
  type RegistryCommandOf,
} from '../../src/registry/command.ts';
import { decodeJoinToken, encodeJoinToken } from '../../src/registry/join-token.ts';
import { RegistryMachine } from '../../src/registry/machine.ts';
import { nodeStates } from '../../src/registry/state.ts';
import { type Ask, bootstrap, hex, registration } from '../unit/registry/builders.ts';

const shards = 4;
const nodeId = fc.constantFrom('a', 'b', 'c', 'd');
const storeId = fc.constantFrom('s1', 's2');
const sha = fc.constantFrom('a', 'b', 'c').map(hex);
const seats = fc.uniqueArray(
  fc.record({ replicaId: fc.integer({ min: 1, max: 20 }), node: nodeId }),
  {
    maxLength: 3,
    selector: seat => seat.replicaId,
  },
);

const node = fc
  .record({
    id: nodeId,
    name: fc.constantFrom('n1', 'n2', 'n3', 'bad name'),
    storeId,
    bootCount: fc.integer({ min: 0, max: 4 }),
    bootId: fc.constantFrom('x', 'sx', 'sy'),
  })
  .map(({ id, ...changes }) => registration(id, changes));
const joinSecret = fc.option(sha, { nil: undefined });

const arbitraryAsk: fc.Arbitrary<Ask> = fc.oneof(
  fc.record({ kind: fc.constant('registerNode' as const), node, joinSecret }),
  fc.record({
    kind: fc.constant('registerStart' as const),
    node,
    joinSecret,
    starts: fc.record({
      confirmedCount: fc.nat(4),
      ids: fc.subarray(['sx', 'sy', 'sz']),
    }),
  }),
  fc.record({
    kind: fc.constant('setNodeState' as const),
    node: nodeId,
    state: fc.constantFrom(...nodeStates),
  }),
  fc.record({
    kind: fc.constant('allocateReplica' as const),
    group: fc.nat(shards + 1),
    node: nodeId,
    storeId,
    confIndex: fc.nat(6),
  }),
  fc.record({
    kind: fc.constant('reportGroup' as const),
    group: fc.nat(shards + 1),
    confIndex: fc.nat(6),
    voters: seats,
    learners: seats,
    leader: fc.option(nodeId, { nil: undefined }),
  }),
  fc.record({
    kind: fc.constant('putToken' as const),
    token: fc.record({
      id: fc.constantFrom('t1', 't2', 'tok-1'),
      name: fc.constant('name'),
      sha256: sha,
      role: fc.constantFrom('admin' as const, 'reader' as const),
      tenant: fc.constant('default'),
    }),
  }),
  fc.record({ kind: fc.constant('dropToken' as const), id: fc.constantFrom('t1', 'tok-1') }),
  fc.record({
    kind: fc.constant('putJoinSecret' as const),
    secret: fc.record({
      sha256: sha,
      expiresAtMs: fc.option(fc.integer({ min: 1_000_000, max: 1_200_000 }), { nil: undefined }),
      usesLeft: fc.option(fc.nat(2), { nil: undefined }),
    }),
  }),
  fc.record({
    kind: fc.constant('setSetting' as const),
    name: fc.constantFrom('s', 't', 'bad name'),
    value: fc.option(fc.constantFrom('1', '2'), { nil: undefined }),
  }),
  fc.record({
    kind: fc.constant('setTier' as const),
    tier: fc.constantFrom(...tiers),
    changes: fc.array(
      fc.record({
        field: fc.constantFrom(...tierFields),
        value: fc.option(fc.nat(2_000), { nil: undefined }),
      }),
      { maxLength: 3 },
    ),
  }),
  fc.record({
    kind: fc.constant('drainNode' as const),
    node: nodeId,
    on: fc.boolean(),
    deadlineMs: fc.option(fc.nat(5_000), { nil: undefined }),
    force: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('removeNode' as const), node: nodeId, force: fc.boolean() }),
  fc.record({
    kind: fc.constant('putTenant' as const),
    name: fc.constantFrom('acme', 'default', 'Bad'),
    plan: fc.constantFrom('free', 'own', 'none'),
    isNew: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('putPlan' as const),
    name: fc.constantFrom('free', 'own'),
    values: fc.option(fc.constantFrom([['burst', '5']] as [string, string][], []), {
      nil: undefined,
    }),
  }),
);

interface Step {
  readonly ask: Ask;
  readonly afterMs: number;
}

const arbitrarySteps: fc.Arbitrary<Step[]> = fc
  .array(fc.record({ ask: arbitraryAsk, afterMs: fc.integer({ min: -5_000, max: 90_000 }) }), {
    maxLength: 60,
  })
  .map(steps => [{ ask: bootstrap(shards), afterMs: 0 }, ...steps]);

/** Log entries of the steps: index and bytes. */
function entriesOf(steps: readonly Step[]): { index: number; command: RegistryCommand }[] {
  let atMs = 1_000_000;
  return steps.map(({ ask, afterMs }, position) => {
    atMs = Math.max(0, atMs + afterMs);
    const command = { ...ask, atMs, actor: { name: 'node:a', tenant: '' } } as RegistryCommand;
    return { index: position + 1, command };
  });
}

const apply = (machine: RegistryMachine, entry: { index: number; command: RegistryCommand }) => {
  const { replies } = machine.apply(entry.index, encodeRegistryCommand(entry.command));
  machine.checkInvariants();
  const reply = replies[0];
  if (reply === undefined) throw new Error('a command without a reply');
  return reply;
};

const picture = (machine: RegistryMachine): unknown => ({
  applied: machine.applied,
  digest: machine.digest(),
  nowMs: machine.nowMs,
  cluster: machine.cluster(),
  nodes: machine.nodes(),
  drains: machine.nodes().map(node => machine.drain(node.id)),
  groups: machine.groups(),
  tokens: machine.tokens(),
  tenants: machine.tenants(),
  plans: machine.planNames().map(name => [name, machine.planValues(name)]),
  settings: ['s', 't'].map(name => machine.setting(name)),
  secrets: ['a', 'b', 'c'].map(digit => machine.joinSecret(hex(digit))),
  replicas: Array.from({ length: 80 }, (_, id) => machine.replicaOwner(id)),
  slots: [...Array(8).keys()].map(slot => machine.slotTable()[slot]),
});

describe('any sequence of commands', () => {
  test('never hands out a replica id twice', () => {
    fc.assert(
      fc.property(arbitrarySteps, steps => {
        const machine = new RegistryMachine();
        const given = new Map<number, string>();
        for (const entry of entriesOf(steps)) {
          const reply = apply(machine, entry);
          if (!reply.ok || entry.command.kind !== 'allocateReplica') continue;
          const { group, node, storeId: store, confIndex } = entry.command;
          const id = reply.replicaId ?? 0;
          const seat = `${group} ${node} ${store} ${confIndex}`;
          expect(id).toBeGreaterThan(shards + 1);
          if (reply.repeated) expect(given.get(id)).toBe(seat);
          else expect(given.has(id)).toBe(false);
          given.set(id, seat);
        }
      }),
    );
  });

  test('leaves configurations and boot counts only going up, and the removed gone', () => {
    fc.assert(
      fc.property(arbitrarySteps, steps => {
        const machine = new RegistryMachine();
        for (const entry of entriesOf(steps)) {
          const before = { groups: machine.groups(), nodes: machine.nodes(), at: machine.nowMs };
          apply(machine, entry);
          expect(machine.nowMs).toBeGreaterThanOrEqual(before.at);
          for (const group of before.groups) {
            const confIndex = machine.group(group.group)?.confIndex;
            expect(confIndex).toBeGreaterThanOrEqual(group.confIndex);
          }
          for (const node of before.nodes) {
            const now = machine.node(node.id);
            if (node.state === 'removed') expect(now).toEqual(node);
            if (now?.storeId === node.storeId) {
              expect(now.bootCount).toBeGreaterThanOrEqual(node.bootCount);
            }
          }
        }
      }),
    );
  });

  test('changes nothing that a refused command or a repeated one could be seen by', () => {
    fc.assert(
      fc.property(arbitrarySteps, steps => {
        const machine = new RegistryMachine();
        for (const entry of entriesOf(steps)) {
          const before = picture(machine) as Record<string, unknown>;
          const reply = apply(machine, entry);
          if (reply.ok && !reply.repeated) continue;
          const after = picture(machine) as Record<string, unknown>;
          const stamped = { applied: 0, digest: 0, nowMs: 0 };
          expect({ ...after, ...stamped }).toEqual({ ...before, ...stamped });
        }
      }),
    );
  });

  test('gives the same machine from flushed rows and the rest of the log', () => {
    fc.assert(
      fc.property(arbitrarySteps, fc.array(fc.nat(60), { maxLength: 4 }), (steps, cuts) => {
        const whole = new RegistryMachine();
        const disk = new Map<string, [Uint8Array, Uint8Array]>();
        let applied = 0;
        const entries = entriesOf(steps);
        for (const entry of entries) {
          apply(whole, entry);
          const flush = cuts.includes(entry.index) ? whole.takeFlush(1_000) : undefined;
          if (flush === undefined) continue;
          applied = flush.applied;
          for (const [key, value] of flush.rows) {
            if (value === undefined) disk.delete(String(key));
            else disk.set(String(key), [key, value]);
          }
          whole.flushed(flush.token);
        }
        const again = new RegistryMachine();
        again.loadRows(disk.values());
        again.loaded(applied);
        for (const entry of entries) if (entry.index > applied) apply(again, entry);
        expect(picture(again)).toEqual(picture(whole));
      }),
    );
  });

  test('is decided equally by every replica, and differently stamped digests differ', () => {
    fc.assert(
      fc.property(arbitrarySteps, steps => {
        const [left, right] = [new RegistryMachine(), new RegistryMachine()];
        for (const entry of entriesOf(steps)) {
          expect(apply(left, entry)).toEqual(apply(right, entry));
          expect(left.digest()).toBe(right.digest());
        }
        const drop: RegistryCommandOf<'dropToken'> = {
          kind: 'dropToken',
          id: 'none',
          atMs: 0,
          actor: { name: '', tenant: '' },
        };
        const index = left.applied;
        left.apply(index + 1, encodeRegistryCommand(drop));
        right.apply(index + 2, encodeRegistryCommand(drop));
        expect(left.digest()).not.toBe(right.digest());
      }),
    );
  });
});

test('any join token is read as it was written', () => {
  fc.assert(
    fc.property(
      fc.record({
        version: fc.constant(1),
        clusterId: fc.string({ maxLength: 60 }),
        addresses: fc.array(fc.string({ maxLength: 60 }), { maxLength: 8 }),
        networkKey: fc.uint8Array({ minLength: 32, maxLength: 32 }),
        secret: fc.uint8Array({ minLength: 16, maxLength: 64 }),
      }),
      token => {
        const text = encodeJoinToken(token);
        expect(text).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(decodeJoinToken(text)).toEqual({ ok: true, ...token });
      },
    ),
  );
});

test('any text is a join token or is told why not, without an exception', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.base64String()), text => {
      const reading = decodeJoinToken(`tsj_${text}`);
      expect(reading.ok || reading.message.length > 10).toBe(true);
    }),
  );
});
