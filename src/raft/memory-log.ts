/**
 * A log in memory: an array and the index of its first slot. The driver's tail cache, the log of
 * simulations and tests. Reading never copies entries; compaction copies the references that stay,
 * and only once half of the array is dead.
 */
import { ensure } from './fatal.ts';
import type { LogReader } from './log-reader.ts';
import {
  type ConfState,
  countWithin,
  type Entry,
  type HardState,
  type Index,
  type SnapshotMeta,
  type Term,
} from './message.ts';

/** A membership without members, as a group has before its first snapshot. */
export const EMPTY_CONF: ConfState = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

/** What a `MemoryLog` starts from. Everything left out is empty. */
export interface MemoryLogState {
  hard?: HardState | undefined;
  conf?: ConfState | undefined;
  /** Last compacted entry. */
  truncated?: { readonly index: Index; readonly term: Term } | undefined;
  entries?: readonly Entry[] | undefined;
}

export class MemoryLog implements LogReader {
  #hard: HardState;
  #conf: ConfState;
  #truncatedIndex: Index;
  #truncatedTerm: Term;
  /** Slot `#dead` holds the entry at `#truncatedIndex + 1`. */
  #slots: Entry[] = [];
  #dead = 0;
  #snapshot: SnapshotMeta | undefined;

  constructor(state: MemoryLogState = {}) {
    this.#hard = state.hard ?? { term: 0, vote: 0, commit: 0 };
    this.#conf = state.conf ?? EMPTY_CONF;
    this.#truncatedIndex = state.truncated?.index ?? 0;
    this.#truncatedTerm = state.truncated?.term ?? 0;
    this.append(state.entries ?? []);
  }

  get hard(): HardState {
    return this.#hard;
  }

  initial(): { hard: HardState; conf: ConfState } {
    return { hard: this.#hard, conf: this.#conf };
  }

  firstIndex(): Index {
    return this.#truncatedIndex + 1;
  }

  lastIndex(): Index {
    return this.#truncatedIndex + this.#slots.length - this.#dead;
  }

  term(index: Index): Term | 'compacted' | 'unavailable' {
    if (index === this.#truncatedIndex) return this.#truncatedTerm;
    if (index < this.#truncatedIndex) return 'compacted';
    return this.#slots[index - this.#truncatedIndex - 1 + this.#dead]?.term ?? 'unavailable';
  }

  entries(lo: Index, hi: Index, maxBytes: number): readonly Entry[] | 'compacted' {
    if (lo <= this.#truncatedIndex) return 'compacted';
    ensure(hi <= this.lastIndex() + 1, `entries [${lo},${hi}) end after ${this.lastIndex()}`);
    const shift = this.#dead - this.#truncatedIndex - 1;
    const range = this.#slots.slice(lo + shift, hi + shift);
    const count = countWithin(range, maxBytes);
    if (count < range.length) range.length = count;
    return range;
  }

  snapshotMeta(): SnapshotMeta | 'unavailable' {
    return this.#snapshot ?? 'unavailable';
  }

  setHard(hard: HardState): void {
    this.#hard = hard;
  }

  /** Says which snapshot `snapshotMeta` offers; its index must not be below the compacted part. */
  offerSnapshot(meta: SnapshotMeta): void {
    this.#snapshot = meta;
  }

  /**
   * Adds entries. What is stored at or after the first one's index is dropped; entries that are
   * compacted already are skipped; a gap is refused.
   */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    ensure(
      first.index <= this.lastIndex() + 1,
      `append at ${first.index} leaves a gap after ${this.lastIndex()}`,
    );
    let skip = this.#truncatedIndex + 1 - first.index;
    if (skip < 0) skip = 0;
    const start = first.index + skip;
    if (skip >= entries.length) return;
    this.#slots.length = start - this.#truncatedIndex - 1 + this.#dead;
    for (let position = skip; position < entries.length; position++) {
      this.#slots.push(entries[position]!);
    }
  }

  /** Drops everything up to and including `index`, which must be stored. */
  compact(index: Index): void {
    if (index <= this.#truncatedIndex) return;
    const term = this.term(index);
    ensure(typeof term === 'number', `compaction to ${index}, after ${this.lastIndex()}`);
    this.#dead += index - this.#truncatedIndex;
    this.#truncatedIndex = index;
    this.#truncatedTerm = term;
    if (this.#dead * 2 >= this.#slots.length) {
      this.#slots = this.#slots.slice(this.#dead);
      this.#dead = 0;
    }
  }

  /** Replaces the whole log by a snapshot. One at or below the stored snapshot is ignored. */
  applySnapshot(meta: SnapshotMeta): void {
    if (this.#snapshot !== undefined && meta.index <= this.#snapshot.index) return;
    this.#snapshot = meta;
    this.#conf = meta.conf;
    this.#slots = [];
    this.#dead = 0;
    this.#truncatedIndex = meta.index;
    this.#truncatedTerm = meta.term;
  }
}
