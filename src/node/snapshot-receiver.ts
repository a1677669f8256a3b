/**
 * The receiving side of a snapshot: rows are staged in the store while they come, checked as a
 * whole at the end, loaded into a machine of their own, and offered to the core, which decides
 * whether they become the replica's state. Whatever goes wrong leaves the replica as it is.
 */
import { DecodeError } from '../model/bytes.ts';
import { TschedError } from '../model/errors.ts';
import type { NodeId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import type { BulkStream } from '../ports/bulk.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Row, Store, StoreOp } from '../ports/store.ts';
import type { Message, SnapshotMeta } from '../raft/message.ts';
import type { GroupMachine } from './group-machine.ts';
import { loadMachine } from './load-machine.ts';
import type { Replica } from './replica.ts';
import type { IncomingState } from './replica-batch.ts';
import {
  decodePart,
  encodePart,
  RowJoiner,
  type SnapshotHeader,
  type SnapshotPart,
  type Verdict,
} from './snapshot-wire.ts';
import { within } from './within.ts';

/** Rows are written in batches of about this size. */
const stageBytes = 1024 * 1024;
/** While rows are loaded, the sender hears this often that it goes on. */
const aliveMs = 5_000;

export interface SnapshotReceiverDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Store;
  readonly clusterId: string;
  machineFor(group: number): GroupMachine;
  /** Marks this node's store. */
  mark(): number;
  replica(group: number): Replica | undefined;
  /** Whether this peer may speak about the group at all. */
  mayTell(peer: NodeId, group: number): boolean;
  /** Puts an operation on the group of this replica into a batch; resolves when it is durable. */
  put(replica: Replica, op: StoreOp): Promise<void>;
  /** Offers a staged state to the replica's core; `incoming.settle` tells what came of it. */
  install(replica: Replica, incoming: IncomingState, message: Message): void;
  /** Tells the core of a state that it has already. */
  step(replica: Replica, message: Message): void;
}

interface Accepted {
  readonly replica: Replica;
  readonly header: SnapshotHeader;
  readonly snapshot: SnapshotMeta;
}

export class SnapshotReceiver {
  readonly #deps: SnapshotReceiverDeps;
  readonly #streams = new Set<BulkStream>();
  #running = 0;
  #stopped = false;
  readonly counters = { received: 0, failed: 0, bytes: 0 };

  constructor(deps: SnapshotReceiverDeps) {
    this.#deps = deps;
  }

  /** Snapshots that are being taken in. */
  get running(): number {
    return this.#running;
  }

  /** Takes a stream that a peer has opened. */
  take(stream: BulkStream): void {
    if (this.#stopped) {
      stream.abort();
      return;
    }
    this.#streams.add(stream);
    const { log } = this.#deps;
    this.#converse(stream)
      .then(
        () => stream.end(),
        (error: unknown) => {
          this.counters.failed++;
          log.info('a snapshot was not received', { peer: stream.peer, why: String(error) });
          stream.abort();
        },
      )
      .finally(() => this.#streams.delete(stream))
      .catch((error: unknown) => {
        log.error('the end of a snapshot failed', { peer: stream.peer, why: String(error) });
      });
  }

  async #converse(stream: BulkStream): Promise<void> {
    const part = await this.#part(stream);
    if (part.kind !== 'header') throw new DecodeError(`snapshot: it begins with a ${part.kind}`);
    const verdict = await this.#receive(stream, part.header);
    await this.#soon(stream.send(encodePart({ kind: 'verdict', verdict })));
  }

  async #receive(stream: BulkStream, header: SnapshotHeader): Promise<Verdict> {
    const accepted = this.#judge(stream.peer, header);
    if (typeof accepted === 'string') return accepted;
    if (this.#running >= limits.snapshotsIn) return 'busy';
    this.#running++;
    const { replica } = accepted;
    try {
      const installed = await this.#stage(stream, accepted);
      if (!installed) await this.#unstage(replica);
      else this.counters.received++;
      return installed ? 'installed' : 'stale';
    } catch (error) {
      await this.#unstage(replica);
      throw error;
    } finally {
      this.#running--;
    }
  }

