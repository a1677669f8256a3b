/**
 * What every store knows of its groups besides their bytes: bounds of the log, hard state, applied
 * index. It holds the rules of the port for all implementations alike, so that the fake refuses
 * what the real one refuses, and refuses at `write` what could only be reported as damage at the
 * next open.
 *
 * Rules, asserted: entries are contiguous, terms do not fall, nothing at or below the commit index
 * is overwritten, applied <= commit <= last index, no term in the log is above the hard state's,
 * what was applied is truncated only, and a snapshot is installed only beyond what is committed.
 */
import { assert } from '../model/assert.ts';
import type { StoreOp } from '../ports/store.ts';
import type { Entry, HardState } from '../raft/message.ts';

const noHard: HardState = { term: 0, vote: 0, commit: 0 };

/** One group, as of the last batch that was issued. */
export class GroupLedger {
  readonly group: number;
  hard: HardState = noHard;
  /** First index of the log, and the term of the entry before it. */
  first = 1;
  truncatedTerm = 0;
  last = 0;
  lastTerm = 0;
  applied = 0;
  appliedTerm = 0;
  /** Last index that may be read: below `last` while a batch with entries is in flight. */
  readable = 0;
  /** Commit index before this batch, which may move it past its own entries. */
  #committed = 0;

  constructor(group: number) {
    this.group = group;
  }

  /** What was loaded or written is durable. */
  settle(): void {
    this.readable = this.last;
    this.#committed = this.hard.commit;
  }

  append(entries: readonly Entry[]): void {
    const head = entries[0];
    assert(head !== undefined, `group ${this.group}: append of no entries`);
    const at = head.index;
    assert(at >= this.first, `group ${this.group}: append at index ${at}`);
    assert(at <= this.last + 1, `group ${this.group}: append at ${at} leaves a gap: ${this.last}`);
    assert(
      at > this.#committed,
      `group ${this.group}: append at ${at} overwrites what is committed up to ${this.#committed}`,
    );
    let term = at === this.last + 1 ? this.lastTerm : 0;
    for (let position = 0; position < entries.length; position++) {
      const entry = entries[position]!;
      assert(
        entry.index === at + position && entry.term >= term,
        `group ${this.group}: entry ${entry.index} of term ${entry.term} after term ${term}`,
      );
      term = entry.term;
    }
    this.readable = Math.min(this.readable, at - 1);
    this.last = at + entries.length - 1;
    this.lastTerm = term;
  }

  truncate(index: number, term: number): void {
    assert(
      index >= this.first - 1 && index <= this.applied,
      `group ${this.group}: truncation to ${index} of [${this.first}, ${this.applied}]`,
    );
    assert(
      term >= this.truncatedTerm && term <= this.appliedTerm,
      `group ${this.group}: truncation to term ${term}, applied ${this.appliedTerm}`,
    );
    this.first = index + 1;
    this.truncatedTerm = term;
  }

  install(index: number, term: number): void {
    assert(
      index > this.#committed && index > this.applied && term >= this.appliedTerm,
      `group ${this.group}: snapshot of ${index}, committed ${this.#committed}`,
    );
    this.first = index + 1;
    this.truncatedTerm = term;
    this.last = index;
    this.lastTerm = term;
    this.applied = index;
    this.appliedTerm = term;
    this.readable = index;
  }

  setApplied(applied: number, appliedTerm: number): void {
    assert(
      applied >= this.applied && appliedTerm >= this.appliedTerm,
      `group ${this.group}: applied goes back from ${this.applied} to ${applied}`,
    );
    this.applied = applied;
    this.appliedTerm = appliedTerm;
  }

  setHard(hard: HardState): void {
    assert(
      hard.term >= this.hard.term && hard.commit >= this.hard.commit,
      `group ${this.group}: term or commit goes back`,
    );
    this.hard = hard;
  }

  /** What contradicts itself in this group, or `undefined`. */
  contradiction(): string | undefined {
    const { group, hard, last, lastTerm, applied } = this;
    if (applied < this.first - 1) {
      return `group ${group}: applied ${applied}, but the log begins at ${this.first}`;
    }
    if (hard.commit > last) return `group ${group}: commit ${hard.commit} is after last ${last}`;
    if (applied > hard.commit) {
      return `group ${group}: applied ${applied} is after commit ${hard.commit}`;
    }
    if (lastTerm > hard.term) {
      return `group ${group}: the log has term ${lastTerm}, the hard state ${hard.term}`;
    }
    return undefined;
  }

  /** Checks that `lo <= index < hi` can be read now. */
  assertReadable(lo: number, hi: number): void {
    assert(
      lo >= this.first && lo <= hi && hi <= this.readable + 1,
      `group ${this.group}: entries [${lo}, ${hi}) of [${this.first}, ${this.readable + 1})`,
    );
  }
}

/** All groups of one open store. */
export class Ledgers {
  readonly #groups = new Map<number, GroupLedger>();
  readonly #touched = new Set<GroupLedger>();

  get(group: number): GroupLedger | undefined {
    return this.#groups.get(group);
  }

  /** The group, which has to exist. */
  of(group: number): GroupLedger {
    const ledger = this.#groups.get(group);
    assert(ledger !== undefined, `group ${group} is not in the store`);
    return ledger;
  }

  /** Adds a group that was loaded. */
  add(ledger: GroupLedger): void {
    this.#groups.set(ledger.group, ledger);
  }

  /** Takes in one operation of a batch; a group begins with its descriptor. */
  stage(op: StoreOp): void {
    switch (op.kind) {
      case 'meta':
        return;
      case 'descriptor':
        if (!this.#groups.has(op.group)) this.add(new GroupLedger(op.group));
        return;
      case 'remove': {
        const ledger = this.#groups.get(op.group);
        if (ledger !== undefined) this.#touched.delete(ledger);
        this.#groups.delete(op.group);
        return;
      }
      default:
        this.#stageGroup(this.of(op.group), op);
    }
  }

  #stageGroup(
    ledger: GroupLedger,
    op: Exclude<StoreOp, { kind: 'meta' | 'descriptor' | 'remove' }>,
  ): void {
    if (op.kind === 'hard') ledger.setHard(op.hard);
    else if (op.kind === 'state') ledger.setApplied(op.applied, op.appliedTerm);
    else if (op.kind === 'truncate') ledger.truncate(op.index, op.term);
    else if (op.kind === 'install') ledger.install(op.index, op.term);
    else if (op.kind === 'entries' && op.entries.length > 0) ledger.append(op.entries);
    this.#touched.add(ledger);
  }

  /** After the last operation of a batch: the groups it touched have to make sense. */
  assertSound(): void {
    for (const ledger of this.#touched) {
      const contradiction = ledger.contradiction();
      assert(contradiction === undefined, contradiction ?? '');
    }
  }

  /** The batch is durable: its entries can be read. */
  settle(): void {
    for (const ledger of this.#touched) ledger.settle();
    this.#touched.clear();
  }
}
