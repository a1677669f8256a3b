/**
 * The drive loop of a node: one turn steps what came in, ticks, hands over proposals, takes the work
 * of every group that has some, sends one frame per peer and writes one synced batch for all groups.
 *
 * ORDER (research: persistence ordering contract)
 * - Messages are stepped before a tick, and at most one tick is fired however long the loop stood
 *   still: a stall of this process must not look like the death of its leaders.
 * - One batch is in flight. What a Ready promises (`msgsAfterPersist`) leaves after the batch that
 *   holds it; everything else leaves before.
 * - A client is answered after apply, not after the state rows are flushed: the entry is durable on a
 *   majority already.
 */

import type { NodeId } from '../model/ids.ts';
import type { Clock, Random } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Store, StoreImage, StoreOp } from '../ports/store.ts';
import type { Message } from '../raft/message.ts';
import { decodeDescriptor, noConf, storeMark } from './descriptor.ts';
import { campaignWithout } from './failover.ts';
import { isFlushDue } from './flush-policy.ts';
import type { Peers } from './peers.ts';
import type { Applied } from './pending-proposals.ts';
import type { GroupMachine, Replica } from './replica.ts';
import { allRows, makeReplica, mayCreate, type ReplicaSeed } from './replica-maker.ts';

export const tickMs = 100;

export interface DriveObserver {
  applied(replica: Replica, index: number, effects: readonly unknown[]): void;
  roleChanged(replica: Replica): void;
  confChanged(replica: Replica): void;
  /** A broken invariant or a command this program does not know: the process has to end. */
  fatal(error: unknown): void;
}

interface Inbound {
  readonly from: NodeId;
  readonly group: number;
  readonly message: Message;
}

export class DriveLoop {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #store: Store;
  readonly #peers: Peers;
  readonly #observer: DriveObserver;
  readonly #machineFor: (group: number) => GroupMachine;
  readonly #replicas = new Map<number, Replica>();
  readonly #tombstones = new Map<number, number>();
  #mark = 0;
  #inbox: Inbound[] = [];
  #dirty: Replica[] = [];
  #extraOps: StoreOp[] = [];
  #turnPlanned = false;
  #tickDue = false;
  #writing = false;
  #stopped = false;
  #cancelTick: () => void = () => undefined;
  #lastTurnMs = 0;
  readonly counters = { turns: 0, batches: 0, ticks: 0, applied: 0, stalls: 0 };

  constructor(deps: {
    readonly clock: Clock;
    readonly random: Random;
    readonly log: Log;
    readonly store: Store;
    readonly peers: Peers;
    readonly observer: DriveObserver;
    readonly machineFor: (group: number) => GroupMachine;
  }) {
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#log = deps.log;
    this.#store = deps.store;
    this.#peers = deps.peers;
    this.#observer = deps.observer;
    this.#machineFor = deps.machineFor;
  }