  #judge(peer: NodeId, header: SnapshotHeader): Accepted | Verdict {
    const { group, message, descriptor } = header;
    const { snapshot } = message;
    const { deps } = { deps: this.#deps };
    if (header.clusterId !== deps.clusterId || header.toStore !== deps.mark()) return 'refused';
    if (message.type !== 'MsgSnap' || snapshot === undefined) return 'refused';
    if (snapshot.index < 1 || descriptor.confIndex > snapshot.index) return 'refused';
    if (!deps.mayTell(peer, group)) return 'refused';
    const replica = deps.replica(group);
    if (replica === undefined || replica.removed || replica.id !== message.to) return 'refused';
    const sender = replica.member(message.from);
    // A replica lives on one node for ever: nobody else speaks for it.
    if (sender !== undefined && sender.node !== peer) return 'refused';
    if (this.#isStale(replica, message, snapshot)) return 'stale';
    return { replica, header, snapshot };
  }

  /**
   * The replica has as much already, or knows of a later leader than the sender. In the first case
   * the core is told all the same: its answer is how the leader learns from where to go on. Else a
   * leader whose log begins behind what it knows of this replica would offer the same state for
   * ever.
   */
  #isStale(replica: Replica, message: Message, snapshot: SnapshotMeta): boolean {
    const { core } = replica;
    if (message.term < core.term) return true;
    if (snapshot.index > core.committed) return false;
    this.#deps.step(replica, message);
    return true;
  }

  async #stage(stream: BulkStream, accepted: Accepted): Promise<boolean> {
    const { replica, header, snapshot } = accepted;
    const { group } = replica;
    const { log } = this.#deps;
    log.info('takes in a snapshot', { group, peer: stream.peer, index: snapshot.index });
    // Also makes sure that a replica that is new here is on the disk before its rows are.
    await this.#put(replica, { kind: 'unstage', group });
    await this.#tell(stream, 0);
    const joiner = new RowJoiner();
    let rows: Row[] = [];
    let bytes = 0;
    for (;;) {
      const part = await this.#part(stream);
      if (part.kind === 'trailer') {
        joiner.end(part);
        break;
      }
      if (part.kind !== 'chunk') throw new DecodeError(`snapshot: a ${part.kind} among the rows`);
      for (const row of joiner.push(part.seq, part.bytes)) rows.push(row);
      bytes += part.bytes.length;
      this.counters.bytes += part.bytes.length;
      if (this.#isStale(replica, header.message, snapshot)) return false;
      if (bytes >= stageBytes) {
        await this.#put(replica, { kind: 'stage', group, rows });
        rows = [];
        bytes = 0;
      }
      await this.#tell(stream, part.seq);
    }
    if (rows.length > 0) await this.#put(replica, { kind: 'stage', group, rows });
    return this.#install(stream, accepted, joiner.chunks);
  }

  async #install(
    stream: BulkStream,
    { replica, header, snapshot }: Accepted,
    chunks: number,
  ): Promise<boolean> {
    const { clock, machineFor, store, install } = this.#deps;
    const machine = machineFor(replica.group);
    let toldMs = clock.nowMs();
    await loadMachine(machine, store.stagedRows(replica.group), snapshot.index, async () => {
      if (clock.nowMs() - toldMs < aliveMs) return;
      // It may take longer than the sender waits for a word.
      toldMs = clock.nowMs();
      await this.#tell(stream, chunks);
    });
    this.#assertPresent(replica);
    const { index, term, conf } = snapshot;
    const { confIndex, members } = header.descriptor;
    return new Promise(settle => {
      const descriptor = { replicaId: replica.id, confIndex, conf, members };
      install(replica, { index, term, descriptor, machine, settle }, header.message);
    });
  }

  #put(replica: Replica, op: StoreOp): Promise<void> {
    this.#assertPresent(replica);
    return this.#soon(this.#deps.put(replica, op));
  }

  #assertPresent(replica: Replica): void {
    const present = this.#deps.replica(replica.group) === replica && !replica.removed;
    if (!present || this.#stopped) {
      throw new TschedError('notLeader', `the replica of group ${replica.group} is gone`);
    }
  }

  async #unstage(replica: Replica): Promise<void> {
    const { group } = replica;
    if (this.#stopped || this.#deps.replica(group) !== replica) return;
    await this.#deps.put(replica, { kind: 'unstage', group });
  }

  async #tell(stream: BulkStream, seq: number): Promise<void> {
    await this.#soon(stream.send(encodePart({ kind: 'taken', seq })));
  }

  async #part(stream: BulkStream): Promise<SnapshotPart> {
    const bytes = await this.#soon(stream.next());
    if (bytes === undefined) throw new TschedError('nodeUnreachable', 'the sender went away');
    return decodePart(bytes);
  }

  #soon<T>(work: Promise<T>): Promise<T> {
    const late = (): TschedError => new TschedError('nodeUnreachable', 'snapshot: no progress');
    return within(this.#deps.clock, work, limits.snapshotStallMs, late);
  }

  stop(): void {
    this.#stopped = true;
    for (const stream of this.#streams) stream.abort();
  }
}
