/** What a worker has to say of an attempt until its shard has heard it, and how often. Pure. */
import { assert } from '../model/assert.ts';
import type { FromWorker } from '../model/worker-protocol.ts';
import type { Attempt } from './attempt-ledger.ts';
import { waitsForGang } from './patience.ts';

/** Reports are repeated this often until they are acknowledged. */
export const reportEveryMs = 1_000;
/** Most that are repeated at one tick: a leader that comes back is not buried in them. */
const repeatsPerTick = 128;

/** `undefined` where its shard knows all there is. */
export function reportOf(attempt: Attempt): FromWorker | undefined {
  const { ref, outcome, phase, startedAtMs } = attempt;
  if (phase === 'ended') {
    assert(outcome !== undefined, `an ended attempt has an outcome: ${attempt.key}`);
    return { kind: 'ended', ...ref, outcome };
  }
  if (phase === 'running' && !attempt.startedAcked) return { kind: 'started', ...ref, startedAtMs };
  if (!attempt.confirmed || !waitsForGang(attempt)) return undefined;
  return { kind: 'ready', ...ref, port: attempt.ports[0] };
}

/** Those whose report is to be repeated at `nowMs`. */
export function repeatsDue(attempts: readonly Attempt[], nowMs: number): readonly Attempt[] {
  const due = attempts.filter(
    attempt => nowMs - attempt.reportedAtMs >= reportEveryMs && reportOf(attempt) !== undefined,
  );
  if (due.length > repeatsPerTick) due.sort((a, b) => a.reportedAtMs - b.reportedAtMs);
  return due.slice(0, repeatsPerTick);
}
