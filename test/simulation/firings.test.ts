/**
 * Schedules of each minute, without a network: each minute of each fires once, whatever becomes of
 * leaders, of what they say and of clocks. For a year it is `npm run sim -- --schedules 1000`.
 */
import { describe, expect, test } from 'vitest';
import { FiringCheck, minuteMs } from './firings/firing-check.ts';
import { Minutely, type MinutelyCounts } from './firings/minutely.ts';

const numbers = (count: number): number[] => Array.from({ length: count }, (_, number) => number);

function expectAll(counts: MinutelyCounts, schedules: number, minutes: number): void {
  expect(counts.minutes).toBe(minutes);
  // Those that a clock ahead of the others fired early come on top.
  expect(counts.firings + counts.passedOver).toBeGreaterThanOrEqual(schedules * minutes);
  // It was worth it.
  const { lost, unanswered, late } = counts.ends;
  expect(lost + unanswered + late).toBeGreaterThan(0);
  expect(counts.wrongClocks).toBeGreaterThan(0);
  expect(counts.repeats).toBeGreaterThan(0);
}

describe('schedules of each minute', { timeout: 300_000 }, () => {
  test('fire once, 1,000 of them for an hour', async () => {
    const options = { seed: 1, minutes: 60, termMinutes: 4, schedules: numbers(1_000) };
    expectAll(await new Minutely(options).run(), 1_000, 60);
  });

  test('fire once, ten of them for two days, though nobody leads for hours', async () => {
    const minutes = 2_880;
    const options = { seed: 2, minutes, termMinutes: 10, schedules: numbers(10) };
    const counts = await new Minutely(options).run();
    expectAll(counts, 10, minutes);
    expect(counts.leaders).toBeGreaterThan(50);
    expect(Math.min(...Object.values(counts.ends))).toBeGreaterThan(0);
    expect(counts.outages).toBeGreaterThan(1);
    expect(counts.passedOver).toBeGreaterThan(50);
  });
});

describe('the book of firings', () => {
  const book = (passes = false): FiringCheck => {
    const made = new FiringCheck(0);
    made.expect('s', passes);
    made.saw('s', minuteMs);
    return made;
  };

  test('finds what fires twice, too late, or between minutes', () => {
    expect(() => book().saw('s', minuteMs)).toThrow('fires 1970-01-01T00:01:00Z again');
    expect(() => book().saw('s', 3 * minuteMs)).toThrow('right after 1970-01-01T00:01:00Z');
    expect(() => book().saw('s', 90_000)).toThrow('between minutes');
    expect(() => book().saw('other', minuteMs)).toThrow('nobody made it');
    expect(() => book(true).saw('s', 3 * minuteMs)).not.toThrow();
  });

  test('finds what is left out in the end, or counted wrong', () => {
    const end = (passes: boolean, cursor: number, fired: number, passed: number) => () =>
      book(passes).end('s', { cursorMs: cursor * minuteMs, fired, passed }, minuteMs * 3);
    expect(end(true, 3, 1, 2)).not.toThrow();
    expect(end(true, 2, 1, 1)).toThrow('ends at');
    expect(end(true, 3, 2, 1)).toThrow('made 1 tasks and says 2');
    expect(end(true, 3, 1, 1)).toThrow('fired 1 of 3');
    expect(end(false, 3, 1, 2)).toThrow('fired 1 of 3');
  });
});
