/**
 * The state of one replica and the transitions between its roles. The rules that drive them are
 * grouped by subject beside this file (`election`, `leader`, `replication`, `follower`,
 * `conf-change`, `reads`); `step` dispatches, `core` is the front.
 */
import { checkConfig, type RaftConfig } from './config.ts';
import { ensure, RaftFatal } from './fatal.ts';
import { confFault, sortedConf } from './membership.ts';
import {
  type ConfState,
  type Entry,
  type EntryType,
  type HardState,
  type Index,
  type Message,
  NONE,
  newMessage,
  type ReplicaId,
  type Term,
} from './message.ts';
import { ProgressSet } from './progress.ts';
import { Ballot, jointCommitted } from './quorum.ts';
import { RaftLog } from './raft-log.ts';
import { type ReadState, ReadTracker } from './read-index.ts';
import type { Role } from './ready.ts';

/** An entry before it has a term and an index. */
export interface Draft {
  readonly type: EntryType;
  readonly data: Uint8Array;
}

const EMPTY = new Uint8Array(0);
const NO_OP: Draft = { type: 0, data: EMPTY };

export class Replica {
  readonly id: ReplicaId;
  readonly config: RaftConfig;
  readonly log: RaftLog;
  readonly peers: ProgressSet;
  readonly ballot = new Ballot();
  readonly reads = new ReadTracker();
  term: Term = 0;
  vote: ReplicaId = NONE;
  lead: ReplicaId = NONE;
  role: Role = 'follower';
  conf: ConfState;
  electionElapsed = 0;
  /** Added to the election timeout of a replica that had better not lead. */
  extraTicks = 0;
  heartbeatElapsed = 0;
  /** This term's drawn election timeout, in ticks. */
  electionTimeout = 0;
  /** Whom leadership is being handed to. */
  transferee: ReplicaId = NONE;
  /** Index of the last configuration change in the log, as far as a leader has to assume one. */
  pendingConfIndex: Index = 0;
  uncommittedBytes = 0;
  /** Leader: index of this term's first entry. */
  termStart: Index = 0;
  msgs: Message[] = [];
  /** Promises: they leave, or count, when everything accepted so far is durable. */
  msgsAfterPersist: Message[] = [];
  readStates: ReadState[] = [];

  constructor(config: RaftConfig) {
    checkConfig(config);
    this.config = config;
    this.id = config.id;
    this.log = new RaftLog(config.storage, config.maxApplyBytes);
    this.peers = new ProgressSet(config.maxInflightMsgs, config.maxInflightBytes);
    const { hard, conf } = config.storage.initial();
    this.conf = sortedConf(conf);
    const fault = confFault(conf);
    ensure(fault === undefined, `stored membership is broken: ${fault}`);
    this.peers.reconcile(this.conf, [], this.log.lastIndex());
    if (hard.term !== 0 || hard.vote !== NONE || hard.commit !== 0) {
      this.log.loadCommitted(hard.commit);
      this.term = hard.term;
      this.vote = hard.vote;
    }
    if (config.applied > 0) this.log.appliedTo(config.applied, 0);
    this.becomeFollower(this.term, NONE);
  }

