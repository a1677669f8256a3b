/** Room that is held: on which nodes, for whom, until when, and what is refused. */
import { describe, expect, test } from 'vitest';
import { limits } from '../../../src/model/limits.ts';
import type { ReservationAsk } from '../../../src/model/reservation.ts';
import { noResources } from '../../../src/model/resources.ts';
import { RegistryMachine } from '../../../src/registry/machine.ts';
import type { NodeRegistration } from '../../../src/registry/state.ts';
import { anAsk, cluster, type Feed, hex, registration } from './builders.ts';

const cpus = (count: number) => ({ ...noResources, cpuMilli: count * 1_000 });

/** Nodes a, b, ... that are up, each with 4 CPUs unless told otherwise. */
function nodes(...changes: Partial<NodeRegistration>[]): Feed {
  const feed = cluster();
  changes.forEach((change, place) => {
    const id = 'bcdef'[place]!;
    feed.ask({ kind: 'putJoinSecret', secret: { sha256: hex('d') } });
    feed.ask({ kind: 'registerNode', node: registration(id, change), joinSecret: hex('d') });
    feed.ask({ kind: 'setNodeState', node: id, state: 'up' });
  });
  feed.ask({ kind: 'setNodeState', node: 'a', state: 'up' });
  feed.ask({ kind: 'putTenant', name: 'other', plan: 'free', isNew: true });
  return feed;
}

const put = (feed: Feed, parts: Partial<ReservationAsk> = {}) =>
  feed.ask({ kind: 'putReservation', ask: anAsk(parts) });
const held = (feed: Feed, name = 'r') => feed.machine.reservation(name)?.nodes;

