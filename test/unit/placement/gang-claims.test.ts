/** Room that is kept for a gang: how much, where, and what may use it meanwhile. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Claim } from '../../../src/model/advertisement.ts';
import { limits } from '../../../src/model/limits.ts';
import type { NodeView, Plan, ReadyBatch } from '../../../src/model/planning.ts';
import { resourceNames } from '../../../src/model/resources.ts';
import { claimAfterMs, type Running } from '../../../src/placement/claims.ts';
import { type PlanInput, plan } from '../../../src/placement/plan.ts';
import { batch, cpus, demand, taskId, view } from './builders.ts';

const nowMs = 1_000_000;
const longAgoMs = nowMs - claimAfterMs;
const smallFrom = 500;

/** A gang of so many tasks of so many CPUs each. */
function gangOf(size: number, each: number, changes: object = {}): ReadyBatch {
  const gang = Array.from({ length: size }, (_, n) => ({ id: taskId(n), avoid: [] }));
  return batch(demand(each, { gang: size }), 1, { readySinceMs: longAgoMs, gang, ...changes });
}

/** Tasks of one CPU that became ready after it. */
const small = (count: number, changes: object = {}): ReadyBatch =>
  batch(demand(1), count, {
    from: smallFrom,
    readySinceMs: nowMs,
    boundMs: nowMs + 1e9,
    ...changes,
  });

const node = (name: string, total: number, free: number): NodeView =>
  view(name, total, { advertisement: { free: cpus(free), queueRoom: 8 } });

const make = (
  batches: readonly ReadyBatch[],
  nodes: readonly NodeView[],
  more: Partial<PlanInput> = {},
): Plan => plan({ batches, nodes, nowMs, maxPlacements: 1_000, seed: 1, ...more });

/** CPUs that are kept on each node. */
const keptIn = (claims: readonly Claim[]): Record<string, number> =>
  Object.fromEntries(claims.map(claim => [claim.node, claim.request.cpuMilli / 1_000]));

const placedIn = ({ placements }: Plan): string[] => placements.map(({ taskId: id }) => id);
const reasonsIn = ({ blocked }: Plan): string[] => blocked.map(({ reason }) => reason);

const runs = (count: number, forMs: number): Running => ({
  amounts: resourceNames.map(name => cpus(count)[name]),
  endsMs: nowMs + forMs,
});

describe('a gang that waits in vain', () => {
  test('has what is free kept for it, and the rest where least is missing', () => {
    const nodes = [node('a', 4, 1), node('b', 4, 2), node('c', 16, 0)];
    const made = make([gangOf(5, 1), small(3)], nodes);
    // Two are missing: a sixteenth of c each, a quarter of the others.
    expect(keptIn(made.claims)).toEqual({ a: 1, b: 2, c: 2 });
    expect(placedIn(made)).toEqual([]);
    expect(reasonsIn(made)).toEqual(['RoomKept', 'Priority']);
  });

  test('leaves to others what is beside it', () => {
    const made = make([gangOf(2, 3), small(4)], [node('a', 8, 2), node('b', 8, 5)]);
    // Of the five on b it needs three; of the two on a it needs both, and one more.
    expect(keptIn(made.claims)).toEqual({ a: 3, b: 3 });
    expect(made.placements.map(({ node: to }) => to).sort()).toEqual(['b', 'b']);
  });

  test('goes on from where the plan before it was', () => {
    const gang = gangOf(3, 2);
    const first = make([gang], [node('a', 4, 1), node('b', 4, 1), node('c', 4, 1)]);
    expect(keptIn(first.claims)).toEqual({ a: 2, b: 2, c: 2 });
    const claimsBefore = first.claims.filter(({ node: at }) => at !== 'c');
    // Nothing speaks for the one node or the other, but what is kept already.
    const nodes = [node('x', 4, 1), node('c', 4, 1), node('a', 4, 1), node('b', 4, 1)];
    expect(keptIn(make([gang], nodes, { claimsBefore }).claims)).toEqual({ a: 2, b: 2, x: 2 });
    // What is free for one of it at once is better than what is still waited for.
    const freed = [node('x', 4, 2), node('c', 4, 2), node('a', 4, 1), node('b', 4, 0)];
    expect(keptIn(make([gang], freed, { claimsBefore }).claims)).toEqual({ a: 2, c: 2, x: 2 });
  });

  test('waits for a while before that, unless it is urgent', () => {
    const nodes = [node('a', 4, 1), node('b', 4, 1)];
    const young = gangOf(3, 1, { readySinceMs: longAgoMs + 1 });
    expect(make([young], nodes)).toMatchObject({ claims: [], blocked: [{ reason: 'Resources' }] });
    const urgent = gangOf(3, 1, { readySinceMs: nowMs, boundMs: nowMs + 30_000 });
    expect(keptIn(make([urgent], nodes).claims)).toEqual({ a: 2, b: 1 });
  });

  test('keeps nothing where the nodes cannot hold it, or by its reservation', () => {
    expect(make([gangOf(9, 1)], [node('a', 4, 1), node('b', 4, 1)]).claims).toEqual([]);
    const reservation = { name: 'r', tenant: 'default' };
    const gang = gangOf(3, 1);
    const lane = { ...gang.lane, demand: { ...gang.lane.demand, reservation } };
    expect(make([{ ...gang, lane }], [node('a', 4, 1)]).claims).toEqual([]);
  });

  test('is not kept from room that it needs less urgently than another', () => {
    const urgent = { tenant: 'default', urgent: true, boundMs: nowMs + 9_000 };
    const foreignClaims = [{ node: 'a', request: cpus(2), ...urgent }];
    const nodes = [node('a', 4, 1), node('b', 4, 1)];
    const beside = make([gangOf(4, 1)], nodes, { foreignClaims });
    expect(keptIn(beside.claims)).toEqual({ a: 1, b: 3 });
    expect(make([gangOf(7, 1)], nodes, { foreignClaims }).claims).toEqual([]);
    // And may start beside it.
    const free = [node('a', 4, 4), node('b', 4, 0)];
    expect(make([gangOf(2, 1)], free, { foreignClaims }).placements).toHaveLength(2);
    expect(make([gangOf(3, 1)], free, { foreignClaims }).placements).toEqual([]);
  });

  test('as large as any keeps room on as many nodes as it has tasks', () => {
    const nodes = Array.from({ length: 300 }, (_, n) => node(`n${n}`, 4, 3));
    const { claims } = make([gangOf(limits.gangMax, 4)], nodes);
    expect(claims).toHaveLength(limits.gangMax);
    expect(new Set(Object.values(keptIn(claims)))).toEqual(new Set([4]));
  });
});

