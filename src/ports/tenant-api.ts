/**
 * What a node answers about tenants, their tokens and their plans. Changes are made by
 * administrators: `bearer` is the token of whoever asks, judged again by the registry's leader.
 */
import type { Role } from '../model/role.ts';

export interface TenantView {
  readonly name: string;
  readonly plan: string;
  readonly createdAtMs: number;
}

/** What the tasks of a tenant hold, over all shards that could be asked. */
export interface TenantUse {
  readonly waiting: number;
  /** Assigned and running. */
  readonly running: number;
  readonly cpuMilli: number;
  readonly memoryBytes: number;
}

export interface TenantDetail extends TenantView {
  /** Fields of its plan as people read them. */
  readonly limits: Readonly<Record<string, string>>;
  readonly use: TenantUse;
  /** Shards that did not answer: what they hold is missing. */
  readonly missingShards: readonly number[];
}

export interface PlanView {
  readonly name: string;
  /** Built into the program: it cannot be gone. */
  readonly builtIn: boolean;
  readonly limits: Readonly<Record<string, string>>;
  /** How many tenants have it. */
  readonly tenants: number;
}

export interface TokenView {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly tenant: string;
  readonly expiresAtMs?: number | undefined;
}

export interface TenantApi {
  tenants(): readonly TenantView[];
  /** Throws `unknownTenant`. */
  tenant(name: string): Promise<TenantDetail>;
  createTenant(name: string, plan: string, bearer: string): Promise<TenantView>;
  setTenant(name: string, plan: string, bearer: string): Promise<TenantView>;
  plans(): readonly PlanView[];
  /**
   * Changes values of a plan by name; an empty text takes one back, and `undefined` all of them.
   * Nothing is changed where one of them is wrong.
   */
  setPlan(
    name: string,
    values: Readonly<Record<string, string>> | undefined,
    bearer: string,
  ): Promise<PlanView | undefined>;
  tokens(): readonly TokenView[];
  /** The token itself is in the answer and nowhere else: only its hash is kept. */
  createToken(
    asked: {
      readonly name: string;
      readonly tenant: string;
      readonly role: Role;
      readonly expiresInMs?: number | undefined;
    },
    bearer: string,
  ): Promise<TokenView & { readonly token: string }>;
  /** By id, or by a name that only one has. */
  revokeToken(idOrName: string, bearer: string): Promise<TokenView>;
}
