/** How long an attempt that was accepted waits for its start, and why it then goes back. Pure. */
import { assert } from '../model/assert.ts';
import type { Refusal } from '../model/worker-protocol.ts';
import type { Attempt } from './attempt-ledger.ts';
import type { ShardLeases } from './shard-leases.ts';

/** What stands in the queue for this long goes back: what runs before it may run for hours. */
export const queuePatienceMs = 1_000;
/** One of a gang that has its room for this long, without a word that all have, gives it back. */
export const gangPatienceMs = 10_000;

/** Whether it has its room and waits for the word that all of its gang have theirs. */
export const waitsForGang = ({ launch, phase, peers }: Attempt): boolean =>
  phase === 'held' && launch?.spec.gang !== undefined && peers === undefined;

/** Why an attempt that waits here may not start any more; `undefined` while it may. */
export function lapseOf(attempt: Attempt, leases: ShardLeases, nowMs: number): Refusal | undefined {
  const { launch } = attempt;
  assert(launch !== undefined, `an attempt without a spec waits: ${attempt.key}`);
  const sinceMs = nowMs - attempt.acceptedAtMs;
  const lapsed = attempt.confirmed ? !leases.live(launch, nowMs) : sinceMs >= launch.spec.leaseMs;
  if (lapsed) return 'noLease';
  const inQueue = attempt.phase === 'queued' && sinceMs >= queuePatienceMs;
  const inVain = waitsForGang(attempt) && sinceMs >= gangPatienceMs;
  return inQueue || inVain ? 'waitedTooLong' : undefined;
}
