import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatTaskId,
  idLength,
  parseTaskId,
  shortId,
  shortIdLength,
  slotCount,
  slotOfId,
  type TaskId,
  type TaskIdParts,
  timeOfId,
  toTaskId,
} from '../../../src/model/ids.ts';

const parts: fc.Arbitrary<TaskIdParts> = fc.record({
  atMs: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
  slot: fc.integer({ min: 0, max: slotCount - 1 }),
  random: fc.integer({ min: 0, max: 2 ** 40 - 1 }),
});

describe('A task ID', () => {
  test('is these bytes for ever', () => {
    expect(formatTaskId({ atMs: 0, slot: 0, random: 0 })).toBe('00000000000000000000');
    expect(formatTaskId({ atMs: 2 ** 48 - 1, slot: 4095, random: 2 ** 40 - 1 })).toBe(
      'zzzzzzzzzzzzzzzzzzzz',
    );
    expect(formatTaskId({ atMs: 1_700_000_000_000, slot: 1_029, random: 77 })).toBe(
      '065wzsb801050000002d',
    );
  });

  test('gives back its parts', () => {
    fc.assert(
      fc.property(parts, given => {
        const id = formatTaskId(given);
        expect(id).toMatch(/^[0-9a-hjkmnp-tv-z]{20}$/);
        expect(parseTaskId(id)).toEqual(given);
      }),
    );
  });

  test('sorts by time, then slot, then random part', () => {
    fc.assert(
      fc.property(parts, parts, (left, right) => {
        const byParts =
          left.atMs - right.atMs || left.slot - right.slot || left.random - right.random;
        const [a, b] = [formatTaskId(left), formatTaskId(right)];
        expect(Math.sign(byParts)).toBe(a < b ? -1 : a > b ? 1 : 0);
      }),
    );
  });

  test('that is none has slot 0 and no instant', () => {
    for (const text of ['', 'uuuuuuuuuuuuuuuuuuuu', 'ZZZZZZZZZZZZZZZZZZZZ', '\u0130'.repeat(20)]) {
      expect(slotOfId(text as TaskId)).toBe(0);
      expect(timeOfId(text as TaskId)).toBeNaN();
    }
  });

  test('says its slot without being parsed', () => {
    fc.assert(
      fc.property(parts, given => {
        expect(slotOfId(formatTaskId(given))).toBe(given.slot);
        expect(timeOfId(formatTaskId(given))).toBe(given.atMs);
      }),
    );
  });

  test('may be typed in upper case, with o for 0 and i or l for 1', () => {
    const id = formatTaskId({ atMs: 1, slot: 33, random: 32 });
    expect(toTaskId(id.toUpperCase())).toBe(id);
    expect(toTaskId(id.replaceAll('0', 'o'))).toBe(id);
    expect(toTaskId(id.replaceAll('0', 'O').replaceAll('1', 'I'))).toBe(id);
    expect(toTaskId(id.replaceAll('1', 'l'))).toBe(id);
  });

  test.each([
    '',
    '0',
    '0'.repeat(19),
    '0'.repeat(21),
    `${'0'.repeat(19)}u`,
    `${'0'.repeat(19)}-`,
    `${'0'.repeat(19)} `,
    `${'0'.repeat(19)}İ`,
    `${'0'.repeat(18)}😀`,
  ])('is not %j', text => {
    expect(parseTaskId(text)).toBeUndefined();
    expect(toTaskId(text)).toBeUndefined();
  });

  test('is refused from any text that is not one, without throwing', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 24, unit: 'binary' }), text => {
        const id = toTaskId(text);
        if (id !== undefined) expect(id).toHaveLength(idLength);
      }),
    );
  });

  test('is not made from parts out of range', () => {
    const good = { atMs: 1, slot: 1, random: 1 };
    for (const bad of [
      { atMs: -1 },
      { atMs: 2 ** 48 },
      { atMs: 1.5 },
      { slot: -1 },
      { slot: slotCount },
      { random: -1 },
      { random: 2 ** 40 },
      { random: Number.NaN },
    ]) {
      expect(() => formatTaskId({ ...good, ...bad })).toThrow('out of range');
    }
  });

  test('has a short form, its last characters', () => {
    const id = formatTaskId({ atMs: 5, slot: 6, random: 7 });
    expect(shortId(id)).toHaveLength(shortIdLength);
    expect(id.endsWith(shortId(id))).toBe(true);
  });
});
