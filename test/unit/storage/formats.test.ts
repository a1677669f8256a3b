/**
 * Golden bytes of every key and value in the database. A test that fails here means that stores on
 * real disks cannot be read any more: give the format a new version instead.
 */
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type ByteReader, ByteWriter } from '../../../src/model/bytes.ts';
import { TschedError } from '../../../src/model/errors.ts';
import type { Entry } from '../../../src/raft/message.ts';
import { BatchBuffer } from '../../../src/storage/batch-buffer.ts';
import { StoreDamage } from '../../../src/storage/damage.ts';
import {
  describeKey,
  keyOf,
  lifeRange,
  writeGroupKey,
  writeHeaderKey,
  writeLogKey,
  writeMetaKey,
  writeRowKey,
  writeWitnessKey,
} from '../../../src/storage/keyspace.ts';
import { runBytesMax, runEnd, visitRun, writeRun } from '../../../src/storage/log-record.ts';
import {
  decodeBody,
  type RecordKind,
  readApplied,
  readDescriptor,
  readHard,
  readHeader,
  readTombstone,
  readTruncation,
  unseal,
  versions,
  writeApplied,
  writeDescriptor,
  writeHard,
  writeHeader,
  writeTombstone,
  writeTruncation,
} from '../../../src/storage/record.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** Key and value as they reach the disk. */
function stored(
  kind: RecordKind,
  key: (writer: ByteWriter) => ByteWriter,
  value: (writer: ByteWriter) => unknown,
): { key: Uint8Array; value: Uint8Array } {
  const batch = new BatchBuffer();
  key(batch.key());
  value(batch.value(kind));
  batch.seal();
  const found: { key: Uint8Array; value: Uint8Array }[] = [];
  batch.replay(
    (at, bytes) => found.push({ key: at.slice(), value: bytes.slice() }),
    () => expect.unreachable(),
  );
  const [only] = found;
  if (only === undefined) throw new Error('nothing was stored');
  return only;
}

const entries: Entry[] = [
  { term: 7, index: 300, type: 0, data: text('ab') },
  { term: 7, index: 301, type: 1, data: new Uint8Array() },
  { term: 9, index: 302, type: 2, data: Uint8Array.of(255) },
];

const samples = {
  header: {
    key: writeHeaderKey,
    value: (writer: ByteWriter) =>
      writeHeader(writer, {
        clusterId: 'c1',
        nodeId: 'n1',
        storeId: 's1',
        bootCount: 300,
        witnessBase: 1,
      }),
    golden: '00=01026331026e31027331ac020165ec41cb',
  },
  witness: {
    key: (writer: ByteWriter) => writeWitnessKey(writer, 258),
    value: (writer: ByteWriter) => writer,
    golden: '01000000000102=01ed7be7d4',
  },
  descriptor: {
    key: (writer: ByteWriter) => writeGroupKey(writer, 'descriptor', 258),
    value: (writer: ByteWriter) => writeDescriptor(writer, { gen: 2, descriptor: text('me') }),
    golden: '0200000102=01000000026d658ac81429',
  },
  hard: {
    key: (writer: ByteWriter) => writeGroupKey(writer, 'hard', 258),
    value: (writer: ByteWriter) => writeHard(writer, { term: 7, vote: 3, commit: 2 ** 40 }),
    golden: '0300000102=01000000000007000000000003010000000000feeed922',
  },
  truncated: {
    key: (writer: ByteWriter) => writeGroupKey(writer, 'truncated', 258),
    value: (writer: ByteWriter) => writeTruncation(writer, { index: 290, term: 6, from: 281 }),
    golden: '0400000102=0100000000012200000000000600000000011918bc9246',
  },
  applied: {
    key: (writer: ByteWriter) => writeGroupKey(writer, 'applied', 258),
    value: (writer: ByteWriter) => writeApplied(writer, { applied: 301, appliedTerm: 7 }),
    golden: '0500000102=0100000000012d000000000007fa46a50b',
  },
  log: {
    key: (writer: ByteWriter) => writeLogKey(writer, 258, 2, 300),
    value: (writer: ByteWriter) => writeRun(writer, entries, 0, entries.length),
    golden: '06000001020000000200000000012c=0107030002616201000a01ff7d70d20b',
  },
  tombstone: {
    key: (writer: ByteWriter) => writeGroupKey(writer, 'tombstone', 258),
    value: (writer: ByteWriter) => writeTombstone(writer, { replica: 12, gen: 2 }),
    golden: '0700000102=0100000000000c00000002ca9fa7d7',
  },
  meta: {
    key: (writer: ByteWriter) => writeMetaKey(writer, 'map'),
    value: (writer: ByteWriter) => writer.raw(text('bytes')),
    golden: '086d6170=01627974657311bf5909',
  },
  row: {
    key: (writer: ByteWriter) => writeRowKey(writer, 258, 2, text('key')),
    value: (writer: ByteWriter) => writer.raw(text('value')),
    golden: '1000000102000000026b6579=0176616c75653a1c04ff',
  },
} satisfies Record<
  RecordKind,
  {
    key: (writer: ByteWriter) => ByteWriter;
    value: (writer: ByteWriter) => unknown;
    golden: string;
  }
>;

const kinds = Object.keys(versions) as RecordKind[];

