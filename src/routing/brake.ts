/**
 * Which groups may begin to move: a pure function of what is under way, without a leader of moves.
 * Each node decides for the groups that it leads, so that a node that joins a cluster full of data
 * is not sent all of its replicas at once.
 *
 * - A leader has at most `groupsMax` groups under way.
 * - A node takes at most `replicasMax` new replicas at a time, as far as the leader knows.
 * - Repair comes before balance: groups with the fewest live voters first, and a group that has
 *   fewer of them than it should waits for others like it only, never for those that balance.
 * - Of those that balance one begins per look: the others hear of it before the next.
 */
import type { GroupId, NodeId } from '../model/ids.ts';
import { byText } from './seating.ts';

/** A group with nodes that should hold a replica and have none. */
export interface MoveWanted {
  readonly group: GroupId;
  readonly to: readonly NodeId[];
  /** Voters on nodes that can be reached. */
  readonly live: number;
  /** Voters that it should have. */
  readonly wanted: number;
}

/** Replicas that were added and have not caught up. */
export interface MoveUnderWay {
  readonly group: GroupId;
  readonly to: readonly NodeId[];
  readonly repair: boolean;
  /** Of a group that this node leads. */
  readonly own: boolean;
}

export interface BrakeLimits {
  readonly groupsMax: number;
  readonly replicasMax: number;
}

export const isRepair = (move: { readonly live: number; readonly wanted: number }): boolean =>
  move.live < move.wanted;

/** The moves that may begin now: for each group the nodes that it may be given to. */
export function movesToBegin(
  wanted: readonly MoveWanted[],
  underWay: readonly MoveUnderWay[],
  limits: BrakeLimits,
): Map<GroupId, NodeId[]> {
  const begun: MoveUnderWay[] = [...underWay];
  const moves = new Map<GroupId, NodeId[]>();
  let balanced = false;
  for (const move of [...wanted].sort(byNeed)) {
    const repair = isRepair(move);
    if (!repair && balanced) break;
    const counted = begun.filter(one => one.repair || !repair);
    const groups = new Set(counted.filter(one => one.own).map(one => one.group));
    if (groups.size >= limits.groupsMax && !groups.has(move.group)) continue;
    const to = move.to.filter(
      node => counted.filter(one => one.to.includes(node)).length < limits.replicasMax,
    );
    if (to.length === 0) continue;
    moves.set(move.group, to.sort(byText));
    begun.push({ group: move.group, to, repair, own: true });
    balanced ||= !repair;
  }
  return moves;
}

/** Fewest live voters first; those that have all of them last. */
function byNeed(left: MoveWanted, right: MoveWanted): number {
  const last = Number(!isRepair(left)) - Number(!isRepair(right));
  return last || left.live - right.live || left.group - right.group;
}
