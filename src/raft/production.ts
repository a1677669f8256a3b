/**
 * The options that tsched runs with. What decides safety is fixed here and cannot be set from
 * outside; what decides speed has a default. Reasons for each value: DESIGN.md beside this file.
 */
import type { RaftConfig } from './config.ts';
import type { LogReader } from './log-reader.ts';
import type { Index, ReplicaId } from './message.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** What differs between replicas, and the knobs of speed. */
export interface ProductionOptions {
  readonly id: ReplicaId;
  readonly storage: LogReader;
  readonly applied: Index;
  /** Uniform unsigned 32-bit integers. */
  readonly rng: () => number;
  /** Default 8. */
  readonly electionTick?: number | undefined;
  /** Default 1. */
  readonly heartbeatTick?: number | undefined;
  /** Bytes; default 256 KiB. */
  readonly maxSizePerMsg?: number | undefined;
  /** Default 128. */
  readonly maxInflightMsgs?: number | undefined;
  /** Bytes; default 4 MiB. */
  readonly maxInflightBytes?: number | undefined;
  /** Bytes; default 16 MiB. */
  readonly maxUncommittedBytes?: number | undefined;
  /** Bytes; default 16 MiB. */
  readonly maxApplyBytes?: number | undefined;
}

/** Options of a production replica: 200 ms ticks give elections after 1.6 to 3.2 s. */
export function productionConfig(options: ProductionOptions): RaftConfig {
  return {
    id: options.id,
    storage: options.storage,
    applied: options.applied,
    rng: options.rng,
    electionTick: options.electionTick ?? 8,
    heartbeatTick: options.heartbeatTick ?? 1,
    maxSizePerMsg: options.maxSizePerMsg ?? 256 * KIB,
    maxInflightMsgs: options.maxInflightMsgs ?? 128,
    maxInflightBytes: options.maxInflightBytes ?? 4 * MIB,
    maxUncommittedBytes: options.maxUncommittedBytes ?? 16 * MIB,
    maxApplyBytes: options.maxApplyBytes ?? 16 * MIB,
    preVote: true,
    checkQuorum: true,
    stepDownOnRemoval: true,
    commitInVotes: true,
    readOnlyLeaseBased: false,
    applyUnstable: false,
    disableConfChangeValidation: false,
    replaceRefusedConf: false,
  };
}
