/** What a leader leaves to the tasks of others, and what it tells of its own. */
import { expect, test } from 'vitest';
import type { WaitingHead } from '../../../src/model/advertisement.ts';
import { limits } from '../../../src/model/limits.ts';
import { type PlanInput, plan } from '../../../src/placement/plan.ts';
import { batch, cpus, demand, view } from './builders.ts';

/** Of a tenant that holds nothing, while `default` holds four CPUs. */
const head = (count: number, changes: Partial<WaitingHead> = {}): WaitingHead => ({
  tenant: 'poor',
  tier: 'basic',
  request: cpus(count),
  boundMs: 86_402_000,
  ...changes,
});

const planWith = (changes: Partial<PlanInput>) =>
  plan({
    batches: [batch(demand(1), 1)],
    nodes: [view('n', 4, { advertisement: { free: cpus(1) } })],
    nowMs: 2_000,
    maxPlacements: 100,
    seed: 1,
    headsElsewhere: [],
    shareOf: tenant => ({ held: [tenant === 'poor' ? 0 : 4_000], weight: 1 }),
    ...changes,
  });

test('room is left to a task elsewhere whose tenant is due more', () => {
  const made = planWith({ headsElsewhere: [head(1)] });
  expect(made.placements).toEqual([]);
  expect(made.blocked.map(({ reason }) => reason)).toEqual(['Priority']);
  // It is looked at again soon: nothing tells that the other did not come.
  expect(made.hasYielded).toBe(true);
  expect(planWith({}).placements).toHaveLength(1);
});

test('it is not left to one whose tenant is due less, nor to one that does not fit there', () => {
  const rich = head(1, { tenant: 'rich', boundMs: 5_000_000 });
  const shareOf = (tenant: string) => ({ held: [tenant === 'rich' ? 8_000 : 4_000], weight: 1 });
  expect(planWith({ headsElsewhere: [rich], shareOf }).placements).toHaveLength(1);
  expect(planWith({ headsElsewhere: [head(2)] }).placements).toHaveLength(1);
  const better = head(1, { tier: 'premium' });
  expect(planWith({ headsElsewhere: [better] }).placements).toHaveLength(1);
});

test('what is urgent elsewhere goes first, whoever it belongs to', () => {
  const shareOf = (tenant: string) => ({ held: [tenant === 'rich' ? 8_000 : 4_000], weight: 1 });
  const urgent = head(1, { tenant: 'rich', boundMs: 30_000 });
  expect(planWith({ headsElsewhere: [urgent], shareOf }).placements).toEqual([]);
});

test('of room for more than wait elsewhere the rest is taken, and nobody steps back by chance', () => {
  const nodes = [view('n', 4)];
  const batches = [batch(demand(1), 4)];
  for (let seed = 1; seed <= 20; seed++) {
    const headsElsewhere = [head(1), head(1)];
    // The two hold less than a CPU more each: they come before the third of this leader.
    const made = planWith({ nodes, batches, headsElsewhere, seed, crowd: 256 });
    expect(made.placements).toHaveLength(2);
  }
});

test('room that was told of long ago is left to nobody', () => {
  const free = { advertisement: { free: cpus(1) } };
  const nodes = [view('n', 4, { ...free, ageMs: 201 })];
  expect(planWith({ headsElsewhere: [head(1)], nodes }).placements).toHaveLength(1);
});

test('the others are told of what was not placed, tenants in turn, at most a few', () => {
  const nodes = [view('n', 4, { advertisement: { free: cpus(1) } })];
  const batches = [
    batch(demand(1), 20),
    batch(demand(1), 20, { tenant: 'poor', from: 20 }),
    batch(demand(1, { require: [['zone', 'a']] }), 1, { tenant: 'bound', from: 40 }),
  ];
  const shareOf = () => ({ held: [0], weight: 1 });
  const { heads = [], placements } = planWith({ nodes, batches, shareOf });
  expect(placements).toHaveLength(1);
  expect(heads).toHaveLength(limits.headsMax);
  // Where a label is required others cannot tell what fits.
  const tenants = heads.map(({ tenant }) => tenant);
  expect(new Set(tenants)).toEqual(new Set(['default', 'poor']));
  expect(tenants.filter(tenant => tenant === 'poor')).toHaveLength(limits.headsMax / 2);
});

test('nobody is told of a task that avoids a node: others would leave it room that it does not take', () => {
  const nodes = [view('n', 4, { advertisement: { free: cpus(0) } }), view('m', 4)];
  const batches = [batch(demand(3), 2, { avoid: ['m'] })];
  expect(planWith({ nodes, batches }).placements).toEqual([]);
  expect(planWith({ nodes, batches }).heads ?? []).toEqual([]);
});

test('nobody is told where no leader tells the others', () => {
  const batches = [batch(demand(1), 20)];
  expect(planWith({ batches }).heads).not.toBeUndefined();
  expect(planWith({ batches, headsElsewhere: undefined }).heads).toBeUndefined();
});

test('nobody is told of what was placed', () => {
  expect(planWith({}).heads).toBeUndefined();
});
