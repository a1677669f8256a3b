/** What a soak says of figures that grow, that fill up, and that stay. */
import { describe, expect, test } from 'vitest';
import {
  bounds,
  growthPerHour,
  highsPerHour,
  judge,
  type Point,
  warmUpMs,
} from '../../../scripts/soak/judge.ts';
import { sumsOf, type Taken } from '../../../scripts/soak/report.ts';

const mib = 1024 * 1024;
const boundOf = (figure: string) => bounds.find(bound => bound.figure === figure)!;
/** Every ten seconds of three quarters of an hour. */
const points = (valueAt: (hours: number) => number): Point[] =>
  Array.from({ length: 270 }, (_, place) => {
    const atMs = 900_000 + place * 10_000;
    return { atMs, value: valueAt(atMs / 3_600_000) };
  });

describe('the growth of a figure', () => {
  test('is that of the line which fits best, whatever swings around it', () => {
    expect(growthPerHour(points(hours => 5 + 3 * hours))).toBeCloseTo(3, 6);
    const saw = points(hours => 100 + 3 * hours + 10 * Math.sin(hours * 200));
    expect(growthPerHour(saw)).toBeGreaterThan(2);
    expect(growthPerHour(saw)).toBeLessThan(4);
    expect(growthPerHour([])).toBe(0);
  });

  test('of memory fails above a twentieth, and above 10 MiB where that is more', () => {
    const rss = boundOf('rss');
    expect(
      judge(
        rss,
        'n1',
        points(hours => (100 + 9 * hours) * mib),
      ).ok,
    ).toBe(true);
    expect(
      judge(
        rss,
        'n1',
        points(hours => (100 + 11 * hours) * mib),
      ).ok,
    ).toBe(false);
    expect(
      judge(
        rss,
        'n1',
        points(hours => (1_000 + 40 * hours) * mib),
      ).ok,
    ).toBe(true);
    expect(
      judge(
        rss,
        'n1',
        points(hours => (1_000 - 40 * hours) * mib),
      ).ok,
    ).toBe(true);
  });

  test('of open files fails above eight', () => {
    expect(
      judge(
        boundOf('fds'),
        'n1',
        points(hours => 80 + 7 * hours),
      ).ok,
    ).toBe(true);
    expect(
      judge(
        boundOf('fds'),
        'n1',
        points(hours => 80 + 9 * hours),
      ).ok,
    ).toBe(false);
  });
});

describe('what fills up and is given back', () => {
  /** A saw of 64 MiB every 14 minutes on a floor that grows by so many MiB in an hour. */
  const saw = (growth: number, phase: number) =>
    points(
      hours =>
        (growth * hours +
          64 * ((hours * 60 + phase) / 14 - Math.floor((hours * 60 + phase) / 14))) *
        mib,
    );
  const verdict = (growth: number, phase: number) =>
    judge(boundOf('storeBytes'), 'n1', saw(growth, phase));

  test('is flat wherever its teeth are, and grows as its floor does', () => {
    for (let phase = 0; phase < 14; phase++) {
      expect(verdict(0, phase)).toMatchObject({ ok: true });
      expect(verdict(60, phase)).toMatchObject({ ok: false });
    }
  });

  test('is not judged by the line, which rises with where it begins', () => {
    const begun = Array.from({ length: 14 }, (_, phase) =>
      growthPerHour(saw(0, phase).slice(0, 120)),
    );
    expect(Math.max(...begun)).toBeGreaterThan(32 * mib);
  });

  test('says nothing of fewer than four points, or of one moment', () => {
    expect(highsPerHour(saw(9, 0).slice(0, 3))).toBe(0);
    expect(highsPerHour(Array.from({ length: 9 }, () => ({ atMs: 5, value: 1 })))).toBe(0);
  });
});

describe('a figure', () => {
  test('that only fills up to a bound fails above that', () => {
    const entries = boundOf('attemptEntries');
    expect(
      judge(
        entries,
        'n1',
        points(hours => 10_000 * hours),
      ).ok,
    ).toBe(true);
    expect(
      judge(
        entries,
        'n1',
        points(hours => 10_300 * hours),
      ).ok,
    ).toBe(false);
  });

  test('that was never seen shows nothing, and fails', () => {
    for (const bound of bounds) expect(judge(bound, 'n1', []).ok).toBe(false);
  });
});

test('what moves between nodes is flat in all of them together', () => {
  const taken: Taken[] = points(hours => hours).flatMap(({ atMs, value }, round) => [
    { atMs, round, node: 'n1', sample: { settledKept: 20_000 * value } },
    { atMs: atMs + 100, round, node: 'n2', sample: { settledKept: 20_000 * (2 - value) } },
  ]);
  const kept = boundOf('settledKept');
  expect(kept.of).toBe('cluster');
  expect(judge(kept, 'all', sumsOf(taken, 2, 'settledKept'))).toMatchObject({
    ok: true,
    mean: 40_000,
  });
  const growing = taken.map(one => ({ ...one, sample: { settledKept: one.atMs / 10 } }));
  expect(judge(kept, 'all', sumsOf(growing, 2, 'settledKept')).ok).toBe(false);
  // A round in which a node was not looked at says nothing of all.
  expect(sumsOf(taken.slice(1), 2, 'settledKept')).toHaveLength(269);
});

test('the warm-up is half of the run, and of an hour at most', () => {
  expect(warmUpMs(480_000)).toBe(240_000);
  expect(warmUpMs(3_600_000)).toBe(1_800_000);
  expect(warmUpMs(36_000_000)).toBe(1_800_000);
});
