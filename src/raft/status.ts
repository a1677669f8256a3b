/** Pictures of a replica for tests, transcripts and operators. */
import type { Progress } from './progress.ts';
import type { ProgressStatus, Status } from './ready.ts';
import type { Replica } from './replica.ts';

export function progressStatus(peer: Progress): ProgressStatus {
  return {
    id: peer.id,
    state: peer.state,
    match: peer.match,
    next: peer.next,
    learner: peer.learner,
    paused: peer.isPaused,
    recentActive: peer.recentActive,
    pendingSnapshot: peer.pendingSnapshot,
    inflight: peer.inflights.count,
    inflightFull: peer.inflights.full,
  };
}

export function statusOf(replica: Replica): Status {
  return {
    id: replica.id,
    role: replica.role,
    lead: replica.lead,
    hard: replica.hard,
    applied: replica.log.applied,
    firstIndex: replica.log.firstIndex(),
    lastIndex: replica.log.lastIndex(),
    conf: replica.conf,
    transferee: replica.transferee,
    progress: replica.role === 'leader' ? replica.peers.all.map(progressStatus) : [],
  };
}
