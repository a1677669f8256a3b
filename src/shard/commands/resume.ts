/**
 * resume: a paused task may be placed again, and a suspended attempt goes on; with one of a gang
 * the others too. Where nothing else holds it, it stands in the queue as of now.
 *
 * Items    tasks
 * Replies  ok
 *          ok, repeated      it is not paused
 *          alreadySettled, unknownTask
 * Effects  readyChanged; controlled, for each attempt that may go on
 */
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import { stateCode } from '../memory/task-table.ts';
import { accept, refuseMissing, type Turn } from '../turn.ts';

type Resume = ShardCommand & { readonly kind: 'resume' };

export function applyResume(turn: Turn, command: Resume): ItemReply[] {
  const { state } = turn;
  return command.items.map(({ taskId }) => {
    const row = state.lookUp(taskId);
    if (row < 0) return refuseMissing(taskId, row);
    const rows = state.gangs.withIts(row);
    const paused = rows.filter(one => state.table.detail(one)?.pause !== undefined);
    for (const one of paused) resumeRow(turn, one);
    // Of a gang it is the first that stands in the queue for all.
    turn.readyChanged ||= paused.length > 0 && rows.some(one => isQueued(turn, one));
    return accept(taskId, paused.length === 0);
  });
}

function resumeRow({ state, effects }: Turn, row: number): void {
  const detail = state.table.ensureDetail(row);
  detail.pause = undefined;
  state.release(row, 'paused');
  const { live } = detail;
  state.note('resumed', row, live && { attempt: live.fence, node: live.node });
  if (live !== undefined) {
    effects.push({ kind: 'controlled', taskId: state.table.id(row), fence: live.fence });
  }
}

const isQueued = ({ state: { table } }: Turn, row: number): boolean =>
  table.state(row) === stateCode.waiting && table.holds(row) === 0;
