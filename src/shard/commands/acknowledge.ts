/**
 * acknowledge: messages reached the shard that they were for; they are not sent any more.
 *
 * Items    numbers of messages.
 * Replies  none
 * Effects  none
 */
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import type { Turn } from '../turn.ts';

type Acknowledge = ShardCommand & { readonly kind: 'acknowledge' };

export function applyAcknowledge({ state }: Turn, { items }: Acknowledge): ItemReply[] {
  for (const { sequence } of items) {
    if (state.mail.acknowledged(sequence)) state.fold(sequence % 2 ** 32);
  }
  return [];
}
