/**
 * What a store in memory keeps when its handle is gone: the content of a pretended disk. Nothing is
 * encoded; log entries are kept by reference (they are immutable), rows are copied by `write`.
 */
import type { StoreHeader, StoreImage, StoreOp } from '../ports/store.ts';
import type { Entry, HardState } from '../raft/message.ts';
import { SortedRows } from './sorted-rows.ts';

export interface MemoryGroup {
  descriptor: Uint8Array;
  hard: HardState;
  /** Entry of index `i` at position `i - 1`. */
  readonly log: Entry[];
  readonly rows: SortedRows;
  applied: number;
  appliedTerm: number;
}

export class MemoryDisk {
  header: StoreHeader | undefined;
  bootCount = 0;
  /** Set while a handle has it open, as the lock of a directory. */
  locked = false;
  readonly groups = new Map<number, MemoryGroup>();
  readonly tombstones = new Map<number, number>();
  readonly meta = new Map<string, Uint8Array>();

  /** Makes one batch durable, in one step. */
  commit(ops: readonly StoreOp[]): void {
    for (const op of ops) this.#apply(op);
  }

  #apply(op: StoreOp): void {
    switch (op.kind) {
      case 'descriptor': {
        const group = this.groups.get(op.group);
        if (group === undefined) this.groups.set(op.group, newGroup(op.value));
        else group.descriptor = op.value;
        return;
      }
      case 'hard':
        this.#of(op.group).hard = op.hard;
        return;
      case 'entries': {
        const head = op.entries[0];
        if (head === undefined) return;
        const { log } = this.#of(op.group);
        log.length = head.index - 1;
        for (const entry of op.entries) log.push(entry);
        return;
      }
      case 'state': {
        const group = this.#of(op.group);
        for (const [key, value] of op.rows) group.rows.set(key, value);
        group.applied = op.applied;
        group.appliedTerm = op.appliedTerm;
        return;
      }
      case 'remove':
        this.groups.delete(op.group);
        this.tombstones.set(op.group, Math.max(op.tombstone, this.tombstones.get(op.group) ?? 0));
        return;
      case 'meta':
        this.meta.set(op.key, op.value);
    }
  }

  #of(group: number): MemoryGroup {
    // The ledgers have refused an operation on a group that is not there.
    return this.groups.get(group)!;
  }

  /** What `open` answers, groups in ascending order; `header` has to be there. */
  image(header: StoreHeader): StoreImage {
    const ids = [...this.groups.keys()].sort((left, right) => left - right);
    return {
      header,
      bootCount: this.bootCount,
      groups: ids.map(group => {
        const { descriptor, hard, log, applied, appliedTerm } = this.#of(group);
        const lastIndex = log.length;
        return { group, descriptor, hard, firstIndex: 1, lastIndex, applied, appliedTerm };
      }),
      tombstones: new Map(this.tombstones),
      meta: new Map(this.meta),
    };
  }
}

const newGroup = (descriptor: Uint8Array): MemoryGroup => ({
  descriptor,
  hard: { term: 0, vote: 0, commit: 0 },
  log: [],
  rows: new SortedRows(),
  applied: 0,
  appliedTerm: 0,
});
