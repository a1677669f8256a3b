/**
 * LevelDB as the store sees it, on a simulated disk: batches that are atomic, synced or not, in
 * virtual time. With it the simulator runs the real store, with its formats, checksums, witnesses
 * and all that an open checks.
 *
 * The newest batches lie in the write-ahead log, the rest in tables. What the log holds can be lost
 * in the middle without a word, as with the bundled LevelDB; a bit can flip in both.
 */
import { assert } from '../../src/model/assert.ts';
import { TschedError } from '../../src/model/errors.ts';
import type { Database } from '../../src/storage/level-log.ts';
import { SortedRows } from '../../src/storage/sorted-rows.ts';
import type { StoreFiles } from '../../src/storage/store-files.ts';

type Change = readonly [key: Uint8Array, value: Uint8Array | undefined];

interface Batch {
  readonly changes: readonly Change[];
  readonly synced: boolean;
}

/** Batches in the write-ahead log; older ones are in tables. */
const walBatches = 64;
const behindAll = new Uint8Array(64).fill(0xff);

/** What is on the disk, whoever has it open. */
export class LevelDisk {
  #tables = new SortedRows();
  #wal: Batch[] = [];
  made = false;
  /** While a handle has it open. */
  locked = false;

  append(batch: Batch): void {
    this.#wal.push(batch);
    for (let over = this.#wal.length - walBatches; over > 0; over--) {
      for (const [key, value] of this.#wal.shift()!.changes) this.#tables.set(key, value);
    }
  }

  /** What an open finds: LevelDB writes the log into tables first. */
  recover(): SortedRows {
    for (const { changes } of this.#wal.splice(0)) {
      for (const [key, value] of changes) this.#tables.set(key, value);
    }
    return this.#tables.copy();
  }

  /** Power is gone: of what was not synced, any part is lost, whatever was synced after it. */
  lose(kept: () => boolean): void {
    this.#wal = this.#wal.filter(({ synced }) => synced || kept());
  }

  copy(): LevelDisk {
    const other = new LevelDisk();
    other.#tables = this.#tables.copy();
    other.#wal = this.#wal.slice();
    other.made = this.made;
    return other;
  }

  /**
   * A block of the log cannot be read: some batches are gone, later ones are there. Answers how
   * many; 0 where the log is too short for that.
   */
  loseBatches(below: (count: number) => number): number {
    const synced = this.#wal.filter(batch => batch.synced);
    if (synced.length < 2) return 0;
    const count = 1 + below(Math.min(8, synced.length - 1));
    const from = below(synced.length - count);
    const lost = new Set(synced.slice(from, from + count));
    this.#wal = this.#wal.filter(batch => !lost.has(batch));
    return count;
  }

  /** One bit of one value in the tables is another one. Answers the key, if there was a value. */
  flipBit(below: (count: number) => number): Uint8Array | undefined {
    this.recover();
    const all = this.#tables.range({
      from: new Uint8Array(0),
      to: behindAll,
      limit: Number.MAX_SAFE_INTEGER,
    });
    const found = all[below(all.length)];
    if (found === undefined) return undefined;
    const [key, value] = found;
    const flipped = value.slice();
    const at = below(flipped.length);
    flipped[at] = flipped[at]! ^ (1 << below(8));
    this.#tables.set(key, flipped);
    return key;
  }
}

export interface LevelWorld {
  readonly disk: LevelDisk;
  /** Runs the end of a synced write later; at once where there is none. */
  readonly schedule?: ((finish: (error: Error | undefined) => void) => void) | undefined;
  /** A synced write has just become durable. */
  readonly durable?: (() => void) | undefined;
  /** Why a write cannot be made now. */
  readonly refuses?: (() => string | undefined) | undefined;
}

/** One open handle. */
class SimLevel {
  readonly #world: LevelWorld;
  readonly #rows: SortedRows;
  #pending: readonly Change[] | undefined;

  constructor(world: LevelWorld) {
    this.#world = world;
    if (world.disk.locked) throw Object.assign(new Error('locked'), { code: 'LEVEL_LOCKED' });
    world.disk.locked = true;
    this.#rows = world.disk.recover();
  }

