import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { crc32c, maskCrc } from '../../../src/storage/crc32c.ts';
import { scanWal, scanWals } from '../../../src/storage/wal-scan.ts';

const block = 32 * 1024;

/** Writes batches as LevelDB frames them; tells where each begins and which bytes mean nothing. */
function walOf(sizes: readonly number[]): {
  bytes: Uint8Array;
  starts: number[];
  pads: Set<number>;
} {
  const pads = new Set<number>();
  const out: number[] = [];
  const starts: number[] = [];
  let fill = 1;
  for (const size of sizes) {
    // No zeros inside: a sector of zeros has a meaning of its own.
    const payload = Uint8Array.from({ length: size }, () => 1 + (fill++ % 250));
    starts.push(out.length);
    let at = 0;
    do {
      const left = block - (out.length % block);
      if (left < 7) {
        for (let pad = 0; pad < left; pad++) {
          pads.add(out.length);
          out.push(0);
        }
        continue;
      }
      const part = payload.subarray(at, at + left - 7);
      const begins = at === 0;
      at += part.length;
      const ends = at === size;
      const type = begins ? (ends ? 1 : 2) : ends ? 4 : 3;
      const framed = Uint8Array.from([type, ...part]);
      const crc = maskCrc(crc32c(framed, 0, framed.length));
      out.push(crc & 0xff, (crc >>> 8) & 0xff, (crc >>> 16) & 0xff, crc >>> 24);
      out.push(part.length & 0xff, part.length >>> 8, ...framed);
      if (ends) break;
    } while (at < size);
  }
  return { bytes: Uint8Array.from(out), starts, pads };
}

const flipped = (bytes: Uint8Array, at: number): Uint8Array => {
  const copy = bytes.slice();
  copy[at]! ^= 0x10;
  return copy;
};

describe('CRC-32C', () => {
  test('gives the check values of RFC 3720, appendix B.4', () => {
    const of = (bytes: Uint8Array): number => crc32c(bytes, 0, bytes.length);
    expect(of(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(of(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(of(Uint8Array.from({ length: 32 }, (_, position) => position))).toBe(0x46dd794e);
    expect(of(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
  });
});

describe('scan of the write-ahead log', () => {
  // The first ends 3 bytes before the end of its block: too few for a header.
  const sizes = [block - 10, 3000, 40_000, 20, 70_000, 500];
  const { bytes, starts, pads } = walOf(sizes);

  test('a whole log is clean and its batches are counted', () => {
    expect(pads.size).toBe(3);
    expect(scanWal(bytes)).toEqual({ verdict: 'clean', offset: bytes.length, batches: 6 });
    expect(scanWal(new Uint8Array())).toEqual({ verdict: 'clean', offset: 0, batches: 0 });
  });

  test('a cut anywhere is a torn end, never more, and counts the batches before it', () => {
    for (let length = 1; length < bytes.length; length += 197) {
      const whole = starts.filter((_, position) => (starts[position + 1] ?? Infinity) <= length);
      const { verdict, batches } = scanWal(bytes.subarray(0, length));
      expect(batches).toBe(whole.length);
      expect(verdict).toBe(starts.includes(length) ? 'clean' : 'torn');
    }
  });

  test('a flipped bit anywhere before the last batch is corrupt', () => {
    const lastStart = starts.at(-1)!;
    let looked = 0;
    for (let at = 0; at < lastStart; at += 211) {
      if (pads.has(at)) continue;
      expect([at, scanWal(flipped(bytes, at)).verdict]).toEqual([at, 'corrupt']);
      looked++;
    }
    expect(looked).toBeGreaterThan(500);
  });

  test('a flipped bit in the last batch is ambiguous, or torn where it makes it longer', () => {
    const lastStart = starts.at(-1)!;
    const verdicts = new Set<string>();
    for (let at = lastStart; at < bytes.length; at++) {
      verdicts.add(scanWal(flipped(bytes, at)).verdict);
    }
    expect([...verdicts].sort()).toEqual(['ambiguous', 'torn']);
    expect(scanWal(flipped(bytes, lastStart + 100)).verdict).toBe('ambiguous');
  });

  test('a last batch whose sectors never reached the disk is torn', () => {
    const cut = walOf([100, 70_000]);
    const hole = cut.bytes.slice();
    hole.fill(0, 40_960, 45_056);
    expect(scanWal(hole)).toMatchObject({ verdict: 'torn', batches: 1 });
    const tail = Uint8Array.from([...walOf([100]).bytes, ...new Uint8Array(5000)]);
    expect(scanWal(tail)).toMatchObject({ verdict: 'torn', batches: 1 });
  });

  test('zeros over a batch that another one follows are corrupt', () => {
    const hole = bytes.slice();
    hole.fill(0, 4096, 8192);
    expect(scanWal(hole).verdict).toBe('corrupt');
  });

  test('a damaged end of an older file is corrupt when a later file holds batches', async () => {
    const root = await mkdtemp(join(tmpdir(), 'tsched-wal-'));
    try {
      const cut = bytes.subarray(0, bytes.length - 50);
      await writeFile(join(root, '000009.log'), cut);
      await writeFile(join(root, '000012.log'), new Uint8Array());
      expect((await scanWals(root))?.finding.verdict).toBe('torn');
      await writeFile(join(root, '000012.log'), bytes);
      const report = await scanWals(root);
      expect(report?.file).toBe(join(root, '000009.log'));
      expect(report?.finding.verdict).toBe('corrupt');
      await writeFile(join(root, '000009.log'), bytes);
      expect(await scanWals(root)).toBeUndefined();
    } finally {
      await rm(root, { recursive: true });
    }
  });
});
