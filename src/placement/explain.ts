/**
 * Says in words why a task is where it is: the verdict on every node for `explain`, and at submit
 * whether any node the cluster has could ever run it.
 */
import { unreachable } from '../model/assert.ts';
import type { NodeId } from '../model/ids.ts';
import type { Demand, NodeView, Verdict } from '../model/planning.ts';
import {
  formatSize,
  type ResourceName,
  type Resources,
  resourceNames,
  type Tier,
  tierRank,
} from '../model/resources.ts';
import type { WaitingReason } from '../model/task.ts';
import { judge, overTotal, unsuited, viewFor } from './feasible.ts';
import { holdsInAll } from './gang.ts';
import type { Room } from './room.ts';

/** The verdict on each node, in the order of `nodes`. `nowMs` is the clock of the cool-downs. */
export function verdicts(
  demand: Demand,
  avoid: readonly NodeId[],
  nodes: readonly NodeView[],
  nowMs: number,
): { node: NodeId; verdict: Verdict }[] {
  return nodes.map(view => ({
    node: view.advertisement.node,
    verdict: judge(demand, avoid, view, nowMs),
  }));
}

/** The reason that tasks of a demand show which could not be placed; `rooms` are of all nodes. */
export function reasonFor(
  demand: Demand,
  candidates: readonly Room[],
  rooms: readonly Room[],
  nodes: readonly NodeView[],
): WaitingReason {
  if (demand.gang !== undefined) {
    const held = nodes.map(view => view.advertisement);
    if (candidates.length > 0 && holdsInAll(demand, held) < demand.gang) return 'NeverFits';
  }
  if (candidates.length > 0) return 'Resources';
  if (!rooms.some(room => room.usable)) return 'NoNodes';
  if (!nodes.some(view => viewFor(demand, view) !== undefined)) return 'Reservation';
  const suited = (view: NodeView): boolean => unsuited(demand, view.advertisement) === undefined;
  if (!rooms.some(room => room.usable && suited(room.view))) return 'TierUnavailable';
  // A node that is silent or drains may come back: only if none there is would do, it never fits.
  const everFits = nodes.some(
    view => suited(view) && overTotal(demand, view.advertisement.total) === undefined,
  );
  return everFits ? 'Resources' : 'NeverFits';
}

const resourceWords: Record<ResourceName, string> = {
  cpuMilli: 'cpu',
  memoryBytes: 'memory',
  diskBytes: 'disk',
  iops: 'iops',
  bandwidth: 'bandwidth',
  ports: 'ports',
};

/** An amount with its unit: `0.5`, `512MiB`, `10MiB/s`. */
function formatAmount(name: ResourceName, amount: number): string {
  switch (name) {
    case 'cpuMilli':
      return String(amount / 1_000);
    case 'memoryBytes':
    case 'diskBytes':
      return formatSize(amount);
    case 'bandwidth':
      return `${formatSize(amount)}/s`;
    case 'iops':
    case 'ports':
      return String(amount);
  }
}

/** A verdict as part of a sentence: `cpu: needs 4, has 1 free`. */
export function sentence(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'fits':
      return `fits, load ${Math.round(verdict.load * 100)} %`;
    case 'tier':
      return `tier: is only ${verdict.has}`;
    case 'resource': {
      const { name, wanted, free, kept } = verdict;
      const has = formatAmount(name, free);
      const rest =
        kept === undefined ? '' : `, and ${formatAmount(name, kept)} kept for reservations`;
      return `${resourceWords[name]}: needs ${formatAmount(name, wanted)}, has ${has} free${rest}`;
    }
    case 'never': {
      const { name, wanted, total } = verdict;
      const has = formatAmount(name, total);
      return `${resourceWords[name]}: needs ${formatAmount(name, wanted)}, has ${has} in all`;
    }
    case 'label':
      return `label: is not ${verdict.name}=${verdict.wanted}`;
    case 'coolDown':
      return 'refused a task a moment ago, is asked again soon';
    case 'stale':
      return `silent: last heard of ${(verdict.ageMs / 1_000).toFixed(1)} s ago`;
    case 'draining':
      return 'drains: takes no new tasks';
    case 'avoided':
      return 'avoided: an earlier attempt failed there';
    case 'reservation':
      return `keeps nothing for the reservation ${verdict.name}`;
    case 'noSupervisor':
      return 'has no supervisor to run tasks now';
    default:
      return unreachable(verdict, 'verdict');
  }
}