describe('A reservation', () => {
  test('is held on the nodes that are named', () => {
    const feed = nodes({}, {});
    expect(put(feed, { nodes: ['c', 'a'], count: 2 })).toEqual({ ok: true, repeated: false });
    expect(held(feed)).toEqual(['c', 'a']);
    expect(feed.machine.reservation('r')).toMatchObject({
      tenant: 'default',
      by: 'node:a',
      untilMs: 5_000_000,
      amount: cpus(1),
    });
  });

  test('is held on fitting nodes, those with the most room first', () => {
    const feed = nodes(
      { total: cpus(8) },
      { tier: 'basic', total: cpus(64) },
      { labels: [], total: cpus(64) },
      { total: cpus(6) },
    );
    feed.ask({ kind: 'drainNode', node: 'a', on: true, force: true });
    const fitting = { tier: 'regular', require: [['disk', 'ssd']] } as const;
    expect(put(feed, { ...fitting, count: 2, amount: cpus(3) })).toMatchObject({ ok: true });
    expect(held(feed)).toEqual(['b', 'e']);
    expect(put(feed, { ...fitting, name: 'more', count: 1, amount: cpus(4) })).toMatchObject({
      ok: true,
    });
    expect(held(feed, 'more')).toEqual(['b']);
    expect(put(feed, { ...fitting, name: 'most', count: 1, amount: cpus(4) })).toEqual({
      ok: false,
      code: 'neverFits',
      message:
        '4 cpu asked for on 1 nodes: 2 are large enough, and 0 have as much that is not reserved',
    });
  });

  test('of more than any node has is refused', () => {
    const feed = nodes({});
    expect(put(feed, { amount: cpus(5) })).toMatchObject({ ok: false, code: 'neverFits' });
    expect(put(feed, { amount: cpus(5), nodes: ['b'] })).toEqual({
      ok: false,
      code: 'neverFits',
      message:
        '5 cpu asked for on name-b, which has 4 cpu, 976.6KiB memory in all ' +
        'and 4 cpu, 976.6KiB memory that is not reserved',
    });
    expect(put(feed, { tier: 'premium' })).toMatchObject({ code: 'neverFits' });
    expect(put(feed, { nodes: ['zz'] })).toMatchObject({ code: 'unknownNode' });
    expect(put(feed, { tenant: 'nobody' })).toMatchObject({ code: 'unknownTenant' });
  });

  test('does not take what another holds, until that is over', () => {
    const feed = nodes();
    put(feed, { nodes: ['a'], amount: cpus(3), untilMs: 2_000_000 });
    const more = { name: 'more', nodes: ['a'], amount: cpus(2) };
    expect(put(feed, more)).toMatchObject({ ok: false, code: 'neverFits' });
    feed.atMs = 2_000_000;
    expect(put(feed, more)).toMatchObject({ ok: true });
  });

  test('is refused under a name that is taken, and may be asked for twice', () => {
    const feed = nodes();
    put(feed);
    expect(put(feed)).toEqual({ ok: true, repeated: true });
    expect(put(feed, { tenant: 'other' })).toMatchObject({ ok: false, code: 'reservationTaken' });
    expect(put(feed, { amount: cpus(2) })).toMatchObject({ ok: false, code: 'reservationTaken' });
    feed.atMs = 5_000_000;
    expect(put(feed, { tenant: 'other', untilMs: 6_000_000 })).toMatchObject({ repeated: false });
    expect(feed.machine.reservation('r')?.tenant).toBe('other');
  });

  test.each([
    [{ untilMs: 1_000_000 }, 'its end is in the past'],
    [{ untilMs: 2_000_000 + limits.reservationMsMax }, 'its end is more than ten years away'],
    [{ name: 'a b' }, 'reservation "a b" must be'],
    [{ amount: noResources }, 'there is nothing to hold'],
    [{ count: 0 }, 'it is held on 1 to'],
  ])('is refused: %j', (parts, message) => {
    const reply = put(nodes(), parts);
    expect(reply).toMatchObject({ ok: false, code: 'badRequest' });
    expect(JSON.stringify(reply)).toContain(message.replaceAll('"', '\\"'));
  });

  test('ends when it is released, or over', () => {
    const feed = nodes();
    put(feed);
    const over = { kind: 'dropReservation', name: 'r', over: true } as const;
    expect(feed.ask(over)).toMatchObject({ ok: false, code: 'badRequest' });
    feed.atMs = 5_000_000;
    expect(feed.ask(over)).toEqual({ ok: true, repeated: false });
    expect(feed.ask(over)).toEqual({ ok: true, repeated: true });
    put(feed, { untilMs: 6_000_000 });
    expect(feed.ask({ ...over, over: false })).toEqual({ ok: true, repeated: false });
    expect(feed.machine.reservations()).toEqual([]);
  });

  test('is there after a restart, and a node that is removed stays named in it', () => {
    const feed = nodes({}, {});
    put(feed, { nodes: ['b', 'c'] });
    feed.ask({ kind: 'setNodeState', node: 'b', state: 'dead' });
    feed.ask({ kind: 'removeNode', node: 'b', force: true });
    const other = new RegistryMachine();
    const rows = feed.machine.takeFlush(1_000)!.rows;
    other.loadRows(rows.filter((row): row is [Uint8Array, Uint8Array] => row[1] !== undefined));
    other.loaded(feed.index);
    expect(other.reservations()).toEqual(feed.machine.reservations());
    expect(other.reservation('r')?.nodes).toEqual(['b', 'c']);
    expect(other.node('b')?.state).toBe('removed');
  });

  test('is one of so many on a node at most', () => {
    const feed = nodes({ total: cpus(limits.reservationsPerNodeMax * 2) });
    for (let n = 0; n < limits.reservationsPerNodeMax; n++) {
      expect(put(feed, { name: `r${n}`, nodes: ['b'] })).toMatchObject({ ok: true });
    }
    expect(put(feed, { name: 'last', nodes: ['b'] })).toMatchObject({ code: 'neverFits' });
    expect(put(feed, { name: 'last' })).toMatchObject({ ok: true });
    expect(held(feed, 'last')).toEqual(['a']);
  });
});
