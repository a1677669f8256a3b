import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatDuration, parseDuration } from '../../../src/model/time.ts';

const yearMs = 366 * 86_400_000;

describe('A duration', () => {
  test.each([
    ['0', 0],
    ['0s', 0],
    ['90', 90_000],
    ['250ms', 250],
    ['1.5s', 1_500],
    ['10m', 600_000],
    ['1h30m', 5_400_000],
    ['2d', 172_800_000],
    ['1w', 604_800_000],
    [' 5s ', 5_000],
    ['1s500ms', 1_500],
    ['0.001s', 1],
  ])('%j is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each(['', 's', '-1s', '1 s', '1x', '1S', '1e3', '.5s', '1.s', '0.0001s', '0.5ms', '١s'])(
    '%j is none',
    text => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );

  test('of more than 100 years is none, however it is written', () => {
    for (const text of ['36600d', '878400h', '3162240000']) {
      expect(parseDuration(text)).toBe(100 * yearMs);
    }
    for (const text of ['36601d', '3162240001', '999999999999', '100000w1ms']) {
      expect(parseDuration(text)).toBeUndefined();
    }
  });

  test('is written so that it reads the same again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100 * yearMs }), ms => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });

  test('is written short', () => {
    expect([0, 1, 999, 1_000, 61_000, 3_600_000, 90_061_001].map(formatDuration)).toEqual([
      '0s',
      '1ms',
      '999ms',
      '1s',
      '1m1s',
      '1h',
      '1d1h1m1s1ms',
    ]);
    expect(formatDuration(-5)).toBe('0s');
  });

  test('of any text is read or refused in no time', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 60, unit: fc.constantFrom(...'0123456789.msh d') }),
        text => {
          const ms = parseDuration(text);
          if (ms !== undefined) expect(Number.isSafeInteger(ms) && ms >= 0).toBe(true);
        },
      ),
    );
    expect(parseDuration('1s'.repeat(50_000))).toBe(50_000_000);
    expect(parseDuration(`${'1'.repeat(50_000)}x`)).toBeUndefined();
  });
});
