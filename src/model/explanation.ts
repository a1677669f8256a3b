/**
 * What `tsched explain` and `GET /v1/tasks/ID/explain` say of a task in any state: a reason from a
 * closed set, when it is likely to start and by what that is estimated, and what was decided about
 * it so far.
 */
import type { OutcomeKind } from './attempt.ts';
import { type EventKind, type TaskState, type WaitingReason, waitingReasons } from './task.ts';
import type { Refusal } from './worker-protocol.ts';

/** Why a task that does not wait is where it is. */
const otherReasons = [
  /** Given to a node, and not started there yet. */
  'Assigned',
  'Running',
  /** It is to end, and its node has not confirmed that yet. */
  'Cancelling',
  'Succeeded',
  /** Its last attempt ended with a code other than 0, or by a signal. */
  'Failed',
  'TimedOut',
  'StartFailed',
  'OutOfMemory',
  'OutputTooLarge',
  /** Attempts went with their nodes until no more were allowed. */
  'Lost',
  'Cancelled',
  /** It never ran: what it was to follow, or the time it was to start in, had gone. */
  'Aborted',
] as const;

export const explainReasons = [...waitingReasons, ...otherReasons] as const;
export type ExplainReason = (typeof explainReasons)[number];

const outcomeReasons: Record<OutcomeKind, ExplainReason> = {
  succeeded: 'Succeeded',
  failed: 'Failed',
  timedOut: 'TimedOut',
  cancelled: 'Cancelled',
  lost: 'Lost',
  startFailed: 'StartFailed',
  outOfMemory: 'OutOfMemory',
  outputTooLarge: 'OutputTooLarge',
};

/** The reason of a task in any state; `waiting` is the one that is told while it waits. */
export function explainReason(task: {
  readonly state: TaskState;
  readonly cancelling: boolean;
  readonly outcome: OutcomeKind | undefined;
  readonly waiting: WaitingReason | undefined;
}): ExplainReason {
  switch (task.state) {
    case 'waiting':
      return task.waiting ?? 'Queued';
    case 'assigned':
      return task.cancelling ? 'Cancelling' : 'Assigned';
    case 'running':
      return task.cancelling ? 'Cancelling' : 'Running';
    case 'succeeded':
      return 'Succeeded';
    case 'cancelled':
      return 'Cancelled';
    case 'failed':
      return outcomeReasons[task.outcome ?? 'failed'];
    case 'aborted':
      return task.outcome === undefined ? 'Aborted' : outcomeReasons[task.outcome];
  }
}

/** What the estimate of a start rests on: a closed set. */
export const estimateBases = [
  /** Its place in the line of its shard, and how many of it started a second lately. */
  'rate',
  /** An instant that is fixed: the end of its back-off, or its begin time. */
  'instant',
  /** Nothing can be said. */
  'none',
] as const;

export interface StartEstimate {
  readonly basis: (typeof estimateBases)[number];
  /** Missing for `none`. */
  readonly startAtMs?: number | undefined;
  /** A sentence: what it was reckoned from, or why there is none. */
  readonly sentence: string;
}

/** Something that was decided about a task, or happened to it. */
export interface Decision {
  readonly atMs: number;
  readonly kind: EventKind;
  readonly attempt?: number | undefined;
  /** Name of the node, or its ID where the name is not known. */
  readonly node?: string | undefined;
  readonly outcome?: OutcomeKind | undefined;
  /** Why its node refused it. */
  readonly why?: Refusal | undefined;
  readonly sentence: string;
}
