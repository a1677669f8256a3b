/**
 * The drive loop of a node: one turn steps what came in, ticks, hands over proposals, takes the
 * work of every group that has some, sends one frame per peer and writes one synced batch for all
 * groups.
 *
 * ORDER (research: persistence ordering contract)
 * - Messages are stepped before a tick, and at most one tick is fired however long the loop stood
 *   still: a stall of this process must not look like the death of its leaders.
 * - One batch is in flight. What a Ready promises (`msgsAfterPersist`) leaves after the batch that
 *   holds it; everything else leaves before.
 * - A client is answered after apply, not after the state rows are flushed: the entry is durable on
 *   a majority already.
 */
import type { NodeId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { StoreImage, StoreOp } from '../ports/store.ts';
import type { Message } from '../raft/message.ts';
import { BatchWriter, type WrittenPart } from './batch-writer.ts';
import { storeMark } from './descriptor.ts';
import { type DriveObserver, type DriveParts, type Inbound, newCounters } from './drive-parts.ts';
import { nodeLost } from './failover.ts';
import { considerFlush, isFlushDue } from './flush-policy.ts';
import type { Peers } from './peers.ts';
import { type Applied, notHere } from './pending-proposals.ts';
import type { Replica } from './replica.ts';
import type { IncomingState } from './replica-batch.ts';
import {
  emptySeed,
  makeReplica,
  mayCreate,
  type ReplicaSeed,
  speaksAs,
  storedSeed,
} from './replica-maker.ts';
import { unfitTicks, Vitals } from './vitals.ts';

/** One tick is one heartbeat: all groups beat in the same turn, in one frame per peer. */
export const tickMs = 200;

export class DriveLoop {
  readonly #parts: DriveParts;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #peers: Peers;
  readonly #observer: DriveObserver;
  readonly #writer: BatchWriter;
  readonly vitals = new Vitals();
  readonly #replicas = new Map<number, Replica>();
  readonly #tombstones = new Map<number, number>();
  /** Marks this node's store, in messages. */
  mark = 0;
  #inbox: Inbound[] = [];
  #dirty: Replica[] = [];
  #turnPlanned = false;
  #tickDue = false;
  #stopped = false;
  #cancelTick: () => void = () => undefined;
  #lastTurnMs = 0;
  readonly counters = newCounters();

  constructor(parts: DriveParts) {
    this.#parts = parts;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#writer = new BatchWriter(parts.store, parts.clock, this.vitals);
    this.#peers = parts.peers;
    this.#observer = parts.observer;
  }

  /** Builds every replica from what the store holds. */
  async recover(image: StoreImage): Promise<void> {
    this.mark = storeMark(image.header.storeId);
    for (const [group, id] of image.tombstones) this.#tombstones.set(group, id);
    const { store, machineFor } = this.#parts;
    for (const found of image.groups) {
      this.#addReplica(await storedSeed(store, found, machineFor(found.group)));
    }
  }

  #addReplica(seed: ReplicaSeed): Replica {
    const replica = makeReplica(seed, this.#parts.store, this.#parts.random, {
      applied: (changed, index, effects) => {
        this.counters.applied++;
        this.#observer.applied(changed, index, effects);
      },
      confChanged: (changed, member) => {
        if (!member) changed.removed = true;
        this.#observer.confChanged(changed);
      },
      roleChanged: changed => {
        changed.noteLeading(this.#clock.nowMs());
        this.#observer.roleChanged(changed);
      },
      installed: changed => this.#observer.installed(changed),
      reaches: (from, to) => this.#peers.connected(from.member(to)?.node ?? ''),
      maySend: (from, to) => this.#parts.snapshots.maySend(from, to),
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
    const dueMs = this.#clock.nowMs() + tickMs;
    this.#cancelTick = this.#clock.after(tickMs, () => {
      this.vitals.ticked(dueMs, this.#clock.nowMs());
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
    if (!this.#drives(replica)) return Promise.reject(notHere(replica.group));
    const applied = replica.propose(data);
    this.#queue(replica);
    this.plan();
    return applied;
  }

  /** Waits until a majority has confirmed this leader and what it had committed is applied. */
  read(replica: Replica): Promise<void> {
    if (!this.#drives(replica)) return Promise.reject(notHere(replica.group));
    const done = replica.read();
    this.#queue(replica);
    this.plan();
    return done;
  }

  /** Whether its turn will come again; what is asked of another one would never be answered. */
  #drives(replica: Replica): boolean {
    return !this.#stopped && this.#replicas.get(replica.group) === replica;
  }

  /** The replica has work that did not come through the loop (a conf change, a transfer). */
  touch(replica: Replica): void {
    this.#queue(replica);
    this.plan();
  }

  /** A message of a peer. Creates an empty replica where a leader addresses one new here. */
  receive(from: NodeId, group: number, toStore: number, message: Message): void {
    if (this.#stopped || group > limits.shardsMax) return;
    if (toStore !== 0 && toStore !== this.mark) return;
    // Its rows come on a stream, and the message with them.
    if (message.type === 'MsgSnap') return;
    let replica = this.#replicas.get(group);
    if (replica === undefined || replica.id !== message.to) {
      const removed = this.#tombstones.get(group) ?? 0;
      if (toStore !== this.mark || !mayCreate(message, replica?.id ?? 0, removed)) return;
      if (replica !== undefined) {
        // The old one has to be gone from the disk first; the leader will send again.
        this.#remove(replica);
        this.plan();
        return;
      }
      replica = this.#addReplica(emptySeed(group, message.to, this.#parts.machineFor(group)));
    }
    if (!speaksAs(replica, from, message.from)) {
      this.#log.warn('dropped a message in the name of another node', { peer: from, group });
      return;
    }
    // As a message that the network loses: it is sent again.
    if (this.#inbox.length >= limits.inboxMax) this.counters.dropped++;
    else this.#inbox.push({ from, group, message });
    this.plan();
  }

  #remove(replica: Replica): void {
    replica.removed = true;
    replica.abandon();
    if (replica.leading) {
      replica.leading = false;
      this.#observer.roleChanged(replica);
    }
    this.#replicas.delete(replica.group);
    this.#tombstones.set(replica.group, replica.id);
    this.#writer.add({ kind: 'remove', group: replica.group, tombstone: replica.id });
    this.#log.info('removed a replica', { group: replica.group, replica: replica.id });
  }

  /** The registry says that this replica is not part of its group any more. */
  dropReplica(replica: Replica): void {
    if (this.#replicas.get(replica.group) !== replica) return;
    this.#remove(replica);
    this.plan();
  }

  /** The connection to a peer closed, as `nodeLost` says. */
  peerDown(peer: NodeId, refused: boolean): void {
    nodeLost(this.#replicas.values(), peer, refused && !this.vitals.unfit, {
      clock: this.#clock,
      campaigned: replica => {
        if (!this.#stopped) this.touch(replica);
      },
    });
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
        this.#fail(error);
      }
    });
  }

  #fail(error: unknown): void {
    this.#end();
    this.#observer.fatal(error);
  }

  /** Nothing is sent or written from here on, and whoever waits is told. */
  #end(): void {
    this.#stopped = true;
    this.#cancelTick();
    for (const replica of this.#replicas.values()) replica.abandon();
    this.#writer.stop();
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
      considerFlush(replica, nowMs);
      if (replica.core.hasReady()) this.#queue(replica);
      if (!this.#writer.writing) continue;
      // Its batch part waits for the write that is under way.
      this.#queue(replica);
    }
    this.#peers.flush();
    if (!this.#writer.writing) this.#write(dirty);
    if (this.#dirty.length > 0 && !this.#writer.writing) this.plan();
  }

  #stepInbox(nowMs: number): void {
    const inbox = this.#inbox;
    this.#inbox = [];
    for (const { group, message } of inbox) {
      const replica = this.#replicas.get(group);
      if (replica === undefined || replica.id !== message.to) continue;
      if (message.type === 'MsgApp' || message.type === 'MsgHeartbeat') replica.hear(nowMs);
      replica.core.step(message);
      this.#queue(replica);
    }
  }

  #tick(nowMs: number): void {
    this.#tickDue = false;
    this.counters.ticks++;
    const extraTicks = this.#writer.checkSpeed(nowMs) ? unfitTicks : 0;
    for (const replica of this.#replicas.values()) {
      replica.core.holdBack(extraTicks);
      replica.core.tick();
      const truncates = replica.truncate(this.#parts.logLimits);
      if (truncates) this.counters.truncations++;
      if (truncates || isFlushDue(replica, nowMs) || replica.core.hasReady()) this.#queue(replica);
    }
  }

  /** Puts the replica's state into the next batch, and resolves when that is durable. */
  flush(replica: Replica): Promise<void> {
    return this.#writeOf(replica, () => replica.flush());
  }

  /** Puts an operation on what is staged into the next batch, and resolves when it is durable. */
  put(replica: Replica, op: StoreOp): Promise<void> {
    return this.#writeOf(replica, () => replica.stage(op));
  }

  #writeOf(replica: Replica, prepare: () => void): Promise<void> {
    if (!this.#drives(replica)) return Promise.reject(notHere(replica.group));
    prepare();
    this.#queue(replica);
    return this.#durable();
  }

  /** Writes a small record of the node itself, and resolves when it is durable. */
  record(key: string, value: Uint8Array): Promise<void> {
    this.#writer.add({ kind: 'meta', key, value });
    return this.#durable();
  }

  #durable(): Promise<void> {
    return new Promise(resolve => {
      this.#writer.onWritten(resolve);
      this.plan();
    });
  }

  /** A whole state is staged: the core decides on `message`, and `incoming` is told. */
  install(replica: Replica, incoming: IncomingState, message: Message): void {
    if (this.#drives(replica)) replica.offer(incoming);
    else incoming.settle(false);
    this.step(replica, message);
  }

  /** A message that came on a stream of its own. */
  step(replica: Replica, message: Message): void {
    if (!this.#drives(replica)) return;
    replica.heardMs = this.#clock.nowMs();
    try {
      replica.core.step(message);
      this.touch(replica);
    } catch (error) {
      this.#fail(error);
    }
  }

  #send(replica: Replica, message: Message): void {
    const member = replica.member(message.to);
    if (member === undefined || member.node === this.#peers.self) return;
    if (message.type === 'MsgSnap') this.#parts.snapshots.send(replica, message);
    else this.#peers.to(member.node).raft(replica.group, member.mark, message);
  }

  #write(dirty: readonly Replica[]): void {
    const replicas = dirty.filter(replica => this.#replicas.get(replica.group) === replica);
    this.#writer.write(replicas, parts => {
      if (this.#stopped) return;
      try {
        this.#written(parts);
      } catch (error) {
        this.#fail(error);
      }
    });
    if (this.#writer.writing) this.counters.batches++;
  }

  #written(parts: readonly WrittenPart[]): void {
    for (const { replica, finish } of parts) {
      if (this.#replicas.get(replica.group) !== replica) continue;
      for (const message of finish()) this.#send(replica, message);
      this.#queue(replica);
    }
    for (const { replica } of parts) {
      if (replica.removed && this.#replicas.get(replica.group) === replica) this.#remove(replica);
    }
    this.#peers.flush();
    this.plan();
  }

  /** Writes what is dirty, then stops; nothing is sent or written afterwards. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    for (const replica of this.#replicas.values()) {
      replica.flush();
      this.#queue(replica);
    }
    await new Promise<void>(resolve => {
      const cancel = this.#clock.after(5_000, resolve);
      this.#writer.onWritten(() => {
        cancel();
        resolve();
      });
      this.plan();
    });
    if (!this.#stopped) this.#end();
  }
}
