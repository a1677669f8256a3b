/** What only some tasks have: a plain waiting task has none of it and no such object. */
import type { Outcome } from '../../model/attempt.ts';
import type { NodeId, TaskId } from '../../model/ids.ts';
import type { SpecOverrides } from '../../model/spec-overrides.ts';
import type { PauseView } from '../../model/task.ts';
import type { TaskInput } from '../../model/worker-protocol.ts';
import type { Traits } from './traits.ts';

/** An attempt as the shard keeps it; `outcome` is missing exactly while it is live. */
export interface AttemptRecord {
  readonly fence: number;
  /** Which of the runs that count this is, from 1. */
  readonly run: number;
  readonly node: NodeId;
  readonly nodeName: string;
  /** Supervisor it was assigned to. */
  readonly incarnation: string;
  readonly assignedAtMs: number;
  readonly startedAtMs?: number | undefined;
  readonly endedAtMs?: number | undefined;
  readonly outcome?: Outcome | undefined;
}

/** Which occurrence of which schedule a task is; of a run by hand, when that was asked for. */
export interface FiringOf {
  readonly schedule: string;
  readonly occurrenceMs: number;
}

/** What a task waits for. Kept until it has settled, for what its parents gave it. */
export interface Dependency {
  /** Parents that have not ended, of the workflow and by ID; one more while that is prepared. */
  unmet: number;
  /** One of those that have ended failed. */
  anyFailed: boolean;
  /** Those by ID that have not. */
  awaited: readonly TaskId[];
  /** Of those by ID that have. */
  inputs: readonly TaskInput[];
}

/** Why a task was aborted that never ran: positions are stored, append-only. */
export const causeKinds = ['parentFailed', 'parentUnknown', 'parentRefused', 'notNeeded'] as const;

export interface AbortCause {
  readonly kind: (typeof causeKinds)[number];
  /** Missing where none of several came true. */
  readonly parent?: TaskId | undefined;
}

export interface CancelRequest {
  readonly reason: string;
  readonly by: string;
}

export type PauseRecord = PauseView;

/** What was changed of a task since it was submitted: by whom, and when, at the last. */
export interface UpdateRecord {
  readonly by: string;
  readonly atMs: number;
  readonly overrides: SpecOverrides;
}

/** Append-only: the number on disk is the position. The later ones are stronger. */
export const recallKinds = ['again', 'counts', 'over'] as const;
export type RecallKind = (typeof recallKinds)[number];

/** Why a live attempt is to end with its gang, and what follows from that. */
export interface Recall {
  readonly kind: RecallKind;
  readonly reason: string;
}

export interface TaskDetail {
  /** Of the newest assignment; 0 before the first. */
  fence: number;
  /** Attempts that ended and count, and those that ended with their node. */
  runs: number;
  lost: number;
  retryOf: TaskId | undefined;
  arrayId: TaskId | undefined;
  arrayIndex: number | undefined;
  /** What made it, where that was a schedule. */
  firing: FiringOf | undefined;
  workflow: { readonly id: TaskId; readonly index: number } | undefined;
  dependency: Dependency | undefined;
  /** Tasks elsewhere that wait for this one to settle. */
  dependents: Set<TaskId> | undefined;
  cause: AbortCause | undefined;
  cancelRequested: CancelRequest | undefined;
  /** Nodes where a run that counted failed, oldest first, at most `limits.avoidMax`. */
  avoid: readonly NodeId[];
  /** Oldest first, at most `limits.attemptsKept`; all but the newest with a short tail. */
  ended: readonly AttemptRecord[];
  /** Invariant: set exactly while the task is assigned or running. */
  live: AttemptRecord | undefined;
  /** While it is set, and the task not settled, so is the hold `paused`. */
  pause: PauseRecord | undefined;
  update: UpdateRecord | undefined;
  /** Follows from `update`, where that changes the order in which it waits; not stored. */
  changedTraits: Traits | undefined;
  /** The worker of the live attempt has stopped its processes. */
  suspended: boolean;
  /** Of the live attempt. */
  recall: Recall | undefined;
  /** Told by the system where no attempt settled the task. */
  outcome: Outcome | undefined;
  /** Sentence for a person, of a settled task. */
  reason: string;
  /** 0 while the task is not settled. */
  settledAtMs: number;
  /** Supervisors that ended under an attempt, by the word of their nodes. */
  supervisorsLost: number;
}

const nothing: readonly never[] = Object.freeze([]);

export function emptyDetail(): TaskDetail {
  return {
    fence: 0,
    runs: 0,
    lost: 0,
    retryOf: undefined,
    arrayId: undefined,
    arrayIndex: undefined,
    firing: undefined,
    workflow: undefined,
    dependency: undefined,
    dependents: undefined,
    cause: undefined,
    cancelRequested: undefined,
    avoid: nothing,
    ended: nothing,
    live: undefined,
    pause: undefined,
    update: undefined,
    changedTraits: undefined,
    suspended: false,
    recall: undefined,
    outcome: undefined,
    reason: '',
    settledAtMs: 0,
    supervisorsLost: 0,
  };
}
