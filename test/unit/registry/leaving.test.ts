/** Nodes that leave: draining, and removal of what was drained or is dead. */
import { describe, expect, test } from 'vitest';
import { RegistryMachine } from '../../../src/registry/machine.ts';
import { cluster, type Feed, registration } from './builders.ts';

const seats = (group: number, ids: readonly number[], nodes: readonly string[]) => ({
  kind: 'reportGroup' as const,
  group,
  confIndex: 10 + ids.length,
  voters: ids.map((replicaId, position) => ({ replicaId, node: nodes[position] ?? '' })),
  learners: [],
});

/** Shards 1 and 2 with three voters on the given nodes. */
function spread(feed: Feed, nodes: readonly [string, string, string]): void {
  for (const group of [1, 2]) {
    const others = nodes.slice(1).map(node => {
      const storeId = `store-${node}`;
      const reply = feed.ask({ kind: 'allocateReplica', group, node, storeId, confIndex: 1 });
      if (!reply.ok) throw new Error(reply.message);
      return reply.replicaId ?? 0;
    });
    feed.ask(seats(group, [group + 1, ...others], nodes));
  }
}

const drain = (feed: Feed, node: string, more: { force?: boolean; deadlineMs?: number } = {}) =>
  feed.ask({ kind: 'drainNode', node, on: true, force: false, ...more });
const undrain = (feed: Feed, node: string) =>
  feed.ask({ kind: 'drainNode', node, on: false, force: false });
const remove = (feed: Feed, node: string, force = false) =>
  feed.ask({ kind: 'removeNode', node, force });

describe('a drain', () => {
  test('is taken where enough nodes are left, with its deadline, and can be taken back', () => {
    const feed = cluster('b', 'c', 'd');
    spread(feed, ['a', 'b', 'c']);
    expect(drain(feed, 'b', { deadlineMs: 60_000 })).toEqual({ ok: true, repeated: false });
    expect(feed.machine.node('b')?.state).toBe('draining');
    expect(feed.machine.drain('b')).toEqual({ deadlineMs: 60_000 });
    expect(drain(feed, 'b', { deadlineMs: 60_000 })).toEqual({ ok: true, repeated: true });
    expect(drain(feed, 'b')).toEqual({ ok: true, repeated: false });
    expect(feed.machine.drain('b')).toEqual({ deadlineMs: undefined });
    expect(undrain(feed, 'b')).toEqual({ ok: true, repeated: false });
    expect(feed.machine.node('b')?.state).toBe('up');
    expect(feed.machine.drain('b')).toBeUndefined();
    expect(undrain(feed, 'b')).toEqual({ ok: true, repeated: true });
  });

  test('that leaves shards with fewer voters is refused and names them, unless it is forced', () => {
    const feed = cluster('b', 'c');
    spread(feed, ['a', 'b', 'c']);
    expect(drain(feed, 'c')).toMatchObject({
      code: 'tooFewNodes',
      message: expect.stringMatching(/only 2 nodes .* shards 1-4 would go from 3 voters to 1/),
    });
    expect(feed.machine.node('c')?.state).toBe('up');
    expect(drain(feed, 'c', { force: true })).toMatchObject({ ok: true });
  });

  test('of the last node is refused, forced or not', () => {
    const feed = cluster();
    expect(drain(feed, 'a', { force: true })).toMatchObject({ code: 'tooFewNodes' });
  });

  test('counts neither dead nor draining nodes as left', () => {
    const feed = cluster('b', 'c', 'd', 'e');
    spread(feed, ['a', 'b', 'c']);
    feed.ask({ kind: 'setNodeState', node: 'd', state: 'dead' });
    expect(drain(feed, 'c')).toMatchObject({ ok: true });
    expect(drain(feed, 'b')).toMatchObject({ code: 'tooFewNodes' });
  });

  test('of a dead, removed or unknown node is refused', () => {
    const feed = cluster('b', 'c', 'd');
    feed.ask({ kind: 'setNodeState', node: 'd', state: 'dead' });
    expect(drain(feed, 'd')).toMatchObject({ code: 'badRequest' });
    expect(undrain(feed, 'd')).toMatchObject({ code: 'badRequest' });
    expect(remove(feed, 'd')).toMatchObject({ ok: true });
    expect(drain(feed, 'd')).toMatchObject({ code: 'unknownNode' });
    expect(drain(feed, 'x')).toMatchObject({ code: 'unknownNode' });
  });

  test('goes on where the node starts again, also with a new store', () => {
    const feed = cluster('b', 'c', 'd');
    drain(feed, 'b', { deadlineMs: 5 });
    feed.ask({ kind: 'registerNode', node: registration('b', { bootCount: 2, bootId: 'z' }) });
    expect(feed.machine.node('b')?.state).toBe('draining');
    feed.ask({ kind: 'registerNode', node: registration('b', { storeId: 'other' }) });
    expect(feed.machine.node('b')?.state).toBe('draining');
    expect(feed.machine.drain('b')).toEqual({ deadlineMs: 5 });
  });

  test('survives in the rows that are stored', () => {
    const feed = cluster('b', 'c', 'd');
    drain(feed, 'b', { deadlineMs: 5 });
    const rows = feed.machine.takeFlush(5_000)?.rows ?? [];
    const loaded = new RegistryMachine();
    loaded.loadRows(
      rows.flatMap(([key, value]): [Uint8Array, Uint8Array][] =>
        value === undefined ? [] : [[key, value]],
      ),
    );
    loaded.loaded(feed.machine.applied);
    expect(loaded.drain('b')).toEqual({ deadlineMs: 5 });
    expect(loaded.node('b')?.state).toBe('draining');
  });
});

