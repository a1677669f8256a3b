/**
 * The store on LevelDB: one database per node, one synced atomic batch per `write`, one in flight.
 *
 * Every batch is synced, because LevelDB does not keep un-synced writes as a prefix: when it
 * changes its write-ahead file an un-synced batch can vanish while a later synced one stays. After
 * any error nothing is written to the handle again: a failed append leaves LevelDB's own file
 * position wrong and later batches would be lost at the next start without a word.
 *
 * In memory per group: its ledger and the first index of each of its log records, so that an
 * overwrite can remove the records it makes stale in the same batch, and reads need no iterator.
 */
import { assert } from '../model/assert.ts';
import type { TschedError } from '../model/errors.ts';
import type { Log } from '../ports/log.ts';
import type {
  GroupReading,
  Row,
  RowReading,
  Store,
  StoreHeader,
  StoreImage,
  StoreMaker,
  StoreOp,
} from '../ports/store.ts';
import type { Entry } from '../raft/message.ts';
import { BatchBuffer } from './batch-buffer.ts';
import { refuse } from './before-open.ts';
import { toStorageError } from './damage.ts';
import { type KeyRange, keyOf, rowKeyOffset, writeHeaderKey, writeRowKey } from './keyspace.ts';
import { Ledgers } from './ledger.ts';
import { LevelGroups } from './level-groups.ts';
import { type LoadedStore, loadStore } from './level-loader.ts';
import { type Database, readEntries } from './level-log.ts';
import { LevelRows, readLevelGroup } from './level-reading.ts';
import type { Mark } from './mark.ts';
import { type StoredHeader, unseal, writeHeader } from './record.ts';
import { type StoreFiles, storeFiles } from './store-files.ts';
import { checkWitnesses, encodeWitness } from './witness.ts';

export interface LevelStoreOptions {
  /** Directory of the database alone; made by `create`. */
  readonly directory: string;
  readonly log: Log;
  /**
   * Open although the write-ahead log shows that acknowledged batches are gone. For the only copy
   * of a cluster's data, by an operator who knows; contradictions inside a group still refuse.
   */
  readonly acceptDataLoss?: boolean | undefined;
}

/** How far behind the mark may be: what is lost at the end, after a crash, does not show. */
const markEveryMs = 1_000;

/** A store in a directory. Does nothing until `create` or `open`. */
export function createLevelStore(
  options: LevelStoreOptions,
  files = storeFiles(options.directory),
): Store & StoreMaker {
  return new LevelStore(options, files);
}

class LevelStore implements Store, StoreMaker {
  readonly #options: LevelStoreOptions;
  readonly #files: StoreFiles;
  readonly #batch = new BatchBuffer();
  readonly #ledgers = new Ledgers();
  readonly #groups = new LevelGroups();
  #db: Database | undefined;
  #onFault: (error: Error) => void = () => undefined;
  #failure: TschedError | undefined;
  #inFlight: Promise<void> | undefined;
  #clearing: Promise<void> = Promise.resolve();
  readonly #rangeReads = new Set<Promise<Row[]>>();
  readonly #readings = new Set<LevelRows>();
  /** Number of the last batch. */
  #seq = 0;
  #mark: Pick<Mark, 'set' | 'close'> | undefined;
  #marking: Promise<void> | undefined;
  #markedMs = 0;

  constructor(options: LevelStoreOptions, files: StoreFiles) {
    this.#options = options;
    this.#files = files;
  }

