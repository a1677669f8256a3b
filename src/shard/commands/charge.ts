/**
 * charge: takes a piece of the hourly budgets of tenants whose home this shard is. How much is left
 * was judged by the leader, which alone hands it out, once this is applied: a leader that comes
 * later finds it counted.
 *
 * Items    a tenant, and how many submits.
 * Replies  none
 * Effects  none
 */
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import type { Turn } from '../turn.ts';

type Charge = ShardCommand & { readonly kind: 'charge' };

export function applyCharge({ state }: Turn, command: Charge): ItemReply[] {
  for (const { tenant, count } of command.items) {
    state.fold(state.hourBudgets.charge(tenant, count, state.nowMs) % 2 ** 32);
  }
  return [];
}
