/**
 * Which of the nodes that could take a task does: the lowest sufficient tier with room first, so
 * that good nodes stay free for those who need them; then what the task prefers (`taste.ts`), which
 * never costs a better node; then the lowest load, drawn from the best few.
 *
 * Many leaders plan from the same advertisements. If each took the single best node they would all
 * take the same one, so one is drawn from all within a small distance of the best, weighted by how
 * many of the demand each still holds: on average nodes fill in proportion to their size. Sparrow
 * (SOSP 2013) shows how little such a draw loses against the exact best. Where leaders were refused
 * there is a crowd (`crowd.ts`), and the draw is from more.
 */
import type { Amounts, Room } from './room.ts';
import type { Taste } from './taste.ts';

/** What a task needs of a node, and what it had better have. */
export interface Wish {
  readonly amounts: Amounts;
  readonly taste: Taste | undefined;
}

/** Counts a placement. */
export function take(room: Room, { amounts, taste }: Wish): void {
  room.take(amounts);
  taste?.placed(room);
}

/** Nodes this close to the lowest load are as good as it. */
const loadDistance = 0.1;
/** A demand that takes more than this share of a node is not queued there behind others. */
const smallShareMax = 0.5;

/**
 * The node for one task among those with room for it now that admit it, or `undefined`. Where a
 * crowd is after the room of a tier, better tiers are drawn from too, until there is room for all.
 */
export function pickFree(
  rooms: readonly Room[],
  { amounts, taste }: Wish,
  admits: (room: Room) => boolean,
  options: { readonly draw: () => number; readonly crowd: number },
): Room | undefined {
  const { draw, crowd } = options;
  const byRank: Room[][] = [];
  for (const room of rooms) {
    if (room.open && room.fits(amounts) && admits(room)) (byRank[room.rank] ??= []).push(room);
  }
  const copiesIn = (some: readonly Room[]): number =>
    some.reduce((sum, room) => sum + room.copiesLeft(amounts), 0);
  const found: Room[] = [];
  let tiersTaken = 0;
  for (const ofRank of byRank) {
    // No node of this tier.
    if (ofRank === undefined) continue;
    found.push(...ofRank);
    tiersTaken++;
    if (crowd === 1 || copiesIn(found) >= crowd) break;
  }
  const candidates = taste?.narrow(found) ?? found;
  const light = lightest(candidates, room => room.load);
  // The rooms of a crowded tier are nearly full: by their load alone none would be taken.
  const isCrowded = tiersTaken > 1 || (crowd > 1 && copiesIn(light) < crowd);
  const weight = (room: Room): number => room.copiesLeft(amounts);
  return drawFrom(isCrowded ? candidates : light, weight, draw);
}

/**
 * The node in whose queue a small task waits, for when no node has room. Only full nodes are left
 * then, so the task waits behind nobody it could have passed elsewhere. A queue is filled up to as
 * many as the node holds, so that nodes get work in proportion to their size and a queued task
 * waits about as long as one runs. Not taken: where it may not (`mayQueue`), on which another task
 * waits to fit that comes first, because what is queued there would take the room it waits for.
 */
export function pickQueue(
  rooms: readonly Room[],
  { amounts, taste }: Wish,
  mayQueue: (room: Room) => boolean,
  draw: () => number,
): Room | undefined {
  const held = (room: Room): number => room.copiesInAll(amounts);
  const candidates = best(
    rooms,
    taste,
    room =>
      room.open &&
      room.queueLeft > 0 &&
      room.queued < held(room) &&
      isSmall(room, amounts) &&
      mayQueue(room),
  );
  return drawFrom(
    lightest(candidates, room => room.queued / held(room)),
    held,
    draw,
  );
}

function isSmall(room: Room, amounts: Amounts): boolean {
  return amounts.every((wanted, position) => {
    return wanted <= (room.total[position] ?? 0) * smallShareMax;
  });
}

/** Those of the lowest rank that would do, of these those that are most to the task's taste. */
function best(
  rooms: readonly Room[],
  taste: Taste | undefined,
  wouldDo: (room: Room) => boolean,
): readonly Room[] {
  let rank = Number.POSITIVE_INFINITY;
  let lowest: Room[] = [];
  for (const room of rooms) {
    if (room.rank > rank || !wouldDo(room)) continue;
    if (room.rank < rank) lowest = [];
    rank = room.rank;
    lowest.push(room);
  }
  return taste === undefined ? lowest : taste.narrow(lowest);
}

/** Those within `loadDistance` of the lowest score. */
function lightest(candidates: readonly Room[], score: (room: Room) => number): readonly Room[] {
  let lowest = Number.POSITIVE_INFINITY;
  for (const room of candidates) lowest = Math.min(lowest, score(room));
  return candidates.filter(room => score(room) <= lowest + loadDistance);
}

function drawFrom(
  candidates: readonly Room[],
  weight: (room: Room) => number,
  draw: () => number,
): Room | undefined {
  let picked: Room | undefined;
  let sum = 0;
  for (const room of candidates) {
    const share = Math.max(1, weight(room));
    sum += share;
    // Each stays with probability share / sum so far: one pass, no list.
    if (draw() * sum < share) picked = room;
  }
  return picked;
}
