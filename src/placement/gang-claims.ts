/**
 * Where room is kept for a gang that fits nowhere now: on as many nodes as it takes, so that it is
 * not starved by tasks that always fit.
 *
 * No more is kept than the gang needs, wherever that is. What is free now is kept first, and of the
 * rest what was kept by the plan before, as more of it may have become free meanwhile; then what
 * nodes lack least of. So with each plan as much of it is free as with the one before, or more, and
 * a node on which nothing ends does not keep a gang that others could take.
 */
import { Heap } from './heap.ts';

/** What one node could keep for a gang, in tasks of it. */
export interface Offer {
  /** If nothing ran there. */
  readonly most: number;
  readonly free: number;
  /** Kept by the plan before. */
  readonly before: number;
  /** The largest share of the node that is missing for so many. */
  readonly lacks: (copies: number) => number;
}

/** The next task of a gang that a node could keep room for. */
interface Step {
  readonly at: number;
  readonly copies: number;
  readonly rank: number;
  readonly lack: number;
}

const isBefore = (left: Step, right: Step): boolean => {
  if (left.rank !== right.rank) return left.rank < right.rank;
  return left.lack === right.lack ? left.at < right.at : left.lack < right.lack;
};

function stepOf(offer: Offer, at: number, copies: number): Step {
  const isFree = copies <= offer.free;
  const isKept = copies <= offer.before;
  const rank = (isFree ? 0 : 2) + (isKept ? 0 : 1);
  return { at, copies, rank, lack: isFree ? 0 : offer.lacks(copies) };
}

/**
 * For how many tasks each is to keep room, `count` in all; `undefined` where they do not hold as
 * many together. O((offers + count) log offers).
 */
export function shareOut(offers: readonly Offer[], count: number): number[] | undefined {
  const steps = new Heap<Step>(isBefore);
  offers.forEach((offer, at) => {
    if (offer.most > 0) steps.push(stepOf(offer, at, 1));
  });
  const shares = offers.map(() => 0);
  for (let left = count; left > 0; left--) {
    const next = steps.first;
    if (next === undefined) return undefined;
    const { at, copies } = next;
    shares[at] = copies;
    steps.pop();
    const offer = offers[at]!;
    if (copies < offer.most) steps.push(stepOf(offer, at, copies + 1));
  }
  return shares;
}
