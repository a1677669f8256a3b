/**
 * What this node knows about its lease with one shard: renewals sent, and the newest one that the
 * shard's leader acknowledged. Pure.
 *
 * Sequence numbers are taken from the boot clock, so that an acknowledgement meant for a request of
 * an earlier process of this node is never taken for one of ours: that would extend a lease by a
 * request that the leader got long ago.
 */
import type { AttemptName } from '../model/worker-protocol.ts';
import { leaseDeadline } from './lease.ts';

/** Renewals without an answer that are remembered; older ones can no longer be acknowledged. */
const pendingMax = 32;

interface PendingRenewal {
  readonly sentBootMs: number;
  readonly asks: readonly AttemptName[];
}

export class ShardLease {
  /** When the newest acknowledged renewal was sent, or `undefined` where none was. */
  #ackedSentMs: number | undefined;
  #ackedSequence = 0;
  #sentMs = Number.NEGATIVE_INFINITY;
  #sequence = 0;
  #pending = new Map<number, PendingRenewal>();

  get ackedSentMs(): number | undefined {
    return this.#ackedSentMs;
  }

  /** Milliseconds since the last request was sent. */
  sinceSent(nowBootMs: number): number {
    return nowBootMs - this.#sentMs;
  }

  /** Whether a request that was sent less than `withinMs` ago waits for its answer. */
  awaiting(nowBootMs: number, withinMs: number): boolean {
    return this.#pending.size > 0 && this.sinceSent(nowBootMs) < withinMs;
  }

  /** Notes a request; returns its sequence. */
  send(nowBootMs: number, asks: readonly AttemptName[]): number {
    this.#sequence = Math.max(this.#sequence + 1, Math.floor(nowBootMs));
    this.#sentMs = nowBootMs;
    this.#pending.set(this.#sequence, { sentBootMs: nowBootMs, asks });
    for (const sequence of this.#pending.keys()) {
      if (this.#pending.size <= pendingMax) break;
      this.#pending.delete(sequence);
    }
    return this.#sequence;
  }

  /**
   * Takes an acknowledgement; returns what was acknowledged, or `undefined` for a sequence that is
   * unknown or older than one acknowledged before.
   */
  acknowledge(sequence: number): PendingRenewal | undefined {
    const renewal = this.#pending.get(sequence);
    if (renewal === undefined) return undefined;
    for (const older of this.#pending.keys()) if (older <= sequence) this.#pending.delete(older);
    this.#ackedSentMs = renewal.sentBootMs;
    this.#ackedSequence = sequence;
    return renewal;
  }

  /**
   * Whether a leader that had acknowledged `sequence` may have said something after the
   * acknowledgement that this lease rests on; false for what is late.
   */
  isCurrent(sequence: number): boolean {
    return this.#ackedSentMs !== undefined && sequence >= this.#ackedSequence;
  }

  /** Whether an attempt of this lease length may start or live at `nowBootMs`. */
  live(nowBootMs: number, leaseMs: number, graceMs: number): boolean {
    if (this.#ackedSentMs === undefined) return false;
    return nowBootMs < leaseDeadline(this.#ackedSentMs, leaseMs, graceMs);
  }
}
