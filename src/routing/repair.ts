/**
 * Which silent nodes are declared dead, so that their replicas are replaced: a pure function of who
 * was heard when, with brakes, because a wrong declaration copies data for nothing and many at once
 * could bring the rest down.
 *
 * - More than a third of the nodes silent: it is rather the network, or whoever measures. Nobody.
 * - At most a tenth of the nodes, and at least one, in ten minutes.
 * - Nobody whose replicas could be given to no one: three nodes less one stay two of three.
 */
import type { GroupId, NodeId } from '../model/ids.ts';
import { byText } from './seating.ts';

/** Silent for this long, a node counts towards the third that freezes everything. */
export const suspectedAfterMs = 5_000;

export interface WatchedNode {
  readonly id: NodeId;
  readonly dead: boolean;
  /** It may be given replicas. */
  readonly open: boolean;
  readonly silentMs: number;
}

interface SeatedGroup {
  readonly group: GroupId;
  readonly voters: readonly { readonly node: NodeId }[];
  readonly learners: readonly { readonly node: NodeId }[];
}

export interface RepairInput {
  /** All that were not removed. */
  readonly nodes: readonly WatchedNode[];
  readonly groups: readonly SeatedGroup[];
  readonly deadAfterMs: number;
  /** Declarations of the last ten minutes. */
  readonly declaredLately: number;
}

export interface RepairVerdict {
  readonly declare: readonly NodeId[];
  /** Too many are silent for any of them to be declared dead. */
  readonly frozen: boolean;
}

/** How many of `count` nodes may be declared dead in ten minutes. */
export const declarationsMax = (count: number): number => Math.max(1, Math.floor(count / 10));

/** Longest silent first. Does not depend on the order of `nodes` and `groups`. */
export function nodesToDeclare(input: RepairInput): RepairVerdict {
  const present = input.nodes.filter(node => !node.dead);
  const silent = present.filter(node => node.silentMs >= suspectedAfterMs);
  if (silent.length * 3 > present.length) return { declare: [], frozen: true };
  const candidates = present.filter(node => node.open && node.silentMs < suspectedAfterMs);
  const due = silent
    .filter(node => node.silentMs >= input.deadAfterMs)
    .filter(node => canReplace(node.id, input.groups, candidates))
    .sort((left, right) => right.silentMs - left.silentMs || byText(left.id, right.id));
  const left = Math.max(0, declarationsMax(input.nodes.length) - input.declaredLately);
  return { declare: due.slice(0, left).map(({ id }) => id), frozen: false };
}

/** Whether some replica of the node could be given to another, or it has none. */
function canReplace(
  node: NodeId,
  groups: readonly SeatedGroup[],
  candidates: readonly WatchedNode[],
): boolean {
  const holding = groups.filter(group => group.voters.some(seat => seat.node === node));
  if (holding.length === 0) return true;
  return holding.some(({ voters }) =>
    candidates.some(({ id }) => !voters.some(seat => seat.node === id)),
  );
}
