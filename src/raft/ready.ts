/**
 * What the core hands to its driver, and what it answers. `Ready` is work; each piece is handed out
 * exactly once.
 */
import type {
  ConfState,
  Entry,
  HardState,
  Index,
  Message,
  ReplicaId,
  SnapshotMeta,
  Term,
} from './message.ts';
import type { FlowState } from './progress.ts';
import type { ReadState } from './read-index.ts';

export type Role = 'follower' | 'preCandidate' | 'candidate' | 'leader';

/** State that needs no disk. */
export interface SoftState {
  readonly lead: ReplicaId;
  readonly state: Role;
}

/**
 * Receipt for one `persist`. The driver gives it back, unread and in order, when the batch is
 * durable. Carries what the core promised itself for that moment.
 */
export interface PersistToken {
  readonly seq: number;
  /** The term in which it was handed out: in a later term the entries may have been replaced. */
  readonly term: Term;
  /** Last entry that is durable with it; 0 if it says nothing about entries. */
  readonly index: Index;
  readonly logTerm: Term;
  /** Snapshot that is durable with it; 0 for none. */
  readonly snapshotIndex: Index;
  /** Messages that wait for it, own acknowledgements among them, in order. */
  readonly responses: readonly Message[];
}

/**
 * To be made durable as a whole, after all earlier ones: `snapshot` (replaces the log) first, then
 * `entries` (replace whatever is stored at or after the first one's index), and `hard`. May be
 * empty but for the token: then it is a barrier that waits for the earlier ones only.
 */
export interface Persist {
  readonly hard?: HardState | undefined;
  readonly entries: readonly Entry[];
  readonly snapshot?: SnapshotMeta | undefined;
  /**
   * False if nothing in it is promised to anybody (a commit index, or nothing at all). Then the
   * receipt may be given back at once if no earlier one is out, and `hard` be stored with the next
   * write: a crash in between only forgets how far the log is committed. State that is applied
   * beyond the stored commit index must not be stored without it.
   */
  readonly mustSync: boolean;
  readonly token: PersistToken;
}

export interface Ready {
  /** Only when changed. */
  readonly soft?: SoftState | undefined;
  readonly persist?: Persist | undefined;
  /** May leave at once, before anything is durable. */
  readonly msgs: readonly Message[];
  /** Promises: may leave once `persist` of this and of all earlier Readys is durable. */
  readonly msgsAfterPersist: readonly Message[];
  /** To be applied in order: committed, and durable here. */
  readonly committed: readonly Entry[];
  /** Reads that may be served once their index is applied. */
  readonly reads: readonly ReadState[];
  /** Reads that will never be confirmed, because leadership ended. */
  readonly readsLost: readonly number[];
}

/**
 * ok: taken in. ignored: out of date, or not for us. peerNotFound: an answer from an unknown
 * replica. localMsg: claims to come from this replica.
 */
export type StepResult = 'ok' | 'ignored' | 'peerNotFound' | 'localMsg';

/**
 * notLeader: ask `lead` (0 if unknown). transferring: leadership is being handed over. busy: too
 * much is uncommitted. removed: this leader is no member any more. confPending: the previous change
 * is not applied yet, or the joint phase has not ended. confInvalid: impossible on this membership.
 */
export type ProposeRefusal =
  | 'notLeader'
  | 'transferring'
  | 'busy'
  | 'removed'
  | 'confPending'
  | 'confInvalid';

export type ProposeResult =
  | { readonly ok: true; readonly first: Index; readonly term: Term }
  | { readonly ok: false; readonly why: ProposeRefusal; readonly lead: ReplicaId };

export type ReadIndexResult =
  | { readonly ok: true; readonly ctr: number }
  | { readonly ok: false; readonly why: 'notLeader' };

/** One replica's progress, as the leader sees it. */
export interface ProgressStatus {
  readonly id: ReplicaId;
  readonly state: FlowState;
  readonly match: Index;
  readonly next: Index;
  readonly learner: boolean;
  readonly paused: boolean;
  readonly recentActive: boolean;
  readonly pendingSnapshot: Index;
  readonly inflight: number;
  readonly inflightFull: boolean;
}

export interface Status {
  readonly id: ReplicaId;
  readonly role: Role;
  readonly lead: ReplicaId;
  readonly hard: HardState;
  readonly applied: Index;
  readonly firstIndex: Index;
  readonly lastIndex: Index;
  readonly conf: ConfState;
  readonly transferee: ReplicaId;
  /** Empty unless leader. */
  readonly progress: readonly ProgressStatus[];
}
