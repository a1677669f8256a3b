/**
 * The stored log of one group as the consensus core reads it: the newest entries from memory, older
 * ones from the store. Terms are kept as runs, so that any term is known without a read: a log of a
 * million entries has as many runs as it has had leaders.
 */

import type { Store } from '../ports/store.ts';
import type { LogReader } from '../raft/log-reader.ts';
import {
  type ConfState,
  countWithin,
  type Entry,
  entryBytes,
  type HardState,
  type SnapshotMeta,
} from '../raft/message.ts';

/** Entries of one group kept in memory, bytes. What is older is read from the store. */
const cacheBytesMax = 128 * 1024;

interface TermRun {
  readonly first: number;
  readonly term: number;
}

export class LogCache implements LogReader {
  readonly #group: number;
  readonly #store: Store;
  readonly #initial: { hard: HardState; conf: ConfState };
  #lastIndex: number;
  /** Ascending by first index; the log starts at index 1. */
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
    readonly lastIndex: number;
    readonly runs: readonly TermRun[];
  }) {
    this.#group = options.group;
    this.#store = options.store;
    this.#initial = { hard: options.hard, conf: options.conf };
    this.#lastIndex = options.lastIndex;
    this.#runs = [...options.runs];
    this.#cachedFrom = options.lastIndex + 1;
  }

  initial(): { readonly hard: HardState; readonly conf: ConfState } {
    return this.#initial;
  }

  firstIndex(): number {
    return 1;
  }

  lastIndex(): number {
    return this.#lastIndex;
  }

  term(index: number): number | 'compacted' | 'unavailable' {
    if (index === 0) return 0;
    if (index > this.#lastIndex) return 'unavailable';
    for (let position = this.#runs.length - 1; position >= 0; position--) {
      const run = this.#runs[position]!;
      if (run.first <= index) return run.term;
    }
    return 'unavailable';
  }

  entries(lo: number, hi: number, maxBytes: number): readonly Entry[] {
    if (lo >= this.#cachedFrom) {
      const from = lo - this.#cachedFrom;
      const slice = this.#entries.slice(from, hi - this.#cachedFrom);
      return slice.slice(0, countWithin(slice, maxBytes));
    }
    return this.#store.entries(this.#group, lo, Math.min(hi, this.#lastIndex + 1), maxBytes);
  }

  snapshotMeta(): SnapshotMeta | 'unavailable' {
    return 'unavailable';
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
    }
    this.#lastIndex = entries[entries.length - 1]!.index;
    this.#trim();
  }

  #cut(from: number): void {
    while (this.#runs.length > 0 && this.#runs[this.#runs.length - 1]!.first >= from) {
      this.#runs.pop();
    }
    const keep = Math.max(0, from - this.#cachedFrom);
    for (const entry of this.#entries.slice(keep)) this.#bytes -= entryBytes(entry);
    this.#entries.length = Math.min(this.#entries.length, keep);
    this.#lastIndex = from - 1;
    if (this.#entries.length === 0) this.#cachedFrom = from;
  }

  #trim(): void {
    if (this.#bytes <= cacheBytesMax) return;
    let drop = 0;
    // Down to half, so that the array is not shifted for every entry.
    while (this.#bytes > cacheBytesMax / 2 && drop < this.#entries.length - 1) {
      this.#bytes -= entryBytes(this.#entries[drop]!);
      drop++;
    }
    this.#entries.splice(0, drop);
    this.#cachedFrom += drop;
  }
}

/** Term runs of a stored log, read once at start. */
export function readTermRuns(store: Store, group: number, lastIndex: number): TermRun[] {
  const runs: TermRun[] = [];
  let index = 1;
  while (index <= lastIndex) {
    for (const entry of store.entries(group, index, lastIndex + 1, 1024 * 1024)) {
      const last = runs[runs.length - 1];
      if (last === undefined || last.term !== entry.term) {
        runs.push({ first: entry.index, term: entry.term });
      }
      index = entry.index + 1;
    }
  }
  return runs;
}
