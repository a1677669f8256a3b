/** Schedules, on histories of which it is known whether the promise held. */
import { expect, test } from 'vitest';
import { checkHistory } from '../../../src/chaos/checks.ts';
import type { History, ScheduleRecord } from '../../../src/chaos/history.ts';
import { bounds, killed, line, past, task } from './past.ts';

const at = (minutes: number, seconds = 0): number => Date.UTC(2027, 0, 31, 9, minutes, seconds);

const firing = (taskId: string, occurrenceMs: number, settled = true) => ({
  ...{ taskId, occurrenceMs, settled },
});

/** Made in the middle of 9:00, healed in that of 9:03: 9:01, 9:02 and 9:03 are due. */
const minutely = (firings: ScheduleRecord['firings']): ScheduleRecord => ({
  ...{ name: 'each', askedMs: at(0, 30), madeMs: at(0, 31), dueToMs: at(3, 30) },
  ...{ goneMs: at(3, 31), firings },
});

const all = [firing('f1', at(1)), firing('f2', at(2)), firing('f3', at(3))];

const fired = (schedules: readonly ScheduleRecord[], changes: Partial<History> = {}) =>
  checkHistory(past({ schedules, ...changes }), bounds).find(({ name }) => name === 'fired');

test('every minute once is in order', () => {
  expect(fired([minutely(all)])).toMatchObject({
    ...{ ok: true, found: '3 occurrences of 1 schedule', cases: [] },
  });
});

test('a run without schedules says nothing of them', () => {
  expect(fired([])).toBeUndefined();
});

test('an occurrence that did not fire is told', () => {
  expect(fired([minutely(all.toSpliced(1, 1))])?.cases).toEqual([
    'schedule each did not fire 2027-01-31T09:02:00Z',
  ]);
});

test('an occurrence that fired twice is told', () => {
  expect(fired([minutely([...all, firing('f4', at(2))])])?.cases).toEqual([
    'schedule each fired 2027-01-31T09:02:00Z 2 times: f2, f4',
  ]);
});

test('an occurrence that is none, or was not yet, is told', () => {
  expect(fired([minutely([...all, firing('f4', at(2, 7))])])?.cases).toEqual([
    'schedule each fired 2027-01-31T09:02:07Z, which it was not for',
  ]);
  expect(fired([minutely([...all, firing('f4', at(9))])])?.ok).toBe(false);
  expect(fired([minutely([...all, firing('f4', at(0))])])?.ok).toBe(false);
});

test('a clock that was moved may fire what is still to come, once', () => {
  const faults = [{ ...killed, kind: 'clockJump' as const }];
  const early = firing('f4', at(59));
  expect(fired([minutely([...all, early])], { faults })?.ok).toBe(true);
  const twice = minutely([...all, early, firing('f5', at(59))]);
  expect(fired([twice], { faults })?.ok).toBe(false);
  expect(fired([minutely(all.slice(0, 2))], { faults })?.ok).toBe(false);
});

test('what falls due while it is made or deleted may fire or not', () => {
  const edges: ScheduleRecord = {
    ...{ name: 'edge', askedMs: at(0, 59), madeMs: at(1, 1), dueToMs: at(1, 59) },
    goneMs: at(2, 2),
    firings: [],
  };
  expect(fired([minutely(all), edges])?.ok).toBe(true);
  const both = { ...edges, firings: [firing('e1', at(1)), firing('e2', at(2))] };
  expect(fired([minutely(all), both])?.ok).toBe(true);
});

test('a schedule that fires once fires at its instant, once', () => {
  const once = (firings: ScheduleRecord['firings']): ScheduleRecord => ({
    ...minutely(firings),
    ...{ name: 'one', onceMs: at(2, 7) },
  });
  expect(fired([once([firing('o1', at(2, 7))])])).toMatchObject({
    ...{ ok: true, found: '1 occurrence of 1 schedule' },
  });
  // One that was there too late may have fired or not.
  const late = { ...once([]), madeMs: at(2, 8) };
  expect(fired([minutely(all), late])?.ok).toBe(true);
  expect(fired([minutely(all), { ...late, firings: [firing('o1', at(2, 7))] }])?.ok).toBe(true);
  expect(fired([once([])])?.cases).toEqual(['schedule one did not fire 2027-01-31T09:02:07Z']);
  expect(fired([once([firing('o1', at(2))])])?.cases).toHaveLength(2);
});

test('a firing that never settles is told', () => {
  expect(fired([minutely([...all.slice(1), firing('f1', at(1), false)])])?.cases).toEqual([
    'schedule each fired 2027-01-31T09:01:00Z, but f1 does not settle',
  ]);
});

test('a task of a schedule that ran and is not there is told', () => {
  const stray = { ...line('start', 3, 1, 103), id: 'f9' };
  expect(fired([minutely(all)], { lines: [...past().lines, stray] })?.cases).toEqual([
    'task f9 of a schedule ran on n1 and is not there',
  ]);
  const known = { ...stray, id: 'f1' };
  const tasks = new Map(past().tasks).set('f1', { ...task(1, 'succeeded'), id: 'f1' });
  expect(fired([minutely(all)], { lines: [...past().lines, known], tasks })?.ok).toBe(true);
});

test('schedules of which nothing was due show nothing', () => {
  const short = { ...minutely([]), madeMs: at(0, 31), dueToMs: at(0, 50), goneMs: at(0, 51) };
  expect(fired([short])).toMatchObject({
    ok: false,
    found: 'there was nothing to look at: 0 occurrences of 1 schedule',
  });
});
