/**
 * Rooms for the tasks of a gang: for all of them, or none is taken. They are alike, so there is
 * room for all exactly where the nodes together hold as many, and no order of taking can spoil
 * that.
 *
 * Nothing is queued: a gang that waited in the queues of nodes would hold what it has on some while
 * it waits on others, and two of them could wait for each other.
 */
import { assert } from '../model/assert.ts';
import type { Demand, GangMember, NodeView } from '../model/planning.ts';
import { overTotal, unsuited } from './feasible.ts';
import { pickFree, take, type Wish } from './rank.ts';
import { type Amounts, amountsOf, type Room } from './room.ts';

/** Takes room for every member; `undefined`, with nothing taken, where it does not reach. */
export function takeForGang(
  rooms: readonly Room[],
  wish: Wish,
  members: readonly GangMember[],
  draw: () => number,
): Room[] | undefined {
  const { amounts } = wish;
  let copies = 0;
  for (const room of rooms) {
    if (room.open && room.fits(amounts)) copies += room.copiesLeft(amounts);
  }
  if (copies < members.length) return undefined;
  return members.map(() => {
    const room = pickFree(rooms, wish, () => true, { draw, crowd: 1 });
    assert(room, 'as many fit as were counted');
    take(room, wish);
    return room;
  });
}

/** Rooms of nodes where none of the members has failed. */
export function unavoided(rooms: readonly Room[], members: readonly GangMember[]): Room[] {
  const avoided = new Set(members.flatMap(member => member.avoid));
  return rooms.filter(room => !avoided.has(room.view.advertisement.node));
}

/** How many tasks of a demand the nodes would hold together if they were empty. */
export function holdsInAll(
  demand: Demand,
  nodes: readonly Pick<NodeView['advertisement'], 'tier' | 'labels' | 'total'>[],
): number {
  const wanted = amountsOf(demand);
  let copies = 0;
  for (const node of nodes) {
    if (unsuited(demand, node) !== undefined || overTotal(demand, node.total)) continue;
    copies += copiesIn(wanted, amountsOf({ request: node.total }));
  }
  return copies;
}

const copiesIn = (wanted: Amounts, have: Amounts): number =>
  Math.min(
    ...wanted.map((amount, place) =>
      amount > 0 ? Math.floor((have[place] ?? 0) / amount) : Number.MAX_SAFE_INTEGER,
    ),
  );
