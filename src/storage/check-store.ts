/**
 * Looks through a store that no node has open, without changing what it holds (LevelDB begins a new
 * diary, LOG, when its lock is probed): tables are linked and the rest copied into a directory
 * beside it, and the database is opened there. Everything is read: the write-ahead logs and tables
 * as they lie on the disk, then what an open would load, the witnesses of lost batches, and the
 * checksum of every state row, which an open does not look at.
 */
import { copyFile, link, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TschedError } from '../model/errors.ts';
import type { GroupImage, StoreHeader } from '../ports/store.ts';
import { isLocked, StoreDamage } from './damage.ts';
import { assertUnlocked, openDatabase } from './data-dir.ts';
import { parseLifeKey, prefixes, prefixRange } from './keyspace.ts';
import { eachRecord, loadStore } from './level-loader.ts';
import type { Database } from './level-log.ts';
import { readMark } from './mark.ts';
import { decodeBody, readDescriptor, unseal, versions } from './record.ts';
import { scanTables } from './table-scan.ts';
import { scanWals, type WalVerdict } from './wal-scan.ts';
import { checkWitnesses } from './witness.ts';

/** Damaged rows that are named; the rest is counted. */
const namedMax = 20;

export interface CheckedGroup extends GroupImage {
  readonly logRecords: number;
  readonly rows: number;
  readonly rowBytes: number;
}

export interface StoreCheck {
  /** Another process has it open: nothing else was looked at. */
  readonly inUse: boolean;
  /** There is none. */
  readonly missing: boolean;
  readonly header?: (StoreHeader & { readonly bootCount: number }) | undefined;
  readonly groups: readonly CheckedGroup[];
  /** Those that can be read, also where the groups as a whole cannot. */
  readonly descriptors: readonly Uint8Array[];
  readonly tombstones: number;
  readonly batches: number;
  /** The first write-ahead log that is not clean. `torn` is the usual trace of a crash. */
  readonly wal?:
    | { readonly file: string; readonly verdict: WalVerdict; readonly offset: number }
    | undefined;
  /** Sentences, each about one thing that must not be. */
  readonly damage: readonly string[];
  /** Damaged rows beyond those that are named. */
  readonly moreDamage: number;
  /** Format of each kind of record that this program writes. */
  readonly formats: Readonly<Record<string, number>>;
}

const nothing = {
  groups: [],
  descriptors: [],
  tombstones: 0,
  batches: 0,
  damage: [],
  moreDamage: 0,
  formats: versions,
} as const;

