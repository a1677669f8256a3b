/**
 * The directory of the database as a whole: is there one, can one be made here, and how it is made
 * in one step, so that a crash in between leaves either no store or a complete one.
 */
import { mkdir, open, readdir, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Level } from 'level';
import { TschedError } from '../model/errors.ts';
import { isLocked, StoreDamage } from './damage.ts';
import type { Database } from './level-log.ts';

/**
 * Settings of LevelDB, and why.
 * - compression on: it is per database and cannot spare the log. Measured with 900,000 rows of 240
 *   bytes in synced batches: half the disk, the same CPU within noise, because compaction writes
 *   half as much; the write-ahead file is never compressed.
 * - write buffer 32 MiB: group commits write tens of MB/s in a burst; a small one compacts all day
 *   (16 MiB cost a sixth of the submits, 64 MiB gained nothing that could be measured). Two of them
 *   are in memory while one is written out. It bounds what has to be replayed at start too.
 * - blocks of 16 KiB: log records are tens of KB and read in order; a smaller index results.
 * - files of 16 MiB: a log of many GB stays below the limit of open files.
 */
const levelOptions = {
  keyEncoding: 'view',
  valueEncoding: 'view',
  compression: true,
  writeBufferSize: 32 * 1024 * 1024,
  blockSize: 16 * 1024,
  cacheSize: 16 * 1024 * 1024,
  maxFileSize: 16 * 1024 * 1024,
  maxOpenFiles: 1000,
} as const;

/** Opens the database in `directory`, which has to be there unless `create` is set. */
export async function openDatabase(
  directory: string,
  options: { create: boolean },
): Promise<Database> {
  const db: Database = new Level<Uint8Array, Uint8Array>(directory, {
    ...levelOptions,
    createIfMissing: options.create,
  });
  await db.open();
  return db;
}

/** Names in a directory; none where there is no directory. */
async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

/**
 * Throws `dataDirEmpty` where there is no database. A directory with tables but without the file
 * that names the current manifest is damaged: LevelDB would silently begin a new database in it.
 */
export async function assertDatabase(directory: string): Promise<void> {
  const names = await namesIn(directory);
  if (names.includes('CURRENT')) return;
  if (names.some(name => /^(MANIFEST-\d+|\d+\.(log|ldb|sst))$/.test(name))) {
    throw new StoreDamage('the file CURRENT is missing but the database is there');
  }
  throw new TschedError('dataDirEmpty', `there is no store in ${directory}`, { directory });
}

/**
 * Throws `LEVEL_LOCKED` where another handle has the database open. LevelDB takes its lock before
 * it looks whether there is a database, and refuses to go on where there is one.
 */
export async function assertUnlocked(directory: string): Promise<void> {
  const probe: Database = new Level<Uint8Array, Uint8Array>(directory, {
    createIfMissing: false,
    errorIfExists: true,
  });
  try {
    await probe.open();
  } catch (error) {
    if (isLocked(error)) throw error;
    return;
  }
  await probe.close();
}

/** Makes a database beside its place, fills it, and moves it there. */
export async function makeDatabase(
  directory: string,
  fill: (db: Database) => Promise<void>,
): Promise<void> {
  const taken = () =>
    new TschedError('dataDirTaken', `there is a store in ${directory} already`, { directory });
  if ((await namesIn(directory)).length > 0) throw taken();
  const parent = dirname(directory);
  await mkdir(parent, { recursive: true });
  const making = `${directory}.making`;
  // What a crash left here is emptied, not deleted: the lock in it keeps out a second maker.
  const db = await openDatabase(making, { create: true });
  try {
    await db.clear();
    await fill(db);
  } finally {
    await db.close();
  }
  await syncDirectory(making);
  try {
    await rename(making, directory);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOTEMPTY' || code === 'EEXIST') throw taken();
    throw error;
  }
  await syncDirectory(parent);
}

/** Makes the names in a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const file = await open(directory, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
