/**
 * Majority arithmetic, for one majority and for the joint quorum of two. Voters come as id lists
 * without repetition; what each voter acknowledged or voted comes from a source that is asked by
 * id. An empty list agrees to everything, so that a joint quorum with an empty half is the other
 * half.
 */
import type { Index, ReplicaId } from './message.ts';

/** Says up to which index (or counter) a voter has acknowledged; 0 when it never did. */
export interface AckSource {
  acked(id: ReplicaId): Index;
}

/** Says how a voter voted; undefined when it has not. */
export interface VoteSource {
  voteOf(id: ReplicaId): boolean | undefined;
}

export type VoteResult = 'pending' | 'lost' | 'won';

/** Highest index that a majority of `voters` has acknowledged; Infinity for no voters. */
export function majorityCommitted(voters: readonly ReplicaId[], acks: AckSource): Index {
  const count = voters.length;
  if (count === 0) return Number.POSITIVE_INFINITY;
  if (count === 1) return acks.acked(voters[0]!);
  const sorted: Index[] = [];
  for (const id of voters) {
    const index = acks.acked(id);
    let at = sorted.length;
    sorted.push(index);
    // Insertion sort, ascending: groups have three or five voters.
    while (at > 0 && sorted[at - 1]! > index) {
      sorted[at] = sorted[at - 1]!;
      at--;
    }
    sorted[at] = index;
  }
  return sorted[count - (Math.floor(count / 2) + 1)]!;
}

/** Highest index committed in both majorities. */
export function jointCommitted(
  incoming: readonly ReplicaId[],
  outgoing: readonly ReplicaId[],
  acks: AckSource,
): Index {
  return Math.min(majorityCommitted(incoming, acks), majorityCommitted(outgoing, acks));
}

/** Whether a majority of `voters` said yes, can still say yes, or cannot any more. */
export function majorityVote(voters: readonly ReplicaId[], votes: VoteSource): VoteResult {
  if (voters.length === 0) return 'won';
  let granted = 0;
  let missing = 0;
  for (const id of voters) {
    const vote = votes.voteOf(id);
    if (vote === undefined) missing++;
    else if (vote) granted++;
  }
  const needed = Math.floor(voters.length / 2) + 1;
  if (granted >= needed) return 'won';
  return granted + missing >= needed ? 'pending' : 'lost';
}

/** A joint election is won when both halves are won and lost when either is lost. */
export function jointVote(
  incoming: readonly ReplicaId[],
  outgoing: readonly ReplicaId[],
  votes: VoteSource,
): VoteResult {
  const first = majorityVote(incoming, votes);
  const second = majorityVote(outgoing, votes);
  if (first === second) return first;
  return first === 'lost' || second === 'lost' ? 'lost' : 'pending';
}

/** The votes of one election. A replica's first vote counts, later ones are ignored. */
export class Ballot implements VoteSource {
  #granted: ReplicaId[] = [];
  #refused: ReplicaId[] = [];

  record(id: ReplicaId, granted: boolean): void {
    if (this.voteOf(id) !== undefined) return;
    (granted ? this.#granted : this.#refused).push(id);
  }

  voteOf(id: ReplicaId): boolean | undefined {
    if (this.#granted.includes(id)) return true;
    return this.#refused.includes(id) ? false : undefined;
  }

  clear(): void {
    this.#granted = [];
    this.#refused = [];
  }
}
