/**
 * setTier: what a tier gives to tasks that are submitted from now on. Only the fields that were set
 * are kept; what is missing is the default of whoever reads it. Replies: ok, repeated,
 * `badRequest` (an amount that is no whole number, or over its bound).
 */
import { changeTier, tierFields } from '../../model/tiers.ts';
import { wrongTierChange } from '../check.ts';
import type { RegistryCommandOf } from '../command.ts';
import {
  accepted,
  type RegistryEffect,
  type RegistryReply,
  type RegistryState,
  refused,
  repeated,
} from '../state.ts';

export function applySetTier(
  state: RegistryState,
  { tier, changes }: RegistryCommandOf<'setTier'>,
  effects: RegistryEffect[],
): RegistryReply {
  for (const change of changes) {
    const wrong = wrongTierChange(change);
    if (wrong !== undefined) return refused('badRequest', wrong);
  }
  const before = state.tiers.get(tier) ?? {};
  const after = changeTier(before, changes);
  if (tierFields.every(field => before[field] === after[field])) return repeated;
  state.putTier(tier, after);
  effects.push({ kind: 'settingsChanged' });
  return accepted;
}
