/**
 * The main gate: whole clusters on simulated machines. Seeds 1 to 50, those that failed once, and
 * the proof that a seed decides everything. The other fifty run beside this file.
 */
import { describe, expect, test } from 'vitest';
import { addCoverage, expectOk } from './expect-ok.ts';
import { drawOptions, faultKinds, laterFaultKinds } from './options.ts';
import { runSeed } from './run.ts';

/** Far above what they take, for a machine that is busy with other things. */
const timeout = 240_000;

describe('whole clusters under faults', () => {
  test('keep every promise with seeds 1 to 50, and meet every outcome', { timeout }, async () => {
    const coverage = new Map<string, number>();
    for (let seed = 1; seed <= 50; seed++) addCoverage(coverage, await expectOk(seed));
    const wanted = [
      ...['submit', 'assign', 'unassign', 'start', 'finish', 'cancel'],
      ...['succeeded', 'failed', 'timedOut', 'cancelled', 'lost', 'startFailed'],
      ...['noRoom', 'wrongIncarnation'],
    ];
    expect(wanted.filter(what => !coverage.has(what))).toEqual([]);
  });
});

describe('a seed', () => {
  test('decides everything that happens', async () => {
    const first = await runSeed(7, {});
    const second = await runSeed(7, {});
    const other = await runSeed(8, {});
    expect(second.hash).toBe(first.hash);
    expect(second.events).toBe(first.events);
    expect(other.hash).not.toBe(first.hash);
  });

  test('switches each kind of fault on in some runs and off in others', () => {
    const drawn = Array.from({ length: 100 }, (_, seed) => drawOptions(seed).faults);
    for (const kind of faultKinds) {
      const on = drawn.filter(faults => faults.includes(kind)).length;
      expect(on, kind).toBeGreaterThan(20);
      expect(on, kind).toBeLessThan(80);
    }
    for (const kind of laterFaultKinds) {
      const on = drawn.filter(faults => faults.includes(kind)).length;
      expect(on, kind).toBeGreaterThan(10);
      expect(on, kind).toBeLessThan(50);
    }
  });
});
