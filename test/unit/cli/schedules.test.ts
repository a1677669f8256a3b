/** Schedules on the command line: from flags to a document, and what is printed. */
import { describe, expect, test } from 'vitest';
import ScheduleCreate from '../../../cli/commands/schedule/create.ts';
import { documentOfScheduleFlags, prepareSchedules } from '../../../cli/input/schedule-flags.ts';
import { ago, instantIn } from '../../../cli/output/age.ts';
import {
  renderOccurrences,
  renderSchedule,
  renderScheduleList,
} from '../../../cli/output/schedules.ts';
import { plainScreen } from '../../../cli/output/screen.ts';
import type { ScheduleView } from '../../../src/model/schedule.ts';

const nowMs = Date.UTC(2027, 0, 31, 9, 0);
const screen = plainScreen(nowMs);

const view: ScheduleView = {
  tenant: 'default',
  name: 'nightly',
  state: 'paused',
  timing: 'daily at 02:30',
  timezone: 'Europe/Berlin',
  command: './etl.sh',
  createdAtMs: nowMs,
  createdBy: 'ann',
  left: 3,
  fired: 7,
  skipped: 1,
  missed: 2,
  shard: 4,
  stale: false,
  document: { overlap: 'queue', catchUp: 'all', catchUpWithin: '6h', count: 10 },
  running: [],
  queued: [nowMs],
  recent: [],
  paused: { by: 'ann', reason: 'source down', atMs: nowMs },
};

describe('flags', () => {
  test('say when and what at once', () => {
    const flags = {
      ...{ every: 'daily', at: '02:30', 'catch-up': 'all', 'catch-up-within': '6h', count: '3' },
      ...{ cpu: '2', env: ['A=b'], attempts: '3' },
    };
    expect(documentOfScheduleFlags(flags)).toEqual({
      ...{ every: 'daily', at: '02:30', catchUp: 'all', catchUpWithin: '6h', count: 3 },
      task: { cpu: '2', env: { A: 'b' }, attempts: 3 },
    });
  });

  test('are laid over a file, those of the task over its task', () => {
    const value = { name: 'one', every: 'daily', task: { command: ['true'], cpu: '1' } };
    const flags = documentOfScheduleFlags({ at: '03:00', cpu: '2' });
    expect(prepareSchedules([{ value }], flags)[0]!.document).toEqual({
      ...{ ...value, at: '03:00', task: { command: ['true'], cpu: '2' } },
    });
  });

  test('may name a template, which the node looks into; the rest is judged here', () => {
    const flags = { every: 'daily', template: 'etl@2', set: ['mode=fast'] };
    const value = { name: 'one', task: {} };
    const [prepared] = prepareSchedules([{ value }], documentOfScheduleFlags(flags));
    expect(prepared!.document['task']).toEqual({ template: 'etl@2', set: { mode: 'fast' } });
    const wrong = documentOfScheduleFlags({ ...flags, jitter: '-5m' });
    expect(() => prepareSchedules([{ value }], wrong)).toThrow(/^--jitter: /);
  });

  test('are named where they are wrong, all at once', () => {
    const value = { name: 'one', task: { command: ['true'] } };
    const flags = documentOfScheduleFlags({ every: 'monthly', day: '32', cpu: 'many' });
    expect(() => prepareSchedules([{ value }], flags)).toThrow('2 problems');
    try {
      prepareSchedules([{ value }], flags);
    } catch (error) {
      const { problems } = error as { problems: { place: string }[] };
      expect(problems.map(({ place }) => place)).toEqual(['--day', '--cpu']);
    }
  });
});

test('the help tells what becomes of days and times that are not there', () => {
  const { description } = ScheduleCreate;
  for (const rule of [
    'UTC unless --timezone is given',
    'A day of the month that a month does not have is its last day',
    'skipped when clocks go forward fires right after',
    'one that comes twice fires the first time',
    'months without its day are skipped',
  ]) {
    expect(description).toContain(rule);
  }
});

describe('what is printed', () => {
  test('of one names its rules, what it fired and why it is paused', () => {
    const text = renderSchedule(view, screen);
    expect(text).toContain('daily at 02:30, Europe/Berlin');
    expect(text).toContain('all within 6h');
    expect(text).toContain('7, 1 skipped, 2 missed');
    expect(text).toContain('3 of 10 occurrences');
    expect(text).toContain('by ann: source down');
  });

  test('of all is a line each, and of what is to come an instant each', () => {
    expect(renderScheduleList([view], screen).split('\n')).toHaveLength(2);
    expect(renderOccurrences([nowMs + 60_000], 'UTC', screen)).toBe('2027-01-31T09:01:00Z  in 1m');
    expect(renderOccurrences([], 'UTC', screen)).toBe('no occurrence is to come');
  });

  test('is told as far away as it was a moment ago', () => {
    const shown = (ms: number) => ago(nowMs + ms, nowMs);
    expect([29_100, 1_799_200, 86_399_900].map(shown)).toEqual(['in 30s', 'in 30m', 'in 1d']);
    expect([9_940, 87_000_000].map(shown)).toEqual(['in 10s', 'in 1d']);
  });

  test('is told by the clocks of its zone, on both sides of a change', () => {
    const march = Date.UTC(2027, 2, 28, 0, 59);
    const shown = (zone: string) => [march, march + 60_000].map(ms => instantIn(ms, zone));
    expect(shown('Europe/Berlin')).toEqual([
      '2027-03-28T01:59:00+01:00',
      '2027-03-28T03:00:00+02:00',
    ]);
    expect(shown('Europe/London')).toEqual(['2027-03-28T00:59:00Z', '2027-03-28T02:00:00+01:00']);
    expect(shown('America/St_Johns')[0]).toBe('2027-03-27T22:29:00-02:30');
  });
});
