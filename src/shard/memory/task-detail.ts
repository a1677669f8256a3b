/** What only some tasks have: a plain waiting task has none of it and no such object. */
import type { Outcome } from '../../model/attempt.ts';
import type { NodeId, TaskId } from '../../model/ids.ts';

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

export interface CancelRequest {
  readonly reason: string;
  readonly by: string;
}

export interface TaskDetail {
  retryOf: TaskId | undefined;
  arrayId: TaskId | undefined;
  arrayIndex: number | undefined;
  /** What made it, where that was a schedule. */
  firing: FiringOf | undefined;
  cancelRequested: CancelRequest | undefined;
  /** Nodes where a run that counted failed, oldest first, at most `limits.avoidMax`. */
  avoid: readonly NodeId[];
  /** Oldest first, at most `limits.attemptsKept`; all but the newest with a short tail. */
  ended: readonly AttemptRecord[];
  /** Invariant: set exactly while the task is assigned or running. */
  live: AttemptRecord | undefined;
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
    retryOf: undefined,
    arrayId: undefined,
    arrayIndex: undefined,
    firing: undefined,
    cancelRequested: undefined,
    avoid: nothing,
    ended: nothing,
    live: undefined,
    outcome: undefined,
    reason: '',
    settledAtMs: 0,
    supervisorsLost: 0,
  };
}
