/**
 * pausePlacement: the tasks of a tenant, or of all, are not placed until this is taken back. What
 * it means is known where tasks are placed. Replies: ok; repeated, also where it is not paused;
 * `unknownTenant`; `badRequest` (malformed, too many).
 */
import { limits } from '../../model/limits.ts';
import { wrongName } from '../check.ts';
import type { RegistryCommandOf } from '../command.ts';
import { everyTenant, reasonBytesMax } from '../pauses.ts';
import {
  accepted,
  type RegistryEffect,
  type RegistryReply,
  type RegistryState,
  refused,
  repeated,
} from '../state.ts';
import { tenantOf } from '../tenants.ts';

export function applyPausePlacement(
  state: RegistryState,
  { scope, on, suspend, reason, actor, atMs }: RegistryCommandOf<'pausePlacement'>,
  effects: RegistryEffect[],
): RegistryReply {
  const wrong = scope === everyTenant ? undefined : wrongName(scope, 'tenant');
  if (wrong !== undefined) return refused('badRequest', wrong);
  if (reason.length > reasonBytesMax) return refused('badRequest', 'the reason is too long');
  const before = state.pauses.get(scope);
  if (!on) {
    if (before === undefined) return repeated;
    state.dropPause(scope);
  } else {
    if (scope !== everyTenant && tenantOf(state, scope) === undefined) {
      return refused('unknownTenant', `there is no tenant ${scope}`);
    }
    if (before?.suspend === suspend) return repeated;
    if (before === undefined && state.pauses.size >= limits.pausesMax) {
      return refused('badRequest', `there are ${limits.pausesMax} pauses already`);
    }
    state.putPause(scope, { by: actor.name, atMs, reason, suspend });
  }
  effects.push({ kind: 'pausesChanged' });
  return accepted;
}
