/**
 * The replica's log as the algorithm sees it: what the driver has stored, followed by what is not
 * durable yet, and how far it is committed, handed out for applying, and applied.
 *
 * Invariants: applied <= applying <= committed <= lastIndex.
 */
import { ensure, LogLost, RaftFatal } from './fatal.ts';
import type { LogReader } from './log-reader.ts';
import {
  countWithin,
  ENTRY_OVERHEAD_BYTES,
  type Entry,
  entryBytes,
  type Index,
  type ReplicaId,
  type SnapshotMeta,
  type Term,
} from './message.ts';
import { Unstable } from './unstable.ts';

/** Why a range of the log could not be read now. */
export type LogMiss = 'compacted' | 'fetching';

export class RaftLog {
  readonly #reader: LogReader;
  readonly unstable: Unstable;
  readonly #maxApplyBytes: number;
  #committed: Index;
  #applying: Index;
  #applied: Index;
  /** Bytes handed out for applying and not yet applied. */
  #applyBytes = 0;
  /** The last batch was cut by the quota, or the quota is used up: wait for `appliedTo`. */
  #applyPaused = false;
  /** The reader is loading the next committed entries. */
  #applyFetching = false;

  constructor(reader: LogReader, maxApplyBytes: number) {
    this.#reader = reader;
    this.#maxApplyBytes = maxApplyBytes;
    this.unstable = new Unstable(reader.lastIndex() + 1);
    const start = reader.firstIndex() - 1;
    this.#committed = start;
    this.#applying = start;
    this.#applied = start;
  }

  get committed(): Index {
    return this.#committed;
  }

  get applying(): Index {
    return this.#applying;
  }

  get applied(): Index {
    return this.#applied;
  }

  firstIndex(): Index {
    const snapshot = this.unstable.snapshot;
    return snapshot === undefined ? this.#reader.firstIndex() : snapshot.index + 1;
  }

  lastIndex(): Index {
    return this.unstable.lastIndex() ?? this.#reader.lastIndex();
  }

  /** Last index that is durable here. */
  stableIndex(): Index {
    return this.unstable.offset - 1;
  }

  term(index: Index): Term | 'compacted' | 'unavailable' {
    const term = this.unstable.term(index);
    if (term !== undefined) return term;
    if (index + 1 < this.firstIndex()) return 'compacted';
    return index > this.lastIndex() ? 'unavailable' : this.#reader.term(index);
  }

  lastTerm(): Term {
    const index = this.lastIndex();
    const term = this.term(index);
    if (typeof term !== 'number') throw new RaftFatal(`term of last entry ${index} is ${term}`);
    return term;
  }

  matches(index: Index, term: Term): boolean {
    return this.term(index) === term;
  }

  /** Whether a log that ends with (`term`, `index`) holds at least what ours does (section 3.6). */
  isUpToDate(index: Index, term: Term): boolean {
    const ours = this.lastTerm();
    return term > ours || (term === ours && index >= this.lastIndex());
  }

  /** Appends; the first entry must not replace a committed one. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    ensure(
      first.index > this.#committed,
      `append at ${first.index} would replace committed entries up to ${this.#committed}`,
    );
    this.unstable.append(entries);
  }

  /**
   * A follower's append after entry (`index`, `term`), which must match. Skips what is here
   * already, so that an old message never shortens the log. Returns the last index that now
   * matches, undefined if the previous entry does not.
   */
  appendAfter(
    index: Index,
    term: Term,
    entries: readonly Entry[],
    commit: Index,
  ): Index | undefined {
    if (!this.matches(index, term)) return undefined;
    const lastNew = index + entries.length;
    const from = entries.findIndex(entry => !this.matches(entry.index, entry.term));
    if (from >= 0) {
      const conflict = entries[from]!.index;
      ensure(
        conflict > this.#committed,
        `entry ${conflict} conflicts with a committed one (committed ${this.#committed}): ` +
          'two leaders, or a log that lost acknowledged entries',
      );
      this.append(from === 0 ? entries : entries.slice(from));
    }
    this.commitTo(Math.min(commit, lastNew));
    return lastNew;
  }

  /**
   * Largest index at or below `index` whose term is at most `term`: where the logs can agree at the
   * latest. Skips a whole term per probe. Term 0 if it is unknown.
   */
  findConflictByTerm(index: Index, term: Term): { index: Index; term: Term } {
    for (let at = index; at > 0; at--) {
      const ours = this.term(at);
      if (typeof ours !== 'number') return { index: at, term: 0 };
      if (ours <= term) return { index: at, term: ours };
    }
    return { index: 0, term: 0 };
  }

