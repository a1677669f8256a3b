/**
 * start: the worker says that the process of an attempt runs.
 *
 * Items    task, fence and when it started by the worker's clock.
 * Replies  ok
 *          ok, repeated      it was known to run
 *          badRequest        `stale fence`: the attempt is not the live one
 *          alreadySettled, unknownTask
 * Effects  boundMissed, where it started after its start bound and that was not told yet
 */
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import { stateCode } from '../memory/task-table.ts';
import { lookAtStart } from '../start-bound.ts';
import { instantMaxMs } from '../state-time.ts';
import { accept, refuse, refuseMissing, type Turn } from '../turn.ts';

type Start = ShardCommand & { readonly kind: 'start' };

export function applyStart(turn: Turn, command: Start): ItemReply[] {
  const { state } = turn;
  return command.items.map(({ taskId, fence, startedAtMs }) => {
    const row = state.lookUp(taskId);
    if (row < 0) return refuseMissing(taskId, row);
    if (state.live(row)?.fence !== fence) return refuse(taskId, 'badRequest', 'stale fence');
    if (state.table.state(row) === stateCode.running) return accept(taskId, true);
    lookAtStart(turn, row, startedAtMs);
    state.markStarted(row, Math.min(startedAtMs, instantMaxMs));
    return accept(taskId);
  });
}
