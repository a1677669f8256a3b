/**
 * The leader's side of a snapshot: the state on its disk, read as of one batch, goes to the node of
 * a replica that needs more than the log has. What is sent is decided anew with every attempt, and
 * a transfer that breaks is started over by the core, which asks again at the replica's next sign
 * of life.
 */
import { DecodeError } from '../model/bytes.ts';
import { TschedError } from '../model/errors.ts';
import type { NodeId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import type { BulkStream, BulkTransport } from '../ports/bulk.ts';
import type { Clock, Random } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { GroupReading, Store } from '../ports/store.ts';
import type { Message, ReplicaId } from '../raft/message.ts';
import { type Descriptor, decodeDescriptor, isSeated } from './descriptor.ts';
import type { Replica } from './replica.ts';
import {
  decodePart,
  encodePart,
  RowCutter,
  type SnapshotPart,
  type Verdict,
} from './snapshot-wire.ts';
import { within } from './within.ts';

/** Before the same node is tried again: after a failure, and where it takes in another one. */
const failedMs = 1_000;
const busyMs = 250;
/** The pace may run ahead by this much, so that timers do not decide it. */
const burstMs = 20;

export interface SnapshotSenderDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly store: Store;
  readonly bulk: BulkTransport;
  readonly clusterId: string;
  readonly bytesPerSecond: number;
  connected(node: NodeId): boolean;
  /** The transfer to replica `to` is over. */
  over(replica: Replica, to: ReplicaId, ok: boolean): void;
}

interface Transfer {
  readonly replica: Replica;
  readonly to: ReplicaId;
  readonly node: NodeId;
  readonly message: Message;
  readonly toStore: number;
  readonly reading: GroupReading;
  readonly descriptor: Descriptor;
}

export class SnapshotSender {
  readonly #deps: SnapshotSenderDeps;
  readonly #streams = new Set<BulkStream>();
  /** Nodes that are not to be tried before an instant. */
  readonly #resting = new Map<NodeId, number>();
  #running = 0;
  #freeAtMs = 0;
  #stopped = false;
  readonly counters = { sent: 0, failed: 0, bytes: 0 };

  constructor(deps: SnapshotSenderDeps) {
    this.#deps = deps;
  }

  /** Snapshots on their way. */
  get running(): number {
    return this.#running;
  }