  commitTo(index: Index): void {
    if (index <= this.#committed) return;
    const last = this.lastIndex();
    if (index > last) {
      throw new LogLost(
        `log lost: told that ${index} is committed, but the log ends at ${last}. This replica ` +
          'acknowledged entries that it no longer has (disk wiped or restored from a copy?)',
      );
    }
    this.#committed = index;
  }

  /** Commits `index` if its entry is of `term`: older terms commit only by implication (3.6.2). */
  commitOwnTerm(index: Index, term: Term): boolean {
    if (index <= this.#committed || !this.matches(index, term)) return false;
    this.commitTo(index);
    return true;
  }

  /** Takes over a stored commit index at start. */
  loadCommitted(index: Index): void {
    if (index > this.lastIndex()) {
      throw new LogLost(
        `log lost: stored commit index ${index} is beyond the log's end ${this.lastIndex()}`,
      );
    }
    ensure(
      index >= this.#committed,
      `stored commit index ${index} is below the compacted part, ${this.#committed}`,
    );
    this.#committed = index;
  }

  /** `bytes`: data of the newly applied entries. Frees apply quota. */
  appliedTo(index: Index, bytes: number): void {
    ensure(
      index >= this.#applied && index <= this.#committed,
      `applied ${index}, after ${this.#applied} with ${this.#committed} committed`,
    );
    const freed = bytes + (index - this.#applied) * ENTRY_OVERHEAD_BYTES;
    this.#applied = index;
    this.#applying = Math.max(this.#applying, index);
    const caughtUp = this.#applied === this.#applying;
    this.#applyBytes = caughtUp ? 0 : Math.max(0, this.#applyBytes - freed);
    this.#applyPaused = this.#applyBytes >= this.#maxApplyBytes;
  }

  #maxAppliable(allowUnstable: boolean): Index {
    return allowUnstable ? this.#committed : Math.min(this.#committed, this.unstable.offset - 1);
  }

  hasCommitted(allowUnstable: boolean): boolean {
    if (this.#applyPaused || this.#applyFetching || this.unstable.snapshot !== undefined) {
      return false;
    }
    return this.#applying < this.#maxAppliable(allowUnstable);
  }

  /** Hands out the next committed entries, within the apply quota; each only once. */
  takeCommitted(allowUnstable: boolean): readonly Entry[] {
    if (!this.hasCommitted(allowUnstable)) return [];
    const limit = this.#maxAppliable(allowUnstable);
    const room = this.#maxApplyBytes - this.#applyBytes;
    const entries = this.slice(this.#applying + 1, limit + 1, room);
    if (entries === 'fetching') {
      this.#applyFetching = true;
      return [];
    }
    if (typeof entries === 'string') {
      throw new RaftFatal(`committed entry ${this.#applying + 1} was compacted before it applied`);
    }
    this.#applying += entries.length;
    for (const entry of entries) this.#applyBytes += entryBytes(entry);
    this.#applyPaused = this.#applyBytes >= this.#maxApplyBytes || this.#applying < limit;
    return entries;
  }

  /** The reader has loaded what `takeCommitted` could not get. */
  resumeApplying(): void {
    this.#applyFetching = false;
  }

  /** Entries from `index` to the end, cut after `maxBytes`. */
  entriesFrom(index: Index, maxBytes: number): readonly Entry[] | LogMiss {
    const last = this.lastIndex();
    return index > last ? [] : this.slice(index, last + 1, maxBytes);
  }

  /** Entries `lo` up to, not including, `hi`, cut after `maxBytes`, at least one. */
  slice(lo: Index, hi: Index, maxBytes: number): readonly Entry[] | LogMiss {
    if (lo < this.firstIndex()) return 'compacted';
    ensure(
      lo <= hi && hi <= this.lastIndex() + 1,
      `entries [${lo},${hi}) outside [${this.firstIndex()},${this.lastIndex()}]`,
    );
    const offset = this.unstable.offset;
    if (lo >= offset) return cut(this.unstable.slice(lo, hi), maxBytes);
    const middle = Math.min(hi, offset);
    const stored = this.#reader.entries(lo, middle, maxBytes);
    if (typeof stored === 'string') return stored;
    ensure(stored.length > 0, `the reader gave nothing for [${lo},${middle})`);
    if (hi <= offset || stored.length < middle - lo) return stored;
    return cut([...stored, ...this.unstable.slice(offset, hi)], maxBytes);
  }

  /** Whether a configuration change is committed and not applied; true if that cannot be told. */
  hasUnappliedConf(): boolean {
    let at = this.#applied + 1;
    while (at <= this.#committed) {
      const page = this.slice(at, this.#committed + 1, this.#maxApplyBytes);
      if (typeof page === 'string') return true;
      if (page.some(entry => entry.type !== 0)) return true;
      at += page.length;
    }
    return false;
  }

  snapshotMeta(to: ReplicaId): SnapshotMeta | 'unavailable' {
    return this.unstable.snapshot ?? this.#reader.snapshotMeta(to);
  }

  /** Starts over from a received snapshot, which is committed by definition. */
  restore(snapshot: SnapshotMeta): void {
    this.unstable.restore(snapshot);
    this.#committed = snapshot.index;
  }

  /** The snapshot is durable and its state is in place: it counts as applied. */
  snapshotStored(index: Index): void {
    this.unstable.stableSnapshotTo(index);
  }
}

function cut(entries: Entry[], maxBytes: number): Entry[] {
  const count = countWithin(entries, maxBytes);
  if (count < entries.length) entries.length = count;
  return entries;
}
