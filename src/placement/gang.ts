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
import { amountsOf, copiesIn, type Room } from './room.ts';

/** What a gang may take of a room: beside what is kept there for others. */
export interface GangRooms {
  /** Tasks of it that may take room there now. */
  readonly copiesOf: (room: Room) => number;
  readonly admits: (room: Room) => boolean;
  readonly draw: () => number;
}

/** Takes room for every member; `undefined`, with nothing taken, where it does not reach. */
export function takeForGang(
  rooms: readonly Room[],
  wish: Wish,
  members: readonly GangMember[],
  { copiesOf, admits, draw }: GangRooms,
): Room[] | undefined {
  const copies = rooms.reduce((sum, room) => sum + copiesOf(room), 0);
  if (copies < members.length) return undefined;
  return members.map(() => {
    const room = pickFree(rooms, wish, admits, { draw, crowd: 1 });
    assert(room, 'as many fit as were counted');
    take(room, wish);
    return room;
  });
}

/** Rooms of nodes where none of these has failed. */
export function unavoided(
  rooms: readonly Room[],
  members: readonly Pick<GangMember, 'avoid'>[],
): Room[] {
  const avoided = new Set(members.flatMap(member => member.avoid));
  return rooms.filter(room => !avoided.has(room.view.advertisement.node));
}

/** How many tasks of a demand the nodes would hold together if they were empty. */
export function holdsInAll(
  demand: Pick<Demand, 'tier' | 'request' | 'require'>,
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
