/**
 * Proposals of one group, from the call until their entry is applied. Each gets one answer:
 *
 *   applied           their entry was applied, with what the machine replied
 *   notLeader, ...    they are definitely not in the log, and never will be
 *   outcomeUnknown    they may be in some replica's log: asking again with the same IDs is safe
 */
import { TschedError } from '../model/errors.ts';
import type { Entry } from '../raft/message.ts';

/** What a proposal came to. */
export interface Applied {
  readonly index: number;
  readonly term: number;
  readonly replies: readonly unknown[];
}

export interface Proposal {
  readonly data: Uint8Array;
  readonly resolve: (applied: Applied) => void;
  readonly reject: (error: TschedError) => void;
}

/** For whoever asks a replica that is gone. */
export const notHere = (group: number): TschedError =>
  new TschedError('notLeader', `this node has no replica of group ${group} any more`);

export class PendingProposals {
  readonly #group: number;
  readonly #notLeader: () => TschedError;
  readonly #byIndex = new Map<number, { readonly term: number; readonly proposal: Proposal }>();

  constructor(group: number, notLeader: () => TschedError) {
    this.#group = group;
    this.#notLeader = notLeader;
  }

  /** The core did not take them: it does not lead, or it is busy. */
  refuse(proposals: readonly Proposal[], busy: boolean): void {
    const what = `group ${this.#group} has too much uncommitted`;
    const error = busy
      ? new TschedError('overloaded', what, { retryAfterMs: 500 })
      : this.#notLeader();
    for (const { reject } of proposals) reject(error);
  }

  /** They stand in the log from `first` on. */
  add(first: number, term: number, proposals: readonly Proposal[]): void {
    proposals.forEach((proposal, position) => {
      const index = first + position;
      // What waits there is of a term in which this replica led before, and is not in its log any
      // more. Another replica may have it still, and may yet make it stand.
      this.#byIndex.get(index)?.proposal.reject(this.#unknown('was overwritten here'));
      this.#byIndex.set(index, { term, proposal });
    });
  }

  /** An entry was applied, the one before it too. */
  settle(entry: Entry, replies: readonly unknown[]): void {
    const { index, term } = entry;
    const pending = this.#byIndex.get(index);
    if (pending === undefined) return;
    this.#byIndex.delete(index);
    // Where another leader's entry stands at this index the proposal is definitely not in the log.
    if (pending.term === term) pending.proposal.resolve({ index, term, replies });
    else pending.proposal.reject(this.#notLeader());
  }

  /**
   * An entry of `term` is applied at `applied`: terms never fall along a log, so what was proposed
   * behind it in an earlier term is definitely not in the log. A group at rest would never reach
   * those indexes.
   */
  overtaken(applied: number, term: number): void {
    for (const [index, pending] of this.#byIndex) {
      if (index <= applied || pending.term >= term) continue;
      this.#byIndex.delete(index);
      pending.proposal.reject(this.#notLeader());
    }
  }

  /** The state came as a whole: which entries it holds up to `applied` is not known. */
  skipped(applied: number): void {
    for (const [index, { proposal }] of this.#byIndex) {
      if (index > applied) continue;
      this.#byIndex.delete(index);
      proposal.reject(this.#unknown('was overtaken by a whole state'));
    }
  }

  /** The replica is gone from here; its group goes on. */
  abandon(): void {
    for (const { proposal } of this.#byIndex.values()) {
      proposal.reject(this.#unknown('is left to the rest of its group'));
    }
    this.#byIndex.clear();
  }

  #unknown(why: string): TschedError {
    return new TschedError('outcomeUnknown', `a proposal to group ${this.#group} ${why}`);
  }
}
