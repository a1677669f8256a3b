import { expect, test } from 'vitest';
import { measureSpawns } from '../../src/worker/spawn-bench.ts';

test('the measurement of spawns counts only what succeeded', async () => {
  const figures = await measureSpawns(40, 8);
  expect([figures.count, figures.failed]).toEqual([40, 0]);
  expect(figures.perSecond).toBeGreaterThan(0);
});
