/**
 * putTenant: makes a tenant, or gives one another plan. Replies: ok; repeated where it has that
 * plan; `tenantTaken` for a new one whose name is taken; `unknownTenant`, `unknownPlan`;
 * `badRequest` (malformed, too many).
 */
import { limits } from '../../model/limits.ts';
import { wrongTenant } from '../check.ts';
import type { RegistryCommandOf } from '../command.ts';
import {
  accepted,
  type RegistryEffect,
  type RegistryReply,
  type RegistryState,
  refused,
  repeated,
} from '../state.ts';
import { planNames, tenantOf } from '../tenants.ts';

export function applyPutTenant(
  state: RegistryState,
  { name, plan, isNew, atMs }: RegistryCommandOf<'putTenant'>,
  effects: RegistryEffect[],
): RegistryReply {
  const wrong = wrongTenant(name);
  if (wrong !== undefined) return refused('badRequest', wrong);
  if (!planNames(state).includes(plan)) return refused('unknownPlan', `there is no plan ${plan}`);
  const known = tenantOf(state, name);
  if (known === undefined && !isNew) return refused('unknownTenant', `there is no tenant ${name}`);
  if (known?.plan === plan) return repeated;
  if (known !== undefined && isNew) {
    return refused('tenantTaken', `tenant ${name} has the plan ${known.plan}`);
  }
  if (known === undefined && state.tenants.size >= limits.tenantsMax) {
    return refused('badRequest', `there are ${limits.tenantsMax} tenants, the most allowed`);
  }
  state.putTenant({ name, plan, createdAtMs: known?.createdAtMs ?? atMs });
  effects.push({ kind: 'tenantsChanged' });
  return accepted;
}
