/** Which silent nodes are declared dead, for any registry: the brakes hold. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { movesOf } from '../../src/routing/moves.ts';
import {
  declarationsMax,
  nodesToDeclare,
  type RepairInput,
  suspectedAfterMs,
} from '../../src/routing/repair.ts';
import { targetPlacement } from '../../src/routing/target-placement.ts';

const deadAfterMs = 300_000;
const nodeId = (position: number): string => `n${String(position).padStart(3, '0')}`;

const arbitraryInput: fc.Arbitrary<RepairInput> = fc.integer({ min: 1, max: 40 }).chain(count =>
  fc.record({
    nodes: fc.tuple(
      ...Array.from({ length: count }, (_, position) =>
        fc.record({
          id: fc.constant(nodeId(position)),
          dead: fc.boolean().map(dead => dead && position % 5 === 0),
          open: fc.constantFrom(true, true, true, false),
          silentMs: fc.constantFrom(0, 0, 0, 0, 0, 0, 6_000, 299_999, 300_000, 900_000),
        }),
      ),
    ),
    groups: fc.array(
      fc
        .uniqueArray(fc.nat(count - 1), { minLength: 1, maxLength: 3 })
        .map(ids => ({ group: 1, voters: ids.map(id => ({ node: nodeId(id) })), learners: [] })),
      { maxLength: 20 },
    ),
    deadAfterMs: fc.constant(deadAfterMs),
    declaredLately: fc.nat(3),
  }),
);

describe('declaring nodes dead', () => {
  test('keeps every brake, whatever is silent', () => {
    fc.assert(
      fc.property(arbitraryInput, input => {
        const { declare, frozen } = nodesToDeclare(input);
        const present = input.nodes.filter(node => !node.dead);
        const silent = present.filter(node => node.silentMs >= suspectedAfterMs);
        if (silent.length * 3 > present.length) expect(frozen).toBe(true);
        if (frozen) expect(declare).toEqual([]);
        const budget = declarationsMax(input.nodes.length);
        expect(declare.length + Math.min(budget, input.declaredLately)).toBeLessThanOrEqual(budget);
        for (const id of declare) {
          const node = input.nodes.find(one => one.id === id);
          expect(node).toMatchObject({ dead: false });
          expect(node?.silentMs).toBeGreaterThanOrEqual(deadAfterMs);
          const holding = input.groups.filter(group => group.voters.some(one => one.node === id));
          const replaced = holding.some(group =>
            present.some(
              one =>
                one.open &&
                one.silentMs < suspectedAfterMs &&
                !group.voters.some(seat => seat.node === one.id),
            ),
          );
          expect(holding.length === 0 || replaced).toBe(true);
        }
      }),
    );
  });

  test('does not depend on the order of nodes and groups', () => {
    fc.assert(
      fc.property(arbitraryInput, input => {
        const turned = {
          ...input,
          nodes: [...input.nodes].reverse(),
          groups: [...input.groups].reverse(),
        };
        expect(nodesToDeclare(turned)).toEqual(nodesToDeclare(input));
      }),
    );
  });

  const world = (silentMs: readonly number[], members = [0, 1, 2]): RepairInput => ({
    nodes: silentMs.map((ms, position) => ({
      id: nodeId(position),
      dead: false,
      open: true,
      silentMs: ms,
    })),
    groups: [{ group: 1, voters: members.map(id => ({ node: nodeId(id) })), learners: [] }],
    deadAfterMs,
    declaredLately: 0,
  });

  test('takes one of four that was silent for long enough, and no sooner', () => {
    expect(nodesToDeclare(world([0, 0, 299_999, 0])).declare).toEqual([]);
    expect(nodesToDeclare(world([0, 0, 300_000, 0])).declare).toEqual(['n002']);
    const again = { ...world([0, 0, 300_000, 0]), declaredLately: 1 };
    expect(nodesToDeclare(again).declare).toEqual([]);
  });

  test('takes nobody of three, because nobody could take over', () => {
    expect(nodesToDeclare(world([0, 0, 900_000]))).toEqual({ declare: [], frozen: false });
  });

  test('freezes where more than a third is silent, be it for a moment', () => {
    expect(nodesToDeclare(world([0, 0, 900_000, 5_000]))).toEqual({ declare: [], frozen: true });
    expect(nodesToDeclare(world([0, 0, 900_000, 5_000, 0, 0])).declare).toEqual(['n002']);
  });
});

describe('the moves to a target', () => {
  const seats = [
    { group: 0, voters: ['a'], learners: ['b'] },
    { group: 1, voters: ['a', 'b', 'c'], learners: [] },
    { group: 2, voters: ['a', 'b', 'd'], learners: ['c'] },
  ];

  test('name who gets, gives up, begins and stops voting', () => {
    const targets = new Map([
      [0, { voters: ['a', 'b', 'c'], learners: [] }],
      [1, { voters: ['a', 'b', 'c'], learners: [] }],
      [2, { voters: ['a', 'c', 'e'], learners: ['b'] }],
    ]);
    expect(movesOf(seats, targets)).toEqual([
      { group: 0, adds: ['c'], removes: [], promotes: ['b'], demotes: [] },
      { group: 2, adds: ['e'], removes: ['d'], promotes: ['c'], demotes: ['b'] },
    ]);
  });

  test('are none once they are carried out', () => {
    const nodes = ['a', 'b', 'c', 'd', 'e'].map(id => ({
      id,
      weight: 100,
      zone: '',
      eligible: true,
    }));
    const targets = targetPlacement({ nodes, groups: seats, replication: 3 });
    const there = seats.map(({ group }) => ({ group, ...targets.get(group)! }));
    expect(movesOf(seats, targets).length).toBeGreaterThan(0);
    expect(movesOf(there, targets)).toEqual([]);
  });
});
