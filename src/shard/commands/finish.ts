/**
 * finish: the worker says how an attempt ended. Workers repeat it until it is acknowledged, so an
 * attempt that is known to have ended is answered with ok.
 *
 * Items    task, fence and outcome.
 * Replies  ok
 *          ok, repeated      that attempt ended before, or the task is settled, or nobody knows it
 *          any
 *                            more: the worker may forget it
 *          badRequest        the fence was never given out
 * Effects  boundMissed, where its start comes to be known by this and was late; attemptEnded, then
 *          settled or readyChanged
 */
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import { accept, refuse, type Turn } from '../turn.ts';
import { endAttempt } from './end-attempt.ts';

type Finish = ShardCommand & { readonly kind: 'finish' };

export function applyFinish(turn: Turn, command: Finish): ItemReply[] {
  const { state } = turn;
  return command.items.map(({ taskId, fence, outcome }) => {
    const row = state.lookUp(taskId);
    if (row < 0) return accept(taskId, true);
    if (state.live(row)?.fence === fence) {
      endAttempt(turn, row, outcome);
      return accept(taskId);
    }
    return fence <= state.table.fence(row)
      ? accept(taskId, true)
      : refuse(taskId, 'badRequest', 'no such attempt');
  });
}
