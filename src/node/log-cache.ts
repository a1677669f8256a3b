/**
 * The stored log of one group as the consensus core reads it: the newest entries from memory, older
 * ones from the store. Terms are kept as runs, so that any term is known without a read: a log has
 * as many runs as it has had leaders. What is truncated here is gone for the core at once, a batch
 * before it is gone from the disk.
 */

import { assert } from '../model/assert.ts';
import type { Store } from '../ports/store.ts';
import type { LogReader } from '../raft/log-reader.ts';
import {
  type ConfState,
  countWithin,
  type Entry,
  entryBytes,
  type HardState,
  type ReplicaId,
  type SnapshotMeta,
} from '../raft/message.ts';
import { LogSize } from './log-size.ts';

/** Entries of one group kept in memory, bytes. What is older is read from the store. */
const cacheBytesMax = 128 * 1024;

interface TermRun {
  readonly first: number;
  readonly term: number;
}

/** What is known of a stored log without its entries. */
export interface LogOutline {
  readonly firstIndex: number;
  readonly lastIndex: number;
  /** Term of the entry before the first. */
  readonly truncatedTerm: number;
  readonly runs: readonly TermRun[];
  readonly size: LogSize;
}

export class LogCache implements LogReader {
  /** Bytes of the entries from the first on. */
  size: LogSize;
  /** What may be sent to a replica that needs more than the log has; nothing until it is set. */
  offer: (to: ReplicaId) => SnapshotMeta | 'unavailable' = () => 'unavailable';
  readonly #group: number;
  readonly #store: Store;
  readonly #initial: { hard: HardState; conf: ConfState };
  #firstIndex: number;
  #truncatedTerm: number;
  #lastIndex: number;
  /** Ascending by first index. */
  #runs: TermRun[];
  /** Index of `#entries[0]`; `#lastIndex + 1` while nothing is cached. */
  #cachedFrom: number;
  #entries: Entry[] = [];
  #bytes = 0;

  constructor(options: {
    readonly group: number;
    readonly store: Store;
    readonly hard: HardState;
    readonly conf: ConfState;
    readonly outline: LogOutline;
  }) {
    const { outline } = options;
    this.#group = options.group;
    this.#store = options.store;
    this.#initial = { hard: options.hard, conf: options.conf };
    this.#firstIndex = outline.firstIndex;
    this.#truncatedTerm = outline.truncatedTerm;
    this.#lastIndex = outline.lastIndex;
    this.#runs = [...outline.runs];
    this.#cachedFrom = outline.lastIndex + 1;
    this.size = outline.size;
  }

  initial(): { readonly hard: HardState; readonly conf: ConfState } {
    return this.#initial;
  }

  firstIndex(): number {
    return this.#firstIndex;
  }

  lastIndex(): number {
    return this.#lastIndex;
  }

  term(index: number): number | 'compacted' | 'unavailable' {
    if (index === this.#firstIndex - 1) return this.#truncatedTerm;
    if (index < this.#firstIndex) return 'compacted';
    if (index > this.#lastIndex) return 'unavailable';
    for (let position = this.#runs.length - 1; position >= 0; position--) {
      const run = this.#runs[position]!;
      if (run.first <= index) return run.term;
    }
    return 'unavailable';
  }

  entries(lo: number, hi: number, maxBytes: number): readonly Entry[] | 'compacted' {
    if (lo < this.#firstIndex) return 'compacted';
    if (lo >= this.#cachedFrom) {
      const from = lo - this.#cachedFrom;
      const slice = this.#entries.slice(from, hi - this.#cachedFrom);
      return slice.slice(0, countWithin(slice, maxBytes));
    }
    return this.#store.entries(this.#group, lo, Math.min(hi, this.#lastIndex + 1), maxBytes);
  }

  snapshotMeta(to: ReplicaId): SnapshotMeta | 'unavailable' {
    return this.offer(to);
  }

  /** Entries up to `index` are gone. The store has to hear of it with the next batch. */
  truncate(index: number): { readonly index: number; readonly term: number } {
    const term = this.term(index);
    assert(typeof term === 'number', `truncation of group ${this.#group} to ${index}`);
    this.#firstIndex = index + 1;
    this.#truncatedTerm = term;
    while (this.#runs.length > 1 && this.#runs[1]!.first <= index + 1) this.#runs.shift();
    this.size.dropThrough(index);
    const drop = Math.min(this.#entries.length, index + 1 - this.#cachedFrom);
    if (drop > 0) this.#dropCached(drop);
    return { index, term };
  }

  /** The log begins behind a snapshot that is durable; nothing of what there was is left. */
  restart(index: number, term: number): void {
    this.#firstIndex = index + 1;
    this.#truncatedTerm = term;
    this.#lastIndex = index;
    this.#runs = [];
    this.#entries = [];
    this.#bytes = 0;
    this.#cachedFrom = index + 1;
    this.size = new LogSize();
  }

  /** Takes entries that the store has made durable; they replace what is at and after the first. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    if (first.index <= this.#lastIndex) this.#cut(first.index);
    for (const entry of entries) {
      const last = this.#runs[this.#runs.length - 1];
      if (last === undefined || last.term !== entry.term) {
        this.#runs.push({ first: entry.index, term: entry.term });
      }
      this.#entries.push(entry);
      this.#bytes += entryBytes(entry);
      this.size.add(entry.index, entryBytes(entry));
    }
    this.#lastIndex = entries[entries.length - 1]!.index;
    this.#trim();
  }

  #cut(from: number): void {
    while (this.#runs.length > 0 && this.#runs[this.#runs.length - 1]!.first >= from) {
      this.#runs.pop();
    }
    this.size.cutFrom(from);
    const keep = Math.max(0, from - this.#cachedFrom);
    for (const entry of this.#entries.slice(keep)) this.#bytes -= entryBytes(entry);
    this.#entries.length = Math.min(this.#entries.length, keep);
    this.#lastIndex = from - 1;
    if (this.#entries.length === 0) this.#cachedFrom = from;
  }

  #trim(): void {
    if (this.#bytes <= cacheBytesMax) return;
    let drop = 0;
    let bytes = this.#bytes;
    // Down to half, so that the array is not shifted for every entry.
    while (bytes > cacheBytesMax / 2 && drop < this.#entries.length - 1) {
      bytes -= entryBytes(this.#entries[drop]!);
      drop++;
    }
    this.#dropCached(drop);
  }

  #dropCached(count: number): void {
    for (const entry of this.#entries.splice(0, count)) this.#bytes -= entryBytes(entry);
    this.#cachedFrom += count;
  }
}

/** Reads a stored log once, at start. */
export function readOutline(
  store: Store,
  group: number,
  bounds: Pick<LogOutline, 'firstIndex' | 'lastIndex' | 'truncatedTerm'>,
): LogOutline {
  const runs: TermRun[] = [];
  const size = new LogSize();
  const { lastIndex } = bounds;
  let index = bounds.firstIndex;
  while (index <= lastIndex) {
    for (const entry of store.entries(group, index, lastIndex + 1, 1024 * 1024)) {
      const last = runs[runs.length - 1];
      if (last === undefined || last.term !== entry.term) {
        runs.push({ first: entry.index, term: entry.term });
      }
      size.add(entry.index, entryBytes(entry));
      index = entry.index + 1;
    }
  }
  const { firstIndex, truncatedTerm } = bounds;
  return { firstIndex, lastIndex, truncatedTerm, runs, size };
}
