/**
 * What a task had better get, among nodes of one tier with room: labels that it prefers, the more
 * of them the better; then the value of a label at which the fewest tasks of its group live, so
 * that a group is spread. Nodes without that label come last. All of it gives way to room and tier:
 * a wish never makes a task wait, and never takes a better node.
 *
 * How a group is spread is known of the shards that a leader leads; each leader spreads its part.
 */
import type { NodeId } from '../model/ids.ts';
import type { Demand } from '../model/planning.ts';
import type { Room } from './room.ts';

/** Live tasks by node, of each group that is to be spread. */
export type SpreadCounts = ReadonlyMap<string, ReadonlyMap<NodeId, number>>;

/** Those with the lowest score. */
function lowestBy(rooms: readonly Room[], score: (room: Room) => number): Room[] {
  let least = Number.POSITIVE_INFINITY;
  let lowest: Room[] = [];
  for (const room of rooms) {
    const value = score(room);
    if (value > least) continue;
    if (value < least) lowest = [];
    least = value;
    lowest.push(room);
  }
  return lowest;
}

const labelOf = (room: Room, name: string): string | undefined =>
  room.view.advertisement.labels.find(([key]) => key === name)?.[1];

export class Taste {
  readonly #missed: ReadonlyMap<Room, number> | undefined;
  /** Of the label that the group is spread over. */
  readonly #values: ReadonlyMap<Room, string | undefined>;
  /** Live tasks of the group by value of the label, those of this plan included. */
  readonly #counts: Map<string, number> | undefined;

  /** `counts` is shared by all demands of a group, and changed. */
  constructor(demand: Demand, rooms: readonly Room[], counts: Map<string, number> | undefined) {
    const { prefer } = demand;
    if (prefer !== undefined) {
      const missed = (room: Room): number =>
        prefer.filter(([name, wanted]) => labelOf(room, name) !== wanted).length;
      this.#missed = new Map(rooms.map(room => [room, missed(room)]));
    }
    const label = demand.spread?.label;
    this.#values = new Map(
      label === undefined ? [] : rooms.map(room => [room, labelOf(room, label)]),
    );
    this.#counts = counts;
  }

  narrow(rooms: readonly Room[]): readonly Room[] {
    const missed = this.#missed;
    const preferred = missed === undefined ? rooms : lowestBy(rooms, room => missed.get(room) ?? 0);
    const counts = this.#counts;
    if (counts === undefined) return preferred;
    return lowestBy(preferred, room => {
      const value = this.#values.get(room);
      return value === undefined ? Number.MAX_SAFE_INTEGER : (counts.get(value) ?? 0);
    });
  }

  /** A task of the group goes there. */
  placed(room: Room): void {
    const value = this.#values.get(room);
    if (value !== undefined) this.#counts?.set(value, (this.#counts.get(value) ?? 0) + 1);
  }
}

/** The tastes of one plan. */
export class Tastes {
  readonly #rooms: readonly Room[];
  readonly #live: SpreadCounts;
  readonly #counts = new Map<string, Map<string, number>>();

  constructor(rooms: readonly Room[], live: SpreadCounts) {
    this.#rooms = rooms;
    this.#live = live;
  }

  /** Among these rooms; `undefined` for a demand that prefers nothing: most do not. */
  of(demand: Demand, rooms = this.#rooms): Taste | undefined {
    if (demand.prefer === undefined && demand.spread === undefined) return undefined;
    return new Taste(demand, rooms, demand.spread && this.#countsOf(demand.spread));
  }

  #countsOf({ label, group }: NonNullable<Demand['spread']>): Map<string, number> {
    const key = `${label.length}:${label}${group}`;
    let counts = this.#counts.get(key);
    if (counts !== undefined) return counts;
    counts = new Map();
    this.#counts.set(key, counts);
    const live = this.#live.get(group);
    for (const room of this.#rooms) {
      const value = labelOf(room, label);
      const here = live?.get(room.view.advertisement.node) ?? 0;
      if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + here);
    }
    return counts;
  }
}
