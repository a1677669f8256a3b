/**
 * The leader's sending side: appends, snapshots, heartbeats, and what their replies mean
 * (sections 3.5 and 10.2.1 of the thesis, with optimistic pipelining and flow control).
 */
import type { Message, ReplicaId } from './message.ts';
import { newMessage, payloadBytes } from './message.ts';
import type { Progress } from './progress.ts';
import { confirmReads, releasePostponed } from './reads.ts';
import type { Replica } from './replica.ts';

/**
 * Sends the follower what comes next: entries, an empty append if `evenIfEmpty`, or word of a
 * snapshot if the log no longer reaches back far enough. False if nothing was sent.
 */
export function sendAppend(replica: Replica, peer: Progress, evenIfEmpty: boolean): boolean {
  if (peer.isPaused) return false;
  const { log } = replica;
  const previous = peer.next - 1;
  const previousTerm = log.term(previous);
  if (typeof previousTerm !== 'number') return sendSnapshot(replica, peer);
  // With a full window an empty append may still go: if the whole window was lost, its refusal is
  // what starts the flow again.
  const mayCarry = peer.state !== 'replicate' || !peer.inflights.full;
  const entries = mayCarry ? log.entriesFrom(peer.next, replica.config.maxSizePerMsg) : [];
  if (entries === 'fetching') return false;
  if (entries === 'compacted') return evenIfEmpty && sendSnapshot(replica, peer);
  if (entries.length === 0 && !evenIfEmpty) return false;
  const { id, term } = replica;
  const message = newMessage('MsgApp', id, peer.id, term, previous, previousTerm);
  message.commit = log.committed;
  if (entries.length > 0) message.entries = entries;
  replica.send(message);
  peer.sentEntries(entries.length, payloadBytes(entries));
  peer.sentCommit = log.committed;
  return true;
}

function sendSnapshot(replica: Replica, peer: Progress): boolean {
  // A replica that is down cannot take a snapshot: wait for a sign of life.
  if (!peer.recentActive) return false;
  const snapshot = replica.log.snapshotMeta(peer.id);
  if (snapshot === 'unavailable') return false;
  peer.becomeSnapshot(snapshot.index);
  const message = newMessage('MsgSnap', replica.id, peer.id, replica.term);
  message.snapshot = snapshot;
  replica.send(message);
  return true;
}

/** One append to every other replica that is not paused. */
export function broadcastAppend(replica: Replica, evenIfEmpty = true): void {
  for (const peer of replica.peers.all) {
    if (peer.id !== replica.id) sendAppend(replica, peer, evenIfEmpty);
  }
}

/** One heartbeat to every other replica, carrying the newest waiting read. */
export function broadcastHeartbeat(replica: Replica): void {
  const { id, term, log, reads } = replica;
  const ctr = reads.heartbeatCtr;
  for (const peer of replica.peers.all) {
    if (peer.id === id) continue;
    // Never tell of a commit beyond what is known to match: the follower's end may differ.
    const commit = Math.min(peer.match, log.committed);
    const message = newMessage('MsgHeartbeat', id, peer.id, term);
    message.commit = commit;
    message.readCtr = ctr;
    replica.send(message);
    peer.sentCommit = commit;
  }
  reads.roundSent();
}

export function sendTimeoutNow(replica: Replica, to: ReplicaId): void {
  replica.send(newMessage('MsgTimeoutNow', replica.id, to, replica.term));
}

/** Leader: a follower refused or took an append (or a snapshot), or we are durable ourselves. */
export function onAppendReply(replica: Replica, peer: Progress, message: Message): void {
  peer.recentActive = true;
  if (message.reject) onRefusedAppend(replica, peer, message);
  else onTakenAppend(replica, peer, message);
}

function onRefusedAppend(replica: Replica, peer: Progress, message: Message): void {
  // The hint is the follower's guess where the logs can agree; ours may rule out more of it.
  const hint =
    message.logTerm > 0
      ? replica.log.findConflictByTerm(message.rejectHint, message.logTerm).index
      : message.rejectHint;
  if (!peer.backOffTo(message.index, hint)) return;
  if (peer.state === 'replicate') peer.becomeProbe();
  sendAppend(replica, peer, true);
}

function onTakenAppend(replica: Replica, peer: Progress, message: Message): void {
  const { log } = replica;
  const advanced = peer.advanceTo(message.index);
  // A probe that only confirms what matched already ends the probing as well.
  if (!advanced && !(peer.match === message.index && peer.state === 'probe')) return;
  if (peer.state === 'probe') {
    peer.becomeReplicate();
  } else if (peer.state === 'snapshot') {
    // Any acknowledgement that reaches our log ends the snapshot, whoever sent it.
    if (peer.match + 1 >= log.firstIndex()) {
      peer.becomeProbe();
      peer.becomeReplicate();
    }
  } else {
    peer.inflights.freeThrough(message.index);
  }
  const own = peer.id === replica.id;
  if (replica.tryCommit()) {
    releasePostponed(replica);
    broadcastAppend(replica);
  } else if (!own && peer.canBumpCommit(log.committed)) {
    sendAppend(replica, peer, true);
  }
  if (own) return;
  // The window has room again: fill it.
  while (sendAppend(replica, peer, false));
  if (peer.id === replica.transferee && peer.match === log.lastIndex()) {
    sendTimeoutNow(replica, peer.id);
  }
}

/** Leader: a follower answered a heartbeat. */
export function onHeartbeatReply(replica: Replica, peer: Progress, message: Message): void {
  peer.recentActive = true;
  peer.paused = false;
  // It may have lost what was sent, or our commit: an append finds out.
  if (peer.match < replica.log.lastIndex() || peer.state === 'probe') {
    sendAppend(replica, peer, true);
  }
  if (message.readCtr === 0) return;
  replica.reads.acknowledge(peer.id, message.readCtr);
  confirmReads(replica);
}
