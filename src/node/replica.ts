/**
 * One replica of one group on this node: the consensus core, the stored log it reads, the state
 * machine it feeds, and what waits for its answers. The drive loop owns the order of things; this
 * file knows what one replica has to do in each step of a turn.
 */
import { assert } from '../model/assert.ts';
import { TschedError } from '../model/errors.ts';
import type { NodeId } from '../model/ids.ts';
import type { StoreOp } from '../ports/store.ts';
import { decodeConfChange } from '../raft/codec.ts';
import type { RaftCore } from '../raft/core.ts';
import type { Entry, Message, ReplicaId, SnapshotMeta } from '../raft/message.ts';
import type { Ready } from '../raft/ready.ts';
import { applyEntry } from './apply-entry.ts';
import { type Descriptor, decodeMembers, isSeated, type Member } from './descriptor.ts';
import type { GroupMachine } from './group-machine.ts';
import type { LogCache } from './log-cache.ts';
import type { LogLimits } from './log-policy.ts';
import { type KnownMember, Members } from './members.ts';
import { type Applied, PendingProposals, type Proposal } from './pending-proposals.ts';
import { ReadWaiters } from './read-waiters.ts';
import { type DurableState, type IncomingState, ReplicaBatch } from './replica-batch.ts';
import { pointOf } from './truncation.ts';

export interface ReplicaEvents {
  /** Entries were applied; `effects` are the machine's. */
  applied(replica: Replica, index: number, effects: readonly unknown[]): void;
  /** The configuration changed; false in `member` where this replica is not part of it any more. */
  confChanged(replica: Replica, member: boolean): void;
  roleChanged(replica: Replica): void;
  /** Its state came as a whole. */
  installed(replica: Replica): void;
  /** Whether a whole state could be sent to that replica now. */
  maySend(replica: Replica, to: ReplicaId): boolean;
  /** Whether the node of that replica is connected. */
  reaches(replica: Replica, to: ReplicaId): boolean;
}

export class Replica {
  readonly group: number;
  readonly core: RaftCore;
  readonly log: LogCache;
  machine: GroupMachine;
  descriptor: Descriptor;
  applied: number;
  appliedTerm: number;
  /** Applied index of the last state flush that is on the disk or on its way. */
  flushedIndex: number;
  /** First instant since the last flush at which rows were dirty; 0 while none are. */
  dirtySinceMs = 0;
  /** Set by the loop while this replica stands in its list of dirty ones. */
  queued = false;
  removed = false;
  /** Leader of the current term with an entry of it applied: reads and duties may begin. */
  leading = false;
  /** Monotonic instant at which leadership became usable; the lease argument counts from here. */
  leadingSinceMs = 0;
  /** When a leader was last heard of, or when this replica came to be. */
  heardMs = 0;
  /** Whether one was heard of at all, be it this replica itself. */
  heard = false;

  readonly #events: ReplicaEvents;
  readonly #members = new Members();
  readonly #proposals: Proposal[] = [];
  readonly #pending: PendingProposals;
  readonly #reads = new ReadWaiters();
  /** Work for the next batch. */
  #next = new ReplicaBatch();
  /** Receipts not given back yet, those of the batch in flight included. */
  #tokensOut = 0;
  /** States that were taken from the machine and are not durable yet. */
  #statesOut = 0;
  #durable: DurableState;
  /** Staged, and about to be offered to the core, which may not want it. */
  #offered: IncomingState | undefined;
  /** The core has taken it; it replaces log and machine when its batch is durable. */
  #installing: IncomingState | undefined;

