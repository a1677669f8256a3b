/** The clock of a cap, which stands still while its attempt does. */
import { expect, test } from 'vitest';
import { CapClock } from '../../../src/worker/supervisor/cap-clock.ts';

test('a cap counts only what an attempt has run', () => {
  const cap = new CapClock(1_000, 100);
  expect(cap.endsAt).toBe(1_100);
  cap.stop(true, 600);
  cap.stop(true, 700);
  expect(cap.endsAt).toBe(Number.POSITIVE_INFINITY);
  cap.stop(false, 5_600);
  cap.stop(false, 9_000);
  expect(cap.endsAt).toBe(6_100);
});

test('another cap is over all that an attempt has run, 0 is none', () => {
  const cap = new CapClock(0, 100);
  expect(cap.endsAt).toBe(Number.POSITIVE_INFINITY);
  cap.change(50);
  expect(cap.endsAt).toBe(150);
  cap.stop(true, 120);
  cap.change(70);
  cap.stop(false, 220);
  expect(cap.endsAt).toBe(270);
});
