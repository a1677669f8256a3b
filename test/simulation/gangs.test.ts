/**
 * Gangs of several leaders that want the same room: none is started in part, and all of them
 * settle, so none waits for ever for what another holds.
 */
import { describe, expect, test } from 'vitest';
import { addCoverage, expectOk } from './expect-ok.ts';

/** Far above what they take, for a machine that is busy with other things. */
const timeout = 240_000;

describe('Gangs', () => {
  test('start together or not at all, and settle, while leaders change', { timeout }, async () => {
    const coverage = new Map<string, number>();
    for (let seed = 1; seed <= 6; seed++) {
      addCoverage(coverage, await expectOk(seed, { in: 'gangs' }));
    }
    for (const what of ['assignGang', 'noRoom', 'lose', 'failed']) {
      expect(coverage.get(what) ?? 0, what).toBeGreaterThan(0);
    }
  });
});
