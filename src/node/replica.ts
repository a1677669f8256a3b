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
import type { ConfState, Entry, HardState, Message } from '../raft/message.ts';
import type { PersistToken, Ready } from '../raft/ready.ts';
import { applyEntry } from './apply-entry.ts';
import {
  type Descriptor,
  decodeMembers,
  encodeDescriptor,
  type Member,
  storeMark,
} from './descriptor.ts';
import type { LogCache } from './log-cache.ts';
import { type Applied, PendingProposals, type Proposal } from './pending-proposals.ts';
import { ReadWaiters } from './read-waiters.ts';

/** What the drive loop needs of a state machine; the shard's and the registry's both are one. */
export interface GroupMachine {
  readonly dirtyRows: number;
  readonly dirtyBytes: number;
  load(rows: Iterable<readonly [Uint8Array, Uint8Array]>, applied: number): void;
  apply(
    index: number,
    data: Uint8Array,
  ): { readonly replies: readonly unknown[]; readonly effects: readonly unknown[] };
  takeFlush(maxRows: number):
    | {
        readonly rows: readonly (readonly [Uint8Array, Uint8Array | undefined])[];
        readonly token: number;
      }
    | undefined;
  flushed(token: number): void;
  digest(): number;
}

const isSeated = (conf: ConfState, id: number): boolean =>
  conf.voters.includes(id) ||
  conf.votersOutgoing.includes(id) ||
  conf.learners.includes(id) ||
  conf.learnersNext.includes(id);

export interface ReplicaEvents {
  /** Entries were applied; `effects` are the machine's. */
  applied(replica: Replica, index: number, effects: readonly unknown[]): void;
  /** The configuration changed; false in `member` where this replica is not part of it any more. */
  confChanged(replica: Replica, member: boolean): void;
  roleChanged(replica: Replica): void;
}

export class Replica {
  readonly group: number;
  readonly core: RaftCore;
  readonly log: LogCache;
  readonly machine: GroupMachine;
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
  readonly #members = new Map<number, { node: NodeId; storeId: string; mark: number }>();
  readonly #proposals: Proposal[] = [];
  readonly #pending: PendingProposals;
  readonly #reads = new ReadWaiters();

  // Work for the next batch.
  #entries: Entry[] = [];
  #hard: HardState | undefined;
  #tokens: PersistToken[] = [];
  /** Receipts not given back yet, those of the batch in flight included. */
  #tokensOut = 0;
  #after: Message[] = [];
  #state: Extract<StoreOp, { kind: 'state' }>[] = [];
  #flushTokens: number[] = [];
  /** States that were taken from the machine and are not durable yet. */
  #statesOut = 0;
  #descriptorDirty = false;

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
    this.#descriptorDirty = options.fresh;
    for (const member of options.descriptor.members) this.learnMember(member);
  }

  get id(): number {
    return this.core.id;
  }

  /** Node that leads the group, as far as this replica knows. */
  get leaderNode(): NodeId | undefined {
    return this.core.lead === 0 ? undefined : this.#members.get(this.core.lead)?.node;
  }

  member(
    id: number,
  ): { readonly node: NodeId; readonly storeId: string; readonly mark: number } | undefined {
    return this.#members.get(id);
  }

  members(): Member[] {
    return [...this.#members].map(([replicaId, { node, storeId }]) => ({
      replicaId,
      node,
      storeId,
    }));
  }

  learnMember(member: Member): void {
    this.#members.set(member.replicaId, {
      node: member.node,
      storeId: member.storeId,
      mark: member.storeId === '' ? 0 : storeMark(member.storeId),
    });
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
    const error =
      result.why === 'busy'
        ? new TschedError('overloaded', `group ${this.group} has too much uncommitted`, {
            retryAfterMs: 500,
          })
        : this.#notLeader();
    for (const proposal of proposals) proposal.reject(error);
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
  }

  #takePersist(ready: Ready, send: (message: Message) => void): void {
    const { persist } = ready;
    if (persist === undefined) return;
    const first = persist.entries[0];
    if (first !== undefined) {
      const keep = this.#entries.findIndex(entry => entry.index >= first.index);
      if (keep >= 0) this.#entries.length = keep;
      for (const entry of persist.entries) this.#entries.push(entry);
    }
    if (persist.hard !== undefined) this.#hard = persist.hard;
    if (!persist.mustSync && persist.entries.length === 0 && this.#tokensOut === 0) {
      // All that the answers promise is on the disk. A commit index is found again by itself after
      // a restart: it is written with the next batch, and costs none of its own.
      this.core.persisted(persist.token);
      for (const message of ready.msgsAfterPersist) send(message);
      return;
    }
    this.#tokens.push(persist.token);
    this.#tokensOut++;
    for (const message of ready.msgsAfterPersist) this.#after.push(message);
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
    if (seated) {
      for (const id of [...this.#members.keys()]) if (!present.has(id)) this.#members.delete(id);
    }
    this.descriptor = { replicaId: this.id, confIndex: entry.index, conf, members };
    this.#descriptorDirty = true;
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
    const flush = this.machine.takeFlush(Number.MAX_SAFE_INTEGER);
    if (flush === undefined && this.flushedIndex === this.applied) return;
    if (flush !== undefined) this.#flushTokens.push(flush.token);
    this.#statesOut++;
    this.#state.push({
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
    if (this.#tokens.length === 0 && this.#state.length === 0 && !this.#descriptorDirty) {
      return undefined;
    }
    const { group } = this;
    if (this.#descriptorDirty) {
      ops.push({ kind: 'descriptor', group, value: encodeDescriptor(this.descriptor) });
      this.#descriptorDirty = false;
    }
    const entries = this.#entries;
    if (entries.length > 0) ops.push({ kind: 'entries', group, entries });
    if (this.#hard !== undefined) ops.push({ kind: 'hard', group, hard: this.#hard });
    for (const state of this.#state) ops.push(state);
    const tokens = this.#tokens;
    const after = this.#after;
    const flushTokens = this.#flushTokens;
    const states = this.#state.length;
    this.#entries = [];
    this.#hard = undefined;
    this.#tokens = [];
    this.#after = [];
    this.#state = [];
    this.#flushTokens = [];
    return () => {
      this.log.append(entries);
      this.#tokensOut -= tokens.length;
      this.#statesOut -= states;
      for (const token of tokens) this.core.persisted(token);
      for (const token of flushTokens) this.machine.flushed(token);
      return after;
    };
  }

  /** Everything that waits is told that this replica will not answer. */
  abandon(): void {
    this.#pending.abandon();
    for (const proposal of this.#proposals.splice(0)) proposal.reject(this.#notLeader());
    this.#reads.abandon(this.#notLeader());
  }
}
