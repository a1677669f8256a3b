import { expect, test } from 'vitest';
import { DigestComparison } from '../../../src/chaos/digests.ts';
import type { FaultKind } from '../../../src/chaos/fault-kinds.ts';
import { type LinkFault, linkLine, linkRules } from '../../../src/chaos/links.ts';

const options = {
  everyMs: 0,
  delayMs: 50,
  jitterMs: 5,
  percent: 20,
  rate: 1_000,
  bytes: 0,
  jumpMs: 0,
  limitBytes: 0,
};
const fault = (kind: FaultKind, ...nodes: number[]): LinkFault => ({ kind, nodes, options });

/** `1>2` of every link that is cut. */
const cuts = (nodes: number, ...faults: LinkFault[]): string[] =>
  linkRules(nodes, faults)
    .filter(({ rule }) => rule.cut)
    .map(({ from, to }) => `${from}>${to}`);

test('an isolated node reaches nobody and is reached by nobody', () => {
  expect(cuts(3, fault('isolate', 2))).toEqual(['1>2', '2>1', '2>3', '3>2']);
});

test('two isolated nodes do not reach each other, the sides of a partition do', () => {
  expect(cuts(4, fault('isolate', 1, 2))).toContain('1>2');
  expect(cuts(4, fault('partition', 1, 2))).toEqual([
    ...['1>3', '1>4', '2>3', '2>4'],
    ...['3>1', '3>2', '4>1', '4>2'],
  ]);
});

test('one way is cut in one direction only', () => {
  expect(cuts(3, fault('oneWay', 2))).toEqual(['2>1', '2>3']);
});

test('a bridge reaches both halves, which do not reach each other', () => {
  expect(cuts(5, fault('bridge', 3))).toEqual([
    ...['1>4', '1>5', '2>4', '2>5'],
    ...['4>1', '4>2', '5>1', '5>2'],
  ]);
});

test('faults on one link add up', () => {
  const faults = [fault('delay', 1), fault('loss', 2), fault('slowLink', 1), fault('duplicate', 1)];
  const rule = linkRules(2, faults).find(({ from }) => from === 1)!.rule;
  expect(rule).toEqual({
    ...{ cut: false, delayMs: 50, jitterMs: 5, lossPercent: 20, doublePercent: 20, rate: 1_000 },
  });
  expect(linkLine(1, 2, rule)).toBe('link 1 2 0 50 5 20 20 1000');
});

test('a link that nothing hits has no rule', () => {
  expect(linkRules(3, [])).toEqual([]);
  expect(linkRules(3, [fault('delay', 1)]).map(({ from, to }) => [from, to])).toEqual([
    ...[
      [1, 2],
      [1, 3],
      [2, 1],
      [3, 1],
    ],
  ]);
});

const sample = (shard: number, applied: number, digest: string) => ({
  ...{ shard, applied, digest, leading: false, term: 1 },
});

test('replicas at one index with one state are level, at different indices not compared', () => {
  const comparison = new DigestComparison();
  comparison.add('n1', sample(1, 10, 'aa'));
  comparison.add('n2', sample(1, 11, 'bb'));
  expect([comparison.compared, comparison.isLevel('n2', 1)]).toEqual([0, false]);
  comparison.add('n1', sample(1, 11, 'bb'));
  expect([comparison.compared, comparison.isLevel('n1', 1)]).toEqual([1, true]);
  expect(comparison.isLevel('n2', 1)).toBe(true);
});

test('replicas at one index with two states diverge, told once for each shard', () => {
  const comparison = new DigestComparison();
  comparison.add('n1', sample(1, 10, 'aa'));
  comparison.add('n2', sample(1, 10, 'ab'));
  comparison.add('n3', sample(1, 10, 'ac'));
  expect(comparison.divergences).toEqual([{ shard: 1, applied: 10, nodes: ['n1', 'n2'] }]);
});

test('one replica that shows two states at one index diverges from itself', () => {
  const comparison = new DigestComparison();
  comparison.add('n1', sample(1, 10, 'aa'));
  comparison.add('n1', sample(1, 10, 'ab'));
  expect(comparison.divergences).toHaveLength(1);
});

test('level has to be seen again after a restart', () => {
  const comparison = new DigestComparison();
  comparison.add('n1', sample(1, 10, 'aa'));
  comparison.add('n2', sample(1, 10, 'aa'));
  comparison.restart();
  expect(comparison.isLevel('n1', 1)).toBe(false);
});
