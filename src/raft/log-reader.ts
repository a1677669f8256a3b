/**
 * What the core reads of its group's stored log. Synchronous: the driver backs it with a cache in
 * memory (`MemoryLog`) or with synchronous reads. It shows what the driver was handed by `ready()`
 * and has stored; entries that are handed out but not stored yet the core keeps itself.
 */
import type {
  ConfState,
  Entry,
  HardState,
  Index,
  ReplicaId,
  SnapshotMeta,
  Term,
} from './message.ts';

export interface LogReader {
  /** State as of start. `hard.commit` may be behind what was committed, never ahead of the log. */
  initial(): { readonly hard: HardState; readonly conf: ConfState };
  /** First index that `entries` can give: one after the compacted part. 1 for an empty log. */
  firstIndex(): Index;
  /** Last stored index; `firstIndex() - 1` if no entry is stored. */
  lastIndex(): Index;
  /** Term of the entry at `index`; also known for `firstIndex() - 1`. */
  term(index: Index): Term | 'compacted' | 'unavailable';
  /**
   * Entries `lo` up to, not including, `hi`, cut after `maxBytes` (see `countWithin`) but never
   * empty. `fetching`: not in memory, being loaded; the driver then calls `entriesReady`.
   */
  entries(lo: Index, hi: Index, maxBytes: number): readonly Entry[] | 'compacted' | 'fetching';
  /**
   * The newest snapshot that can be sent to `to`, or `unavailable` for now: it is asked again at
   * that replica's next sign of life.
   */
  snapshotMeta(to: ReplicaId): SnapshotMeta | 'unavailable';
}
