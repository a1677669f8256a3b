/**
 * How evenly tenants are served: the Jain index of what each holds by what it is entitled to. 1 is
 * even, 1 / n is one of n that has all.
 *
 * What a tenant holds is its share of the resource of which it holds most, averaged over a window.
 * What it is entitled to is its max-min fair share by weight of what all hold: nobody is due more
 * than it asks for, which is what it holds and what waits, and what it leaves is shared among the
 * others. Without that limit a tenant that asks for little and gets all of it would look wronged.
 * It would also look well served, so the index is given for those alone, too, that ask for more
 * than they are due: they are the ones that contend.
 *
 * All classes are taken together. What is urgent goes first whoever it belongs to, and counts in
 * what its tenant holds; so does what waits because no node of its tier has room.
 */
import type { Times } from './omniscient.ts';
import type { Tenant, Trace } from './trace.ts';

const sampleMs = 250;
/** A tenant contends in a window where it asks for this much of what it is due. */
const contendsFrom = 1.2;

/** When it is looked at; one window follows the other. */
export interface Windows {
  readonly fromMs: number;
  readonly windowMs: number;
}

export interface Fairness {
  /** Mean and least Jain index over the windows; null where there was none. */
  readonly mean: number | null;
  readonly least: number | null;
  /** The mean, of those alone that asked for more than they were due, where two or more did. */
  readonly contending: number | null;
  /** How many these were, on average over the windows. */
  readonly tenants: number | null;
}

/** What a tenant asks for, holds and is due, as shares of the cluster. */
interface Account {
  readonly wanted: number;
  readonly held: number;
  readonly due: number;
}

export function jainOf(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  const squares = shares.reduce((total, share) => total + share * share, 0);
  return squares === 0 ? 1 : (sum * sum) / (shares.length * squares);
}

/** Each gets what it wants, up to a level by weight that is the same for all. */
export function maxMinShares(
  capacity: number,
  asked: readonly { readonly wanted: number; readonly weight: number }[],
): number[] {
  const shares = asked.map(() => 0);
  // Those that are content with the lowest level come first.
  const order = asked.map((_, at) => at);
  const levelOf = (at: number): number => asked[at]!.wanted / asked[at]!.weight;
  order.sort((left, right) => levelOf(left) - levelOf(right));
  let left = capacity;
  let weights = asked.reduce((sum, { weight }) => sum + weight, 0);
  for (const at of order) {
    const { wanted, weight } = asked[at]!;
    const share = Math.min(wanted, (left * weight) / weights);
    shares[at] = share;
    left -= share;
    weights -= weight;
  }
  return shares;
}

/** What happened, in order, and the accounts that follow from it. */
class Ledger {
  readonly #trace: Trace;
  readonly #changes: readonly { readonly atMs: number; readonly apply: () => void }[];
  readonly #total: readonly [cpu: number, memory: number];
  readonly #asked = new Map<Tenant, [cpu: number, memory: number]>();
  readonly #held = new Map<Tenant, [cpu: number, memory: number]>();
  #next = 0;

  constructor(trace: Trace, { startedMs, endedMs }: Times) {
    this.#trace = trace;
    this.#total = [
      trace.nodes.reduce((sum, { total }) => sum + total.cpuMilli, 0),
      trace.nodes.reduce((sum, { total }) => sum + total.memoryBytes, 0),
    ];
    for (const tenant of trace.tenants) {
      this.#asked.set(tenant, [0, 0]);
      this.#held.set(tenant, [0, 0]);
    }
    const changes = trace.jobs.flatMap(({ atMs, tenant, request }, number) => {
      const change = (to: Map<Tenant, [number, number]>, sign: number) => () => {
        const sum = to.get(tenant)!;
        sum[0] += sign * request.cpuMilli;
        sum[1] += sign * request.memoryBytes;
      };
      const came = [{ atMs, apply: change(this.#asked, 1) }];
      if (Number.isNaN(startedMs[number]!)) return came;
      return [
        ...came,
        { atMs: startedMs[number]!, apply: change(this.#held, 1) },
        { atMs: endedMs[number]!, apply: change(this.#held, -1) },
        { atMs: endedMs[number]!, apply: change(this.#asked, -1) },
      ];
    });
    this.#changes = changes.sort((left, right) => left.atMs - right.atMs);
  }

  /** The accounts of all tenants at this instant, which is not before the last one. */
  at(untilMs: number): Account[] {
    for (; this.#next < this.#changes.length; this.#next++) {
      const { atMs, apply } = this.#changes[this.#next]!;
      if (atMs > untilMs) break;
      apply();
    }
    const shareOf = ([cpu, memory]: readonly [number, number]): number =>
      Math.max(cpu / this.#total[0], memory / this.#total[1]);
    const { tenants } = this.#trace;
    const held = tenants.map(tenant => shareOf(this.#held.get(tenant)!));
    const asked = tenants.map(tenant => ({
      wanted: shareOf(this.#asked.get(tenant)!),
      weight: tenant.weight,
    }));
    const capacity = held.reduce((sum, share) => sum + share, 0);
    const due = maxMinShares(capacity, asked);
    return tenants.map((_, at) => ({
      wanted: asked[at]!.wanted,
      held: held[at]!,
      due: due[at]!,
    }));
  }
}

const meanOf = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;

const add = (left: Account, right: Account): Account => ({
  wanted: left.wanted + right.wanted,
  held: left.held + right.held,
  due: left.due + right.due,
});

export function fairnessOf(trace: Trace, times: Times, { fromMs, windowMs }: Windows): Fairness {
  const ledger = new Ledger(trace, times);
  const ofAll: number[] = [];
  const ofContending: number[] = [];
  const counts: number[] = [];
  for (let atMs = fromMs; atMs + windowMs <= trace.spanMs; atMs += windowMs) {
    let sums = ledger.at(atMs);
    for (let sampledMs = sampleMs; sampledMs < windowMs; sampledMs += sampleMs) {
      const accounts = ledger.at(atMs + sampledMs);
      sums = sums.map((sum, at) => add(sum, accounts[at]!));
    }
    const served = sums.filter(({ due }) => due > 0);
    const contending = served.filter(({ wanted, due }) => wanted > contendsFrom * due);
    if (served.length === 0) continue;
    const indexOf = (accounts: readonly Account[]): number =>
      jainOf(accounts.map(({ held, due }) => held / due));
    ofAll.push(indexOf(served));
    if (contending.length >= 2) ofContending.push(indexOf(contending));
    counts.push(contending.length);
  }
  return {
    mean: meanOf(ofAll),
    least: ofAll.length === 0 ? null : Math.min(...ofAll),
    contending: meanOf(ofContending),
    tenants: meanOf(counts),
  };
}
