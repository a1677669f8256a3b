/** What a planner knows of tenants: of its own shards, and by the word of other leaders. */
import { expect, test } from 'vitest';
import { limits } from '../../../src/model/limits.ts';
import { noResources, resourceNames } from '../../../src/model/resources.ts';
import {
  leadersIn,
  type Placing,
  sharesOf,
  tenantsHere,
} from '../../../src/node/placement-policy.ts';
import type { ShardLeader } from '../../../src/node/shard-leader.ts';
import { cpus, demand, view } from '../placement/builders.ts';

const policy = { self: 'n1', offPeakLoadMax: () => 0.8, weightOf: () => 2 };
const cpu = resourceNames.indexOf('cpuMilli');

const leading = (held: Readonly<Record<string, number>>): ShardLeader =>
  ({
    machine: {
      uses: { held: () => Object.entries(held).map(([tenant, count]) => [tenant, cpus(count)]) },
    },
  }) as unknown as ShardLeader;

const placing = (tenant: string, count: number): Placing => ({
  tenant,
  node: 'n9',
  demand: demand(count),
});

const telling = (node: string, held: Readonly<Record<string, number>>, ageMs = 100) =>
  view(node, 4, {
    ageMs,
    advertisement: {
      tenants: Object.entries(held).map(([tenant, count]) => ({ tenant, held: cpus(count) })),
    },
  });

test('a tenant holds what runs and is on its way here, and what other leaders say', () => {
  const shareOf = sharesOf(
    [leading({ a: 1, b: 2 }), leading({ a: 4 })],
    [placing('a', 8)],
    // Its own word would count what it knows already, and an old one what has long ended.
    leadersIn(
      [
        telling('n1', { a: 13 }),
        telling('n2', { a: 3 }),
        telling('n3', { a: 4, c: 5 }),
        telling('n4', { b: 100 }, 5_001),
      ],
      policy.self,
    ),
    policy,
  );
  expect(shareOf('a').held[cpu]).toBe(13_000);
  expect(shareOf('a').elsewhere?.[cpu]).toBe(7_000);
  expect(shareOf('a').weight).toBe(2);
  expect(shareOf('b').held[cpu]).toBe(2_000);
  expect(shareOf('b').elsewhere).toEqual([]);
  expect(shareOf('c').held[cpu]).toBe(0);
  expect(shareOf('c').elsewhere?.[cpu]).toBe(5_000);
});

test('of very many tenants those are told that hold most', () => {
  const many = Array.from({ length: limits.advertisedTenantsMax + 10 }, (_, n) => [`t${n}`, n + 1]);
  const told = tenantsHere([leading(Object.fromEntries(many))], []);
  expect(told).toHaveLength(limits.advertisedTenantsMax);
  expect(Math.min(...told.map(({ held }) => held.cpuMilli))).toBe(11_000);
  expect(tenantsHere([leading({ a: 1 })], [placing('b', 2)])).toEqual([
    { tenant: 'a', held: { ...noResources, cpuMilli: 1_000 } },
    { tenant: 'b', held: { ...noResources, cpuMilli: 2_000 } },
  ]);
});
