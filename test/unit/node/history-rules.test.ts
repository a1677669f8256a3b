/** What a shard keeps of the history, by plan, by setting, and evenly. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { limits } from '../../../src/model/limits.ts';
import { evenLevel, type HistoryRules, sweepsOf } from '../../../src/node/history-rules.ts';

const rulesOf = (
  maxCount: number,
  own: Readonly<Record<string, { ageMs?: number; count?: number }>> = {},
): HistoryRules => ({
  maxCount,
  ageMsOf: tenant => own[tenant]?.ageMs ?? 1_000_000,
  countOf: tenant => own[tenant]?.count,
});

describe('an even level', () => {
  test('takes from those that have the most', () => {
    expect(evenLevel([10, 20, 300], 100)).toBe(70);
    expect(evenLevel([10, 200, 300], 100)).toBe(45);
    expect(evenLevel([10, 20], 100)).toBe(Number.POSITIVE_INFINITY);
    expect(evenLevel([5, 5, 5], 0)).toBe(0);
  });

  test('keeps as many as it may but for what does not divide, whoever has them', () => {
    const counts = fc.array(fc.nat({ max: 10_000 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(counts, fc.nat({ max: 100_000 }), (held, total) => {
        const level = evenLevel(held, total);
        const kept = held.map(count => Math.min(count, level)).reduce((sum, one) => sum + one, 0);
        const all = held.reduce((sum, one) => sum + one, 0);
        expect(kept).toBeLessThanOrEqual(total);
        expect(kept).toBeGreaterThan(Math.min(all, total) - held.length);
      }),
    );
  });
});

describe('sweeps', () => {
  test('are one for each age, for all tenants that have it', () => {
    const settled: [string, number][] = [
      ['a', 5],
      ['b', 5],
      ['c', 5],
    ];
    const sweeps = sweepsOf(settled, rulesOf(1_000, { c: { ageMs: 600_000 } }));
    expect(sweeps.map(({ maxAgeMs, tenants }) => [maxAgeMs, [...tenants].join()])).toEqual([
      [1_000_000, 'a,b'],
      [600_000, 'c'],
    ]);
  });

  test('are one more for a tenant that has more than its plan keeps, and some to spare', () => {
    const rules = rulesOf(100_000, { a: { count: 100 }, b: { count: 100 } });
    const sweeps = sweepsOf(
      [
        ['a', 111],
        ['b', 110],
      ],
      rules,
    );
    expect(sweeps.filter(({ over }) => over > 0)).toMatchObject([
      { key: 'count a', over: 11, keepMs: limits.historyOwnMsMin },
    ]);
  });

  test('leave those alone that have little where the shard has too much', () => {
    const sweeps = sweepsOf(
      [
        ['flood', 5_000],
        ['calm', 40],
      ],
      rulesOf(1_000),
    );
    expect(sweeps.filter(({ over }) => over > 0)).toMatchObject([
      { key: 'count flood', over: 4_040, keepMs: limits.historyMsMin },
    ]);
  });
});
