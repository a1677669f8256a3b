/**
 * The log of one group in the database: how an append becomes operations of a batch, and how
 * entries are read back. The first index of every record is in memory, so that both need no
 * iterator.
 */
import type { Level } from 'level';
import { assert } from '../model/assert.ts';
import { type Entry, entryBytes } from '../raft/message.ts';
import type { BatchBuffer } from './batch-buffer.ts';
import { StoreDamage } from './damage.ts';
import { keyOf, writeLogKey } from './keyspace.ts';
import { runEnd, visitRun, writeRun } from './log-record.ts';
import { decoding, unseal } from './record.ts';

export type Database = Level<Uint8Array, Uint8Array>;

/** Where a group's log records are, and which life of the group they belong to. */
export interface LogIndex {
  readonly gen: number;
  /**
   * First index of each log record, ascending; those of the batch in flight included. The first one
   * may hold entries that are truncated.
   */
  readonly starts: number[];
}

/** Drops the records that hold nothing beyond `index`; answers where the first one left starts. */
export function dropRecords(log: LogIndex, index: number): number {
  const position = positionOf(log.starts, index + 1);
  if (position < 0) return index + 1;
  log.starts.splice(0, position);
  return log.starts[0]!;
}

/** Adds the records of an append to a batch, and the removal of those that it makes stale. */
export function encodeAppend(
  batch: BatchBuffer,
  group: number,
  log: LogIndex,
  entries: readonly Entry[],
): void {
  const head = entries[0];
  if (head === undefined) return;
  const { gen, starts } = log;
  const at = head.index;
  while (starts.length > 0 && starts.at(-1)! >= at) {
    // ORDER: removals of stale records come before the puts, one of which may have the same key.
    writeLogKey(batch.key(), group, gen, starts.pop()!);
    batch.remove();
  }
  for (let position = 0; position < entries.length; ) {
    const end = runEnd(entries, position);
    const first = at + position;
    writeLogKey(batch.key(), group, gen, first);
    writeRun(batch.value('log'), entries, position, end);
    batch.seal();
    starts.push(first);
    position = end;
  }
}

/** Position of the record that holds `index`: the last one that starts at or before it. */
function positionOf(starts: readonly number[], index: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (starts[middle]! <= index) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Entries `lo <= index < hi`, all durable; at least one, then as many as `maxBytes` allows. */
export function readEntries(
  db: Database,
  group: number,
  log: LogIndex,
  range: { lo: number; hi: number; maxBytes: number },
): Entry[] {
  const { lo, hi, maxBytes } = range;
  const found: Entry[] = [];
  let wanted = lo;
  let bytes = 0;
  let full = false;
  for (let position = positionOf(log.starts, lo); wanted < hi && !full; position++) {
    const first = log.starts[position];
    assert(first !== undefined, `group ${group}: a record holds index ${wanted}`);
    const end = Math.min(hi, log.starts[position + 1] ?? hi);
    const key = keyOf(writer => writeLogKey(writer, group, log.gen, first));
    const value = db.getSync(key);
    if (value === undefined) throw new StoreDamage(`group ${group}: log record ${first} is gone`);
    const body = unseal('log', key, value);
    const visit = (index: number, term: number, type: Entry['type'], data: Uint8Array): boolean => {
      if (index < wanted) return true;
      if (index >= end) return false;
      const entry = { term, index, type, data };
      bytes += entryBytes(entry);
      full = found.length > 0 && bytes > maxBytes;
      if (full) return false;
      found.push(entry);
      wanted = index + 1;
      return wanted < end;
    };
    decoding(key, () => visitRun(body, first, visit));
    if (!full && wanted < end) {
      throw new StoreDamage(`group ${group}: log record ${first} ends before index ${end - 1}`);
    }
  }
  return found;
}
