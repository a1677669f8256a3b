/**
 * Which voter should lead a group, so that leaders spread over the nodes. Each leader asks for
 * itself, from time to time; a wrong answer costs one transfer, never safety.
 *
 * Transfers end: each lowers the sum of the squares of leaders per node, or leaves it and puts one
 * more group under its preferred leader.
 */
import type { GroupId, NodeId } from '../model/ids.ts';
import { nodeHash, purposes, scoreOf } from './score.ts';

/** A follower this many entries behind is not handed the leadership. */
const transferLagMax = 64;
/** Transfers that one node has under way at most. */
const transfersMax = 2;
/** Rest of a group after a transfer. */
const transferRestMs = 60_000;

/** The voter with the highest score among those up; `undefined` where none is. */
export function preferredLeader(
  group: GroupId,
  voters: readonly NodeId[],
  upNodes: ReadonlySet<NodeId>,
): NodeId | undefined {
  let best: { node: NodeId; score: number } | undefined;
  for (const node of [...voters].sort()) {
    if (!upNodes.has(node)) continue;
    const score = scoreOf(nodeHash(node), group, 1, purposes.leader);
    if (best === undefined || score > best.score) best = { node, score };
  }
  return best?.node;
}

/** What a leader knows of the voter it might hand over to. */
export interface TransferInput {
  readonly self: NodeId;
  readonly preferred: NodeId | undefined;
  /** Groups that each node leads, by gossip; a node that is missing leads none. */
  readonly leadersOn: ReadonlyMap<NodeId, number>;
  /** Entries that the voter is behind. */
  readonly lag: number;
  /** It answered within the last election timeout. */
  readonly recentlyActive: boolean;
  /** Its node did not fail within the last minute. */
  readonly steady: boolean;
  /** Since this group's last transfer; infinite where there was none. */
  readonly sinceTransferMs: number;
  /** Transfers that this node has under way. */
  readonly transferring: number;
}

/** Whether the leadership should go from `self` to `preferred` now. */
export function shouldTransfer(input: TransferInput): boolean {
  const { self, preferred, leadersOn } = input;
  if (preferred === undefined || preferred === self) return false;
  if (!input.recentlyActive || !input.steady || input.lag > transferLagMax) return false;
  if (input.sinceTransferMs < transferRestMs || input.transferring >= transfersMax) return false;
  return (leadersOn.get(self) ?? 0) > (leadersOn.get(preferred) ?? 0);
}

/**
 * Whom a leader should ask `shouldTransfer` about: the preferred leader where that one leads fewer
 * groups than `self`, else the up voter that leads least, if by two or more; `undefined` for
 * nobody.
 */
export function transferTarget(
  group: GroupId,
  voters: readonly NodeId[],
  upNodes: ReadonlySet<NodeId>,
  self: NodeId,
  leadersOn: ReadonlyMap<NodeId, number>,
): NodeId | undefined {
  const count = (node: NodeId): number => leadersOn.get(node) ?? 0;
  const preferred = preferredLeader(group, voters, upNodes);
  if (preferred !== undefined && preferred !== self && count(preferred) < count(self)) {
    return preferred;
  }
  let least: NodeId | undefined;
  for (const node of [...voters].sort()) {
    if (node === self || !upNodes.has(node) || count(node) + 2 > count(self)) continue;
    if (least === undefined || count(node) < count(least)) least = node;
  }
  return least;
}
