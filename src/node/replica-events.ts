/** What a replica tells and asks whoever drives it. */
import type { ReplicaId } from '../raft/message.ts';
import type { Replica } from './replica.ts';

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
