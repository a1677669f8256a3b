/**
 * A gang runs together or not at all. When the attempt of one of its tasks ends, and not with
 * success, the attempts of the others are recalled: marked, so that their workers are told to end
 * them, and judged by the mark and not by how they end. Three kinds, the later ones stronger:
 *
 *   again    one was refused or lost: all wait again, no run is counted
 *   counts   one failed with runs left: a failed run of all, with the back-off that follows
 *   over     one settled without success: the others are aborted
 *
 * What succeeded before it could be ended has succeeded; the others run again without it. Because
 * the end of one is a failed run of all, all of a gang have the same number of runs.
 */
import { systemOutcome } from '../../model/attempt.ts';
import { limits } from '../../model/limits.ts';
import { type Recall, type RecallKind, recallKinds } from '../memory/task-detail.ts';
import { isSettledCode, stateCode } from '../memory/task-table.ts';
import type { ShardState } from '../state.ts';
import type { Turn } from '../turn.ts';

/** The recall by which the end of this attempt is judged; a cancel goes before it. */
export function recallOf({ table }: ShardState, row: number): Recall | undefined {
  const detail = table.detail(row);
  return detail?.cancelRequested === undefined ? detail?.recall : undefined;
}

/**
 * What the end of an attempt means for the others of its gang, where it did not succeed. `row` is
 * as the end has left it: waiting again, or settled.
 */
export function recallOthers(turn: Turn, others: readonly number[], kind: RecallKind, why: string) {
  const { state } = turn;
  const reason = why.slice(0, limits.retriedTailMax);
  for (const row of others) {
    const code = state.table.state(row);
    if (isSettledCode(code)) continue;
    if (code === stateCode.waiting) {
      if (kind !== 'over') continue;
      state.leaveQueue(row);
      abort(turn, row, reason);
    } else recallLive(turn, row, { kind, reason });
  }
}

function recallLive({ state, effects }: Turn, row: number, recall: Recall): void {
  const detail = state.table.ensureDetail(row);
  const before = detail.recall;
  if (detail.cancelRequested !== undefined) return;
  if (before && recallKinds.indexOf(before.kind) >= recallKinds.indexOf(recall.kind)) return;
  detail.recall = recall;
  state.flush.markTask(row, recall.reason.length);
  state.fold(recallKinds.indexOf(recall.kind));
  const { fence } = state.live(row)!;
  effects.push({ kind: 'cancelling', taskId: state.table.id(row), fence });
}

/** Settles a task that has no live attempt and is in no queue. */
export function abort({ state, effects }: Turn, row: number, reason: string): void {
  const outcome = systemOutcome('cancelled', state.shownInstant(row), reason);
  state.settle(row, stateCode.aborted, { reason, outcome });
  state.note('settled', row, { outcome: 'cancelled' });
  effects.push({ kind: 'settled', taskId: state.table.id(row), state: 'aborted' });
}
