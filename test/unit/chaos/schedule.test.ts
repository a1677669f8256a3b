import { describe, expect, test } from 'vitest';
import { makeDraw } from '../../../src/chaos/draw.ts';
import type { Scenario } from '../../../src/chaos/scenario.ts';
import { readScenario } from '../../../src/chaos/scenario-reading.ts';
import { planFaults } from '../../../src/chaos/schedule.ts';
import { chooseNodes, minorityOf, parseTarget } from '../../../src/chaos/target.ts';

function scenarioOf(random: Record<string, unknown>, faults: unknown[] = []): Scenario {
  const reading = readScenario({ name: 'mine', cluster: { nodes: 5 }, faults, random });
  if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
  return reading.scenario;
}

describe('a schedule from a seed', () => {
  const kinds = ['kill', 'pause', 'isolate', 'partition', 'restart'];
  const scenario = scenarioOf({ until: '10m', every: '3s', atOnce: 2, kinds });

  test('is the same for the same seed, and another one for another', () => {
    expect(planFaults(scenario, 7)).toEqual(planFaults(scenario, 7));
    expect(planFaults(scenario, 7)).not.toEqual(planFaults(scenario, 8));
  });

  test('keeps to its time, its lengths, its kinds and its bound on faults at once', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const faults = planFaults(scenario, seed);
      expect(faults.length).toBeGreaterThan(50);
      for (const fault of faults) {
        expect(kinds).toContain(fault.kind);
        expect(fault.atMs).toBeGreaterThanOrEqual(5_000);
        expect(fault.atMs + fault.forMs).toBeLessThanOrEqual(600_000);
        expect(fault.forMs).toBeLessThanOrEqual(8_000);
        const others = faults.filter(
          one => one !== fault && one.atMs <= fault.atMs && one.atMs + one.forMs >= fault.atMs,
        );
        expect(others.length).toBeLessThan(2);
        const cut = ['isolate', 'partition'];
        if (cut.includes(fault.kind))
          expect(others.filter(one => cut.includes(one.kind))).toEqual([]);
      }
    }
  });

  test('stands beside the faults of the scenario, in the order of time', () => {
    const both = scenarioOf({ until: '1m', kinds }, [{ at: '30s', kind: 'wipe', target: 'n1' }]);
    const faults = planFaults(both, 1);
    expect(faults.map(fault => fault.number)).toEqual(faults.map((_, place) => place + 1));
    expect(faults.filter(fault => !fault.drawn).map(fault => fault.kind)).toEqual(['wipe']);
    expect(faults.map(fault => fault.atMs)).toEqual(
      faults.map(fault => fault.atMs).toSorted((left, right) => left - right),
    );
  });
});

describe('a target', () => {
  const leaders = new Map([
    [1, 3],
    [2, 2],
    [3, 3],
    [4, 5],
  ]);
  const view = { nodes: 5, whole: [1, 2, 4, 5], leaders };
  const choose = (text: string, seed = 1): number[] =>
    chooseNodes(parseTarget(text)!, view, makeDraw(seed));

  test('names nodes, the leader of a shard, or whoever leads most', () => {
    expect(choose('n2')).toEqual([2]);
    expect(choose('n1, n3')).toEqual([1, 3]);
    expect(choose('leader of 4')).toEqual([5]);
    expect(choose('leader')).toEqual([3]);
    expect(choose('all')).toEqual([1, 2, 3, 4, 5]);
  });

  test('of nobody is nobody', () => {
    expect(choose('leader of 9')).toEqual([]);
    const nobody = { nodes: 3, whole: [], leaders: new Map() };
    expect(chooseNodes({ of: 'random', count: 2 }, nobody, makeDraw(1))).toEqual([]);
  });

  test('at random is drawn from the nodes that are whole, each at most once', () => {
    const seen = new Set<number>();
    for (let seed = 0; seed < 50; seed++) {
      const chosen = choose('random 2', seed);
      expect(new Set(chosen).size).toBe(2);
      for (const node of chosen) seen.add(node);
    }
    expect([...seen].sort()).toEqual([1, 2, 4, 5]);
  });

  test('as a minority or majority is as large as that', () => {
    expect([1, 2, 3, 4, 5, 7].map(minorityOf)).toEqual([0, 0, 1, 1, 2, 3]);
    expect(choose('minority')).toHaveLength(2);
    expect(choose('majority')).toHaveLength(3);
  });

  test.each(['', 'n', 'leader 3', 'random x', 'n1;n2', 'most'])('is not %j', text => {
    expect(parseTarget(text)).toBeUndefined();
  });
});

test('draws lie below their bound and reach all of it', () => {
  const draw = makeDraw(5, 9);
  const counts = new Array<number>(10).fill(0);
  for (let turn = 0; turn < 2_000; turn++) counts[draw(10)]!++;
  expect(Math.min(...counts)).toBeGreaterThan(120);
});
