/** Whether attempts last long enough for room to be left to other leaders. */
import { expect, test } from 'vitest';
import { Durations } from '../../../src/placement/durations.ts';

function after(...durationsMs: readonly number[]): Durations {
  const durations = new Durations();
  for (const ms of durationsMs) durations.ended(ms);
  return durations;
}

test('they are taken for long until some have ended', () => {
  expect(after().areLong).toBe(true);
  expect(after(20).areLong).toBe(false);
  expect(after(1_000).areLong).toBe(true);
});

test('what counts is the mean, which a long one in many short ones makes long', () => {
  const short = Array.from({ length: 15 }, () => 20);
  expect(after(...short, 20).areLong).toBe(false);
  expect(after(...short, 60_000).areLong).toBe(true);
});

test('it follows what ends lately', () => {
  const long = Array.from({ length: 100 }, () => 10_000);
  const short = Array.from({ length: 60 }, () => 20);
  expect(after(...long, ...short).areLong).toBe(false);
  expect(after(...short, ...long).areLong).toBe(true);
});
