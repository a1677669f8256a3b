/** Tasks of an order key, on histories of which it is known whether the promise held. */
import { expect, test } from 'vitest';
import { checkHistory } from '../../../src/chaos/checks.ts';
import type { AttemptLine, SubmitRecord } from '../../../src/chaos/history.ts';
import { bounds, line, past, task } from './past.ts';

/** Submitted and acknowledged so many milliseconds after the run began. */
const submit = (
  number: number,
  begunMs: number,
  ackedMs: number,
  orderKey = 'a',
): SubmitRecord => ({
  ...{ number, begunMs, ackedMs, tries: 1, id: `task${number}`, shard: 1 },
  ...(orderKey === '' ? {} : { orderKey }),
});

const ran = (number: number, fromS: number, toS: number, fence = 1): AttemptLine[] => [
  line('start', number, fence, fromS),
  line('end', number, fence, toS),
];

const ordered = (submits: readonly SubmitRecord[], lines: readonly AttemptLine[]) => {
  const tasks = new Map(submits.map(({ number }) => [`task${number}`, task(number, 'succeeded')]));
  const checks = checkHistory(past({ submits, lines, tasks }), bounds);
  return checks.find(({ name }) => name === 'ordered');
};

const three = [submit(1, 0, 10), submit(2, 20, 30), submit(3, 40, 50)];

test('tasks that ran one after the other in the order of their submits are in order', () => {
  const lines = [...ran(1, 100, 101), ...ran(2, 101, 101), ...ran(3, 101.5, 102)];
  expect(ordered(three, lines)).toMatchObject({
    ...{ ok: true, found: '3 tasks of 1 order key', cases: [] },
  });
});

test('a run without order keys says nothing of them', () => {
  expect(ordered([submit(1, 0, 10, '')], ran(1, 100, 101))).toBeUndefined();
});

test('two tasks of a key at once are told', () => {
  const lines = [...ran(1, 100, 101), ...ran(2, 100.9, 101.5), ...ran(3, 102, 103)];
  expect(ordered(three, lines)?.cases).toEqual([
    'order key a: task 1 on n1 lived until 101 s, task 2 on n1 since 100.9 s',
  ]);
});

test('a long attempt that overlaps a later one but the next is told', () => {
  const lines = [...ran(1, 100, 103), ...ran(2, 103, 103.5), ...ran(3, 102.5, 102.7)];
  expect(ordered(three, lines)?.cases[0]).toBe(
    'order key a: task 1 on n1 lived until 103 s, task 3 on n1 since 102.5 s',
  );
});

test('tasks of different keys may run at once, and in any order', () => {
  const submits = [submit(1, 0, 10, 'a'), submit(2, 20, 30, 'b')];
  expect(ordered(submits, [...ran(2, 100, 103), ...ran(1, 101, 102)])).toMatchObject({
    ...{ ok: true, found: '2 tasks of 2 order keys' },
  });
});

test('a task that began before one that was acknowledged before its submit is told', () => {
  const lines = [...ran(3, 100, 100.5), ...ran(1, 101, 101.5), ...ran(2, 102, 102.5)];
  expect(ordered(three, lines)?.cases).toEqual([
    'order key a: task 3, submitted after 40 ms, began before task 1 had ended, ' +
      'acknowledged after 10 ms',
  ]);
});

test('of two whose submits were under way together either may be first', () => {
  const submits = [submit(1, 0, 100), submit(2, 50, 80)];
  expect(ordered(submits, [...ran(1, 100, 101), ...ran(2, 101, 102)])?.ok).toBe(true);
  expect(ordered(submits, [...ran(2, 100, 101), ...ran(1, 101, 102)])?.ok).toBe(true);
});

test('a further attempt of a task after the next one of its key has begun is told', () => {
  // Task 1 was lost and came back, when task 2 had had its turn already.
  const lines = [...ran(1, 100, 100.2), ...ran(2, 101, 101.5), ...ran(1, 102, 102.5, 2)];
  expect(ordered(three.slice(0, 2), lines)?.cases).toEqual([
    'order key a: task 2, submitted after 20 ms, began before task 1 had ended, ' +
      'acknowledged after 10 ms',
  ]);
  const inTurn = [...ran(1, 100, 100.2), ...ran(1, 101, 101.5, 2), ...ran(2, 102, 102.5)];
  expect(ordered(three.slice(0, 2), inTurn)?.ok).toBe(true);
});

test('what began in a later boot began later, whatever its clock says', () => {
  const later = ran(2, 90, 91).map(one => ({ ...one, boot: 1 }));
  expect(ordered(three.slice(0, 2), [...ran(1, 100, 101), ...later])?.ok).toBe(true);
  const swapped = ran(1, 90, 91).map(one => ({ ...one, boot: 1 }));
  expect(ordered(three.slice(0, 2), [...swapped, ...ran(2, 100, 101)])?.ok).toBe(false);
});

test('ordered tasks of which none ran show nothing', () => {
  expect(ordered(three, ran(9, 100, 101))).toMatchObject({
    ok: false,
    found: 'there was nothing to look at: 0 tasks of 0 order keys',
  });
});
