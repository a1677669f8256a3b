/**
 * Fast failover (DESIGN 5): the process that led a group is gone, as a refused redial proves. Its
 * followers forget it and campaign, one after the other, without waiting for an election timeout.
 *
 * Safe because it changes nothing that safety rests on: forgetting is local, an election still
 * needs the (pre-)votes of a majority with the in-lease rule in force at each voter, and no read
 * relies on a lease. A wrong alarm costs one election.
 */
import type { NodeId } from '../model/ids.ts';
import type { Clock } from '../ports/clock.ts';
import type { Replica } from './replica.ts';

/** Between the followers' turns: long enough that the first one mostly wins undisturbed. */
const campaignStepMs = 100;

/** `campaigned` is called when this replica began an election. */
function campaignWithout(
  replica: Replica,
  leader: NodeId,
  clock: Clock,
  campaigned: () => void,
): void {
  const { core } = replica;
  if (replica.leaderNode !== leader || core.role === 'leader') return;
  const gone = core.lead;
  core.forgetLeader();
  const voters = replica.descriptor.conf.voters.filter(id => id !== gone);
  const rank = voters.indexOf(replica.id);
  if (rank < 0) return;
  // Rotated by group, so that one node does not win all that are free.
  const turn = (rank + replica.group) % voters.length;
  clock.after(turn * campaignStepMs, () => {
    if (replica.removed || core.lead !== 0) return;
    core.campaign();
    campaigned();
  });
}

/** At start: who is alone in its group has nobody to wait for. */
export function campaignWhereAlone(loop: {
  replicas(): Iterable<Replica>;
  touch(replica: Replica): void;
}): void {
  for (const replica of loop.replicas()) {
    const { voters } = replica.descriptor.conf;
    const isAlone = voters.length === 1 && voters[0] === replica.id;
    if (isAlone && replica.core.campaign()) loop.touch(replica);
  }
}

/**
 * The connection to a node closed; `refused` says that its process is gone, and then groups that it
 * led elect another leader at once.
 */
export function nodeLost(
  replicas: Iterable<Replica>,
  node: NodeId,
  refused: boolean,
  loop: { readonly clock: Clock; campaigned(replica: Replica): void },
): void {
  for (const replica of replicas) {
    for (const member of replica.members()) {
      if (member.node === node) replica.core.reportUnreachable(member.replicaId);
    }
    if (refused) campaignWithout(replica, node, loop.clock, () => loop.campaigned(replica));
  }
}
