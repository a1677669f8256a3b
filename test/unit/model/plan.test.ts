/** What a plan says, in words and in numbers; and what counts as an hour. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { counted, countedIn, hourWaitMs, type Minutes } from '../../../src/model/hour.ts';
import {
  builtInPlans,
  burstOf,
  formatPlan,
  parsePlanValue,
  planFieldNames,
  planFrom,
  planMeaning,
} from '../../../src/model/plan.ts';

describe('a plan', () => {
  test.each(builtInPlans)('%s reads back as it is written', name => {
    const plan = planFrom(name, undefined);
    expect(planFrom('another', formatPlan(plan))).toEqual(plan);
  });

  test('that nobody set limits nothing', () => {
    const plan = planFrom('own', []);
    expect(formatPlan(plan).filter(([, text]) => text === 'none')).toHaveLength(10);
    expect(burstOf(plan)).toBeUndefined();
  });

  test('takes what is set over what is built in', () => {
    const plan = planFrom('free', [
      ['submitsPerSecond', '7'],
      ['burst', 'none'],
      ['memory', '3GiB'],
      ['cpu', '1500m'],
      ['tiers', 'premium,basic'],
      ['fromTheFuture', '1'],
      ['waiting', 'many'],
    ]);
    expect(plan).toMatchObject({
      submitsPerSecond: 7,
      burst: undefined,
      memoryBytes: 3 * 1024 ** 3,
      cpuMilli: 1_500,
      tiers: ['basic', 'premium'],
      waiting: 1_000,
    });
    expect(burstOf(plan)).toBe(7);
  });

  test.each([
    ['submitsPerSecond', '0', 'must be a whole number from 1 to 100000, or none'],
    ['submitsPerSecond', '-1', 'must be a whole number'],
    ['memory', 'lots', 'must be a size such as 16GiB'],
    ['cap', '31d', 'from 1s to 30d, or none, not "31d"'],
    ['historyAge', '9m', 'must be a duration such as 30d from 10m to'],
    ['historyCount', '0', 'must be a whole number from 1 to'],
    ['tiers', 'gold', 'tiers must be some of basic,regular,premium, not "gold"'],
    ['weight', 'none', 'weight must be a whole number from 1 to 1000, not "none"'],
    ['cpus', '1', 'a plan has no "cpus": it has submitsPerSecond, burst'],
  ])('refuses %s=%s, with the remedy', (name, text, why) => {
    const parsed = parsePlanValue(name, text);
    expect(parsed.ok ? '' : parsed.why).toContain(why);
  });

  test('says what each of its limits means', () => {
    for (const name of planFieldNames) expect(planMeaning(name)).toMatch(/^[A-Z].*\.$/);
  });
});

describe('an hour', () => {
  const startMs = 1_700_000_000_000;

  test('never has more than was counted, wherever it begins', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: 600_000 }), fc.integer({ min: 1, max: 9 })), {
          maxLength: 80,
        }),
        steps => {
          let minutes: Minutes = [];
          let nowMs = startMs;
          const limit = 20;
          const taken: [number, number][] = [];
          for (const [afterMs, count] of steps) {
            nowMs += afterMs;
            const waitMs = hourWaitMs(minutes, nowMs, count, limit);
            const fits = countedIn(minutes, nowMs) + count <= limit;
            expect(waitMs === 0).toBe(fits);
            if (!fits) {
              // Exactly then it fits, and not a millisecond before.
              const thenMs = nowMs + waitMs!;
              expect(countedIn(minutes, thenMs) + count).toBeLessThanOrEqual(limit);
              expect(countedIn(minutes, thenMs - 1) + count).toBeGreaterThan(limit);
              continue;
            }
            minutes = counted(minutes, nowMs, count);
            taken.push([nowMs, count]);
          }
          for (const [fromMs] of taken) {
            const sum = taken
              .filter(([atMs]) => atMs >= fromMs && atMs < fromMs + 3_600_000)
              .reduce((total, [, count]) => total + count, 0);
            expect(sum).toBeLessThanOrEqual(limit);
          }
        },
      ),
    );
  });

  test('more than its limit never fits', () => {
    expect(hourWaitMs([], startMs, 21, 20)).toBeUndefined();
  });
});
