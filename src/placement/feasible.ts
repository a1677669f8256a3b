/**
 * Whether a node may run a demand, as one verdict. The planner and `explain` ask the same function,
 * so that what a person is told is what was decided.
 *
 * The order of the checks is from what a node is to what it has left: a verdict names the most
 * lasting obstacle. What is free is what the node advertised less what this leader placed there
 * since; below zero counts as zero, because a task that asks for none of a resource needs none.
 */
import type { Advertisement } from '../model/advertisement.ts';
import type { NodeId } from '../model/ids.ts';
import type { Demand, NodeView, Verdict } from '../model/planning.ts';
import {
  noResources,
  type ResourceName,
  type Resources,
  resourceNames,
  tierRank,
} from '../model/resources.ts';

/** An advertisement older than this says nothing any more. */
const freshMsMax = 5_000;

/** Free by the node's own word, less what was placed there since; no component below zero. */
export function freeNow(view: NodeView): Resources {
  const { free } = view.advertisement;
  const { reserved } = view;
  return {
    cpuMilli: Math.max(0, free.cpuMilli - reserved.cpuMilli),
    memoryBytes: Math.max(0, free.memoryBytes - reserved.memoryBytes),
    diskBytes: Math.max(0, free.diskBytes - reserved.diskBytes),
    iops: Math.max(0, free.iops - reserved.iops),
    bandwidth: Math.max(0, free.bandwidth - reserved.bandwidth),
    ports: Math.max(0, free.ports - reserved.ports),
  };
}

/** The largest over resources of (allocated + reserved) / total; 0 for an idle node. */
export function loadOf(view: Pick<NodeView, 'advertisement' | 'reserved'>): number {
  const { total, free } = view.advertisement;
  let load = 0;
  for (const name of resourceNames) {
    if (total[name] <= 0) continue;
    load = Math.max(load, (total[name] - free[name] + view.reserved[name]) / total[name]);
  }
  return load;
}

/** Why the node takes nothing from anyone now, or `undefined`. */
export function closedFor(view: NodeView): Verdict | undefined {
  if (view.ageMs > freshMsMax) return { kind: 'stale', ageMs: view.ageMs };
  if (view.advertisement.incarnation === '') return { kind: 'noSupervisor' };
  if (view.advertisement.draining) return { kind: 'draining' };
  return undefined;
}

/** Tier and labels: what no waiting changes. */
export function unsuited(
  demand: Pick<Demand, 'tier' | 'require'>,
  node: Pick<Advertisement, 'tier' | 'labels'>,
): Verdict | undefined {
  if (tierRank(node.tier) < tierRank(demand.tier)) return { kind: 'tier', has: node.tier };
  for (const [name, wanted] of demand.require) {
    if (!node.labels.some(([key, value]) => key === name && value === wanted)) {
      return { kind: 'label', name, wanted };
    }
  }
  return undefined;
}

/** The first resource of which the node has less in all than is asked for. */
export function overTotal(
  demand: Pick<Demand, 'request'>,
  total: Resources,
): ResourceName | undefined {
  for (const name of resourceNames) if (demand.request[name] > total[name]) return name;
  return undefined;
}

/**
 * The node as a task that names a reservation sees it: what is kept for that is all that is free.
 * `undefined` where nothing is kept there. For any other task it is the node itself, which does not
 * call free what it keeps.
 */
export function viewFor(demand: Demand, view: NodeView): NodeView | undefined {
  const { reservation } = demand;
  if (reservation === undefined) return view;
  const { name, tenant } = reservation;
  const share = view.shares?.find(other => other.name === name && other.tenant === tenant);
  if (share === undefined) return undefined;
  const advertisement = { ...view.advertisement, free: share.left, queued: 0, queueRoom: 0 };
  return { ...view, advertisement, reserved: noResources, reservedCount: 0 };
}

/** What is left there of all reservations. */
function keptOf({ shares }: NodeView, name: ResourceName): number {
  let kept = 0;
  for (const { left } of shares ?? []) kept += left[name];
  return kept;
}

/** The verdict on one node for one task. `nowMs` is the clock of `coolDownUntilMs`. */
export function judge(
  demand: Demand,
  avoid: readonly NodeId[],
  view: NodeView,
  nowMs: number,
): Verdict {
  const { advertisement } = view;
  const fixed = closedFor(view) ?? unsuited(demand, advertisement);
  if (fixed !== undefined) return fixed;
  const never = overTotal(demand, advertisement.total);
  if (never !== undefined) {
    const total = advertisement.total[never];
    return { kind: 'never', name: never, wanted: demand.request[never], total };
  }
  if (avoid.includes(advertisement.node)) return { kind: 'avoided' };
  if (view.coolDownUntilMs > nowMs) return { kind: 'coolDown', untilMs: view.coolDownUntilMs };
  const seen = viewFor(demand, view);
  if (seen === undefined) return { kind: 'reservation', name: demand.reservation?.name ?? '' };
  const free = freeNow(seen);
  for (const name of resourceNames) {
    const wanted = demand.request[name];
    if (wanted <= free[name]) continue;
    const kept = demand.reservation === undefined ? keptOf(view, name) : 0;
    return { kind: 'resource', name, wanted, free: free[name], ...(kept > 0 && { kept }) };
  }
  return { kind: 'fits', load: loadOf(seen) };
}
