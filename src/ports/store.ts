/**
 * The durable store of one node: logs, hard states and state rows of all its groups (DESIGN 6).
 *
 * Contract
 * - `write` is one atomic, synced batch; batches are issued one at a time, in order: a second call
 *   before the first is done is a bug. `done()` means that it survives a power cut.
 * - Any failure, there or in a read, is fatal: `onFault` is called once, `done` is not, and the
 *   process has to end; the same handle is never written again.
 * - Every value carries a checksum that is verified when it is read.
 * - Reads during operation (`row`, `entries`) are synchronous and see everything that is done.
 */
import type { LogOutline } from '../model/log-outline.ts';
import type { Entry, HardState } from '../raft/message.ts';

/** Written once when the store is made. */
export interface StoreHeader {
  readonly clusterId: string;
  readonly nodeId: string;
  /** Random, made with the store: a wiped disk comes back as another store. */
  readonly storeId: string;
}

export type StoreOp =
  /** What this replica is: opaque to the store (replica id, members, configuration). */
  | { readonly kind: 'descriptor'; readonly group: number; readonly value: Uint8Array }
  | { readonly kind: 'hard'; readonly group: number; readonly hard: HardState }
  /**
   * Appends; entries of the same and higher indices that were there before are gone. Contiguous.
   */
  | { readonly kind: 'entries'; readonly group: number; readonly entries: readonly Entry[] }
  /** State rows and the index they stand for, always together. A missing value deletes. */
  | {
      readonly kind: 'state';
      readonly group: number;
      readonly applied: number;
      readonly appliedTerm: number;
      readonly rows: readonly (readonly [key: Uint8Array, value: Uint8Array | undefined])[];
    }
  /**
   * Entries up to `index`, whose term is `term`, are gone: at most the applied index. The first
   * index moves with the batch, the space comes back some time later.
   */
  | {
      readonly kind: 'truncate';
      readonly group: number;
      readonly index: number;
      readonly term: number;
    }
  /**
   * Rows of a snapshot that is being received. They stand beside the state and are seen by
   * `stagedRows` alone; what is staged and not installed is gone with the next open.
   */
  | { readonly kind: 'stage'; readonly group: number; readonly rows: readonly Row[] }
  /** Drops what is staged; nothing where nothing is. */
  | { readonly kind: 'unstage'; readonly group: number }
  /**
   * What is staged becomes the state of the group as of entry `index`, in one step: the rows, the
   * applied index, the descriptor, and an empty log that begins behind it. The batch brings a hard
   * state with a commit index of at least `index` where the stored one is below.
   */
  | {
      readonly kind: 'install';
      readonly group: number;
      readonly index: number;
      readonly term: number;
      readonly descriptor: Uint8Array;
    }
  /** Forgets the group but leaves a tombstone: replica ids up to this one never act again here. */
  | { readonly kind: 'remove'; readonly group: number; readonly tombstone: number }
  /** A small record of the node itself, for example the shard map it last saw. */
  | { readonly kind: 'meta'; readonly key: string; readonly value: Uint8Array };

/** What a group looked like at the last durable batch. */
export interface GroupImage {
  readonly group: number;
  readonly descriptor: Uint8Array;
  readonly hard: HardState;
  readonly firstIndex: number;
  readonly lastIndex: number;
  /** Term of the entry before `firstIndex`; 0 where the log begins at index 1. */
  readonly truncatedTerm: number;
  readonly applied: number;
  readonly appliedTerm: number;
  /** Of its log, which was read. Of whoever takes the log from here on, who may change it. */
  readonly outline: LogOutline;
}

export interface StoreImage {
  readonly header: StoreHeader;
  /** Grows by one, synced, with every open. */
  readonly bootCount: number;
  readonly groups: readonly GroupImage[];
  /** Tombstones of removed groups: group to highest dead replica id. */
  readonly tombstones: ReadonlyMap<number, number>;
  readonly meta: ReadonlyMap<string, Uint8Array>;
}

export type Row = readonly [key: Uint8Array, value: Uint8Array];

/** Rows of one group in key order, as they stood when the reading began. */
export interface RowReading {
  /** The next rows: at least one, then up to about `maxBytes`; none at the end. */
  next(maxBytes: number): Promise<Row[]>;
  /** Gives up what the reading holds; twice does no harm. */
  close(): Promise<void>;
}

/** The whole state of a group at one durable batch, whatever is written meanwhile. */
export interface GroupReading extends RowReading {
  readonly descriptor: Uint8Array;
  readonly applied: number;
  readonly appliedTerm: number;
}

export interface Store {
  /** Opens and checks; throws `TschedError` (`dataDirInUse`, `storageFault`, `dataDirEmpty`). */
  open(onFault: (error: Error) => void): Promise<StoreImage>;
  write(ops: readonly StoreOp[], done: () => void): void;
  /** Value of a state row, or `undefined`. */
  row(group: number, key: Uint8Array): Uint8Array | undefined;
  /** Rows with `from <= key < to` in key order, or from the end with `reverse`; at most `limit`. */
  rows(
    group: number,
    range: { from: Uint8Array; to: Uint8Array; limit: number; reverse?: boolean | undefined },
  ): Promise<Row[]>;
  /**
   * A consistent reading of a group that exists. It has to be closed: until then the disk keeps
   * what it reads. Rejections of its methods are faults of the store.
   */
  readGroup(group: number): GroupReading;
  /** The rows that are staged for a group, those that are durable. */
  stagedRows(group: number): RowReading;
  /** Log entries `lo <= index < hi`, at least one, stopping once `maxBytes` are reached. */
  entries(group: number, lo: number, hi: number, maxBytes: number): Entry[];
  close(): Promise<void>;
}

/** Makes a new, empty store; throws `dataDirTaken` where there is one already. */
export interface StoreMaker {
  create(header: StoreHeader): Promise<void>;
}