  async create(header: StoreHeader): Promise<void> {
    const { directory } = this.#options;
    try {
      await this.#files.make(async db => {
        this.#encodeHeader({ ...header, bootCount: 0, witnessBase: 1 });
        await this.#issue(db);
      });
    } catch (error) {
      throw toStorageError(directory, error);
    }
  }

  async open(onFault: (error: Error) => void): Promise<StoreImage> {
    assert(this.#db === undefined, 'the store is opened once');
    const { directory, log } = this.#options;
    let db: Database | undefined;
    try {
      await this.#files.assertDatabase();
      const marked = await this.#files.check(this.#options);
      db = await this.#files.open();
      const loaded = await loadStore(db);
      const header = await this.#bootHeader(db, loaded.header, marked);
      this.#batch.reset();
      this.#encodeHeader(header);
      await this.#issue(db);
      this.#mark = await this.#files.openMark(this.#seq);
      this.#markedMs = performance.now();
      await this.#files.sync();
      this.#takeIn(loaded);
      this.#db = db;
      this.#onFault = onFault;
      this.#clearRanges(loaded.leftovers);
      log.info('store opened', { directory, bootCount: header.bootCount });
      return toImage(loaded, header);
    } catch (error) {
      await this.#mark?.close();
      this.#mark = undefined;
      await db?.close();
      throw toStorageError(directory, error);
    }
  }

  /** The header of this boot. Throws where batches are missing, unless that is accepted. */
  async #bootHeader(db: Database, before: StoredHeader, marked: number): Promise<StoredHeader> {
    const { last, problem } = await checkWitnesses(db, before.witnessBase, marked);
    if (problem !== undefined) refuse(this.#options, `${problem}: the disk lost them`);
    this.#seq = last;
    const witnessBase = problem === undefined ? before.witnessBase : last + 1;
    return { ...before, bootCount: before.bootCount + 1, witnessBase };
  }

  #takeIn(loaded: LoadedStore): void {
    this.#groups.load(loaded);
    for (const { ledger } of loaded.groups) this.#ledgers.add(ledger);
  }

  write(ops: readonly StoreOp[], done: () => void): void {
    // The fault was reported; the process is on its way out and nothing may be written any more.
    if (this.#failure !== undefined) return;
    const db = this.#opened();
    assert(this.#inFlight === undefined, 'one batch in flight');
    this.#batch.reset();
    const dead: KeyRange[] = [];
    for (const op of ops) {
      this.#ledgers.stage(op);
      this.#groups.encode(this.#batch, op, dead);
    }
    this.#ledgers.assertSound();
    this.#inFlight = this.#issue(db).then(
      () => {
        this.#inFlight = undefined;
        this.#ledgers.settle();
        this.#clearRanges(dead);
        this.#moveMark();
        done();
      },
      error => {
        this.#fault(error);
      },
    );
  }

  /**
   * Hands the batch to LevelDB, synced, with its witness. LevelDB has copied it when this returns.
   * Async, so that what LevelDB throws at once is a rejection like everything else.
   */
  async #issue(db: Database): Promise<void> {
    const batch = this.#batch;
    encodeWitness(batch, ++this.#seq);
    // A chained batch costs half the time per row, but frees its memory only with the garbage of
    // this side: with few, large values there is too little garbage for that.
    if (batch.count >= 16 && batch.bytes < batch.count * 4096) {
      const chained = db.batch();
      batch.replay(
        (key, value) => chained.put(key, value),
        key => chained.del(key),
      );
      await chained.write({ sync: true });
      return;
    }
    const operations: (
      | { type: 'put'; key: Uint8Array; value: Uint8Array }
      | { type: 'del'; key: Uint8Array }
    )[] = [];
    batch.replay(
      (key, value) => operations.push({ type: 'put', key, value }),
      key => operations.push({ type: 'del', key }),
    );
    await db.batch(operations, { sync: true });
  }

  #encodeHeader(header: StoredHeader): void {
    writeHeaderKey(this.#batch.key());
    writeHeader(this.#batch.value('header'), header);
    this.#batch.seal();
  }

  /**
   * Clears what means nothing any more, not synced and not waited for: until it is through, and if
   * it is lost, it lies under a generation that nobody reads, or before the beginning of a log.
   */
  #clearRanges(ranges: readonly KeyRange[]): void {
    if (ranges.length === 0) return;
    const db = this.#opened();
    this.#clearing = this.#clearing
      .then(async () => {
        for (const range of ranges) {
          if (this.#failure !== undefined) return;
          await db.clear(range);
        }
      })
      .catch(error => {
        this.#fault(error);
      });
  }

  /** Now and then: it costs a sync of its own, beside those of the batches. */
  #moveMark(): void {
    const nowMs = performance.now();
    if (this.#marking !== undefined || nowMs - this.#markedMs < markEveryMs) return;
    this.#markedMs = nowMs;
    this.#marking = this.#mark
      ?.set(this.#seq)
      .catch(error => {
        this.#fault(error);
      })
      .finally(() => {
        this.#marking = undefined;
      });
  }

  /** Of a store that is closed in order: all of its batches are there. */
  async #closeMark(): Promise<void> {
    await this.#marking;
    const mark = this.#mark;
    this.#mark = undefined;
    if (mark === undefined) return;
    if (this.#failure === undefined) await mark.set(this.#seq);
    await mark.close();
  }

  row(group: number, key: Uint8Array): Uint8Array | undefined {
    const gen = this.#groups.genOf(group);
    if (gen === undefined) return undefined;
    return this.#reading(db => {
      const full = keyOf(writer => writeRowKey(writer, group, gen, key));
      const value = db.getSync(full);
      return value === undefined ? undefined : unseal('row', full, value);
    });
  }

  async rows(
    group: number,
    range: { from: Uint8Array; to: Uint8Array; limit: number; reverse?: boolean | undefined },
  ): Promise<Row[]> {
    const gen = this.#groups.genOf(group);
    if (gen === undefined || range.limit <= 0) return [];
    const bound = (key: Uint8Array): Uint8Array =>
      keyOf(writer => writeRowKey(writer, group, gen, key));
    const reading = collectRows(this.#readable(), {
      gte: bound(range.from),
      lt: bound(range.to),
      limit: range.limit,
      reverse: range.reverse ?? false,
    });
    this.#rangeReads.add(reading);
    try {
      return await reading;
    } catch (error) {
      throw this.#fault(error);
    } finally {
      this.#rangeReads.delete(reading);
    }
  }

  readGroup(group: number): GroupReading {
    this.#ledgers.of(group);
    return this.#reading(db => {
      const { reading, rows } = readLevelGroup(db, group, this.#readingHooks);
      this.#readings.add(rows);
      return reading;
    });
  }

  stagedRows(group: number): RowReading {
    const gen = this.#groups.stagedGenOf(group);
    // Nothing is staged: nothing lies under a generation that does not exist.
    const life = { group, gen: gen ?? 0 };
    return this.#reading(db => {
      const rows = new LevelRows(db, db.snapshot(), life, this.#readingHooks);
      this.#readings.add(rows);
      return rows;
    });
  }

  readonly #readingHooks = {
    fault: (error: unknown): Error => this.#fault(error),
    onClose: (reading: LevelRows): void => {
      this.#readings.delete(reading);
    },
  };

  entries(group: number, lo: number, hi: number, maxBytes: number): Entry[] {
    this.#ledgers.of(group).assertReadable(lo, hi);
    const log = this.#groups.logOf(group);
    return this.#reading(db => readEntries(db, group, log, { lo, hi, maxBytes }));
  }

  async close(): Promise<void> {
    // The end of one batch may begin the next.
    while (this.#inFlight !== undefined && this.#failure === undefined) await this.#inFlight;
    const db = this.#db;
    if (db === undefined) return;
    this.#db = undefined;
    await this.#clearing;
    // LevelDB would break them off with an error; each one's caller hears of its own.
    await Promise.allSettled(this.#rangeReads);
    await Promise.allSettled([...this.#readings].map(reading => reading.close()));
    await this.#closeMark();
    await db.close();
  }

  #opened(): Database {
    assert(this.#db !== undefined, 'the store is open');
    return this.#db;
  }

  #readable(): Database {
    if (this.#failure !== undefined) throw this.#failure;
    return this.#opened();
  }

  #reading<T>(read: (db: Database) => T): T {
    const db = this.#readable();
    try {
      return read(db);
    } catch (error) {
      throw this.#fault(error);
    }
  }

  /** Reports the first failure, and answers it. */
  #fault(error: unknown): TschedError {
    if (this.#failure === undefined) {
      this.#failure = toStorageError(this.#options.directory, error);
      this.#options.log.error('store failed', { message: this.#failure.message });
      this.#onFault(this.#failure);
    }
    return this.#failure;
  }
}

async function collectRows(
  db: Database,
  range: { gte: Uint8Array; lt: Uint8Array; limit: number; reverse: boolean },
): Promise<Row[]> {
  const found = await db.iterator({ ...range, highWaterMarkBytes: 256 * 1024 }).all();
  return found.map(([key, value]) => [
    new Uint8Array(key.buffer, key.byteOffset, key.byteLength).subarray(rowKeyOffset),
    unseal('row', key, value),
  ]);
}

function toImage(loaded: LoadedStore, header: StoredHeader): StoreImage {
  const { clusterId, nodeId, storeId, bootCount } = header;
  return {
    header: { clusterId, nodeId, storeId },
    bootCount,
    groups: loaded.groups.map(({ image }) => image),
    tombstones: new Map([...loaded.tombstones].map(([group, stored]) => [group, stored.replica])),
    meta: loaded.meta,
  };
}
