/**
 * The stored log of one group as the consensus core reads it: the newest entries from memory, older
 * ones from the store. What is truncated here is gone for the core at once, a batch before it is
 * gone from the disk.
 */

import { assert } from '../model/assert.ts';
import { LogOutline } from '../model/log-outline.ts';
import type { LogSize } from '../model/log-size.ts';
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

/** Entries of one group kept in memory, bytes. What is older is read from the store. */
const cacheBytesMax = 128 * 1024;

/** A stored log, as it is when this program begins with it. */
export interface StoredLog {
  readonly firstIndex: number;
  readonly lastIndex: number;
  /** Term of the entry before the first. */
  readonly truncatedTerm: number;
  /** Of whoever takes the log from here on. */
  readonly outline: LogOutline;
}

export class LogCache implements LogReader {
  /** What may be sent to a replica that needs more than the log has; nothing until it is set. */
  offer: (to: ReplicaId) => SnapshotMeta | 'unavailable' = () => 'unavailable';
  readonly #group: number;
  readonly #store: Store;
  readonly #initial: { hard: HardState; conf: ConfState };
  #firstIndex: number;
  #truncatedTerm: number;
  #lastIndex: number;
  #outline: LogOutline;
  /** Index of `#entries[0]`; `#lastIndex + 1` while nothing is cached. */
  #cachedFrom: number;
  #entries: Entry[] = [];
  #bytes = 0;

  constructor(options: {
    readonly group: number;
    readonly store: Store;
    readonly hard: HardState;
    readonly conf: ConfState;
    readonly stored: StoredLog;
  }) {
    const { stored } = options;
    this.#group = options.group;
    this.#store = options.store;
    this.#initial = { hard: options.hard, conf: options.conf };
    this.#firstIndex = stored.firstIndex;
    this.#truncatedTerm = stored.truncatedTerm;
    this.#lastIndex = stored.lastIndex;
    this.#outline = stored.outline;
    this.#cachedFrom = stored.lastIndex + 1;
  }

  /** Bytes of the entries from the first on. */
  get size(): LogSize {
    return this.#outline.size;
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
    return this.#outline.term(index) ?? 'unavailable';
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
    this.#outline.dropThrough(index);
    const drop = Math.min(this.#entries.length, index + 1 - this.#cachedFrom);
    if (drop > 0) this.#dropCached(drop);
    return { index, term };
  }

  /** The log begins behind a snapshot that is durable; nothing of what there was is left. */
  restart(index: number, term: number): void {
    this.#firstIndex = index + 1;
    this.#truncatedTerm = term;
    this.#lastIndex = index;
    this.#entries = [];
    this.#bytes = 0;
    this.#cachedFrom = index + 1;
    this.#outline = new LogOutline();
  }

  /** Takes entries that the store has made durable; they replace what is at and after the first. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    if (first.index <= this.#lastIndex) this.#cut(first.index);
    for (const entry of entries) {
      this.#entries.push(entry);
      this.#bytes += entryBytes(entry);
      this.#outline.add(entry.index, entry.term, entryBytes(entry));
    }
    this.#lastIndex = entries[entries.length - 1]!.index;
    this.#trim();
  }

  #cut(from: number): void {
    this.#outline.cutFrom(from);
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
