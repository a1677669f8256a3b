/**
 * The options of one replica. They are etcd-io/raft's, so that its transcripts can be run; what
 * production uses is fixed in `production.ts`.
 */
import { RaftFatal } from './fatal.ts';
import type { LogReader } from './log-reader.ts';
import type { Index, ReplicaId } from './message.ts';

export interface RaftConfig {
  readonly id: ReplicaId;
  /** Ticks without a leader before an election; the timeout is drawn from [T, 2T). */
  readonly electionTick: number;
  /** Ticks between a leader's heartbeats; less than `electionTick`. */
  readonly heartbeatTick: number;
  readonly storage: LogReader;
  /** Last applied index at start; 0 to apply from the beginning of the log. */
  readonly applied: Index;
  /** Uniform unsigned 32-bit integers, for election timeouts only. */
  readonly rng: () => number;
  /** Bytes of entries in one append message. */
  readonly maxSizePerMsg: number;
  /** Unacknowledged append messages per follower. */
  readonly maxInflightMsgs: number;
  /** Bytes of data in unacknowledged appends per follower; 0 for no limit. */
  readonly maxInflightBytes: number;
  /** Bytes of data a leader takes that are not applied yet; more is refused as `busy`. */
  readonly maxUncommittedBytes: number;
  /** Bytes of entries handed out for applying and not applied yet. */
  readonly maxApplyBytes: number;
  /** Ask before disturbing: an election starts only if it could be won (thesis 9.6). */
  readonly preVote: boolean;
  /** A leader without a majority steps down; followers in its lease ignore candidates. */
  readonly checkQuorum: boolean;
  /** A leader that is removed or demoted becomes a follower at once. */
  readonly stepDownOnRemoval: boolean;
  /**
   * A refused vote tells the candidate how far the refuser knows the log to be committed. Without
   * it a removed leader with a longer log can keep the rest from electing anybody, because they do
   * not know that the change which removed it is committed. etcd does not have this.
   */
  readonly commitInVotes: boolean;
  /** Serve reads from the lease, without a round of heartbeats. Unsafe when clocks stop. */
  readonly readOnlyLeaseBased: boolean;
  /** Hand out committed entries that are not durable here yet. For the synchronous adapter only. */
  readonly applyUnstable: boolean;
  /** Append configuration changes without checking them against the current configuration. */
  readonly disableConfChangeValidation: boolean;
  /** Append an empty entry in place of a refused configuration change, as etcd does. */
  readonly replaceRefusedConf: boolean;
}

/** Throws `RaftFatal` for options that cannot work. */
export function checkConfig(config: RaftConfig): void {
  const positive: readonly (keyof RaftConfig)[] = [
    'id',
    'heartbeatTick',
    'electionTick',
    'maxInflightMsgs',
    'maxSizePerMsg',
    'maxUncommittedBytes',
    'maxApplyBytes',
  ];
  for (const key of positive) {
    const value = config[key];
    if (typeof value !== 'number' || !(value > 0)) {
      throw new RaftFatal(`option ${key} must be positive, not ${String(value)}`);
    }
  }
  if (config.electionTick <= config.heartbeatTick) {
    throw new RaftFatal('electionTick must be greater than heartbeatTick');
  }
  if (config.readOnlyLeaseBased && !config.checkQuorum) {
    throw new RaftFatal('lease-based reads need checkQuorum');
  }
}
