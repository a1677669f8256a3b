/** Which rooms a demand sees: those of the nodes, or what these keep for its reservation. */
import type { Demand } from '../model/planning.ts';
import { shareKey } from '../model/reservation.ts';
import { viewFor } from './feasible.ts';
import { Room } from './room.ts';

/** The rooms of the nodes, and what they keep for each reservation as rooms of their own. */
export class SharedRooms {
  readonly #rooms: readonly Room[];
  readonly #nowMs: number;
  readonly #ofReservation = new Map<string, readonly Room[]>();

  constructor(rooms: readonly Room[], nowMs: number) {
    this.#rooms = rooms;
    this.#nowMs = nowMs;
  }

  of(demand: Demand): readonly Room[] {
    const { reservation } = demand;
    if (reservation === undefined) return this.#rooms;
    const key = shareKey(reservation);
    let rooms = this.#ofReservation.get(key);
    if (rooms === undefined) {
      const views = this.#rooms.map(({ view }) => viewFor(demand, view));
      rooms = views.filter(view => view !== undefined).map(view => new Room(view, this.#nowMs));
      this.#ofReservation.set(key, rooms);
    }
    return rooms;
  }
}
