/** Loading from stored rows: which of them are needed, and that the quick way of that is right. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteWriter } from '../../../src/model/bytes.ts';
import type { TaskSpec } from '../../../src/model/spec.ts';
import { rowKind } from '../../../src/shard/keys.ts';
import { ShardMachine } from '../../../src/shard/machine.ts';
import { packId } from '../../../src/shard/memory/id-words.ts';
import { PlainRow } from '../../../src/shard/plain-row.ts';
import {
  encodeTaskRow,
  openTaskRow,
  type TaskRecord,
  writeTaskRow,
} from '../../../src/shard/record.ts';
import { aSpec, epochMs, idOf, loadStored, TestShard } from '../../support/shard.ts';
import { anyId } from '../model/samples.ts';

const words = new Uint32Array(4);
const waiting = submitted();

/** What a shard has of a task that was just submitted. */
function submitted(): TaskRecord {
  const shard = new TestShard();
  shard.submit([idOf(1)]);
  return shard.machine.record(idOf(1))!;
}

function rowOf(record: TaskRecord, terms: Uint8Array | undefined): Uint8Array {
  const writer = new ByteWriter(256);
  packId(record.id, words);
  const [a, b, c, d] = record.digest.match(/.{8}/g)!.map(part => Number.parseInt(part, 16));
  writeTaskRow(writer, words, Uint32Array.of(a!, b!, c!, d!), record, terms);
  return writer.finish();
}

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const instant = fc.oneof(fc.nat(), fc.maxSafeNat());
const anyPlain = fc.record({
  ...{ id: anyId, submittedAtMs: instant, readySinceMs: instant, backedOff: fc.boolean() },
  tenant: fc.string({ maxLength: 10 }),
  keyHash: fc.option(fc.record({ high: u32, low: u32 }), { nil: undefined }),
});
const anyTerms = fc.option(fc.uint8Array({ maxLength: 200 }), { nil: undefined });

/** Whether the row is plain; where it is, that it says what it says when it is read whole. */
function isPlain(bytes: Uint8Array): boolean {
  const plain = new PlainRow();
  if (!plain.read(bytes)) return false;
  const { head, body } = openTaskRow(bytes);
  const { record, terms } = body();
  expect([...plain.words]).toEqual([...head.words]);
  expect([...plain.digest]).toEqual([...head.digest]);
  const { keyHigh: high, keyLow: low } = plain;
  expect(plain.isKeyed ? { high, low } : undefined).toEqual(head.keyHash);
  expect(plain.termsFrom === 0 ? undefined : [...bytes.subarray(plain.termsFrom)]).toEqual(
    terms && [...terms],
  );
  const { isBackedOff: backedOff, submittedAtMs, readySinceMs } = plain;
  const { tenant, keyHash } = record;
  const told = { backedOff, submittedAtMs, readySinceMs, tenant, keyHash };
  expect(record).toEqual({ ...waiting, ...told, id: undefined, digest: undefined });
  return true;
}

describe('the quick way to read the row of a task', () => {
  test('says of plain ones what is read of them whole', () => {
    fc.assert(
      fc.property(anyPlain, anyTerms, (parts, terms) => {
        // Instants that take eight bytes are not of this world; they are read the other way.
        const isLate = Math.max(parts.submittedAtMs, parts.readySinceMs) >= 2 ** 49;
        expect(isPlain(rowOf({ ...waiting, ...parts }, terms))).toBe(!isLate);
      }),
    );
  });

  test('is for no other, and never reads another thing into changed bytes', () => {
    const others: Partial<TaskRecord>[] = [
      ...[{ state: 'assigned' as const }, { state: 'failed' as const }, { fence: 1 }, { runs: 1 }],
      ...[{ lost: 1 }, { settledAtMs: 1 }, { retryOf: idOf(2) }, { arrayId: idOf(2) }],
      ...[{ arrayIndex: 0 }, { cancelRequested: { reason: '', by: '' } }, { avoid: ['n'] }],
      ...[{ reason: 'r' }, { holds: 1 }, { lineNumber: 1 }, { tenant: 't'.repeat(200) }],
    ];
    for (const parts of others) {
      for (const terms of [undefined, Uint8Array.of(1, 2)]) {
        expect(isPlain(rowOf({ ...waiting, ...parts }, terms))).toBe(false);
      }
    }
    const bytes = rowOf(waiting, Uint8Array.of(1, 2));
    for (let length = 0; length < bytes.length; length++) {
      expect(isPlain(bytes.subarray(0, length))).toBe(false);
    }
    expect(isPlain(Uint8Array.of(...bytes, 0))).toBe(false);
    for (let at = 0; at < bytes.length; at++) {
      for (const value of [0, 1, 2, 3, 0x7f, 0x80, 0xff]) {
        const changed = bytes.slice();
        changed[at] = value;
        try {
          isPlain(changed);
        } catch (error) {
          // The name of its tenant is not looked at here: its spec says it.
          expect(String(error)).toContain('not UTF-8');
          expect(at).toBeGreaterThan(35);
        }
      }
    }
    expect(isPlain(encodeTaskRow(waiting))).toBe(true);
  });
});