  constructor(options: {
    readonly group: number;
    readonly core: RaftCore;
    readonly log: LogCache;
    readonly machine: GroupMachine;
    readonly descriptor: Descriptor;
    readonly applied: number;
    readonly appliedTerm: number;
    readonly events: ReplicaEvents;
    /** The descriptor is not on the disk yet. */
    readonly fresh: boolean;
  }) {
    this.group = options.group;
    this.core = options.core;
    this.log = options.log;
    this.machine = options.machine;
    this.descriptor = options.descriptor;
    this.applied = options.applied;
    this.appliedTerm = options.appliedTerm;
    this.flushedIndex = options.applied;
    this.#events = options.events;
    this.#pending = new PendingProposals(options.group, () => this.#notLeader());
    if (options.fresh) this.#next.descriptor = options.descriptor;
    const { applied, appliedTerm, descriptor } = options;
    this.#durable = { applied, appliedTerm, conf: descriptor.conf };
    this.log.offer = to => this.#snapshotFor(to);
    this.#members.replace(descriptor.members);
  }

  get id(): number {
    return this.core.id;
  }

  /** Node that leads the group, as far as this replica knows. */
  get leaderNode(): NodeId | undefined {
    return this.core.lead === 0 ? undefined : this.#members.get(this.core.lead)?.node;
  }

  member(id: number): KnownMember | undefined {
    return this.#members.get(id);
  }

  members(): Member[] {
    return this.#members.list();
  }

  learnMember(member: Member): void {
    this.#members.learn(member);
  }

  /** A leader was heard of. */
  hear(nowMs: number): void {
    this.heardMs = nowMs;
    this.heard = true;
  }

  /** Keeps when its own leadership began; its end is when a leader was last heard of. */
  noteLeading(nowMs: number): void {
    if (this.leading && this.leadingSinceMs === 0) this.leadingSinceMs = nowMs;
    if (this.leading || this.leadingSinceMs === 0) return;
    this.leadingSinceMs = 0;
    this.hear(nowMs);
  }

  propose(data: Uint8Array): Promise<Applied> {
    return new Promise((resolve, reject) => this.#proposals.push({ data, resolve, reject }));
  }

  /**
   * Resolves when everything that was committed when it was called is applied here. Leader only.
   */
  read(): Promise<void> {
    return this.#reads.add();
  }

  /** Step 3 of a turn: hands queued proposals and reads to the core, all at once. */
  submitQueued(): void {
    if (this.#proposals.length > 0) this.#submitProposals();
    if (!this.#reads.queued) return;
    const result = this.core.readIndex();
    if (result.ok) this.#reads.begin(result.ctr);
    else this.#reads.refuseQueued(this.#notLeader());
  }

  #submitProposals(): void {
    const proposals = this.#proposals.splice(0);
    const result = this.core.propose(proposals.map(proposal => proposal.data));
    if (result.ok) {
      this.#pending.add(result.first, result.term, proposals);
      return;
    }
    this.#pending.refuse(proposals, result.why === 'busy');
  }

  #notLeader(): TschedError {
    return new TschedError('notLeader', `this node does not lead group ${this.group}`, {
      leader: this.leaderNode,
    });
  }

  /** Step 4: takes what the core has to do. Messages that may leave at once go to `send`. */
  takeReady(send: (message: Message) => void): void {
    // A bound, so that one group cannot hold the turn for ever.
    for (let round = 0; round < 64 && this.core.hasReady(); round++) {
      const ready = this.core.ready();
      for (const message of ready.msgs) send(message);
      this.#takePersist(ready, send);
      for (const { ctr, index } of ready.reads) this.#reads.confirmed(ctr, index, this.applied);
      for (const ctr of ready.readsLost) this.#reads.lost(ctr, this.#notLeader());
      if (ready.committed.length > 0) this.#apply(ready.committed);
      if (ready.soft !== undefined) this.#onSoft();
      this.#checkLeading();
    }
    // It is out of date, or names other members: the core has said so to its sender.
    this.#offered?.settle(false);
    this.#offered = undefined;
  }

  /** A whole state is staged: the core, which is told of it next, decides. */
  offer(incoming: IncomingState): void {
    this.#offered?.settle(false);
    this.#offered = incoming;
  }

  /** Adds to what is staged, or drops it. */
  stage(op: StoreOp): void {
    this.#next.staging.push(op);
  }

  /** A received state is about to replace what there is: nothing else of it is written. */
  get installing(): boolean {
    return this.#installing !== undefined;
  }

  #beginInstall(snapshot: SnapshotMeta): void {
    const incoming = this.#offered;
    assert(incoming?.index === snapshot.index, `group ${this.group}: no state ${snapshot.index}`);
    this.#offered = undefined;
    this.#statesOut -= this.#next.states.length;
    this.#next.replaceBy(incoming);
    this.#installing = incoming;
    for (const member of incoming.descriptor.members) this.learnMember(member);
  }

