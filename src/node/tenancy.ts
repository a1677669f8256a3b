/**
 * Tenants, their tokens and plans: read from this node's copy of the registry, changed by its
 * leader, and shown once the change is here.
 */
import { TschedError } from '../model/errors.ts';
import type { ShardId } from '../model/ids.ts';
import {
  builtInPlans,
  defaultTenant,
  formatPlan,
  type Plan,
  type PlanValues,
  parsePlanValue,
  planFieldNames,
  planFrom,
} from '../model/plan.ts';
import type { PlanView, TenantApi, TenantUse, TenantView, TokenView } from '../ports/tenant-api.ts';
import type { RegistryMachine } from '../registry/machine.ts';
import type { TokenRecord } from '../registry/state.ts';
import { noUse } from '../shard/memory/tenant-use.ts';
import { type Answered, type Asked, ShardQuestions } from './ask-shards.ts';
import { bearerText } from './bearer.ts';
import type { NodeContext } from './context.ts';
import type { RegistryClient } from './registry-client.ts';
import { sha256Hex } from './sha256.ts';
import type { ShardAccess } from './shard-access.ts';
import { untilShown } from './until-shown.ts';

/** The cluster version that knows tenants and plans. */
const versionNeeded = 3;
const secretBytes = 32;
const idBytes = 6;

interface UseAsked extends Asked {
  readonly tenant: string;
}

interface UseAnswer extends Answered {
  readonly use: TenantUse;
}

/** The plan of a tenant as the registry here has it; `undefined` for no such tenant. */
export function planOfTenant(machine: RegistryMachine, tenant: string): Plan | undefined {
  const record = machine.tenant(tenant);
  return record && planFrom(record.plan, machine.planValues(record.plan));
}

export class Tenancy implements TenantApi {
  readonly #context: NodeContext;
  readonly #registry: RegistryClient;
  readonly #access: ShardAccess;
  readonly #questions: ShardQuestions;

  constructor(deps: {
    readonly context: NodeContext;
    readonly registry: RegistryClient;
    readonly access: ShardAccess;
  }) {
    this.#context = deps.context;
    this.#registry = deps.registry;
    this.#access = deps.access;
    this.#questions = new ShardQuestions(deps.context, deps.access);
    deps.context.peers.answer<UseAsked>('tenantUse', (_from, asked) => this.#useHere(asked));
  }

  #machine(): RegistryMachine {
    const machine = this.#registry.machine();
    if (machine?.cluster() === undefined) {
      throw new TschedError('starting', 'this node has not joined its cluster yet');
    }
    return machine;
  }

  tenants(): TenantView[] {
    return this.#machine().tenants();
  }

