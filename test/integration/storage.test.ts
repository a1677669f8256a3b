/** The store on LevelDB with real files: killed processes, failing disks, damaged bytes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cp,
  mkdtemp,
  open as openFile,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { crc32 } from 'node:zlib';
import { Level } from 'level';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ByteWriter } from '../../src/model/bytes.ts';
import type { TschedError } from '../../src/model/errors.ts';
import { silentLog } from '../../src/ports/log.ts';
import type { Store, StoreOp } from '../../src/ports/store.ts';
import { BatchBuffer } from '../../src/storage/batch-buffer.ts';
import { checkStore } from '../../src/storage/check-store.ts';
import {
  keyOf,
  lifeRange,
  prefixes,
  prefixRange,
  writeGroupKey,
  writeHeaderKey,
  writeLogKey,
  writeRowKey,
  writeWitnessKey,
} from '../../src/storage/keyspace.ts';
import { createLevelStore } from '../../src/storage/level-store.ts';
import { versions, writeHard } from '../../src/storage/record.ts';
import { walBatches } from '../../src/storage/wal-scan.ts';
import { encodeWitness, witnessWindow } from '../../src/storage/witness.ts';
import { batchOf, countBatches, firstBatch, payloadOf } from './storage-batches.ts';

let root: string;
let directory: string;
let open: Store[];
let children: ChildProcess[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tsched-storage-'));
  directory = join(root, 'db');
  open = [];
  children = [];
});

afterEach(async () => {
  for (const child of children) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
  for (const store of open) await store.close();
  await rm(root, { recursive: true });
});

const unexpected = (error: Error): never => {
  throw error;
};

const handle = (acceptDataLoss = false) =>
  createLevelStore({ directory, log: silentLog, acceptDataLoss });

const create = (): Promise<void> => handle().create({ clusterId: 'c', nodeId: 'n', storeId: 's' });

async function start(options: { acceptDataLoss?: boolean; onFault?: (error: Error) => void } = {}) {
  const store = handle(options.acceptDataLoss ?? false);
  const image = await store.open(options.onFault ?? unexpected);
  open.push(store);
  return { store, image };
}

async function stop(store: Store): Promise<void> {
  open = open.filter(other => other !== store);
  await store.close();
}

const write = (store: Store, ops: readonly StoreOp[]): Promise<void> =>
  new Promise(resolve => store.write(ops, resolve));

/** Makes a store with so many batches and closes it. */
async function filled(count: number): Promise<void> {
  await create();
  const { store } = await start();
  await write(store, firstBatch);
  for (let batch = 1; batch <= count; batch++) await write(store, batchOf(batch));
  await stop(store);
}

const faultOf = async (opening: Promise<unknown>): Promise<TschedError> => {
  const error: unknown = await opening.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ name: 'TschedError' });
  return error as TschedError;
};

/** LevelDB itself, for damage that a working store never makes. */
async function raw<T>(change: (db: Level<Uint8Array, Uint8Array>) => Promise<T>): Promise<T> {
  const db = new Level<Uint8Array, Uint8Array>(directory, {
    keyEncoding: 'view',
    valueEncoding: 'view',
  });
  await db.open();
  try {
    return await change(db);
  } finally {
    await db.close();
  }
}

/** Puts one well-formed record behind the store's back. */
async function overwrite(encode: (batch: BatchBuffer) => void): Promise<void> {
  const buffer = new BatchBuffer();
  encode(buffer);
  const found: [Uint8Array, Uint8Array][] = [];
  buffer.replay(
    (key, value) => void found.push([key.slice(), value.slice()]),
    () => undefined,
  );
  await raw(async db => {
    for (const [key, value] of found) await db.put(key, value);
  });
}

const filesOf = async (ending: string): Promise<string[]> =>
  (await readdir(directory))
    .filter(name => name.endsWith(ending))
    .sort()
    .map(name => join(directory, name));

/** The write-ahead file that holds the most. */
async function walOf(): Promise<{ file: string; bytes: Buffer }> {
  const found = await Promise.all(
    (await filesOf('.log')).map(async file => ({ file, bytes: await readFile(file) })),
  );
  found.sort((left, right) => right.bytes.length - left.bytes.length);
  const [largest] = found;
  if (largest === undefined) throw new Error('there is no write-ahead file');
  return largest;
}

