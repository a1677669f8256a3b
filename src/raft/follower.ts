/**
 * What a replica does with its leader's messages: entries, heartbeats, snapshots (sections 3.5 and
 * 5 of the thesis). Answers to appends are promises and wait for the disk; answers to heartbeats
 * promise nothing and never wait.
 */
import { restoreConf } from './conf-change.ts';
import { RaftFatal } from './fatal.ts';
import { confFault } from './membership.ts';
import type { Index, Message, SnapshotMeta } from './message.ts';
import { newMessage } from './message.ts';
import type { StepResult } from './ready.ts';
import type { Replica } from './replica.ts';

function acknowledge(replica: Replica, message: Message, index: Index): void {
  const { id, term } = replica;
  replica.sendAfterPersist(newMessage('MsgAppResp', id, message.from, term, index));
}

export function onAppend(replica: Replica, message: Message): StepResult {
  const { log } = replica;
  if (message.index < log.committed) {
    // Old news: everything up to our commit index matches by definition.
    acknowledge(replica, message, log.committed);
    return 'ok';
  }
  const { index, logTerm, entries, commit } = message;
  const last = log.appendAfter(index, logTerm, entries, commit);
  if (last !== undefined) {
    acknowledge(replica, message, last);
    return 'ok';
  }
  // Tell where the logs can agree at the latest, so that the leader probes once per term.
  const hint = log.findConflictByTerm(Math.min(index, log.lastIndex()), logTerm);
  const refusal = newMessage('MsgAppResp', replica.id, message.from, replica.term, index);
  refusal.reject = true;
  refusal.rejectHint = hint.index;
  refusal.logTerm = hint.term;
  replica.sendAfterPersist(refusal);
  return 'ok';
}

export function onHeartbeat(replica: Replica, message: Message): StepResult {
  replica.log.commitTo(message.commit);
  const reply = newMessage('MsgHeartbeatResp', replica.id, message.from, replica.term);
  reply.readCtr = message.readCtr;
  replica.send(reply);
  return 'ok';
}

export function onSnapshot(replica: Replica, message: Message): StepResult {
  const { snapshot } = message;
  if (snapshot === undefined) return 'ignored';
  const restored = restore(replica, snapshot);
  const index = restored ? replica.log.lastIndex() : replica.log.committed;
  acknowledge(replica, message, index);
  return 'ok';
}

/** Starts over from the snapshot; false if it is old or the log holds its last entry already. */
function restore(replica: Replica, snapshot: SnapshotMeta): boolean {
  const { log, id } = replica;
  if (snapshot.index <= log.committed) return false;
  const fault = confFault(snapshot.conf);
  if (fault !== undefined) throw new RaftFatal(`snapshot with a broken membership: ${fault}`);
  const { voters, votersOutgoing, learners } = snapshot.conf;
  // Only a member can use it: the sender has a configuration that is not ours any more.
  if (![voters, votersOutgoing, learners].some(ids => ids.includes(id))) return false;
  if (log.matches(snapshot.index, snapshot.term)) {
    log.commitTo(snapshot.index);
    return false;
  }
  log.restore(snapshot);
  restoreConf(replica, snapshot.conf);
  return true;
}
