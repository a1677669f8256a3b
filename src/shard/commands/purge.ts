/**
 * purge: dead letters that nobody wants to hear of any more. The tasks stay in the history.
 *
 * Items    settled tasks.
 * Replies  ok
 *          ok, repeated      it is no dead letter (any more)
 *          notSettled, unknownTask
 * Effects  none
 */
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import { lookup } from '../state.ts';
import { accept, refuse, refuseMissing, type Turn } from '../turn.ts';

type Purge = ShardCommand & { readonly kind: 'purge' };

export function applyPurge({ state }: Turn, command: Purge): ItemReply[] {
  return command.items.map(({ taskId }) => {
    const found = state.lookUp(taskId);
    if (found >= 0) return refuse(taskId, 'notSettled', 'the task has not settled');
    if (found !== lookup.settled) return refuseMissing(taskId, found);
    if (!state.deadLetters.has(state.words)) return accept(taskId, true);
    state.deadLetters.remove(state.words);
    return accept(taskId);
  });
}