  /** The state on the disk is the received one from here on, in memory too. */
  #install(incoming: IncomingState): void {
    this.#installing = undefined;
    this.log.restart(incoming.index, incoming.term);
    this.machine = incoming.machine;
    this.applied = incoming.index;
    this.appliedTerm = incoming.term;
    this.flushedIndex = incoming.index;
    this.dirtySinceMs = 0;
    this.descriptor = incoming.descriptor;
    const { members, conf } = incoming.descriptor;
    this.#members.replace(members);
    this.#durable = { applied: incoming.index, appliedTerm: incoming.term, conf };
    this.#pending.skipped(incoming.index);
    this.#pending.overtaken(incoming.index, incoming.term);
  }

  /** What a replica that needs more than the log has can be sent: the state on the disk. */
  #snapshotFor(to: ReplicaId): SnapshotMeta | 'unavailable' {
    const { applied, appliedTerm, conf } = this.#durable;
    if (applied === 0 || !isSeated(conf, to) || !this.#events.maySend(this, to)) {
      return 'unavailable';
    }
    return { index: applied, term: appliedTerm, conf };
  }

  /** Drops what the log can do without; true where the next batch has to say so. */
  truncate(max: LogLimits): boolean {
    if (this.installing) return false;
    const reaches = (id: ReplicaId): boolean => this.#events.reaches(this, id);
    const point = pointOf(this, this.#durable.applied, max, reaches);
    if (point === undefined) return false;
    this.#next.truncation = this.log.truncate(point);
    return true;
  }

  #takePersist(ready: Ready, send: (message: Message) => void): void {
    const { persist } = ready;
    if (persist === undefined) return;
    if (persist.snapshot !== undefined) this.#beginInstall(persist.snapshot);
    const next = this.#next;
    next.append(persist.entries);
    if (persist.hard !== undefined) next.hard = persist.hard;
    if (!persist.mustSync && persist.entries.length === 0 && this.#tokensOut === 0) {
      // All that the answers promise is on the disk. A commit index is found again by itself after
      // a restart: it is written with the next batch, and costs none of its own.
      this.core.persisted(persist.token);
      for (const message of ready.msgsAfterPersist) send(message);
      return;
    }
    next.tokens.push(persist.token);
    this.#tokensOut++;
    for (const message of ready.msgsAfterPersist) next.after.push(message);
  }

  #apply(entries: readonly Entry[]): void {
    let bytes = 0;
    for (const entry of entries) {
      assert(entry.index === this.applied + 1, `apply ${entry.index} after ${this.applied}`);
      bytes += entry.data.length;
      let replies: readonly unknown[] = [];
      let effects: readonly unknown[] = [];
      this.applied = entry.index;
      if (entry.term > this.appliedTerm) this.#pending.overtaken(entry.index, entry.term);
      this.appliedTerm = entry.term;
      if (entry.type !== 0) this.#applyConf(entry);
      else if (entry.data.length > 0) {
        ({ replies, effects } = applyEntry(this.machine, this.group, entry.index, entry.data));
      }
      this.#pending.settle(entry, replies);
      if (effects.length > 0) this.#events.applied(this, entry.index, effects);
    }
    this.core.appliedTo(this.applied, bytes);
    this.#reads.applied(this.applied);
  }

  #applyConf(entry: Entry): void {
    assert(entry.type === 2, `configuration change of type ${entry.type}`);
    // An empty change leaves the joint configuration; it has neither operations nor a context.
    const change =
      entry.data.length === 0
        ? { transition: 'auto' as const, changes: [], context: new Uint8Array(0) }
        : decodeConfChange(entry.data);
    const conf = this.core.applyConf(change);
    for (const member of decodeMembers(change.context)) this.learnMember(member);
    const present = new Set([
      ...conf.voters,
      ...conf.votersOutgoing,
      ...conf.learners,
      ...conf.learnersNext,
    ]);
    const members = this.members().filter(member => present.has(member.replicaId));
    // A new replica replays the configurations from before it was added: it was not removed by
    // them.
    const seated = isSeated(this.descriptor.conf, this.id);
    if (seated) this.#members.keep(present);
    this.descriptor = { replicaId: this.id, confIndex: entry.index, conf, members };
    this.#next.descriptor = this.descriptor;
    // Together with the state at exactly this index: a replay never meets the change again.
    this.flush();
    this.#events.confChanged(this, !seated || present.has(this.id));
  }

  #onSoft(): void {
    if (this.core.role !== 'leader' && this.leading) this.leading = false;
    this.#events.roleChanged(this);
  }

  #checkLeading(): void {
    if (this.leading || this.core.role !== 'leader' || this.appliedTerm !== this.core.term) return;
    this.leading = true;
    this.#events.roleChanged(this);
  }

  /** The disk does not show all of the machine's state yet, be it that a write is under way. */
  get unwritten(): boolean {
    return this.machine.dirtyRows > 0 || this.#statesOut > 0;
  }

  /** Puts all dirty rows, and the index they stand for, into the next batch. */
  flush(): void {
    if (this.installing) return;
    const flush = this.machine.takeFlush(Number.MAX_SAFE_INTEGER);
    if (flush === undefined && this.flushedIndex === this.applied) return;
    if (flush !== undefined) this.#next.flushTokens.push(flush.token);
    this.#statesOut++;
    this.#next.states.push({
      kind: 'state',
      group: this.group,
      applied: this.applied,
      appliedTerm: this.appliedTerm,
      rows: flush?.rows ?? [],
    });
    this.flushedIndex = this.applied;
    this.dirtySinceMs = 0;
  }

  /** Step 6: this replica's part of the batch, and what to do when it is durable. */
  takeBatch(ops: StoreOp[]): (() => readonly Message[]) | undefined {
    const batch = this.#next;
    if (batch.idle) return undefined;
    this.#next = new ReplicaBatch();
    batch.addTo(ops, this.group);
    return () => this.#written(batch);
  }

  #written(batch: ReplicaBatch): readonly Message[] {
    if (batch.install !== undefined) this.#install(batch.install);
    this.log.append(batch.entries);
    this.#tokensOut -= batch.tokens.length;
    this.#statesOut -= batch.states.length;
    const { conf } = batch.install?.descriptor ?? batch.descriptor ?? this.#durable;
    const { applied, appliedTerm } = batch.states.at(-1) ?? this.#durable;
    this.#durable = { applied, appliedTerm, conf };
    for (const token of batch.tokens) this.core.persisted(token);
    for (const token of batch.flushTokens) this.machine.flushed(token);
    if (batch.install !== undefined) {
      batch.install.settle(true);
      this.#events.confChanged(this, true);
      this.#events.installed(this);
    }
    return batch.after;
  }

  /** Everything that waits is told that this replica will not answer. */
  abandon(): void {
    this.#offered?.settle(false);
    this.#installing?.settle(false);
    this.#pending.abandon();
    for (const proposal of this.#proposals.splice(0)) proposal.reject(this.#notLeader());
    this.#reads.abandon(this.#notLeader());
  }
}
