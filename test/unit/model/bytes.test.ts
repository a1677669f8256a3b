import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader, ByteWriter, DecodeError } from '../../../src/model/bytes.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

/** Something to write, how it is written and how it is read back. */
type Piece =
  | { kind: 'u8' | 'u16' | 'u32' | 'u48' | 'varint'; value: number }
  | { kind: 'bool'; value: boolean }
  | { kind: 'text'; value: string }
  | { kind: 'bytes'; value: Uint8Array }
  | { kind: 'optional'; value: number | undefined }
  | { kind: 'list'; value: number[] };

const whole = (max: number) => fc.integer({ min: 0, max });
const piece: fc.Arbitrary<Piece> = fc.oneof(
  fc.record({ kind: fc.constant('u8' as const), value: whole(0xff) }),
  fc.record({ kind: fc.constant('u16' as const), value: whole(0xffff) }),
  fc.record({ kind: fc.constant('u32' as const), value: whole(0xffff_ffff) }),
  fc.record({ kind: fc.constant('u48' as const), value: whole(2 ** 48 - 1) }),
  fc.record({ kind: fc.constant('varint' as const), value: fc.maxSafeNat() }),
  fc.record({ kind: fc.constant('bool' as const), value: fc.boolean() }),
  fc.record({
    kind: fc.constant('text' as const),
    value: fc.string({ unit: 'grapheme', maxLength: 90 }),
  }),
  fc.record({ kind: fc.constant('bytes' as const), value: fc.uint8Array({ maxLength: 300 }) }),
  fc.record({
    kind: fc.constant('optional' as const),
    value: fc.option(whole(9), { nil: undefined }),
  }),
  fc.record({
    kind: fc.constant('list' as const),
    value: fc.array(whole(1_000), { maxLength: 9 }),
  }),
);

function write(writer: ByteWriter, { kind, value }: Piece): void {
  if (kind === 'bool') writer.bool(value);
  else if (kind === 'text') writer.text(value);
  else if (kind === 'bytes') writer.bytes(value);
  else if (kind === 'optional') writer.optional(value, (w, number) => w.varint(number));
  else if (kind === 'list') writer.list(value, (w, number) => w.varint(number));
  else writer[kind](value);
}

function read(reader: ByteReader, { kind }: Piece): unknown {
  if (kind === 'optional') return reader.optional(r => r.varint());
  if (kind === 'list') return reader.list(r => r.varint());
  return reader[kind]();
}

function written(pieces: readonly Piece[], initialBytes = 1): Uint8Array {
  const writer = new ByteWriter(initialBytes);
  for (const given of pieces) write(writer, given);
  return writer.finish();
}

describe('Bytes', () => {
  test('of short texts are read alike, whatever was read before', () => {
    // Of few characters, so that texts meet each other's places.
    const short = fc.string({ unit: fc.constantFrom('a', 'b', '0', '\0', 'é'), maxLength: 21 });
    fc.assert(
      fc.property(fc.array(short, { maxLength: 60 }), texts => {
        const writer = new ByteWriter();
        for (const text of texts) writer.text(text);
        const reader = new ByteReader(writer.finish());
        expect(texts.map(() => reader.text())).toEqual(texts);
        reader.end('texts');
      }),
    );
    expect(() => new ByteReader(bytesOf('0261ff')).text()).toThrow('text is not UTF-8');
    expect(() => new ByteReader(bytesOf('0361')).text()).toThrow('truncated');
    expect(() => new ByteReader(bytesOf('026161')).text(1)).toThrow('at most 1 allowed');
  });

  test('are these for ever', () => {
    const of = (make: (writer: ByteWriter) => void): string => {
      const writer = new ByteWriter();
      make(writer);
      return hex(writer.finish());
    };
    expect(of(w => w.u8(255).u16(258).u32(16_909_060).u48(0x010203040506))).toBe(
      'ff010201020304010203040506',
    );
    expect([0, 127, 128, 300, 2 ** 32, 2 ** 53 - 1].map(n => of(w => w.varint(n)))).toEqual([
      '00',
      '7f',
      '8001',
      'ac02',
      '8080808010',
      'ffffffffffffff0f',
    ]);
    expect(of(w => w.bool(false).bool(true))).toBe('0001');
    expect(of(w => w.text('näh').bytes(bytesOf('0a0b')).raw(bytesOf('0c')))).toBe(
      '046ec3a468020a0b0c',
    );
    expect(
      of(w => w.optional(undefined, (b, n: number) => b.u8(n)).optional(7, (b, n) => b.u8(n))),
    ).toBe('000107');
    expect(of(w => w.list([1, 300], (b, n) => b.varint(n)))).toBe('0201ac02');
  });

  test('written are the values read', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), pieces => {
        const reader = new ByteReader(written(pieces));
        for (const given of pieces) expect(read(reader, given)).toEqual(given.value);
        reader.end('pieces');
      }),
    );
  });

  test('do not depend on the size the writer began with', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), pieces => {
        expect(hex(written(pieces, 1))).toBe(hex(written(pieces, 4_096)));
      }),
    );
  });

  test('cut short anywhere are refused, never read beyond', () => {
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 6 }), fc.nat(), (pieces, at) => {
        const bytes = written(pieces);
        const reader = new ByteReader(bytes.subarray(0, at % bytes.length));
        expect(() => {
          for (const given of pieces) read(reader, given);
        }).toThrow(DecodeError);
      }),
    );
  });

  test('of a view into a larger buffer end with the view', () => {
    const buffer = bytesOf('ff0102ff');
    const reader = new ByteReader(buffer.subarray(1, 3));
    expect(reader.u16()).toBe(0x0102);
    expect(() => reader.u8()).toThrow(DecodeError);
  });

  test('at random give a value or a DecodeError, and end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(piece), (bytes, pieces) => {
        const reader = new ByteReader(bytes);
        try {
          for (const given of pieces) read(reader, given);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
        expect(reader.offset + reader.remaining).toBe(bytes.length);
      }),
    );
  });
});

