/**
 * Who sits where while a target is worked out: the members of each group, the seats each node has
 * taken, and how many it should have. One seat is one replica, voter or learner.
 *
 * A node should have between `floorOf` and `capOf` seats: its share by weight, 15 % less or more
 * and one (bounded-load rendezvous, Mirrokni et al. 2018). All order is by score, then by node id.
 */
import { assert } from '../model/assert.ts';
import type { GroupId, NodeId } from '../model/ids.ts';
import { nodeHash, purposes, scoreOf } from './score.ts';

/** A node as far as placing replicas goes. */
export interface PlacementNode {
  readonly id: NodeId;
  /** Share of replicas; 0 takes none. */
  readonly weight: number;
  /** Empty where zones are not used. */
  readonly zone: string;
  /** It may be given replicas: it is up. */
  readonly eligible: boolean;
  /** It was up and is gone without leave: its seats are replaced, but no group shrinks for it. */
  readonly lost?: boolean | undefined;
}

export interface GroupSeats {
  readonly group: GroupId;
  /** Nodes of the voters and learners it has now; seats whose store is gone are left out. */
  readonly voters: readonly NodeId[];
  readonly learners: readonly NodeId[];
}

interface Chair {
  readonly node: PlacementNode;
  readonly hash: number;
  readonly cap: number;
  readonly floor: number;
  taken: number;
}

const slackPercent = 15;

export const byText = (left: string, right: string): number =>
  left < right ? -1 : left > right ? 1 : 0;

/** Whether a node may be given a replica. */
const isOpen = (node: PlacementNode): boolean => node.eligible && node.weight > 0;

/** Nodes that count for how many replicas a group gets. */
export function countNodes(nodes: readonly PlacementNode[]): number {
  return nodes.filter(node => node.weight > 0 && (node.eligible || node.lost === true)).length;
}

export class Seating {
  /** Chairs of nodes that may be given replicas, by node id. */
  readonly #chairs = new Map<NodeId, Chair>();
  readonly #members = new Map<GroupId, NodeId[]>();
  /** Different zones of the nodes that may be given replicas. */
  readonly #zoneCount: number;

