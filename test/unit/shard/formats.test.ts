/** Golden bytes of what a shard stores. They change only together with a version number. */
import { describe, expect, test } from 'vitest';
import { systemOutcome } from '../../../src/model/attempt.ts';
import { formatTaskId } from '../../../src/model/ids.ts';
import { encodeSpec } from '../../../src/model/spec.ts';
import { decodeDeadLetter, encodeDeadLetter } from '../../../src/shard/dead-letters.ts';
import {
  deadLetterKey,
  digestBytes,
  digestHex,
  specKey,
  taskIdOfKey,
  taskKey,
  taskRange,
} from '../../../src/shard/keys.ts';
import { decodeHourBudget, encodeHourBudget } from '../../../src/shard/memory/hour-budgets.ts';
import { packId } from '../../../src/shard/memory/id-words.ts';
import { decodeMeta, encodeMeta } from '../../../src/shard/meta.ts';
import {
  decodeTaskRow,
  encodeTaskRow,
  openTaskRow,
  type TaskRecord,
} from '../../../src/shard/record.ts';
import {
  decodeScheduleRow,
  decodeStandingRow,
  encodeScheduleRow,
  encodeStandingRow,
  nameOfKey,
  scheduleKey,
  standingKey,
} from '../../../src/shard/schedule-rows.ts';
import { smallSpec, weeklySchedule } from '../model/samples.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const id = formatTaskId({ atMs: 1_700_000_000_000, slot: 1_029, random: 77 });
const digest = '00112233445566778899aabbccddeeff';

const plain: TaskRecord = {
  id,
  digest,
  keyHash: undefined,
  tenant: 'default',
  state: 'waiting',
  fence: 0,
  runs: 0,
  lost: 0,
  submittedAtMs: 1_700_000_000_001,
  readySinceMs: 1_700_000_000_002,
  backedOff: false,
  holds: 0,
  settledAtMs: undefined,
  retryOf: undefined,
  arrayId: undefined,
  arrayIndex: undefined,
  cancelRequested: undefined,
  avoid: [],
  attempts: [],
  outcome: undefined,
  reason: '',
};

const full: TaskRecord = {
  ...plain,
  keyHash: { high: 0x01020304, low: 0xfffefdfc },
  state: 'cancelled',
  fence: 300,
  runs: 2,
  lost: 1,
  settledAtMs: 1_700_000_000_009,
  retryOf: id,
  arrayId: id,
  arrayIndex: 1_000,
  cancelRequested: { reason: 'näh', by: 'ann' },
  avoid: ['n1'],
  attempts: [
    {
      fence: 300,
      run: 2,
      node: 'n2',
      nodeName: 'two',
      incarnation: 'i',
      assignedAtMs: 3,
      startedAtMs: 4,
      endedAtMs: 5,
      outcome: { ...systemOutcome('failed', 6, 'm'), exitCode: 7, signal: 'SIGTERM', tail: 't' },
    },
  ],
  outcome: systemOutcome('cancelled', 8, ''),
  reason: 'r',
};

/** Bytes of format version 1. */
const golden = {
  plainRow:
    '0100000003179f0195a001000280000000004d00112233445566778899aabbccddeeff0764656661756c7400' +
    '000081d095ffbc3182d095ffbc31000000000000000000',
  fullRow:
    '0105010003179f0195a001000280000000004d00112233445566778899aabbccddeeff01020304fffefdfc07' +
    '64656661756c74ac02020181d095ffbc3182d095ffbc3189d095ffbc310114303635777a7362383031303530' +
    '303030303032640114303635777a73623830313035303030303030326401e80701046ec3a46803616e6e0102' +
    '6e3101ac0202026e320374776f01690301040105010101010701075349475445524d00060000000000000174' +
    '016d0101030000000800000000000000000172',
  metaRow: '0180d095ffbc3185d095ffbc31ac02deadbeef07010203040506bc05',
  /** Version 2: something expired. */
  laterMetaRow: '0280d095ffbc3185d095ffbc31ac02deadbeef07010203040506bc05ac0281d095ffbc31ac02',
};

