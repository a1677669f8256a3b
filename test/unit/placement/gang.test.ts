/** Gangs are placed whole or not at all; what is reserved is seen by those alone who name it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NodeView, ReadyBatch } from '../../../src/model/planning.ts';
import { noResources } from '../../../src/model/resources.ts';
import { neverFits, verdicts } from '../../../src/placement/explain.ts';
import { avoidMsMax, plan } from '../../../src/placement/plan.ts';
import { batch, cpus, demand, taskId, view } from './builders.ts';

const nowMs = 100_000;

const make = (batches: readonly ReadyBatch[], nodes: readonly NodeView[], seed = 7) =>
  plan({ batches, nodes, nowMs, maxPlacements: 1_000, seed });

/** A batch of one gang of `size`, each of so many CPUs, its tasks numbered from `from`. */
function gangOf(size: number, count: number, from = 0, avoid: readonly string[] = []): ReadyBatch {
  const members = Array.from({ length: size }, (_, n) => ({ id: taskId(from + n), avoid }));
  return batch(demand(count, { gang: size }), 1, { from, gang: members });
}

describe('a gang', () => {
  test('is placed on several nodes where none holds all of it', () => {
    const made = make([gangOf(3, 2)], [view('a', 4), view('b', 2)]);
    expect(made.placements.map(({ node }) => node).sort()).toEqual(['a', 'a', 'b']);
    expect(new Set(made.placements.map(({ taskId: id }) => id)).size).toBe(3);
    expect(new Set(made.placements.map(({ gang }) => gang))).toEqual(new Set([taskId(0)]));
  });

  test('is left whole where one of it finds no room, and takes nothing from others', () => {
    const small = batch(demand(1), 3, { from: 50, readySinceMs: nowMs });
    const partly = { advertisement: { free: cpus(3) } };
    const gang = gangOf(4, 2);
    const tasks = gang.tasks.map(task => ({ ...task, readySinceMs: nowMs - 1 }));
    const made = make([{ ...gang, tasks }, small], [view('a', 4), view('b', 4, partly)]);
    expect(made.placements.map(({ taskId: id }) => id)).toEqual([
      taskId(50),
      taskId(51),
      taskId(52),
    ]);
    expect(made.blocked[0]).toMatchObject({ demand: { gang: 4 }, reason: 'Resources' });
  });

  test('is never queued at a full node, and nothing is queued where it waits', () => {
    const full = { advertisement: { free: cpus(0), queueRoom: 8 } };
    const small = batch(demand(1), 2, { from: 50, readySinceMs: 2_000 });
    expect(make([small], [view('a', 4, full)]).placements).toHaveLength(2);
    expect(make([gangOf(2, 1), small], [view('a', 4, full)]).placements).toEqual([]);
  });

  test('that all nodes together cannot hold never fits, and is refused with a sentence', () => {
    const nodes = [view('a', 4), view('b', 2)];
    const made = make([gangOf(4, 2)], nodes);
    expect(made.blocked[0]?.reason).toBe('NeverFits');
    const totals = nodes.map(({ advertisement }) => advertisement);
    expect(neverFits(demand(2, { gang: 3 }), totals).fits).toBe(true);
    expect(neverFits(demand(2, { gang: 4 }), totals)).toEqual({
      fits: false,
      message: 'a gang of 4: all nodes together hold 3 tasks of its size at a time',
    });
  });

  test('keeps away from nodes where one of it failed, while the others could hold it', () => {
    const nodes = [view('a', 2), view('b', 2), view('c', 2)];
    const young = (size: number) => {
      const gang = gangOf(size, 2, 0, ['a']);
      const tasks = gang.tasks.map(task => ({ ...task, readySinceMs: nowMs - 1 }));
      return { ...gang, tasks };
    };
    for (const seed of [1, 2, 3, 4]) {
      const made = make([young(2)], nodes, seed);
      expect(made.placements.map(({ node }) => node).sort()).toEqual(['b', 'c']);
    }
    expect(make([young(3)], nodes).placements).toHaveLength(3);
    // They could hold it, but for what runs there now: it waits for a while.
    const busy = [view('a', 2), view('b', 2), view('c', 2, { advertisement: { free: cpus(0) } })];
    expect(make([young(2)], busy).placements).toEqual([]);
    const gang = gangOf(2, 1, 0, ['a']);
    const old = { ...gang, tasks: gang.tasks.map(task => ({ ...task, readySinceMs: 0 })) };
    expect(nowMs).toBeGreaterThan(avoidMsMax);
    expect(make([old], [view('a', 1), view('b', 1)]).placements).toHaveLength(2);
  });

  test('is placed exactly where a count of what fits on each node says so', () => {
    const node = fc.record({ total: fc.nat(8), used: fc.nat(8), cooling: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(node, { maxLength: 5 }),
        fc.integer({ min: 2, max: 6 }),
        fc.integer({ min: 1, max: 4 }),
        fc.nat(),
        (given, size, each, seed) => {
          const nodes = given.map(({ total, used, cooling }, n) =>
            view(`n${n}`, total, {
              coolDownUntilMs: cooling ? nowMs + 1 : 0,
              advertisement: { free: cpus(Math.max(0, total - used)), queueRoom: 4 },
            }),
          );
          const { placements } = make([gangOf(size, each)], nodes, seed);
          let copies = 0;
          for (const { total, used, cooling } of given) {
            if (!cooling) copies += Math.floor(Math.max(0, total - used) / each);
          }
          expect(placements).toHaveLength(copies >= size ? size : 0);
          for (const { advertisement } of nodes) {
            const here = placements.filter(one => one.node === advertisement.node).length;
            expect(here * each * 1_000).toBeLessThanOrEqual(advertisement.free.cpuMilli);
          }
        },
      ),
    );
  });
});

