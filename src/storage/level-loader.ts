/**
 * Reads a whole database when it is opened, and checks that its parts agree: every small record and
 * every log record is read and its checksum verified; each group's log has to be contiguous with
 * terms that do not fall, and to agree with its hard state and applied index. State rows are
 * checked when they are read. Nothing is repaired here: damage is thrown (Alagappan et al.,
 * "Protocol-aware recovery", FAST 2018: cutting a damaged log can lose what was committed).
 *
 * What was not cleared before the process ended is given back as `leftovers`: lives that no
 * descriptor stands for (removed groups, snapshots that were never installed), and records of
 * truncated entries.
 */

import { LogOutline } from '../model/log-outline.ts';
import type { GroupImage } from '../ports/store.ts';
import { type Entry, entryBytes } from '../raft/message.ts';
import { StoreDamage } from './damage.ts';
import {
  describeKey,
  type KeyRange,
  keyOf,
  lifeRange,
  logRange,
  parseGroupKey,
  parseLifeKey,
  parseLogFirst,
  parseMetaKey,
  prefixes,
  prefixRange,
  writeHeaderKey,
} from './keyspace.ts';
import { GroupLedger } from './ledger.ts';
import type { Database, LogIndex } from './level-log.ts';
import { visitRun } from './log-record.ts';
import {
  decodeBody,
  decoding,
  type RecordKind,
  readApplied,
  readDescriptor,
  readHard,
  readHeader,
  readTombstone,
  readTruncation,
  type StoredDescriptor,
  type StoredHeader,
  type StoredTombstone,
  type StoredTruncation,
  unseal,
} from './record.ts';

export interface LoadedStore {
  readonly header: StoredHeader;
  readonly groups: readonly { image: GroupImage; ledger: GroupLedger; log: LogIndex }[];
  readonly tombstones: Map<number, StoredTombstone>;
  readonly meta: Map<string, Uint8Array>;
  readonly leftovers: readonly KeyRange[];
  /** Highest generation of each group that has keys or may have some. */
  readonly newestGens: ReadonlyMap<number, number>;
}

const pageSize = 1000;
const pageBytes = 1024 * 1024;

async function readHeaderRecord(db: Database): Promise<StoredHeader> {
  const key = keyOf(writeHeaderKey);
  const value = await db.get(key);
  if (value === undefined) throw new StoreDamage('the header of the store is missing');
  return decodeBody(key, unseal('header', key, value), readHeader);
}

/** Loads and checks everything but the state rows. */
export async function loadStore(db: Database): Promise<LoadedStore> {
  const header = await readHeaderRecord(db);
  const descriptors = new Map<number, StoredDescriptor>();
  await eachBody(db, 'descriptor', (key, body) => {
    // Copied: the view would keep the whole page that it was read with.
    const stored = decodeBody(key, body.slice(), readDescriptor);
    descriptors.set(groupOf(key), stored);
  });
  const ledgers = new Map<number, GroupLedger>();
  for (const group of descriptors.keys()) ledgers.set(group, new GroupLedger(group));
  const ledgerOf = (key: Uint8Array): GroupLedger => {
    const ledger = ledgers.get(groupOf(key));
    if (ledger === undefined) throw new StoreDamage(`${describeKey(key)}: it has no descriptor`);
    return ledger;
  };
  await eachBody(db, 'hard', (key, body) => {
    ledgerOf(key).hard = decodeBody(key, body, readHard);
  });
  await eachBody(db, 'applied', (key, body) => {
    const { applied, appliedTerm } = decodeBody(key, body, readApplied);
    Object.assign(ledgerOf(key), { applied, appliedTerm });
  });
  const truncations = new Map<number, StoredTruncation>();
  await eachBody(db, 'truncated', (key, body) => {
    const stored = decodeBody(key, body, readTruncation);
    const ledger = ledgerOf(key);
    ledger.first = stored.index + 1;
    ledger.last = stored.index;
    ledger.truncatedTerm = stored.term;
    ledger.lastTerm = stored.term;
    truncations.set(ledger.group, stored);
  });
  const tombstones = new Map<number, StoredTombstone>();
  await eachBody(db, 'tombstone', (key, body) => {
    tombstones.set(groupOf(key), decodeBody(key, body, readTombstone));
  });
  const meta = new Map<string, Uint8Array>();
  await eachBody(db, 'meta', (key, body) => {
    meta.set(parseMetaKey(key), body.slice());
  });
  const groups: LoadedStore['groups'][number][] = [];
  const leftovers: KeyRange[] = [];
  for (const [group, { gen, descriptor }] of descriptors) {
    const ledger = ledgers.get(group)!;
    const truncation = truncations.get(group);
    const { starts, outline } = await loadLog(db, ledger, gen, truncation);
    const log = { gen, starts };
    if (truncation !== undefined) leftovers.push(logRange(group, gen, 0, truncation.from));
    const contradiction = ledger.contradiction();
    if (contradiction !== undefined) throw new StoreDamage(contradiction);
    groups.push({ image: imageOf(ledger, descriptor, outline), ledger, log });
  }
  const newestGens = new Map<number, number>();
  const note = (group: number, gen: number): void => {
    newestGens.set(group, Math.max(gen, newestGens.get(group) ?? 0));
  };
  for (const known of [descriptors, tombstones]) {
    for (const [group, { gen }] of known) note(group, gen);
  }
  for (const { prefix, group, gen } of await findDeadLives(db, descriptors)) {
    note(group, gen);
    leftovers.push(lifeRange(prefix, group, gen));
  }
  return { header, groups, tombstones, meta, leftovers, newestGens };
}

