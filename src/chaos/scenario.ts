/**
 * A scenario: what cluster, what work, which faults when, and what must hold. It is data; this is
 * its shape once it was read.
 */
import type { FaultKind } from './fault-kinds.ts';
import type { Target } from './target.ts';

export const workKinds = ['quick', 'short', 'long', 'busy'] as const;
export type WorkKind = (typeof workKinds)[number];

/**
 * Settings of single kinds; those that a scenario leaves out have the values of `optionDefaults`.
 */
export interface FaultOptions {
  readonly everyMs: number;
  readonly delayMs: number;
  readonly jitterMs: number;
  readonly percent: number;
  /** Bytes a second. */
  readonly rate: number;
  /** Number of bytes that are flipped. */
  readonly bytes: number;
  /** Negative: backwards. */
  readonly jumpMs: number;
  readonly limitBytes: number;
}

export interface FaultPlan {
  readonly atMs: number;
  readonly forMs: number;
  readonly kind: FaultKind;
  readonly target: Target;
  readonly options: FaultOptions;
}

/** The share of tasks that stand in line, and in how many lines; each is quick. */
export interface OrderedPlan {
  readonly keys: number;
  readonly percent: number;
}

/** The share of tasks that say by when they should start. */
export interface BoundedPlan {
  readonly toleranceMs: number;
  readonly percent: number;
}

/** Schedules that are made before the first fault. */
export interface SchedulePlan {
  /** So many fire at an instant each, spread over the work: to the second. */
  readonly once: number;
  /** So many fire each minute, which is the finest that recurs. */
  readonly everyMinute: number;
}

/** Faults drawn from the seed. */
export interface RandomPlan {
  readonly fromMs: number;
  readonly untilMs: number;
  /** Between two of them, on the average. */
  readonly everyMs: number;
  readonly shortestMs: number;
  readonly longestMs: number;
  readonly kinds: readonly FaultKind[];
  /** At most so many nodes fail at a time. */
  readonly atOnce: number;
  readonly options: FaultOptions;
}

export interface CheckBounds {
  /** From the beginning and the end of each fault to the next acknowledged submit. */
  readonly ackWithinMs: number;
  /** The same until every shard is led by a node that takes part. */
  readonly ledWithinMs: number;
  /** From the end of the work until everything has settled. */
  readonly settleWithinMs: number;
}

export interface Scenario {
  readonly name: string;
  readonly about: string;
  readonly nodes: number;
  readonly shards: number;
  /** Flags of `node start`, for every node. */
  readonly flags: readonly string[];
  /** Tasks a second. */
  readonly rate: number;
  readonly workMs: number;
  readonly kinds: Readonly<Record<WorkKind, number>>;
  readonly ordered: OrderedPlan;
  readonly bounded: BoundedPlan;
  readonly schedules: SchedulePlan;
  readonly faults: readonly FaultPlan[];
  readonly random?: RandomPlan | undefined;
  readonly checks: CheckBounds;
}
