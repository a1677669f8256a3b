/**
 * lose: the lease of an attempt ended without a word from its node, which by the lease argument
 * (DESIGN 9) means that nothing of it runs any more.
 *
 * Items    task and fence; one message for all.
 * Replies  as for finish
 * Effects  as for finish
 */
import { systemOutcome } from '../../model/attempt.ts';
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import { accept, refuse, type Turn } from '../turn.ts';
import { endAttempt } from './end-attempt.ts';

type Lose = ShardCommand & { readonly kind: 'lose' };

export function applyLose(turn: Turn, command: Lose): ItemReply[] {
  const { state } = turn;
  return command.items.map(({ taskId, fence }) => {
    const row = state.lookUp(taskId);
    if (row < 0) return accept(taskId, true);
    if (state.live(row)?.fence === fence) {
      endAttempt(turn, row, systemOutcome('lost', state.shownInstant(row), command.message));
      return accept(taskId);
    }
    return fence <= state.table.fence(row)
      ? accept(taskId, true)
      : refuse(taskId, 'badRequest', 'no such attempt');
  });
}
