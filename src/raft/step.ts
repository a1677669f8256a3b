/**
 * The way of one message into a replica: the rules about terms first, which are the same for all
 * types, then the rules of the role.
 */
import {
  answerVote,
  campaignOnTransfer,
  learnCommit,
  onVoteReply,
  onVoteRequest,
} from './election.ts';
import { RaftFatal } from './fatal.ts';
import { onAppend, onHeartbeat, onSnapshot } from './follower.ts';
import { type Message, NONE, newMessage } from './message.ts';
import type { StepResult } from './ready.ts';
import type { Replica } from './replica.ts';
import { onAppendReply, onHeartbeatReply } from './replication.ts';

function isFromLeader(message: Message): boolean {
  const { type } = message;
  return type === 'MsgApp' || type === 'MsgHeartbeat' || type === 'MsgSnap';
}

/** Takes one message of a peer, or one of our own that waited for the disk. */
export function step(replica: Replica, message: Message): StepResult {
  if (message.term > replica.term) {
    if (!admitHigherTerm(replica, message)) return 'ignored';
  } else if (message.term < replica.term) {
    return onLowerTerm(replica, message);
  }
  if (message.type === 'MsgVote' || message.type === 'MsgPreVote') {
    return onVoteRequest(replica, message);
  }
  if (message.reject && (message.type === 'MsgVoteResp' || message.type === 'MsgPreVoteResp')) {
    learnCommit(replica, message);
  }
  if (replica.role === 'leader') return stepLeader(replica, message);
  if (isFromLeader(message)) return followLeader(replica, message);
  if (replica.role === 'follower') return stepFollower(replica, message);
  if (message.type === 'MsgVoteResp' || message.type === 'MsgPreVoteResp') {
    return onVoteReply(replica, message);
  }
  return 'ignored';
}

/** Adopts a higher term where the message's type calls for it; false to drop the message. */
function admitHigherTerm(replica: Replica, message: Message): boolean {
  const { type } = message;
  if (type === 'MsgVote' || type === 'MsgPreVote') {
    // A replica that hears its leader does not help to depose it (thesis 4.2.3), unless the leader
    // itself hands over.
    const inLease =
      replica.config.checkQuorum &&
      replica.lead !== NONE &&
      replica.electionElapsed < replica.config.electionTick;
    if (inLease && !message.transfer) return false;
  }
  // A pre-vote asks about a term that nobody has entered; a granted one echoes it.
  if (type === 'MsgPreVote' || (type === 'MsgPreVoteResp' && !message.reject)) return true;
  replica.becomeFollower(message.term, isFromLeader(message) ? message.from : NONE);
  return true;
}

function onLowerTerm(replica: Replica, message: Message): StepResult {
  const { checkQuorum, preVote } = replica.config;
  const { type } = message;
  if ((checkQuorum || preVote) && (type === 'MsgHeartbeat' || type === 'MsgApp')) {
    // We may be stuck in a higher term: a candidate that nobody may vote for, because they hear
    // this leader. Our term in an answer makes it step down, and the group elects anew.
    const { id, term } = replica;
    replica.sendAfterPersist(newMessage('MsgAppResp', id, message.from, term));
    return 'ok';
  }
  if (type === 'MsgPreVote') {
    // Silence could deadlock replicas of mixed terms: refuse, with our term.
    answerVote(replica, message, false);
    return 'ok';
  }
  return 'ignored';
}

function stepLeader(replica: Replica, message: Message): StepResult {
  if (isFromLeader(message)) {
    throw new RaftFatal(
      `two leaders in term ${replica.term}: ${replica.id} and ${message.from} (${message.type})`,
    );
  }
  const peer = replica.peers.get(message.from);
  if (peer === undefined) return 'ignored';
  if (message.type === 'MsgAppResp') onAppendReply(replica, peer, message);
  else if (message.type === 'MsgHeartbeatResp') onHeartbeatReply(replica, peer, message);
  else return 'ignored';
  return 'ok';
}

/** A leader of our term has spoken: whoever we were, we follow it. */
function followLeader(replica: Replica, message: Message): StepResult {
  if (replica.role === 'follower') {
    replica.electionElapsed = 0;
    replica.lead = message.from;
  } else {
    replica.becomeFollower(message.term, message.from);
  }
  if (message.type === 'MsgApp') return onAppend(replica, message);
  return message.type === 'MsgHeartbeat'
    ? onHeartbeat(replica, message)
    : onSnapshot(replica, message);
}

function stepFollower(replica: Replica, message: Message): StepResult {
  if (message.type !== 'MsgTimeoutNow') return 'ignored';
  return campaignOnTransfer(replica) ? 'ok' : 'ignored';
}
