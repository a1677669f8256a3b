import { describe, expect, test } from 'vitest';
import type { NodeView, Plan } from '../../../src/model/planning.ts';
import { Crowd } from '../../../src/placement/crowd.ts';
import { plan } from '../../../src/placement/plan.ts';
import { batch, cpus, demand, taskId, view } from './builders.ts';

describe('a crowd', () => {
  test('is nobody until a worker refuses, and grows with each that does', () => {
    const crowd = new Crowd();
    for (let n = 0; n < 10; n++) crowd.accepted(n);
    expect(crowd.size(10)).toBe(1);
    const sizes = Array.from({ length: 4 }, () => {
      crowd.refused(10);
      return crowd.size(10);
    });
    expect(sizes).toEqual([2, 3, 5, 9]);
    for (let n = 0; n < 100; n++) crowd.refused(10);
    expect(crowd.size(10)).toBe(256);
  });

  test('is lost with acceptances, so that about one in ten is refused in the end', () => {
    const crowd = new Crowd();
    // Refused is who looks for less room than ten others need.
    let refusals = 0;
    for (let n = 0; n < 1_000; n++) {
      if (crowd.size(n) >= 10) crowd.accepted(n);
      else {
        crowd.refused(n);
        refusals++;
      }
    }
    expect(refusals).toBeGreaterThan(50);
    expect(refusals).toBeLessThan(150);
  });

  test('is forgotten with time', () => {
    const crowd = new Crowd();
    for (let n = 0; n < 20; n++) crowd.refused(0);
    expect(crowd.size(10_000)).toBe(128);
    expect(crowd.size(120_000)).toBe(1);
  });
});

describe('a plan in a crowd', () => {
  const premium = { advertisement: { tier: 'premium' as const } };
  const nodes: NodeView[] = [
    view('basic', 4, { advertisement: { free: cpus(2) } }),
    ...Array.from({ length: 6 }, (_, n) => view(`premium-${n}`, 4, premium)),
  ];
  const firstOf = (crowd: number | undefined, seed: number): string | undefined => {
    const made: Plan = plan({
      batches: [batch(demand(1), 1)],
      nodes,
      nowMs: 2_000,
      maxPlacements: 10,
      seed,
      crowd,
    });
    return made.placements[0]?.node;
  };

  test.each([undefined, 1, 2])('of %s still takes the lowest tier that has room for it', crowd => {
    for (let seed = 0; seed < 50; seed++) expect(firstOf(crowd, seed)).toBe('basic');
  });

  test('draws from better tiers too where the lowest has less room than it needs', () => {
    const drawn = Array.from({ length: 200 }, (_, seed) => firstOf(10, seed));
    // Room for 2 there and for 24 elsewhere: each in its proportion.
    const basic = drawn.filter(node => node === 'basic').length;
    expect(basic).toBeGreaterThan(2);
    expect(basic).toBeLessThan(40);
    expect(new Set(drawn).size).toBe(7);
  });

  const lastRoom = (crowd: number, seed: number, boundMs?: number): Plan =>
    plan({
      batches: [batch(demand(1), 3, boundMs === undefined ? {} : { boundMs })],
      nodes: [view('basic', 2)],
      nowMs: 2_000,
      maxPlacements: 10,
      seed,
      crowd,
    });

  test('leaves less room than it needs to others, as often as not all can have it', () => {
    const plans = Array.from({ length: 400 }, (_, seed) => lastRoom(20, seed));
    const took = plans.filter(({ placements }) => placements.length > 0);
    // Two of twenty.
    expect(took.length).toBeGreaterThan(20);
    expect(took.length).toBeLessThan(70);
    for (const made of plans) expect(made.hasYielded).toBe(made.placements.length === 0);
    const [yielded] = plans.filter(made => made.hasYielded);
    expect(yielded?.blocked.map(({ reason }) => reason)).toEqual(['Priority']);
  });

  test('that leaves room to others for five seconds has it kept, and then takes it', () => {
    const tasks = batch(demand(1), 3);
    const at = (waitedMs: number, claimsBefore: Plan['claims'], seed: number): Plan =>
      plan({
        batches: [tasks],
        nodes: [view('basic', 2), view('other', 2, { coolDownUntilMs: 20_000 })],
        nowMs: 1_000 + waitedMs,
        maxPlacements: 10,
        seed,
        crowd: 256,
        claimsBefore,
      });
    const seeds = Array.from({ length: 20 }, (_, seed) => seed);
    const yields = (waitedMs: number): Plan => {
      const found = seeds.map(seed => at(waitedMs, [], seed)).find(made => made.hasYielded);
      expect(found).toBeDefined();
      return found!;
    };
    expect(yields(4_000).claims).toEqual([]);
    const { claims } = yields(5_000);
    const { boundMs } = tasks.tasks[0]!;
    expect(claims).toEqual([
      { node: 'basic', request: cpus(1), tenant: 'default', urgent: false, boundMs },
    ]);
    for (const seed of seeds) {
      // The one for which it is kept; the others yield again.
      expect(at(5_010, claims, seed).placements.map(one => one.taskId)).toEqual([taskId(0)]);
    }
    const elsewhere = seeds.filter(
      seed => at(5_010, [{ ...claims[0]!, node: 'other' }], seed).placements.length === 0,
    );
    expect(elsewhere.length).toBeGreaterThan(15);
  });

  test('is none for what is urgent, which takes the last room there is', () => {
    for (let seed = 0; seed < 20; seed++) {
      expect(lastRoom(256, seed, 30_000).placements).toHaveLength(2);
    }
  });
});
