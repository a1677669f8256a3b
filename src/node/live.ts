/** What a shard's leader remembers of an attempt that it answers for, beside what is replicated. */
import type { NodeId, TaskId } from '../model/ids.ts';
import type { AttemptRef, Refusal } from '../model/worker-protocol.ts';
import type { LiveAttempt } from '../shard/live-attempt.ts';

/** A dispatch or an end that was not answered is repeated this often. */
export const repeatMs = 1_000;
/** The same once the worker has accepted: only a restarted node has forgotten it. */
export const repeatAcceptedMs = 5_000;

export interface Live {
  readonly ref: AttemptRef;
  readonly node: NodeId;
  readonly incarnation: string;
  readonly leaseMs: number;
  /** Boot clock of this leader when it saw the assignment applied. */
  readonly sinceMs: number;
  sentMs: number;
  accepted: boolean;
  /** Dispatches that may have reached the worker: by this leader, and one by an earlier leader. */
  dispatches: number;
  /** The cap that its worker has confirmed, where it was told one. */
  toldCapMs: number | undefined;
  /** It was told how to go on and has not said yet that it does. */
  untold: boolean;
}

/** What is remembered from now on of an attempt whose assignment this leader sees applied. */
export const trackedFrom = (
  sinceMs: number,
  ref: AttemptRef,
  attempt: Pick<LiveAttempt, 'node' | 'incarnation' | 'leaseMs'>,
  dispatches: number,
): Live => ({
  ref,
  node: attempt.node,
  incarnation: attempt.incarnation,
  leaseMs: attempt.leaseMs,
  sinceMs,
  sentMs: 0,
  accepted: false,
  dispatches,
  toldCapMs: undefined,
  untold: false,
});

export const keyOf = (taskId: TaskId, fence: number): string => `${taskId}.${fence}`;

/**
 * Whether a refused attempt may have run all the same. A worker refuses before anything starts, so
 * the attempt never was. But one with a new supervisor can say that of the first dispatch only:
 * what came of an earlier one ended with the supervisor that took it, and may have run until then.
 */
export const mayHaveRun = (live: Live, why: Refusal): boolean =>
  why === 'wrongIncarnation' && (live.accepted || live.dispatches > 1);
