/**
 * Checks LevelDB's tables before LevelDB reads them. Each block of a table has a checksum, which
 * the bundled LevelDB never looks at: a bit that flips in a key, or in the number that says which
 * of two values is the newer one, takes a row away or brings an old one back, and no checksum of a
 * value shows it. A compaction would even write it anew, with checksums that are right.
 *
 * Looked at are the tables that the manifest names: another one is what a crash left of a
 * compaction, and may be in pieces.
 *
 * Formats: LevelDB's doc/table_format.md, db/version_edit.cc.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32c, maskCrc } from './crc32c.ts';
import { snappyDecompress } from './snappy.ts';
import { walBatches } from './wal-scan.ts';

const footerBytes = 48;
const trailerBytes = 5;
const magic = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];
const compressed = 1;

interface Handle {
  readonly offset: number;
  readonly size: number;
}

/** Reads what LevelDB writes; throws `RangeError` at the end of the bytes. */
class Cursor {
  readonly bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.bytes[this.at++];
      if (byte === undefined || scale > 2 ** 63) throw new RangeError('a number without an end');
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  skip(count: number): void {
    this.at += count;
    if (this.at > this.bytes.length) throw new RangeError('it ends too soon');
  }

  handle(): Handle {
    return { offset: this.varint(), size: this.varint() };
  }
}

/** Checks one table; a sentence about the first thing that is wrong. */
export function checkTable(bytes: Uint8Array): string | undefined {
  const end = bytes.length - footerBytes;
  if (end < 0 || !magic.every((byte, place) => bytes[bytes.length - 8 + place] === byte)) {
    return 'its end is missing';
  }
  try {
    const footer = new Cursor(bytes, end);
    const indices = [footer.handle(), footer.handle()];
    for (const index of indices) {
      const wrong = checkBlock(bytes, index);
      if (wrong !== undefined) return wrong;
      for (const handle of handlesIn(contentOf(bytes, index))) {
        const inside = checkBlock(bytes, handle);
        if (inside !== undefined) return inside;
      }
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return error.message;
  }
}

function checkBlock(bytes: Uint8Array, { offset, size }: Handle): string | undefined {
  const end = offset + size + 1;
  if (end + trailerBytes - 1 > bytes.length - footerBytes) return `no block can be at ${offset}`;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (maskCrc(crc32c(bytes, offset, end)) === view.getUint32(end, true)) return undefined;
  return `the block at byte ${offset} has a wrong checksum`;
}

function contentOf(bytes: Uint8Array, { offset, size }: Handle): Uint8Array {
  const block = bytes.subarray(offset, offset + size);
  return bytes[offset + size] === compressed ? snappyDecompress(block) : block;
}

/** The values of an index block: where other blocks are. */
function* handlesIn(block: Uint8Array): Generator<Handle> {
  if (block.length < 4) throw new RangeError('an index without an end');
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const restarts = view.getUint32(block.length - 4, true);
  const end = block.length - 4 * (restarts + 1);
  const cursor = new Cursor(block);
  while (cursor.at < end) {
    cursor.varint();
    const keyBytes = cursor.varint();
    const valueBytes = cursor.varint();
    cursor.skip(keyBytes);
    const next = cursor.at + valueBytes;
    yield cursor.handle();
    cursor.at = next;
  }
}

/** Tags of a manifest's fields, and what to pass over behind each. */
const tag = {
  comparator: 1,
  logNumber: 2,
  nextFile: 3,
  lastSequence: 4,
  compactPointer: 5,
  deletedFile: 6,
  newFile: 7,
  previousLog: 9,
} as const;

/** The tables that a manifest names in the end, and their sizes. */
function tablesIn(manifest: Uint8Array): Map<number, number> {
  const tables = new Map<number, number>();
  for (const edit of walBatches(manifest)) {
    const cursor = new Cursor(edit);
    const text = (): void => cursor.skip(cursor.varint());
    while (cursor.at < edit.length) {
      const field = cursor.varint();
      if (field === tag.comparator) text();
      else if (field === tag.compactPointer) {
        cursor.varint();
        text();
      } else if (field === tag.deletedFile) {
        cursor.varint();
        tables.delete(cursor.varint());
      } else if (field === tag.newFile) {
        cursor.varint();
        tables.set(cursor.varint(), cursor.varint());
        text();
        text();
      } else if (Object.values(tag).some(known => known === field)) cursor.varint();
      else throw new RangeError(`an unknown field ${field}`);
    }
  }
  return tables;
}

/**
 * What is wrong with the tables of a database that nobody has open, a sentence each. What LevelDB
 * says by itself when it opens (no manifest, a table that is gone) is left to it.
 */
export async function scanTables(directory: string): Promise<string[]> {
  const damage: string[] = [];
  const current = (await readFile(join(directory, 'CURRENT'), 'utf8')).trim();
  if (!/^MANIFEST-\d+$/.test(current)) return damage;
  const manifest = await fileAt(directory, current);
  if (manifest === undefined) return damage;
  let tables: ReadonlyMap<number, number>;
  try {
    tables = tablesIn(manifest);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return [`${current} cannot be read: ${error.message}`];
  }
  for (const [number, size] of tables) {
    const name = String(number).padStart(6, '0');
    const bytes =
      (await fileAt(directory, `${name}.ldb`)) ?? (await fileAt(directory, `${name}.sst`));
    if (bytes === undefined) continue;
    const wrong =
      bytes.length === size ? checkTable(bytes) : `it has ${bytes.length} bytes of ${size}`;
    if (wrong !== undefined) damage.push(`table ${name}: ${wrong}`);
  }
  return damage;
}

async function fileAt(directory: string, name: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(join(directory, name));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
