/**
 * What a store in memory keeps when its handle is gone: the content of a pretended disk. Nothing is
 * encoded; log entries are kept by reference (they are immutable), rows are copied by `write`.
 */

import { LogOutline } from '../model/log-outline.ts';
import type { Row, StoreHeader, StoreImage, StoreOp } from '../ports/store.ts';
import { type Entry, entryBytes, type HardState } from '../raft/message.ts';
import { SortedRows } from './sorted-rows.ts';

export interface MemoryGroup {
  descriptor: Uint8Array;
  hard: HardState;
  /** Last entry that is gone, and its term. */
  truncated: { readonly index: number; readonly term: number };
  /** Entry of index `i` at position `i - truncated.index - 1`. */
  readonly log: Entry[];
  rows: SortedRows;
  /** Rows of a snapshot that is being received. */
  staged: Row[];
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
        const { log, truncated } = this.#of(op.group);
        log.length = head.index - truncated.index - 1;
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
      case 'truncate': {
        const group = this.#of(op.group);
        group.log.splice(0, op.index - group.truncated.index);
        group.truncated = { index: op.index, term: op.term };
        return;
      }
      case 'stage':
        this.#of(op.group).staged.push(...op.rows);
        return;
      case 'unstage':
        this.#of(op.group).staged = [];
        return;
      case 'install':
        install(this.#of(op.group), op);
        return;
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

  /** Another disk with the same content, as a copy of its bytes would be; nobody has it open. */
  copy(): MemoryDisk {
    return this.copyTo(new MemoryDisk());
  }

  /** As `copy`, to a disk that holds nothing yet. */
  protected copyTo<Disk extends MemoryDisk>(other: Disk): Disk {
    other.header = this.header;
    other.bootCount = this.bootCount;
    for (const [number, group] of this.groups) {
      const { log, rows, staged } = group;
      other.groups.set(number, {
        ...group,
        log: log.slice(),
        rows: rows.copy(),
        staged: staged.slice(),
      });
    }
    for (const [group, replica] of this.tombstones) other.tombstones.set(group, replica);
    for (const [key, value] of this.meta) other.meta.set(key, value);
    return other;
  }

  /** Drops what was staged and never installed, as an open does. */
  sweep(): void {
    for (const group of this.groups.values()) group.staged = [];
  }

  /** What `open` answers, groups in ascending order; `header` has to be there. */
  image(header: StoreHeader): StoreImage {
    const ids = [...this.groups.keys()].sort((left, right) => left - right);
    return {
      header,
      bootCount: this.bootCount,
      groups: ids.map(group => {
        const { descriptor, hard, log, truncated, applied, appliedTerm } = this.#of(group);
        return {
          group,
          descriptor,
          hard,
          firstIndex: truncated.index + 1,
          lastIndex: truncated.index + log.length,
          truncatedTerm: truncated.term,
          applied,
          appliedTerm,
          outline: outlineOf(log),
        };
      }),
      tombstones: new Map(this.tombstones),
      meta: new Map(this.meta),
    };
  }
}

function install(group: MemoryGroup, op: Extract<StoreOp, { kind: 'install' }>): void {
  group.rows = new SortedRows();
  for (const [key, value] of group.staged) group.rows.set(key, value);
  group.staged = [];
  group.log.length = 0;
  group.truncated = { index: op.index, term: op.term };
  group.applied = op.index;
  group.appliedTerm = op.term;
  group.descriptor = op.descriptor;
}

const newGroup = (descriptor: Uint8Array): MemoryGroup => ({
  descriptor,
  hard: { term: 0, vote: 0, commit: 0 },
  truncated: { index: 0, term: 0 },
  log: [],
  rows: new SortedRows(),
  staged: [],
  applied: 0,
  appliedTerm: 0,
});

function outlineOf(log: readonly Entry[]): LogOutline {
  const outline = new LogOutline();
  for (const entry of log) outline.add(entry.index, entry.term, entryBytes(entry));
  return outline;
}