  #tenant(name: string): TenantView {
    const tenant = this.#machine().tenant(name);
    if (tenant === undefined) throw unknownTenant(name);
    return tenant;
  }

  async tenant(...[name]: Parameters<TenantApi['tenant']>) {
    const tenant = this.#tenant(name);
    const shards = this.#machine().cluster()?.shards ?? 0;
    const all: ShardId[] = Array.from({ length: shards }, (_, position) => position + 1);
    const { answers, missing } = await this.#questions.ask<UseAnswer>(
      'tenantUse',
      { shards: all, local: false },
      { tenant: name },
    );
    const plan = planFrom(tenant.plan, this.#machine().planValues(tenant.plan));
    return {
      ...tenant,
      limits: Object.fromEntries(formatPlan(plan)),
      use: answers.map(answer => answer.use).reduce(addUse, noUse),
      missingShards: missing,
    };
  }

  async #useHere(asked: UseAsked): Promise<UseAnswer> {
    const stale = await this.#questions.unconfirmed(asked);
    const missing: ShardId[] = [];
    let use = noUse;
    for (const shard of asked.shards) {
      try {
        const { machine } = await this.#access.confirmed(shard, true);
        use = addUse(use, machine.uses.of(asked.tenant));
      } catch (error) {
        if (!(error instanceof TschedError)) throw error;
        missing.push(shard);
      }
    }
    return { use, missing, stale };
  }

  async createTenant(...[name, plan, bearer]: Parameters<TenantApi['createTenant']>) {
    return this.#putTenant(name, plan, true, bearer);
  }

  async setTenant(...[name, plan, bearer]: Parameters<TenantApi['setTenant']>) {
    return this.#putTenant(name, plan, false, bearer);
  }

  async #putTenant(name: string, plan: string, isNew: boolean, bearer: string) {
    this.#refuseEarly();
    await this.#registry.administer({ kind: 'putTenant', name, plan, isNew }, bearer);
    await this.#until(() => this.#machine().tenant(name)?.plan === plan);
    return this.#tenant(name);
  }

  plans(): PlanView[] {
    return this.#machine()
      .planNames()
      .map(name => this.#plan(name));
  }

  #plan(name: string): PlanView {
    const machine = this.#machine();
    return {
      name,
      builtIn: builtInPlans.includes(name),
      limits: Object.fromEntries(formatPlan(planFrom(name, machine.planValues(name)))),
      tenants: machine.tenants().filter(tenant => tenant.plan === name).length,
    };
  }

  async setPlan(...[name, values, bearer]: Parameters<TenantApi['setPlan']>) {
    this.#refuseEarly();
    const wanted: PlanValues | undefined =
      values && changed(this.#machine().planValues(name) ?? [], values);
    await this.#registry.administer({ kind: 'putPlan', name, values: wanted }, bearer);
    const text = (pairs: PlanValues | undefined): string | undefined => pairs?.flat().join('\n');
    await this.#until(() => text(this.#machine().planValues(name)) === text(wanted));
    return this.#machine().planNames().includes(name) ? this.#plan(name) : undefined;
  }

  tokens(): TokenView[] {
    return this.#machine()
      .tokens()
      .map(viewOf)
      .sort((left, right) => (left.tenant + left.name < right.tenant + right.name ? -1 : 1));
  }

  async createToken(...[asked, bearer]: Parameters<TenantApi['createToken']>) {
    const { name, tenant, role, expiresInMs } = asked;
    this.#tenant(tenant);
    if (role === 'admin' && tenant !== defaultTenant) {
      throw new TschedError(
        'badRequest',
        `an administrator sees every tenant: its token belongs to ${defaultTenant}`,
      );
    }
    const { clock } = this.#context;
    const secret = bearerText(this.#draw(secretBytes));
    const token: TokenRecord = {
      id: Buffer.from(this.#draw(idBytes)).toString('hex'),
      name,
      sha256: sha256Hex(Buffer.from(secret)),
      role,
      tenant,
      ...(expiresInMs === undefined ? {} : { expiresAtMs: clock.wallMs() + expiresInMs }),
    };
    await this.#registry.administer({ kind: 'putToken', token }, bearer);
    await this.#until(() => this.#machine().token(token.sha256) !== undefined);
    return { ...viewOf(token), token: secret };
  }

  #draw(count: number): Uint8Array {
    const bytes = new Uint8Array(Math.ceil(count / 4) * 4);
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < bytes.length; at += 4) view.setUint32(at, this.#context.random.uint32());
    return bytes.subarray(0, count);
  }

  async revokeToken(...[idOrName, bearer]: Parameters<TenantApi['revokeToken']>) {
    const known = this.tokens();
    const named = known.filter(token => token.id === idOrName || token.name === idOrName);
    const token = named.find(({ id }) => id === idOrName) ?? named[0];
    if (token === undefined) {
      throw new TschedError('unknownToken', `there is no token ${idOrName}`);
    }
    if (token.id !== idOrName && named.length > 1) {
      const ids = named.map(({ id }) => id).join(', ');
      throw new TschedError(
        'badRequest',
        `${named.length} tokens have this name; give the ID of one of them: ${ids}`,
      );
    }
    await this.#registry.administer({ kind: 'dropToken', id: token.id }, bearer);
    await this.#until(() => !this.tokens().some(({ id }) => id === token.id));
    return token;
  }

  /** Every node must know what tenants are before there is one. */
  #refuseEarly(): void {
    const version = this.#context.clusterVersion();
    if (version >= versionNeeded) return;
    throw new TschedError(
      'notYet',
      `tenants and plans need cluster version ${versionNeeded}; this cluster has ${version} until ` +
        'each of its nodes runs a newer program',
    );
  }

  #until(shows: () => boolean): Promise<void> {
    return untilShown(this.#context.clock, shows);
  }
}

export const unknownTenant = (name: string): TschedError =>
  new TschedError('unknownTenant', `there is no tenant "${name.slice(0, 64)}"`);

const viewOf = ({ id, name, role, tenant, expiresAtMs }: TokenRecord): TokenView => ({
  id,
  name,
  role,
  tenant,
  expiresAtMs,
});

export const addUse = (left: TenantUse, right: TenantUse): TenantUse => ({
  waiting: left.waiting + right.waiting,
  running: left.running + right.running,
  cpuMilli: left.cpuMilli + right.cpuMilli,
  memoryBytes: left.memoryBytes + right.memoryBytes,
});

/** The values of a plan with those of `values` set or, where they are empty, taken back. */
function changed(
  present: readonly (readonly [string, string])[],
  values: Readonly<Record<string, string>>,
): [string, string][] {
  const after = new Map<string, string>(present);
  const wrong: string[] = [];
  for (const [name, text] of Object.entries(values)) {
    const isTakenBack = text === '' && planFieldNames.includes(name);
    const parsed = parsePlanValue(name, text);
    if (isTakenBack) after.delete(name);
    else if (parsed.ok) after.set(name, parsed.text);
    else wrong.push(parsed.why);
  }
  if (wrong.length > 0) throw new TschedError('badRequest', wrong.join('; '));
  return [...after].sort(([left], [right]) => (left < right ? -1 : 1));
}
