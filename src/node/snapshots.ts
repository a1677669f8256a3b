/** Snapshots in both directions, between the drive loop and the streams that carry them. */
import type { NodeId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import type { BulkTransport } from '../ports/bulk.ts';
import type { Clock, Random } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Store } from '../ports/store.ts';
import type { Message, ReplicaId } from '../raft/message.ts';
import type { DriveLoop } from './drive-loop.ts';
import type { GroupMachine } from './group-machine.ts';
import type { Replica } from './replica.ts';
import { SnapshotReceiver } from './snapshot-receiver.ts';
import { SnapshotSender } from './snapshot-sender.ts';

export interface SnapshotCounters {
  readonly sent: number;
  readonly sendFailed: number;
  readonly bytesOut: number;
  readonly received: number;
  readonly receiveFailed: number;
  readonly bytesIn: number;
  /** Under way, in either direction. */
  readonly running: number;
}

export class Snapshots {
  readonly #bulk: BulkTransport;
  readonly #sender: SnapshotSender;
  readonly #receiver: SnapshotReceiver;

  constructor(deps: {
    readonly ports: {
      readonly clock: Clock;
      readonly random: Random;
      readonly log: Log;
      readonly store: Store;
      readonly bulk: BulkTransport;
    };
    readonly loop: DriveLoop;
    readonly clusterId: string;
    machineFor(group: number): GroupMachine;
    connected(node: NodeId): boolean;
    mayTell(peer: NodeId, group: number): boolean;
  }) {
    const { ports, loop, clusterId } = deps;
    this.#bulk = ports.bulk;
    this.#sender = new SnapshotSender({
      ...ports,
      clusterId,
      bytesPerSecond: limits.snapshotBytesPerSecond,
      connected: deps.connected,
      over: (replica, to, ok) => {
        replica.core.reportSnapshot(to, ok);
        loop.touch(replica);
      },
    });
    this.#receiver = new SnapshotReceiver({
      ...ports,
      clusterId,
      machineFor: deps.machineFor,
      mark: () => loop.mark,
      replica: group => loop.replica(group),
      mayTell: deps.mayTell,
      put: (replica, op) => loop.put(replica, op),
      install: (replica, incoming, message) => loop.install(replica, incoming, message),
      step: (replica, message) => loop.step(replica, message),
    });
  }

  start(): Promise<void> {
    return this.#bulk.start(stream => this.#receiver.take(stream));
  }

  maySend(replica: Replica, to: ReplicaId): boolean {
    return this.#sender.maySend(replica, to);
  }

  send(replica: Replica, message: Message): void {
    this.#sender.send(replica, message);
  }

  counters(): SnapshotCounters {
    const { sent, failed, bytes } = this.#sender.counters;
    const { received, failed: receiveFailed, bytes: bytesIn } = this.#receiver.counters;
    return {
      sent,
      sendFailed: failed,
      bytesOut: bytes,
      received,
      receiveFailed,
      bytesIn,
      running: this.#sender.running + this.#receiver.running,
    };
  }

  async stop(): Promise<void> {
    this.#sender.stop();
    this.#receiver.stop();
    await this.#bulk.stop();
  }
}
