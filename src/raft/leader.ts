/**
 * What a leader is asked to do: append proposals, change the membership, hand over, notice that it
 * has lost its majority.
 */
import { decodeConfChange, encodeConfChange } from './codec.ts';
import { confRefusal } from './conf-change.ts';
import { RaftFatal } from './fatal.ts';
import type { ConfChange, EntryType, ReplicaId } from './message.ts';
import { ENTRY_CONF_V2, ENTRY_NORMAL, NONE } from './message.ts';
import type { ProposeRefusal, ProposeResult } from './ready.ts';
import type { Draft, Replica } from './replica.ts';
import { broadcastAppend, broadcastHeartbeat, sendAppend, sendTimeoutNow } from './replication.ts';

/** One tick of a leader: check the majority once per election timeout, send heartbeats. */
export function tickLeader(replica: Replica): void {
  const { electionTick, heartbeatTick, checkQuorum } = replica.config;
  replica.heartbeatElapsed++;
  replica.electionElapsed++;
  if (replica.electionElapsed >= electionTick) {
    replica.electionElapsed = 0;
    if (checkQuorum) stepDownWithoutQuorum(replica);
    // The transfer did not succeed in time: take proposals again.
    if (replica.role === 'leader') replica.transferee = NONE;
  }
  if (replica.role !== 'leader' || replica.heartbeatElapsed < heartbeatTick) return;
  replica.heartbeatElapsed = 0;
  broadcastHeartbeat(replica);
}

function stepDownWithoutQuorum(replica: Replica): void {
  if (!replica.peers.quorumActive(replica.conf)) replica.becomeFollower(replica.term, NONE);
  for (const peer of replica.peers.all) {
    if (peer.id !== replica.id) peer.recentActive = false;
  }
}

function refused(replica: Replica, why: ProposeRefusal): ProposeResult {
  return { ok: false, why, lead: replica.lead };
}

function proposalRefusal(replica: Replica): ProposeRefusal | undefined {
  if (replica.role !== 'leader') return 'notLeader';
  if (replica.peers.get(replica.id) === undefined) return 'removed';
  return replica.transferee === NONE ? undefined : 'transferring';
}

function append(replica: Replica, drafts: readonly Draft[]): ProposeResult {
  const first = replica.log.lastIndex() + 1;
  if (!replica.appendDrafts(drafts)) return refused(replica, 'busy');
  broadcastAppend(replica);
  return { ok: true, first, term: replica.term };
}

/** Appends commands: one message per follower for all of them. */
export function propose(replica: Replica, commands: readonly Uint8Array[]): ProposeResult {
  if (commands.length === 0) throw new RaftFatal('proposed nothing');
  const why = proposalRefusal(replica);
  if (why !== undefined) return refused(replica, why);
  return append(
    replica,
    commands.map(data => ({ type: ENTRY_NORMAL, data })),
  );
}

/** Appends a membership change if it may follow what is in the log. */
export function proposeConf(replica: Replica, change: ConfChange, type: EntryType): ProposeResult {
  const why = proposalRefusal(replica);
  if (why !== undefined) return refused(replica, why);
  const refusal = confRefusal(replica, change);
  const { disableConfChangeValidation, replaceRefusedConf } = replica.config;
  if (refusal !== undefined && !disableConfChangeValidation) {
    if (!replaceRefusedConf) return refused(replica, refusal);
    return append(replica, [{ type: ENTRY_NORMAL, data: new Uint8Array(0) }]);
  }
  const index = replica.log.lastIndex() + 1;
  const result = append(replica, [{ type, data: encodeConfChange(change) }]);
  if (result.ok) replica.pendingConfIndex = index;
  return result;
}

/** After applying: leaves the joint phase by itself when the change that entered it is applied. */
export function maybeLeaveJoint(replica: Replica): void {
  if (replica.role !== 'leader' || !replica.conf.autoLeave) return;
  if (replica.log.applied < replica.pendingConfIndex) return;
  // Refused while leadership is handed over; the next applied entry, or leader, tries again.
  proposeConf(replica, decodeConfChange(new Uint8Array(0)), ENTRY_CONF_V2);
}

/**
 * Hands leadership to `to`: proposals stop, the target gets the rest of the log and is told to
 * campaign at once (thesis 3.10). Given up after one election timeout. False if impossible.
 */
export function transferLeader(replica: Replica, to: ReplicaId): boolean {
  if (replica.role !== 'leader') return false;
  const peer = replica.peers.get(to);
  if (peer === undefined || peer.learner) return false;
  if (replica.transferee === to) return true;
  replica.transferee = NONE;
  if (to === replica.id) return false;
  replica.electionElapsed = 0;
  replica.transferee = to;
  if (peer.match === replica.log.lastIndex()) sendTimeoutNow(replica, to);
  else sendAppend(replica, peer, true);
  return true;
}

/** The transport could not deliver: stop sending ahead until the follower answers. */
export function reportUnreachable(replica: Replica, id: ReplicaId): void {
  const peer = replica.role === 'leader' ? replica.peers.get(id) : undefined;
  if (peer?.state === 'replicate') peer.becomeProbe();
}

/** A snapshot has arrived or failed: probe, but only after the follower's next sign of life. */
export function reportSnapshot(replica: Replica, id: ReplicaId, ok: boolean): void {
  const peer = replica.role === 'leader' ? replica.peers.get(id) : undefined;
  if (peer?.state !== 'snapshot') return;
  if (!ok) peer.pendingSnapshot = 0;
  peer.becomeProbe();
  peer.paused = true;
}
