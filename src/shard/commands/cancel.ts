/**
 * cancel: somebody does not want the task any more. A waiting task settles at once; an attempt is
 * ended by its worker first, and if it succeeds before that, the task succeeded.
 *
 * Items    tasks; one reason for all.
 * Replies  ok
 *          ok, repeated      a cancel was asked for before; the first reason stays
 *          alreadySettled, unknownTask
 * Effects  settled, or cancelling
 */
import { systemOutcome } from '../../model/attempt.ts';
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import type { TaskId } from '../../model/ids.ts';
import type { CancelRequest } from '../memory/task-detail.ts';
import { stateCode } from '../memory/task-table.ts';
import { accept, refuseMissing, type Turn } from '../turn.ts';

type Cancel = ShardCommand & { readonly kind: 'cancel' };

export const applyCancel = (turn: Turn, command: Cancel): ItemReply[] =>
  command.items.map(({ taskId }) =>
    cancelTask(turn, taskId, { reason: command.reason, by: turn.actor.name }),
  );

/** What a cancel does, also where another command asks for it. */
export function cancelTask(turn: Turn, taskId: TaskId, request: CancelRequest): ItemReply {
  const { state, effects } = turn;
  const { reason } = request;
  const row = state.lookUp(taskId);
  if (row < 0) return refuseMissing(taskId, row);
  const live = state.live(row);
  const detail = state.table.ensureDetail(row);
  if (detail.cancelRequested !== undefined) return accept(taskId, true);
  detail.cancelRequested = request;
  state.flush.markTask(row, reason.length);
  if (live !== undefined) {
    state.due.refresh(row);
    state.note('cancelRequested', row, { attempt: live.fence, node: live.node });
    effects.push({ kind: 'cancelling', taskId, fence: live.fence });
    return accept(taskId);
  }
  state.leaveQueue(row);
  const outcome = systemOutcome('cancelled', state.shownInstant(row), reason);
  state.settle(row, stateCode.cancelled, { reason, outcome });
  state.note('settled', row, { outcome: 'cancelled' });
  effects.push({ kind: 'settled', taskId, state: 'cancelled' });
  return accept(taskId);
}