function imageOf(ledger: GroupLedger, descriptor: Uint8Array, outline: LogOutline): GroupImage {
  return {
    group: ledger.group,
    descriptor,
    hard: ledger.hard,
    firstIndex: ledger.first,
    lastIndex: ledger.last,
    truncatedTerm: ledger.truncatedTerm,
    applied: ledger.applied,
    appliedTerm: ledger.appliedTerm,
    outline,
  };
}

function groupOf(key: Uint8Array): number {
  const group = parseGroupKey(key);
  if (group === undefined) throw new StoreDamage(`${describeKey(key)}: not a key of this program`);
  return group;
}

async function eachBody(
  db: Database,
  kind: RecordKind,
  visit: (key: Uint8Array, body: Uint8Array) => void,
): Promise<void> {
  await eachRecord(db, prefixRange(prefixes[kind]), (key, value) => {
    visit(key, unseal(kind, key, value));
  });
}

/** Visits every record of a range in order. */
export async function eachRecord(
  db: Database,
  range: { gte: Uint8Array; lt: Uint8Array },
  visit: (key: Uint8Array, value: Uint8Array) => void,
): Promise<void> {
  const iterator = db.iterator({ ...range, highWaterMarkBytes: pageBytes });
  try {
    for (;;) {
      const page = await iterator.nextv(pageSize);
      if (page.length === 0) return;
      for (const [key, value] of page) visit(key, value);
    }
  } finally {
    await iterator.close();
  }
}

/** Walks the log of one group into its ledger; answers where its records start, and its outline. */
async function loadLog(
  db: Database,
  ledger: GroupLedger,
  gen: number,
  truncation: StoredTruncation | undefined,
): Promise<{ readonly starts: number[]; readonly outline: LogOutline }> {
  const starts: number[] = [];
  const outline = new LogOutline();
  let previous: Uint8Array = new Uint8Array();
  const from = truncation?.from ?? 1;
  await eachRecord(db, logRange(ledger.group, gen, from), (key, value) => {
    const first = parseLogFirst(key);
    if (first === undefined) throw new StoreDamage(`${describeKey(key)}: not a key of a log`);
    if (first > ledger.last + 1 || (starts.length === 0 && first !== from)) {
      throw new StoreDamage(
        `${describeKey(key)}: entries ${ledger.last + 1} to ${first - 1} are missing`,
      );
    }
    const body = unseal('log', key, value);
    // The rest of a run that was overwritten.
    if (first <= ledger.last) outline.cutFrom(first);
    const run = walkRun(key, body, first, entry => {
      if (entry.index < ledger.first) return;
      outline.add(entry.index, entry.term, entryBytes(entry));
    });
    const before = starts.at(-1);
    if (first < ledger.first) {
      // The record that the truncation cut through: it has to know the last entry that is gone.
      if (run.last < ledger.last || termAt(body, first, ledger.last) !== ledger.truncatedTerm) {
        throw new StoreDamage(`${describeKey(key)}: it does not hold entry ${ledger.last}`);
      }
    } else {
      const termBefore =
        before === undefined || first === ledger.last + 1
          ? ledger.lastTerm
          : termAt(previous, before, first - 1);
      if (run.baseTerm < termBefore) {
        throw new StoreDamage(`${describeKey(key)}: term ${run.baseTerm} after term ${termBefore}`);
      }
    }
    starts.push(first);
    previous = body;
    ledger.last = run.last;
    ledger.lastTerm = run.lastTerm;
  });
  if (starts.length === 0 && from < ledger.first) {
    throw new StoreDamage(`the log of group ${ledger.group}: the record at index ${from} is gone`);
  }
  ledger.settle();
  return { starts, outline };
}

/** Decodes a whole run: its bounds and terms. Damage where it does not decode or is empty. */
function walkRun(
  key: Uint8Array,
  body: Uint8Array,
  first: number,
  see: (entry: Entry) => void,
): { baseTerm: number; last: number; lastTerm: number } {
  let last = first - 1;
  let lastTerm = 0;
  const { baseTerm } = decoding(key, () =>
    visitRun(body, first, (index, term, type, data) => {
      last = index;
      lastTerm = term;
      see({ index, term, type, data });
      return true;
    }),
  );
  if (last < first) throw new StoreDamage(`${describeKey(key)}: it holds no entries`);
  return { baseTerm, last, lastTerm };
}

/** Term of the entry at `index` in a run that was walked before. */
function termAt(body: Uint8Array, first: number, index: number): number {
  let found = 0;
  visitRun(body, first, (at, term) => {
    found = term;
    return at < index;
  });
  return found;
}

interface DeadLife {
  readonly prefix: 'log' | 'row';
  readonly group: number;
  readonly gen: number;
}

/** Lives in `06` and `10` that no descriptor stands for. Costs a seek per group, not a scan. */
async function findDeadLives(
  db: Database,
  descriptors: ReadonlyMap<number, StoredDescriptor>,
): Promise<DeadLife[]> {
  const found: DeadLife[] = [];
  for (const prefix of ['log', 'row'] as const) {
    const iterator = db.keys(prefixRange(prefixes[prefix]));
    try {
      for (;;) {
        const key = await iterator.next();
        if (key === undefined) break;
        const life = parseLifeKey(key);
        if (life === undefined) throw new StoreDamage(`${describeKey(key)}: the key is too short`);
        const { group, gen } = life;
        if (descriptors.get(group)?.gen !== gen) found.push({ prefix, group, gen });
        iterator.seek(lifeRange(prefix, group, gen).lt);
      }
    } finally {
      await iterator.close();
    }
  }
  return found;
}
