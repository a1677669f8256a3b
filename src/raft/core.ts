/**
 * The front of the Raft core: one replica of one group as a pure state machine. Messages, ticks and
 * requests go in; `ready()` hands out work: state to store, messages to send, entries to apply.
 * Nothing here waits, reads a clock or touches a disk.
 *
 * The driver's duties (DESIGN.md): store every `persist` completely and in order, then call
 * `persisted`; hold back `msgsAfterPersist` until then; apply `committed` in order, calling
 * `applyConf` for every configuration entry, then `appliedTo`.
 */
import { applyConf } from './conf-change.ts';
import type { RaftConfig } from './config.ts';
import { campaign, tickElection } from './election.ts';
import { ensure } from './fatal.ts';
import {
  maybeLeaveJoint,
  propose,
  proposeConf,
  reportSnapshot,
  reportUnreachable,
  tickLeader,
  transferLeader,
} from './leader.ts';
import {
  type ConfChange,
  type ConfState,
  ENTRY_CONF_V2,
  type Entry,
  type HardState,
  type Index,
  isReply,
  type Message,
  NONE,
  type ReplicaId,
  type SnapshotMeta,
  type Term,
} from './message.ts';
import { startRead } from './reads.ts';
import type {
  Persist,
  PersistToken,
  ProposeResult,
  ReadIndexResult,
  Ready,
  Role,
  SoftState,
  Status,
  StepResult,
} from './ready.ts';
import { Replica } from './replica.ts';
import { broadcastHeartbeat, sendAppend } from './replication.ts';
import { statusOf } from './status.ts';
import { step } from './step.ts';

export class RaftCore {
  readonly #replica: Replica;
  #soft: SoftState;
  #hard: HardState;
  /** Tokens handed out and given back. */
  #tokensOut = 0;
  #tokensBack = 0;

  /** Starts from what `config.storage` holds. Throws `RaftFatal` if that is broken. */
  constructor(config: RaftConfig) {
    this.#replica = new Replica(config);
    this.#soft = { lead: NONE, state: 'follower' };
    this.#hard = this.#replica.hard;
  }

  get id(): ReplicaId {
    return this.#replica.id;
  }

  get role(): Role {
    return this.#replica.role;
  }

  get term(): Term {
    return this.#replica.term;
  }

  get lead(): ReplicaId {
    return this.#replica.lead;
  }

  get conf(): ConfState {
    return this.#replica.conf;
  }

  get committed(): Index {
    return this.#replica.log.committed;
  }

  get applied(): Index {
    return this.#replica.log.applied;
  }

  get lastIndex(): Index {
    return this.#replica.log.lastIndex();
  }

  /** Last index that is durable here. */
  get stableIndex(): Index {
    return this.#replica.log.stableIndex();
  }

  /** Leader with an entry of its term committed: reads and membership changes wait for it. */
  get committedInTerm(): boolean {
    return this.#replica.committedInTerm;
  }

  /** Takes a message of a peer. Throws `RaftFatal` if it shows a broken invariant. */
  step(message: Message): StepResult {
    const replica = this.#replica;
    if (message.from === replica.id) return 'localMsg';
    if (message.to !== replica.id) return 'ignored';
    if (isReply(message.type) && replica.peers.get(message.from) === undefined) {
      return 'peerNotFound';
    }
    return step(replica, message);
  }

