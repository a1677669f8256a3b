/**
 * What reaches a disk, batch by batch. Log matching: entries of one index and term are the same on
 * all disks and so is everything before them, told by a chain of hashes. Terms, and votes within a
 * term, never go back, over all lives of a disk.
 */
import type { StoreOp } from '../../../src/ports/store.ts';
import type { Entry, HardState } from '../../../src/raft/message.ts';
import { check } from '../violation.ts';
import type { DiskWatcher, WatchedDisk } from '../watched-disk.ts';
import { hashEntry } from './hash-entry.ts';

interface Kept {
  /** Of everything up to index `i`, at `i`; absent where it is not known what came before. */
  readonly chain: Map<number, number>;
  /** Last index of the chain. */
  last: number;
  hard: HardState;
}

const nothing = 0x811c9dc5;

export class StoredChecker implements DiskWatcher {
  readonly #disks = new WeakMap<WatchedDisk, Map<number, Kept>>();
  /** By group, index and term: the hash of the log up to there, whoever stored it first. */
  readonly #known = new Map<string, number>();

  /** A batch is durable. */
  stored(disk: WatchedDisk, ops: readonly StoreOp[]): void {
    let groups = this.#disks.get(disk);
    if (groups === undefined) {
      groups = new Map();
      this.#disks.set(disk, groups);
    }
    const owner = disk.header?.nodeId ?? '';
    for (const op of ops) {
      if (op.kind === 'remove') groups.delete(op.group);
      else if (op.kind === 'entries') {
        this.#entries(owner, op.group, keptOf(groups, op.group), op.entries);
      } else if (op.kind === 'hard') hard(owner, op.group, keptOf(groups, op.group), op.hard);
      else if (op.kind === 'install') this.#installed(keptOf(groups, op.group), op);
    }
  }

  copied(disk: WatchedDisk, copy: WatchedDisk): void {
    const groups = new Map<number, Kept>();
    for (const [group, kept] of this.#disks.get(disk) ?? []) {
      groups.set(group, { ...kept, chain: new Map(kept.chain) });
    }
    this.#disks.set(copy, groups);
  }

  /** A snapshot stands for the log up to its index: that of whoever stored that entry. */
  #installed(kept: Kept, { group, index, term }: Extract<StoreOp, { kind: 'install' }>): void {
    kept.chain.clear();
    kept.last = index;
    const known = this.#known.get(`${group}.${index}.${term}`);
    if (known !== undefined) kept.chain.set(index, known);
  }

  #entries(owner: string, group: number, kept: Kept, entries: readonly Entry[]): void {
    for (const entry of entries) {
      const { index, term } = entry;
      for (let old = index; old <= kept.last; old++) kept.chain.delete(old);
      const before = index === 1 ? nothing : kept.chain.get(index - 1);
      kept.last = index;
      if (before === undefined) continue;
      const hash = Math.imul(before ^ hashEntry(entry), 0x01000193) >>> 0;
      kept.chain.set(index, hash);
      const name = `${group}.${index}.${term}`;
      const known = this.#known.get(name);
      check(
        known === undefined || known === hash,
        () => `${owner} stored another log up to entry ${index} of term ${term}, group ${group}`,
      );
      this.#known.set(name, hash);
    }
  }
}

function keptOf(groups: Map<number, Kept>, group: number): Kept {
  let kept = groups.get(group);
  if (kept === undefined) {
    kept = { chain: new Map(), last: 0, hard: { term: 0, vote: 0, commit: 0 } };
    groups.set(group, kept);
  }
  return kept;
}

function hard(owner: string, group: number, kept: Kept, next: HardState): void {
  const before = kept.hard;
  const said = (): string =>
    `${owner} group ${group}: stored term ${next.term}, vote ${next.vote}, commit ` +
    `${next.commit} after ${before.term}, ${before.vote}, ${before.commit}`;
  check(next.term >= before.term && next.commit >= before.commit, said);
  check(next.term > before.term || before.vote === 0 || next.vote === before.vote, said);
  kept.hard = next;
}