function startWriter(limit = ''): { child: ChildProcess; lines: AsyncIterator<string> } {
  const script = new URL('storage-writer.ts', import.meta.url).pathname;
  const child = spawn(
    'sh',
    ['-c', `${limit} exec "$0" "$1" "$2"`, process.execPath, script, directory],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  children.push(child);
  const lines = createInterface({ input: child.stdout! });
  return { child, lines: lines[Symbol.asyncIterator]() };
}

/** Reads what the writer prints until it has ended; kills it after so many batches. */
async function watch(
  { child, lines }: ReturnType<typeof startWriter>,
  killAfter: number,
): Promise<{ found: number; done: number; fault: string | undefined }> {
  let found = -1;
  let done = 0;
  let fault: string | undefined;
  for (let count = 0; ; ) {
    const { value, done: ended } = await lines.next();
    if (ended === true) break;
    const [word, argument = ''] = String(value).split(' ');
    if (word === 'found') found = Number(argument);
    else if (word === 'fault') fault = argument;
    else done = Number(argument);
    if (word === 'done' && ++count === killAfter) child.kill('SIGKILL');
  }
  return { found, done: Math.max(done, found), fault };
}

describe('a killed process', () => {
  test('what was acknowledged before kill -9 is there, and every batch whole', async () => {
    await create();
    let acknowledged = 0;
    for (const killAfter of [1, 40, 150, 333]) {
      const seen = await watch(startWriter(), killAfter);
      // At most the one batch in flight may be there beyond what was told.
      expect(seen.found).toBeGreaterThanOrEqual(acknowledged);
      expect(seen.found).toBeLessThanOrEqual(acknowledged + 1);
      expect(seen.done).toBeGreaterThanOrEqual(seen.found + killAfter);
      acknowledged = seen.done;
    }
    const { store, image } = await start();
    expect(image.bootCount).toBe(5);
    expect(await countBatches(store, image)).toBeGreaterThanOrEqual(acknowledged);
  });

  test('a store that another process has open says so', async () => {
    await create();
    const writer = startWriter();
    await writer.lines.next();
    expect((await faultOf(start())).code).toBe('dataDirInUse');
    writer.child.kill('SIGKILL');
    await once(writer.child, 'exit');
    await start();
  });
});

describe('a failing disk', () => {
  test('a write that fails is a fault, and what was acknowledged before stays', async () => {
    await create();
    // No file may grow beyond some hundred KiB; the write-ahead file reaches that.
    const seen = await watch(startWriter('ulimit -f 800;'), -1);
    expect(seen.fault).toBe('storageFault');
    expect(seen.done).toBeGreaterThan(20);
    const { store, image } = await start();
    const count = await countBatches(store, image);
    expect(count).toBeGreaterThanOrEqual(seen.done);
    expect(count).toBeLessThanOrEqual(seen.done + 1);
    await write(store, batchOf(count + 1));
  });

  /** Bytes that do not compress, so that they lie plainly in a table. */
  const noise = (seed: number): Uint8Array => {
    let state = seed;
    return Uint8Array.from({ length: 3000 }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state >>> 24;
    });
  };

  /** Flips one bit in the middle of these bytes, wherever a table holds them, open or not. */
  async function flipInTables(content: Uint8Array): Promise<void> {
    const marker = Buffer.from(content.subarray(1000, 1100));
    let hits = 0;
    for (const file of await filesOf('.ldb')) {
      const bytes = await readFile(file);
      const at = bytes.indexOf(marker);
      if (at < 0) continue;
      hits++;
      const handle = await openFile(file, 'r+');
      await handle.write(Uint8Array.of(bytes[at + 50]! ^ 4), 0, 1, at + 50);
      await handle.close();
    }
    expect(hits).toBe(1);
  }

  const row = (name: number): Uint8Array => Uint8Array.of(name);

  async function noisyStore(): Promise<void> {
    await create();
    const { store } = await start();
    await write(store, [
      ...firstBatch,
      { kind: 'entries', group: 1, entries: [{ term: 1, index: 1, type: 0, data: noise(99) }] },
    ]);
    for (const name of [1, 2, 3]) {
      const rows = [[row(name), noise(name)] as const];
      await write(store, [{ kind: 'state', group: 1, applied: 0, appliedTerm: 0, rows }]);
    }
    await stop(store);
    // Opening moves the write-ahead file into a table.
    await stop((await start()).store);
  }

  test('a flipped bit of a row is noticed when read, told once, and ends the handle', async () => {
    await noisyStore();
    const faults: Error[] = [];
    const { store } = await start({ onFault: error => void faults.push(error) });
    await flipInTables(noise(2));
    expect(store.row(1, row(1))).toEqual(noise(1));
    expect(faults).toEqual([]);
    expect(() => store.row(1, row(2))).toThrow('row 02 of group 1: checksum mismatch');
    await expect(store.rows(1, everyRow)).rejects.toMatchObject({ code: 'storageFault' });
    expect(() => store.row(1, row(1))).toThrow('checksum mismatch');
    let done = false;
    store.write([{ kind: 'meta', key: 'm', value: row(1) }], () => (done = true));
    await stop(store);
    expect(done).toBe(false);
    expect(faults).toMatchObject([{ code: 'storageFault' }]);
    expect((await faultOf(start())).message).toContain('has a wrong checksum');
  });

  test('a flipped bit of a row is noticed in a range read too', async () => {
    await noisyStore();
    const faults: Error[] = [];
    const { store } = await start({ onFault: error => void faults.push(error) });
    await flipInTables(noise(3));
    expect(await store.rows(1, { ...everyRow, limit: 2 })).toHaveLength(2);
    await expect(store.rows(1, everyRow)).rejects.toMatchObject({ code: 'storageFault' });
    expect(faults).toHaveLength(1);
  });

  test('a flipped bit of a log record is noticed at the open', async () => {
    await noisyStore();
    await flipInTables(noise(99));
    const fault = await faultOf(start());
    expect(fault.code).toBe('storageFault');
    expect(fault.message).toMatch(/table \d{6}: the block at byte \d+ has a wrong checksum/);
  });
});

