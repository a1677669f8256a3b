/**
 * What the leader knows of each replica: how far it matches, what to send next, and how eagerly.
 *
 * probe: at most one append at a time until the follower's end is known. replicate: a window of
 * appends, `next` advanced optimistically. snapshot: nothing until a snapshot is through.
 * Invariant: match < next.
 */
import { ensure } from './fatal.ts';
import { Inflights } from './inflights.ts';
import type { ConfState, Index, ReplicaId } from './message.ts';
import { type AckSource, jointVote, type VoteSource } from './quorum.ts';

export type FlowState = 'probe' | 'replicate' | 'snapshot';

export class Progress {
  readonly id: ReplicaId;
  match: Index = 0;
  next: Index;
  state: FlowState = 'probe';
  /** Index of the snapshot that is under way; 0 outside `snapshot`. */
  pendingSnapshot: Index = 0;
  /** Heard from since the last quorum check. */
  recentActive = false;
  /** Appends wait for a sign of life (a reply, a heartbeat's reply). */
  paused = false;
  learner: boolean;
  /** Highest commit index that was sent; avoids empty appends that tell nothing new. */
  sentCommit: Index = 0;
  readonly inflights: Inflights;

  constructor(id: ReplicaId, next: Index, learner: boolean, inflights: Inflights) {
    this.id = id;
    this.next = next;
    this.learner = learner;
    this.inflights = inflights;
  }

  #enter(state: FlowState): void {
    this.paused = false;
    this.pendingSnapshot = 0;
    this.state = state;
    this.inflights.clear();
  }

  /** Back to probing; after a snapshot, from the entry that follows it. */
  becomeProbe(): void {
    const afterSnapshot = this.state === 'snapshot' ? this.pendingSnapshot + 1 : 0;
    this.#enter('probe');
    this.next = Math.max(this.match + 1, afterSnapshot);
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
  }

  becomeReplicate(): void {
    this.#enter('replicate');
    this.next = this.match + 1;
  }

  becomeSnapshot(index: Index): void {
    this.#enter('snapshot');
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.sentCommit = index;
  }

  /** Forgets everything but who it is, at the start of a term. */
  reset(next: Index): void {
    this.match = 0;
    this.next = next;
    this.state = 'probe';
    this.pendingSnapshot = 0;
    this.recentActive = false;
    this.paused = false;
    this.sentCommit = 0;
    this.inflights.clear();
  }

  /** Notes an append of `count` entries with `bytes` of data; pauses if the window is full. */
  sentEntries(count: number, bytes: number): void {
    if (this.state === 'replicate') {
      if (count > 0) {
        this.next += count;
        this.inflights.add(this.next - 1, bytes);
      }
      this.paused = this.inflights.full;
      return;
    }
    ensure(this.state === 'probe', `append sent to ${this.id} in state ${this.state}`);
    if (count > 0) this.paused = true;
  }

  /** Whether an empty append would tell the follower of a higher commit than it may know. */
  canBumpCommit(commit: Index): boolean {
    return commit > this.sentCommit && this.sentCommit < this.next - 1;
  }

  /** Takes an acknowledgement up to `index`; false if it says nothing new. */
  advanceTo(index: Index): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.paused = false;
    return true;
  }

  /** Takes a refusal of the append after `rejected`; false if the refusal is out of date. */
  backOffTo(rejected: Index, hint: Index): boolean {
    if (this.state === 'replicate') {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
    } else {
      if (this.next - 1 !== rejected) return false;
      this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
      this.paused = false;
    }
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    return true;
  }

  get isPaused(): boolean {
    return this.state === 'snapshot' || this.paused;
  }
}

/** The progress of all replicas of the group, in the order of their ids. */
export class ProgressSet implements AckSource, VoteSource {
  readonly #maxInflight: number;
  readonly #maxInflightBytes: number;
  #list: Progress[] = [];

  constructor(maxInflight: number, maxInflightBytes: number) {
    this.#maxInflight = maxInflight;
    this.#maxInflightBytes = maxInflightBytes;
  }

  /** Sorted by id. The array is replaced, not changed, when the membership changes. */
  get all(): readonly Progress[] {
    return this.#list;
  }

  get(id: ReplicaId): Progress | undefined {
    // Linear: a handful of replicas, no hashing.
    for (const progress of this.#list) if (progress.id === id) return progress;
    return undefined;
  }

  acked(id: ReplicaId): Index {
    return this.get(id)?.match ?? 0;
  }

  /** As a vote source, a replica's recent activity counts as its vote. */
  voteOf(id: ReplicaId): boolean | undefined {
    const progress = this.get(id);
    return progress === undefined || progress.learner ? undefined : progress.recentActive;
  }

  quorumActive(conf: ConfState): boolean {
    return jointVote(conf.voters, conf.votersOutgoing, this) === 'won';
  }

  /**
   * Adopts the members of `conf`. Who stays keeps its progress, unless it is named in `fresh`; who
   * is new starts at the end of the log and counts as active, or CheckQuorum would end the leader
   * before the new replica had a chance to answer.
   */
  reconcile(conf: ConfState, fresh: readonly ReplicaId[], lastIndex: Index): void {
    const ids = [...conf.voters, ...conf.votersOutgoing, ...conf.learners].sort((a, b) => a - b);
    const list: Progress[] = [];
    for (const id of ids) {
      if (list.at(-1)?.id === id) continue;
      const learner = conf.learners.includes(id);
      const kept = fresh.includes(id) ? undefined : this.get(id);
      if (kept !== undefined) {
        kept.learner = learner;
        list.push(kept);
        continue;
      }
      const window = new Inflights(this.#maxInflight, this.#maxInflightBytes);
      const added = new Progress(id, Math.max(lastIndex, 1), learner, window);
      added.recentActive = true;
      list.push(added);
    }
    this.#list = list;
  }
}
