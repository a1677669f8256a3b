/**
 * Arithmetic of membership changes: from one configuration and a list of operations to the next
 * one, simple (at most one voter differs) or joint (enter, leave). Pure: tells the new
 * configuration and whose replication progress has to start over, or why the change is impossible.
 *
 * Thesis section 4.3 (joint consensus), with learners. Changes take effect when they are applied.
 */
import type { ConfChange, ConfOperation, ConfState, ReplicaId } from './message.ts';

/** The next configuration. `fresh` replicas left and came back in one change. */
export interface ConfTransition {
  readonly ok: true;
  readonly conf: ConfState;
  readonly fresh: readonly ReplicaId[];
}

/** Why a change is impossible on the current configuration. */
export interface ConfRefusal {
  readonly ok: false;
  readonly why: string;
}

export type ConfOutcome = ConfTransition | ConfRefusal;

export function isJoint(conf: ConfState): boolean {
  return conf.votersOutgoing.length > 0;
}

/** An empty automatic change: leaves the joint phase. */
export function leavesJoint(change: ConfChange): boolean {
  return change.transition === 'auto' && change.changes.length === 0;
}

/** Whether the change needs the joint phase, asked for or because of several operations. */
function entersJoint(change: ConfChange): boolean {
  return change.transition !== 'auto' || change.changes.length > 1;
}

/** Whether `id` votes in `conf`, in either half. */
export function isVoter(conf: ConfState, id: ReplicaId): boolean {
  return conf.voters.includes(id) || conf.votersOutgoing.includes(id);
}

/** All voters of both halves, sorted, each once. */
export function allVoters(conf: ConfState): ReplicaId[] {
  return sorted(new Set([...conf.voters, ...conf.votersOutgoing]));
}

function sorted(ids: ReadonlySet<ReplicaId>): ReplicaId[] {
  return [...ids].sort((a, b) => a - b);
}

/** A configuration under construction. */
class Draft {
  readonly voters: Set<ReplicaId>;
  readonly outgoing: Set<ReplicaId>;
  readonly learners: Set<ReplicaId>;
  readonly learnersNext: Set<ReplicaId>;
  autoLeave: boolean;
  readonly fresh = new Set<ReplicaId>();
  readonly #before: ReadonlySet<ReplicaId>;
  readonly #gone = new Set<ReplicaId>();

  constructor(conf: ConfState) {
    this.voters = new Set(conf.voters);
    this.outgoing = new Set(conf.votersOutgoing);
    this.learners = new Set(conf.learners);
    this.learnersNext = new Set(conf.learnersNext);
    this.autoLeave = conf.autoLeave;
    this.#before = new Set([...conf.voters, ...conf.votersOutgoing, ...conf.learners]);
  }

  #member(id: ReplicaId): boolean {
    return this.voters.has(id) || this.outgoing.has(id) || this.learners.has(id);
  }

  #joined(id: ReplicaId): void {
    if (this.#before.has(id) && this.#gone.has(id)) this.fresh.add(id);
  }

  #addVoter(id: ReplicaId): void {
    if (!this.#member(id)) this.#joined(id);
    this.learners.delete(id);
    this.learnersNext.delete(id);
    this.voters.add(id);
  }

  #addLearner(id: ReplicaId): void {
    if (this.learners.has(id)) return;
    if (!this.#member(id)) this.#joined(id);
    this.voters.delete(id);
    this.learnersNext.delete(id);
    // An outgoing voter still votes; it turns into a learner when the joint phase ends.
    (this.outgoing.has(id) ? this.learnersNext : this.learners).add(id);
  }

  #remove(id: ReplicaId): void {
    if (!this.#member(id)) return;
    this.voters.delete(id);
    this.learners.delete(id);
    this.learnersNext.delete(id);
    if (!this.outgoing.has(id)) this.#gone.add(id);
  }

  /** Applies the operations in order; false if no voter is left. Id 0 is skipped. */
  operate(changes: readonly ConfOperation[]): boolean {
    for (const { kind, id } of changes) {
      if (id === 0) continue;
      if (kind === 'addVoter') this.#addVoter(id);
      else if (kind === 'addLearner') this.#addLearner(id);
      else if (kind === 'remove') this.#remove(id);
    }
    return this.voters.size > 0;
  }

  finish(): ConfTransition {
    const conf: ConfState = {
      voters: sorted(this.voters),
      votersOutgoing: sorted(this.outgoing),
      learners: sorted(this.learners),
      learnersNext: sorted(this.learnersNext),
      autoLeave: this.autoLeave,
    };
    return { ok: true, conf, fresh: sorted(this.fresh) };
  }
}

