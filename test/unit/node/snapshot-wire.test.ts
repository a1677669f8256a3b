/** What travels on the stream of a snapshot: as it was sent, or not at all. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DecodeError } from '../../../src/model/bytes.ts';
import { limits } from '../../../src/model/limits.ts';
import {
  decodePart,
  encodePart,
  RowCutter,
  RowJoiner,
  type SnapshotPart,
  verdicts,
} from '../../../src/node/snapshot-wire.ts';
import type { Row } from '../../../src/ports/store.ts';
import { newMessage } from '../../../src/raft/message.ts';

const conf = {
  voters: [1, 2],
  votersOutgoing: [],
  learners: [9],
  learnersNext: [],
  autoLeave: false,
};

const message = {
  ...newMessage('MsgSnap', 1, 9, 7),
  snapshot: { index: 300, term: 6, conf },
};

const parts: readonly SnapshotPart[] = [
  {
    kind: 'header',
    header: {
      clusterId: 'c1',
      group: 3,
      toStore: 0xdeadbeef,
      descriptor: {
        replicaId: 1,
        confIndex: 280,
        conf,
        members: [{ replicaId: 9, node: 'n9', storeId: 's9' }],
      },
      message,
    },
  },
  { kind: 'chunk', seq: 5, bytes: Uint8Array.of(1, 2, 3) },
  { kind: 'trailer', chunks: 5, rows: 12, hash: new Uint8Array(32).fill(7) },
  { kind: 'taken', seq: 4 },
  ...verdicts.map(verdict => ({ kind: 'verdict' as const, verdict })),
];

const golden = [
  '010102633103deadbeef140101980202010200010900000109026e39027339010804090107000000ac02060201020001090000',
  '01020555bc801d03010203',
  `0103050c20${'07'.repeat(32)}`,
  '010404',
  '010500',
  '010501',
  '010502',
  '010503',
];

const rowsOf = (pairs: readonly (readonly [number, number])[]): Row[] =>
  pairs.map(([key, size], at) => [
    Uint8Array.of(at >> 8, at & 255, key & 255),
    new Uint8Array(size).fill(key),
  ]);

const cut = (rows: readonly Row[], pieces: number): SnapshotPart[] => {
  const cutter = new RowCutter();
  const found: SnapshotPart[] = [];
  for (let at = 0; at < rows.length; at += pieces) {
    found.push(...cutter.push(rows.slice(at, at + pieces)));
  }
  return [...found, ...cutter.end()];
};

/** Rows that come out at the other end; throws where they are not all there. */
function join(sent: readonly SnapshotPart[]): Row[] {
  const joiner = new RowJoiner();
  const rows: Row[] = [];
  for (const part of sent) {
    const read = decodePart(encodePart(part));
    if (read.kind === 'chunk') rows.push(...joiner.push(read.seq, read.bytes.slice()));
    else if (read.kind === 'trailer') {
      joiner.end(read);
      return rows;
    }
  }
  throw new DecodeError('no trailer');
}

const plain = (rows: readonly Row[]): string[] =>
  rows.map(([key, value]) => `${Buffer.from(key).toString('hex')}:${value.length}:${value[0]}`);

describe('a snapshot on the wire', () => {
  test('every part is read as it was written', () => {
    for (const part of parts) expect(decodePart(encodePart(part))).toEqual(part);
  });

  test('every part has its golden bytes', () => {
    expect(parts.map(part => Buffer.from(encodePart(part)).toString('hex'))).toEqual(golden);
  });

  test('a part that is cut, or that goes on, is refused', () => {
    for (const part of parts) {
      const bytes = encodePart(part);
      for (let length = 0; length < bytes.length; length++) {
        expect(() => decodePart(bytes.subarray(0, length))).toThrow(DecodeError);
      }
      expect(() => decodePart(Uint8Array.from([...bytes, 0]))).toThrow(DecodeError);
    }
  });

  test('a flipped bit in a chunk is noticed', () => {
    const bytes = encodePart({ kind: 'chunk', seq: 1, bytes: Uint8Array.of(9, 8, 7) });
    for (let bit = 8 * 4; bit < 8 * bytes.length; bit++) {
      const bad = bytes.slice();
      bad[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => decodePart(bad)).toThrow(DecodeError);
    }
  });

  test('a part of a later version or an unknown kind is refused', () => {
    expect(() => decodePart(Uint8Array.of(2, 4, 1))).toThrow(DecodeError);
    expect(() => decodePart(Uint8Array.of(1, 9, 1))).toThrow(DecodeError);
    expect(() => decodePart(Uint8Array.of(1, 5, verdicts.length))).toThrow(DecodeError);
  });

  test('rows come out as they went in, however they are cut', () => {
    const size = fc.oneof(fc.nat(40), fc.constantFrom(0, 262_130, 262_144, 600_000));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(255), size), { maxLength: 12 }),
        fc.integer({ min: 1, max: 5 }),
        (pairs, pieces) => {
          const rows = rowsOf(pairs);
          const sent = cut(rows, pieces);
          for (const part of sent) {
            if (part.kind !== 'chunk') continue;
            expect(part.bytes.length).toBeLessThanOrEqual(limits.snapshotChunkBytes);
            expect(encodePart(part).length).toBeLessThan(limits.bulkMessageBytesMax);
          }
          expect(plain(join(sent))).toEqual(plain(rows));
        },
      ),
      { numRuns: 30 },
    );
  });

  describe('is refused', () => {
    const rows = rowsOf([
      [1, 300_000],
      [2, 300_000],
      [3, 10],
    ]);
    const sent = cut(rows, 1);
    const chunkOf = (at: number) => sent[at] as Extract<SnapshotPart, { kind: 'chunk' }>;

    test('where a chunk is missing, doubled or in another place', () => {
      expect(() => join(sent.slice(1))).toThrow('chunk 2 after 0');
      expect(() => join([sent[0]!, ...sent])).toThrow('chunk 1 after 1');
      expect(() => join([sent[0]!, sent.at(-1)!])).toThrow(DecodeError);
    });

    test('where a chunk belongs to another snapshot', () => {
      const other = cut(rowsOf([[4, 300_000]]), 1);
      expect(() => join([other[0]!, ...sent.slice(1)])).toThrow(DecodeError);
    });

    test('where rows are out of order or come twice', () => {
      const [a, b] = rowsOf([
        [1, 1],
        [2, 1],
      ]);
      expect(() => join(cut([b!, a!], 2))).toThrow('out of order');
      expect(() => join(cut([a!, a!], 2))).toThrow('out of order');
    });

    test('where it ends inside a row, or the count or hash is another', () => {
      const trailer = sent.at(-1) as Extract<SnapshotPart, { kind: 'trailer' }>;
      expect(() => join([chunkOf(0), { ...trailer, chunks: 1 }])).toThrow('inside a row');
      const all = sent.slice(0, -1);
      expect(() => join([...all, { ...trailer, rows: 2 }])).toThrow('3 rows of 2');
      expect(() => join([...all, { ...trailer, hash: new Uint8Array(32) }])).toThrow('wrong hash');
    });

    test('where a field claims to be larger than any row', () => {
      const joiner = new RowJoiner();
      const huge = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x7f);
      expect(() => joiner.push(1, huge)).toThrow('a field of');
    });
  });
});
