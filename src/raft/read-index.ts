/**
 * Linearizable reads without log entries (thesis section 6.4). The leader numbers reads itself: a
 * counter that only grows, carried by heartbeats and echoed by their replies, so that one round
 * confirms every read that began before it and an old reply never confirms a later read. (A
 * caller's own request id would: a retried id plus a late reply is a stale read.)
 *
 * A read waits until the leader has committed an entry of its own term, then until a quorum has
 * answered a heartbeat sent after it began.
 */
import type { Index, ReplicaId } from './message.ts';
import { type AckSource, jointCommitted } from './quorum.ts';

/** A read that may be served once `index` is applied. */
export interface ReadState {
  readonly ctr: number;
  readonly index: Index;
}

export class ReadTracker implements AckSource {
  /** Last counter given out; never reset, so a counter names one read for good. */
  #issued = 0;
  #postponed: number[] = [];
  #waiting: ReadState[] = [];
  #ackIds: ReplicaId[] = [];
  #ackCtrs: number[] = [];
  #sentCtr = 0;
  #lost: number[] = [];

  issue(): number {
    return ++this.#issued;
  }

  /** Holds a read back until an entry of the leader's term is committed. */
  postpone(ctr: number): void {
    this.#postponed.push(ctr);
  }

  get hasPostponed(): boolean {
    return this.#postponed.length > 0;
  }

  takePostponed(): number[] {
    const taken = this.#postponed;
    this.#postponed = [];
    return taken;
  }

  /** A read that may be served at `index` when a quorum confirms the leader. */
  expect(ctr: number, index: Index): void {
    this.#waiting.push({ ctr, index });
  }

  /** The counter for heartbeats to carry: the newest waiting read; 0 if there is none. */
  get heartbeatCtr(): number {
    return this.#waiting.at(-1)?.ctr ?? 0;
  }

  /** Whether a read has begun since the last round of heartbeats. */
  get wantsRound(): boolean {
    return this.heartbeatCtr > this.#sentCtr;
  }

  roundSent(): void {
    this.#sentCtr = this.heartbeatCtr;
  }

  acknowledge(id: ReplicaId, ctr: number): void {
    const at = this.#ackIds.indexOf(id);
    if (at < 0) {
      this.#ackIds.push(id);
      this.#ackCtrs.push(ctr);
    } else if (ctr > this.#ackCtrs[at]!) {
      this.#ackCtrs[at] = ctr;
    }
  }

  acked(id: ReplicaId): number {
    const at = this.#ackIds.indexOf(id);
    return at < 0 ? 0 : this.#ackCtrs[at]!;
  }

  /** Takes the reads that a quorum has confirmed. */
  takeConfirmed(voters: readonly ReplicaId[], outgoing: readonly ReplicaId[]): ReadState[] {
    if (this.#waiting.length === 0) return [];
    const through = jointCommitted(voters, outgoing, this);
    let count = 0;
    while (count < this.#waiting.length && this.#waiting[count]!.ctr <= through) count++;
    return this.#waiting.splice(0, count);
  }

  /** Leadership of this term is over: every read that is not confirmed is lost. */
  reset(): void {
    for (const read of this.#waiting) this.#lost.push(read.ctr);
    for (const ctr of this.#postponed) this.#lost.push(ctr);
    this.#waiting = [];
    this.#postponed = [];
    this.#ackIds = [];
    this.#ackCtrs = [];
  }

  get hasLost(): boolean {
    return this.#lost.length > 0;
  }

  takeLost(): number[] {
    const lost = this.#lost;
    this.#lost = [];
    return lost;
  }
}
