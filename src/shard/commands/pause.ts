/**
 * pause: somebody does not want the task to be placed until further notice. A waiting task leaves
 * the queue; a live attempt goes on, unless it is to be suspended, and what would run again after
 * it waits. With one of a gang the others are paused.
 *
 * Items    tasks; for all of them one reason, and whether what runs is to stand still.
 * Replies  ok
 *          ok, repeated      it is paused already, and as much as this asks for; the first word
 *                            stays
 *          alreadySettled, unknownTask
 * Effects  controlled, for each attempt that is to be suspended
 */
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import { accept, refuseMissing, type Turn } from '../turn.ts';

type Pause = ShardCommand & { readonly kind: 'pause' };

export function applyPause(turn: Turn, command: Pause): ItemReply[] {
  const { state } = turn;
  return command.items.map(({ taskId }) => {
    const row = state.lookUp(taskId);
    if (row < 0) return refuseMissing(taskId, row);
    let isRepeated = true;
    for (const one of state.gangs.withIts(row))
      if (pauseRow(turn, one, command)) isRepeated = false;
    return accept(taskId, isRepeated);
  });
}

/** False where it is paused as much already. */
function pauseRow(turn: Turn, row: number, { reason, suspend }: Pause): boolean {
  const { state, actor, effects } = turn;
  const detail = state.table.ensureDetail(row);
  const before = detail.pause;
  if (before !== undefined && (before.suspend || !suspend)) return false;
  detail.pause = { by: actor.name, atMs: state.shownInstant(row), reason, suspend };
  state.hold(row, 'paused');
  state.flush.markTask(row, reason.length);
  const { live } = detail;
  state.note('paused', row, live && { attempt: live.fence, node: live.node });
  if (live !== undefined && suspend) {
    effects.push({ kind: 'controlled', taskId: state.table.id(row), fence: live.fence });
  }
  return true;
}
