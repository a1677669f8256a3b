/** Runs in circumstances that the draw makes rarely, and the seeds that failed once. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { addCoverage, expectOk } from './expect-ok.ts';
import { parseSeeds } from './seeds.ts';

/** Far above what they take, for a machine that is busy with other things. */
const timeout = 240_000;

const kept = parseSeeds(readFileSync(new URL('seeds.txt', import.meta.url), 'utf8'));

describe('whole clusters under faults', () => {
  test('keep every promise when partitions outlast leases', { timeout }, async () => {
    const coverage = new Map<string, number>();
    for (let seed = 1; seed <= 12; seed++) {
      addCoverage(coverage, await expectOk(seed, { in: 'leases' }));
    }
    expect(coverage.get('lose')).toBeGreaterThan(0);
  });

  test('keep every promise with 33 groups on seven nodes', { timeout }, async () => {
    const { acknowledged, options } = await expectOk(2, { in: 'wide' });
    expect(options).toMatchObject({ nodes: 7, shards: 32 });
    expect(acknowledged).toBeGreaterThan(10);
  });

  test('keep every promise when who lags is sent the state', { timeout }, async () => {
    const coverage = new Map<string, number>();
    for (let seed = 1; seed <= 8; seed++) {
      addCoverage(coverage, await expectOk(seed, { in: 'shortLogs' }));
    }
    expect(coverage.get('snapshot')).toBeGreaterThan(10);
  });

  test('keep every promise while settled tasks leave the history', { timeout }, async () => {
    const coverage = new Map<string, number>();
    for (let seed = 1; seed <= 4; seed++) {
      addCoverage(coverage, await expectOk(seed, { in: 'history' }));
    }
    expect(coverage.get('expire')).toBeGreaterThan(100);
  });

  test('keep tasks of a key in line, and replay what failed once', { timeout }, async () => {
    const coverage = new Map<string, number>();
    for (let seed = 1; seed <= 6; seed++) {
      addCoverage(coverage, await expectOk(seed, { in: 'ordered' }));
    }
    const counts = ['ordered', 'replay', 'purge', 'adopt'].map(what => coverage.get(what) ?? 0);
    expect(Math.min(...counts)).toBeGreaterThan(0);
    expect(coverage.get('ordered')).toBeGreaterThan(100);
  });

  test.each(['lateFrames', 'storm', 'growth', 'rollback', 'badLinks', 'badDisks'] as const)(
    'keep every promise in circumstances of %s',
    { timeout },
    async name => {
      let acknowledged = 0;
      for (let seed = 1; seed <= 4; seed++) {
        acknowledged += (await expectOk(seed, { in: name })).acknowledged;
      }
      expect(acknowledged).toBeGreaterThan(10);
    },
  );

  test.each(kept)(
    'keep every promise with seed $seed, which failed once: $why',
    { timeout },
    async one => {
      await expectOk(one.seed, { events: one.events, in: one.in });
    },
  );
});

describe('the list of kept seeds', () => {
  test('names a seed, its length where it matters, and the reason', () => {
    expect(parseSeeds('# said\n12 it stopped\n7 events=900 in=storm it ran twice\n\n')).toEqual([
      { seed: 12, events: undefined, in: undefined, why: 'it stopped' },
      { seed: 7, events: 900, in: 'storm', why: 'it ran twice' },
    ]);
  });

  test('is read', () => {
    expect(kept.length).toBeGreaterThan(0);
  });
});