  /**
   * @param seats - seats to be taken in all, from which each node's share follows
   * @param groups - how many groups share them: a node has at most one seat in each
   */
  constructor(nodes: readonly PlacementNode[], seats: number, groups: number) {
    const open = nodes.filter(isOpen).sort((left, right) => byText(left.id, right.id));
    this.#zoneCount = new Set(open.map(node => node.zone)).size;
    const weights = open.reduce((sum, node) => sum + node.weight, 0);
    for (const node of open) {
      const share = (seats * node.weight) / weights;
      const cap = Math.ceil((share * (100 + slackPercent)) / 100) + 1;
      const floor = Math.floor((share * (100 - slackPercent)) / 100) - 1;
      this.#chairs.set(node.id, {
        node,
        hash: nodeHash(node.id),
        cap: Math.min(groups, cap),
        floor: Math.max(0, Math.min(groups, floor)),
        taken: 0,
      });
    }
  }

  /** Nodes that may be given replicas, by id. */
  nodes(): NodeId[] {
    return [...this.#chairs.keys()];
  }

  isOpen(node: NodeId): boolean {
    return this.#chairs.has(node);
  }

  members(group: GroupId): readonly NodeId[] {
    return this.#members.get(group) ?? [];
  }

  taken(node: NodeId): number {
    return this.#chair(node).taken;
  }

  /** Seats of other groups that are not worked out here. */
  presetTaken(node: NodeId, taken: number): void {
    const chair = this.#chairs.get(node);
    if (chair !== undefined) chair.taken = taken;
  }

  isOver(node: NodeId): boolean {
    const chair = this.#chair(node);
    return chair.taken > chair.cap;
  }

  isUnder(node: NodeId): boolean {
    const chair = this.#chair(node);
    return chair.taken < chair.floor;
  }

  /** Whether one more seat keeps it within its cap. */
  hasRoom(node: NodeId): boolean {
    const chair = this.#chair(node);
    return chair.taken < chair.cap;
  }

  /** Whether one seat less keeps it at its floor. */
  canGive(node: NodeId): boolean {
    const chair = this.#chair(node);
    return chair.taken > chair.floor;
  }

  /** Seats taken by weight: who is fuller. */
  fullness(node: NodeId): number {
    const chair = this.#chair(node);
    return chair.taken / chair.node.weight;
  }

  score(group: GroupId, node: NodeId): number {
    const chair = this.#chair(node);
    return scoreOf(chair.hash, group, chair.node.weight, purposes.seat);
  }

  sit(group: GroupId, node: NodeId): void {
    const members = this.#members.get(group) ?? [];
    assert(!members.includes(node), `${node} sits in group ${group} already`);
    this.#members.set(group, [...members, node]);
    this.#chair(node).taken += 1;
  }

  leave(group: GroupId, node: NodeId): void {
    const members = this.members(group);
    assert(members.includes(node), `${node} does not sit in group ${group}`);
    this.#members.set(
      group,
      members.filter(member => member !== node),
    );
    this.#chair(node).taken -= 1;
  }

  /** Different zones of a group's members, with `without` replaced by `instead`. */
  zones(group: GroupId, without?: NodeId, instead?: NodeId): number {
    const zones = new Set<string>();
    for (const member of this.members(group)) {
      if (member !== without) zones.add(this.#chair(member).node.zone);
    }
    if (instead !== undefined) zones.add(this.#chair(instead).node.zone);
    return zones.size;
  }

  /** Whether another choice of members could be in more zones. */
  canSpread(group: GroupId): boolean {
    return this.zones(group) < Math.min(this.members(group).length, this.#zoneCount);
  }

  /**
   * The best node for one more seat in a group: within its cap, then in a zone that the group has
   * not, then by score.
   */
  best(group: GroupId): NodeId | undefined {
    return this.#highest(group, undefined, (chair, fresh) => {
      return (chair.taken < chair.cap ? 2 : 0) + (fresh ? 1 : 0);
    });
  }

  /**
   * The best node to take over the seat of `leaving`, for balance: only within its cap, then in a
   * zone that the group has not, then among `preferred`, then the emptiest, which is a new node,
   * then by score.
   */
  successor(group: GroupId, leaving: NodeId, preferred: readonly NodeId[]): NodeId | undefined {
    return this.#highest(group, leaving, (chair, fresh) => {
      if (chair.taken >= chair.cap) return undefined;
      const emptiness = 1 / (1 + chair.taken / chair.node.weight);
      return (fresh ? 4 : 0) + (preferred.includes(chair.node.id) ? 2 : 0) + emptiness;
    });
  }

  /** The node outside the group of the highest rank, the highest score among equals. */
  #highest(
    group: GroupId,
    leaving: NodeId | undefined,
    rankOf: (chair: Chair, fresh: boolean) => number | undefined,
  ): NodeId | undefined {
    const members = this.members(group);
    const zones = new Set<string>();
    for (const member of members) if (member !== leaving) zones.add(this.#chair(member).node.zone);
    let best: { chair: Chair; rank: number; score: number } | undefined;
    for (const chair of this.#chairs.values()) {
      const { id, zone, weight } = chair.node;
      const rank = members.includes(id) ? undefined : rankOf(chair, !zones.has(zone));
      if (rank === undefined || (best !== undefined && rank < best.rank)) continue;
      const score = scoreOf(chair.hash, group, weight, purposes.seat);
      if (best === undefined || rank > best.rank || score > best.score) {
        best = { chair, rank, score };
      }
    }
    return best?.chair.node.id;
  }

  #chair(node: NodeId): Chair {
    const chair = this.#chairs.get(node);
    assert(chair !== undefined, `${node} may not be given replicas`);
    return chair;
  }
}
