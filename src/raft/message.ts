/**
 * What replicas of one group say to each other and keep on disk: entries, hard state, membership,
 * snapshot descriptions and messages. Plain data; entries are immutable once appended and are
 * shared by reference between the log, messages and the driver, never copied.
 *
 * All indexes, terms and ids are safe integers; 0 means "none".
 */

/** A replica's id inside its group. Allocated once, never used twice. 0 is nobody. */
export type ReplicaId = number;
/** Raft's logical clock. Grows by elections only. */
export type Term = number;
/** Position in the log, counted from 1. */
export type Index = number;

/** Nobody: the absence of a leader, vote or transferee. */
export const NONE: ReplicaId = 0;

/** Normal command; configuration change with one operation (v1); configuration change (v2). */
export type EntryType = 0 | 1 | 2;
export const ENTRY_NORMAL = 0;
export const ENTRY_CONF_V2 = 2;

/** One slot of the log. Never changed after it was appended. */
export interface Entry {
  readonly term: Term;
  readonly index: Index;
  readonly type: EntryType;
  readonly data: Uint8Array;
}

/** What must be durable before any promise leaves the process. */
export interface HardState {
  readonly term: Term;
  readonly vote: ReplicaId;
  readonly commit: Index;
}

/**
 * Who decides and who listens. Joint while `votersOutgoing` is not empty: then both majorities
 * must agree. `learnersNext` are outgoing voters that become learners when the joint phase ends.
 */
export interface ConfState {
  readonly voters: readonly ReplicaId[];
  readonly votersOutgoing: readonly ReplicaId[];
  readonly learners: readonly ReplicaId[];
  readonly learnersNext: readonly ReplicaId[];
  readonly autoLeave: boolean;
}

/** Describes a snapshot; its bytes travel outside Raft. `conf` is the membership as of `index`. */
export interface SnapshotMeta {
  readonly index: Index;
  readonly term: Term;
  readonly conf: ConfState;
}

/** One operation on the membership. */
export interface ConfOperation {
  readonly kind: 'addVoter' | 'addLearner' | 'remove' | 'update';
  readonly id: ReplicaId;
}

/**
 * A proposed change of the membership.
 * `auto`: joint only if more than one operation is listed; `implicit`: joint, left by itself;
 * `explicit`: joint, left by an empty `auto` change. An empty `auto` change leaves the joint phase.
 */
export interface ConfChange {
  readonly transition: 'auto' | 'implicit' | 'explicit';
  readonly changes: readonly ConfOperation[];
  readonly context: Uint8Array;
}

export type MsgType =
  | 'MsgApp'
  | 'MsgAppResp'
  | 'MsgVote'
  | 'MsgVoteResp'
  | 'MsgPreVote'
  | 'MsgPreVoteResp'
  | 'MsgHeartbeat'
  | 'MsgHeartbeatResp'
  | 'MsgSnap'
  | 'MsgTimeoutNow';

/**
 * A message between two replicas. Every message has every field, so that all have one hidden class;
 * what a type does not use is 0, false, empty or undefined.
 */
export interface Message {
  type: MsgType;
  to: ReplicaId;
  from: ReplicaId;
  /** The sender's term; for a granted pre-vote and its request the term that is asked for. */
  term: Term;
  /** Term of the entry at `index` (requests) or of `rejectHint` (rejected appends). */
  logTerm: Term;
  /** MsgApp: entry before `entries`. MsgAppResp: last entry that matches, or the refused one. */
  index: Index;
  commit: Index;
  entries: readonly Entry[];
  reject: boolean;
  rejectHint: Index;
  /** Heartbeats and their replies: highest read counter that a reply confirms; 0 for none. */
  readCtr: number;
  /** Vote requests: on behalf of a leader that hands over, so leases do not stand in the way. */
  transfer: boolean;
  snapshot: SnapshotMeta | undefined;
}

const NO_ENTRIES: readonly Entry[] = Object.freeze([]);

/** A message with all fields that are not named set to "none". */
export function newMessage(
  type: MsgType,
  from: ReplicaId,
  to: ReplicaId,
  term: Term,
  index: Index = 0,
  logTerm: Term = 0,
): Message {
  return {
    type,
    to,
    from,
    term,
    logTerm,
    index,
    commit: 0,
    entries: NO_ENTRIES,
    reject: false,
    rejectHint: 0,
    readCtr: 0,
    transfer: false,
    snapshot: undefined,
  };
}

/** Whether the message answers one of ours, so that it means nothing from an unknown replica. */
export function isReply(type: MsgType): boolean {
  return (
    type === 'MsgAppResp' ||
    type === 'MsgHeartbeatResp' ||
    type === 'MsgVoteResp' ||
    type === 'MsgPreVoteResp'
  );
}

/** Bytes charged for an entry's position, term and type, on top of its data. */
export const ENTRY_OVERHEAD_BYTES = 16;

/** What one entry counts for against the limits of messages and apply batches, in bytes. */
export function entryBytes(entry: Entry): number {
  return entry.data.length + ENTRY_OVERHEAD_BYTES;
}

/** Bytes of data in `entries`, without overhead. */
export function payloadBytes(entries: readonly Entry[]): number {
  let total = 0;
  for (const entry of entries) total += entry.data.length;
  return total;
}

/**
 * How many of the leading `entries` fit into `maxBytes`. At least one if there is any: a limit
 * below the size of an entry must not stop the log.
 */
export function countWithin(entries: readonly Entry[], maxBytes: number): number {
  let bytes = 0;
  let count = 0;
  for (const entry of entries) {
    bytes += entryBytes(entry);
    if (count > 0 && bytes > maxBytes) break;
    count++;
  }
  return count;
}
