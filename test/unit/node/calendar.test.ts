/**
 * What a timing means at its edges: month ends, leap years, clocks that are set in four zones, and
 * what is refused because it never is.
 */
import { describe, expect, test } from 'vitest';
import type { ScheduleDefinition, Timing } from '../../../src/model/schedule.ts';
import {
  lastOccurrence,
  occurrences,
  periodOf,
  timingProblems,
} from '../../../src/node/calendar.ts';

const at = (text: string): number => new Date(text).getTime();
const shown = (instants: readonly number[]): string[] =>
  instants.map(ms => new Date(ms).toISOString().replace(':00.000Z', 'Z'));

function next(timing: Timing, zone: string, after: string, limit = 3): string[] {
  return shown(occurrences({ timing, zone }, { afterMs: at(after), limit }));
}

const daily = (minute: number): Timing => ({ kind: 'daily', minute });
const monthly = (day: number): Timing => ({ kind: 'monthly', minute: 0, day });
const cron = (pattern: string): Timing => ({ kind: 'cron', pattern });
const half = 30;
const two = 120;

const definition = (
  timing: Timing,
  more: Partial<ScheduleDefinition> = {},
): ScheduleDefinition => ({
  tenant: 'default',
  name: 'one',
  timing,
  zone: 'UTC',
  overlap: 'skip',
  catchUp: 'last',
  jitterMs: 0,
  ...more,
});

const problemsOf = (timing: Timing, more?: Partial<ScheduleDefinition>): string[] =>
  timingProblems(definition(timing, more), at('2026-01-01T00:00Z')).map(
    ({ pointer, message }) => `${pointer} ${message}`,
  );

