/** What stands between the seats there are and their target: for people, and for tests. */
import type { GroupId, NodeId } from '../model/ids.ts';
import type { Target } from './rendezvous.ts';
import type { GroupSeats } from './seating.ts';

export interface GroupMoves {
  readonly group: GroupId;
  /** Nodes that get a replica, and those that give one up. */
  readonly adds: readonly NodeId[];
  readonly removes: readonly NodeId[];
  /** Nodes whose replica begins to vote, and those whose replica stops. */
  readonly promotes: readonly NodeId[];
  readonly demotes: readonly NodeId[];
}

/** Groups with something to move, by number; nodes by id. */
export function movesOf(
  groups: readonly GroupSeats[],
  targets: ReadonlyMap<GroupId, Target>,
): GroupMoves[] {
  return [...groups]
    .sort((left, right) => left.group - right.group)
    .map(seats => {
      const target = targets.get(seats.group) ?? { voters: seats.voters, learners: seats.learners };
      const had = [...seats.voters, ...seats.learners];
      const wanted = [...target.voters, ...target.learners];
      return {
        group: seats.group,
        adds: wanted.filter(node => !had.includes(node)).sort(),
        removes: had.filter(node => !wanted.includes(node)).sort(),
        promotes: target.voters.filter(node => seats.learners.includes(node)).sort(),
        demotes: target.learners.filter(node => seats.voters.includes(node)).sort(),
      };
    })
    .filter(
      ({ adds, removes, promotes, demotes }) =>
        adds.length + removes.length + promotes.length + demotes.length > 0,
    );
}
