/** What `add-nodes` says about the cores it makes. No limits unless they are asked for. */
import { type Directive, valuesOf } from './datadriven.ts';
import type { CoreOptions } from './node.ts';

export const ELECTION_TICK = 3;
export const HEARTBEAT_TICK = 1;

/** A `key=true` argument. */
export function flag(directive: Directive, key: string, otherwise = false): boolean {
  const value = valuesOf(directive, key)[0];
  return value === undefined ? otherwise : value === 'true';
}

function limit(directive: Directive, key: string): number {
  const value = valuesOf(directive, key)[0];
  return value === undefined ? Number.POSITIVE_INFINITY : Number(value);
}

export function coreOptions(directive: Directive): CoreOptions {
  const async = flag(directive, 'async-storage-writes');
  return {
    electionTick: ELECTION_TICK,
    heartbeatTick: HEARTBEAT_TICK,
    maxSizePerMsg: limit(directive, 'max-size-per-msg'),
    maxInflightMsgs: limit(directive, 'inflight'),
    maxInflightBytes: 0,
    maxUncommittedBytes: limit(directive, 'max-uncommitted-size'),
    maxApplyBytes: limit(directive, 'max-committed-size-per-ready'),
    preVote: flag(directive, 'prevote'),
    checkQuorum: flag(directive, 'checkquorum'),
    stepDownOnRemoval: flag(directive, 'step-down-on-removal'),
    commitInVotes: flag(directive, 'commit-in-votes'),
    readOnlyLeaseBased: valuesOf(directive, 'read-only')[0] === 'lease-based',
    applyUnstable: !async,
    disableConfChangeValidation: flag(directive, 'disable-conf-change-validation'),
    replaceRefusedConf: flag(directive, 'replace-refused-conf', true),
  };
}
