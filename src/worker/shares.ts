/**
 * What this node keeps for reservations, and what of it is taken by attempts that name them. Pure.
 */
import type { AdvertisedShare } from '../model/advertisement.ts';
import { shareKey } from '../model/reservation.ts';
import {
  addResources,
  firstShortage,
  noResources,
  type Resources,
  resourceNames,
  subtractResources,
} from '../model/resources.ts';
import type { TaskSpec } from '../model/spec.ts';

/** A part of a reservation that is on this node. */
export interface NodeShare {
  readonly name: string;
  readonly tenant: string;
  readonly amount: Resources;
}

/** Names a share; none for an attempt that takes what is free for all. */
export type ShareKey = string | undefined;

/** The share that a task takes its room from. */
export const shareOf = ({ reservation, tenant }: TaskSpec): ShareKey =>
  reservation === undefined ? undefined : shareKey({ name: reservation, tenant });

function atLeastZero(resources: Resources): Resources {
  const bounded = { ...resources };
  for (const name of resourceNames) bounded[name] = Math.max(0, bounded[name]);
  return bounded;
}

function smaller(left: Resources, right: Resources): Resources {
  const least = { ...left };
  for (const name of resourceNames) least[name] = Math.min(left[name], right[name]);
  return least;
}

export class Shares {
  #shares = new Map<string, NodeShare>();
  readonly #used = new Map<string, Resources>();
  #kept: Resources = noResources;

  /** The shares from now on; attempts go on in the share that they named. */
  set(shares: readonly NodeShare[]): void {
    this.#shares = new Map();
    for (const share of shares) this.#shares.set(shareKey(share), share);
    this.#count();
  }

  take(key: ShareKey, request: Resources): void {
    if (key === undefined) return;
    this.#used.set(key, addResources(this.used(key), request));
    this.#count();
  }

  give(key: ShareKey, request: Resources): void {
    if (key === undefined) return;
    const left = subtractResources(this.used(key), request);
    if (firstShortage(left, noResources) === undefined) this.#used.delete(key);
    else this.#used.set(key, left);
    this.#count();
  }

  #count(): void {
    this.#kept = noResources;
    for (const [key, { amount }] of this.#shares) {
      this.#kept = addResources(this.#kept, atLeastZero(subtractResources(amount, this.used(key))));
    }
  }

  used(key: string): Resources {
    return this.#used.get(key) ?? noResources;
  }

  /** Kept for attempts that are not here yet. */
  get kept(): Resources {
    return this.#kept;
  }

  /** All that is kept, taken or not. */
  get total(): Resources {
    let total = noResources;
    for (const { amount } of this.#shares.values()) total = addResources(total, amount);
    return total;
  }

  /** What an attempt that names `key` may take of `free`, which is what nobody has taken. */
  open(key: ShareKey, free: Resources): Resources {
    if (key === undefined) return atLeastZero(subtractResources(free, this.#kept));
    const share = this.#shares.get(key);
    if (share === undefined) return noResources;
    return atLeastZero(smaller(subtractResources(share.amount, this.used(key)), free));
  }

  /** As others are told of them. */
  advertised(free: Resources): AdvertisedShare[] {
    return [...this.#shares].map(([key, { name, tenant }]) => ({
      name,
      tenant,
      used: this.used(key),
      left: this.open(key, free),
    }));
  }
}