describe('a reservation', () => {
  const share = (left: number, tenant = 'default') => ({
    shares: [{ name: 'nightly', tenant, used: noResources, left: cpus(left) }],
  });
  const named = (count: number) =>
    demand(count, { reservation: { name: 'nightly', tenant: 'default' } });

  test('is all that a task which names it sees, however much else is free', () => {
    const nodes = [view('a', 8, share(2)), view('b', 8)];
    const made = make([batch(named(1), 3)], nodes);
    expect(made.placements.map(({ node }) => node)).toEqual(['a', 'a']);
    expect(made.blocked[0]?.reason).toBe('Resources');
  });

  test('has its room where nothing else is free', () => {
    const full = { ...share(2), advertisement: { free: cpus(0) } };
    expect(make([batch(named(1), 1)], [view('a', 8, full)]).placements).toHaveLength(1);
    expect(make([batch(demand(1), 1)], [view('a', 8, full)]).placements).toEqual([]);
  });

  test('of another tenant, or none, is a reason to wait and a verdict', () => {
    const nodes = [view('a', 8, share(2, 'other')), view('b', 8)];
    const made = make([batch(named(1), 1)], nodes);
    expect(made).toMatchObject({ placements: [], blocked: [{ reason: 'Reservation' }] });
    const kinds = verdicts(named(1), [], nodes, nowMs).map(({ verdict }) => verdict.kind);
    expect(kinds).toEqual(['reservation', 'reservation']);
  });

  test('may hold a gang', () => {
    const nodes = [view('a', 8, share(2)), view('b', 8, share(1)), view('c', 8)];
    const members = [0, 1, 2].map(n => ({ id: taskId(n), avoid: [] }));
    const gang = batch({ ...named(1), gang: 3 }, 1, { gang: members });
    expect(
      make([gang], nodes)
        .placements.map(({ node }) => node)
        .sort(),
    ).toEqual(['a', 'a', 'b']);
    expect(make([gang], nodes.slice(0, 1)).placements).toEqual([]);
  });
});
