/** What a registration says of its program, and what the setting says of the cluster. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  clusterVersions,
  ownClusterVersion,
  readClusterVersion,
  readVersionText,
  versionTextOf,
} from '../../../src/model/cluster-version.ts';

test('a version that was given a number keeps it', () => {
  expect(clusterVersions[0]).toBe('all that the first program reads');
  expect(ownClusterVersion).toBe(clusterVersions.length);
  expect(ownClusterVersion).toBeGreaterThanOrEqual(2);
});

test('a version text is read as it was written', () => {
  expect(versionTextOf('0.1.0', 2)).toBe('0.1.0+cluster.2');
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 1, max: 999_999 }), (program, clusterVersion) => {
      fc.pre(!/[\n\r\u2028\u2029]/.test(program));
      const text = versionTextOf(program, clusterVersion);
      expect(readVersionText(text)).toEqual({ program, clusterVersion });
    }),
  );
});

test.each(['0.1.0', '', '0.1.0+cluster.', '0.1.0+cluster.0', '+cluster.x', '1+cluster.9999999'])(
  'a program that says no number is of version 1: %j',
  text => {
    expect(readVersionText(text)).toEqual({ program: text, clusterVersion: 1 });
  },
);

test.each([
  [undefined, 1],
  ['', 1],
  ['x', 1],
  ['0', 1],
  ['2', 2],
  ['17', 17],
])('the setting %j is version %i', (value, version) => {
  expect(readClusterVersion(value)).toBe(version);
});
