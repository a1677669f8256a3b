import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type MoveUnderWay, type MoveWanted, movesToBegin } from '../../../src/routing/brake.ts';

const bounds = { groupsMax: 3, replicasMax: 2 };
const move = (group: number, live: number, ...to: string[]): MoveWanted => ({
  group,
  to,
  live,
  wanted: 3,
});

describe('moves that may begin', () => {
  test('are those of the groups with the fewest live voters', () => {
    const wanted = [move(1, 2, 'a'), move(2, 1, 'b'), move(3, 2, 'a'), move(4, 2, 'c')];
    expect([...movesToBegin(wanted, [], bounds).keys()]).toEqual([2, 1, 3]);
  });

  test('that repair do not wait for those that balance', () => {
    const balance = [1, 2, 3].map(
      (group): MoveUnderWay => ({ group, to: ['a'], repair: false, own: true }),
    );
    expect(movesToBegin([move(4, 3, 'b')], balance, bounds).size).toBe(0);
    expect([...movesToBegin([move(4, 2, 'a')], balance, bounds)]).toEqual([[4, ['a']]]);
  });

  test('and only balance are one at a look, after all that repair', () => {
    const wanted = [move(1, 3, 'a'), move(2, 3, 'b'), move(3, 2, 'c')];
    expect([...movesToBegin(wanted, [], bounds).keys()]).toEqual([3, 1]);
  });

  test('go to a node that has room, also where others fill it', () => {
    const others = [1, 2].map(
      (group): MoveUnderWay => ({ group, to: ['a'], repair: true, own: false }),
    );
    const begun = movesToBegin([move(3, 1, 'b', 'a'), move(4, 2, 'a')], others, bounds);
    expect([...begun]).toEqual([[3, ['b']]]);
  });

  test('never exceed the bounds', () => {
    const nodes = ['a', 'b', 'c', 'd'];
    const group = fc.nat({ max: 12 });
    const wanted = fc.uniqueArray(
      fc.record({
        group,
        to: fc.subarray(nodes, { minLength: 1 }),
        live: fc.integer({ min: 1, max: 3 }),
        wanted: fc.constant(3),
      }),
      { selector: one => one.group },
    );
    fc.assert(
      fc.property(wanted, all => {
        const begun = movesToBegin(all, [], bounds);
        expect(begun.size).toBeLessThanOrEqual(bounds.groupsMax);
        for (const node of nodes) {
          const taken = [...begun.values()].filter(to => to.includes(node));
          expect(taken.length).toBeLessThanOrEqual(bounds.replicasMax);
        }
        // Somebody always may: nothing waits where nothing is under way.
        expect(begun.size > 0).toBe(all.length > 0);
      }),
    );
  });
});
