/** Room that is kept for a large task: what may use it meanwhile, and what may not. */
import { describe, expect, test } from 'vitest';
import { limits } from '../../../src/model/limits.ts';
import { resourceNames } from '../../../src/model/resources.ts';
import { claimAfterMs, type Running } from '../../../src/placement/claims.ts';
import { plan } from '../../../src/placement/plan.ts';
import { batch, cpus, demand, taskId, view } from './builders.ts';

const nowMs = 1_000_000;

const runs = (count: number, forMs: number): Running => ({
  amounts: resourceNames.map(name => cpus(count)[name]),
  endsMs: nowMs + forMs,
});

/** Which tasks a node of four CPUs is given beside an urgent one that needs all of them. */
function placedBeside(free: number, running: readonly Running[], capMs = 0): string[] {
  const large = batch(demand(4), 1, { readySinceMs: nowMs, boundMs: nowMs + 30_000 });
  const small = batch(demand(1), 1, { from: 10, readySinceMs: nowMs, capMs });
  const nodes = [view('a', 4, { advertisement: { free: cpus(free) } })];
  const input = { batches: [large, small], nodes, nowMs, maxPlacements: 100, seed: 1 };
  const made = plan({ ...input, running: () => running });
  expect(made.claims).toHaveLength(1);
  return made.placements.map(({ taskId: id }) => id);
}

test('a small task is lent the room only where its cap ends before it is needed', () => {
  const busy = [runs(3, 25_000)];
  expect(placedBeside(1, busy)).toEqual([]);
  expect(placedBeside(1, busy, 5_000)).toEqual([taskId(10)]);
  expect(placedBeside(1, busy, 24_000)).toEqual([]);
});

test('what ended on the node and not yet for the leader is not counted as free twice', () => {
  // The node says that one CPU is free: that of the task which the leader thinks has 4 s to go.
  expect(placedBeside(1, [runs(1, 4_000), runs(3, 25_000)])).toEqual([]);
});

describe('room that another leader keeps for a task that can wait', () => {
  const claim = {
    node: 'a',
    request: cpus(4),
    tenant: 'theirs',
    urgent: false,
    boundMs: 9_000_000,
  };
  /** Whether a small task of `ours` takes what is free on the only node. */
  function takes(
    held: { readonly theirs: number; readonly ours: number },
    changes: { readonly boundMs?: number; readonly tenant?: string } = {},
  ): boolean {
    const { placements } = plan({
      batches: [batch(demand(1), 1, { tenant: 'ours', boundMs: 9_500_000, ...changes })],
      nodes: [view('a', 4, { advertisement: { free: cpus(1) } })],
      nowMs,
      maxPlacements: 10,
      seed: 1,
      foreignClaims: [claim],
      shareOf: tenant => ({
        held: resourceNames.map(name => cpus(tenant === 'ours' ? held.ours : held.theirs)[name]),
        weight: 1,
      }),
    });
    return placements.length === 1;
  }

  test('is left to it where its tenant holds less, whatever the bounds', () => {
    expect(takes({ theirs: 1, ours: 2 })).toBe(false);
    expect(takes({ theirs: 1, ours: 2 }, { boundMs: 8_000_000 })).toBe(false);
  });

  test('is taken by a tenant that holds less still', () => {
    expect(takes({ theirs: 2, ours: 1 })).toBe(true);
  });

  test('goes by the bounds within a tenant, and between tenants that hold the same', () => {
    expect(takes({ theirs: 2, ours: 2 })).toBe(false);
    expect(takes({ theirs: 2, ours: 2 }, { boundMs: 8_000_000 })).toBe(true);
    expect(takes({ theirs: 1, ours: 1 }, { tenant: 'theirs' })).toBe(false);
    expect(takes({ theirs: 1, ours: 1 }, { tenant: 'theirs', boundMs: 8_000_000 })).toBe(true);
  });

  test('is taken by what is urgent', () => {
    expect(takes({ theirs: 1, ours: 2 }, { boundMs: nowMs + 10_000 })).toBe(true);
  });
});

test('the first few that wait in vain have room kept, of tenants that hold less first', () => {
  const tenants = ['a', 'b', 'c', 'd', 'e', 'f'];
  const waiting = { readySinceMs: nowMs - claimAfterMs, boundMs: nowMs + 1_000_000 };
  const { claims } = plan({
    batches: tenants.map((tenant, at) =>
      batch(demand(4 + at), 1, { ...waiting, tenant, from: at }),
    ),
    nodes: tenants.map(node => view(node, 16, { advertisement: { free: cpus(1) } })),
    nowMs,
    maxPlacements: 10,
    seed: 1,
    shareOf: tenant => ({ held: [(9 - tenants.indexOf(tenant)) * 1_000], weight: 1 }),
  });
  expect(claims.map(({ tenant }) => tenant)).toEqual(['f', 'e', 'd', 'c']);
  expect(claims).toHaveLength(limits.claimsMax);
  expect(new Set(claims.map(({ node }) => node)).size).toBe(limits.claimsMax);
});
