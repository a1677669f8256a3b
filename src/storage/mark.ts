/**
 * The mark: a small file beside LevelDB's own that says up to which batch all was acknowledged. A
 * write-ahead log that is cut short between two batches looks like one that was never longer; what
 * was acknowledged and is gone shows by the mark alone. It is written when the store is closed, and
 * now and then while it is open, behind the batches that it stands for: so it is never ahead of
 * them, and after a crash what it cannot vouch for is the last few seconds.
 *
 * Two slots of a sector each, written in turn, so that one of them is whole at any moment:
 *
 *   version:u8  batch:u48  crc:u32     the CRC-32 over the bytes before it
 */
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { ByteReader, ByteWriter } from '../model/bytes.ts';
import { StoreDamage } from './damage.ts';

const markFile = 'acknowledged';
const version = 1;
const slotBytes = 512;
const slots = 2;
const bodyBytes = 7;

/** One slot, as it is written. */
export function encodeMark(batch: number): Uint8Array {
  const body = new ByteWriter(slotBytes).u8(version).u48(batch).finish();
  const slot = new Uint8Array(slotBytes);
  slot.set(new ByteWriter(slotBytes).raw(body).u32(crc32(body)).finish());
  return slot;
}

function decodeMark(slot: Uint8Array): number | undefined {
  if (slot.length < bodyBytes + 4) return undefined;
  const reader = new ByteReader(slot);
  const found = reader.u8();
  const batch = reader.u48();
  if (reader.u32() !== crc32(slot.subarray(0, bodyBytes))) return undefined;
  if (found === version) return batch;
  throw new StoreDamage(`${markFile}: format version ${found}, this program reads ${version}`);
}

/**
 * The batch that the mark stands for; 0 where there is none, as in a store of an earlier version.
 * Throws `StoreDamage` where neither slot can be read.
 */
export async function readMark(directory: string): Promise<number> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(join(directory, markFile));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0;
    throw error;
  }
  let batch: number | undefined;
  for (let slot = 0; slot < slots; slot++) {
    const found = decodeMark(bytes.subarray(slot * slotBytes, (slot + 1) * slotBytes));
    if (found !== undefined) batch = Math.max(batch ?? 0, found);
  }
  if (batch === undefined) throw new StoreDamage(`the file ${markFile} cannot be read`);
  return batch;
}

export class Mark {
  readonly #file: FileHandle;
  #slot = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Opens the mark of a store and sets it, whatever it was. */
  static async open(directory: string, batch: number): Promise<Mark> {
    const path = join(directory, markFile);
    // Not truncated: a crash here leaves what there was.
    const file = await open(path, 'r+').catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
        return open(path, 'w+', 0o600);
      }
      throw error;
    });
    const mark = new Mark(file);
    for (let slot = 0; slot < slots; slot++) await mark.set(batch);
    return mark;
  }

  /** Durable when it resolves. One at a time. */
  async set(batch: number): Promise<void> {
    await this.#file.write(encodeMark(batch), 0, slotBytes, this.#slot * slotBytes);
    await this.#file.datasync();
    this.#slot = (this.#slot + 1) % slots;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