  /** The process is gone; a write that was under way is on the disk or not. */
  abandon(options: { readonly keepInFlight: boolean }): void {
    if (this.#pending !== undefined && options.keepInFlight) this.#commit(this.#pending);
    this.#pending = undefined;
    this.#world.disk.locked = false;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#rows.get(key);
  }

  getSync(key: Uint8Array, options?: { readonly snapshot?: Snapshot }): Uint8Array | undefined {
    return (options?.snapshot?.rows ?? this.#rows).get(key);
  }

  snapshot(): Snapshot {
    return { rows: this.#rows.copy(), close: async () => undefined };
  }

  iterator(range: Range) {
    const found = this.#range(range);
    let at = 0;
    return {
      nextv: async (count: number) => found.slice(at, (at += count)),
      all: async () => found.slice(at),
      close: async () => undefined,
    };
  }

  keys(range: Range) {
    const found = this.#range(range).map(([key]) => key);
    let at = 0;
    return {
      next: async () => found[at++],
      seek: (target: Uint8Array) => {
        while (at < found.length && Buffer.compare(found[at]!, target) < 0) at++;
      },
      close: async () => undefined,
    };
  }

  #range({ gte, lt, limit, reverse, snapshot }: Range): [Uint8Array, Uint8Array][] {
    const rows = snapshot?.rows ?? this.#rows;
    const wanted = { from: gte, to: lt, limit: limit ?? Number.MAX_SAFE_INTEGER, reverse };
    return rows.range(wanted).map(([key, value]) => [key, value]);
  }

  batch(operations?: readonly Operation[], options?: { readonly sync: boolean }) {
    if (operations !== undefined) {
      const changes = operations.map(({ key, value }): Change => [key.slice(), value?.slice()]);
      return this.#write(changes, options?.sync === true);
    }
    const changes: Change[] = [];
    return {
      put: (key: Uint8Array, value: Uint8Array) => changes.push([key.slice(), value.slice()]),
      del: (key: Uint8Array) => changes.push([key.slice(), undefined]),
      write: (how: { readonly sync: boolean }) => this.#write(changes, how.sync),
    };
  }

  #write(changes: readonly Change[], sync: boolean): Promise<void> {
    const { schedule, refuses } = this.#world;
    assert(sync, 'every batch of the store is synced');
    assert(this.#pending === undefined, 'one write at a time');
    const refusal = refuses?.();
    if (refusal !== undefined) return Promise.reject(new Error(refusal));
    if (schedule === undefined) {
      this.#commit(changes);
      return Promise.resolve();
    }
    this.#pending = changes;
    return new Promise((resolve, reject) => {
      schedule(error => {
        // After `abandon` it is nobody's any more.
        if (this.#pending !== changes) return;
        if (error !== undefined) {
          reject(error);
          return;
        }
        this.#pending = undefined;
        this.#commit(changes);
        resolve();
      });
    });
  }

  #commit(changes: readonly Change[]): void {
    this.#world.disk.append({ changes, synced: true });
    for (const [key, value] of changes) this.#rows.set(key, value);
    this.#world.durable?.();
  }

  /** Not synced. */
  async clear(range: Range): Promise<void> {
    const changes = this.#range(range).map(([key]): Change => [key, undefined]);
    if (changes.length === 0) return;
    for (const [key] of changes) this.#rows.set(key, undefined);
    this.#world.disk.append({ changes, synced: false });
  }

  async close(): Promise<void> {
    this.#world.disk.locked = false;
  }
}

interface Snapshot {
  readonly rows: SortedRows;
  close(): Promise<void>;
}

interface Range {
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
  readonly limit?: number | undefined;
  readonly reverse?: boolean | undefined;
  readonly snapshot?: Snapshot | undefined;
}

interface Operation {
  readonly key: Uint8Array;
  readonly value?: Uint8Array | undefined;
}

export type LevelHandle = Pick<SimLevel, 'abandon'>;

/** The directory of a store on this disk. Damage of the log's bytes is for tests of real files. */
export function simLevelFiles(
  world: LevelWorld,
  opened: (handle: LevelHandle) => void = () => undefined,
): StoreFiles {
  const open = (): Database => {
    const handle = new SimLevel(world);
    opened(handle);
    return handle as unknown as Database;
  };
  return {
    assertDatabase: async () => {
      if (!world.disk.made) throw new TschedError('dataDirEmpty', 'there is no store');
    },
    check: async () => 0,
    open: async () => open(),
    // The end of a log that was cut between two batches: for tests of real files, too.
    openMark: async () => ({ set: async () => undefined, close: async () => undefined }),
    sync: async () => undefined,
    make: async fill => {
      if (world.disk.made) throw new TschedError('dataDirTaken', 'there is a store already');
      const db = open();
      try {
        await fill(db);
      } finally {
        await db.close();
      }
      world.disk.made = true;
    },
  };
}