  maySend(replica: Replica, to: ReplicaId): boolean {
    const member = replica.member(to);
    if (this.#stopped || member === undefined || this.#running >= limits.snapshotsOut) return false;
    if ((this.#resting.get(member.node) ?? 0) > this.#deps.clock.nowMs()) return false;
    return this.#deps.connected(member.node);
  }

  /** Sends what the core's `MsgSnap` stands for, or something newer; `over` tells its end. */
  send(replica: Replica, message: Message): void {
    const { log, over } = this.#deps;
    const member = replica.member(message.to);
    const transfer =
      member === undefined || !this.maySend(replica, message.to)
        ? undefined
        : this.#begin(replica, message, member.node, member.mark);
    if (transfer === undefined) {
      over(replica, message.to, false);
      return;
    }
    this.#running++;
    const { group } = replica;
    const { node } = transfer;
    this.#transfer(transfer)
      .then(
        verdict => {
          if (verdict === 'installed') {
            this.counters.sent++;
            log.info('sent a snapshot', { group, peer: node, index: transfer.reading.applied });
          } else {
            this.counters.failed++;
            this.#rest(node, verdict === 'busy' ? busyMs : failedMs);
            log.debug('a snapshot was not taken', { group, peer: node, verdict });
          }
          return verdict === 'installed';
        },
        (error: unknown) => {
          this.counters.failed++;
          this.#rest(node, failedMs);
          log.info('a snapshot broke off', { group, peer: node, why: String(error) });
          return false;
        },
      )
      .then(ok => {
        this.#running--;
        if (!this.#stopped) over(replica, transfer.to, ok);
      }, this.#neverHere);
  }

  readonly #neverHere = (error: unknown): void => {
    this.#deps.log.error('the end of a snapshot failed', { why: String(error) });
  };

  #begin(replica: Replica, message: Message, node: NodeId, toStore: number): Transfer | undefined {
    const reading = this.#deps.store.readGroup(replica.group);
    const descriptor = decodeDescriptor(reading.descriptor);
    const { applied: index, appliedTerm: term } = reading;
    const snapshot = { index, term, conf: descriptor.conf };
    const transfer = {
      replica,
      to: message.to,
      node,
      toStore,
      message: { ...message, snapshot },
      reading,
      descriptor,
    };
    // What is on the disk may be a batch newer than what the core was told.
    if (isSeated(descriptor.conf, message.to) && index >= (message.snapshot?.index ?? 0)) {
      return transfer;
    }
    reading.close().catch(this.#neverHere);
    return undefined;
  }

  #rest(node: NodeId, leastMs: number): void {
    const { clock, random } = this.#deps;
    this.#resting.set(node, clock.nowMs() + leastMs + (random.uint32() % leastMs));
  }

  async #transfer(transfer: Transfer): Promise<Verdict> {
    const { bulk } = this.#deps;
    let stream: BulkStream | undefined;
    try {
      stream = await this.#soon(bulk.open(transfer.node), 'open');
      this.#streams.add(stream);
      return await this.#speak(transfer, stream);
    } catch (error) {
      stream?.abort();
      throw error;
    } finally {
      if (stream !== undefined) this.#streams.delete(stream);
      await transfer.reading.close();
    }
  }

  async #speak(transfer: Transfer, stream: BulkStream): Promise<Verdict> {
    const { replica, toStore, descriptor, message, reading } = transfer;
    const { group } = replica;
    const { clusterId } = this.#deps;
    const header = { clusterId, group, toStore, descriptor, message };
    await this.#soon(stream.send(encodePart({ kind: 'header', header })), 'header');
    let taken = -1;
    let sent = 0;
    /** Waits until the receiver has room for another chunk; its verdict where it has made one. */
    const room = async (): Promise<Verdict | undefined> => {
      while (taken < 0 || sent - taken >= limits.snapshotWindow) {
        const answer = await this.#answer(stream);
        if (answer.kind === 'verdict') return answer.verdict;
        taken = answer.seq;
      }
      return undefined;
    };
    const put = async (parts: readonly SnapshotPart[]): Promise<Verdict | undefined> => {
      for (const part of parts) {
        const verdict = await room();
        if (verdict !== undefined) return verdict;
        if (!stillLeads(replica, message)) {
          throw new TschedError('notLeader', 'this replica does not lead its group any more');
        }
        const bytes = encodePart(part);
        await this.#pace(bytes.length);
        await this.#soon(stream.send(bytes), 'chunk');
        this.counters.bytes += bytes.length;
        if (part.kind === 'chunk') sent = part.seq;
      }
      return undefined;
    };
    let verdict = await room();
    const cutter = new RowCutter();
    while (verdict === undefined) {
      const rows = await reading.next(limits.snapshotChunkBytes);
      verdict = await put(rows.length > 0 ? cutter.push(rows) : cutter.end());
      if (rows.length === 0) break;
    }
    while (verdict === undefined) {
      const answer = await this.#answer(stream);
      if (answer.kind === 'verdict') verdict = answer.verdict;
    }
    stream.end();
    return verdict;
  }

  async #answer(stream: BulkStream): Promise<Extract<SnapshotPart, { kind: 'taken' | 'verdict' }>> {
    const bytes = await this.#soon(stream.next(), 'answer');
    if (bytes === undefined) throw new TschedError('nodeUnreachable', 'the receiver went away');
    const part = decodePart(bytes);
    if (part.kind === 'taken' || part.kind === 'verdict') return part;
    throw new DecodeError(`snapshot: a ${part.kind} for an answer`);
  }

  #soon<T>(work: Promise<T>, what: string): Promise<T> {
    const late = (): TschedError =>
      new TschedError('nodeUnreachable', `snapshot: no progress (${what})`);
    return within(this.#deps.clock, work, limits.snapshotStallMs, late);
  }

  /** Keeps all transfers together below the rate. */
  async #pace(bytes: number): Promise<void> {
    const { clock, bytesPerSecond } = this.#deps;
    const nowMs = clock.nowMs();
    this.#freeAtMs = Math.max(nowMs, this.#freeAtMs) + (bytes / bytesPerSecond) * 1_000;
    const waitMs = this.#freeAtMs - nowMs - burstMs;
    if (waitMs > 0) await new Promise<void>(resolve => clock.after(waitMs, resolve));
  }

  /** Breaks everything off; nobody is told. */
  stop(): void {
    this.#stopped = true;
    for (const stream of this.#streams) stream.abort();
  }
}

function stillLeads({ core, removed }: Replica, message: Message): boolean {
  return !removed && core.role === 'leader' && core.term === message.term;
}