  /** Builds every replica from what the store holds. */
  async recover(image: StoreImage): Promise<void> {
    this.#mark = storeMark(image.header.storeId);
    for (const [group, id] of image.tombstones) this.#tombstones.set(group, id);
    for (const found of image.groups) {
      const machine = this.#machineFor(found.group);
      const rows = await allRows(this.#store, found.group);
      machine.load(rows, found.applied);
      this.#addReplica({
        group: found.group,
        descriptor: decodeDescriptor(found.descriptor),
        machine,
        hard: found.hard,
        lastIndex: found.lastIndex,
        applied: found.applied,
        appliedTerm: found.appliedTerm,
        fresh: false,
      });
    }
  }

  #addReplica(seed: ReplicaSeed): Replica {
    const replica = makeReplica(seed, this.#store, this.#random, {
      applied: (changed, index, effects) => {
        this.counters.applied++;
        this.#observer.applied(changed, index, effects);
      },
      confChanged: (changed, member) => {
        if (!member) changed.removed = true;
        this.#observer.confChanged(changed);
      },
      roleChanged: changed => {
        if (changed.leading && changed.leadingSinceMs === 0) {
          changed.leadingSinceMs = this.#clock.nowMs();
        } else if (!changed.leading) changed.leadingSinceMs = 0;
        this.#observer.roleChanged(changed);
      },
    });
    replica.heardMs = this.#clock.nowMs();
    this.#replicas.set(seed.group, replica);
    this.#queue(replica);
    return replica;
  }

  start(): void {
    this.#lastTurnMs = this.#clock.nowMs();
    this.#scheduleTick();
    this.plan();
  }

  #scheduleTick(): void {
    this.#cancelTick = this.#clock.after(tickMs, () => {
      this.#tickDue = true;
      this.plan();
      if (!this.#stopped) this.#scheduleTick();
    });
  }

  replica(group: number): Replica | undefined {
    return this.#replicas.get(group);
  }

  replicas(): IterableIterator<Replica> {
    return this.#replicas.values();
  }

  /** Proposes a command; rejects with `notLeader`, `overloaded` or `outcomeUnknown`. */
  propose(replica: Replica, data: Uint8Array): Promise<Applied> {
    const applied = replica.propose(data);
    this.#queue(replica);
    this.plan();
    return applied;
  }

  /** Waits until a majority has confirmed this leader and what it had committed is applied. */
  read(replica: Replica): Promise<void> {
    const done = replica.read();
    this.#queue(replica);
    this.plan();
    return done;
  }

  /** The replica has work that did not come through the loop (a conf change, a transfer). */
  touch(replica: Replica): void {
    this.#queue(replica);
    this.plan();
  }

  /** A record for the next batch that belongs to no group. */
  writeMeta(key: string, value: Uint8Array): void {
    this.#extraOps.push({ kind: 'meta', key, value });
    this.plan();
  }

  /** A message of a peer. Creates an empty replica where a leader addresses one that is new here. */
  receive(from: NodeId, group: number, toStore: number, message: Message): void {
    if (this.#stopped || (toStore !== 0 && toStore !== this.#mark)) return;
    let replica = this.#replicas.get(group);
    if (replica === undefined || replica.id !== message.to) {
      const removed = this.#tombstones.get(group) ?? 0;
      if (toStore !== this.#mark || !mayCreate(message, replica?.id ?? 0, removed)) return;
      if (replica !== undefined) {
        // The old one has to be gone from the disk first; the leader will send again.
        this.#remove(replica);
        this.plan();
        return;
      }
      replica = this.#addReplica({
        group,
        descriptor: { replicaId: message.to, confIndex: 0, conf: noConf, members: [] },
        machine: this.#machineFor(group),
        hard: { term: 0, vote: 0, commit: 0 },
        lastIndex: 0,
        applied: 0,
        appliedTerm: 0,
        fresh: true,
      });
    }
    if (replica.member(message.from) === undefined) {
      replica.learnMember({ replicaId: message.from, node: from, storeId: '' });
    }
    this.#inbox.push({ from, group, message });
    this.plan();
  }

  #remove(replica: Replica): void {
    replica.removed = true;
    replica.abandon();
    this.#replicas.delete(replica.group);
    this.#tombstones.set(replica.group, replica.id);
    this.#extraOps.push({ kind: 'remove', group: replica.group, tombstone: replica.id });
    this.#log.info('removed a replica', { group: replica.group, replica: replica.id });
  }

  /** The registry says that this replica is not part of its group any more. */
  dropReplica(replica: Replica): void {
    if (this.#replicas.get(replica.group) !== replica) return;
    this.#remove(replica);
    this.plan();
  }

  /**
   * The connection to a peer closed; `refused` says that its process is gone, and then groups that it
   * led elect another leader at once.
   */
  peerDown(peer: NodeId, refused: boolean): void {
    for (const replica of this.#replicas.values()) {
      for (const { replicaId, node } of replica.members()) {
        if (node === peer) replica.core.reportUnreachable(replicaId);
      }
      if (refused) {
        campaignWithout(replica, peer, this.#clock, () => {
          if (!this.#stopped) this.touch(replica);
        });
      }
    }
    this.plan();
  }

  #queue(replica: Replica): void {
    if (replica.queued) return;
    replica.queued = true;
    this.#dirty.push(replica);
  }

  plan(): void {
    if (this.#turnPlanned || this.#stopped) return;
    this.#turnPlanned = true;
    this.#clock.after(0, () => {
      this.#turnPlanned = false;
      if (this.#stopped) return;
      try {
        this.#turn();
      } catch (error) {
        this.#stopped = true;
        this.#observer.fatal(error);
      }
    });
  }

  #turn(): void {
    this.counters.turns++;
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#lastTurnMs > 1_000) this.counters.stalls++;
    this.#lastTurnMs = nowMs;
    this.#stepInbox(nowMs);
    if (this.#tickDue) this.#tick(nowMs);
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const replica of dirty) replica.queued = false;
    for (const replica of dirty) {
      if (replica.removed && this.#replicas.get(replica.group) !== replica) continue;
      replica.submitQueued();
      replica.takeReady(message => this.#send(replica, message));
      this.#considerFlush(replica, nowMs);
      if (replica.core.hasReady()) this.#queue(replica);
      if (!this.#writing) continue;
      // Its batch part waits for the write that is under way.
      this.#queue(replica);
    }
    this.#peers.flush();
    if (!this.#writing) this.#write(dirty);
    if (this.#dirty.length > 0 && !this.#writing) this.plan();
  }

  #stepInbox(nowMs: number): void {
    const inbox = this.#inbox;
    if (inbox.length === 0) return;
    this.#inbox = [];
    for (const { group, message } of inbox) {
      const replica = this.#replicas.get(group);
      if (replica === undefined || replica.id !== message.to) continue;
      if (message.type === 'MsgApp' || message.type === 'MsgHeartbeat') replica.heardMs = nowMs;
      replica.core.step(message);
      this.#queue(replica);
    }
  }

  #tick(nowMs: number): void {
    this.#tickDue = false;
    this.counters.ticks++;
    for (const replica of this.#replicas.values()) {
      replica.core.tick();
      if (isFlushDue(replica, nowMs) || replica.core.hasReady()) this.#queue(replica);
    }
  }

  #considerFlush(replica: Replica, nowMs: number): void {
    const { machine } = replica;
    if (machine.dirtyRows === 0) return;
    if (replica.dirtySinceMs === 0) replica.dirtySinceMs = nowMs;
    if (isFlushDue(replica, nowMs)) replica.flush();
  }

  /** Puts the replica's state into the next batch, and resolves when that is durable. */
  flush(replica: Replica): Promise<void> {
    replica.flush();
    this.#queue(replica);
    return new Promise(resolve => {
      this.#afterWrite.push(resolve);
      this.plan();
    });
  }

  #afterWrite: (() => void)[] = [];

  #send(replica: Replica, message: Message): void {
    const member = replica.member(message.to);
    if (member === undefined || member.node === this.#peers.self) return;
    this.#peers.to(member.node).raft(replica.group, member.mark, message);
  }

  #write(replicas: readonly Replica[]): void {
    const ops = this.#extraOps;
    this.#extraOps = [];
    const done: { replica: Replica; finish: () => readonly Message[] }[] = [];
    for (const replica of replicas) {
      if (this.#replicas.get(replica.group) !== replica) continue;
      const finish = replica.takeBatch(ops);
      if (finish !== undefined) done.push({ replica, finish });
    }
    const waiters = this.#afterWrite;
    this.#afterWrite = [];
    if (ops.length === 0 && done.length === 0) {
      for (const resolve of waiters) resolve();
      return;
    }
    this.#writing = true;
    this.counters.batches++;
    this.#store.write(ops, () => {
      this.#writing = false;
      if (this.#stopped) return;
      try {
        for (const { replica, finish } of done) {
          if (this.#replicas.get(replica.group) !== replica) continue;
          for (const message of finish()) this.#send(replica, message);
          this.#queue(replica);
        }
        for (const resolve of waiters) resolve();
        this.#dropRemoved(done);
      } catch (error) {
        this.#stopped = true;
        this.#observer.fatal(error);
        return;
      }
      this.#peers.flush();
      this.plan();
    });
  }

  #dropRemoved(done: readonly { readonly replica: Replica }[]): void {
    for (const { replica } of done) {
      if (replica.removed && this.#replicas.get(replica.group) === replica) this.#remove(replica);
    }
  }

  /** Writes what is dirty, then stops; nothing is sent or written afterwards. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    const waits: Promise<void>[] = [];
    for (const replica of this.#replicas.values()) {
      replica.flush();
      this.#queue(replica);
    }
    waits.push(new Promise(resolve => this.#afterWrite.push(resolve)));
    this.plan();
    await Promise.race([
      Promise.all(waits),
      new Promise<void>(resolve => this.#clock.after(5_000, resolve)),
    ]);
    this.#stopped = true;
    this.#cancelTick();
    for (const replica of this.#replicas.values()) replica.abandon();
  }
}
