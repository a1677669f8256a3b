/**
 * A task as people and programs see it: its state, why it waits, its attempts, how it ended. This
 * is the JSON of `GET /v1/tasks/ID` and of `tsched status ID --json`, field for field.
 */
import type { Outcome } from './attempt.ts';
import type { TaskId } from './ids.ts';
import type { Resources, Tier } from './resources.ts';
import type { Priority } from './spec-scheduling.ts';
import type { TaskClass } from './start-bound.ts';
import type { When } from './when.ts';
import type { Refusal } from './worker-protocol.ts';

/** Append-only: the number on disk is the position. */
export const taskStates = [
  'waiting',
  'assigned',
  'running',
  'succeeded',
  'failed',
  'cancelled',
  'aborted',
] as const;
export type TaskState = (typeof taskStates)[number];

export const isSettled = (state: TaskState): boolean =>
  state === 'succeeded' || state === 'failed' || state === 'cancelled' || state === 'aborted';

/**
 * Why a task waits: a closed set (DESIGN 2). Words that are not produced yet are declared already.
 */
export const waitingReasons = [
  /** Not looked at yet by the planner. */
  'Queued',
  'Resources',
  'TierUnavailable',
  'NoNodes',
  'BackOff',
  'NeverFits',
  'ShardNoQuorum',
  'Dependency',
  'BeginTime',
  'RateLimit',
  'Paused',
  'Quota',
  'OrderKey',
  'OffPeak',
  'Priority',
  /** As many tasks of its key run as may. */
  'MaxRunning',
  /** Another task of its gang cannot be placed yet, or still ends. */
  'Gang',
  /** The reservation that it names is over, or not its tenant's. */
  'Reservation',
  /** Every node that could run it is full, and room is kept for the first of its kind. */
  'RoomKept',
] as const;
export type WaitingReason = (typeof waitingReasons)[number];

/**
 * What keeps a waiting task out of the ready queue until something is decided: bits of its row, in
 * this order. Append-only.
 */
const holdKinds = ['dependency', 'orderKey', 'paused', 'gang', 'permit'] as const;
export type HoldKind = (typeof holdKinds)[number];

export const holdBit = (kind: HoldKind): number => 1 << holdKinds.indexOf(kind);

const holdReasons: Record<HoldKind, WaitingReason> = {
  dependency: 'Dependency',
  orderKey: 'OrderKey',
  paused: 'Paused',
  gang: 'Gang',
  permit: 'MaxRunning',
};

/**
 * The reason that a task with these bits shows; `undefined` for none. What somebody paused shows
 * that before all else: it stays until somebody resumes it.
 */
export function reasonOfHolds(holds: number): WaitingReason | undefined {
  if ((holds & holdBit('paused')) !== 0) return 'Paused';
  const kind = holdKinds.find(one => (holds & holdBit(one)) !== 0);
  return kind && holdReasons[kind];
}

export interface AttemptView {
  /** Number of the assignment: grows with every one, the task is given it as TSCHED_ATTEMPT. */
  readonly attempt: number;
  /** Its fencing number, TSCHED_FENCE, where that is another: after a recovery. */
  readonly fence?: number | undefined;
  /** Which of the runs that count this is, from 1. */
  readonly run: number;
  readonly node: string;
  readonly nodeName: string;
  readonly assignedAtMs: number;
  readonly startedAtMs?: number | undefined;
  readonly endedAtMs?: number | undefined;
  readonly outcome?: Outcome | undefined;
  /** Its processes are stopped where they were; it keeps its room and its lease. */
  readonly suspended?: boolean | undefined;
}

/** What somebody who paused a task said. */
export interface PauseView {
  readonly by: string;
  readonly atMs: number;
  readonly reason: string;
  /** What runs is to be stopped too. */
  readonly suspend: boolean;
}

/** A tenant, or all of them, whose tasks are not placed. */
export interface PlacementPause extends PauseView {
  /** `*` for all. */
  readonly tenant: string;
}

/** What was changed of a task since it was submitted. */
export interface UpdateView {
  readonly by: string;
  readonly atMs: number;
  /** Fields of its document with the values that hold now. */
  readonly set: Readonly<Record<string, unknown>>;
}

/** The start that a task waits for. */
export interface BoundView {
  /** Until it started: the instant by which it should, by its delay tolerance. */
  readonly startBoundMs?: number | undefined;
  /** That instant passed before it had started. */
  readonly boundMissed?: boolean | undefined;
  /** Until it started: it is dropped then. */
  readonly expiresAtMs?: number | undefined;
  /** While it waits: what its start bound makes of it now. */
  readonly class?: TaskClass | undefined;
  /** Where it is not `normal`. */
  readonly priority?: Priority | undefined;
}

