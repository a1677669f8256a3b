import { describe, expect, test } from 'vitest';
import { limits } from '../../../src/model/limits.ts';
import { readSpecDocument, writeSpecDocument } from '../../../src/model/spec-document.ts';
import { classOf, toleranceOf } from '../../../src/model/start-bound.ts';

describe('the delay tolerance', () => {
  test.each([
    [{}, limits.toleranceMsDefault],
    [{ toleranceMs: 5_000, expireMs: 9_000 }, 5_000],
    [{ expireMs: 9_000 }, 9_000],
    [{ periodMs: 3_600_000 }, 3_600_000],
    [{ periodMs: 3_600_000, expireMs: 60_000 }, 60_000],
    [{ periodMs: 3_600_000, toleranceMs: 7_200_000 }, 7_200_000],
  ])('of %j is %i', (terms, toleranceMs) => {
    expect(toleranceOf(terms)).toBe(toleranceMs);
  });
});

test('the class follows from what is left to the bound, and from where the task comes', () => {
  expect(classOf({}, 160_000, 100_000)).toBe('urgent');
  expect(classOf({}, 160_001, 100_000)).toBe('delayable');
  expect(classOf({ periodMs: 60_000 }, 160_001, 100_000)).toBe('periodic');
  expect(classOf({ periodMs: 60_000 }, 90_000, 100_000)).toBe('urgent');
});

const identity = { tenant: 'default', owner: 'ann' };
const read = (fields: object) => readSpecDocument({ command: ['true'], ...fields }, identity);

describe('what a document says of waiting', () => {
  test('is read and written', () => {
    const document = {
      tolerance: '30m',
      expire: '2h',
      priority: 'high',
      offPeak: true,
      window: ['sat,sun 00:00-24:00', '22:00-06:00'],
    };
    const reading = read(document);
    if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
    expect(reading.spec).toMatchObject({
      toleranceMs: 1_800_000,
      expireMs: 7_200_000,
      priority: 'high',
      offPeak: {
        byLoad: true,
        windows: [
          { days: 0b1100000, from: 0, to: 1_440 },
          { days: 0b1111111, from: 1_320, to: 360 },
        ],
      },
    });
    expect(writeSpecDocument(reading.spec)).toMatchObject(document);
  });

  test('that says what it is anyway asks for nothing', () => {
    const reading = read({ priority: 'normal', offPeak: false });
    if (!reading.ok) throw new Error('refused');
    expect([reading.spec.priority, reading.spec.offPeak]).toEqual([undefined, undefined]);
  });

  test.each([
    [{ tolerance: '-5m' }, '/tolerance', /duration such as/],
    [{ tolerance: -5 }, '/tolerance', /duration such as/],
    [{ tolerance: 0 }, '/tolerance', /from 1s to/],
    [{ expire: '10m', tolerance: '30m' }, '/expire', /before the start bound.*raise it, or lower/],
    [{ window: '10:00-10:00' }, '/window', /never opens.*write 00:00-24:00/],
    [{ window: ['22:00-06:00', 7] }, '/window/1', /such as "22:00-06:00"/],
    [{ window: [] }, '/window', /list of 1 to 16/],
    [{ priority: 'urgent' }, '/priority', /must be high, normal, low/],
    [{ offPeak: 'yes' }, '/offPeak', /must be true or false/],
  ])('%j is refused with place and remedy', (fields, pointer, message) => {
    const reading = read(fields);
    if (reading.ok) throw new Error('accepted');
    expect(reading.problems).toHaveLength(1);
    expect(reading.problems[0]).toMatchObject({ pointer });
    expect(reading.problems[0]?.message).toMatch(message);
  });
});
