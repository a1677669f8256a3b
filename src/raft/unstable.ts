/**
 * The end of the log that is not known to be durable here: entries (and at most one snapshot) that
 * the core has accepted, part of which the driver may be writing right now.
 *
 * Invariants: entry at `offset + i` is `entries[i]`; offset <= offsetInProgress; what lies below
 * `offsetInProgress` was handed to the driver.
 */
import { ensure } from './fatal.ts';
import type { Entry, Index, SnapshotMeta, Term } from './message.ts';

export class Unstable {
  #entries: Entry[] = [];
  #offset: Index;
  #offsetInProgress: Index;
  #snapshot: SnapshotMeta | undefined;
  #snapshotInProgress = false;

  constructor(offset: Index) {
    this.#offset = offset;
    this.#offsetInProgress = offset;
  }

  /** First index that is not durable. */
  get offset(): Index {
    return this.#offset;
  }

  get snapshot(): SnapshotMeta | undefined {
    return this.#snapshot;
  }

  get hasEntries(): boolean {
    return this.#entries.length > 0;
  }

  /** Last index if it is decided here: by an entry, else by the snapshot. */
  lastIndex(): Index | undefined {
    const count = this.#entries.length;
    return count > 0 ? this.#offset + count - 1 : this.#snapshot?.index;
  }

  term(index: Index): Term | undefined {
    if (index < this.#offset) {
      return this.#snapshot?.index === index ? this.#snapshot.term : undefined;
    }
    return this.#entries[index - this.#offset]?.term;
  }

  get hasNewEntries(): boolean {
    return this.#offsetInProgress < this.#offset + this.#entries.length;
  }

  /** Entries that the driver has not been given. */
  newEntries(): Entry[] {
    return this.hasNewEntries ? this.#entries.slice(this.#offsetInProgress - this.#offset) : [];
  }

  /** The snapshot, if the driver has not been given it. */
  newSnapshot(): SnapshotMeta | undefined {
    return this.#snapshotInProgress ? undefined : this.#snapshot;
  }

  /** Everything here is now with the driver. */
  acceptInProgress(): void {
    this.#offsetInProgress = this.#offset + this.#entries.length;
    if (this.#snapshot !== undefined) this.#snapshotInProgress = true;
  }

  /**
   * Entries up to `index` are durable, provided that the entry there is still the one of `term`:
   * it may have been replaced while it was being written.
   */
  stableTo(index: Index, term: Term): void {
    if (index < this.#offset || this.term(index) !== term) return;
    this.#entries = this.#entries.slice(index + 1 - this.#offset);
    this.#offset = index + 1;
    this.#offsetInProgress = Math.max(this.#offsetInProgress, this.#offset);
  }

  stableSnapshotTo(index: Index): void {
    if (this.#snapshot?.index !== index) return;
    this.#snapshot = undefined;
    this.#snapshotInProgress = false;
  }

  /** Starts over from a received snapshot. */
  restore(snapshot: SnapshotMeta): void {
    this.#entries = [];
    this.#offset = snapshot.index + 1;
    this.#offsetInProgress = this.#offset;
    this.#snapshot = snapshot;
    this.#snapshotInProgress = false;
  }

  /** Adds entries, dropping whatever was at or after the first one's index. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    const at = first.index - this.#offset;
    ensure(at <= this.#entries.length, `append at ${first.index} leaves a gap in the log`);
    if (at <= 0) {
      this.#entries = entries.slice();
      this.#offset = first.index;
      this.#offsetInProgress = first.index;
      return;
    }
    // Arrays handed out are copies, so this one may be cut and extended in place.
    this.#entries.length = at;
    for (const entry of entries) this.#entries.push(entry);
    this.#offsetInProgress = Math.min(this.#offsetInProgress, first.index);
  }

  /** Entries `lo` up to, not including, `hi`; both within what is held here. */
  slice(lo: Index, hi: Index): Entry[] {
    ensure(
      lo >= this.#offset && lo <= hi && hi <= this.#offset + this.#entries.length,
      `entries [${lo},${hi}) outside the unstable log from ${this.#offset}`,
    );
    return this.#entries.slice(lo - this.#offset, hi - this.#offset);
  }
}
