/**
 * The groups of an open database: which life each one is in, where its log records start, and how
 * an operation of the port becomes operations of a batch.
 */
import { assert } from '../model/assert.ts';
import type { StoreOp } from '../ports/store.ts';
import type { BatchBuffer } from './batch-buffer.ts';
import { writeGroupKey, writeMetaKey, writeRowKey } from './keyspace.ts';
import type { LeftoverLife, LoadedStore } from './level-loader.ts';
import { encodeAppend, type LogIndex } from './level-log.ts';
import {
  type StoredTombstone,
  writeApplied,
  writeDescriptor,
  writeHard,
  writeTombstone,
} from './record.ts';

export class LevelGroups {
  readonly #logs = new Map<number, LogIndex>();
  readonly #tombstones = new Map<number, StoredTombstone>();

  load(loaded: LoadedStore): void {
    for (const { ledger, log } of loaded.groups) this.#logs.set(ledger.group, log);
    for (const [group, tombstone] of loaded.tombstones) this.#tombstones.set(group, tombstone);
  }

  /** The life a group is in, or `undefined` where there is no such group. */
  genOf(group: number): number | undefined {
    return this.#logs.get(group)?.gen;
  }

  /**
   * Adds one operation to a batch. Lives that end with it are added to `dead`: their rows and log
   * can be cleared once the batch is durable.
   */
  encode(batch: BatchBuffer, op: StoreOp, dead: LeftoverLife[]): void {
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
    const gen = (this.#tombstones.get(group)?.gen ?? 0) + 1;
    this.#logs.set(group, { gen, starts: [] });
    return gen;
  }

  /** Where the log of a group is; the group has to exist. */
  logOf(group: number): LogIndex {
    const log = this.#logs.get(group);
    assert(log !== undefined, `group ${group} is not in the store`);
    return log;
  }

  #encodeRemoval(batch: BatchBuffer, group: number, tombstone: number, dead: LeftoverLife[]): void {
    const before = this.#tombstones.get(group);
    const gen = this.#logs.get(group)?.gen ?? before?.gen ?? 0;
    for (const prefix of ['descriptor', 'hard', 'applied'] as const) {
      writeGroupKey(batch.key(), prefix, group);
      batch.remove();
    }
    const stored = { replica: Math.max(tombstone, before?.replica ?? 0), gen };
    writeGroupKey(batch.key(), 'tombstone', group);
    writeTombstone(batch.value('tombstone'), stored);
    batch.seal();
    this.#tombstones.set(group, stored);
    if (this.#logs.delete(group)) {
      dead.push({ prefix: 'log', group, gen }, { prefix: 'row', group, gen });
    }
  }
}

function encodeState(
  batch: BatchBuffer,
  gen: number,
  op: Extract<StoreOp, { kind: 'state' }>,
): void {
  for (const [key, value] of op.rows) {
    writeRowKey(batch.key(), op.group, gen, key);
    if (value === undefined) {
      batch.remove();
    } else {
      batch.value('row').raw(value);
      batch.seal();
    }
  }
  writeGroupKey(batch.key(), 'applied', op.group);
  writeApplied(batch.value('applied'), op);
  batch.seal();
}
