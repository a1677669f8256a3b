/**
 * What a plan knows of one node while it is being made: what is left, how loaded it is, how much
 * may still be queued. Placements of the plan are counted here at once, so that the next one sees
 * them.
 */
import type { Advertisement } from '../model/advertisement.ts';
import type { Demand, NodeView } from '../model/planning.ts';
import { noResources, resourceNames, tierRank } from '../model/resources.ts';
import { closedFor, loadOf } from './feasible.ts';

/** A demand's request as numbers in the order of `resourceNames`. */
export type Amounts = readonly number[];

export const amountsOf = (demand: Pick<Demand, 'request'>): Amounts =>
  resourceNames.map(name => demand.request[name]);

/** What a node says of itself, as numbers in the order of `resourceNames`. */
interface Said {
  readonly rank: number;
  readonly total: Amounts;
  readonly free: Amounts;
  /** Its load by that. */
  readonly load: number;
}

/** Each is read for many plans, until the next one comes. */
const saidOf = new WeakMap<Advertisement, Said>();

function readSaid(advertisement: Advertisement): Said {
  let said = saidOf.get(advertisement);
  if (said === undefined) {
    said = {
      rank: tierRank(advertisement.tier),
      total: resourceNames.map(name => advertisement.total[name]),
      free: resourceNames.map(name => advertisement.free[name]),
      load: loadOf({ advertisement, reserved: noResources }),
    };
    saidOf.set(advertisement, said);
  }
  return said;
}

export class Room {
  readonly view: NodeView;
  /** Rank of the node's tier. */
  readonly rank: number;
  /** Fresh, with a supervisor, not draining. */
  readonly usable: boolean;
  /** Usable, and it did not refuse lately. */
  readonly open: boolean;
  readonly total: Amounts;
  /** Free less reserved; may be below zero where the advertisement is behind. */
  #free: Amounts;
  #load: number;
  #queued: number;
  #queueLeft: number;

  constructor(view: NodeView, nowMs: number) {
    const { advertisement, reserved } = view;
    this.view = view;
    const { rank, total, free, load } = readSaid(advertisement);
    this.rank = rank;
    this.usable = closedFor(view) === undefined;
    this.open = this.usable && view.coolDownUntilMs <= nowMs;
    this.total = total;
    // Of most nodes nothing is reserved: a plan looks at each, and places on few.
    const isAsSaid = reserved === noResources;
    this.#free = isAsSaid
      ? free
      : resourceNames.map((name, at) => (free[at] ?? 0) - reserved[name]);
    this.#load = isAsSaid ? load : loadOf(view);
    const spilled = spilledReservations(view);
    this.#queued = advertisement.queued + spilled;
    this.#queueLeft = prefetchShare(advertisement.queueRoom - spilled);
  }

  get load(): number {
    return this.#load;
  }

  /** Attempts queued there, this plan's included. */
  get queued(): number {
    return this.#queued;
  }

  /** Attempts that this plan may still queue there. */
  get queueLeft(): number {
    return this.#queueLeft;
  }

  fits(amounts: Amounts): boolean {
    for (let position = 0; position < amounts.length; position++) {
      const wanted = amounts[position] ?? 0;
      if (wanted > 0 && wanted > (this.#free[position] ?? 0)) return false;
    }
    return true;
  }

  /** What is left of the resource at a position of `resourceNames`. */
  freeOf(position: number): number {
    return this.#free[position] ?? 0;
  }

  /** The largest share of the node that is missing for the amounts. */
  lacks(amounts: Amounts): number {
    let lack = 0;
    amounts.forEach((wanted, position) => {
      const total = this.total[position] ?? 0;
      if (total > 0) lack = Math.max(lack, (wanted - this.freeOf(position)) / total);
    });
    return lack;
  }

  /** Whether it would fit if the node were empty. */
  holds(amounts: Amounts): boolean {
    for (let position = 0; position < amounts.length; position++) {
      if ((amounts[position] ?? 0) > (this.total[position] ?? 0)) return false;
    }
    return true;
  }

  /** How many of the demand fit into what is left: at least 1 where `fits`. */
  copiesLeft(amounts: Amounts): number {
    return copiesIn(amounts, this.#free);
  }

  /** How many of the demand an empty node holds. */
  copiesInAll(amounts: Amounts): number {
    return copiesIn(amounts, this.total);
  }

  /** Counts a placement. Where it does not fit, it goes to the queue there. */
  take(amounts: Amounts): void {
    if (!this.fits(amounts)) {
      this.#queued += 1;
      this.#queueLeft -= 1;
    }
    this.#free = this.#free.map((free, position) => {
      const left = free - (amounts[position] ?? 0);
      const total = this.total[position] ?? 0;
      if (total > 0) this.#load = Math.max(this.#load, (total - left) / total);
      return left;
    });
  }
}

/** A node holds at most this many of a demand that asks for nothing: only for weighing. */
const copiesMax = 1_000_000;

/** How many times the amounts go into what there is; below 0 where that is below 0. */
export function copiesIn(amounts: Amounts, have: Amounts): number {
  let least = copiesMax;
  for (let position = 0; position < amounts.length; position++) {
    const wanted = amounts[position] ?? 0;
    if (wanted > 0) least = Math.min(least, Math.floor((have[position] ?? 0) / wanted));
  }
  return least;
}

/**
 * How many of the placements made since the advertisement did not fit what it called free, and so
 * went to the node's queue: their share by the resource that is most short.
 */
function spilledReservations(view: NodeView): number {
  if (view.reservedCount === 0) return 0;
  let share = 0;
  for (const name of resourceNames) {
    const reserved = view.reserved[name];
    if (reserved <= 0) continue;
    share = Math.max(share, (reserved - view.advertisement.free[name]) / reserved);
  }
  return Math.ceil(share * view.reservedCount);
}

/** Half of a node's queue for one plan: other leaders read the same advertisement. */
const prefetchShare = (room: number): number => Math.max(0, Math.ceil(room / 2));
