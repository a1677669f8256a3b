/**
 * The leader's side of linearizable reads: when a read may start, when it is confirmed. The round
 * of heartbeats is sent once per `ready()`, however many reads it is for.
 */
import type { ReadIndexResult } from './ready.ts';
import type { Replica } from './replica.ts';

/** Starts a read; its counter comes back in `Ready.reads` or `Ready.readsLost`. */
export function startRead(replica: Replica): ReadIndexResult {
  if (replica.role !== 'leader') return { ok: false, why: 'notLeader' };
  const ctr = replica.reads.issue();
  // Until an entry of this term is committed, `committed` may be behind what an earlier leader
  // acknowledged. That holds for a single voter too: after a restart its commit index is old.
  if (replica.committedInTerm) admit(replica, ctr);
  else replica.reads.postpone(ctr);
  return { ok: true, ctr };
}

function admit(replica: Replica, ctr: number): void {
  const { conf, log, reads, id } = replica;
  const alone = conf.voters.length === 1 && conf.votersOutgoing.length === 0;
  if (replica.config.readOnlyLeaseBased || (alone && conf.voters[0] === id)) {
    replica.readStates.push({ ctr, index: log.committed });
    return;
  }
  reads.expect(ctr, log.committed);
  reads.acknowledge(id, ctr);
}

/** The commit index moved: reads that waited for this term's first commit may start. */
export function releasePostponed(replica: Replica): void {
  if (!replica.reads.hasPostponed || !replica.committedInTerm) return;
  for (const ctr of replica.reads.takePostponed()) admit(replica, ctr);
}

/** Hands out the reads that a quorum has confirmed. */
export function confirmReads(replica: Replica): void {
  const { conf, reads } = replica;
  for (const read of reads.takeConfirmed(conf.voters, conf.votersOutgoing)) {
    replica.readStates.push(read);
  }
}
