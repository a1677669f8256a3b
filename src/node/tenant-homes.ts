/**
 * Tenants at their homes: this node answers for those whose home shard it leads. Entry nodes ask
 * for permits to submit, nodes that lead shards report what the tenants' tasks hold. An answer is
 * given once a majority has confirmed, after the question came, that this node leads: see
 * `quota/home.ts` for what that proves.
 */
import { TschedError } from '../model/errors.ts';
import { countedIn, hourWaitMs } from '../model/hour.ts';
import type { NodeId, ShardId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import { burstOf, type Plan } from '../model/plan.ts';
import { type Bounds, HomeCeilings, type UseReport } from '../quota/ceilings.ts';
import { type Grant, HomeBudget, type SubmitLimits } from '../quota/home.ts';
import type { NodeContext } from './context.ts';
import type { RegistryClient } from './registry-client.ts';
import type { Scheduler } from './scheduler.ts';
import type { ShardLeader } from './shard-leader.ts';
import { planOfTenant, unknownTenant } from './tenancy.ts';

/** The cluster version that reads charges of an hour. */
const chargesNeed = 3;

export interface BudgetAsked {
  readonly shard: ShardId;
  readonly tenant: string;
  readonly units: readonly number[];
  readonly ahead: number;
}

export interface UseReports {
  readonly reports: readonly (UseReport & { readonly shard: ShardId; readonly tenant: string })[];
}

/** In the order of the reports; none for a tenant whose home is elsewhere by now. */
export type Ceilings = readonly (Bounds | null)[];

interface Home {
  readonly budget: HomeBudget;
  readonly ceilings: HomeCeilings;
  /** Questions about an hour's budget go one after the other. */
  charging: Promise<void>;
}

/** What is known here of the tenants of one shard, as long as one leadership of it. */
interface Leading {
  readonly leader: ShardLeader;
  readonly homes: Map<string, Home>;
}

export const submitLimitsOf = (plan: Plan): SubmitLimits => ({
  perSecond: plan.submitsPerSecond,
  burst: burstOf(plan),
  perHour: plan.submitsPerHour,
  waiting: plan.waiting,
});

export const boundsOf = ({ running, cpuMilli, memoryBytes }: Plan): Bounds => ({
  ...(running === undefined ? {} : { running }),
  ...(cpuMilli === undefined ? {} : { cpuMilli }),
  ...(memoryBytes === undefined ? {} : { memoryBytes }),
});

/** Nodes that may let in submits, and how many of them cannot be reached from here. */
export function countNodes(
  registry: RegistryClient,
  connected: (node: NodeId) => boolean,
): { readonly nodes: number; readonly absent: number } {
  const alive = registry.members().filter(node => node.state !== 'dead');
  const absent = alive.filter(node => !connected(node.id)).length;
  return { nodes: Math.max(1, alive.length), absent };
}

export class TenantHomes {
  readonly #context: NodeContext;
  readonly #registry: RegistryClient;
  readonly #scheduler: Scheduler;
  readonly #leading = new Map<ShardId, Leading>();

  constructor(deps: {
    readonly context: NodeContext;
    readonly registry: RegistryClient;
    readonly scheduler: Scheduler;
  }) {
    this.#context = deps.context;
    this.#registry = deps.registry;
    this.#scheduler = deps.scheduler;
    const { peers } = deps.context;
    peers.answer<BudgetAsked>('budget', (_from, asked) => this.#budget(asked));
    peers.answer<UseReports>('tenantReports', (from, body) => this.#reports(from, body));
  }

  /** What this leadership of the shard knows of the tenant. */
  #home(shard: ShardId, tenant: string): { leading: Leading; home: Home } {
    const leader = this.#scheduler.leader(shard);
    if (leader?.replica.leading !== true) {
      throw new TschedError('notLeader', `this node does not lead shard ${shard}`);
    }
    let leading = this.#leading.get(shard);
    if (leading?.leader !== leader) {
      leading = { leader, homes: new Map() };
      this.#leading.set(shard, leading);
    }
    let home = leading.homes.get(tenant);
    if (home === undefined) {
      const sinceMs = this.#scheduler.leadsSinceMs(leader);
      home = {
        budget: new HomeBudget(sinceMs),
        ceilings: new HomeCeilings(sinceMs),
        charging: Promise.resolve(),
      };
      leading.homes.set(tenant, home);
    }
    return { leading, home };
  }

  #plan(tenant: string): Plan {
    const machine = this.#registry.machine();
    const plan = machine && planOfTenant(machine, tenant);
    if (plan === undefined) throw unknownTenant(tenant);
    return plan;
  }

  async #budget({ shard, tenant, units, ahead }: BudgetAsked): Promise<Grant> {
    if (units.length > limits.budgetWaitingMax) {
      throw new TschedError('tooLarge', `${units.length} submits in one question`);
    }
    const { clock, loop } = this.#context;
    const plan = this.#plan(tenant);
    const { leading, home } = this.#home(shard, tenant);
    const atMs = clock.nowMs();
    await loop.read(leading.leader.replica);
    const submits = submitLimitsOf(plan);
    const question = { limits: submits, units, ahead };
    if (submits.perHour !== undefined) {
      const charging = home.charging.then(() => this.#chargeHour(leading, home, tenant, question));
      // Whoever asked is told of a failure, not whoever comes next.
      home.charging = charging.catch(() => undefined);
      await charging;
    }
    // Leadership may have come and gone and come back meanwhile: then this home is no more.
    if (this.#home(shard, tenant).home !== home) {
      throw new TschedError('notLeader', `shard ${shard} has another leader`);
    }
    const minutes = leading.leader.machine.hourBudget(tenant);
    return home.budget.answer(
      {
        ...question,
        ...countNodes(this.#registry, node => this.#context.peers.connected(node)),
        atMs,
        waiting: home.ceilings.waiting(clock.nowMs()),
      },
      unit => hourWaitMs(minutes, clock.wallMs(), unit, submits.perHour ?? unit),
    );
  }

  /** Takes the next piece of an hour from the log, where this question needs one. */
  async #chargeHour(
    leading: Leading,
    home: Home,
    tenant: string,
    question: Parameters<HomeBudget['hourPiece']>[0],
  ): Promise<void> {
    if (this.#context.clusterVersion() < chargesNeed) return;
    const { machine } = leading.leader;
    const spent = countedIn(machine.hourBudget(tenant), this.#context.clock.wallMs());
    const left = Math.max(0, (question.limits.perHour ?? 0) - spent);
    const count = home.budget.hourPiece(question, left);
    if (count === 0) return;
    await leading.leader.ask({ kind: 'charge', items: [{ tenant, count }] });
    home.budget.hourTaken(count);
  }

  async #reports(from: NodeId, { reports }: UseReports): Promise<Ceilings> {
    if (!Array.isArray(reports) || reports.length > limits.tenantsMax) {
      throw new TschedError('badRequest', 'not a report of what tenants hold');
    }
    const { clock, loop } = this.#context;
    const shards = new Set(reports.map(({ shard }) => shard));
    const confirmed = new Map<ShardId, boolean>();
    await Promise.all(
      [...shards].map(async shard => {
        const leader = this.#scheduler.leader(shard);
        if (leader === undefined) return;
        try {
          await loop.read(leader.replica);
          confirmed.set(shard, true);
        } catch (error) {
          if (!(error instanceof TschedError)) throw error;
        }
      }),
    );
    return reports.map(({ shard, tenant, ...report }) => {
      if (confirmed.get(shard) !== true) return null;
      try {
        const { home } = this.#home(shard, tenant);
        const bounds = boundsOf(this.#plan(tenant));
        return home.ceilings.report(from, report, bounds, clock.nowMs());
      } catch (error) {
        if (!(error instanceof TschedError)) throw error;
        return null;
      }
    });
  }
}
