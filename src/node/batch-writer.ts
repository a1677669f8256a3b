/**
 * The writes of a drive loop: one synced batch for all groups, one in flight. What the receipts of
 * a batch promise is handed out when it is durable, in the order in which it was taken.
 */
import type { Clock } from '../ports/clock.ts';
import type { Store, StoreOp } from '../ports/store.ts';
import type { Message } from '../raft/message.ts';
import type { Replica } from './replica.ts';
import type { Vitals } from './vitals.ts';

/** Record that a slow node writes to see how long a write takes; nobody reads it. */
const probeKey = 'probe';

/** What a durable batch sets free. */
export interface WrittenPart {
  readonly replica: Replica;
  /** Gives the receipts back; answers what may be sent now. */
  readonly finish: () => readonly Message[];
}

export class BatchWriter {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #vitals: Vitals;
  /** Operations for the next batch that belong to no replica. */
  #ops: StoreOp[] = [];
  #waiters: (() => void)[] = [];
  #writing = false;

  constructor(store: Store, clock: Clock, vitals: Vitals) {
    this.#store = store;
    this.#clock = clock;
    this.#vitals = vitals;
  }

  get writing(): boolean {
    return this.#writing;
  }

  add(op: StoreOp): void {
    this.#ops.push(op);
  }

  /**
   * Looks at how fast the disk is, and probes it where a slow one has nothing to do. Whether this
   * node had better not lead.
   */
  checkSpeed(nowMs: number): boolean {
    this.#vitals.check(nowMs);
    if (!this.#writing && this.#vitals.probeDue(nowMs)) {
      this.add({ kind: 'meta', key: probeKey, value: new Uint8Array(8) });
    }
    return this.#vitals.unfit;
  }

  /** `done` is called when everything that is known now is durable. */
  onWritten(done: () => void): void {
    this.#waiters.push(done);
  }

  /** Begins a batch with what these replicas have for one. Nothing may be in flight. */
  write(replicas: readonly Replica[], written: (parts: readonly WrittenPart[]) => void): void {
    const ops = this.#ops;
    this.#ops = [];
    const parts: WrittenPart[] = [];
    for (const replica of replicas) {
      const finish = replica.takeBatch(ops);
      if (finish !== undefined) parts.push({ replica, finish });
    }
    const waiters = this.#waiters;
    this.#waiters = [];
    if (ops.length === 0 && parts.length === 0) {
      for (const done of waiters) done();
      return;
    }
    this.#writing = true;
    this.#vitals.batchBegan(this.#clock.nowMs());
    this.#store.write(ops, () => {
      this.#writing = false;
      this.#vitals.batchEnded(this.#clock.nowMs());
      written(parts);
      for (const done of waiters) done();
    });
  }

  /** No batch begins any more: nobody waits for one. */
  stop(): void {
    for (const done of this.#waiters.splice(0)) done();
  }
}
