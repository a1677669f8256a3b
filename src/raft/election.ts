/**
 * Elections (sections 3.4, 4.2.3 and 9.6 of the thesis): when a replica campaigns, whom it votes
 * for, how votes are counted.
 */
import { allVoters } from './membership.ts';
import type { Message } from './message.ts';
import { NONE, newMessage } from './message.ts';
import { jointVote } from './quorum.ts';
import type { StepResult } from './ready.ts';
import type { Replica } from './replica.ts';
import { broadcastAppend } from './replication.ts';

/** Follower and candidates: one tick nearer to an election. */
export function tickElection(replica: Replica): void {
  replica.electionElapsed++;
  const timeout = replica.electionTimeout + replica.extraTicks;
  if (!replica.promotable || replica.electionElapsed < timeout) return;
  replica.electionElapsed = 0;
  campaign(replica);
}

/** Starts an election, or asks whether one could be won if pre-votes are on. */
export function campaign(replica: Replica): boolean {
  if (!mayCampaign(replica)) return false;
  if (replica.config.preVote) askForPreVotes(replica);
  else askForVotes(replica, false);
  return true;
}

/** The leader hands over to us: no pre-vote, and leases do not stand in the way. */
export function campaignOnTransfer(replica: Replica): boolean {
  if (!mayCampaign(replica)) return false;
  askForVotes(replica, true);
  return true;
}

/**
 * A replica with a committed change of membership that it has not applied would count votes by a
 * configuration that may be two steps old, whose majorities need not overlap with the newest's.
 */
function mayCampaign(replica: Replica): boolean {
  return replica.role !== 'leader' && replica.promotable && !replica.log.hasUnappliedConf();
}

function askForPreVotes(replica: Replica): void {
  replica.becomePreCandidate();
  requestVotes(replica, true, false);
}

function askForVotes(replica: Replica, transfer: boolean): void {
  replica.becomeCandidate();
  requestVotes(replica, false, transfer);
}

function requestVotes(replica: Replica, pre: boolean, transfer: boolean): void {
  const { id, log } = replica;
  const term = pre ? replica.term + 1 : replica.term;
  const last = log.lastIndex();
  const lastTerm = log.lastTerm();
  for (const voter of allVoters(replica.conf)) {
    if (voter === id) {
      // Our own vote counts when it is durable, like anybody's.
      replica.sendAfterPersist(newMessage(pre ? 'MsgPreVoteResp' : 'MsgVoteResp', id, id, term));
      continue;
    }
    const message = newMessage(pre ? 'MsgPreVote' : 'MsgVote', id, voter, term, last, lastTerm);
    message.transfer = transfer;
    replica.send(message);
  }
}

/** Anybody, at the request's term or (pre-vote) below: grants or refuses. */
export function onVoteRequest(replica: Replica, message: Message): StepResult {
  const pre = message.type === 'MsgPreVote';
  const free =
    replica.vote === message.from ||
    (replica.vote === NONE && replica.lead === NONE) ||
    (pre && message.term > replica.term);
  // Membership is not asked for: a learner that is a voter by a newer configuration must vote.
  if (!free || !replica.log.isUpToDate(message.index, message.logTerm)) {
    answerVote(replica, message, false);
    return 'ok';
  }
  answerVote(replica, message, true);
  if (!pre) {
    replica.electionElapsed = 0;
    replica.vote = message.from;
  }
  return 'ok';
}

/** A granted vote carries the term that was asked for, a refusal our own. */
export function answerVote(replica: Replica, message: Message, granted: boolean): void {
  const type = message.type === 'MsgPreVote' ? 'MsgPreVoteResp' : 'MsgVoteResp';
  const term = granted ? message.term : replica.term;
  const answer = newMessage(type, replica.id, message.from, term);
  answer.reject = !granted;
  if (!granted && replica.config.commitInVotes) {
    const { log } = replica;
    const committedTerm = log.term(log.committed);
    if (typeof committedTerm === 'number') {
      answer.commit = log.committed;
      answer.logTerm = committedTerm;
    }
  }
  replica.sendAfterPersist(answer);
}

/**
 * Whoever refused a vote may know more to be committed. If our entry at that index is of the same
 * term, the logs agree up to it, so it is committed here too. A change of membership among it has
 * to be applied before the next election.
 */
export function learnCommit(replica: Replica, refusal: Message): void {
  const { log, role } = replica;
  if (role === 'leader' || refusal.commit <= log.committed) return;
  if (!log.matches(refusal.commit, refusal.logTerm)) return;
  log.commitTo(refusal.commit);
  if (role !== 'follower' && log.hasUnappliedConf()) replica.becomeFollower(replica.term, NONE);
}

/** Candidates: counts a vote and acts on the result. */
export function onVoteReply(replica: Replica, message: Message): StepResult {
  const expected = replica.role === 'preCandidate' ? 'MsgPreVoteResp' : 'MsgVoteResp';
  if (message.type !== expected) return 'ignored';
  replica.ballot.record(message.from, !message.reject);
  const { conf } = replica;
  const result = jointVote(conf.voters, conf.votersOutgoing, replica.ballot);
  if (result === 'lost') {
    replica.becomeFollower(replica.term, NONE);
  } else if (result === 'won') {
    if (replica.role === 'preCandidate') {
      askForVotes(replica, false);
    } else {
      replica.becomeLeader();
      broadcastAppend(replica);
    }
  }
  return 'ok';
}
