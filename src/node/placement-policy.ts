/** What the planner of a node goes by that is set elsewhere, and what it knows of the cluster. */
import type { AdvertisedTenant, Advertisement } from '../model/advertisement.ts';
import type { NodeId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import type { Demand, NodeView } from '../model/planning.ts';
import { addResources, noResources, type Resources, resourceNames } from '../model/resources.ts';
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

/** What each tenant holds by the shards that are led here, with what is on its way. */
function heldHere(
  leaders: Iterable<ShardLeader>,
  placing: Iterable<Placing>,
): Map<string, Resources> {
  const held = new Map<string, Resources>();
  const add = (tenant: string, resources: Resources): void => {
    const before = held.get(tenant);
    held.set(tenant, before === undefined ? resources : addResources(before, resources));
  };
  for (const { machine } of leaders) {
    for (const [tenant, resources] of machine.uses.held()) add(tenant, resources);
  }
  for (const { tenant, demand } of placing) add(tenant, demand.request);
  return held;
}

/** The same for the other leaders: of very many tenants those that hold most. */
export function tenantsHere(
  leaders: Iterable<ShardLeader>,
  placing: Iterable<Placing>,
): AdvertisedTenant[] {
  const tenants = [...heldHere(leaders, placing)].map(([tenant, held]) => ({ tenant, held }));
  if (tenants.length <= limits.advertisedTenantsMax) return tenants;
  tenants.sort((left, right) => right.held.cpuMilli - left.held.cpuMilli);
  return tenants.slice(0, limits.advertisedTenantsMax);
}

/** What an older advertisement says of waiting tasks and of tenants holds no more. */
const wordMsMax = 5_000;

/** The word of the leaders on other nodes, of those whose word still holds. */
export function leadersIn(views: readonly NodeView[], self: NodeId): Advertisement[] {
  const leaders: Advertisement[] = [];
  for (const { advertisement, ageMs } of views) {
    const { node, demand, tenants } = advertisement;
    if (demand === undefined && tenants === undefined) continue;
    if (node !== self && ageMs <= wordMsMax) leaders.push(advertisement);
  }
  return leaders;
}

/** Each word is read for many plans, until the next one comes. */
const amountsRead = new WeakMap<AdvertisedTenant, Amounts>();

function amountsIn(told: AdvertisedTenant): Amounts {
  let amounts = amountsRead.get(told);
  if (amounts === undefined) {
    amounts = amountsOf(told.held);
    amountsRead.set(told, amounts);
  }
  return amounts;
}

/**
 * What each tenant holds, here and by the word of the other leaders. Here alone it would be a
 * sample, as tasks are spread over shards by hash and shards over leaders: a good one where a
 * leader has many tasks of each tenant, but with a task or none of each, weights and what is held
 * elsewhere count for nothing.
 */
export function sharesOf(
  leaders: Iterable<ShardLeader>,
  placing: Iterable<Placing>,
  others: readonly Advertisement[],
  policy: PlacementPolicy,
): (tenant: string) => TenantShare {
  const here = heldHere(leaders, placing);
  const elsewhere = new Map<string, number[]>();
  for (const { tenants } of others) {
    for (const told of tenants ?? []) {
      const amounts = amountsIn(told);
      const sum = elsewhere.get(told.tenant);
      if (sum === undefined) elsewhere.set(told.tenant, [...amounts]);
      else for (let at = 0; at < amounts.length; at++) sum[at]! += amounts[at]!;
    }
  }
  return tenant => ({
    held: amountsOf(here.get(tenant) ?? noResources),
    elsewhere: elsewhere.get(tenant) ?? [],
    weight: policy.weightOf(tenant),
  });
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
