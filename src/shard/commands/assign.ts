/**
 * assign: takes the planner's placements. The plan was made from a view that may be old, so each
 * item is verified here; what does not hold any more is refused and nothing else is lost.
 *
 * Items    task, node and supervisor it is to run on.
 * Replies  ok with the fence of the new assignment
 *          badRequest        the task does not wait (placed twice, or cancelled and about to end),
 *                            something holds it, or it is one of a gang
 *          alreadySettled, unknownTask
 * Effects  assigned
 *
 * Whether a back-off is over is the planner's business: it has a clock, apply has not.
 */
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import { stateCode } from '../memory/task-table.ts';
import { refuse, refuseMissing, type Turn } from '../turn.ts';

type Assign = ShardCommand & { readonly kind: 'assign' };

export function applyAssign(turn: Turn, command: Assign): ItemReply[] {
  const { state } = turn;
  return command.items.map(item => {
    const { taskId } = item;
    const row = state.lookUp(taskId);
    if (row < 0) return refuseMissing(taskId, row);
    if (state.table.state(row) !== stateCode.waiting) {
      return refuse(taskId, 'badRequest', 'not waiting');
    }
    if (state.table.holds(row) !== 0) return refuse(taskId, 'badRequest', 'held');
    if (state.gangs.of(row).length > 0) return refuse(taskId, 'badRequest', 'one of a gang');
    const fence = state.assign(row, item);
    turn.effects.push({ kind: 'assigned', taskId, fence });
    return { ok: true, taskId, repeated: false, fence };
  });
}