describe('A reader refuses', () => {
  const refused = (text: string, take: (reader: ByteReader) => unknown, why: RegExp): void => {
    const reader = new ByteReader(bytesOf(text));
    expect(() => take(reader)).toThrow(DecodeError);
    expect(() => take(new ByteReader(bytesOf(text)))).toThrow(why);
  };

  test('an integer over 2^53 - 1 or longer than eight bytes', () => {
    refused('ffffffffffffff10', r => r.varint(), /over 2\^53/);
    refused('ffffffffffffffffff01', r => r.varint(), /too long/);
  });

  test('a boolean that is neither', () => {
    refused('02', r => r.bool(), /not a boolean/);
  });

  test('a length that its bound or what is left does not hold', () => {
    refused('03616263', r => r.bytes(2), /at most 2/);
    refused('03616263', r => r.text(2), /at most 2/);
    refused('ffffffffffffff0f', r => r.bytes(), /truncated/);
  });

  test('a list longer than its bound or than the bytes left, before reading any of it', () => {
    let read = 0;
    const count = (r: ByteReader): number => {
      read++;
      return r.u8();
    };
    refused('03010203', r => r.list(count, 2), /at most 2/);
    refused('ffffff7f01', r => r.list(count), /list of/);
    expect(read).toBe(0);
  });

  test('text that is not UTF-8', () => {
    refused('02c328', r => r.text(), /not UTF-8/);
    refused('03eda080', r => r.text(), /not UTF-8/);
  });

  test('another version and trailing bytes, naming the format', () => {
    refused('02', r => r.version(1, 'row'), /row: version 2, this program reads 1/);
    refused('00', r => r.end('row'), /row: 1 bytes too many/);
  });
});

describe('A writer', () => {
  test('refuses integers that no reader would take back', () => {
    for (const bad of [-1, 1.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => new ByteWriter().varint(bad)).toThrow('varint out of range');
      expect(() => new ByteWriter().u48(bad)).toThrow('u48 out of range');
    }
    expect(() => new ByteWriter().u48(2 ** 48)).toThrow('u48 out of range');
  });

  test('returns a copy, so that it may be used again', () => {
    const writer = new ByteWriter(4).text('one');
    const first = writer.finish();
    const second = writer.reset().text('two').finish();
    expect([hex(first), hex(second)]).toEqual(['036f6e65', '0374776f']);
    expect(hex(writer.view(1, 4))).toBe('74776f');
    expect(() => writer.view(1, 9)).toThrow('view 1 to 9 of 4');
  });

  test('copies what is to be kept, and views what is not', () => {
    const source = bytesOf('020a0b020c0d');
    const reader = new ByteReader(source);
    const [copy, view] = [reader.bytesCopy(), reader.bytes()];
    source.fill(0);
    expect([hex(copy), hex(view)]).toEqual(['0a0b', '0000']);
  });

  test('writes nested pieces as the bytes of a writer of their own', () => {
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 40 }),
        fc.array(piece),
        whole(3),
        (inner, outer, depth) => {
          let expected = written(inner);
          for (let level = 0; level < depth; level++) {
            expected = new ByteWriter(1).u8(7).bytes(expected).u8(9).finish();
          }
          const writeLevel = (writer: ByteWriter, level: number): void => {
            if (level === 0) for (const given of inner) write(writer, given);
            else
              writer
                .u8(7)
                .nested(w => writeLevel(w, level - 1))
                .u8(9);
          };
          const writer = new ByteWriter(1);
          for (const given of outer) write(writer, given);
          writer.nested(w => writeLevel(w, depth));
          const whole_ = new ByteWriter(1).raw(written(outer)).bytes(expected).finish();
          expect(hex(writer.finish())).toBe(hex(whole_));
        },
      ),
    );
  });

  test('writes a nested piece of any length, however long its length is', () => {
    for (const length of [0, 1, 126, 127, 128, 129, 16_383, 16_384, 70_000]) {
      const body = new Uint8Array(length).fill(5);
      const nested = new ByteWriter(1)
        .u8(1)
        .nested(w => w.raw(body))
        .u8(2)
        .finish();
      expect(hex(nested)).toBe(hex(new ByteWriter(1).u8(1).bytes(body).u8(2).finish()));
    }
  });
});
