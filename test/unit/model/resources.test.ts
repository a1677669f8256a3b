import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addResources,
  firstShortage,
  formatSize,
  noResources,
  parseCpu,
  parseSize,
  type Resources,
  resourceNames,
  subtractResources,
  tierDefaults,
  tierRank,
  tiers,
} from '../../../src/model/resources.ts';

const amount = fc.integer({ min: 0, max: 2 ** 40 });
const resources: fc.Arbitrary<Resources> = fc.record({
  cpuMilli: amount,
  memoryBytes: amount,
  diskBytes: amount,
  iops: amount,
  bandwidth: amount,
  ports: amount,
});

describe('Resources', () => {
  test('are added and taken away, each by itself', () => {
    fc.assert(
      fc.property(resources, resources, (left, right) => {
        const sum = addResources(left, right);
        for (const name of resourceNames) expect(sum[name]).toBe(left[name] + right[name]);
        expect(subtractResources(sum, right)).toEqual(left);
        expect(firstShortage(left, sum)).toBeUndefined();
      }),
    );
  });

  test('fall short by the first that is wanted beyond what is free', () => {
    const free = { ...noResources, cpuMilli: 10, ports: 1 };
    expect(firstShortage(noResources, free)).toBeUndefined();
    expect(firstShortage(free, free)).toBeUndefined();
    expect(firstShortage({ ...free, ports: 2, iops: 1 }, free)).toBe('iops');
    for (const name of resourceNames) {
      expect(firstShortage({ ...noResources, [name]: 1 }, noResources)).toBe(name);
    }
  });

  test('of a tier grow with its rank', () => {
    expect(tiers.map(tierRank)).toEqual([0, 1, 2]);
    for (const [lower, higher] of [
      ['basic', 'regular'],
      ['regular', 'premium'],
    ] as const) {
      expect(firstShortage(tierDefaults[lower], tierDefaults[higher])).toBeUndefined();
      expect(firstShortage(tierDefaults[higher], tierDefaults[lower])).toBeDefined();
    }
  });
});

describe('A size', () => {
  test.each([
    ['0', 0],
    ['1024', 1_024],
    ['1B', 1],
    ['1kB', 1_000],
    ['100MB', 100_000_000],
    ['1K', 1_024],
    ['512MiB', 536_870_912],
    ['1.5GiB', 1_610_612_736],
    ['4 GiB', 4_294_967_296],
    ['2TiB', 2_199_023_255_552],
  ])('%j is %d bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each([
    '',
    'MiB',
    '-1',
    '1XB',
    '1mib',
    '1.GiB',
    '1e9',
    '0x10',
    '9007199254740993',
    '9000000TiB',
  ])('%j is none', text => {
    expect(parseSize(text)).toBeUndefined();
  });

  test('is written in the largest unit that it fills', () => {
    expect([0, 1_023, 1_024, 1_536, 512 * 1_024 ** 2, 3 * 1_024 ** 4].map(formatSize)).toEqual([
      '0B',
      '1023B',
      '1KiB',
      '1.5KiB',
      '512MiB',
      '3TiB',
    ]);
  });

  test('is written so that it reads nearly the same again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 50 }), bytes => {
        const again = parseSize(formatSize(bytes))!;
        expect(Math.abs(again - bytes)).toBeLessThanOrEqual(bytes * 0.05);
      }),
    );
  });
});

describe('A number of CPUs', () => {
  test.each([
    ['2', 2_000],
    ['0.5', 500],
    ['0.001', 1],
    ['250m', 250],
    [' 1 ', 1_000],
    ['1.1', 1_100],
  ])('%j is %d thousandths', (text, milli) => {
    expect(parseCpu(text)).toBe(milli);
  });

  test.each(['', 'm', '-1', '1.5m', '0.0001', '1e3', 'two', '1234567'])('%j is none', text => {
    expect(parseCpu(text)).toBeUndefined();
  });
});
