/**
 * putPlan: sets what a plan says, all of it; without values it is as it was built in, or gone where
 * it was not. What the values mean is known where they are read. Replies: ok; repeated;
 * `badRequest` (malformed, too large, too many, or the plan of a tenant would be gone).
 */
import { limits } from '../../model/limits.ts';
import { builtInPlans } from '../../model/plan.ts';
import { wrongName } from '../check.ts';
import type { RegistryCommandOf } from '../command.ts';
import {
  accepted,
  type RegistryEffect,
  type RegistryReply,
  type RegistryState,
  refused,
  repeated,
} from '../state.ts';

type Values = RegistryCommandOf<'putPlan'>['values'];

const textOf = (values: Values): string | undefined => values?.flat().join('\n');

export function applyPutPlan(
  state: RegistryState,
  { name, values }: RegistryCommandOf<'putPlan'>,
  effects: RegistryEffect[],
): RegistryReply {
  const wrong = wrongName(name, 'plan');
  if (wrong !== undefined) return refused('badRequest', wrong);
  if (textOf(state.plans.get(name)) === textOf(values)) return repeated;
  if (values === undefined) {
    const user = [...state.tenants.values()].find(tenant => tenant.plan === name);
    if (user !== undefined && !builtInPlans.includes(name)) {
      return refused(
        'badRequest',
        `tenant ${user.name} has the plan ${name}: give it another one first`,
      );
    }
    state.dropPlan(name);
  } else {
    if ((textOf(values) ?? '').length > limits.planBytesMax) {
      return refused('badRequest', `plan ${name} is over ${limits.planBytesMax} long`);
    }
    if (!state.plans.has(name) && state.plans.size >= limits.plansMax) {
      return refused('badRequest', `there are ${limits.plansMax} plans, the most allowed`);
    }
    state.putPlan(name, values);
  }
  effects.push({ kind: 'tenantsChanged' });
  return accepted;
}