/** A shard of these rules, with a task of each spec stored. */
function stored(rules: number, specs: readonly TaskSpec[]): TestShard {
  const shard = new TestShard();
  if (rules > 1) shard.apply({ kind: 'adopt', rules });
  for (const [n, spec] of specs.entries()) shard.submit([idOf(n + 1)], spec);
  shard.flush();
  return shard;
}

const few = [aSpec(), aSpec({ name: 'b' }), aSpec({ attempts: 3 })];

/** A machine from all rows but those of specs; throws where they are needed. */
function withoutSpecs(shard: TestShard): ShardMachine {
  const machine = new ShardMachine({ shard: 1 });
  machine.loadRows(shard.rows().filter(([key]) => key[0] !== rowKind.spec));
  machine.loaded(shard.storedIndex);
  return machine;
}

describe('a start', () => {
  test('needs no specs where the rows of the tasks tell what matters of them', () => {
    const shard = stored(3, few);
    const machine = withoutSpecs(shard);
    machine.checkInvariants();
    expect(machine.readyBatches(9, epochMs)).toEqual(shard.machine.readyBatches(9, epochMs));
    expect(machine.readyCount(epochMs)).toBe(3);
  });

  test('needs specs where not all tasks tell: by older rules, or with too much to tell', () => {
    const require = Array.from({ length: 40 }, (_, n): [string, string] => [`label${n}`, 'x']);
    const shards = [stored(1, few), stored(3, [...few, aSpec({ require })])];
    // One task of older rules is enough.
    const mixed = stored(1, few.slice(0, 1));
    mixed.apply({ kind: 'adopt', rules: 3 });
    mixed.submit([idOf(2)], few[1]);
    mixed.flush();
    for (const shard of [...shards, mixed]) {
      const machine = new ShardMachine({ shard: 1 });
      loadStored(machine, shard.rows());
      machine.loaded(shard.storedIndex);
      expect(() => withoutSpecs(shard)).toThrow('the spec of an unsettled task is stored');
      machine.checkInvariants();
      expect(machine.readyBatches(9, epochMs)).toEqual(shard.machine.readyBatches(9, epochMs));
    }
    // Its row tells since it was written again.
    mixed.assign(idOf(1));
    mixed.flush();
    withoutSpecs(mixed).checkInvariants();
  });

  test('needs to be told of a spec once for the tasks that share it', () => {
    const shard = stored(1, [few[0]!, few[0]!, few[1]!]);
    shard.apply({ kind: 'adopt', rules: 3 });
    shard.assign(idOf(2));
    shard.assign(idOf(3));
    shard.flush();
    // Task 2 tells of the spec of task 1, whose row is older.
    withoutSpecs(shard).checkInvariants();
  });

  test('leaves what tasks that have settled no longer need', () => {
    const shard = stored(3, few);
    shard.runOnce(idOf(1));
    shard.flush();
    expect(openTaskRow(shard.row(shard.machine.taskKey(idOf(1)))!).body().terms).toBeUndefined();
    expect(openTaskRow(shard.row(shard.machine.taskKey(idOf(2)))!).body().terms).toBeDefined();
  });
});
