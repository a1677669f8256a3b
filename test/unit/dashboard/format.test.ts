import { expect, test } from 'vitest';
import { ago, count, cpus, instant, plural, size, span } from '../../../src/dashboard/format.ts';

test.each([
  [0, '0 ms'],
  [-5, '0 ms'],
  [999, '999 ms'],
  [1_250, '1.2 s'],
  [59_999, '59 s'],
  [192_000, '3 min 12 s'],
  [7_200_000, '2 h'],
  [90_000_000, '1 d 1 h'],
])('a span of %d ms reads %s', (ms, text) => {
  expect(span(ms)).toBe(text);
});

test('what a clock that is ahead says lies not in the future', () => {
  expect(ago(10_000, 9_000)).toBe('now');
  expect(ago(10_000, 14_999)).toBe('4 s ago');
  expect(ago(0, 192_000)).toBe('3 min 12 s ago');
});

test.each([
  [0, '0 B'],
  [1_023, '1023 B'],
  [1_536, '1.5 KiB'],
  [512 * 1024 ** 2, '512 MiB'],
  [8 * 1024 ** 5, '8192 TiB'],
])('%d bytes read %s', (bytes, text) => {
  expect(size(bytes)).toBe(text);
});

test('cpus, counts and words for them', () => {
  expect([2_000, 250, 1_999, -1].map(cpus)).toEqual(['2', '0.25', '2', '0']);
  expect(count(1_234_567)).toBe('1\u2009234\u2009567');
  expect([plural(1, 'shard'), plural(2, 'shard')]).toEqual(['1 shard', '2 shards']);
});

test('an instant has date, time and milliseconds', () => {
  expect(instant(1_795_221_438_501)).toMatch(/^2026-11-2\d \d\d:\d\d:\d\d\.501$/);
});
