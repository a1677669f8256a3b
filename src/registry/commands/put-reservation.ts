/**
 * putReservation: holds room on nodes for a tenant until a date. On nodes that are named, or on the
 * fitting ones with the most room that nobody has reserved; tasks that run there now may end first.
 *
 * Replies: ok; repeated where the same was asked for before; `reservationTaken` where another that
 * is not over has the name; `unknownTenant`; `unknownNode`; `neverFits` where no node, or not
 * enough of them, has so much that nobody has reserved; `badRequest` for a date in the past and
 * what is out of bounds.
 */
import type { NodeId } from '../../model/ids.ts';
import { limits } from '../../model/limits.ts';
import { describeResources, type ReservationAsk } from '../../model/reservation.ts';
import {
  firstShortage,
  type Resources,
  resourceNames,
  subtractResources,
  tierRank,
} from '../../model/resources.ts';
import { wrongName } from '../check.ts';
import type { RegistryCommandOf } from '../command.ts';
import {
  accepted,
  type RegistryEffect,
  type RegistryNode,
  type RegistryReply,
  type RegistryState,
  type ReservationRecord,
  refused,
  repeated,
} from '../state.ts';
import { tenantOf } from '../tenants.ts';

export function applyPutReservation(
  state: RegistryState,
  { ask, atMs, actor }: RegistryCommandOf<'putReservation'>,
  effects: RegistryEffect[],
): RegistryReply {
  const wrong = wrongAsk(ask, atMs);
  if (wrong !== undefined) return refused('badRequest', wrong);
  if (tenantOf(state, ask.tenant) === undefined) {
    return refused('unknownTenant', `there is no tenant ${ask.tenant}`);
  }
  const known = state.reservations.get(ask.name);
  if (known !== undefined && known.untilMs > atMs) {
    if (isSame(known, ask)) return repeated;
    return refused(
      'reservationTaken',
      `the reservation ${ask.name} of the tenant ${known.tenant} has this name: release it first, ` +
        'or take another',
    );
  }
  if (known === undefined && state.reservations.size >= limits.reservationsMax) {
    return refused(
      'badRequest',
      `there are ${limits.reservationsMax} reservations, the most allowed`,
    );
  }
  const chosen = ask.nodes.length > 0 ? named(state, ask, atMs) : fitting(state, ask, atMs);
  if (!Array.isArray(chosen)) return chosen;
  state.putReservation({
    name: ask.name,
    tenant: ask.tenant,
    by: actor.name,
    createdAtMs: atMs,
    untilMs: ask.untilMs,
    amount: ask.amount,
    nodes: chosen,
  });
  effects.push({ kind: 'reservationsChanged' });
  return accepted;
}

function wrongAsk(ask: ReservationAsk, atMs: number): string | undefined {
  const wrong = wrongName(ask.name, 'reservation') ?? wrongName(ask.tenant, 'tenant');
  if (wrong !== undefined) return wrong;
  if (ask.untilMs <= atMs) return 'its end is in the past';
  if (ask.untilMs - atMs > limits.reservationMsMax) return 'its end is more than ten years away';
  if (resourceNames.every(name => ask.amount[name] === 0)) return 'there is nothing to hold';
  const most = limits.reservationNodesMax;
  const isCounted = ask.count >= 1 && ask.count <= most && ask.nodes.length <= most;
  return isCounted ? undefined : `it is held on 1 to ${most} nodes`;
}

/** Whether the same was asked for; which nodes were chosen then does not count. */
const isSame = (known: ReservationRecord, ask: ReservationAsk): boolean =>
  known.tenant === ask.tenant &&
  known.untilMs === ask.untilMs &&
  resourceNames.every(name => known.amount[name] === ask.amount[name]) &&
  (ask.nodes.length > 0
    ? ask.nodes.length === known.nodes.length && ask.nodes.every(id => known.nodes.includes(id))
    : ask.count === known.nodes.length);

/** What of a node nobody has reserved; `undefined` where it has as many reservations as it may. */
function unreserved(
  state: RegistryState,
  node: RegistryNode,
  ask: ReservationAsk,
  atMs: number,
): Resources | undefined {
  let left = node.total;
  let count = 0;
  for (const { name, untilMs, amount, nodes } of state.reservations.values()) {
    if (name === ask.name || untilMs <= atMs || !nodes.includes(node.id)) continue;
    left = subtractResources(left, amount);
    count++;
  }
  return count < limits.reservationsPerNodeMax ? left : undefined;
}

function named(state: RegistryState, ask: ReservationAsk, atMs: number): NodeId[] | RegistryReply {
  const wanted = describeResources(ask.amount);
  for (const id of ask.nodes) {
    const node = state.nodes.get(id);
    if (node === undefined || node.state === 'removed') {
      return refused('unknownNode', `no node ${id}`);
    }
    if (node.state !== 'up') {
      return refused('neverFits', `node ${node.name} is ${node.state}: nothing is held there`);
    }
    const left = unreserved(state, node, ask, atMs);
    if (left === undefined) return refused('neverFits', tooMany(node));
    if (firstShortage(ask.amount, left) === undefined) continue;
    return refused(
      'neverFits',
      `${wanted} asked for on ${node.name}, which has ${describeResources(node.total)} in all and ` +
        `${describeResources(left)} that is not reserved`,
    );
  }
  return [...new Set(ask.nodes)];
}

const tooMany = ({ name }: RegistryNode): string =>
  `node ${name} has ${limits.reservationsPerNodeMax} reservations, the most allowed`;

function fitting(
  state: RegistryState,
  ask: ReservationAsk,
  atMs: number,
): NodeId[] | RegistryReply {
  const suited = state
    .nodesById()
    .filter(
      node =>
        node.state === 'up' &&
        tierRank(node.tier) >= tierRank(ask.tier) &&
        ask.require.every(([key, value]) =>
          node.labels.some(([name, has]) => name === key && has === value),
        ),
    );
  const large = suited.filter(node => firstShortage(ask.amount, node.total) === undefined);
  const open = large
    .map(node => ({ id: node.id, left: unreserved(state, node, ask, atMs) }))
    .filter(
      (one): one is { id: NodeId; left: Resources } =>
        one.left !== undefined && firstShortage(ask.amount, one.left) === undefined,
    )
    .sort((a, b) => b.left.cpuMilli - a.left.cpuMilli || b.left.memoryBytes - a.left.memoryBytes);
  if (open.length >= ask.count) return open.slice(0, ask.count).map(({ id }) => id);
  const wanted = describeResources(ask.amount);
  const message =
    large.length === 0
      ? `${wanted} asked for: no node of this tier and these labels has as much`
      : `${wanted} asked for on ${ask.count} nodes: ${large.length} are large enough, and ` +
        `${open.length} have as much that is not reserved`;
  return refused('neverFits', message);
}
