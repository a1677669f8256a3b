/**
 * Membership changes in the life of a replica: what a leader accepts, what applying does. A change
 * takes effect when its entry is applied, on every replica at the same index.
 */
import { ensure, RaftFatal } from './fatal.ts';
import { changeMembership, isJoint, isVoter, leavesJoint } from './membership.ts';
import type { ConfChange, ConfState, ReplicaId } from './message.ts';
import { NONE } from './message.ts';
import { confirmReads, releasePostponed } from './reads.ts';
import type { Replica } from './replica.ts';
import { broadcastAppend } from './replication.ts';

/**
 * Why the leader must not append `change` now, if so. One change at a time: the previous one has
 * to be applied here before the next may enter the log.
 */
export function confRefusal(
  replica: Replica,
  change: ConfChange,
): 'confPending' | 'confInvalid' | undefined {
  if (replica.pendingConfIndex > replica.log.applied) return 'confPending';
  const joint = isJoint(replica.conf);
  if (joint && !leavesJoint(change)) return 'confPending';
  if (!joint && leavesJoint(change)) return 'confInvalid';
  // An entry that cannot be applied would stop every replica: try it on what it will apply to.
  if (!replica.config.replaceRefusedConf && !changeMembership(replica.conf, change).ok) {
    return 'confInvalid';
  }
  return undefined;
}

/** The entry's change takes effect. Returns the new membership, to be stored by the driver. */
export function applyConf(replica: Replica, change: ConfChange): ConfState {
  const outcome = changeMembership(replica.conf, change);
  if (!outcome.ok) throw new RaftFatal(`committed membership change: ${outcome.why}`);
  switchTo(replica, outcome.conf, outcome.fresh);
  return outcome.conf;
}

/** The membership of a snapshot takes effect on a follower. */
export function restoreConf(replica: Replica, conf: ConfState): void {
  ensure(replica.role === 'follower', 'snapshot restored by a replica that is no follower');
  // All progress starts over: none of it is about the log of the snapshot.
  replica.peers.reconcile({ ...conf, voters: [], votersOutgoing: [], learners: [] }, [], 0);
  switchTo(replica, conf, []);
}

function switchTo(replica: Replica, conf: ConfState, fresh: readonly ReplicaId[]): void {
  replica.conf = conf;
  replica.peers.reconcile(conf, fresh, replica.log.lastIndex());
  if (replica.role !== 'leader') return;
  const own = replica.peers.get(replica.id);
  if (own === undefined || own.learner) {
    // Without the option it goes on until somebody is elected, but its own log counts no more.
    if (replica.config.stepDownOnRemoval) replica.becomeFollower(replica.term, NONE);
    return;
  }
  if (replica.tryCommit()) {
    releasePostponed(replica);
    broadcastAppend(replica);
  } else {
    // New replicas get what there is at once.
    broadcastAppend(replica, false);
  }
  confirmReads(replica);
  if (!isVoter(conf, replica.transferee)) replica.transferee = NONE;
}
