import { describe, expect, test } from 'vitest';
import type { Verdict } from '../../../src/model/planning.ts';
import { noResources } from '../../../src/model/resources.ts';
import { neverFits, sentence, verdicts } from '../../../src/placement/explain.ts';
import { cpus, demand, view } from './builders.ts';

describe('the verdict on a node', () => {
  const verdictOn = (...args: Parameters<typeof view>): Verdict | undefined =>
    verdicts(demand(2, { require: [['disk', 'ssd']] }), ['bad'], [view(...args)], 1_000)[0]
      ?.verdict;
  const ssd = { labels: [['disk', 'ssd']] as const };

  test('names the most lasting obstacle', () => {
    expect(verdictOn('a', 4, { ageMs: 9_000 })).toEqual({ kind: 'stale', ageMs: 9_000 });
    expect(verdictOn('a', 4, { advertisement: { incarnation: '' } })?.kind).toBe('noSupervisor');
    expect(verdictOn('a', 4, { advertisement: { draining: true } })?.kind).toBe('draining');
    expect(verdictOn('a', 4)).toEqual({ kind: 'label', name: 'disk', wanted: 'ssd' });
    const small = verdictOn('a', 1, { advertisement: ssd, coolDownUntilMs: 2_000 });
    expect(small).toEqual({ kind: 'never', name: 'cpuMilli', wanted: 2_000, total: 1_000 });
    expect(verdictOn('bad', 4, { advertisement: ssd })?.kind).toBe('avoided');
    const cooling = verdictOn('a', 4, { advertisement: ssd, coolDownUntilMs: 2_000 });
    expect(cooling).toEqual({ kind: 'coolDown', untilMs: 2_000 });
    const busy = verdictOn('a', 4, { advertisement: { ...ssd, free: cpus(1) } });
    expect(busy).toEqual({ kind: 'resource', name: 'cpuMilli', wanted: 2_000, free: 1_000 });
    const shares = [{ name: 'night', tenant: 'acme', left: cpus(3), used: noResources }];
    const keeps = verdictOn('a', 4, { shares, advertisement: { ...ssd, free: cpus(1) } });
    expect(keeps).toMatchObject({ kind: 'resource', free: 1_000, kept: 3_000 });
    const loaded = verdictOn('a', 4, { advertisement: { ...ssd, free: cpus(3) } });
    expect(loaded).toEqual({ kind: 'fits', load: 0.25 });
  });

  test.each([
    [{ kind: 'fits', load: 0.254 }, 'fits, load 25 %'],
    [{ kind: 'tier', has: 'basic' }, 'tier: is only basic'],
    [
      { kind: 'resource', name: 'cpuMilli', wanted: 4_000, free: 1_000 },
      'cpu: needs 4, has 1 free',
    ],
    [
      { kind: 'resource', name: 'cpuMilli', wanted: 4_000, free: 1_000, kept: 2_000 },
      'cpu: needs 4, has 1 free, and 2 kept for reservations',
    ],
    [
      { kind: 'never', name: 'memoryBytes', wanted: 2 ** 34, total: 2 ** 31 },
      'memory: needs 16GiB, has 2GiB in all',
    ],
    [{ kind: 'label', name: 'gpu', wanted: 'a100' }, 'label: is not gpu=a100'],
    [{ kind: 'coolDown', untilMs: 1 }, 'refused a task a moment ago, is asked again soon'],
    [{ kind: 'stale', ageMs: 12_340 }, 'silent: last heard of 12.3 s ago'],
    [{ kind: 'draining' }, 'drains: takes no new tasks'],
    [{ kind: 'avoided' }, 'avoided: an earlier attempt failed there'],
    [{ kind: 'noSupervisor' }, 'has no supervisor to run tasks now'],
  ] as [Verdict, string][])('%j reads as words', (verdict, text) => {
    expect(sentence(verdict)).toBe(text);
  });
});

describe('at submit', () => {
  const node = (count: number, tier: 'basic' | 'premium' = 'basic') => ({
    tier,
    total: { ...cpus(count), memoryBytes: 2 ** 30 },
    labels: [] as [string, string][],
  });

  test('a demand that fits some idle node, or an unknown cluster, is let in', () => {
    expect(neverFits(demand(4), [node(2), node(4)])).toEqual({ fits: true, message: '' });
    expect(neverFits(demand(400), []).fits).toBe(true);
    expect(neverFits(demand(400), [node(0)]).fits).toBe(true);
  });

  test('a refusal names the resource and the largest there is', () => {
    expect(neverFits(demand(32), [node(2), node(8)])).toEqual({
      fits: false,
      message: 'cpu: 32 asked for, the largest node has 8',
    });
    const premium = demand(4, { tier: 'premium' });
    expect(neverFits(premium, [node(8), node(2, 'premium')]).message).toBe(
      'cpu: 4 asked for, the largest node of tier premium or above has 2',
    );
  });

  test('a refusal names the tier or the label that no node has', () => {
    expect(neverFits(demand(1, { tier: 'premium' }), [node(8)]).message).toBe(
      'tier premium asked for, the highest of any node is basic',
    );
    const labelled = demand(1, { require: [['gpu', 'a100']] });
    expect(neverFits(labelled, [node(8)]).message).toBe('label: no node has gpu=a100');
  });

  test('resources that no single node has together are told', () => {
    const both = demand(0, { request: { ...noResources, cpuMilli: 4_000, memoryBytes: 2 ** 31 } });
    const nodes = [node(8), { ...node(1), total: { ...cpus(1), memoryBytes: 2 ** 32 } }];
    expect(neverFits(both, nodes).message).toBe('no single node has 4 cpu and 2GiB memory');
  });
});
