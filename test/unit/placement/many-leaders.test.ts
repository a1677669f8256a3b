/**
 * Many leaders, each with a task or none of each tenant: what they tell each other makes the shares
 * of the cluster fair, which no leader could see by itself.
 */
import { describe, expect, test } from 'vitest';
import { jainOf } from '../../../scripts/study/fairness.ts';
import type { TenantShare } from '../../../src/placement/order.ts';
import { plan } from '../../../src/placement/plan.ts';
import { createDraw } from '../../../src/placement/random.ts';
import { amountsOf } from '../../../src/placement/room.ts';
import { batch, cpus, demand, taskId, view } from './builders.ts';

const weights = { a: 4, b: 2, c: 1, d: 1 } as const;
type Tenant = keyof typeof weights;
const tenants = Object.keys(weights) as Tenant[];

const leaders = 32;
const nodes = 10;
const one = demand(1);

interface Running {
  readonly leader: number;
  readonly tenant: Tenant;
  readonly node: string;
  readonly endsAt: number;
}

const amounts = (count: number): readonly number[] => amountsOf({ request: cpus(count) });

/** A full cluster where all tenants wait with every leader: what each holds by its weight. */
function heldIn(turns: number, options: { readonly tellEvery: number | undefined }) {
  const draw = createDraw(1);
  let running: Running[] = [];
  let told: Running[] = [];
  const held = new Map<Tenant, number>(tenants.map(tenant => [tenant, 0]));
  const count = (of: readonly Running[], tenant: Tenant, isIn: (leader: number) => boolean) =>
    of.filter(task => task.tenant === tenant && isIn(task.leader)).length;
  for (let turn = 0; turn < turns; turn++) {
    running = running.filter(({ endsAt }) => endsAt > turn);
    if (options.tellEvery !== undefined && turn % options.tellEvery === 0) told = running;
    const first = Math.floor(draw() * leaders);
    for (let place = 0; place < leaders; place++) {
      const leader = (first + place) % leaders;
      const shareOf = (tenant: string): TenantShare => ({
        held: amounts(count(running, tenant as Tenant, of => of === leader)),
        elsewhere:
          options.tellEvery === undefined
            ? []
            : amounts(count(told, tenant as Tenant, of => of !== leader)),
        weight: weights[tenant as Tenant],
      });
      const { placements } = plan({
        batches: tenants.map((tenant, at) => batch(one, 2, { tenant, from: 2 * at })),
        nodes: Array.from({ length: nodes }, (_, at) => {
          const node = `n${at}`;
          const taken = running.filter(task => task.node === node).length;
          return view(node, 4, { advertisement: { free: cpus(4 - taken) } });
        }),
        nowMs: 2_000,
        // What is free goes to several leaders.
        maxPlacements: 1,
        seed: Math.floor(draw() * 2 ** 32),
        shareOf,
      });
      for (const { tenant, node } of placements) {
        const endsAt = turn + 1 + Math.floor(draw() * 20);
        running.push({ leader, tenant: tenant as Tenant, node, endsAt });
      }
    }
    if (turn < turns / 4) continue;
    for (const { tenant } of running) held.set(tenant, held.get(tenant)! + 1);
  }
  return tenants.map(tenant => held.get(tenant)! / weights[tenant]);
}

describe('leaders with few tasks each', () => {
  test('serve tenants by weight where they tell each other, every few turns', () => {
    expect(jainOf(heldIn(200, { tellEvery: 4 }))).toBeGreaterThan(0.97);
  });

  test('could not by what they know themselves', () => {
    expect(jainOf(heldIn(200, { tellEvery: undefined }))).toBeLessThan(0.9);
  });
});

test('of two that hold about the same elsewhere, the one with less is served more often', () => {
  const elsewhere: Readonly<Record<string, number>> = { a: 10, b: 12 };
  let ofA = 0;
  for (let seed = 0; seed < 200; seed++) {
    const { placements } = plan({
      batches: [batch(one, 1, { tenant: 'b', from: 1 }), batch(one, 1, { tenant: 'a', from: 2 })],
      nodes: [view('n', 1)],
      nowMs: 2_000,
      maxPlacements: 1,
      seed,
      shareOf: tenant => ({ held: [], elsewhere: amounts(elsewhere[tenant]!), weight: 1 }),
    });
    if (placements[0]?.taskId === taskId(2)) ofA++;
  }
  // 10 x < 12 y, for x and y from 0.75 to 1.25, in about four of five cases.
  expect(ofA).toBeGreaterThan(140);
  expect(ofA).toBeLessThan(185);
});
