/**
 * What a run has seen: what clients were told, what the tasks said themselves, what the nodes
 * showed and what was done to them. Checks and reports are made from this and from nothing else.
 * Times are milliseconds since the beginning of the run unless said otherwise.
 */
import type { FaultKind } from './fault-kinds.ts';

/** One task as a client sees it, over all repeats of its submit. */
export interface SubmitRecord {
  readonly number: number;
  readonly begunMs: number;
  readonly tries: number;
  readonly ackedMs?: number | undefined;
  readonly id?: string | undefined;
  readonly shard?: number | undefined;
  /** A second ID under which the same submit was acknowledged: must never be. */
  readonly otherId?: string | undefined;
  /** It stands in line with the others that have it. */
  readonly orderKey?: string | undefined;
  /** How long it may wait for its start, where it says so. */
  readonly toleranceMs?: number | undefined;
  /** The instant by which the cluster said that it should start, by the cluster's clock. */
  readonly startBoundMs?: number | undefined;
}

/** A task as the cluster records it at the end. */
export interface TaskRecord {
  readonly id: string;
  readonly state: string;
  readonly lost: number;
  readonly supervisorsLost?: number | undefined;
  readonly boundMissed?: boolean | undefined;
  /** Of a firing: which occurrence it is. */
  readonly occurrenceAtMs?: number | undefined;
  readonly schedule?: string | undefined;
  readonly attempts: readonly {
    readonly attempt: number;
    readonly nodeName: string;
    readonly startedAtMs?: number | undefined;
    readonly outcome?: { readonly kind: string } | undefined;
  }[];
}

/** A task that a schedule made. */
export interface FiringRecord {
  readonly taskId: string;
  readonly occurrenceMs: number;
  readonly settled: boolean;
}

/** A schedule of the run; instants are those of the wall clock of the machine that ran it. */
export interface ScheduleRecord {
  readonly name: string;
  /** The instant that it is for; it fires each full minute where there is none. */
  readonly onceMs?: number | undefined;
  /** It was made between these two. */
  readonly askedMs: number;
  readonly madeMs: number;
  /** The cluster had healed: what was due until then had to fire. */
  readonly dueToMs: number;
  /** It had been deleted by then. */
  readonly goneMs: number;
  readonly firings: readonly FiringRecord[];
}

/** A line that an attempt wrote into the file that all of them share. */
export interface AttemptLine {
  readonly what: 'start' | 'alive' | 'end';
  /** That of its submit; firings of schedules have those behind. */
  readonly number: number;
  readonly id: string;
  readonly fence: number;
  /** Seconds of the machine's monotonic clock, to the hundredth. */
  readonly upS: number;
  /** Which boot of a guest it was written in; 0 where the machine itself runs the nodes. */
  readonly boot: number;
  readonly node: string;
}

/** A replica as its own node shows it. */
export interface ReplicaSample {
  readonly shard: number;
  readonly leading: boolean;
  readonly term: number;
  readonly applied: number;
  readonly digest: string;
}

/** Who led each shard, from 1, at a moment: node numbers, 0 where nobody did. */
export interface LeaderSample {
  readonly atMs: number;
  readonly leaders: readonly number[];
}

/** Two replicas that had applied the same entries and held different state. */
export interface Divergence {
  readonly shard: number;
  readonly applied: number;
  readonly nodes: readonly [string, string];
}

/** How the replicas compared, over the whole run and at its end. */
export interface ReplicaComparison {
  /** Pairs of samples of one shard at one index on two nodes. */
  readonly compared: number;
  readonly divergences: readonly Divergence[];
  /** Replicas that were not seen level with another one at the end: `n2 shard 5`. */
  readonly behind: readonly string[];
}

/** How a node was, from `fromMs` until the next span of its own. */
export interface NodeSpan {
  readonly node: number;
  readonly fromMs: number;
  readonly state: 'up' | 'down' | 'paused' | 'cut' | 'starting' | 'refused';
}

export interface FaultRecord {
  readonly number: number;
  readonly kind: FaultKind;
  /** Numbers of the nodes that it hit. */
  readonly nodes: readonly number[];
  readonly fromMs: number;
  readonly toMs: number;
  /** Those of its nodes that the others could not count on meanwhile. */
  readonly away: readonly number[];
  /** Enough nodes were left for every shard to go on. */
  readonly majorityLeft: boolean;
  /** Shards that its nodes led when it began. */
  readonly ledBefore: readonly number[];
  readonly told: readonly string[];
  /** Set where it could not be done as planned. */
  readonly failed?: string | undefined;
}

/** An end of a node that no fault asked for. */
export interface UnexpectedEnd {
  readonly node: string;
  readonly atMs: number;
  readonly how: string;
}

export interface History {
  readonly seed: number;
  readonly nodes: number;
  readonly shards: number;
  readonly endMs: number;
  /** When the last task had settled, or was given up on. */
  readonly settledMs: number;
  readonly workEndMs: number;
  readonly submits: readonly SubmitRecord[];
  readonly tasks: ReadonlyMap<string, TaskRecord | undefined>;
  readonly schedules: readonly ScheduleRecord[];
  /** By task, when the cluster said that it had told of a missed start bound. */
  readonly told: ReadonlyMap<string, readonly number[]>;
  /** Every event since the beginning was read. */
  readonly toldWhole: boolean;
  readonly lines: readonly AttemptLine[];
  /** Machine's monotonic clock at the beginning of the run, seconds. */
  readonly upAtStartS: number;
  readonly faults: readonly FaultRecord[];
  readonly leaders: readonly LeaderSample[];
  readonly spans: readonly NodeSpan[];
  readonly comparison: ReplicaComparison;
  readonly unexpectedEnds: readonly UnexpectedEnd[];
  /** The cluster was there before the run, and is to be there after it. */
  readonly attached: boolean;
  /** Names of nodes whose attempts leave no line. */
  readonly unseen: readonly string[];
  /** What a reader has to know of the cluster. */
  readonly notes: readonly string[];
  /** Processes that were there after everything had been stopped. */
  readonly leftovers: readonly string[];
}
