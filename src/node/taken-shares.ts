/** What a leader has placed in the shares of a node since that advertised them. */
import type { AdvertisedShare } from '../model/advertisement.ts';
import type { Demand } from '../model/planning.ts';
import { shareKey } from '../model/reservation.ts';
import {
  addResources,
  noResources,
  type Resources,
  subtractResources,
} from '../model/resources.ts';

type Named = NonNullable<Demand['reservation']>;

export class TakenShares {
  readonly #taken = new Map<string, { readonly amount: Resources; readonly count: number }>();

  take(share: Named, request: Resources): void {
    const { amount, count } = this.#taken.get(shareKey(share)) ?? { amount: noResources, count: 0 };
    this.#taken.set(shareKey(share), { amount: addResources(amount, request), count: count + 1 });
  }

  give(share: Named, request: Resources): void {
    const taken = this.#taken.get(shareKey(share));
    if (taken === undefined) return;
    const { amount, count } = taken;
    if (count === 1) this.#taken.delete(shareKey(share));
    else {
      this.#taken.set(shareKey(share), {
        amount: subtractResources(amount, request),
        count: count - 1,
      });
    }
  }

  /** What is left of the shares; nothing where a node has none. */
  left(shares: readonly AdvertisedShare[] | undefined): readonly AdvertisedShare[] | undefined {
    if (shares === undefined || this.#taken.size === 0) return shares;
    return shares.map(share => {
      const taken = this.#taken.get(shareKey(share));
      if (taken === undefined) return share;
      return { ...share, left: subtractResources(share.left, taken.amount) };
    });
  }
}
