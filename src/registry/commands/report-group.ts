/**
 * reportGroup: a group's leader tells where its replicas are. The highest configuration index wins;
 * at an equal one only the leader may differ, and is taken as the newer hint.
 *
 * Ids in the report become seated; seated ids that left, and free ones that were given at an older
 * configuration, are dropped: their number is spent. An id
 * without a record (dropped while it was on its way into the group) is taken with an empty store id
 * and counts as dead, so that repair replaces it.
 * Replies: ok, repeated (nothing new, or older), `badRequest`.
 */
import type { RegistryCommandOf } from '../command.ts';
import { sameSeats } from '../same.ts';
import {
  accepted,
  type RegistryEffect,
  type RegistryReply,
  type RegistryState,
  refused,
  repeated,
} from '../state.ts';

type ReportGroup = RegistryCommandOf<'reportGroup'>;

export function applyReportGroup(
  state: RegistryState,
  command: ReportGroup,
  effects: RegistryEffect[],
): RegistryReply {
  const { group, confIndex, voters, learners, leader } = command;
  const known = state.groups.get(group);
  if (known === undefined) return refused('badRequest', `no group ${group}`);
  if (confIndex < known.confIndex) return repeated;
  const sameConf = sameSeats(voters, known.voters) && sameSeats(learners, known.learners);
  if (confIndex === known.confIndex) {
    if (!sameConf) {
      return refused('badRequest', `group ${group} reports two configurations at ${confIndex}`);
    }
    if (leader === known.leader) return repeated;
  } else {
    const wrong = wrongSeats(state, command);
    if (wrong !== undefined) return refused('badRequest', wrong);
  }
  state.putGroup({ group, confIndex, voters, learners, leader });
  if (confIndex > known.confIndex) settleSeats(state, command);
  effects.push({ kind: 'groupChanged', group });
  return accepted;
}

function wrongSeats(state: RegistryState, command: ReportGroup): string | undefined {
  const { group, voters, learners } = command;
  if (voters.length === 0) return `group ${group} reports no voter`;
  const seen = new Set<number>();
  for (const { replicaId, node } of [...voters, ...learners]) {
    if (seen.has(replicaId)) return `replica ${replicaId} is reported twice`;
    seen.add(replicaId);
    if (replicaId < 1 || replicaId > state.replicaCounter) {
      return `replica ${replicaId} was never handed out`;
    }
    const record = state.replicas.get(replicaId);
    if (record !== undefined && (record.group !== group || record.node !== node)) {
      return `replica ${replicaId} belongs to group ${record.group} on ${record.node}`;
    }
  }
  return undefined;
}

function settleSeats(state: RegistryState, command: ReportGroup): void {
  const { group, confIndex } = command;
  const seats = new Map<number, string>();
  for (const seat of [...command.voters, ...command.learners]) {
    seats.set(seat.replicaId, seat.node);
  }
  for (const replica of state.replicasById()) {
    if (replica.group !== group) continue;
    if (seats.delete(replica.replicaId)) {
      if (!replica.seated) state.putReplica({ ...replica, seated: true });
    } else if (replica.seated || replica.confIndex < confIndex) {
      // One that was given at an older configuration was added and removed between two reports, or
      // never will be: only one change can be under way. Its replica has to hear that it is spent.
      state.dropReplica(replica.replicaId);
    }
  }
  for (const [replicaId, node] of seats) {
    state.putReplica({ replicaId, group, node, storeId: '', confIndex, seated: true });
  }
}
