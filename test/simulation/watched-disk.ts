/** A disk that tells of every batch once it is durable. */
import type { StoreOp } from '../../src/ports/store.ts';
import { MemoryDisk } from '../../src/storage/memory-disk.ts';

export class WatchedDisk extends MemoryDisk {
  readonly #stored: (disk: WatchedDisk, ops: readonly StoreOp[]) => void;

  constructor(stored: (disk: WatchedDisk, ops: readonly StoreOp[]) => void) {
    super();
    this.#stored = stored;
  }

  /** What is on it now, on another disk. */
  copy(): WatchedDisk {
    const copy = new WatchedDisk(this.#stored);
    copy.header = this.header;
    copy.bootCount = this.bootCount;
    const ops: StoreOp[] = [];
    const range = { from: new Uint8Array(0), to: new Uint8Array(64).fill(0xff) };
    for (const [group, { descriptor, hard, log, rows, applied, appliedTerm }] of this.groups) {
      ops.push({ kind: 'descriptor', group, value: descriptor }, { kind: 'hard', group, hard });
      if (log.length > 0) ops.push({ kind: 'entries', group, entries: [...log] });
      const all = rows.range({ ...range, limit: Number.MAX_SAFE_INTEGER });
      ops.push({ kind: 'state', group, applied, appliedTerm, rows: all });
    }
    for (const [key, value] of this.meta) ops.push({ kind: 'meta', key, value });
    copy.commit(ops);
    for (const [group, id] of this.tombstones) copy.tombstones.set(group, id);
    return copy;
  }

  override commit(ops: readonly StoreOp[]): void {
    super.commit(ops);
    this.#stored(this, ops);
  }
}
