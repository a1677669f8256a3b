/**
 * cancel: somebody does not want the task any more. A waiting task settles at once; an attempt is
 * ended by its worker first, and if it succeeds before that, the task succeeded. With one of a gang
 * the others are cancelled.
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

export function applyCancel(turn: Turn, command: Cancel): ItemReply[] {
  const { state } = turn;
  const request = { reason: command.reason, by: turn.actor.name };
  /** Settled by this command, with another of their gang. */
  const along = new Set<TaskId>();
  return command.items.map(({ taskId }) => {
    const row = state.lookUp(taskId);
    if (row < 0) return along.has(taskId) ? accept(taskId, true) : refuseMissing(taskId, row);
    const gang = state.gangs.of(row);
    const isRepeated = !cancelRow(turn, row, request);
    for (const other of gang) {
      if (other === row) continue;
      along.add(state.table.id(other));
      cancelRow(turn, other, request);
    }
    return accept(taskId, isRepeated);
  });
}

/** Cancels an unsettled task, also where another command asks; false where it was asked before. */
export function cancelRow(turn: Turn, row: number, request: CancelRequest): boolean {
  const { state, effects } = turn;
  const { reason } = request;
  const taskId = state.table.id(row);
  const live = state.live(row);
  const detail = state.table.ensureDetail(row);
  if (detail.cancelRequested !== undefined) return false;
  detail.cancelRequested = request;
  state.flush.markTask(row, reason.length);
  if (live !== undefined) {
    state.due.refresh(row);
    state.note('cancelRequested', row, { attempt: live.fence, node: live.node });
    effects.push({ kind: 'cancelling', taskId, fence: live.fence });
    return true;
  }
  state.leaveQueue(row);
  const outcome = systemOutcome('cancelled', state.shownInstant(row), reason);
  state.settle(row, stateCode.cancelled, { reason, outcome });
  state.note('settled', row, { outcome: 'cancelled' });
  effects.push({ kind: 'settled', taskId, state: 'cancelled' });
  return true;
}
