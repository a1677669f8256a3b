/** What the planner of a node goes by that is set elsewhere, and what it knows of the cluster. */
import type { Claim } from '../model/advertisement.ts';
import type { NodeId } from '../model/ids.ts';
import type { Demand, NodeView } from '../model/planning.ts';
import { type Resources, resourceNames } from '../model/resources.ts';
import type { Running } from '../placement/claims.ts';
import type { TenantShare } from '../placement/order.ts';
import type { Amounts } from '../placement/room.ts';
import type { RegistryClient } from './registry-client.ts';
import type { ShardLeader } from './shard-leader.ts';

export interface PlacementPolicy {
  readonly self: NodeId;
  /** Off-peak tasks are held over this load of the cluster, from 0 to 1. */
  offPeakLoadMax(): number;
  /** How much of the cluster a tenant is due, against the others. */
  weightOf(tenant: string): number;
}

export const placementPolicy = (
  self: NodeId,
  registry: () => RegistryClient,
  weightOf: (tenant: string) => number,
): PlacementPolicy => ({
  self,
  offPeakLoadMax: () => registry().setting('offPeak.load') / 100,
  weightOf,
});

const amountsOf = (resources: Resources): Amounts => resourceNames.map(name => resources[name]);

/** A placement whose assignment is on its way through the log. */
export interface Placing {
  readonly tenant: string;
  readonly node: NodeId;
  readonly demand: Demand;
}

/**
 * What each tenant holds by the shards that are led here: a sample of the whole, as tasks are
 * spread over shards by hash and shards over leaders.
 */
export function sharesOf(
  leaders: Iterable<ShardLeader>,
  placing: Iterable<Placing>,
  policy: PlacementPolicy,
): (tenant: string) => TenantShare {
  const held = new Map<string, number[]>();
  const add = (tenant: string, resources: Resources): void => {
    const sum = held.get(tenant) ?? [];
    amountsOf(resources).forEach((amount, position) => {
      sum[position] = (sum[position] ?? 0) + amount;
    });
    held.set(tenant, sum);
  };
  for (const { machine } of leaders) {
    for (const [tenant, held] of machine.uses.held()) add(tenant, held);
  }
  for (const { tenant, demand } of placing) add(tenant, demand.request);
  return tenant => ({ held: held.get(tenant) ?? [], weight: policy.weightOf(tenant) });
}

/** What runs on a node by the shards that are led here, and when caps end it. */
export function runningOn(leaders: Iterable<ShardLeader>, node: NodeId, wallMs: number): Running[] {
  const running: Running[] = [];
  for (const { machine } of leaders) {
    for (const { demand, capMs, assignedAtMs } of machine.liveAttemptsOn(node)) {
      const endsMs = capMs === 0 ? undefined : Math.max(wallMs, assignedAtMs + capMs);
      running.push({ amounts: amountsOf(demand.request), endsMs });
    }
  }
  return running;
}

/** An advertisement older than this claims nothing any more. */
const claimMsMax = 5_000;

/** Room that the leaders on other nodes keep. */
export function claimsOfOthers(views: readonly NodeView[], self: NodeId): Claim[] {
  const claims: Claim[] = [];
  for (const { advertisement, ageMs } of views) {
    const { node, demand } = advertisement;
    if (demand !== undefined && node !== self && ageMs <= claimMsMax) claims.push(...demand.claims);
  }
  return claims;
}
