/** A disk that tells of every batch once it is durable. */
import type { StoreOp } from '../../src/ports/store.ts';
import { MemoryDisk } from '../../src/storage/memory-disk.ts';

export class WatchedDisk extends MemoryDisk {
  readonly #stored: (disk: WatchedDisk, ops: readonly StoreOp[]) => void;

  constructor(stored: (disk: WatchedDisk, ops: readonly StoreOp[]) => void) {
    super();
    this.#stored = stored;
  }

  override commit(ops: readonly StoreOp[]): void {
    super.commit(ops);
    this.#stored(this, ops);
  }
}
