/**
 * The writes of a drive loop: one synced batch for all groups, one in flight. What the receipts of
 * a batch promise is handed out when it is durable, in the order in which it was taken.
 */
import type { Store, StoreOp } from '../ports/store.ts';
import type { Message } from '../raft/message.ts';
import type { Replica } from './replica.ts';

/** What a durable batch sets free. */
export interface WrittenPart {
  readonly replica: Replica;
  /** Gives the receipts back; answers what may be sent now. */
  readonly finish: () => readonly Message[];
}

export class BatchWriter {
  readonly #store: Store;
  /** Operations for the next batch that belong to no replica. */
  #ops: StoreOp[] = [];
  #waiters: (() => void)[] = [];
  #writing = false;

  constructor(store: Store) {
    this.#store = store;
  }

  get writing(): boolean {
    return this.#writing;
  }

  add(op: StoreOp): void {
    this.#ops.push(op);
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
    this.#store.write(ops, () => {
      this.#writing = false;
      written(parts);
      for (const done of waiters) done();
    });
  }

  /** No batch begins any more: nobody waits for one. */
  stop(): void {
    for (const done of this.#waiters.splice(0)) done();
  }
}
