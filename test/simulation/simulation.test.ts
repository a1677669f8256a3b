/**
 * The main gate: whole clusters on simulated machines. Seeds 1 to 50, those that failed once, and
 * the proof that a seed decides everything. The other fifty run beside this file.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { addCoverage, expectOk } from './expect-ok.ts';
import { drawOptions, faultKinds, leasesMatter } from './options.ts';
import { runSeed } from './run.ts';
import { parseSeeds } from './seeds.ts';

/** Far above what they take, for a machine that is busy with other things. */
const timeout = 240_000;

const kept = parseSeeds(readFileSync(new URL('seeds.txt', import.meta.url), 'utf8'));

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

  test('keep every promise when partitions outlast leases', { timeout }, async () => {
    const coverage = new Map<string, number>();
    for (let seed = 1; seed <= 12; seed++) {
      addCoverage(coverage, await expectOk(seed, { options: leasesMatter }));
    }
    expect(coverage.get('lose')).toBeGreaterThan(0);
  });

  test.each(kept)(
    'keep every promise with seed $seed, which failed once: $why',
    { timeout },
    async one => {
      await expectOk(one.seed, { events: one.events });
    },
  );
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
  });
});

describe('the list of kept seeds', () => {
  test('names a seed, its length where it matters, and the reason', () => {
    expect(parseSeeds('# said\n12 it stopped\n7 events=900 it ran twice\n\n')).toEqual([
      { seed: 12, events: undefined, why: 'it stopped' },
      { seed: 7, events: 900, why: 'it ran twice' },
    ]);
  });

  test('is read', () => {
    expect(kept.length).toBeGreaterThan(0);
  });
});