describe('a removal', () => {
  test('is refused for a node that is up, and for one that still holds replicas', () => {
    const feed = cluster('b', 'c', 'd');
    spread(feed, ['a', 'b', 'c']);
    expect(remove(feed, 'b', true)).toMatchObject({ code: 'notDrained' });
    drain(feed, 'b');
    expect(remove(feed, 'b', true)).toMatchObject({
      code: 'notDrained',
      message: 'node name-b still holds replicas of shards 1-2',
    });
    expect(feed.machine.seatsOf('b')).toEqual([1, 2]);
  });

  test('of a drained node is for good, and gives its name free', () => {
    const feed = cluster('b', 'c', 'd');
    drain(feed, 'd', { deadlineMs: 1 });
    expect(remove(feed, 'd')).toEqual({ ok: true, repeated: false });
    expect(remove(feed, 'd')).toEqual({ ok: true, repeated: true });
    expect(feed.machine.node('d')?.state).toBe('removed');
    expect(feed.machine.drain('d')).toBeUndefined();
    expect(feed.machine.nodeByName('name-d')).toBeUndefined();
    expect(undrain(feed, 'd')).toMatchObject({ code: 'unknownNode' });
    const reply = feed.ask({
      kind: 'allocateReplica',
      group: 1,
      node: 'd',
      storeId: 'store-d',
      confIndex: 90,
    });
    expect(reply).toMatchObject({ code: 'unknownNode' });
  });

  test('of a dead node leaves its seats dead, to be replaced', () => {
    const feed = cluster('b', 'c', 'd');
    spread(feed, ['a', 'b', 'c']);
    feed.ask({ kind: 'setNodeState', node: 'c', state: 'dead' });
    expect(remove(feed, 'c')).toMatchObject({ ok: true });
    const [seat] = feed.machine.group(1)?.voters.filter(({ node }) => node === 'c') ?? [];
    expect(feed.machine.replicaOwner(seat?.replicaId ?? 0)).toMatchObject({ dead: true });
  });

  test('of a dead node that nobody can replace is refused, unless it is forced', () => {
    const feed = cluster('b', 'c');
    spread(feed, ['a', 'b', 'c']);
    feed.ask({ kind: 'setNodeState', node: 'c', state: 'dead' });
    expect(remove(feed, 'c')).toMatchObject({ code: 'tooFewNodes' });
    expect(remove(feed, 'c', true)).toMatchObject({ ok: true });
  });

  test('is refused for a node that votes in the registry', () => {
    const feed = cluster('b', 'c', 'd');
    const storeId = 'store-b';
    const given = feed.ask({
      kind: 'allocateReplica',
      group: 0,
      node: 'b',
      storeId,
      confIndex: 1,
    });
    const replicaId = given.ok ? (given.replicaId ?? 0) : 0;
    const voter = { replicaId, node: 'b' };
    const first = { replicaId: 1, node: 'a' };
    const report = (confIndex: number, voters: (typeof voter)[], learners: (typeof voter)[]) =>
      feed.ask({ kind: 'reportGroup', group: 0, confIndex, voters, learners });
    report(2, [first, voter], []);
    drain(feed, 'b');
    expect(remove(feed, 'b')).toMatchObject({
      code: 'notDrained',
      message: 'node name-b still holds replicas of the registry',
    });
    // Everybody follows the registry, whoever is to leave too.
    report(3, [first], [voter]);
    expect(remove(feed, 'b')).toMatchObject({ ok: true });
  });
});