test('answers are the same in whatever order they are asked for, and kept apart by zone', () => {
  const zones = ['Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'UTC'];
  const instants = Array.from(
    { length: 12 },
    (_, n) => at('2026-03-28T23:50Z') + n * half * 60_000,
  );
  // The same times, written otherwise, each asked for once.
  const first = zones.map(zone =>
    instants.map(ms => next(cron('*/20 3,2,*/5 * * *'), zone, new Date(ms).toISOString(), 1)),
  );
  for (let step = 0; step < 400; step++) {
    const [zone, instant] = [
      (step * 7) % zones.length,
      (step * step + (step >> 2)) % instants.length,
    ];
    const after = new Date(instants[instant]!).toISOString();
    expect(next(cron('*/20 2,3,*/5 * * *'), zones[zone]!, after, 1)).toEqual(first[zone]![instant]);
  }
});

describe('each kind', () => {
  test('once fires at its time in its zone and never again', () => {
    const timing: Timing = { kind: 'once', at: '2026-07-01T09:30:00' };
    expect(next(timing, 'America/New_York', '2026-01-01T00:00Z')).toEqual(['2026-07-01T13:30Z']);
    expect(next(timing, 'America/New_York', '2026-07-01T13:30Z')).toEqual([]);
  });

  test('daily fires each day at its time of day', () => {
    expect(next(daily(two + half), 'UTC', '2026-02-27T02:30Z')).toEqual([
      '2026-02-28T02:30Z',
      '2026-03-01T02:30Z',
      '2026-03-02T02:30Z',
    ]);
  });

  test('weekly fires on its days of the week', () => {
    const timing: Timing = { kind: 'weekly', minute: 0, weekdays: [0, 4] };
    // 2026-01-01 is a Thursday.
    expect(next(timing, 'UTC', '2025-12-31T12:00Z')).toEqual([
      '2026-01-01T00:00Z',
      '2026-01-04T00:00Z',
      '2026-01-08T00:00Z',
    ]);
  });

  test('annually fires once a year', () => {
    const timing: Timing = { kind: 'annually', minute: two, month: 12, day: 24 };
    expect(next(timing, 'UTC', '2026-12-24T02:00Z', 2)).toEqual([
      '2027-12-24T02:00Z',
      '2028-12-24T02:00Z',
    ]);
  });

  test('cron takes lists, ranges, steps and names', () => {
    expect(next(cron('*/30 9-10 * * mon-fri'), 'UTC', '2026-01-02T09:45Z', 4)).toEqual([
      '2026-01-02T10:00Z',
      '2026-01-02T10:30Z',
      '2026-01-05T09:00Z',
      '2026-01-05T09:30Z',
    ]);
  });

  test('cron with both days of the month and of the week fires on either', () => {
    expect(next(cron('0 0 13 * fri'), 'UTC', '2026-01-08T12:00Z', 3)).toEqual([
      '2026-01-09T00:00Z',
      '2026-01-13T00:00Z',
      '2026-01-16T00:00Z',
    ]);
  });
});

describe('the end of a month', () => {
  test('day 31 fires on the last day of every month', () => {
    expect(next(monthly(31), 'UTC', '2026-01-30T12:00Z', 4)).toEqual([
      '2026-01-31T00:00Z',
      '2026-02-28T00:00Z',
      '2026-03-31T00:00Z',
      '2026-04-30T00:00Z',
    ]);
    expect(next(monthly(32), 'UTC', '2028-01-31T12:00Z', 1)).toEqual(['2028-02-29T00:00Z']);
  });

  test('day 30 fires on the last day of February alone', () => {
    expect(next(monthly(30), 'UTC', '2026-01-30T12:00Z')).toEqual([
      '2026-02-28T00:00Z',
      '2026-03-30T00:00Z',
      '2026-04-30T00:00Z',
    ]);
  });

  test.each([
    ['2027', '2027-02-28T00:00Z'],
    ['2028', '2028-02-29T00:00Z'],
    ['2100', '2100-02-28T00:00Z'],
    ['2400', '2400-02-29T00:00Z'],
  ])('day 29 fires once in February of %s', (year, expected) => {
    expect(next(monthly(29), 'UTC', `${year}-01-30T00:00Z`, 2)).toEqual([
      expected,
      `${year}-03-29T00:00Z`,
    ]);
  });

  test('29 February is 28 February where there is none', () => {
    const timing: Timing = { kind: 'annually', minute: 0, month: 2, day: 29 };
    expect(next(timing, 'UTC', '2026-01-01T00:00Z', 3)).toEqual([
      '2026-02-28T00:00Z',
      '2027-02-28T00:00Z',
      '2028-02-29T00:00Z',
    ]);
  });

  test('a cron pattern skips months without the day', () => {
    expect(next(cron('0 0 31 * *'), 'UTC', '2026-01-31T12:00Z', 2)).toEqual([
      '2026-03-31T00:00Z',
      '2026-05-31T00:00Z',
    ]);
    expect(next(cron('0 0 29 2 *'), 'UTC', '2096-03-01T00:00Z', 1)).toEqual(['2104-02-29T00:00Z']);
  });
});

/** Zone, skipped time, day before the clock goes forward, what fires then, and the day after. */
const gaps = [
  ['Europe/Berlin', two + half, '2026-03-28T12:00Z', '2026-03-29T01:00Z', '2026-03-30T00:30Z'],
  ['America/New_York', two + half, '2026-03-07T12:00Z', '2026-03-08T07:00Z', '2026-03-09T06:30Z'],
  // By half an hour only, from 02:00 to 02:30.
  ['Australia/Lord_Howe', two + 15, '2026-10-03T00:00Z', '2026-10-03T15:30Z', '2026-10-04T15:15Z'],
  // At midnight: the day begins at one.
  ['Africa/Cairo', half, '2026-04-23T09:00Z', '2026-04-23T22:00Z', '2026-04-24T21:30Z'],
] as const;

/** Zone, a time of day that occurs twice, the day before, the first of both, and the next day. */
const overlaps = [
  ['Europe/Berlin', two + half, '2026-10-24T12:00Z', '2026-10-25T00:30Z', '2026-10-26T01:30Z'],
  ['America/New_York', 90, '2026-10-31T12:00Z', '2026-11-01T05:30Z', '2026-11-02T06:30Z'],
  ['Australia/Lord_Howe', 105, '2026-04-04T00:00Z', '2026-04-04T14:45Z', '2026-04-05T15:15Z'],
] as const;

describe('where clocks are set', () => {
  test.each(gaps)(
    '%s: a time that is skipped fires right after',
    (zone, minute, before, ...both) => {
      expect(next(daily(minute), zone, before, 2)).toEqual(both);
    },
  );

  test.each(overlaps)('%s: a time that comes twice fires once', (zone, minute, before, ...both) => {
    expect(next(daily(minute), zone, before, 2)).toEqual(both);
  });

  test('a cron pattern of plain times does the same', () => {
    expect(next(cron('30 2,14 * * *'), 'Europe/Berlin', '2026-03-28T14:00Z', 2)).toEqual([
      '2026-03-29T01:00Z',
      '2026-03-29T12:30Z',
    ]);
    expect(next(cron('30 2 * * *'), 'Europe/Berlin', '2026-10-24T12:00Z', 2)).toEqual([
      '2026-10-25T00:30Z',
      '2026-10-26T01:30Z',
    ]);
  });

  test('a cron pattern with a step keeps to real time', () => {
    // Both passes of the hour from two to three, none of one that is skipped.
    expect(next(cron('*/30 * * * *'), 'Europe/Berlin', '2026-10-25T00:00Z', 5)).toEqual([
      ...['2026-10-25T00:30Z', '2026-10-25T01:00Z', '2026-10-25T01:30Z'],
      ...['2026-10-25T02:00Z', '2026-10-25T02:30Z'],
    ]);
    expect(next(cron('*/30 * * * *'), 'Europe/Berlin', '2026-03-29T00:10Z', 3)).toEqual([
      ...['2026-03-29T00:30Z', '2026-03-29T01:00Z', '2026-03-29T01:30Z'],
    ]);
  });

  test('once at a skipped time fires right after, at one that comes twice the first time', () => {
    const skipped: Timing = { kind: 'once', at: '2026-03-29T02:30:00' };
    const twice: Timing = { kind: 'once', at: '2026-10-25T02:30:00' };
    expect(next(skipped, 'Europe/Berlin', '2026-01-01T00:00Z')).toEqual(['2026-03-29T01:00Z']);
    expect(next(twice, 'Europe/Berlin', '2026-01-01T00:00Z')).toEqual(['2026-10-25T00:30Z']);
  });

  test('a year of days has one firing each, in every zone', () => {
    for (const [zone, minute] of [...gaps, ...overlaps]) {
      const bounds = {
        afterMs: at('2026-01-02T12:00Z'),
        toMs: at('2027-01-02T12:00Z'),
        limit: 400,
      };
      const found = occurrences({ timing: daily(minute), zone }, bounds);
      const day = new Intl.DateTimeFormat('sv', { timeZone: zone, dateStyle: 'short' });
      expect(found).toHaveLength(365);
      expect(new Set(found.map(ms => day.format(ms))).size).toBe(365);
    }
  });
});

describe('what is refused', () => {
  const noDay =
    '/cron never fires: none of its months has such a day; change the day of the month, or the months';
  const ranges =
    'minutes are 0-59, hours 0-23, days 1-31, months 1-12 or jan-dec, days of the week 0-7 or ' +
    'sun-sat; beside them there are *, lists, ranges and steps';

  test.each([
    ['0 0 30 2 *', noDay],
    ['0 0 31 4,6,9,11 *', noDay],
    ['61 * * * *', `/cron is no cron pattern: its minute is out of range; ${ranges}`],
    ['0 0 32 * *', `/cron is no cron pattern: its day of month is out of range; ${ranges}`],
    ['0 0 1 13 *', `/cron is no cron pattern: its month is out of range; ${ranges}`],
  ])('the cron pattern %s', (pattern, expected) => {
    expect(problemsOf(cron(pattern))).toEqual([expected]);
  });

  test('a pattern of words is told what it should have been', () => {
    expect(problemsOf(cron('a b c d e'))[0]).toMatch(/^\/cron /);
  });

  test.each([
    ['Europe/Berlinn', 'did you mean Europe/Berlin?'],
    ['Berlin', 'did you mean Europe/Berlin?'],
    ['new york', 'did you mean America/New_York?'],
    ['UTD', 'did you mean UTC?'],
    ['+02:00', 'use an IANA name such as Europe/Berlin, or UTC'],
    ['Middle-earth/Mordor', 'use an IANA name such as Europe/Berlin, or UTC'],
  ])('the zone %s', (zone, hint) => {
    const expected = `/timezone there is no time zone "${zone}"; ${hint}`;
    expect(problemsOf(daily(0), { zone })).toEqual([expected]);
  });

  test('names that a zone had before are still known', () => {
    expect(problemsOf(daily(0), { zone: 'Asia/Calcutta' })).toEqual([]);
  });

  test('a time that is past, and an end before the first occurrence', () => {
    expect(problemsOf({ kind: 'once', at: '2025-12-31T23:59:00' })).toEqual([
      '/at never fires: 2025-12-31T23:59:00 in UTC is past; give a later time',
    ]);
    expect(problemsOf(monthly(31), { untilMs: at('2026-01-30T00:00Z') })).toEqual([
      '/until never fires: its first occurrence would be 2026-01-31T00:00:00Z',
    ]);
  });
});

describe('looking back', () => {
  const everyMinute = { timing: cron('* * * * *'), zone: 'UTC' };

  test('finds the last occurrence without walking through all of them', () => {
    const found = lastOccurrence(everyMinute, at('1990-01-01T00:00Z'), at('2026-05-05T12:00:30Z'));
    expect(shown([found!])).toEqual(['2026-05-05T12:00Z']);
    const yearly = {
      timing: { kind: 'annually', minute: 0, month: 3, day: 1 },
      zone: 'UTC',
    } as const;
    const old = lastOccurrence(yearly, at('1990-01-01T00:00Z'), at('2026-02-28T00:00Z'));
    expect(shown([old!])).toEqual(['2025-03-01T00:00Z']);
  });

  test('includes the end and leaves out the beginning', () => {
    const noon = at('2026-05-05T12:00Z');
    expect(lastOccurrence(everyMinute, noon - 1, noon)).toBe(noon);
    expect(lastOccurrence(everyMinute, noon, noon)).toBeUndefined();
  });
});

test.each([
  ['daily, and not the day on which a clock is set', daily(two + half), 'Europe/Berlin', 24],
  ['every second week day', { kind: 'weekly', minute: 0, weekdays: [1, 3] } as const, 'UTC', 48],
  ['the 31st', monthly(31), 'UTC', 28 * 24],
  ['five minutes of some hours', cron('*/5 8-9 * * *'), 'Asia/Tokyo', 1 / 12],
  ['once', { kind: 'once', at: '2026-07-01T09:30:00' } as const, 'UTC', undefined],
])('the period of %s is the shortest time between two occurrences', (_, timing, zone, hours) => {
  expect(periodOf({ timing, zone })).toBe(hours && hours * 3_600_000);
});