/** Throws what the file system throws: for want of room, for example. */
export async function checkStore(directory: string): Promise<StoreCheck> {
  const names = await namesIn(directory);
  if (names.length === 0) return { ...nothing, inUse: false, missing: true };
  if (!names.includes('CURRENT')) {
    const damage = ['the file CURRENT is missing but files of a database are there'];
    return { ...nothing, inUse: false, missing: false, damage };
  }
  if (await isInUse(directory)) return { ...nothing, inUse: true, missing: false };
  const wal = await scanWals(directory);
  const damage: string[] = [];
  if (wal !== undefined && wal.finding.verdict !== 'torn') {
    const { verdict, offset } = wal.finding;
    damage.push(
      `${wal.file}: the write-ahead log is damaged at byte ${offset} (${verdict}); what was ` +
        'acknowledged after it is lost',
    );
  }
  damage.push(...(await scanTables(directory)));
  const marked = await markOf(directory, damage);
  const copy = `${directory}.check-${process.pid}`;
  try {
    await copyStore(directory, names, copy);
    const content = await checkCopy(copy, marked);
    return {
      ...nothing,
      inUse: false,
      missing: false,
      ...content,
      damage: [...damage, ...content.damage],
      wal: wal === undefined ? undefined : { file: wal.file, ...wal.finding },
    };
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

async function isInUse(directory: string): Promise<boolean> {
  try {
    await assertUnlocked(directory);
    return false;
  } catch (error) {
    if (isLocked(error)) return true;
    throw error;
  }
}

async function markOf(directory: string, damage: string[]): Promise<number> {
  try {
    return await readMark(directory);
  } catch (error) {
    if (!(error instanceof StoreDamage)) throw error;
    damage.push(error.message);
    return 0;
  }
}

/** Tables never change once written: a second name for one is as good as a copy. */
async function copyStore(from: string, names: readonly string[], to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await mkdir(to, { mode: 0o700 });
  for (const name of names) {
    if (name === 'LOCK' || name === 'LOG' || name === 'LOG.old') continue;
    const [source, target] = [join(from, name), join(to, name)];
    if (/\.(ldb|sst)$/.test(name)) await link(source, target);
    else await copyFile(source, target);
  }
}

type Content = Pick<
  StoreCheck,
  'header' | 'groups' | 'descriptors' | 'tombstones' | 'batches' | 'damage' | 'moreDamage'
>;

async function checkCopy(copy: string, marked: number): Promise<Content> {
  let db: Database;
  try {
    db = await openDatabase(copy, { create: false });
  } catch (error) {
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    const why = cause instanceof Error ? cause.message : String(cause);
    return { ...nothing, damage: [`LevelDB cannot open it: ${why.replaceAll(copy, 'store')}`] };
  }
  try {
    return await checkContent(db, marked);
  } finally {
    await db.close();
  }
}

export async function checkContent(db: Database, marked: number): Promise<Content> {
  const damage: string[] = [];
  let loaded: Awaited<ReturnType<typeof loadStore>> | undefined;
  let batches = 0;
  try {
    loaded = await loadStore(db);
    const { last, problem } = await checkWitnesses(db, loaded.header.witnessBase, marked);
    batches = last;
    if (problem !== undefined) damage.push(`${problem}: the disk lost them`);
  } catch (error) {
    damage.push(damageOf(error));
  }
  const rows = new Map<string, { rows: number; rowBytes: number }>();
  let moreDamage = 0;
  const badRow = (message: string): void => {
    if (damage.length < namedMax) damage.push(message);
    else moreDamage++;
  };
  try {
    await eachRecord(db, prefixRange(prefixes.row), (key, value) => {
      const life = parseLifeKey(key);
      const name = `${life?.group}.${life?.gen}`;
      const seen = rows.get(name) ?? { rows: 0, rowBytes: 0 };
      rows.set(name, {
        rows: seen.rows + 1,
        rowBytes: seen.rowBytes + key.length + value.length,
      });
      try {
        unseal('row', key, value);
      } catch (error) {
        badRow(damageOf(error));
      }
    });
  } catch (error) {
    badRow(damageOf(error));
  }
  const groups = (loaded?.groups ?? []).map(({ image, log }) => ({
    ...image,
    logRecords: log.starts.length,
    ...(rows.get(`${image.group}.${log.gen}`) ?? { rows: 0, rowBytes: 0 }),
  }));
  return {
    header: loaded?.header,
    groups,
    descriptors: await readableDescriptors(db),
    tombstones: loaded?.tombstones.size ?? 0,
    batches,
    damage,
    moreDamage,
  };
}

async function readableDescriptors(db: Database): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  try {
    await eachRecord(db, prefixRange(prefixes.descriptor), (key, value) => {
      try {
        found.push(
          decodeBody(key, unseal('descriptor', key, value), readDescriptor).descriptor.slice(),
        );
      } catch (error) {
        // Told already, as what is wrong with the group.
        if (!(error instanceof StoreDamage)) throw error;
      }
    });
  } catch (error) {
    // A table that LevelDB cannot read is told already as well: what came before it counts.
    if (!(error instanceof Error)) throw error;
  }
  return found;
}

/**
 * In a sentence, whatever LevelDB or this room throws about bytes that cannot be read. What a newer
 * program wrote is no damage, and whoever asked has to hear that.
 */
function damageOf(error: unknown): string {
  if (error instanceof TschedError) throw error;
  if (error instanceof StoreDamage) return error.message;
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  const more = cause instanceof Error ? `: ${cause.message}` : '';
  return `LevelDB cannot read it: ${error.message}${more}`;
}
