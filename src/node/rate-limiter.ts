/**
 * The rate limiter of an entry node, before admission. For each tenant whose plan counts submits it
 * holds permits from the tenant's home, asks for more when they are used up, and lets in what they
 * allow. One question a tenant is under way; submits that come meanwhile wait for the next.
 *
 * A home that does not answer within `homeWaitMs` is left alone for a while: this node's own share
 * holds then, and the home is asked again in the background.
 */
import { TschedError } from '../model/errors.ts';
import type { ShardId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import type { Plan } from '../model/plan.ts';
import { type SlotTable, tenantSlot } from '../model/slots.ts';
import { EntryBudget, type Refused } from '../quota/entry.ts';
import type { Grant } from '../quota/home.ts';
import { background, type NodeContext } from './context.ts';
import { type BudgetAsked, submitLimitsOf } from './tenant-homes.ts';

/** Submits wait at most this long for a home before the node's own share is used. */
const homeWaitMs = 1_500;
const answerMs = 700;
const repeatMs = 50;
/** A home that was lost is looked for this often. */
const probeMs = 1_000;

/** A grant, and when the question left that it answers. */
type Asked = Grant & { readonly askedMs: number };

interface Call {
  readonly units: readonly number[];
  readonly results: (Refused | undefined)[];
  readonly done: () => void;
}

interface Entry {
  readonly budget: EntryBudget;
  plan: Plan;
  /** Those that no question under way is about. */
  readonly calls: Call[];
  waiting: number;
  asking: boolean;
  /** The home could not be asked: until it answers, nobody waits for it. */
  lost: boolean;
}

export class RateLimiter {
  readonly #context: NodeContext;
  readonly #table: () => SlotTable;
  readonly #nodes: () => number;
  readonly #waitingHere: (tenant: string) => number;
  readonly #entries = new Map<string, Entry>();
  #stopped = false;

  constructor(deps: {
    readonly context: NodeContext;
    readonly table: () => SlotTable;
    /** Nodes that share what there is while the home cannot be asked. */
    readonly nodes: () => number;
    readonly waitingHere: (tenant: string) => number;
  }) {
    this.#context = deps.context;
    this.#table = deps.table;
    this.#nodes = deps.nodes;
    this.#waitingHere = deps.waitingHere;
  }

  /**
   * Judges units of tasks that are let in together, in order: `undefined` for one that is let in,
   * else which limit refused it and when to try again. Never rejects.
   */
  async take(
    tenant: string,
    plan: Plan,
    units: readonly number[],
  ): Promise<readonly (Refused | undefined)[]> {
    const entry = this.#entry(tenant, plan);
    const { clock } = this.#context;
    const nowMs = clock.nowMs();
    const wallMs = clock.wallMs();
    const results: (Refused | undefined)[] = new Array(units.length);
    if (!entry.asking) {
      const first = units.findIndex(unit => !entry.budget.take(unit, nowMs, wallMs));
      if (first < 0) return results;
      const rest = units.slice(first);
      const over = entry.budget.refusal(nowMs);
      if (over !== undefined) return results.fill(over, first);
      const judged = await this.#wait(tenant, entry, rest);
      return [...results.slice(0, first), ...judged];
    }
    return this.#wait(tenant, entry, units);
  }

  #entry(tenant: string, plan: Plan): Entry {
    let entry = this.#entries.get(tenant);
    if (entry === undefined) {
      entry = {
        budget: new EntryBudget(),
        plan,
        calls: [],
        waiting: 0,
        asking: false,
        lost: false,
      };
      // There are as many as the registry has tenants.
      this.#entries.set(tenant, entry);
    }
    entry.plan = plan;
    return entry;
  }

  #wait(tenant: string, entry: Entry, units: readonly number[]) {
    return new Promise<readonly (Refused | undefined)[]>(resolve => {
      const results: (Refused | undefined)[] = new Array(units.length);
      if (entry.waiting + units.length > limits.budgetWaitingMax) {
        resolve(results.fill({ limit: 'second', retryMs: homeWaitMs }));
        return;
      }
      entry.waiting += units.length;
      entry.calls.push({ units, results, done: () => resolve(results) });
      if (entry.lost) this.#settle(tenant, entry, entry.calls.splice(0), undefined);
      else if (!entry.asking) background(this.#context, 'ask a home', this.#ask(tenant, entry));
    });
  }

  /** Asks for what waits, again and again until nothing does. */
  async #ask(tenant: string, entry: Entry): Promise<void> {
    entry.asking = true;
    try {
      // All that comes in this turn of the event loop is one question.
      await new Promise<void>(resolve => this.#context.clock.after(0, resolve));
      while (entry.calls.length > 0 && !entry.lost) await this.#askOnce(tenant, entry);
    } finally {
      entry.asking = false;
      this.#settle(tenant, entry, entry.calls.splice(0), undefined);
    }
  }

  async #askOnce(tenant: string, entry: Entry): Promise<void> {
    const calls = entry.calls.splice(0);
    const units = calls.flatMap(call => call.units);
    const ahead = entry.budget.ahead(this.#context.clock.nowMs());
    let grant: Asked | undefined;
    try {
      grant = await this.#fromHome(tenant, units, ahead);
    } finally {
      // Whatever went wrong, whoever waits gets an answer.
      if (grant === undefined) this.#lose(tenant, entry);
      this.#settle(tenant, entry, calls, grant);
    }
  }

  #lose(tenant: string, entry: Entry): void {
    if (entry.lost) return;
    entry.lost = true;
    this.#context.log.debug('the home of a tenant cannot be asked', { tenant });
    const probe = async (): Promise<void> => {
      const grant = await this.#fromHome(tenant, [], 0);
      if (grant === undefined) {
        this.#context.clock.after(probeMs, look);
        return;
      }
      entry.lost = false;
      entry.budget.granted(0, grant.askedMs, this.#context.clock.nowMs(), undefined);
    };
    const look = (): void => {
      if (!this.#stopped) background(this.#context, 'look for the home of a tenant', probe());
    };
    this.#context.clock.after(probeMs, look);
  }

  stop(): void {
    this.#stopped = true;
  }

  #settle(tenant: string, entry: Entry, calls: readonly Call[], grant: Asked | undefined): void {
    const { clock } = this.#context;
    const nowMs = clock.nowMs();
    const wallMs = clock.wallMs();
    const { budget, plan } = entry;
    if (grant !== undefined) budget.granted(grant.permits, grant.askedMs, nowMs, grant.refused);
    const share = {
      nowMs,
      wallMs,
      limits: submitLimitsOf(plan),
      nodes: this.#nodes(),
      waitingHere: this.#waitingHere(tenant),
    };
    for (const call of calls) {
      entry.waiting -= call.units.length;
      call.units.forEach((unit, position) => {
        if (budget.take(unit, nowMs, wallMs)) return;
        call.results[position] =
          grant === undefined ? budget.takeOwn(unit, share) : (grant.refused ?? unsaid);
      });
      call.done();
    }
  }

  /** The home's answer; `undefined` where there is none in time. */
  async #fromHome(
    tenant: string,
    units: readonly number[],
    ahead: number,
  ): Promise<Asked | undefined> {
    const { clock, peers } = this.#context;
    const shard: ShardId | undefined = this.#table()[tenantSlot(tenant)];
    if (shard === undefined) return undefined;
    const body: BudgetAsked = { shard, tenant, units, ahead };
    const deadlineMs = clock.nowMs() + homeWaitMs;
    while (clock.nowMs() < deadlineMs && !this.#stopped) {
      const leader = this.#context.leaderOf(shard);
      if (leader !== undefined) {
        try {
          const askedMs = clock.nowMs();
          return { ...(await peers.ask<Grant>(leader, 'budget', body, answerMs)), askedMs };
        } catch (error) {
          if (!(error instanceof TschedError)) throw error;
        }
      }
      await new Promise<void>(resolve => clock.after(repeatMs, resolve));
    }
    return undefined;
  }
}

/** An answer that lets in less than was asked for says why; one that does not is asked again. */
const unsaid: Refused = { limit: 'second', retryMs: repeatMs };
