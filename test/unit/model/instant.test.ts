/** Instants as people write them, held against the calendar of the language. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  daysInMonth,
  formatInstant,
  parseInstant,
  parseLocalTime,
  writtenInstantMaxMs,
} from '../../../src/model/instant.ts';

describe('an instant', () => {
  test('is read with an offset, in UTC without one, and as a date alone', () => {
    const morning = Date.UTC(2027, 0, 31, 9, 30);
    for (const text of [
      '2027-01-31T09:30:00Z',
      '2027-01-31T09:30',
      '2027-01-31 09:30Z',
      '2027-01-31T10:30+01:00',
      '2027-01-31T04:00:00-0530',
      '2027-01-31T09:30:00.000Z',
    ]) {
      expect([text, parseInstant(text)]).toEqual([text, morning]);
    }
    expect(parseInstant('2028-02-29')).toBe(Date.UTC(2028, 1, 29));
  });

  test.each([
    ...['', 'tomorrow', '2027-02-29', '2027-13-01', '2027-00-10', '2027-01-32', '1969-12-31'],
    ...['2027-01-31T24:00', '2027-01-31T09:60', '2027-01-31T09:30+24:00', '2100-02-29', '20270131'],
  ])('is not read from "%s"', text => {
    expect(parseInstant(text)).toBeUndefined();
  });

  test('is written and read as the language does it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: writtenInstantMaxMs }), ms => {
        const text = new Date(ms).toISOString();
        expect(parseInstant(text)).toBe(ms);
        expect(formatInstant(ms)).toBe(text.replace('.000Z', 'Z'));
      }),
    );
  });

  test('of a wall has no offset', () => {
    const local = { year: 2027, month: 1, day: 31, hour: 9, minute: 30, second: 0 };
    expect(parseLocalTime('2027-01-31T09:30')).toEqual(local);
    expect(parseLocalTime('2027-01-31T09:30Z')).toBeUndefined();
  });

  test('months are as long as they are', () => {
    const february = [1900, 2000, 2027, 2028].map(year => daysInMonth(year, 2));
    expect(february).toEqual([28, 29, 28, 29]);
    const months = Array.from({ length: 12 }, (_, at) => daysInMonth(2027, at + 1));
    expect(months).toEqual([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]);
  });
});
