/** Which attempts that were accepted and not started may not start any more. Pure. */
import { assert } from '../model/assert.ts';
import type { Refusal } from '../model/worker-protocol.ts';
import type { Attempt } from './attempt-ledger.ts';
import type { ShardLeases } from './shard-leases.ts';

/** What stands in the queue for this long goes back: what runs before it may run for hours. */
export const queuePatienceMs = 5_000;

/** Why a waiting attempt goes back now; `undefined` where it may wait on. */
export function lapseOf(attempt: Attempt, leases: ShardLeases, nowMs: number): Refusal | undefined {
  const { launch } = attempt;
  assert(launch !== undefined, `an attempt without a spec waits: ${attempt.key}`);
  const waitedMs = nowMs - attempt.acceptedAtMs;
  const isLive = attempt.confirmed ? leases.live(launch, nowMs) : waitedMs < launch.spec.leaseMs;
  if (!isLive) return 'noLease';
  return attempt.phase === 'queued' && waitedMs >= queuePatienceMs ? 'waitedTooLong' : undefined;
}
