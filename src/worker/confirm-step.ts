/** What the answer to a renewal means for attempts that were accepted and not started. Pure. */
import type { AttemptName } from '../model/worker-protocol.ts';
import { type Attempt, type AttemptLedger, attemptKey } from './attempt-ledger.ts';
import type { ShardLeases } from './shard-leases.ts';

/** Confirms what was asked about and is still meant; returns what is not. */
export function confirmStep(
  ledger: AttemptLedger,
  leases: ShardLeases,
  about: { readonly asks: readonly AttemptName[]; readonly confirmed: readonly AttemptName[] },
  nowMs: number,
): Attempt[] {
  const confirmed = new Set(about.confirmed.map(name => attemptKey(name.taskId, name.fence)));
  const refused: Attempt[] = [];
  for (const name of about.asks) {
    const attempt = ledger.get(name.taskId, name.fence);
    if (attempt === undefined || attempt.confirmed) continue;
    if (attempt.phase !== 'queued' && attempt.phase !== 'held') continue;
    const { launch } = attempt;
    if (!confirmed.has(attempt.key)) refused.push(attempt);
    else if (launch !== undefined && leases.live(launch, nowMs)) attempt.confirmed = true;
  }
  return refused;
}