const everyRow = { from: new Uint8Array(), to: Uint8Array.of(0xff), limit: 1e9 };

test('a store of a newer program is not taken for a damaged one', async () => {
  await filled(1);
  await raw(async db => {
    const key = keyOf(writeHeaderKey);
    const value = await db.get(key);
    const body = Uint8Array.from([versions.header + 1, ...value!.subarray(1, -4)]);
    const sealed = new ByteWriter().raw(body).u32(crc32(body, crc32(key)));
    await db.put(key, sealed.finish());
  });
  expect((await faultOf(start())).code).toBe('programTooOld');
  // Nor by the doctor, which would have it put aside.
  expect((await faultOf(checkStore(directory))).code).toBe('programTooOld');
});

describe('a damaged write-ahead log', () => {
  test('a flipped byte before acknowledged batches refuses to open, nothing else', async () => {
    await filled(100);
    const { file, bytes } = await walOf();
    bytes[Math.floor(bytes.length / 2)]! ^= 1;
    await writeFile(file, bytes);
    const fault = await faultOf(start());
    expect(fault.code).toBe('storageFault');
    expect(fault.message).toContain(file);
    expect(fault.message).toContain('corrupt');
    expect(Buffer.compare(await readFile(file), bytes)).toBe(0);
    expect((await faultOf(start())).code).toBe('storageFault');
  });

  test('it opens when the loss is accepted and nothing contradicts itself', async () => {
    await create();
    const { store } = await start();
    for (let count = 0; count < 50; count++) {
      await write(store, [{ kind: 'meta', key: `k${count}`, value: payloadOf(count) }]);
    }
    await stop(store);
    const { file, bytes } = await walOf();
    bytes[5000]! ^= 1;
    await writeFile(file, bytes);
    expect((await faultOf(start())).code).toBe('storageFault');
    const again = await start({ acceptDataLoss: true });
    expect(again.image.meta.size).toBeLessThan(50);
    await write(again.store, [{ kind: 'meta', key: 'later', value: new Uint8Array() }]);
    await stop(again.store);
    // The witnesses were given up at that open: the next one needs no leave.
    expect((await start()).image.meta.has('later')).toBe(true);
  });

  test('a torn last batch is dropped, everything before it stays', async () => {
    // One that clears nothing when it is done: that would come behind it.
    await filled(50);
    const { store } = await start();
    const mark = await readFile(join(directory, 'acknowledged'));
    await write(store, batchOf(51));
    // As a killed process leaves it: one that is closed vouches for all of its batches.
    await cp(directory, join(root, 'killed'), { recursive: true });
    await writeFile(join(root, 'killed', 'acknowledged'), mark);
    await stop(store);
    directory = join(root, 'killed');
    const { file, bytes } = await walOf();
    await truncate(file, bytes.length - 100);
    const again = await start();
    expect(await countBatches(again.store, again.image)).toBe(50);
  });

  test.each([
    ['cut between two batches', 0],
    ['cut inside the last one', 100],
  ])('%s, it lacks what a store closed in order had', async (_what, more) => {
    await filled(51);
    const { file, bytes } = await walOf();
    let end = 0;
    for (const batch of walBatches(bytes)) end = batch.byteOffset - bytes.byteOffset;
    // Seven bytes of a header come before a batch; the last one clears what is dead.
    await truncate(file, more === 0 ? end - 7 : bytes.length - more);
    expect((await faultOf(start())).message).toMatch(/batches \d+ to 54 are missing/);
    await stop((await start({ acceptDataLoss: true })).store);
    await start();
  });
});

