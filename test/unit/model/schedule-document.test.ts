/** The document of a schedule: what it reads as, and every problem told with its place. */
import { describe, expect, test } from 'vitest';
import { ByteReader, ByteWriter } from '../../../src/model/bytes.ts';
import { lastDay, readDefinition, writeDefinition } from '../../../src/model/schedule.ts';
import {
  readScheduleDocument,
  writeScheduleDocument,
} from '../../../src/model/schedule-document.ts';
import { timingWords } from '../../../src/model/schedule-timing.ts';

const defaults = { tenant: 'default', owner: 'ann' };
const task = { command: ['true'] };

const read = (document: Record<string, unknown>) =>
  readScheduleDocument({ name: 'one', task, ...document }, defaults);

function timingOf(document: Record<string, unknown>): unknown {
  const reading = read(document);
  return reading.ok ? reading.definition.timing : reading.problems;
}

function problemsOf(document: Record<string, unknown>): string[] {
  const reading = read(document);
  return reading.ok ? [] : reading.problems.map(({ pointer, message }) => `${pointer} ${message}`);
}

describe('a schedule document', () => {
  test.each([
    [
      { every: 'once', at: '2027-01-31T09:30' },
      { kind: 'once', at: '2027-01-31T09:30:00' },
    ],
    [
      { every: 'once', at: '2027-01-31T09:30+01:00' },
      { kind: 'once', at: '2027-01-31T08:30:00' },
    ],
    [
      { every: 'daily', at: '2:05' },
      { kind: 'daily', minute: 125 },
    ],
    [{ every: 'daily' }, { kind: 'daily', minute: 0 }],
    [
      { every: 'weekly', weekday: 'thu,Monday' },
      { kind: 'weekly', minute: 0, weekdays: [1, 4] },
    ],
    [
      { every: 'weekly', weekday: ['sun'] },
      { kind: 'weekly', minute: 0, weekdays: [0] },
    ],
    [
      { every: 'monthly', day: '31' },
      { kind: 'monthly', minute: 0, day: 31 },
    ],
    [
      { every: 'monthly', day: 'last' },
      { kind: 'monthly', minute: 0, day: lastDay },
    ],
    [
      { every: 'annually', month: 'feb', day: 29, at: '23:59' },
      { kind: 'annually', minute: 1_439, month: 2, day: 29 },
    ],
    [{ cron: ' 0  2 * * * ' }, { kind: 'cron', pattern: '0 2 * * *' }],
  ])('%j', (document, timing) => {
    expect(timingOf(document)).toEqual(timing);
  });

  test('has every rule at its default where nothing is said', () => {
    const reading = read({ every: 'daily' });
    expect(reading).toMatchObject({
      ok: true,
      definition: {
        ...{ tenant: 'default', name: 'one', zone: 'UTC', overlap: 'skip', catchUp: 'last' },
        ...{ jitterMs: 0, withinMs: undefined, untilMs: undefined, count: undefined },
      },
      spec: { owner: 'ann', run: { kind: 'command', argv: ['true'] } },
    });
  });

  test.each([
    [{}, '/every says nothing of when: one of once, daily, weekly, monthly, annually, cron'],
    [{ every: 'dayly' }, 'did you mean daily?'],
    [{ every: 'annually', month: 'feb', day: 30 }, '/day February never has a day 30; give one up'],
    [{ every: 'annually', month: 4, day: 31 }, '/day April never has a day 31; give one up to 30'],
    [{ every: 'monthly', day: 32 }, '/day must be from 1 to 31, or "last", not the number 32'],
    [{ every: 'daily', at: '25:00' }, '/at must be a time of day such as "02:30"'],
    [{ every: 'daily', weekday: 'mon' }, '/weekday goes with weekly, not with daily'],
    [{ every: 'weekly', weekday: 'noday' }, '/weekday must be of sun, mon'],
    [{ every: 'once', at: '09:30' }, '/at must be a date with a time such as'],
    [{ every: 'once', at: '2027-02-30T00:00' }, '/at must be a date with a time such as'],
    [{ cron: '* * * * * *' }, '/cron must have five fields'],
    [{ every: 'daily', overlap: 'both' }, '/overlap must be one of skip, queue, replace, allow'],
    [{ every: 'daily', timezon: 'UTC' }, '/timezon unknown field `timezon`; did you mean'],
    [{ every: 'daily', jitter: '2d' }, '/jitter must be from 0s to 1d'],
    [{ every: 'daily', until: 'soon' }, '/until must be an instant such as'],
    [{ every: 'daily', count: 0 }, '/count must be a whole number from 1'],
    [{ every: 'daily', name: 'a b' }, '/name must be 1 to 63 letters'],
    [{ every: 'daily', task: { ...task, cpu: 'many' } }, '/task/cpu must be a number of CPUs'],
    [{ every: 'daily', task: { ...task, array: '1-3' } }, '/task/array does not go with a sched'],
    [{ every: 'daily', task: { ...task, orderKey: 'k' } }, '/task/orderKey does not go with'],
  ])('%j is refused', (document, expected) => {
    expect(problemsOf(document)).toEqual([expect.stringContaining(expected)]);
  });

  test('tells all that is wrong at once', () => {
    const found = problemsOf({ every: 'monthly', day: 0, catchUp: 'x', task: { cpu: 'many' } });
    expect(found.map(text => text.split(' ')[0])).toEqual([
      '/day',
      '/catchUp',
      '/task/cpu',
      '/task',
    ]);
  });

  test.each([
    { every: 'once', at: '2027-01-31T09:30', timezone: 'Asia/Tokyo' },
    { every: 'weekly', weekday: 'mon,fri', at: '06:15', overlap: 'queue', catchUp: 'all' },
    { every: 'annually', month: 'dec', day: 'last', catchUpWithin: '6h', jitter: '5m' },
    { cron: '*/5 * * * *', until: '2030-01-01', count: 7, overlap: 'replace', catchUp: 'skip' },
  ])('is written as it reads, and keeps its bytes: %j', document => {
    const reading = read(document);
    if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
    const { definition, spec } = reading;
    const again = readScheduleDocument(writeScheduleDocument(definition, spec), defaults);
    expect(again).toEqual(reading);
    const writer = new ByteWriter();
    writeDefinition(writer, definition);
    const reader = new ByteReader(writer.finish());
    expect(readDefinition(reader)).toEqual(definition);
    expect(reader.remaining).toBe(0);
  });

  test('is told in words', () => {
    expect(timingWords({ kind: 'monthly', minute: 150, day: lastDay })).toBe(
      'monthly on the last day at 02:30',
    );
    expect(timingWords({ kind: 'annually', minute: 0, month: 2, day: 29 })).toBe(
      'annually on 29 February at 00:00',
    );
  });
});
