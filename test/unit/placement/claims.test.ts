/** Room that is kept for a large task: what may use it meanwhile, and what may not. */
import { expect, test } from 'vitest';
import { resourceNames } from '../../../src/model/resources.ts';
import type { Running } from '../../../src/placement/claims.ts';
import { plan } from '../../../src/placement/plan.ts';
import { batch, cpus, demand, taskId, view } from './builders.ts';

const nowMs = 1_000_000;

const runs = (count: number, forMs: number): Running => ({
  amounts: resourceNames.map(name => cpus(count)[name]),
  endsMs: nowMs + forMs,
});

/** Which tasks a node of four CPUs is given beside an urgent one that needs all of them. */
function placedBeside(free: number, running: readonly Running[], capMs = 0): string[] {
  const large = batch(demand(4), 1, { readySinceMs: nowMs, boundMs: nowMs + 30_000 });
  const small = batch(demand(1), 1, { from: 10, readySinceMs: nowMs, capMs });
  const nodes = [view('a', 4, { advertisement: { free: cpus(free) } })];
  const input = { batches: [large, small], nodes, nowMs, maxPlacements: 100, seed: 1 };
  const made = plan({ ...input, running: () => running });
  expect(made.claims).toHaveLength(1);
  return made.placements.map(({ taskId: id }) => id);
}

test('a small task is lent the room only where its cap ends before it is needed', () => {
  const busy = [runs(3, 25_000)];
  expect(placedBeside(1, busy)).toEqual([]);
  expect(placedBeside(1, busy, 5_000)).toEqual([taskId(10)]);
  expect(placedBeside(1, busy, 24_000)).toEqual([]);
});

test('what ended on the node and not yet for the leader is not counted as free twice', () => {
  // The node says that one CPU is free: that of the task which the leader thinks has 4 s to go.
  expect(placedBeside(1, [runs(1, 4_000), runs(3, 25_000)])).toEqual([]);
});
