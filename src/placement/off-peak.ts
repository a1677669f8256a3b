/**
 * Whether off-peak tasks may run now: by the load of the cluster, by their windows, or because
 * their start bound is near, whichever comes first.
 */
import { isOpen } from '../model/windows.ts';
import type { Next } from './order.ts';
import type { Amounts, Room } from './room.ts';

/** What the nodes have and have left, taken together. */
export class ClusterLoad {
  readonly total: number[] = [];
  readonly #free: number[] = [];

  constructor(rooms: readonly Room[]) {
    for (const room of rooms) {
      if (!room.usable) continue;
      for (let position = 0; position < room.total.length; position++) {
        const free = Math.max(0, room.freeOf(position));
        this.total[position] = (this.total[position] ?? 0) + (room.total[position] ?? 0);
        this.#free[position] = (this.#free[position] ?? 0) + free;
      }
    }
  }

  take(amounts: Amounts): void {
    amounts.forEach((amount, position) => {
      this.#free[position] = (this.#free[position] ?? 0) - amount;
    });
  }

  /** Share of the resource that is most in use. */
  get load(): number {
    let load = 0;
    this.total.forEach((total, position) => {
      if (total > 0) load = Math.max(load, (total - (this.#free[position] ?? 0)) / total);
    });
    return load;
  }
}

export function isHeld(
  { lane: { offPeak }, urgent }: Next,
  cluster: ClusterLoad,
  options: { readonly offPeakLoadMax: number; readonly nowMs: number },
): boolean {
  if (offPeak === undefined || urgent) return false;
  if (offPeak.byLoad && cluster.load <= options.offPeakLoadMax) return false;
  return !isOpen(offPeak.windows, options.nowMs);
}