function refuse(why: string): ConfRefusal {
  return { ok: false, why };
}

/** One change without a joint phase; at most one voter may differ. */
export function changeSimply(conf: ConfState, changes: readonly ConfOperation[]): ConfOutcome {
  if (isJoint(conf)) return refuse("can't apply simple config change in joint config");
  const draft = new Draft(conf);
  if (!draft.operate(changes)) return refuse('removed all voters');
  const before = new Set(conf.voters);
  if (before.symmetricDifference(draft.voters).size > 1) {
    return refuse('more than one voter changed without entering joint config');
  }
  return draft.finish();
}

/** Enters the joint phase: the current voters stay as the outgoing half. */
export function enterJoint(
  conf: ConfState,
  autoLeave: boolean,
  changes: readonly ConfOperation[],
): ConfOutcome {
  if (isJoint(conf)) return refuse('config is already joint');
  if (conf.voters.length === 0) return refuse("can't make a zero-voter config joint");
  const draft = new Draft(conf);
  for (const id of conf.voters) draft.outgoing.add(id);
  if (!draft.operate(changes)) return refuse('removed all voters');
  draft.autoLeave = autoLeave;
  return draft.finish();
}

/** Ends the joint phase: the outgoing half is dropped, `learnersNext` become learners. */
export function leaveJoint(conf: ConfState): ConfOutcome {
  if (!isJoint(conf)) return refuse("can't leave a non-joint config");
  const draft = new Draft(conf);
  for (const id of draft.learnersNext) draft.learners.add(id);
  draft.learnersNext.clear();
  draft.outgoing.clear();
  draft.autoLeave = false;
  return draft.finish();
}

/** Applies a proposed change in the way it asks for. */
export function changeMembership(conf: ConfState, change: ConfChange): ConfOutcome {
  if (leavesJoint(change)) return leaveJoint(conf);
  if (entersJoint(change)) {
    return enterJoint(conf, change.transition !== 'explicit', change.changes);
  }
  return changeSimply(conf, change.changes);
}

/** What is wrong with a stored or received configuration, if anything. */
export function confFault(conf: ConfState): string | undefined {
  const lists = [conf.voters, conf.votersOutgoing, conf.learners, conf.learnersNext];
  for (const ids of lists) {
    if (new Set(ids).size !== ids.length) return 'an id is listed twice';
    if (ids.some(id => !Number.isSafeInteger(id) || id <= 0)) return 'an id is not positive';
  }
  for (const id of conf.learnersNext) {
    if (!conf.votersOutgoing.includes(id)) return `${id} is to be a learner but no outgoing voter`;
    if (conf.voters.includes(id)) return `${id} is an incoming voter and to be a learner`;
  }
  for (const id of conf.learners) {
    if (isVoter(conf, id)) return `${id} is a learner and a voter`;
  }
  if (!isJoint(conf) && conf.autoLeave) return 'automatic leave of a phase that is not joint';
  return undefined;
}

/** The same configuration with sorted lists. */
export function sortedConf(conf: ConfState): ConfState {
  return {
    voters: sorted(new Set(conf.voters)),
    votersOutgoing: sorted(new Set(conf.votersOutgoing)),
    learners: sorted(new Set(conf.learners)),
    learnersNext: sorted(new Set(conf.learnersNext)),
    autoLeave: conf.autoLeave,
  };
}
