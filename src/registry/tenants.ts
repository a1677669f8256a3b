/** Tenants and plans as they are, the built-in ones included. */
import { builtInPlans, defaultTenant, defaultTenantPlan } from '../model/plan.ts';
import type { RegistryState, TenantRecord } from './state.ts';

const byText = (left: string, right: string): number => (left < right ? -1 : 1);

export function tenantOf(state: RegistryState, name: string): TenantRecord | undefined {
  const known = state.tenants.get(name);
  if (known !== undefined || name !== defaultTenant) return known;
  return { name, plan: defaultTenantPlan, createdAtMs: state.cluster?.createdAtMs ?? 0 };
}

export function tenantsByName(state: RegistryState): TenantRecord[] {
  const names = new Set([defaultTenant, ...[...state.tenants.keys()].sort(byText)]);
  return [...names].flatMap(name => tenantOf(state, name) ?? []);
}

export function planNames(state: RegistryState): string[] {
  return [...new Set([...builtInPlans, ...[...state.plans.keys()].sort(byText)])];
}
