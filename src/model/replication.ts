/**
 * How many replicas a group gets from how many nodes (DESIGN 5): the largest odd number of voters
 * up to the replication and the nodes there are. Two nodes give one voter and one learner: two
 * voters would survive nothing and could not be reduced to one safely.
 */

/** Voters and learners a group gets when `count` nodes could hold it. */
export function sizeFor(count: number, replication: number): { voters: number; learners: number } {
  const held = Math.max(1, Math.min(count, replication));
  const voters = held % 2 === 0 ? held - 1 : held;
  return { voters, learners: voters === 1 && held === 2 ? 1 : 0 };
}
