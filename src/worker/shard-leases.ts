/**
 * The leases of this node with all shards that have attempts here: when to renew which, and what to
 * ask along. Pure.
 */
import type { ShardId } from '../model/ids.ts';
import { type AttemptName, asksMax, type FromWorker } from '../model/worker-protocol.ts';
import type { Launch } from './action.ts';
import type { Attempt, AttemptLedger } from './attempt-ledger.ts';
import { ShardLease } from './shard-lease.ts';

/** Renewals of a shard whose attempts all have leases of 20 s or more. */
const renewEveryMs = 2_000;
/** Renewals of a shard with a shorter lease, or one that is not known (an adopted attempt). */
const renewShortEveryMs = 1_250;
/** A renewal that held attempts wait for is repeated this soon. */
const renewHeldEveryMs = 250;

type Renew = Extract<FromWorker, { kind: 'renew' }>;

export class ShardLeases {
  readonly #ledger: AttemptLedger;
  readonly #leases = new Map<ShardId, ShardLease>();

  constructor(ledger: AttemptLedger) {
    this.#ledger = ledger;
  }

  /** Another supervisor: no lease of the old one is worth anything. */
  clear(): void {
    this.#leases.clear();
  }

  /** Whether `launch` may start, or go on waiting for its turn, at `nowMs`. */
  live(launch: Launch, nowMs: number): boolean {
    const { leaseMs, graceMs } = launch.spec;
    return this.#leases.get(launch.shard)?.live(nowMs, leaseMs, graceMs) === true;
  }

  /**
   * Whether a dispatch of `launch` that names the renewal `sequence` is known to be meant now: it
   * was sent under the lease that is live here. The shard gives the task to nobody else under that
   * lease.
   */
  proves(launch: Launch, sequence: number, nowMs: number): boolean {
    return this.#leases.get(launch.shard)?.isCurrent(sequence) === true && this.live(launch, nowMs);
  }

  /** The renewal that an attempt without a lease waits for, unless one is on its way. */
  renewForHeld(shard: ShardId, incarnation: string, nowMs: number): Renew | undefined {
    const awaiting = this.#of(shard).awaiting(nowMs, renewHeldEveryMs);
    return awaiting ? undefined : this.#renew(shard, incarnation, nowMs);
  }

  /** One renewal for each shard with attempts here whose interval is over. */
  renewDue(incarnation: string, nowMs: number): Renew[] {
    const intervals = new Map<ShardId, number>();
    for (const attempt of this.#ledger.all()) {
      if (attempt.phase === 'ended') continue;
      const { shard } = attempt.ref;
      const before = intervals.get(shard) ?? renewEveryMs;
      intervals.set(shard, Math.min(intervalMs(attempt), before));
    }
    const renewals: Renew[] = [];
    for (const [shard, everyMs] of intervals) {
      if (this.#of(shard).sinceSent(nowMs) < everyMs) continue;
      renewals.push(this.#renew(shard, incarnation, nowMs));
    }
    return renewals;
  }

  /**
   * Takes an acknowledgement: when its request was sent and what that asked, or `undefined` where
   * nothing waits for it.
   */
  acknowledge(
    shard: ShardId,
    sequence: number,
  ): { readonly sentBootMs: number; readonly asks: readonly AttemptName[] } | undefined {
    return this.#leases.get(shard)?.acknowledge(sequence);
  }

  /** Whether attempts of the shard wait for the leader's word. */
  hasUnconfirmed(shard: ShardId): boolean {
    return this.#unconfirmed(shard).length > 0;
  }

  #of(shard: ShardId): ShardLease {
    let lease = this.#leases.get(shard);
    if (lease === undefined) {
      lease = new ShardLease();
      this.#leases.set(shard, lease);
    }
    return lease;
  }

  #renew(shard: ShardId, incarnation: string, nowMs: number): Renew {
    const asks = this.#unconfirmed(shard);
    const sequence = this.#of(shard).send(nowMs, asks);
    return { kind: 'renew', shard, incarnation, sequence, asks };
  }

  #unconfirmed(shard: ShardId): AttemptName[] {
    const names: AttemptName[] = [];
    for (const attempt of this.#ledger.waiting()) {
      if (names.length >= asksMax) break;
      if (attempt.ref.shard !== shard || attempt.confirmed) continue;
      names.push({ taskId: attempt.ref.taskId, fence: attempt.ref.fence });
    }
    return names;
  }
}

function intervalMs({ launch, confirmed }: Attempt): number {
  if (!confirmed) return renewHeldEveryMs;
  if (launch === undefined || launch.spec.leaseMs < 10 * renewEveryMs) return renewShortEveryMs;
  return renewEveryMs;
}