describe('a database that lost something', () => {
  test('a missing batch shows as a missing witness', async () => {
    await filled(50);
    await raw(db => db.del(keyOf(writer => writeWitnessKey(writer, 30))));
    const fault = await faultOf(start());
    expect(fault.code).toBe('storageFault');
    expect(fault.message).toContain('batches 30 to 30 are missing');
    await stop((await start({ acceptDataLoss: true })).store);
    await start();
  });

  test('witnesses missing at the beginning, or altogether, show too', async () => {
    await filled(5);
    await raw(db =>
      db.clear({
        lt: keyOf(writer => writeWitnessKey(writer, 3)),
        gte: keyOf(writer => writeWitnessKey(writer, 0)),
      }),
    );
    expect((await faultOf(start())).message).toContain('batches 1 to 2 are missing');
    await raw(db => db.clear(prefixRange(prefixes.witness)));
    expect((await faultOf(start())).message).toContain('all batch witnesses are missing');
  });

  test('beyond the window a lost batch shows by the witness it did not remove', async () => {
    await filled(1);
    const last = witnessWindow + 40;
    await raw(async db => {
      const fill = async (from: number, to: number): Promise<void> => {
        const buffer = new BatchBuffer();
        const chained = db.batch();
        for (let seq = from; seq <= to; seq++) encodeWitness(buffer, seq);
        buffer.replay(
          (key, value) => chained.put(key, value),
          key => chained.del(key),
        );
        await chained.write();
      };
      await fill(1, last);
    });
    await stop((await start()).store);
    // What the batch of that open removed is there again: as if the batch were lost.
    await overwrite(batch => encodeWitness(batch, last + 1 - witnessWindow));
    expect((await faultOf(start())).message).toContain(
      `removed witness ${last + 1 - witnessWindow}`,
    );
  });

  test('a hole in a log is found at the open', async () => {
    await filled(20);
    await raw(db => db.del(keyOf(writer => writeLogKey(writer, 1, 1, 35))));
    expect((await faultOf(start())).message).toContain('entries 35 to 36 are missing');
  });

  test('a log that ends below the commit index is found at the open', async () => {
    await filled(20);
    await raw(db => db.del(keyOf(writer => writeLogKey(writer, 1, 1, 39))));
    expect((await faultOf(start())).message).toContain('commit 40 is after last 38');
  });

  test('a hard state that fell behind the log is found at the open', async () => {
    await filled(20);
    await overwrite(batch => {
      writeGroupKey(batch.key(), 'hard', 1);
      writeHard(batch.value('hard'), { term: 0, vote: 0, commit: 40 });
      batch.seal();
    });
    expect((await faultOf(start())).message).toContain('the log has term 1, the hard state 0');
  });

  test('a hard state without its group is found at the open', async () => {
    await filled(2);
    await raw(db => db.del(keyOf(writer => writeGroupKey(writer, 'descriptor', 1))));
    expect((await faultOf(start())).message).toContain('hard state of group 1');
  });

  test('a missing header, manifest or CURRENT is a fault, never an empty store', async () => {
    await filled(2);
    await raw(db => db.del(keyOf(writeHeaderKey)));
    expect((await faultOf(start())).message).toContain('header of the store is missing');
    await rename(join(directory, 'CURRENT'), join(root, 'CURRENT'));
    expect((await faultOf(start())).message).toContain('CURRENT is missing');
    await rename(join(root, 'CURRENT'), join(directory, 'CURRENT'));
    const [manifest = ''] = (await readdir(directory)).filter(name => name.startsWith('MANIFEST'));
    await rm(join(directory, manifest));
    expect((await faultOf(start())).code).toBe('storageFault');
  });
});

