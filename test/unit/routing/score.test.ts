import { expect, test } from 'vitest';
import { naturalLog, nodeHash, purposes, scoreOf } from '../../../src/routing/score.ts';

test('the logarithm agrees with the engine to 14 digits, where hashes are', () => {
  for (const value of [0.5 / 2 ** 32, 1e-6, 0.1, 0.5, 0.69, 0.7, 0.71, 0.999999, 1 - 2 ** -33]) {
    const exact = Math.log(value);
    expect(Math.abs(naturalLog(value) - exact)).toBeLessThanOrEqual(Math.abs(exact) * 1e-14);
  }
});

test('scores are these numbers on every machine and in every version', () => {
  const scores = ['a', 'b', 'c'].map(node => scoreOf(nodeHash(node), 7, 100, purposes.seat));
  expect(scores).toMatchInlineSnapshot(`
    [
      200.84344804525216,
      109.86305805757755,
      42.816167372426726,
    ]
  `);
});

test('a node wins in proportion to its weight', () => {
  const weights = new Map([
    ['a', 100],
    ['b', 200],
    ['c', 400],
  ]);
  const wins = new Map<string, number>();
  for (let group = 1; group <= 7_000; group++) {
    const [winner] = [...weights]
      .map(
        ([node, weight]) => [node, scoreOf(nodeHash(node), group, weight, purposes.seat)] as const,
      )
      .reduce((left, right) => (right[1] > left[1] ? right : left));
    wins.set(winner, (wins.get(winner) ?? 0) + 1);
  }
  expect(wins.get('a')).toBeGreaterThan(900);
  expect(wins.get('a')).toBeLessThan(1_100);
  expect(wins.get('c')).toBeGreaterThan(3_850);
  expect(wins.get('c')).toBeLessThan(4_150);
});

test('where replicas sit and who leads are drawn independently', () => {
  let both = 0;
  for (let group = 1; group <= 1_000; group++) {
    const top = (purpose: number): boolean =>
      scoreOf(nodeHash('a'), group, 1, purpose) > scoreOf(nodeHash('b'), group, 1, purpose);
    if (top(purposes.seat) === top(purposes.leader)) both += 1;
  }
  expect(both).toBeGreaterThan(420);
  expect(both).toBeLessThan(580);
});
