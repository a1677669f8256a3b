/** Which attempts a worker has to report again. Pure. */
import type { Attempt } from './attempt-ledger.ts';

/** Reports are repeated this often until they are acknowledged. */
export const reportEveryMs = 1_000;
/** Most that are repeated at one tick: a leader that comes back is not buried in them. */
const repeatsPerTick = 128;

/** Whether there is something about it that its shard has not acknowledged. */
const isReported = (attempt: Attempt): boolean =>
  attempt.phase === 'ended' || (attempt.phase === 'running' && !attempt.startedAcked);

/** Those whose report was not acknowledged in time; where they are many, the longest silent. */
export function dueReports(attempts: readonly Attempt[], nowBootMs: number): Attempt[] {
  const due = attempts.filter(
    attempt => isReported(attempt) && nowBootMs - attempt.reportedAtMs >= reportEveryMs,
  );
  if (due.length > repeatsPerTick) due.sort((a, b) => a.reportedAtMs - b.reportedAtMs);
  return due.slice(0, repeatsPerTick);
}
