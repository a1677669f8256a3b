/**
 * The budget of one tenant at an entry node: permits that its home handed out, to be spent within
 * their lease; and, while the home cannot be asked, the node's own share of every limit, so that a
 * lost shard blocks nobody.
 *
 * The lease counts from when the node asked, so a permit is spent at most `leaseMs` after it ran in
 * at the home. Over any time t, all nodes together let in at most
 *
 *     rate · (t + lease) + burst
 *
 * and, where some have lost the home, what runs in for these by itself: rate / nodes each, which
 * the home holds back once it finds them gone, and burst / nodes at once.
 */

import { counted, countedIn, hourWaitMs, type Minutes } from '../model/hour.ts';
import { Bucket } from './bucket.ts';
import { type LimitKind, leaseMs, type SubmitLimits } from './home.ts';

interface Held {
  count: number;
  readonly untilMs: number;
}

export interface Refused {
  readonly limit: LimitKind;
  readonly retryMs: number;
}

/** What is known here of the cluster while the home cannot be asked. */
export interface OwnShare {
  readonly nowMs: number;
  readonly wallMs: number;
  readonly limits: SubmitLimits;
  readonly nodes: number;
  /** Tasks of the tenant that wait in shards led here. */
  readonly waitingHere: number;
}

/** What is asked for ahead: as much as was spent in the newest of so many parts of a lease. */
const aheadParts = 4;

export class EntryBudget {
  #held: Held[] = [];
  /** The home said that there is nothing: until when, and when it may be asked again. */
  #over: { readonly limit: LimitKind; readonly untilMs: number; readonly askMs: number } = {
    limit: 'second',
    untilMs: 0,
    askMs: 0,
  };
  #spent: { readonly atMs: number; readonly count: number }[] = [];
  /** Of this node, for its share of an hour. */
  #minutes: Minutes = [];
  #share: Bucket | undefined;

  /** Spends permits that are at hand. */
  take(permits: number, nowMs: number, wallMs: number): boolean {
    this.#held = this.#held.filter(held => held.untilMs > nowMs && held.count > 0);
    const total = this.#held.reduce((sum, held) => sum + held.count, 0);
    if (total < permits) return false;
    let left = permits;
    for (const held of this.#held) {
      const part = Math.min(left, held.count);
      held.count -= part;
      left -= part;
    }
    this.#note(permits, nowMs, wallMs);
    return true;
  }

  #note(permits: number, nowMs: number, wallMs: number): void {
    this.#spent = this.#spent.filter(({ atMs }) => atMs > nowMs - leaseMs);
    this.#spent.push({ atMs: nowMs, count: permits });
    this.#minutes = counted(this.#minutes, wallMs, permits);
  }

  /** Why nothing is to be asked for now, or `undefined`. */
  refusal(nowMs: number): Refused | undefined {
    const { limit, untilMs, askMs } = this.#over;
    return nowMs >= askMs ? undefined : { limit, retryMs: Math.ceil(untilMs - nowMs) };
  }

  /** How many are worth having beyond those that are needed at once. */
  ahead(nowMs: number): number {
    const sinceMs = nowMs - leaseMs / aheadParts;
    return this.#spent.reduce((sum, { atMs, count }) => sum + (atMs > sinceMs ? count : 0), 0);
  }

  /** The home's answer to a question that was asked at `askedMs`. */
  granted(permits: number, askedMs: number, nowMs: number, refused: Refused | undefined): void {
    this.#share = undefined;
    if (permits > 0) this.#held.push({ count: permits, untilMs: askedMs + leaseMs });
    if (refused === undefined) return;
    const { limit, retryMs } = refused;
    // The plan may change, or tasks may leave, before an hour is over.
    const askMs = nowMs + Math.min(retryMs, leaseMs);
    this.#over = { limit, untilMs: nowMs + retryMs, askMs };
  }

  /** Spends of this node's own share: the home cannot be asked. `undefined` where it may. */
  takeOwn(permits: number, share: OwnShare): Refused | undefined {
    const { nowMs, wallMs, limits } = share;
    const nodes = Math.max(1, share.nodes);
    const perSecond = (limits.perSecond ?? 0) / nodes;
    this.#share ??= new Bucket(nowMs);
    if (limits.perSecond !== undefined) {
      const burst = Math.max(1, Math.floor((limits.burst ?? limits.perSecond) / nodes));
      this.#share.fill(nowMs, perSecond, burst);
      if (this.#share.permits < permits) {
        const waitMs = permits > burst ? undefined : this.#share.waitMs(permits, perSecond);
        return { limit: 'second', retryMs: Math.max(1, waitMs ?? leaseMs) };
      }
    }
    if (limits.perHour !== undefined) {
      const hour = Math.floor(limits.perHour / nodes);
      if (countedIn(this.#minutes, wallMs) + permits > hour) {
        const waitMs = hourWaitMs(this.#minutes, wallMs, permits, hour);
        return { limit: 'hour', retryMs: Math.max(1, waitMs ?? leaseMs) };
      }
    }
    if (limits.waiting !== undefined && share.waitingHere >= Math.ceil(limits.waiting / nodes)) {
      return { limit: 'waiting', retryMs: leaseMs };
    }
    if (limits.perSecond !== undefined) this.#share.take(permits);
    this.#note(permits, nowMs, wallMs);
    return undefined;
  }
}
