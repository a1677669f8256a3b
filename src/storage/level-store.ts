/**
 * The store on LevelDB: one database per node, one synced atomic batch per `write`, one in flight.
 *
 * Every batch is synced, because LevelDB does not keep un-synced writes as a prefix: when it changes
 * its write-ahead file an un-synced batch can vanish while a later synced one stays. After any
 * error nothing is written to the handle again: a failed append leaves LevelDB's own file position
 * wrong and later batches would be lost at the next start without a word.
 *
 * In memory per group: its ledger and the first index of each of its log records, so that an
 * overwrite can remove the records it makes stale in the same batch, and reads need no iterator.
 */
import { assert } from '../model/assert.ts';
import type { ByteWriter } from '../model/bytes.ts';
import type { TschedError } from '../model/errors.ts';
import type { Log } from '../ports/log.ts';
import type { Row, Store, StoreHeader, StoreImage, StoreMaker, StoreOp } from '../ports/store.ts';
import type { Entry } from '../raft/message.ts';
import { BatchBuffer } from './batch-buffer.ts';
import { toStorageError } from './damage.ts';
import { assertDatabase, makeDatabase, openDatabase, syncDirectory } from './data-dir.ts';
import {
  keyOf,
  lifeRange,
  rowKeyOffset,
  writeGroupKey,
  writeHeaderKey,
  writeMetaKey,
  writeRowKey,
} from './keyspace.ts';
import { Ledgers } from './ledger.ts';
import { type LeftoverLife, type LoadedStore, loadStore } from './level-loader.ts';
import { type Database, encodeAppend, type LogIndex, readEntries } from './level-log.ts';
import {
  type StoredHeader,
  type StoredTombstone,
  unseal,
  writeApplied,
  writeDescriptor,
  writeHard,
  writeHeader,
  writeTombstone,
} from './record.ts';

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

/** A store in a directory. Does nothing until `create` or `open`. */
export function createLevelStore(options: LevelStoreOptions): Store & StoreMaker {
  return new LevelStore(options);
}

class LevelStore implements Store, StoreMaker {
  readonly #options: LevelStoreOptions;
  readonly #batch = new BatchBuffer();
  readonly #ledgers = new Ledgers();
  readonly #logs = new Map<number, LogIndex>();
  #tombstones = new Map<number, StoredTombstone>();
  #db: Database | undefined;
  #onFault: (error: Error) => void = () => undefined;
  #failure: TschedError | undefined;
  #inFlight: Promise<void> | undefined;
  #clearing: Promise<void> = Promise.resolve();

  constructor(options: LevelStoreOptions) {
    this.#options = options;
  }

  async create(header: StoreHeader): Promise<void> {
    const { directory } = this.#options;
    try {
      await makeDatabase(directory, async db => {
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
      await assertDatabase(directory);
      db = await openDatabase(directory, { create: false });
      const loaded = await loadStore(db);
      const header = { ...loaded.header, bootCount: loaded.header.bootCount + 1 };
      this.#batch.reset();
      this.#encodeHeader(header);
      await this.#issue(db);
      await syncDirectory(directory);
      this.#takeIn(loaded);
      this.#db = db;
      this.#onFault = onFault;
      this.#clearLives(loaded.leftovers);
      log.info('store opened', { directory, bootCount: header.bootCount });
      return toImage(loaded, header);
    } catch (error) {
      await db?.close();
      throw toStorageError(directory, error);
    }
  }

  #takeIn(loaded: LoadedStore): void {
    this.#tombstones = loaded.tombstones;
    for (const { ledger, log } of loaded.groups) {
      this.#ledgers.add(ledger);
      this.#logs.set(ledger.group, log);
    }
  }

  write(ops: readonly StoreOp[], done: () => void): void {
    // The fault was reported; the process is on its way out and nothing may be written any more.
    if (this.#failure !== undefined) return;
    const db = this.#opened();
    assert(this.#inFlight === undefined, 'one batch in flight');
    this.#batch.reset();
    const dead: LeftoverLife[] = [];
    for (const op of ops) {
      this.#ledgers.stage(op);
      this.#encode(op, dead);
    }
    this.#ledgers.assertSound();
    this.#inFlight = this.#issue(db).then(
      () => {
        this.#inFlight = undefined;
        this.#ledgers.settle();
        this.#clearLives(dead);
        done();
      },
      error => {
        this.#fault(error);
      },
    );
  }

  /** Hands the batch to LevelDB, synced. The buffer can be used again once this has returned. */
  #issue(db: Database): Promise<void> {
    const batch = this.#batch;
    // A chained batch costs half the time per row, but frees its memory only with the garbage of
    // this side: with few, large values there is too little garbage for that.
    if (batch.count >= 16 && batch.bytes < batch.count * 4096) {
      const chained = db.batch();
      batch.replay(
        (key, value) => chained.put(key, value),
        key => chained.del(key),
      );
      return chained.write({ sync: true });
    }
    const operations: (
      | { type: 'put'; key: Uint8Array; value: Uint8Array }
      | { type: 'del'; key: Uint8Array }
    )[] = [];
    batch.replay(
      (key, value) => operations.push({ type: 'put', key, value }),
      key => operations.push({ type: 'del', key }),
    );
    return db.batch(operations, { sync: true });
  }

  #encodeHeader(header: StoredHeader): void {
    writeHeaderKey(this.#batch.key());
    writeHeader(this.#batch.value('header'), header);
    this.#batch.seal();
  }

  #encode(op: StoreOp, dead: LeftoverLife[]): void {
    const batch = this.#batch;
    switch (op.kind) {
      case 'descriptor': {
        writeGroupKey(batch.key(), 'descriptor', op.group);
        const gen = this.#logs.get(op.group)?.gen ?? this.#bornGroup(op.group);
        writeDescriptor(batch.value('descriptor'), { gen, descriptor: op.value });
        batch.seal();
        return;
      }
      case 'hard':
        writeGroupKey(batch.key(), 'hard', op.group);
        writeHard(batch.value('hard'), op.hard);
        batch.seal();
        return;
      case 'entries':
        encodeAppend(batch, op.group, this.#logOf(op.group), op.entries);
        return;
      case 'state':
        this.#encodeState(this.#logOf(op.group).gen, op);
        return;
      case 'remove':
        this.#encodeRemoval(op.group, op.tombstone, dead);
        return;
      case 'meta':
        writeMetaKey(batch.key(), op.key);
        batch.value('meta').raw(op.value);
        batch.seal();
    }
  }

  #bornGroup(group: number): number {
    const gen = (this.#tombstones.get(group)?.gen ?? 0) + 1;
    this.#logs.set(group, { gen, starts: [] });
    return gen;
  }

  #logOf(group: number): LogIndex {
    const log = this.#logs.get(group);
    assert(log !== undefined, `group ${group} is not in the store`);
    return log;
  }

  #encodeState(gen: number, op: Extract<StoreOp, { kind: 'state' }>): void {
    const batch = this.#batch;
    for (const [key, value] of op.rows) {
      writeRowKey(batch.key(), op.group, gen, key);
      if (value === undefined) {
        batch.remove();
      } else {
        batch.value('row').raw(value);
        batch.seal();
      }
    }
    writeGroupKey(batch.key(), 'applied', op.group);
    writeApplied(batch.value('applied'), op);
    batch.seal();
  }