describe('rows', () => {
  test('of a plain waiting task have these bytes', () => {
    expect(hex(encodeTaskRow(plain))).toBe(golden.plainRow);
  });

  test('of a task with everything have these bytes', () => {
    expect(hex(encodeTaskRow(full))).toBe(golden.fullRow);
  });

  test('of the meta record have these bytes', () => {
    const meta = {
      nowMs: 1_700_000_000_000,
      stampMs: 1_700_000_000_005,
      lastSeq: 300,
      digest: 0xdeadbeef,
      counts: [1, 2, 3, 4, 5, 6, 700],
      expired: { tasks: 0, toMs: 0 },
      epoch: 0,
      rules: 1,
    };
    const bytes = encodeMeta(meta);
    expect(hex(bytes)).toBe(golden.metaRow);
    expect(decodeMeta(bytes)).toEqual(meta);
    // After a recovery, and once tasks have expired.
    const later = { ...meta, expired: { tasks: 300, toMs: 1_700_000_000_001 }, epoch: 300 };
    expect(hex(encodeMeta(later))).toBe(golden.laterMetaRow);
    expect(decodeMeta(encodeMeta(later))).toEqual(later);
    // Once the shard has adopted later rules.
    const adopted = { ...later, rules: 3 };
    expect(hex(encodeMeta(adopted))).toBe(`03${golden.laterMetaRow.slice(2)}01010103`);
    expect(decodeMeta(encodeMeta(adopted))).toEqual(adopted);
  });

  test('of a task whose start bound was missed have a tagged field more', () => {
    const missed = { ...plain, boundMissed: true };
    const bytes = encodeTaskRow(missed);
    expect(hex(bytes)).toBe(`02${golden.plainRow.slice(2)}011000`);
    expect(decodeTaskRow(bytes)).toEqual(missed);
  });

  test('of a task that is held have its plain row, a version and a tagged field', () => {
    const held = { ...plain, holds: 5 };
    const bytes = encodeTaskRow(held);
    expect(hex(bytes)).toBe(`02${golden.plainRow.slice(2)}01010105`);
    expect(decodeTaskRow(bytes)).toEqual(held);
    const unknown = bytes.slice();
    unknown[unknown.length - 3] = 100;
    expect(() => decodeTaskRow(unknown)).toThrow('unknown field 100');
  });

  test('of a task in a line, under which supervisors ended, have a tagged field for each', () => {
    const ordered = { ...plain, lineNumber: 300, supervisorsLost: 1 };
    const bytes = encodeTaskRow(ordered);
    expect(hex(bytes)).toBe(`02${golden.plainRow.slice(2)}021502ac02160101`);
    expect(decodeTaskRow(bytes)).toEqual(ordered);
  });

  test('of a dead letter have these bytes and this key', () => {
    const words = new Uint32Array(4);
    packId(plain.id, words);
    const key = deadLetterKey(words);
    expect(hex(key)).toBe(`0c${hex(new TextEncoder().encode(plain.id))}`);
    expect(taskIdOfKey(key)).toBe(plain.id);
    const bytes = encodeDeadLetter(1_700_000_000_000);
    expect(hex(bytes)).toBe('0180d095ffbc31');
    expect(decodeDeadLetter(bytes)).toBe(1_700_000_000_000);
    expect(() => decodeDeadLetter(Uint8Array.of(2, 0))).toThrow('version 2');
  });

  test('give back what was written', () => {
    const marked = { ...plain, reason: '\ufeff\ufeffx', tenant: 't'.repeat(20_000) };
    for (const record of [plain, full, marked, { ...plain, backedOff: true }]) {
      expect(decodeTaskRow(encodeTaskRow(record))).toEqual(record);
    }
  });

  test('say the essentials without being read whole', () => {
    const { head } = openTaskRow(encodeTaskRow(full));
    expect(head.keyHash).toEqual(full.keyHash);
    expect(head.state).toBe(5);
    expect([...head.digest]).toEqual([0x00112233, 0x44556677, 0x8899aabb, 0xccddeeff]);
    expect(openTaskRow(encodeTaskRow(plain)).head.keyHash).toBeUndefined();
  });

  test('of another version, cut short or with bytes too many are refused', () => {
    const bytes = encodeTaskRow(full);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeTaskRow(bytes.subarray(0, length))).toThrow();
    }
    expect(() => decodeTaskRow(Uint8Array.of(...bytes, 0))).toThrow('1 bytes too many');
    const newer = bytes.slice();
    newer[0] = 3;
    expect(() => openTaskRow(newer)).toThrow('task row: version 3');
    const stateless = bytes.slice();
    stateless[1] = 7;
    expect(() => decodeTaskRow(stateless)).toThrow('unknown state');
    const wide = bytes.slice();
    wide[3] = 0xff;
    expect(() => decodeTaskRow(wide)).toThrow('not a task ID');
    expect(() => decodeMeta(Uint8Array.of(4))).toThrow('version 4');
  });
});

