/**
 * adopt: from here on the shard decides by the rules of a later cluster version (`rules.ts`). A
 * leader proposes it once every node of the cluster reads that version.
 *
 * Items    none; the version.
 * Replies  none
 * Effects  none
 */
import { DecodeError } from '../../model/bytes.ts';
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import { newestRules } from '../rules.ts';
import type { Turn } from '../turn.ts';

type Adopt = ShardCommand & { readonly kind: 'adopt' };

/** Throws `DecodeError`, with nothing changed, for rules that only a newer program knows. */
export function checkRules({ rules }: Adopt): void {
  if (rules > newestRules) {
    throw new DecodeError(`the shard adopts the rules of cluster version ${rules}`);
  }
}

export function applyAdopt({ state }: Turn, command: Adopt): ItemReply[] {
  state.adopt(command.rules);
  // The rules tell whose start is still waited for, of those that were given to a node.
  const { table, due } = state;
  for (let row = 0; row < table.rowsEnd; row++) {
    if (table.isTask(row) && table.detail(row) !== undefined) due.refresh(row);
  }
  return [];
}
