/** Start bounds, on histories of which it is known whether the promise held. */
import { expect, test } from 'vitest';
import { checkHistory } from '../../../src/chaos/checks.ts';
import type { History, SubmitRecord, TaskRecord } from '../../../src/chaos/history.ts';
import { bounds, killed, line, past, task } from './past.ts';

/** The cluster's clock when the run began. */
const epochMs = 1_000_000;
const upAtStartS = 99;

/** Acknowledged after a second, to begin by the third second. */
const submit: SubmitRecord = {
  ...{ number: 1, begunMs: 990, ackedMs: 1_000, tries: 1, id: 'task1', shard: 1 },
  ...{ toleranceMs: 2_000, startBoundMs: epochMs + 3_000 },
};

interface Case {
  /** When it began, after the beginning of the run. */
  readonly beganMs?: number;
  /** The same by the cluster's books, where those say something else. */
  readonly recordedMs?: number | undefined;
  readonly boundMissed?: boolean;
  /** When it was told, after the beginning of the run. */
  readonly told?: readonly number[];
  readonly changes?: Partial<History>;
}

const bounded = ({ beganMs, recordedMs = beganMs, boundMissed, told, changes }: Case) => {
  const [attempt] = task(1, 'succeeded').attempts;
  const startedAtMs = recordedMs === undefined ? undefined : epochMs + recordedMs;
  const record: TaskRecord = {
    ...task(1, 'succeeded'),
    boundMissed,
    attempts: [{ ...attempt!, startedAtMs }],
  };
  const fromS = upAtStartS + (beganMs ?? 0) / 1_000;
  const lines = [line('start', 1, 1, fromS), line('end', 1, 1, fromS + 0.1)];
  const history = past({
    ...{ submits: [submit], tasks: new Map([['task1', record]]), upAtStartS },
    lines: beganMs === undefined ? [] : lines,
    told: new Map(told === undefined ? [] : [['task1', told.map(atMs => epochMs + atMs)]]),
    ...changes,
  });
  return checkHistory(history, bounds).find(({ name }) => name === 'bounded');
};

test('a task that began in time needs no word', () => {
  expect(bounded({ beganMs: 2_900 })).toMatchObject({
    ...{ ok: true, found: '1 task with a bound, 0 of them late', cases: [] },
  });
});

test('a task that began late and was told of once is in order', () => {
  const late = bounded({ beganMs: 9_000, boundMissed: true, told: [3_100] });
  expect(late).toMatchObject({ ok: true, found: '1 task with a bound, 1 of them late' });
});

test('a task that began late, and nobody was told, is a broken promise', () => {
  expect(bounded({ beganMs: 9_000 })?.cases).toEqual([
    'task 1 (task1) is recorded to have started 6000 ms after its bound, and nobody was told',
  ]);
  // Also where the books are silent, by what the attempt said itself.
  expect(bounded({ beganMs: 9_000, recordedMs: 2_000 })?.cases).toEqual([
    'task 1 (task1) began 6000 ms after its bound, and nobody was told',
  ]);
});

test('a record that says missed without a word to anybody, or a word without it, is told', () => {
  expect(bounded({ beganMs: 9_000, boundMissed: true })?.cases).toEqual([
    'task 1 (task1) is recorded to have missed its bound, and nobody was told',
  ]);
  expect(bounded({ beganMs: 9_000, told: [3_100] })?.cases).toEqual([
    'task 1 (task1) was told of, and is not recorded to have missed its bound',
  ]);
});

test('a bound that was told twice, or before it passed, is a broken promise', () => {
  const late = { beganMs: 9_000, boundMissed: true };
  expect(bounded({ ...late, told: [3_100, 4_000] })?.cases).toEqual([
    'task 1 (task1) was told of 2 times',
  ]);
  expect(bounded({ ...late, told: [1_500] })?.cases).toEqual([
    'task 1 (task1) was told of 1500 ms before its bound',
  ]);
});

test('a start that became known late may have been told of', () => {
  expect(bounded({ beganMs: 2_000, boundMissed: true, told: [3_100] })?.ok).toBe(true);
});

test('where events were lost the record alone has to say it', () => {
  const changes = { toldWhole: false };
  expect(bounded({ beganMs: 9_000, boundMissed: true, changes })).toMatchObject({
    ...{ ok: true, found: '1 task with a bound, 1 of them late; not all events could be read' },
  });
  expect(bounded({ beganMs: 9_000, changes })?.ok).toBe(false);
});

test('where clocks were moved nobody can say what is late, but words and records agree', () => {
  const changes = { faults: [{ ...killed, kind: 'clockJump' as const }] };
  expect(bounded({ beganMs: 9_000, recordedMs: 2_000, changes })?.ok).toBe(true);
  expect(bounded({ beganMs: 9_000, changes })?.ok).toBe(true);
  const missed = { beganMs: 9_000, boundMissed: true, changes };
  expect(bounded(missed)?.ok).toBe(false);
  expect(bounded({ ...missed, told: [100] })?.ok).toBe(true);
  expect(bounded({ ...missed, told: [3_100, 9_000] })?.ok).toBe(false);
});

test('of a node whose attempts leave no line the books say when it began', () => {
  const changes = { unseen: ['n1'] };
  expect(bounded({ recordedMs: 2_000, changes })?.ok).toBe(true);
  expect(bounded({ recordedMs: 9_000, changes })?.ok).toBe(false);
});

test('a task that is lost is told by another check', () => {
  const changes = { tasks: new Map([['task1', undefined]]) };
  expect(bounded({ changes })).toMatchObject({ ok: false, cases: [] });
});
