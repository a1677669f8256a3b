/** LevelDB's own tables, every byte of them flipped. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Level } from 'level';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { snappyDecompress } from '../../../src/storage/snappy.ts';
import { checkTable } from '../../../src/storage/table-scan.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tsched-table-'));
});
afterEach(() => rm(directory, { recursive: true }));

/** A table of many small blocks, so that its index is long enough to be compressed. */
async function makeTable(compression: boolean): Promise<Buffer> {
  const open = async () => {
    const db = new Level<string, string>(directory, { blockSize: 256, compression });
    await db.open();
    return db;
  };
  const db = await open();
  for (let at = 0; at < 150; at++) await db.put(`key-${1000 + at}`, `value ${at} `.repeat(4));
  await db.close();
  // Opening moves the write-ahead log into a table.
  await (await open()).close();
  const [name] = (await readdir(directory)).filter(one => one.endsWith('.ldb'));
  return readFile(join(directory, name!));
}

describe.each([true, false])('a table, compressed: %s', compression => {
  test('is right as it is, and no byte of it can change unseen', async () => {
    const table = await makeTable(compression);
    expect(checkTable(table)).toBeUndefined();
    const unseen: number[] = [];
    for (let at = 0; at < table.length; at++) {
      table[at]! ^= 1 << (at % 8);
      if (checkTable(table) === undefined) unseen.push(at);
      table[at]! ^= 1 << (at % 8);
    }
    // What LevelDB leaves empty between the handles of the footer and its end.
    const footer = table.subarray(table.length - 48, table.length - 8);
    const padding = footer.length - footer.findLastIndex(byte => byte !== 0) - 1;
    expect(unseen.length).toBeLessThanOrEqual(padding);
    for (const at of unseen) expect(at).toBeGreaterThanOrEqual(table.length - 8 - padding);
  });

  test('that is cut short anywhere is seen', async () => {
    const table = await makeTable(compression);
    for (let to = 0; to < table.length; to += 7) {
      expect(checkTable(table.subarray(0, to)), `cut to ${to}`).toBeDefined();
    }
  });
});

describe('snappy', () => {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

  test('literals and copies, overlapping ones too', () => {
    // 11 bytes: "ab", then 8 bytes from 2 back, then "c".
    const block = Uint8Array.of(11, 0x04, 0x61, 0x62, 0x11, 0x02, 0x00, 0x63);
    expect(text(snappyDecompress(block))).toBe('ababababab' + 'c');
    // A copy with an offset of two bytes: 3 bytes from 2 back.
    expect(text(snappyDecompress(Uint8Array.of(5, 0x04, 0x61, 0x62, 0x0a, 0x02, 0x00)))).toBe(
      'ababa',
    );
    expect(snappyDecompress(Uint8Array.of(0))).toHaveLength(0);
  });

  test.each([
    ['nothing at all', []],
    ['a length and no content', [5]],
    ['a literal that ends too soon', [5, 0x10, 0x61]],
    ['a copy from before the beginning', [8, 0x00, 0x61, 0x11, 0x05]],
    ['more than it says', [1, 0x04, 0x61, 0x62]],
  ])('refuses %s', (_what, bytes) => {
    expect(() => snappyDecompress(Uint8Array.from(bytes))).toThrow(RangeError);
  });
});
