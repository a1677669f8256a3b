import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DecodeError } from '../../../src/model/bytes.ts';
import { FrameReader } from '../../../src/net/frame-reader.ts';

function encode(frames: readonly Uint8Array[]): Uint8Array {
  const parts = frames.map(frame => {
    const part = Buffer.alloc(4 + frame.length);
    part.writeUInt32BE(frame.length);
    part.set(frame, 4);
    return part;
  });
  return Buffer.concat(parts);
}

function read(chunks: readonly Uint8Array[], frameBytesMax = 1_000): Uint8Array[] {
  const frames: Uint8Array[] = [];
  const reader = new FrameReader(frameBytesMax, frame => frames.push(frame.slice()));
  for (const chunk of chunks) reader.push(chunk);
  return frames;
}

function split(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set(cuts.map(cut => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  const chunks: Uint8Array[] = [];
  let from = 0;
  for (const place of [...places, bytes.length]) {
    chunks.push(bytes.slice(from, place));
    from = place;
  }
  return chunks;
}

describe('frame reader', () => {
  test('finds the same frames wherever the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 12 }),
        fc.array(fc.nat(4_000), { maxLength: 30 }),
        (frames, cuts) => {
          expect(read(split(encode(frames), cuts)).map(frame => [...frame])).toEqual(
            frames.map(frame => [...frame]),
          );
        },
      ),
    );
  });

  test('reads frames that arrive byte by byte', () => {
    const bytes = encode([Uint8Array.of(1, 2, 3), Uint8Array.of(4)]);
    const frames = read([...bytes].map(byte => Uint8Array.of(byte)));
    expect(frames.map(frame => [...frame])).toEqual([[1, 2, 3], [4]]);
  });

  test('does not hand out keep-alives', () => {
    const empty = new Uint8Array(0);
    const frames = read([encode([empty, Uint8Array.of(9), empty, empty])]);
    expect(frames.map(frame => [...frame])).toEqual([[9]]);
  });

  test('hands out a frame that lies in one chunk as a view of it', () => {
    const bytes = encode([Uint8Array.of(1, 2)]);
    let seen: Uint8Array | undefined;
    new FrameReader(10, frame => {
      seen = frame;
    }).push(bytes);
    expect(seen?.buffer).toBe(bytes.buffer);
  });

  test('accepts a frame at the bound and refuses one over it before its body arrives', () => {
    expect(read([encode([new Uint8Array(1_000)])]).length).toBe(1);
    const header = Buffer.alloc(4);
    header.writeUInt32BE(1_001);
    expect(() => read([header])).toThrow(DecodeError);
    expect(() => read([header.subarray(0, 2), header.subarray(2)])).toThrow(DecodeError);
  });
});