describe('keys', () => {
  test('sort by kind, then by ID or digest', () => {
    expect(hex(taskKey(id))).toBe(`02${Buffer.from(id).toString('hex')}`);
    expect(hex(specKey(digest))).toBe(`03${digest}`);
    expect(specKey(digestBytes(digest))).toEqual(specKey(digest));
    expect(digestHex(digestBytes(digest))).toBe(digest);
    const { from, to } = taskRange();
    expect([hex(from), hex(to)]).toEqual(['02', '03']);
  });

  test('are not made from what is not an ID or a digest', () => {
    expect(() => taskKey('short' as never)).toThrow('not a task ID');
    expect(() => specKey('00')).toThrow('16 bytes');
  });
});

test('the row of an hourly budget has these bytes', () => {
  const minutes = [
    [28_333_333, 5],
    [28_333_334, 300],
  ] as const;
  const bytes = encodeHourBudget(minutes);
  expect(hex(bytes)).toBe('010295aac10d0596aac10dac02');
  expect(decodeHourBudget(bytes)).toEqual(minutes);
});

describe('rows of a schedule', () => {
  const origin = {
    definition: weeklySchedule,
    createdMs: 1_700_000_000_000,
    createdBy: 'ann',
    digest: new Uint8Array(16).fill(7),
    spec: encodeSpec(smallSpec),
  };
  const standing = {
    cursorMs: 1_700_000_000_000,
    paused: { by: 'ann', reason: 'näh', atMs: 3 },
    left: 9,
    fired: 300,
    skipped: 1,
    missed: 2,
    active: [id],
    queued: [
      { occurrenceMs: 5, id, salt: undefined },
      { occurrenceMs: 6, id: undefined, salt: 'again' },
    ],
    recent: [{ occurrenceMs: 4, taskId: id, firedAtMs: 5 }],
    requests: ['again'],
  };

  test('have these bytes', () => {
    expect(hex(scheduleKey('acme\u0000nightly'))).toBe('0861636d65006e696768746c79');
    expect(hex(standingKey('acme\u0000nightly'))).toBe('0961636d65006e696768746c79');
    expect(nameOfKey(standingKey('acme\u0000nightly'))).toBe('acme\u0000nightly');
    expect(hex(encodeScheduleRow(origin))).toBe(
      '01010461636d65076e696768746c790296010200040d4575726f70652f4265726c696e03020180dddb01ac02' +
        '0180a0f1c2b134010a80d095ffbc3103616e6e070707070707070707070707070707073a0101080764656661' +
        '756c74020403616e6e06000901000a096480808020000000000f0101100200001101001202d00f1303a09c01' +
        '140480808008',
    );
    expect(hex(encodeStandingRow(standing))).toBe(
      '0180d095ffbc310103616e6e046ec3a468030109ac0201020114303635777a73623830313035303030303030' +
        '326402050114303635777a7362383031303530303030303032640006000105616761696e010414303635777a' +
        '736238303130353030303030303264050105616761696e',
    );
  });

  test('read as they were written', () => {
    expect(decodeScheduleRow(encodeScheduleRow(origin))).toEqual(origin);
    expect(decodeStandingRow(encodeStandingRow(standing))).toEqual(standing);
    const { paused: _, ...running } = standing;
    expect(decodeStandingRow(encodeStandingRow(running))).toEqual(running);
    expect(() => decodeStandingRow(Uint8Array.of(9))).toThrow('version 9');
  });
});

test('the row of a task that a schedule made says so', () => {
  const made = { ...plain, firing: { schedule: 'nightly', occurrenceMs: 300 } };
  const bytes = encodeTaskRow(made);
  expect(hex(bytes)).toBe(`02${golden.plainRow.slice(2)}010c0a076e696768746c79ac02`);
  expect(decodeTaskRow(bytes)).toEqual(made);
});
