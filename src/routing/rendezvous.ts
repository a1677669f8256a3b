/**
 * Where the replicas of one group should be: sticky weighted rendezvous with bounded load
 * (DESIGN 5). A pure function of facts from the registry: everyone comes to the same target, and
 * the group's own leader carries it out. Stale facts can cost a useless move, never safety.
 */
import type { GroupId, NodeId } from '../model/ids.ts';
import { sizeFor } from '../model/replication.ts';
import { byText, countNodes, type GroupSeats, type PlacementNode, Seating } from './seating.ts';

export interface Target {
  /** By node id. */
  readonly voters: NodeId[];
  readonly learners: NodeId[];
}

export interface TargetInput {
  readonly group: GroupId;
  readonly nodes: readonly PlacementNode[];
  /** Replicas wanted. */
  readonly replication: number;
  /** Nodes of its voters now. */
  readonly current: readonly NodeId[];
  readonly currentLearners?: readonly NodeId[] | undefined;
  /** Replicas of other groups on each node. */
  readonly load: ReadonlyMap<NodeId, number>;
  /** Groups that share the nodes, this one included: gives the cap. Without it there is no cap. */
  readonly groups?: number | undefined;
}

/** The target of one group; seats of a healthy node are kept. */
export function targetFor(input: TargetInput): Target {
  const { group, nodes, replication, groups = 1 } = input;
  const size = sizeFor(countNodes(nodes), replication);
  const perGroup = size.voters + size.learners;
  const seating = new Seating(nodes, groups * perGroup, groups);
  for (const node of nodes) {
    // Without a number of groups there is no share to compare with.
    if (input.groups !== undefined) seating.presetTaken(node.id, input.load.get(node.id) ?? 0);
  }
  const seats = { group, voters: input.current, learners: input.currentLearners ?? [] };
  keepSeats(seating, seats, perGroup);
  fillSeats(seating, seats, perGroup);
  return toTarget(seating, seats, nodes, size);
}

/** The nodes that should hold a replica, voters first. */
export function targetReplicas(input: TargetInput): NodeId[] {
  const { voters, learners } = targetFor(input);
  return [...voters, ...learners];
}

/** Keeps the seats a group has, voters before learners, up to its size. */
export function keepSeats(seating: Seating, seats: GroupSeats, size: number): void {
  for (const node of [...seats.voters, ...seats.learners]) {
    const members = seating.members(seats.group);
    if (members.length >= size) return;
    if (seating.isOpen(node) && !members.includes(node)) seating.sit(seats.group, node);
  }
}

/** Fills a group up to its size as far as there are nodes. */
export function fillSeats(seating: Seating, seats: GroupSeats, size: number): void {
  while (seating.members(seats.group).length < size) {
    const node = seating.best(seats.group);
    if (node === undefined) return;
    seating.sit(seats.group, node);
  }
}

/** Who of a group's members votes: those that vote now first, then by score. */
export function toTarget(
  seating: Seating,
  seats: GroupSeats,
  nodes: readonly PlacementNode[],
  size: { readonly voters: number; readonly learners: number },
): Target {
  const { group } = seats;
  const members = [...seating.members(group)].sort((left, right) => {
    const votes = Number(seats.voters.includes(right)) - Number(seats.voters.includes(left));
    return votes || seating.score(group, right) - seating.score(group, left) || byText(left, right);
  });
  // A lost node keeps its vote until another can take it: three minus one stays two of three.
  const lost = nodes.filter(node => node.lost === true && node.weight > 0).map(node => node.id);
  const waiting = seats.voters.filter(node => lost.includes(node) && !members.includes(node));
  let kept = Math.min(Math.max(0, size.voters - members.length), waiting.length);
  if (kept > 0 && (members.length + kept) % 2 === 0) kept -= 1;
  const seated = [...members.slice(0, size.voters), ...waiting.sort(byText).slice(0, kept)];
  const voting = seated.length % 2 === 0 ? Math.max(1, seated.length - 1) : seated.length;
  return {
    voters: seated.slice(0, voting).sort(byText),
    learners: [...seated.slice(voting), ...members.slice(size.voters)].sort(byText),
  };
}
