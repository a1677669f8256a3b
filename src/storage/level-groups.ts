/**
 * The groups of an open database: which life each one is in, where its log records start, and how
 * an operation of the port becomes operations of a batch.
 */
import { assert } from '../model/assert.ts';
import type { StoreOp } from '../ports/store.ts';
import type { BatchBuffer } from './batch-buffer.ts';
import {
  type KeyRange,
  lifeRange,
  logRange,
  writeGroupKey,
  writeMetaKey,
  writeRowKey,
} from './keyspace.ts';
import type { LoadedStore } from './level-loader.ts';
import { dropRecords, encodeAppend, type LogIndex } from './level-log.ts';
import {
  type StoredTombstone,
  writeApplied,
  writeDescriptor,
  writeHard,
  writeTombstone,
  writeTruncation,
} from './record.ts';

export class LevelGroups {
  readonly #logs = new Map<number, LogIndex>();
  readonly #tombstones = new Map<number, StoredTombstone>();
  /** Highest generation of each group that may have keys on the disk. */
  readonly #newestGens = new Map<number, number>();
  /** Generation of the rows that are staged. */
  readonly #staged = new Map<number, number>();

  load(loaded: LoadedStore): void {
    for (const { ledger, log } of loaded.groups) this.#logs.set(ledger.group, log);
    for (const [group, tombstone] of loaded.tombstones) this.#tombstones.set(group, tombstone);
    for (const [group, gen] of loaded.newestGens) this.#newestGens.set(group, gen);
  }

  /** The life a group is in, or `undefined` where there is no such group. */
  genOf(group: number): number | undefined {
    return this.#logs.get(group)?.gen;
  }

  /** The life that is being staged for a group, or `undefined`. */
  stagedGenOf(group: number): number | undefined {
    return this.#staged.get(group);
  }

  /**
   * Adds one operation to a batch. Keys that mean nothing any more after it are added to `dead`:
   * they can be cleared once the batch is durable.
   */
  encode(batch: BatchBuffer, op: StoreOp, dead: KeyRange[]): void {
    switch (op.kind) {
      case 'descriptor': {
        writeGroupKey(batch.key(), 'descriptor', op.group);
        const gen = this.#logs.get(op.group)?.gen ?? this.#bornGroup(op.group);
        writeDescriptor(batch.value('descriptor'), { gen, descriptor: op.value });
        batch.seal();
        return;
      }
      case 'hard':
        writeGroupKey(batch.key(), 'hard', op.group);
        writeHard(batch.value('hard'), op.hard);
        batch.seal();
        return;
      case 'entries':
        encodeAppend(batch, op.group, this.logOf(op.group), op.entries);
        return;
      case 'state':
        encodeState(batch, this.logOf(op.group).gen, op);
        return;
      case 'truncate': {
        const log = this.logOf(op.group);
        const from = dropRecords(log, op.index);
        this.#encodeTruncation(batch, op, from);
        dead.push(logRange(op.group, log.gen, 0, from));
        return;
      }
      case 'stage': {
        this.logOf(op.group);
        const gen = this.#staged.get(op.group) ?? this.#freshGen(op.group);
        this.#staged.set(op.group, gen);
        encodeRows(batch, op.group, gen, op.rows);
        return;
      }
      case 'unstage':
        this.#dropStaged(op.group, dead);
        return;
      case 'install':
        this.#encodeInstall(batch, op, dead);
        return;
      case 'remove':
        this.#encodeRemoval(batch, op.group, op.tombstone, dead);
        return;
      case 'meta':
        writeMetaKey(batch.key(), op.key);
        batch.value('meta').raw(op.value);
        batch.seal();
    }
  }

  #bornGroup(group: number): number {
    const gen = this.#freshGen(group);
    this.#logs.set(group, { gen, starts: [] });
    return gen;
  }

  /** A generation under which nothing lies. */
  #freshGen(group: number): number {
    const gen = (this.#newestGens.get(group) ?? 0) + 1;
    this.#newestGens.set(group, gen);
    return gen;
  }

  /** Where the log of a group is; the group has to exist. */
  logOf(group: number): LogIndex {
    const log = this.#logs.get(group);
    assert(log !== undefined, `group ${group} is not in the store`);
    return log;
  }

  #encodeTruncation(
    batch: BatchBuffer,
    op: { readonly group: number; readonly index: number; readonly term: number },
    from: number,
  ): void {
    writeGroupKey(batch.key(), 'truncated', op.group);
    writeTruncation(batch.value('truncated'), { index: op.index, term: op.term, from });
    batch.seal();
  }

  /** The group begins its next life, with the staged rows and an empty log. */
  #encodeInstall(
    batch: BatchBuffer,
    op: Extract<StoreOp, { kind: 'install' }>,
    dead: KeyRange[],
  ): void {
    const { group, index, term } = op;
    const old = this.logOf(group).gen;
    const gen = this.#staged.get(group) ?? this.#freshGen(group);
    this.#staged.delete(group);
    this.#logs.set(group, { gen, starts: [] });
    writeGroupKey(batch.key(), 'descriptor', group);
    writeDescriptor(batch.value('descriptor'), { gen, descriptor: op.descriptor });
    batch.seal();
    this.#encodeTruncation(batch, op, index + 1);
    writeGroupKey(batch.key(), 'applied', group);
    writeApplied(batch.value('applied'), { applied: index, appliedTerm: term });
    batch.seal();
    dead.push(lifeRange('log', group, old), lifeRange('row', group, old));
  }

  #dropStaged(group: number, dead: KeyRange[]): void {
    const gen = this.#staged.get(group);
    if (gen === undefined) return;
    this.#staged.delete(group);
    dead.push(lifeRange('row', group, gen));
  }

  #encodeRemoval(batch: BatchBuffer, group: number, tombstone: number, dead: KeyRange[]): void {
    const before = this.#tombstones.get(group);
    const alive = this.#logs.get(group)?.gen;
    const gen = this.#newestGens.get(group) ?? 0;
    this.#dropStaged(group, dead);
    for (const prefix of ['descriptor', 'hard', 'truncated', 'applied'] as const) {
      writeGroupKey(batch.key(), prefix, group);
      batch.remove();
    }
    const stored = { replica: Math.max(tombstone, before?.replica ?? 0), gen };
    writeGroupKey(batch.key(), 'tombstone', group);
    writeTombstone(batch.value('tombstone'), stored);
    batch.seal();
    this.#tombstones.set(group, stored);
    if (alive === undefined) return;
    this.#logs.delete(group);
    dead.push(lifeRange('log', group, alive), lifeRange('row', group, alive));
  }
}

function encodeRows(
  batch: BatchBuffer,
  group: number,
  gen: number,
  rows: readonly (readonly [key: Uint8Array, value: Uint8Array | undefined])[],
): void {
  for (const [key, value] of rows) {
    writeRowKey(batch.key(), group, gen, key);
    if (value === undefined) {
      batch.remove();
    } else {
      batch.value('row').raw(value);
      batch.seal();
    }
  }
}

function encodeState(
  batch: BatchBuffer,
  gen: number,
  op: Extract<StoreOp, { kind: 'state' }>,
): void {
  encodeRows(batch, op.group, gen, op.rows);
  writeGroupKey(batch.key(), 'applied', op.group);
  writeApplied(batch.value('applied'), op);
  batch.seal();
}