/** What a node has in all. */
export interface NodeTotals {
  readonly tier: Tier;
  readonly total: Resources;
  readonly labels: readonly (readonly [string, string])[];
}

/** What decides whether a node could ever run a task. */
type Needs = Pick<Demand, 'tier' | 'request' | 'require' | 'gang' | 'reservation'>;

const fits = { fits: true, message: '' } as const;

/**
 * Whether some node could run the demand if it were idle; where none could, a sentence that names
 * the resource and the largest there is. A node without any CPU has not told its size yet; with no
 * other node known nothing is refused.
 */
export function neverFits(
  demand: Needs,
  known: readonly NodeTotals[],
): { readonly fits: boolean; readonly message: string } {
  // Nearly all do, and this is asked at every submit: no list is made for those.
  const wouldDo = (node: NodeTotals): boolean =>
    node.total.cpuMilli > 0 &&
    unsuited(demand, node) === undefined &&
    overTotal(demand, node.total) === undefined;
  if (demand.gang === undefined && known.some(wouldDo)) return fits;
  const totals = known.filter(node => node.total.cpuMilli > 0);
  if (totals.length === 0) return fits;
  const tiered = totals.filter(node => tierRank(node.tier) >= tierRank(demand.tier));
  if (tiered.length === 0) {
    const best = totals.reduce((a, b) => (tierRank(b.tier) > tierRank(a.tier) ? b : a));
    return {
      fits: false,
      message: `tier ${demand.tier} asked for, the highest of any node is ${best.tier}`,
    };
  }
  const suited = tiered.filter(node => unsuited(demand, node) === undefined);
  if (suited.length === 0) return { fits: false, message: missingLabel(demand, tiered) };
  if (suited.some(node => overTotal(demand, node.total) === undefined)) {
    const copies = demand.gang === undefined ? 1 : holdsInAll(demand, suited);
    if (copies >= (demand.gang ?? 1)) return fits;
    const message =
      `a gang of ${demand.gang}: all nodes${restriction(demand)} together hold ${copies} ` +
      `task${copies === 1 ? '' : 's'} of its size at a time`;
    return { fits: false, message };
  }
  for (const name of resourceNames) {
    const wanted = demand.request[name];
    const largest = Math.max(...suited.map(node => node.total[name]));
    if (wanted <= largest) continue;
    const message =
      `${resourceWords[name]}: ${formatAmount(name, wanted)} asked for, the largest node` +
      `${restriction(demand)} has ${formatAmount(name, largest)}`;
    return { fits: false, message };
  }
  return { fits: false, message: neverTogether(demand) };
}

/** The nodes that were compared, where they are not all nodes. */
function restriction(demand: Needs): string {
  const labels = demand.require.map(([key, value]) => `${key}=${value}`).join(', ');
  const tier = demand.tier === 'basic' ? '' : ` of tier ${demand.tier} or above`;
  const held = demand.reservation ? ` in the reservation ${demand.reservation.name}` : '';
  return labels === '' ? `${tier}${held}` : `${tier} with ${labels}${held}`;
}

function missingLabel(demand: Needs, nodes: readonly NodeTotals[]): string {
  const lacking = demand.require.find(
    ([key, wanted]) => !nodes.some(node => node.labels.some(([k, v]) => k === key && v === wanted)),
  );
  const tier = demand.tier === 'basic' ? '' : ` of tier ${demand.tier} or above`;
  if (lacking !== undefined) return `label: no node${tier} has ${lacking[0]}=${lacking[1]}`;
  const all = demand.require.map(([key, value]) => `${key}=${value}`).join(', ');
  return `label: no node${tier} has all of ${all}`;
}

function neverTogether(demand: Needs): string {
  const wanted = resourceNames
    .filter(name => demand.request[name] > 0)
    .map(name => `${formatAmount(name, demand.request[name])} ${resourceWords[name]}`)
    .join(' and ');
  return `no single node${restriction(demand)} has ${wanted}`;
}
