/**
 * How much may move at a time, as this node sees it: its own groups by what their followers have,
 * those of other leaders by what they reported. The rule itself is in `routing/brake.ts`.
 */
import { type GroupId, type NodeId, registryGroup } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import type { RegistryMachine } from '../registry/machine.ts';
import type { ReplicaSeat } from '../registry/state.ts';
import { isRepair, type MoveUnderWay, type MoveWanted, movesToBegin } from '../routing/brake.ts';
import type { Target } from '../routing/rendezvous.ts';
import type { Replica } from './replica.ts';

/** A learner this close to the leader's last entry is caught up (DESIGN 5). */
const promoteLagMax = 256;

export function caughtUp(replica: Replica, id: number): boolean {
  const progress = replica.core.status().progress.find(one => one.id === id);
  if (progress?.state !== 'replicate' || !progress.recentActive) return false;
  return progress.match + promoteLagMax >= replica.core.lastIndex;
}

/** A group that this node leads, and what it lacks. */
export interface LedGroup {
  readonly replica: Replica;
  readonly target: Target;
  /** Nodes that should hold a replica and have none, of those that can be reached. */
  readonly missing: readonly NodeId[];
}

/** Nodes that the groups led here may be given to now. */
export function groupsToMove(
  led: readonly LedGroup[],
  machine: RegistryMachine,
  targets: ReadonlyMap<GroupId, Target>,
  reaches: (node: NodeId) => boolean,
): Map<GroupId, NodeId[]> {
  const wanted: MoveWanted[] = [];
  const underWay: MoveUnderWay[] = [];
  const own = new Set<GroupId>([registryGroup]);
  for (const { replica, target, missing } of led) {
    const { group, descriptor } = replica;
    own.add(group);
    // A replica on a store that is gone never catches up: it would hold the brake for ever, and
    // its own replacement with it.
    const nodesOf = (ids: readonly number[]): NodeId[] =>
      ids
        .flatMap(id => replica.member(id) ?? [])
        .filter(({ node, storeId }) => machine.node(node)?.storeId === storeId && reaches(node))
        .map(({ node }) => node);
    const live = nodesOf(descriptor.conf.voters).length;
    const need = { group, live, wanted: target.voters.length };
    if (missing.length > 0) wanted.push({ ...need, to: missing });
    const late = nodesOf(descriptor.conf.learners.filter(id => !caughtUp(replica, id)));
    const to = late.filter(node => holds(target, node));
    if (to.length > 0) underWay.push({ group, to, repair: isRepair(need), own: true });
  }
  for (const { group, voters, learners } of machine.groups()) {
    const target = targets.get(group);
    if (own.has(group) || target === undefined) continue;
    // A learner that is to vote is on its way; its leader alone knows how far it is.
    const lives = ({ replicaId }: ReplicaSeat): boolean =>
      machine.replicaOwner(replicaId)?.dead !== true;
    const to = learners
      .filter(lives)
      .map(seat => seat.node)
      .filter(node => target.voters.includes(node));
    const need = { live: voters.filter(lives).length, wanted: target.voters.length };
    if (to.length > 0) underWay.push({ group, to, repair: isRepair(need), own: false });
  }
  return movesToBegin(wanted, underWay, {
    groupsMax: limits.groupsMovingMax,
    replicasMax: limits.replicasCatchingUpMax,
  });
}

const holds = (target: Target, node: NodeId): boolean =>
  target.voters.includes(node) || target.learners.includes(node);