describe('stored formats', () => {
  test.each(kinds)('%s has its golden key, value and checksum', kind => {
    const { key, value } = stored(kind, samples[kind].key, samples[kind].value);
    expect(`${hex(key)}=${hex(value)}`).toBe(samples[kind].golden);
  });

  test.each(kinds)('%s: any flipped bit of key or value, and any cut, is noticed', kind => {
    const { key, value } = stored(kind, samples[kind].key, samples[kind].value);
    expect(() => unseal(kind, key, value)).not.toThrow();
    for (let bit = 0; bit < (key.length + value.length) * 8; bit++) {
      const badKey = key.slice();
      const badValue = value.slice();
      const [target, at] = bit < key.length * 8 ? [badKey, bit] : [badValue, bit - key.length * 8];
      target[at >> 3]! ^= 1 << (at & 7);
      expect(() => unseal(kind, badKey, badValue)).toThrow('checksum mismatch');
    }
    for (let length = 0; length < value.length; length++) {
      expect(() => unseal(kind, key, value.subarray(0, length))).toThrow(/checksum|too short/);
    }
  });

  test('what is written is read back', () => {
    const body = (kind: RecordKind): { key: Uint8Array; body: Uint8Array } => {
      const { key, value } = stored(kind, samples[kind].key, samples[kind].value);
      return { key, body: unseal(kind, key, value) };
    };
    const read = <T>(kind: RecordKind, decode: (reader: ByteReader) => T): T => {
      const { key, body: bytes } = body(kind);
      return decodeBody(key, bytes, decode);
    };
    expect(read('header', readHeader)).toMatchObject({ clusterId: 'c1', bootCount: 300 });
    expect(read('descriptor', readDescriptor)).toEqual({ gen: 2, descriptor: text('me') });
    expect(read('hard', readHard)).toEqual({ term: 7, vote: 3, commit: 2 ** 40 });
    expect(read('truncated', readTruncation)).toEqual({ index: 290, term: 6, from: 281 });
    expect(read('applied', readApplied)).toEqual({ applied: 301, appliedTerm: 7 });
    expect(read('tombstone', readTombstone)).toEqual({ replica: 12, gen: 2 });
    expect(body('meta').body).toEqual(text('bytes'));
    expect(body('row').body).toEqual(text('value'));
    const found: Entry[] = [];
    visitRun(body('log').body, 300, (index, term, type, data) => {
      found.push({ index, term, type, data });
      return true;
    });
    expect(found).toEqual(entries);
  });

  test.each([
    [2, TschedError],
    [0, StoreDamage],
  ])('a value of version %i is not misread', (version, kind) => {
    const { key, value } = stored('hard', samples.hard.key, samples.hard.value);
    const other = Uint8Array.from([version, ...value.subarray(1, -4)]);
    const sealed = new ByteWriter()
      .raw(other)
      .u32(crc32(other, crc32(key)))
      .finish();
    const read = () => unseal('hard', key, sealed);
    expect(read).toThrow(`format version ${version}, this program reads 1`);
    // A later one is no damage: who takes it for that puts a good store aside.
    expect(read).toThrow(kind);
  });

  test('byte order of keys is the order of groups, lives and indices', () => {
    const keys: Uint8Array[] = [];
    for (const group of [0, 1, 255, 256, 0xffffffff]) {
      for (const gen of [1, 2, 256]) {
        for (const first of [1, 255, 256, 2 ** 33]) {
          keys.push(keyOf(writer => writeLogKey(writer, group, gen, first)));
        }
      }
    }
    const sorted = keys.toSorted((left, right) => Buffer.compare(left, right));
    expect(sorted.map(hex)).toEqual(keys.map(hex));
  });

  test('the range of a life holds all of its keys and no other', () => {
    const { gte, lt } = lifeRange('row', 1, 2);
    const within = (group: number, gen: number, key: number[]): boolean => {
      const bytes = keyOf(writer => writeRowKey(writer, group, gen, Uint8Array.from(key)));
      return Buffer.compare(bytes, gte) >= 0 && Buffer.compare(bytes, lt) < 0;
    };
    expect([within(1, 2, []), within(1, 2, [255, 255, 255, 255, 255])]).toEqual([true, true]);
    expect([within(1, 1, [255]), within(1, 3, []), within(0, 2, [9]), within(2, 2, [])]).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  test('a key is named so that a person knows what is meant', () => {
    const name = (write: (writer: ByteWriter) => ByteWriter): string => describeKey(keyOf(write));
    expect(kinds.map(kind => name(samples[kind].key))).toEqual([
      'header of the store',
      'batch witness 258',
      'descriptor of group 258',
      'hard state of group 258',
      'beginning of the log of group 258',
      'applied index of group 258',
      'log record of group 258 at index 300',
      'tombstone of group 258',
      'node record map',
      'row 6b6579 of group 258',
    ]);
  });
});

describe('runs of entries', () => {
  const sized = (bytes: number): Entry => ({
    term: 1,
    index: 1,
    type: 0,
    data: new Uint8Array(bytes),
  });

  test('a run ends before its payload passes the bound, but holds at least one entry', () => {
    const half = sized(runBytesMax / 2);
    expect(runEnd([half, half, half], 0)).toBe(2);
    expect(runEnd([half, half, half], 2)).toBe(3);
    expect(runEnd([sized(runBytesMax * 3), half], 0)).toBe(1);
  });

  test('bytes after the last entry and a cut run do not decode', () => {
    const body = writeRun(new ByteWriter(), entries, 0, 3).finish();
    const visit = (bytes: Uint8Array) => () => visitRun(bytes, 1, () => true);
    expect(visit(body)).not.toThrow();
    expect(visit(Uint8Array.from([...body, 0]))).toThrow('too many');
    for (let length = 0; length < body.length; length++) {
      expect(visit(body.subarray(0, length))).toThrow('truncated');
    }
  });
});
