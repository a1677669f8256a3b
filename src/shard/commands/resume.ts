/**
 * resume: a paused task may be placed again, and a suspended attempt goes on. Where nothing else
 * holds it, it stands in the queue as of now.
 *
 * Items    tasks
 * Replies  ok
 *          ok, repeated      it is not paused
 *          alreadySettled, unknownTask
 * Effects  readyChanged; controlled, where an attempt may go on
 */
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import { stateCode } from '../memory/task-table.ts';
import { accept, refuseMissing, type Turn } from '../turn.ts';

type Resume = ShardCommand & { readonly kind: 'resume' };

export function applyResume(turn: Turn, command: Resume): ItemReply[] {
  const { state, effects } = turn;
  const { table } = state;
  return command.items.map(({ taskId }) => {
    const row = state.lookUp(taskId);
    if (row < 0) return refuseMissing(taskId, row);
    const detail = table.detail(row);
    if (detail?.pause === undefined) return accept(taskId, true);
    detail.pause = undefined;
    state.release(row, 'paused');
    const { live } = detail;
    state.note('resumed', row, live && { attempt: live.fence, node: live.node });
    if (live !== undefined) effects.push({ kind: 'controlled', taskId, fence: live.fence });
    turn.readyChanged ||= table.state(row) === stateCode.waiting && table.holds(row) === 0;
    return accept(taskId);
  });
}