  get hard(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.committed };
  }

  /** Queues a message that promises nothing about this replica's disk. */
  send(message: Message): void {
    ensure(message.to !== this.id, `${message.type} addressed to its sender`);
    this.msgs.push(message);
  }

  /** Queues a promise: it leaves (or, addressed to us, counts) when all accepted is durable. */
  sendAfterPersist(message: Message): void {
    this.msgsAfterPersist.push(message);
  }

  /** Takes what is queued. The arrays are the caller's: nothing is added to them any more. */
  takeQueues(): { msgs: Message[]; responses: Message[]; readStates: ReadState[] } {
    const taken = {
      msgs: this.msgs,
      responses: this.msgsAfterPersist,
      readStates: this.readStates,
    };
    this.msgs = [];
    this.msgsAfterPersist = [];
    this.readStates = [];
    return taken;
  }

  /** Whether this replica may start an election: a voter whose state is in place. */
  get promotable(): boolean {
    const progress = this.peers.get(this.id);
    return progress !== undefined && !progress.learner && this.log.unstable.snapshot === undefined;
  }

  /** Leader: whether an entry of this term is committed, so that `committed` is up to date. */
  get committedInTerm(): boolean {
    return this.role === 'leader' && this.log.committed >= this.termStart;
  }

  #reset(term: Term): void {
    if (this.term !== term) {
      this.term = term;
      this.vote = NONE;
    }
    this.lead = NONE;
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    this.drawElectionTimeout();
    this.transferee = NONE;
    this.ballot.clear();
    const last = this.log.lastIndex();
    for (const progress of this.peers.all) {
      progress.reset(last + 1);
      if (progress.id === this.id) progress.match = last;
    }
    this.pendingConfIndex = 0;
    this.uncommittedBytes = 0;
    this.reads.reset();
  }

  drawElectionTimeout(): void {
    const { electionTick, rng } = this.config;
    this.electionTimeout = electionTick + (rng() % electionTick);
  }

  becomeFollower(term: Term, lead: ReplicaId): void {
    ensure(term >= this.term, `term would fall from ${this.term} to ${term}`);
    this.#reset(term);
    this.lead = lead;
    this.role = 'follower';
  }

  becomeCandidate(): void {
    ensure(this.role !== 'leader', 'a leader cannot become candidate');
    this.#reset(this.term + 1);
    this.vote = this.id;
    this.role = 'candidate';
  }

  /** Neither term nor vote change: a pre-vote must leave no trace (thesis 9.6). */
  becomePreCandidate(): void {
    ensure(this.role !== 'leader', 'a leader cannot become pre-candidate');
    this.ballot.clear();
    this.lead = NONE;
    this.role = 'preCandidate';
  }

  /** Appends the empty entry that lets this term commit (section 5.4.2). */
  becomeLeader(): void {
    ensure(this.role !== 'follower', 'a follower cannot become leader without an election');
    this.#reset(this.term);
    this.lead = this.id;
    this.role = 'leader';
    const own = this.peers.get(this.id);
    if (own === undefined) throw new RaftFatal('elected a replica that is no member');
    own.becomeReplicate();
    own.recentActive = true;
    // A change of an earlier term may still be in the log: assume that there is one.
    this.pendingConfIndex = this.log.lastIndex();
    this.termStart = this.log.lastIndex() + 1;
    ensure(this.appendDrafts([NO_OP]), 'the first entry of a term was refused');
  }

  /**
   * Gives the drafts terms and indexes and appends them; false, and nothing done, if too much is
   * uncommitted. The own acknowledgement is queued until they are durable.
   */
  appendDrafts(drafts: readonly Draft[]): boolean {
    let bytes = 0;
    for (const draft of drafts) bytes += draft.data.length;
    // Empty entries always pass: a term's first entry and the end of a joint phase must not wait.
    const over = this.uncommittedBytes + bytes > this.config.maxUncommittedBytes;
    if (over && bytes > 0 && this.uncommittedBytes > 0) return false;
    this.uncommittedBytes += bytes;
    let index = this.log.lastIndex();
    const entries: Entry[] = [];
    for (const { type, data } of drafts) {
      entries.push({ term: this.term, index: ++index, type, data });
    }
    this.log.append(entries);
    this.sendAfterPersist(newMessage('MsgAppResp', this.id, this.id, this.term, index));
    return true;
  }

  /** Applied data makes room for proposals; with nothing left to apply, all of it. */
  releaseUncommitted(bytes: number): void {
    const idle = this.log.applied === this.log.lastIndex();
    this.uncommittedBytes = idle ? 0 : Math.max(0, this.uncommittedBytes - bytes);
  }

  /** Commits what a quorum has; true if the commit index moved. */
  tryCommit(): boolean {
    const index = jointCommitted(this.conf.voters, this.conf.votersOutgoing, this.peers);
    return Number.isFinite(index) && this.log.commitOwnTerm(index, this.term);
  }
}