describe('housekeeping', () => {
  test('records of truncated entries that come back, as after a lost clearing, are not seen', async () => {
    await create();
    const { store } = await start();
    const entries = (from: number, to: number, term: number) =>
      Array.from({ length: to - from + 1 }, (_, place) => ({
        term,
        index: from + place,
        type: 0 as const,
        data: payloadOf(from + place),
      }));
    await write(store, [...firstBatch, { kind: 'entries', group: 1, entries: entries(1, 10, 1) }]);
    await stop(store);
    const key = keyOf(writer => writeLogKey(writer, 1, 1, 1));
    const stale = await raw(db => db.get(key));
    const { store: again } = await start();
    // The old tail, 8 to 10, is overwritten and cut off; then all of the first record is waste.
    await write(again, [
      { kind: 'hard', group: 1, hard: { term: 2, vote: 1, commit: 0 } },
      { kind: 'entries', group: 1, entries: entries(5, 7, 2) },
    ]);
    await write(again, [
      { kind: 'hard', group: 1, hard: { term: 2, vote: 1, commit: 7 } },
      { kind: 'state', group: 1, applied: 7, appliedTerm: 2, rows: [] },
    ]);
    await write(again, [{ kind: 'truncate', group: 1, index: 7, term: 2 }]);
    await stop(again);
    await raw(async db => {
      expect(await db.get(key)).toBeUndefined();
      await db.put(key, stale ?? new Uint8Array());
    });
    const { store: third, image } = await start();
    expect(image.groups[0]).toMatchObject({ firstIndex: 8, lastIndex: 7, truncatedTerm: 2 });
    await stop(third);
    expect(await raw(db => db.get(key))).toBeUndefined();
  });

  test('a truncated log without the record that it begins with is found at the open', async () => {
    await filled(20);
    await raw(db => db.del(keyOf(writer => writeLogKey(writer, 1, 1, 31))));
    expect((await faultOf(start())).message).toMatch(/entries 32 to 32 are missing|is gone/);
  });

  test('rows and log of a removed group leave the disk', async () => {
    await filled(20);
    const { store } = await start();
    await write(store, [{ kind: 'remove', group: 1, tombstone: 3 }]);
    await stop(store);
    const left = await raw(async db => [
      ...(await db.keys(lifeRange('log', 1, 1)).all()),
      ...(await db.keys(lifeRange('row', 1, 1)).all()),
    ]);
    expect(left).toEqual([]);
  });

  test('what a crash left of a removed group is cleared after the next open', async () => {
    await filled(5);
    const stray = keyOf(writer => writeRowKey(writer, 1, 7, Uint8Array.of(1)));
    const strayLog = keyOf(writer => writeLogKey(writer, 9, 1, 1));
    await raw(async db => {
      await db.put(stray, Uint8Array.of(1));
      await db.put(strayLog, Uint8Array.of(1));
    });
    const { store, image } = await start();
    expect(await countBatches(store, image)).toBe(5);
    await stop(store);
    expect(await raw(async db => [await db.get(stray), await db.get(strayLog)])).toEqual([
      undefined,
      undefined,
    ]);
  });

  test('a store half made by a crash is not a store, and making it again works', async () => {
    const half = new Level<Uint8Array, Uint8Array>(`${directory}.making`, {
      keyEncoding: 'view',
      valueEncoding: 'view',
    });
    await half.put(Uint8Array.of(9), Uint8Array.of(9));
    expect((await faultOf(create())).code).toBe('dataDirInUse');
    await half.close();
    expect((await faultOf(start())).code).toBe('dataDirEmpty');
    await create();
    expect((await start()).image.bootCount).toBe(1);
    await expect(stat(`${directory}.making`)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('closing waits for the write and the reads that are under way', async () => {
    await filled(200);
    const { store } = await start();
    let done = false;
    store.write(batchOf(201), () => (done = true));
    const reading = store.rows(1, everyRow);
    await stop(store);
    expect(done).toBe(true);
    expect((await reading).length).toBeGreaterThanOrEqual(200);
  });
});
