/** A disk that tells of every batch once it is durable. */
import type { StoreOp } from '../../src/ports/store.ts';
import { MemoryDisk } from '../../src/storage/memory-disk.ts';
import type { LevelDisk } from './sim-level.ts';

/** Who is told. */
export interface DiskWatcher {
  stored(disk: WatchedDisk, ops: readonly StoreOp[]): void;
  /** `copy` holds what `disk` does. */
  copied(disk: WatchedDisk, copy: WatchedDisk): void;
}

export class WatchedDisk extends MemoryDisk {
  readonly #watcher: DiskWatcher;
  /** The bytes, where the real store runs on this disk; it is then a copy of what they mean. */
  readonly level: LevelDisk | undefined;

  constructor(watcher: DiskWatcher, level: LevelDisk | undefined) {
    super();
    this.#watcher = watcher;
    this.level = level;
  }

  override copy(): WatchedDisk {
    const copy = this.copyTo(new WatchedDisk(this.#watcher, this.level?.copy()));
    this.#watcher.copied(this, copy);
    return copy;
  }

  override commit(ops: readonly StoreOp[]): void {
    super.commit(ops);
    this.#watcher.stored(this, ops);
  }
}
