/**
 * Where all replicas of the cluster should be, from the registry alone: the same on every node, the
 * same again once it is carried out, and close to what is there now.
 *
 * 1. every group keeps its healthy seats and is filled up by score, new zones first
 * 2. nodes over their cap give away the seats for which they score lowest, to the emptiest nodes
 * 3. nodes under their floor (a node that was just added) are given the seats for which they score
 *    highest, from the fullest nodes
 * 4. groups that could be spread over more zones are
 *
 * The registry, group 0, has sizes of its own (1, 3 or 5 voters) and does not count for the load.
 * Cost: groups × nodes where seats are missing, else groups × replication.
 */
import { type GroupId, type NodeId, registryGroup } from '../model/ids.ts';
import { sizeFor } from '../model/replication.ts';
import { fillSeats, keepSeats, type Target, targetFor, toTarget } from './rendezvous.ts';
import { countNodes, type GroupSeats, type PlacementNode, Seating } from './seating.ts';

/** What the target follows from. */
export interface RegistryView {
  readonly nodes: readonly PlacementNode[];
  /** Every group with its present seats, the registry too. */
  readonly groups: readonly GroupSeats[];
  readonly replication: number;
}

const registryVotersMax = 5;
/** Steps 2 to 4 open possibilities for each other; what is left after so many rounds stays. */
const roundsMax = 4;

/** The target of every group. Does not depend on the order of `nodes` and `groups`. */
export function targetPlacement(view: RegistryView): Map<GroupId, Target> {
  const { nodes } = view;
  const groups = [...view.groups].sort((left, right) => left.group - right.group);
  const shards = groups.filter(seats => seats.group !== registryGroup);
  const size = sizeFor(countNodes(nodes), view.replication);
  const perGroup = size.voters + size.learners;
  const seating = new Seating(nodes, shards.length * perGroup, shards.length);
  for (const seats of shards) keepSeats(seating, seats, perGroup);
  for (const seats of shards) fillSeats(seating, seats, perGroup);
  for (let round = 0; round < roundsMax; round++) {
    let moves = relieve(seating, shards);
    moves += feed(seating, shards);
    moves += spread(seating, shards);
    if (moves === 0) break;
  }
  const targets = new Map<GroupId, Target>();
  for (const seats of groups) {
    const target =
      seats.group === registryGroup
        ? registryTarget(seats, nodes)
        : toTarget(seating, seats, nodes, size);
    targets.set(seats.group, target);
  }
  return targets;
}

/** Every node may follow the registry as a learner, so being one earns no preference for a vote. */
function registryTarget(seats: GroupSeats, nodes: readonly PlacementNode[]): Target {
  return targetFor({
    group: registryGroup,
    nodes,
    replication: registryVotersMax,
    current: seats.voters,
    load: new Map(),
  });
}

function swap(seating: Seating, group: GroupId, from: NodeId, to: NodeId): void {
  seating.leave(group, from);
  seating.sit(group, to);
}

/** Step 2: takes seats from nodes over their cap, as long as another has room. */
function relieve(seating: Seating, shards: readonly GroupSeats[]): number {
  let moves = 0;
  for (const node of seating.nodes()) {
    if (!seating.isOver(node)) continue;
    const held = shards
      .filter(({ group }) => seating.members(group).includes(node))
      .sort((a, b) => seating.score(a.group, node) - seating.score(b.group, node));
    for (const { group, learners } of held) {
      if (!seating.isOver(node)) break;
      const to = seating.successor(group, node, learners);
      if (to === undefined) continue;
      swap(seating, group, node, to);
      moves += 1;
    }
  }
  return moves;
}

/** Step 3: gives seats to nodes under their floor, without costing a group a zone. */
function feed(seating: Seating, shards: readonly GroupSeats[]): number {
  let moves = 0;
  for (const node of seating.nodes()) {
    if (!seating.isUnder(node)) continue;
    const wanted = shards
      .filter(({ group }) => !seating.members(group).includes(node))
      .sort((a, b) => {
        // A seat that is on its way there already comes first, so that no move is given up midway.
        const way = Number(b.learners.includes(node)) - Number(a.learners.includes(node));
        return way || seating.score(b.group, node) - seating.score(a.group, node);
      });
    for (const { group } of wanted) {
      if (!seating.isUnder(node)) break;
      const donor = donorOf(seating, group, node);
      if (donor === undefined) continue;
      swap(seating, group, donor, node);
      moves += 1;
    }
  }
  return moves;
}

/** The fullest member that can give its seat to `node`. */
function donorOf(seating: Seating, group: GroupId, node: NodeId): NodeId | undefined {
  const zones = seating.zones(group);
  let donor: NodeId | undefined;
  for (const member of seating.members(group)) {
    if (!seating.canGive(member) || seating.fullness(member) <= seating.fullness(node)) continue;
    if (seating.zones(group, member, node) < zones) continue;
    if (donor === undefined || isFuller(seating, group, member, donor)) donor = member;
  }
  return donor;
}

function isFuller(seating: Seating, group: GroupId, left: NodeId, right: NodeId): boolean {
  const more = seating.fullness(left) - seating.fullness(right);
  return more > 0 || (more === 0 && seating.score(group, left) < seating.score(group, right));
}

/** Step 4: moves one of two members in the same zone to a zone the group has not. */
function spread(seating: Seating, shards: readonly GroupSeats[]): number {
  let moves = 0;
  for (const { group, learners } of shards) {
    if (!seating.canSpread(group)) continue;
    const members = [...seating.members(group)]
      .filter(member => seating.canGive(member))
      .sort((a, b) => seating.score(group, a) - seating.score(group, b));
    const zones = seating.zones(group);
    for (const member of members) {
      // Only a member whose zone is there twice leaves without costing one.
      if (seating.zones(group, member) < zones) continue;
      const to = seating.successor(group, member, learners);
      if (to === undefined || seating.zones(group, member, to) <= zones) continue;
      swap(seating, group, member, to);
      moves += 1;
      break;
    }
  }
  return moves;
}
