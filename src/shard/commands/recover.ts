/**
 * recover: the shard goes on with what one store held (`tsched cluster unsafe-recover`). Which
 * assignments were made elsewhere is not known: from now on fences are above all of them.
 *
 * Items    none; the epoch that the operator's tool proposes.
 * Replies  none
 * Effects  none
 */
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import type { Turn } from '../turn.ts';

type Recover = ShardCommand & { readonly kind: 'recover' };

export function applyRecover(turn: Turn, command: Recover): ItemReply[] {
  turn.state.raiseEpoch(command.epoch);
  return [];
}