export interface TaskView extends BoundView {
  readonly id: TaskId;
  readonly tenant: string;
  readonly owner: string;
  readonly name: string;
  readonly state: TaskState;
  /** Waiting: from `waitingReasons`. Settled or running: a sentence where there is more to say. */
  readonly reason?: string | undefined;
  /** Outcome of the attempt that settled it, or of the system where none did. */
  readonly outcome?: Outcome | undefined;
  readonly attempts: readonly AttemptView[];
  /** Attempts that counted so far, of `attemptsMax`. */
  readonly runs: number;
  readonly attemptsMax: number;
  /** Attempts that ended with their node; they do not count. */
  readonly lost: number;
  /** How many of these ended because their supervisor did, by the word of its node. */
  readonly supervisorsLost?: number | undefined;
  /** It failed, and was neither replayed nor purged since. */
  readonly deadLetter?: boolean | undefined;
  readonly orderKey?: string | undefined;
  readonly tier: Tier;
  /** What it holds while it runs; missing in the answer of an earlier program. */
  readonly request?: Resources | undefined;
  /** What it may use, where that is not what it holds. */
  readonly limit?: Resources | undefined;
  readonly command: string;
  readonly submittedAtMs: number;
  readonly settledAtMs?: number | undefined;
  /** Not before this instant: what was asked for, or the back-off of a retry. */
  readonly notBeforeMs?: number | undefined;
  readonly shard: number;
  readonly retryOf?: TaskId | undefined;
  readonly arrayId?: TaskId | undefined;
  readonly arrayIndex?: number | undefined;
  /** Name of the schedule that made it. */
  readonly schedule?: string | undefined;
  /** Which occurrence of it. */
  readonly occurrenceAtMs?: number | undefined;
  readonly workflowId?: TaskId | undefined;
  /** Tasks by ID that it waits, or waited, for; a workflow shows those in it. */
  readonly after?: readonly TaskId[] | undefined;
  readonly when?: When | undefined;
  /** How many tasks its gang has: those with its `arrayId`. */
  readonly gang?: number | undefined;
  readonly reservation?: string | undefined;
  readonly cancelRequested?: { readonly reason: string; readonly by: string } | undefined;
  /** It is not placed until it is resumed. */
  readonly paused?: PauseView | undefined;
  /** While it has not settled: its tenant, or the whole cluster, is paused. */
  readonly tenantPaused?: PlacementPause | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Of the newest change, with all that was changed. */
  readonly updated?: UpdateView | undefined;
  /** Template and revision that it was made from: `nightly@3`. */
  readonly template?: string | undefined;
  /** Read from a replica that could not confirm with a majority that this is the newest. */
  readonly stale: boolean;
  /**
   * Of a stale view: milliseconds since the replica that answered last heard of a leader. Missing
   * where it has heard of none since its start.
   */
  readonly staleMs?: number | undefined;
}

/**
 * What a read may rest on. `linearizable`: the leader, confirmed by a majority. `local`: whatever
 * the replica at hand has, which may be old.
 */
export const consistencies = ['linearizable', 'local'] as const;
export type Consistency = (typeof consistencies)[number];

/** A row of a listing. */
export type TaskSummary = Pick<
  TaskView,
  | 'id'
  | 'tenant'
  | 'name'
  | 'state'
  | 'reason'
  | 'tier'
  | 'command'
  | 'submittedAtMs'
  | 'settledAtMs'
  | 'runs'
  | 'attemptsMax'
  | 'shard'
> & {
  readonly nodeName?: string | undefined;
  /** Of a dead letter, in a listing of those: how the last attempt ended, without its output. */
  readonly outcome?: Outcome | undefined;
};

/** Append-only: the number in a shard's digest is the position. */
export const eventKinds = [
  'submitted',
  'assigned',
  'unassigned',
  'started',
  'attemptEnded',
  'cancelRequested',
  'settled',
  /** It has not started by its start bound. Once for each task. */
  'boundMissed',
  'paused',
  'resumed',
  'updated',
  /** After `settled`, of a task that failed: it waits to be replayed or purged. */
  'deadLettered',
  /** A schedule made it. */
  'fired',
] as const;
export type EventKind = (typeof eventKinds)[number];

/** Something that happened to a task, at a position of its shard's event sequence. */
export interface TaskEvent {
  readonly shard: number;
  /** From 1, without gaps, equal on every replica. */
  readonly seq: number;
  readonly atMs: number;
  readonly kind: EventKind;
  readonly taskId: TaskId;
  readonly tenant: string;
  readonly state: TaskState;
  readonly attempt?: number | undefined;
  readonly node?: string | undefined;
  readonly outcome?: Outcome['kind'] | undefined;
  /** Of `unassigned`: why its node refused it. */
  readonly why?: Refusal | undefined;
}
