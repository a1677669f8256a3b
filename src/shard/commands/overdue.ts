/**
 * overdue: tasks that have not started when something was due of them. The leader's clock says when
 * to look; whether it is true is decided here, by state time.
 *
 * Items    tasks
 * Replies  ok                start bound missed, or dropped as it could not start in time, or both
 *          ok, repeated      nothing is due: it started meanwhile, or was told before
 *          alreadySettled, unknownTask
 * Effects  boundMissed; settled, for a task that is dropped
 *
 * A bound is missed at most once in the life of a task, whichever leaders propose it. What has been
 * sent to a node is not dropped any more: it may be starting.
 */
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import { formatDuration } from '../../model/time.ts';
import { stateCode } from '../memory/task-table.ts';
import { tellMissedBound } from '../start-bound.ts';
import { accept, refuseMissing, type Turn } from '../turn.ts';

type Overdue = ShardCommand & { readonly kind: 'overdue' };

export function applyOverdue(turn: Turn, command: Overdue): ItemReply[] {
  const { state } = turn;
  return command.items.map(({ taskId }) => {
    const row = state.lookUp(taskId);
    if (row < 0) return refuseMissing(taskId, row);
    if (!state.due.hasBound(row)) return accept(taskId, true);
    const missed = !state.table.hasMissedBound(row) && state.due.boundMs(row) <= state.nowMs;
    if (missed) tellMissedBound(turn, row);
    const expiryMs = state.due.expiryMs(row);
    const isWaiting = state.table.state(row) === stateCode.waiting;
    const dropped = isWaiting && expiryMs !== undefined && expiryMs <= state.nowMs;
    // Of a gang all are dropped: none of it may start without the others.
    if (dropped) for (const late of [row, ...state.gangs.of(row)]) drop(turn, late);
    return accept(taskId, !missed && !dropped);
  });
}

function drop({ state, effects }: Turn, row: number): void {
  if (state.table.state(row) !== stateCode.waiting) return;
  const { expireMs } = state.specs.traits(state.table.spec(row));
  const reason = `could not start within ${formatDuration(expireMs)}, after which it expires`;
  state.leaveQueue(row);
  state.settle(row, stateCode.aborted, { reason });
  state.note('settled', row);
  effects.push({ kind: 'settled', taskId: state.table.id(row), state: 'aborted' });
}