  #encodeRemoval(group: number, tombstone: number, dead: LeftoverLife[]): void {
    const batch = this.#batch;
    const before = this.#tombstones.get(group);
    const gen = this.#logs.get(group)?.gen ?? before?.gen ?? 0;
    for (const prefix of ['descriptor', 'hard', 'applied'] as const) {
      writeGroupKey(batch.key(), prefix, group);
      batch.remove();
    }
    const stored = { replica: Math.max(tombstone, before?.replica ?? 0), gen };
    writeGroupKey(batch.key(), 'tombstone', group);
    writeTombstone(batch.value('tombstone'), stored);
    batch.seal();
    this.#tombstones.set(group, stored);
    if (this.#logs.delete(group)) {
      dead.push({ prefix: 'log', group, gen }, { prefix: 'row', group, gen });
    }
  }

  /**
   * Clears rows and logs of removed groups, not synced and not waited for: until it is through, and
   * if it is lost, they lie under a generation that nobody reads.
   */
  #clearLives(lives: readonly LeftoverLife[]): void {
    if (lives.length === 0) return;
    const db = this.#opened();
    this.#clearing = this.#clearing
      .then(async () => {
        for (const life of lives) {
          if (this.#failure !== undefined) return;
          await db.clear(lifeRange(life.prefix, life.group, life.gen));
        }
      })
      .catch(error => {
        this.#fault(error);
      });
  }

  row(group: number, key: Uint8Array): Uint8Array | undefined {
    const gen = this.#logs.get(group)?.gen;
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
    const gen = this.#logs.get(group)?.gen;
    if (gen === undefined || range.limit <= 0) return [];
    const bound = (key: Uint8Array): Uint8Array =>
      keyOf((writer: ByteWriter) => writeRowKey(writer, group, gen, key));
    const db = this.#readable();
    try {
      const iterator = db.iterator({
        gte: bound(range.from),
        lt: bound(range.to),
        limit: range.limit,
        reverse: range.reverse ?? false,
        highWaterMarkBytes: 256 * 1024,
      });
      const found = await iterator.all();
      return found.map(([key, value]) => [
        new Uint8Array(key.buffer, key.byteOffset, key.byteLength).subarray(rowKeyOffset),
        unseal('row', key, value),
      ]);
    } catch (error) {
      throw this.#fault(error);
    }
  }

  entries(group: number, lo: number, hi: number, maxBytes: number): Entry[] {
    this.#ledgers.of(group).assertReadable(lo, hi);
    const log = this.#logOf(group);
    return this.#reading(db => readEntries(db, group, log, { lo, hi, maxBytes }));
  }

  async close(): Promise<void> {
    // The end of one batch may begin the next.
    while (this.#inFlight !== undefined && this.#failure === undefined) await this.#inFlight;
    await this.#clearing;
    const db = this.#db;
    if (db === undefined) return;
    this.#db = undefined;
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
