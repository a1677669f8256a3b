/**
 * How much of what a tenant may hold each node may hand out, decided at the tenant's home. Every
 * node that leads shards with tasks of the tenant reports what these hold, and is told a ceiling
 * for the next `ceilingMs`. The ceilings of all nodes together are within the limit: a lower one
 * counts once its node has said that it goes by it, as until then more may be started.
 *
 * Three things go over it, and not for long: the shards of a node that gets leaderships bring what
 * they hold along; a home that cannot be asked leaves each node its share (`ownCeiling`); a plan
 * that is made smaller ends nothing that runs.
 *
 * Where there is no room for the next task of a node that has less than its share, nodes that came
 * to that later give way until there is: a large task would wait for ever else.
 *
 * A new home waits until the ceilings of the one before are over before it lets anything grow.
 */

/** A ceiling holds this long after it was asked for. */
export const ceilingMs = 3_000;

/** What is bounded of the tasks that are assigned or run. */
export const boundedNames = ['running', 'cpuMilli', 'memoryBytes'] as const;
export type Bounded = Readonly<Record<(typeof boundedNames)[number], number>>;
/** Limits of a plan, or a ceiling; `undefined` is none. */
export type Bounds = Readonly<Partial<Record<(typeof boundedNames)[number], number>>>;

export interface UseReport {
  readonly use: Bounded;
  readonly waiting: number;
  /** What the first task needs that finds no room below the ceiling. */
  readonly next?: Bounded | undefined;
  /**
   * The ceiling that holds for the node until it is answered. It has one report under way at a time
   * and takes no late answer.
   */
  readonly goesBy?: Bounds | undefined;
}

interface Reported extends UseReport {
  readonly atMs: number;
  readonly ceiling: Bounds;
  /** Since when it has less than its share and finds no room for its next task. */
  readonly starvingSinceMs: number | undefined;
}

export class HomeCeilings {
  readonly #beganMs: number;
  readonly #nodes = new Map<string, Reported>();

  /** `beganMs`: when this node began to lead the shard. */
  constructor(beganMs: number) {
    this.#beganMs = beganMs;
  }

  #forgetOld(atMs: number): void {
    for (const [node, { atMs: reportedMs }] of this.#nodes) {
      if (reportedMs <= atMs - ceilingMs) this.#nodes.delete(node);
    }
  }

  /** Tasks that wait, by the newest reports. */
  waiting(atMs: number): number {
    this.#forgetOld(atMs);
    let sum = 0;
    for (const { waiting } of this.#nodes.values()) sum += waiting;
    return sum;
  }

  /** The ceiling of a node for the next `ceilingMs`. */
  report(node: string, report: UseReport, limits: Bounds, atMs: number): Bounds {
    this.#forgetOld(atMs);
    const before = this.#nodes.get(node);
    const others = [...this.#nodes].filter(([other]) => other !== node).map(([, told]) => told);
    const ceiling: Partial<Record<keyof Bounded, number>> = {};
    const settled = atMs - this.#beganMs >= ceilingMs;
    const wanted = isPossible(report.next, limits) ? report.next : undefined;
    const since = before?.starvingSinceMs ?? atMs;
    const isBehind = others.some(
      ({ starvingSinceMs }) => starvingSinceMs !== undefined && starvingSinceMs < since,
    );
    let starves = false;
    for (const name of boundedNames) {
      const limit = limits[name];
      if (limit === undefined) continue;
      const use = report.use[name];
      const taken = others.reduce((sum, other) => sum + heldBy(other, name), 0);
      const available = Math.max(0, limit - taken);
      const needed = use + (wanted?.[name] ?? 0);
      const share = Math.ceil(limit * shareOf(report, others));
      const fair = isBehind ? Math.min(use, share) : Math.max(needed, share);
      ceiling[name] = Math.min(available, settled ? fair : use);
      if (wanted !== undefined && ceiling[name] < needed && use < share) starves = true;
    }
    const starvingSinceMs = starves ? since : undefined;
    this.#nodes.set(node, { ...report, atMs, ceiling, starvingSinceMs });
    return ceiling;
  }
}

/** A task that would not fit the whole limit waits for no other's room. */
const isPossible = (next: Bounded | undefined, limits: Bounds): boolean =>
  next !== undefined && boundedNames.every(name => next[name] <= (limits[name] ?? next[name]));

const heldBy = (told: Reported, name: keyof Bounded): number =>
  Math.max(told.ceiling[name] ?? 0, told.use[name], told.goesBy?.[name] ?? 0);

const demandOf = ({ use, waiting }: UseReport): number => use.running + waiting;

function shareOf(report: UseReport, others: readonly UseReport[]): number {
  const mine = demandOf(report);
  const all = others.reduce((sum, other) => sum + demandOf(other), mine);
  return all === 0 ? 0 : mine / all;
}

/** What a node may hand out without a home: its share, but one task at least. */
export function ownCeiling(limits: Bounds, nodes: number): Bounds {
  const own: Partial<Record<keyof Bounded, number>> = {};
  for (const name of boundedNames) {
    const limit = limits[name];
    if (limit === undefined) continue;
    const share = Math.floor(limit / Math.max(1, nodes));
    own[name] = name === 'running' ? Math.max(Math.min(1, limit), share) : share;
  }
  return own;
}
