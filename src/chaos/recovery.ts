/**
 * How long the cluster took after each fault: until a submit was acknowledged again, and until
 * every shard was led by a node that takes part. Counted from the beginning of the fault where a
 * majority is left, and from its end in any case. While other faults take the majority of a shard
 * away, nobody can lead it: the count then begins anew when the first of them is over.
 */
import type { FaultRecord, History, LeaderSample, SubmitRecord } from './history.ts';

export interface Recovery {
  readonly fault: number;
  readonly since: 'begin' | 'end';
  /** Milliseconds; `undefined` where it did not happen before the run ended. */
  readonly ackMs?: number | undefined;
  readonly ledMs?: number | undefined;
}

/** One or two of each fault, in the order of the faults. */
export function recoveries(history: History): Recovery[] {
  return history.faults.flatMap(fault => {
    if (fault.failed !== undefined || fault.nodes.length === 0) return [];
    const atEnd = measure(history, fault, 'end');
    return fault.majorityLeft ? [measure(history, fault, 'begin'), atEnd] : [atEnd];
  });
}

function measure(history: History, fault: FaultRecord, since: Recovery['since']): Recovery {
  const fromMs = since === 'begin' ? fault.fromMs : fault.toMs;
  const away = (atMs: number): Set<number> =>
    new Set(
      history.faults.filter(one => one.fromMs <= atMs && atMs < one.toMs).flatMap(one => one.away),
    );
  // What nobody was hit by is served at once; the shards that lost their leader tell.
  const shards = since === 'begin' ? fault.ledBefore : [];
  const led = ledSince(history, fromMs, away);
  return {
    fault: fault.number,
    since,
    ackMs: lengthOf(fromMs, firstAck(history.submits, fromMs, shards)),
    ledMs: lengthOf(led.fromMs, led.atMs),
  };
}

/** When every shard was led, and since when that could be. */
function ledSince(
  history: History,
  sinceMs: number,
  away: (atMs: number) => ReadonlySet<number>,
): { readonly fromMs: number; readonly atMs: number | undefined } {
  const gaps = gapsOf(history.faults);
  let fromMs = sinceMs;
  for (;;) {
    const atMs = firstLed(history.leaders, fromMs, away);
    const until = atMs ?? Number.POSITIVE_INFINITY;
    const gap = gaps.find(one => one.toMs > fromMs && one.fromMs < until);
    if (gap === undefined) return { fromMs, atMs };
    fromMs = gap.toMs;
  }
}

/** From the fault that takes a majority away until the first of those that do it together ends. */
function gapsOf(faults: readonly FaultRecord[]): { fromMs: number; toMs: number }[] {
  return faults.flatMap(fault => {
    if (fault.majorityLeft || fault.away.length === 0) return [];
    const { fromMs } = fault;
    const together = faults.filter(
      one => one.away.length > 0 && one.fromMs <= fromMs && fromMs < one.toMs,
    );
    return together.length === 0
      ? []
      : [{ fromMs, toMs: Math.min(...together.map(one => one.toMs)) }];
  });
}

const lengthOf = (fromMs: number, atMs: number | undefined): number | undefined =>
  atMs === undefined ? undefined : Math.max(0, Math.round(atMs - fromMs));

function firstAck(
  submits: readonly SubmitRecord[],
  fromMs: number,
  shards: readonly number[],
): number | undefined {
  let first: number | undefined;
  for (const { begunMs, ackedMs, shard } of submits) {
    if (ackedMs === undefined || begunMs < fromMs) continue;
    if (shards.length > 0 && !(shard !== undefined && shards.includes(shard))) continue;
    if (first === undefined || ackedMs < first) first = ackedMs;
  }
  return first;
}

function firstLed(
  samples: readonly LeaderSample[],
  fromMs: number,
  away: (atMs: number) => ReadonlySet<number>,
): number | undefined {
  for (const { atMs, leaders } of samples) {
    if (atMs < fromMs) continue;
    const gone = away(atMs);
    if (leaders.every(leader => leader !== 0 && !gone.has(leader))) return atMs;
  }
  return undefined;
}
