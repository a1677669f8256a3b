/**
 * How much of its history a shard keeps: of each tenant by its plan, where that says something, and
 * by the settings of the cluster; of all tenants together no more than its part of
 * `history.maxCount`, beyond which those lose that have the most.
 *
 * A sweep is a walk that is to be made through the rows of a shard. Tenants with one age share one:
 * their rows become old in the order in which they lie. A tenant that has too many gets one of its
 * own, as its oldest rows may lie anywhere.
 */
import { limits } from '../model/limits.ts';
import type { Plan } from '../model/plan.ts';
import type { RegistryClient } from './registry-client.ts';
import { planOfTenant } from './tenancy.ts';

/** What one shard keeps. */
export interface HistoryRules {
  /** Of all tenants together. */
  readonly maxCount: number;
  readonly ageMsOf: (tenant: string) => number;
  /** By its plan; `undefined` where that does not say. */
  readonly countOf: (tenant: string) => number | undefined;
}

export interface Sweep {
  /** The same for the same sweep of a later look. */
  readonly key: string;
  readonly tenants: ReadonlySet<string>;
  readonly maxAgeMs: number;
  /** How many of the oldest go that are not of that age. */
  readonly over: number;
  /** But none that settled less long ago than this. */
  readonly keepMs: number;
}

/** Settled tasks beyond a count that are left, so that not every one costs a command. */
const spareTasks = 64;

const spareOf = (count: number): number => Math.min(spareTasks, Math.floor(count / 10));

/** As of now, for one look; `undefined` while this node does not know its cluster. */
export function historyRulesOf(
  registry: Pick<RegistryClient, 'machine' | 'setting'>,
): HistoryRules | undefined {
  const machine = registry.machine();
  const shards = machine?.cluster()?.shards;
  if (machine === undefined || shards === undefined) return undefined;
  const maxAgeMs = registry.setting('history.maxAge');
  const ofShard = (count: number): number => Math.ceil(count / shards);
  const plans = new Map<string, Plan | undefined>();
  const planOf = (tenant: string): Plan | undefined => {
    if (!plans.has(tenant)) plans.set(tenant, planOfTenant(machine, tenant));
    return plans.get(tenant);
  };
  return {
    maxCount: ofShard(registry.setting('history.maxCount')),
    ageMsOf: tenant => planOf(tenant)?.historyAgeMs ?? maxAgeMs,
    countOf: tenant => {
      const count = planOf(tenant)?.historyCount;
      return count === undefined ? undefined : ofShard(count);
    },
  };
}

/**
 * The most that each may keep so that all of them keep `total` together: who has less keeps what it
 * has, and the others the same number each.
 */
export function evenLevel(counts: readonly number[], total: number): number {
  let left = total;
  const ascending = [...counts].sort((a, b) => a - b);
  for (const [place, count] of ascending.entries()) {
    const share = Math.floor(left / (ascending.length - place));
    if (count > share) return share;
    left -= count;
  }
  return Number.POSITIVE_INFINITY;
}

/** What is to be swept of a shard with so many settled tasks of each tenant. */
export function sweepsOf(
  settled: Iterable<readonly [tenant: string, tasks: number]>,
  rules: HistoryRules,
): Sweep[] {
  const byAge = new Map<number, Set<string>>();
  const held = [...settled].map(([tenant, tasks]) => {
    const ageMs = rules.ageMsOf(tenant);
    const tenants = byAge.get(ageMs) ?? new Set();
    byAge.set(ageMs, tenants.add(tenant));
    const own = rules.countOf(tenant) ?? Number.POSITIVE_INFINITY;
    return { tenant, tasks, ageMs, own, kept: Math.min(tasks, own) };
  });
  const sweeps: Sweep[] = [...byAge].map(([maxAgeMs, tenants]) => ({
    key: `age ${maxAgeMs}`,
    tenants,
    maxAgeMs,
    over: 0,
    keepMs: maxAgeMs,
  }));
  const kept = held.reduce((sum, { kept }) => sum + kept, 0);
  const isFull = kept > rules.maxCount + spareOf(rules.maxCount);
  const level = isFull
    ? evenLevel(
        held.map(({ kept }) => kept),
        rules.maxCount,
      )
    : Number.POSITIVE_INFINITY;
  for (const { tenant, tasks, ageMs, own } of held) {
    const beyondLevel = tasks > level;
    if (!beyondLevel && tasks <= own + spareOf(own)) continue;
    sweeps.push({
      key: `count ${tenant}`,
      tenants: new Set([tenant]),
      maxAgeMs: ageMs,
      over: tasks - Math.min(own, level),
      // What expired bounds the IDs that are still admitted, those of other tenants too: a plan
      // alone must not cost them the time to repeat a submit in.
      keepMs: beyondLevel ? limits.historyMsMin : limits.historyOwnMsMin,
    });
  }
  return sweeps;
}
