/** What workers report of attempts, on its way into the log of a shard. */
import type { Outcome } from '../model/attempt.ts';
import type { NodeId } from '../model/ids.ts';
import type { AttemptRef, Refusal } from '../model/worker-protocol.ts';

export interface QueuedReport {
  readonly ref: AttemptRef;
  readonly from: NodeId;
  readonly change:
    | { readonly kind: 'start'; readonly startedAtMs: number }
    | { readonly kind: 'finish'; readonly outcome: Outcome }
    | { readonly kind: 'unassign'; readonly why: Refusal };
}

/** Replies to `start` that say that the attempt is over for its shard. */
export const overCodes: ReadonlySet<string> = new Set([
  'badRequest',
  'alreadySettled',
  'unknownTask',
]);
