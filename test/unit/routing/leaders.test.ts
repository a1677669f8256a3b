import { describe, expect, test } from 'vitest';
import {
  preferredLeader,
  shouldTransfer,
  type TransferInput,
  transferTarget,
} from '../../../src/routing/leaders.ts';

const all = new Set(['a', 'b', 'c']);

describe('the preferred leader', () => {
  test('does not depend on the order of voters, and is up', () => {
    for (let group = 0; group < 50; group++) {
      const preferred = preferredLeader(group, ['a', 'b', 'c'], all);
      expect(preferredLeader(group, ['c', 'a', 'b'], all)).toBe(preferred);
      const others = new Set([...all].filter(node => node !== preferred));
      expect(others).toContain(preferredLeader(group, ['a', 'b', 'c'], others));
    }
    expect(preferredLeader(1, ['a'], new Set())).toBeUndefined();
  });
});

describe('a leader hands over', () => {
  const input: TransferInput = {
    self: 'a',
    preferred: 'b',
    leadersOn: new Map([
      ['a', 5],
      ['b', 4],
    ]),
    lag: 64,
    recentlyActive: true,
    steady: true,
    sinceTransferMs: Number.POSITIVE_INFINITY,
    transferring: 0,
  };

  test('to the preferred one that leads fewer groups and is close behind', () => {
    expect(shouldTransfer(input)).toBe(true);
  });

  test.each([
    ['it is preferred itself', { preferred: 'a' }],
    ['nobody is preferred', { preferred: undefined }],
    [
      'the other leads as many',
      {
        leadersOn: new Map([
          ['a', 4],
          ['b', 4],
        ]),
      },
    ],
    ['the other is behind', { lag: 65 }],
    ['the other is silent', { recentlyActive: false }],
    ['the other failed lately', { steady: false }],
    ['the group was handed over lately', { sinceTransferMs: 59_999 }],
    ['two are under way', { transferring: 2 }],
  ] as [string, Partial<TransferInput>][])('not where %s', (_why, changes) => {
    expect(shouldTransfer({ ...input, ...changes })).toBe(false);
  });
});

test('leaders of 64 groups that all start on one node end up spread, and then rest', () => {
  const voters = ['a', 'b', 'c'];
  const leaders = new Map(Array.from({ length: 64 }, (_, group) => [group, 'a']));
  const leadersOn = new Map([['a', 64]]);
  let transfers = 0;
  for (let moved = true; moved; ) {
    moved = false;
    for (const [group, self] of leaders) {
      const target = transferTarget(group, voters, all, self, leadersOn);
      if (target === undefined) continue;
      leaders.set(group, target);
      leadersOn.set(self, (leadersOn.get(self) ?? 0) - 1);
      leadersOn.set(target, (leadersOn.get(target) ?? 0) + 1);
      moved = true;
      transfers += 1;
      expect(transfers).toBeLessThan(200);
    }
  }
  for (const node of voters) {
    expect(leadersOn.get(node)).toBeGreaterThanOrEqual(20);
    expect(leadersOn.get(node)).toBeLessThanOrEqual(23);
  }
});
