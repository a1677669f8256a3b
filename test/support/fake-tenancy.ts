/** Tenants, tokens and plans of a node without a cluster, over memory. */
import { TschedError } from '../../src/model/errors.ts';
import { builtInPlans, formatPlan, planFrom } from '../../src/model/plan.ts';
import type { PlanView, TenantApi, TenantView, TokenView } from '../../src/ports/tenant-api.ts';

export class FakeTenancy implements TenantApi {
  readonly #tenants = new Map<string, TenantView>([
    ['default', { name: 'default', plan: 'unlimited', createdAtMs: 0 }],
    ['other', { name: 'other', plan: 'free', createdAtMs: 0 }],
  ]);
  readonly #tokens = new Map<string, TokenView>();
  readonly #plans = new Map<string, Record<string, string>>();
  /** Tokens that changes were asked with. */
  readonly bearers: string[] = [];

  tenants(): TenantView[] {
    return [...this.#tenants.values()];
  }

  async tenant(name: string) {
    const tenant = this.#tenants.get(name);
    if (tenant === undefined) throw new TschedError('unknownTenant', `there is no tenant ${name}`);
    return {
      ...tenant,
      limits: this.#plan(tenant.plan).limits,
      use: { waiting: 3, running: 2, cpuMilli: 1_500, memoryBytes: 1_073_741_824 },
      missingShards: [],
    };
  }

  async createTenant(name: string, plan: string, bearer: string) {
    this.bearers.push(bearer);
    if (this.#tenants.has(name)) throw new TschedError('tenantTaken', `tenant ${name} is there`);
    return this.#put(name, plan);
  }

  async setTenant(name: string, plan: string, bearer: string) {
    this.bearers.push(bearer);
    if (!this.#tenants.has(name)) {
      throw new TschedError('unknownTenant', `there is no tenant ${name}`);
    }
    return this.#put(name, plan);
  }

  #put(name: string, plan: string): TenantView {
    if (!this.plans().some(known => known.name === plan)) {
      throw new TschedError('unknownPlan', `there is no plan ${plan}`);
    }
    const tenant = { name, plan, createdAtMs: 1_700_000_000_000 };
    this.#tenants.set(name, tenant);
    return tenant;
  }

  plans(): PlanView[] {
    return [...new Set([...builtInPlans, ...this.#plans.keys()])].map(name => this.#plan(name));
  }

  #plan(name: string): PlanView {
    const values = Object.entries(this.#plans.get(name) ?? {});
    return {
      name,
      builtIn: builtInPlans.includes(name),
      limits: Object.fromEntries(formatPlan(planFrom(name, values))),
      tenants: this.tenants().filter(tenant => tenant.plan === name).length,
    };
  }

  async setPlan(
    name: string,
    values: Readonly<Record<string, string>> | undefined,
    bearer: string,
  ): Promise<PlanView | undefined> {
    this.bearers.push(bearer);
    if (values === undefined) this.#plans.delete(name);
    else this.#plans.set(name, { ...this.#plans.get(name), ...values });
    return this.plans().find(plan => plan.name === name);
  }

  tokens(): TokenView[] {
    return [...this.#tokens.values()];
  }

  async createToken(
    asked: Parameters<TenantApi['createToken']>[0],
    bearer: string,
  ): Promise<TokenView & { readonly token: string }> {
    this.bearers.push(bearer);
    const { expiresInMs, ...rest } = asked;
    const id = `id${this.#tokens.size + 1}`;
    const expiresAtMs = expiresInMs === undefined ? undefined : 1_700_000_000_000 + expiresInMs;
    const view = { id, ...rest, expiresAtMs };
    this.#tokens.set(id, view);
    return { ...view, token: 'tsched_secret' };
  }

  async revokeToken(id: string, bearer: string): Promise<TokenView> {
    this.bearers.push(bearer);
    const token = this.tokens().find(known => known.id === id || known.name === id);
    if (token === undefined) throw new TschedError('unknownToken', `there is no token ${id}`);
    this.#tokens.delete(token.id);
    return token;
  }
}