  /** Time passes, by one tick. */
  tick(): void {
    if (this.#replica.role === 'leader') tickLeader(this.#replica);
    else tickElection(this.#replica);
  }

  /** Appends commands to the leader's log: all or none, one message per follower. */
  propose(commands: readonly Uint8Array[]): ProposeResult {
    return propose(this.#replica, commands);
  }

  /** Appends a membership change; `type` 1 marks one with a single operation, as etcd's v1. */
  proposeConf(change: ConfChange, type: 1 | 2 = ENTRY_CONF_V2): ProposeResult {
    return proposeConf(this.#replica, change, type);
  }

  /** Starts a linearizable read. Leader only. */
  readIndex(): ReadIndexResult {
    return startRead(this.#replica);
  }

  /** Hands leadership to a voter; false if this is not the leader or `to` cannot lead. */
  transferLeader(to: ReplicaId): boolean {
    return transferLeader(this.#replica, to);
  }

  /** Starts an election now; false if this replica may not. */
  campaign(): boolean {
    return campaign(this.#replica);
  }

  /**
   * An election timeout runs out so many ticks later. How it votes, and when a leader steps down,
   * does not change: others can be elected as before.
   */
  holdBack(ticks: number): void {
    this.#replica.extraTicks = ticks;
  }

  /**
   * A follower stops believing in its leader, so that it may vote and campaign at once. Local and
   * safe: no read rests on the lease (refused silently where one does).
   */
  forgetLeader(): void {
    const replica = this.#replica;
    if (replica.role === 'follower' && !replica.config.readOnlyLeaseBased) replica.lead = NONE;
  }

  /** Messages to `id` could not be delivered. */
  reportUnreachable(id: ReplicaId): void {
    reportUnreachable(this.#replica, id);
  }

  /** The snapshot for `id` has arrived (`ok`) or not. */
  reportSnapshot(id: ReplicaId, ok: boolean): void {
    reportSnapshot(this.#replica, id, ok);
  }

  /** What the reader called `fetching` is in memory now; for `id` itself, committed entries. */
  entriesReady(id: ReplicaId): void {
    const replica = this.#replica;
    if (id === replica.id) {
      replica.log.resumeApplying();
      return;
    }
    const peer = replica.role === 'leader' ? replica.peers.get(id) : undefined;
    if (peer !== undefined) sendAppend(replica, peer, false);
  }

  /** Sets this term's election timeout, in ticks; the next change of role draws another. */
  setElectionTimeout(ticks: number): void {
    ensure(ticks > 0, `election timeout of ${ticks} ticks`);
    this.#replica.electionTimeout = ticks;
  }

  #softChanged(): boolean {
    return this.#replica.lead !== this.#soft.lead || this.#replica.role !== this.#soft.state;
  }

  #hardChanged(): boolean {
    const { term, vote, log } = this.#replica;
    const before = this.#hard;
    return term !== before.term || vote !== before.vote || log.committed !== before.commit;
  }

  /** Whether `ready()` would hand out anything. Cheap. */
  hasReady(): boolean {
    const { log, msgs, msgsAfterPersist, readStates, reads, config } = this.#replica;
    return (
      msgs.length > 0 ||
      msgsAfterPersist.length > 0 ||
      log.unstable.hasNewEntries ||
      log.hasCommitted(config.applyUnstable) ||
      readStates.length > 0 ||
      reads.wantsRound ||
      reads.hasLost ||
      this.#hardChanged() ||
      this.#softChanged() ||
      log.unstable.newSnapshot() !== undefined
    );
  }

  /** Hands over the work there is. It is the driver's now: the same work is never given again. */
  ready(): Ready {
    const replica = this.#replica;
    const { log, reads } = replica;
    if (reads.wantsRound) broadcastHeartbeat(replica);
    const entries = log.unstable.newEntries();
    const snapshot = log.unstable.newSnapshot();
    const hard = this.#hardChanged() ? replica.hard : undefined;
    const { msgs, responses, readStates } = replica.takeQueues();
    const storing =
      entries.length > 0 || hard !== undefined || snapshot !== undefined || responses.length > 0;
    const ready: Ready = {
      soft: this.#takeSoft(),
      persist: storing ? this.#persist(entries, hard, snapshot, responses) : undefined,
      msgs,
      msgsAfterPersist: withoutOwn(responses, replica.id),
      committed: log.takeCommitted(replica.config.applyUnstable),
      reads: readStates,
      readsLost: reads.takeLost(),
    };
    if (hard !== undefined) this.#hard = hard;
    log.unstable.acceptInProgress();
    return ready;
  }

  #takeSoft(): SoftState | undefined {
    if (!this.#softChanged()) return undefined;
    this.#soft = { lead: this.#replica.lead, state: this.#replica.role };
    return this.#soft;
  }

  #persist(
    entries: readonly Entry[],
    hard: HardState | undefined,
    snapshot: SnapshotMeta | undefined,
    responses: readonly Message[],
  ): Persist {
    const { log, term } = this.#replica;
    // Writes are done in order, so this one vouches for all that is not durable yet, also for what
    // an earlier receipt could not confirm because the term had changed meanwhile.
    const vouches = log.unstable.hasEntries;
    const token: PersistToken = {
      seq: ++this.#tokensOut,
      term,
      index: vouches ? log.lastIndex() : 0,
      logTerm: vouches ? log.lastTerm() : 0,
      snapshotIndex: snapshot?.index ?? 0,
      responses,
    };
    const before = this.#hard;
    const promised = hard !== undefined && (hard.term !== before.term || hard.vote !== before.vote);
    const mustSync = promised || entries.length > 0 || snapshot !== undefined;
    return { hard, entries, snapshot, mustSync, token };
  }

  /**
   * The write that `token` stands for, and all before it, are durable. Own acknowledgements count
   * from here. Tokens come back in order, each once.
   */
  persisted(token: PersistToken): void {
    ensure(
      token.seq === this.#tokensBack + 1 && token.seq <= this.#tokensOut,
      `persisted ${token.seq} after ${this.#tokensBack}, of ${this.#tokensOut} handed out`,
    );
    this.#tokensBack = token.seq;
    const replica = this.#replica;
    for (const message of token.responses) {
      // May be refused by term, and ignored once we are no member: then it counts for nothing.
      if (message.to === replica.id) step(replica, message);
    }
    // In a later term the entry at this index may be another one of the same term as an older
    // write (ABA): only a receipt of the current term says what is on the disk now.
    if (token.index > 0 && token.term === replica.term) {
      replica.log.unstable.stableTo(token.index, token.logTerm);
    }
    if (token.snapshotIndex > 0) {
      replica.log.snapshotStored(token.snapshotIndex);
      this.#applied(Math.max(token.snapshotIndex, replica.log.applied), 0);
    }
  }

  #applied(index: Index, bytes: number): void {
    this.#replica.log.appliedTo(index, bytes);
    maybeLeaveJoint(this.#replica);
  }

  /** Entries up to `index` are applied; `bytes` is the data of those not reported before. */
  appliedTo(index: Index, bytes: number): void {
    const replica = this.#replica;
    this.#applied(Math.max(index, replica.log.applied), bytes);
    replica.releaseUncommitted(bytes);
  }

  /** Applies the change of a committed configuration entry. Returns the membership to store. */
  applyConf(change: ConfChange): ConfState {
    return applyConf(this.#replica, change);
  }

  /** A structured picture, for tests and operators. */
  status(): Status {
    return statusOf(this.#replica);
  }
}

/** Own acknowledgements stay inside; `persisted` takes them in. */
function withoutOwn(messages: readonly Message[], id: ReplicaId): readonly Message[] {
  return messages.some(message => message.to === id)
    ? messages.filter(message => message.to !== id)
    : messages;
}
