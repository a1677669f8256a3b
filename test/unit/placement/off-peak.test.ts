import { describe, expect, test } from 'vitest';
import type { Plan, ReadyBatch } from '../../../src/model/planning.ts';
import { plan } from '../../../src/placement/plan.ts';
import { batch, cpus, demand, taskId, view } from './builders.ts';

/** A Thursday at noon. */
const noonMs = Date.parse('2024-02-29T12:00:00Z');
const one = demand(1);
const night = { days: 0b1111111, from: 1_320, to: 360 };
const midday = { days: 0b1111111, from: 660, to: 780 };

function planWith(batches: ReadyBatch[], freeOfTen: number, nowMs = noonMs): Plan {
  const nodes = [view('a', 10, { advertisement: { free: cpus(freeOfTen) } })];
  return plan({ batches, nodes, nowMs, maxPlacements: 100, seed: 1, offPeakLoadMax: 0.8 });
}

const byLoad = { byLoad: true, windows: [] };
const waiting = (offPeak: ReadyBatch['lane']['offPeak'], count = 5): ReadyBatch =>
  batch(one, count, { offPeak, readySinceMs: noonMs });

describe('off-peak tasks', () => {
  test('are placed up to the load, and not over it', () => {
    const made = planWith([waiting(byLoad)], 5);
    // The fourth is placed at 80 %, which is not above it.
    expect(made.placements).toHaveLength(4);
    expect(made.blocked).toMatchObject([{ demand: one, reason: 'OffPeak' }]);
  });

  test('are held while the load is above, and nothing else is', () => {
    const made = planWith([waiting(byLoad, 3), batch(one, 1, { from: 50 })], 1);
    expect(made.placements.map(({ taskId: id }) => id)).toEqual([taskId(50)]);
  });

  test('are released by their window', () => {
    expect(planWith([waiting({ byLoad: false, windows: [night] })], 10).placements).toEqual([]);
    expect(planWith([waiting({ byLoad: false, windows: [midday] })], 10).placements).toHaveLength(
      5,
    );
    expect(planWith([waiting({ byLoad: true, windows: [midday] })], 1).placements).toHaveLength(1);
    expect(planWith([waiting({ byLoad: true, windows: [night] })], 10).placements).toHaveLength(5);
  });

  test('are released a minute before their bound', () => {
    const near = batch(one, 1, { offPeak: byLoad, boundMs: noonMs + 60_000 });
    expect(planWith([near], 1).placements).toHaveLength(1);
    const far = batch(one, 1, { offPeak: byLoad, boundMs: noonMs + 60_001 });
    expect(planWith([far], 1).placements).toEqual([]);
  });
});
