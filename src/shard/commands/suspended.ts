/**
 * suspended: the worker says that the processes of an attempt stand still, or that they go on.
 * What is wanted may be another thing by now; then the leader tells it again.
 *
 * Items    task and fence, and whether it stands still.
 * Replies  ok
 *          ok, repeated      that was known
 *          badRequest        `stale fence`: the attempt is not the live one
 *          alreadySettled, unknownTask
 * Effects  controlled
 */
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import { accept, refuse, refuseMissing, type Turn } from '../turn.ts';

type Suspended = ShardCommand & { readonly kind: 'suspended' };

export function applySuspended(turn: Turn, command: Suspended): ItemReply[] {
  const { state, effects } = turn;
  return command.items.map(({ taskId, fence, suspended }) => {
    const row = state.lookUp(taskId);
    if (row < 0) return refuseMissing(taskId, row);
    if (state.live(row)?.fence !== fence) return refuse(taskId, 'badRequest', 'stale fence');
    const detail = state.table.ensureDetail(row);
    if (detail.suspended === suspended) return accept(taskId, true);
    detail.suspended = suspended;
    state.flush.markTask(row);
    effects.push({ kind: 'controlled', taskId, fence });
    return accept(taskId);
  });
}
