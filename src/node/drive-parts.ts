/** What the drive loop is given, and whom it tells. */
import type { NodeId } from '../model/ids.ts';
import type { Clock, Random } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Store } from '../ports/store.ts';
import type { Message, ReplicaId } from '../raft/message.ts';
import type { GroupMachine } from './group-machine.ts';
import type { LogLimits } from './log-policy.ts';
import type { Peers } from './peers.ts';
import type { Replica } from './replica.ts';

/** A message of a peer that waits for the next turn. */
export interface Inbound {
  readonly from: NodeId;
  readonly group: number;
  readonly message: Message;
}

export interface DriveObserver {
  applied(replica: Replica, index: number, effects: readonly unknown[]): void;
  roleChanged(replica: Replica): void;
  confChanged(replica: Replica): void;
  /** Its state came as a whole: what happened in between is told by no effect. */
  installed(replica: Replica): void;
  /** A broken invariant or a command this program does not know: the process has to end. */
  fatal(error: unknown): void;
}

/** How a whole state leaves for another node. */
interface SnapshotWay {
  maySend(replica: Replica, to: ReplicaId): boolean;
  /** `message` is a `MsgSnap`; the core is told when the transfer is over. */
  send(replica: Replica, message: Message): void;
}

export interface DriveParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly store: Store;
  readonly peers: Peers;
  readonly observer: DriveObserver;
  readonly machineFor: (group: number) => GroupMachine;
  readonly snapshots: SnapshotWay;
  /** How long logs may get. */
  readonly logLimits: LogLimits;
}

export const newCounters = () => ({
  turns: 0,
  batches: 0,
  ticks: 0,
  applied: 0,
  stalls: 0,
  /** Messages dropped because too many waited. */
  dropped: 0,
  truncations: 0,
});
