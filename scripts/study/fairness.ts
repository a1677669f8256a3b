/**
 * How evenly tenants that wait for the same room are served: the Jain index of what each holds by
 * its weight, over those that have work to fill their share. 1 is even, 1 / n is one that has all.
 *
 * What a tenant holds is its share of the resource of which it holds most, averaged over a window:
 * nothing is preempted, so what was given away comes back only when tasks end. That is why it is
 * looked at in the second half of the span: what runs at the beginning nobody has shared out, and
 * much of it is long. A tenant counts
 * where it has tasks of the lowest tier waiting, which run everywhere, throughout the window; one
 * that is served as it comes has nothing to complain of, and one that waits for a premium node does
 * not wait for the same room.
 */
import type { Times } from './omniscient.ts';
import type { Trace } from './trace.ts';

const sampleMs = 1_000;
/** Samples of a window. */
const windowSamples = 20;
/** Tasks that a tenant has waiting at least. */
const waitingMin = 5;

export interface Fairness {
  /** Mean and least Jain index over the windows; NaN where there was none. */
  readonly mean: number;
  readonly least: number;
  /** Windows in which at least two tenants waited. */
  readonly windows: number;
  /** Tenants that waited, on average over the windows. */
  readonly tenants: number;
}

interface Account {
  cpuMilli: number;
  memoryBytes: number;
  waiting: number;
}

export function jainOf(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  const squares = shares.reduce((total, share) => total + share * share, 0);
  return squares === 0 ? 1 : (sum * sum) / (shares.length * squares);
}

/** What happened, in order: each changes the account of a tenant. */
function changesOf(trace: Trace, { startedMs, endedMs }: Times) {
  const changes: { atMs: number; job: number; kind: 'came' | 'started' | 'ended' }[] = [];
  trace.jobs.forEach(({ atMs }, job) => {
    changes.push({ atMs, job, kind: 'came' });
    if (Number.isNaN(startedMs[job]!)) return;
    changes.push({ atMs: startedMs[job]!, job, kind: 'started' });
    changes.push({ atMs: endedMs[job]!, job, kind: 'ended' });
  });
  return changes.sort((left, right) => left.atMs - right.atMs);
}

export function fairnessOf(trace: Trace, times: Times, fromMs: number): Fairness {
  const cpuMilli = trace.nodes.reduce((sum, { total }) => sum + total.cpuMilli, 0);
  const memoryBytes = trace.nodes.reduce((sum, { total }) => sum + total.memoryBytes, 0);
  const accounts = new Map<string, Account>(
    trace.tenants.map(({ name }) => [name, { cpuMilli: 0, memoryBytes: 0, waiting: 0 }]),
  );
  const changes = changesOf(trace, times);
  const indexes: number[] = [];
  let waited = 0;
  let next = 0;
  const advanceTo = (untilMs: number): void => {
    for (; next < changes.length && changes[next]!.atMs <= untilMs; next++) {
      const { job: number, kind } = changes[next]!;
      const { tenant, tier, request } = trace.jobs[number]!;
      const account = accounts.get(tenant.name)!;
      if (kind !== 'ended' && tier === 'basic') account.waiting += kind === 'came' ? 1 : -1;
      if (kind === 'came') continue;
      const sign = kind === 'started' ? 1 : -1;
      account.cpuMilli += sign * request.cpuMilli;
      account.memoryBytes += sign * request.memoryBytes;
    }
  };
  for (let atMs = fromMs; atMs + windowSamples * sampleMs <= trace.spanMs; ) {
    const held = new Map<string, number>();
    const waits = new Set(trace.tenants);
    for (let sample = 0; sample < windowSamples; sample++, atMs += sampleMs) {
      advanceTo(atMs);
      for (const tenant of trace.tenants) {
        const account = accounts.get(tenant.name)!;
        if (account.waiting < waitingMin) waits.delete(tenant);
        const share = Math.max(account.cpuMilli / cpuMilli, account.memoryBytes / memoryBytes);
        held.set(tenant.name, (held.get(tenant.name) ?? 0) + share / tenant.weight);
      }
    }
    if (waits.size < 2) continue;
    waited += waits.size;
    indexes.push(jainOf([...waits].map(({ name }) => held.get(name)!)));
  }
  return {
    mean: indexes.reduce((sum, index) => sum + index, 0) / indexes.length,
    least: indexes.length === 0 ? Number.NaN : Math.min(...indexes),
    windows: indexes.length,
    tenants: waited / indexes.length,
  };
}
