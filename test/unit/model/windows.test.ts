import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatWindow, isOpen, parseWindow, type Window } from '../../../src/model/windows.ts';

const windowOf = (text: string): Window => {
  const window = parseWindow(text);
  if (typeof window === 'string') throw new Error(window);
  return window;
};
const openAt = (text: string, instant: string): boolean =>
  isOpen([windowOf(text)], Date.parse(instant));

describe('a window', () => {
  test.each([
    // 2024-02-29 was a Thursday.
    ['22:00-06:00', '2024-02-29T22:00:00Z', true],
    ['22:00-06:00', '2024-03-01T05:59:59Z', true],
    ['22:00-06:00', '2024-03-01T06:00:00Z', false],
    ['thu 22:00-06:00', '2024-03-01T05:00:00Z', true],
    ['thu 22:00-06:00', '2024-02-29T05:00:00Z', false],
    ['sat,sun 00:00-24:00', '2024-03-02T00:00:00Z', true],
    ['sat,sun 00:00-24:00', '2024-03-03T23:59:59Z', true],
    ['sat,sun 00:00-24:00', '2024-03-04T00:00:00Z', false],
    ['fri-mon 10:00-11:00', '2024-03-04T10:30:00Z', true],
    ['fri-mon 10:00-11:00', '2024-03-05T10:30:00Z', false],
    ['sun 23:00-01:00', '2024-03-04T00:59:00Z', true],
    ['mon 00:00-24:00', '1970-01-05T12:00:00Z', true],
  ])('%s is open at %s: %s', (text, instant, open) => {
    expect(openAt(text, instant)).toBe(open);
  });

  test('of several is open while one of them is', () => {
    const windows = ['10:00-11:00', '12:00-13:00'].map(windowOf);
    const at = (time: string): boolean => isOpen(windows, Date.parse(`2024-01-01T${time}:00Z`));
    expect([at('10:30'), at('11:30'), at('12:30')]).toEqual([true, false, true]);
    expect(isOpen([], 0)).toBe(false);
  });

  test.each(['10:00-10:00', '24:00-06:00', '00:00-00:00'])('%s never opens', text => {
    expect(parseWindow(text)).toMatch(/never opens.*00:00-24:00/);
  });

  test.each([
    '',
    '10-11',
    '25:00-26:00',
    '10:60-11:00',
    'any 10:00-11:00',
    'mon-tue-wed 1:00-2:00',
  ])('%j is none', text => {
    expect(parseWindow(text)).toMatch(/such as "22:00-06:00"/);
  });

  test('is read as it was written', () => {
    const window = fc
      .record({
        days: fc.integer({ min: 1, max: 127 }),
        from: fc.nat(1_439),
        to: fc.nat(1_440),
      })
      .filter(({ from, to }) => from !== to);
    fc.assert(
      fc.property(window, given => {
        expect(windowOf(formatWindow(given))).toEqual(given);
      }),
    );
  });
});
