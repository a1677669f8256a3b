/** How many tasks the planner is offered: about as many as could start now, no more. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { NodeView } from '../../../src/model/planning.ts';
import { noResources } from '../../../src/model/resources.ts';
import { roomFor } from '../../../src/node/ready-work.ts';
import { TakenShares } from '../../../src/node/taken-shares.ts';
import { plan } from '../../../src/placement/plan.ts';
import { batch, cpus, demand, view } from '../placement/builders.ts';

const withTaken = (views: readonly NodeView[]) =>
  views.map(one => ({ ...one, taken: new TakenShares() }));

test('follows what is free, queues and reserved shares, and an overdrawn node takes from none', () => {
  const share = { name: 'kept', tenant: 'default', used: noResources, left: cpus(2) };
  const nodes = [
    view('a', 8, { reserved: cpus(1), advertisement: { free: cpus(4) } }),
    view('b', 8, { reserved: cpus(3), advertisement: { free: cpus(1) } }),
    view('c', 8, { reservedCount: 2, advertisement: { free: noResources, queueRoom: 5 } }),
    view('d', 8, { advertisement: { free: noResources, shares: [share] } }),
  ];
  expect(roomFor(withTaken(nodes), 1_000, 100)).toBe(3 + 0 + 3 + 2);
  expect(roomFor(withTaken(nodes), 4_000, 100)).toBe(0 + 0 + 3 + 0);
  expect(roomFor(withTaken(nodes), 1_000, 5)).toBe(5);
  expect(roomFor([], 1_000, 100)).toBe(0);
});

test('is never less than the planner could place where it placed nothing since', () => {
  const aNode = fc.record({ free: fc.nat(8), queueRoom: fc.nat(10) });
  fc.assert(
    fc.property(
      fc.array(aNode, { maxLength: 6 }),
      fc.integer({ min: 1, max: 3 }),
      (drawn, asked) => {
        const nodes = drawn.map(({ free, queueRoom }, at) =>
          view(`n${at}`, 16, { advertisement: { free: cpus(free), queueRoom, running: 1 } }),
        );
        const batches = [batch(demand(asked), 200)];
        const input = { batches, nodes, nowMs: 2_000, maxPlacements: 1_000, seed: 7 };
        const { placements } = plan(input);
        expect(placements.length).toBeLessThanOrEqual(
          roomFor(withTaken(nodes), asked * 1_000, 1_000),
        );
      },
    ),
  );
});
