/** When a node takes its work to be over, by the share of a core that it uses. */
import { expect, test } from 'vitest';
import { WorkWatch } from '../../../cli/quiet-memory.ts';

const looks = (...shares: readonly number[]): boolean[] => {
  const watch = new WorkWatch();
  return shares.map(share => watch.isOver(share));
};

test('work is over once, when the node is quiet after it', () => {
  expect(looks(0.9, 0.7, 0.1, 0.05)).toEqual([false, false, true, false]);
  expect(looks(1.8, 0.2, 0.6, 0.2)).toEqual([false, true, false, true]);
});

test('it is not over while less is done, but not little', () => {
  expect(looks(0.9, 0.4, 0.3, 0.25)).toEqual([false, false, false, true]);
});

test('a node that never works hard is left alone', () => {
  expect(looks(0.1, 0.4, 0.49, 0.1, 0)).toEqual([false, false, false, false, false]);
});