describe('room that is kept for a gang', () => {
  const nodes = [node('a', 2, 1), node('b', 2, 1)];
  const running = (at: string): Running[] => [runs(1, at === 'a' ? 5_000 : 20_000)];

  test('is lent to what ends before the last of its nodes is ready', () => {
    const placed = (capMs: number) =>
      placedIn(make([gangOf(4, 1), small(1, { capMs })], nodes, { running }));
    expect(placed(10_000)).toEqual([taskId(smallFrom)]);
    expect(placed(19_000)).toEqual([]);
    expect(placed(0)).toEqual([]);
  });

  test('is lent to nobody where one of them may never be ready', () => {
    const forEver = (at: string): Running[] =>
      at === 'a' ? running(at) : [{ ...runs(1, 0), endsMs: undefined }];
    const made = make([gangOf(4, 1), small(1, { capMs: 100 })], nodes, { running: forEver });
    expect(placedIn(made)).toEqual([]);
  });
});

test('exactly as much as the gang needs is kept, and nothing that comes later takes it', () => {
  const nodeOf = fc.record({ total: fc.nat(8), used: fc.nat(8), before: fc.nat(4) });
  const arbitrary = fc.record({
    given: fc.array(nodeOf, { maxLength: 6 }),
    size: fc.integer({ min: 2, max: 8 }),
    each: fc.integer({ min: 1, max: 3 }),
    seed: fc.nat(),
  });
  fc.assert(
    fc.property(arbitrary, ({ given, size, each, seed }) => {
      const nodes = given.map(({ total, used }, n) =>
        node(`n${n}`, total, Math.max(0, total - used)),
      );
      const gang = gangOf(size, each);
      const { boundMs } = gang.tasks[0]!;
      const was = { tenant: gang.lane.tenant, urgent: false, boundMs };
      const claimsBefore = given.flatMap(({ before }, n) =>
        before === 0 ? [] : [{ node: `n${n}`, request: cpus(before * each), ...was }],
      );
      const made = make([gang, small(64)], nodes, { seed, claimsBefore });
      const copies = (amount: (n: number) => number): number =>
        given.reduce((sum, _, n) => sum + Math.floor(amount(n) / each), 0);
      const freeOf = (n: number): number => nodes[n]!.advertisement.free.cpuMilli / 1_000;
      const isPlaced = copies(freeOf) >= size;
      const canBe = copies(n => given[n]!.total) >= size;
      const kept = keptIn(made.claims);
      const sum = Object.values(kept).reduce((one, other) => one + other, 0);
      expect(sum).toBe(!isPlaced && canBe ? size * each : 0);
      if (isPlaced || !canBe) return;
      let already = 0;
      for (const [n, { total }] of given.entries()) {
        const mine = kept[`n${n}`] ?? 0;
        expect(mine % each).toBe(0);
        expect(mine).toBeLessThanOrEqual(total);
        const later = made.placements.filter(one => one.node === `n${n}` && !one.queued).length;
        expect(later).toBeLessThanOrEqual(Math.max(0, freeOf(n) - mine));
        // Nothing is queued either where it would take what the gang waits for.
        if (mine > 0)
          expect(made.placements.some(one => one.node === `n${n}` && one.queued)).toBe(false);
        already += Math.min(mine, Math.floor(freeOf(n) / each) * each);
      }
      // All that is free for one of it now is kept for it.
      expect(already).toBe(copies(freeOf) * each);
      // A plan that finds nothing changed keeps the same.
      const again = make([gang, small(64)], nodes, { seed: seed + 1, claimsBefore: made.claims });
      expect(keptIn(again.claims)).toEqual(kept);
    }),
    { numRuns: 300 },
  );
});
