/**
 * The dead letters of a shard: tasks that failed and wait to be replayed or purged. The task itself
 * is settled and never changes; that it is a dead letter is a row of its own beside it, which goes
 * when somebody has dealt with it, or with the task when that leaves the history.
 *
 * Apply knows them by their IDs, 21 to 27 bytes each; everything else is in the row of the task.
 */
import { ByteReader, ByteWriter } from '../model/bytes.ts';
import { deadLetterKey, taskIdOfKey } from './keys.ts';
import { idWordCount, packId } from './memory/id-words.ts';
import { SettledIds } from './memory/known-ids.ts';
import type { SideRows } from './side-rows.ts';

const rowVersion = 1;

/** Value of the row: when it settled, as people see it. */
export const encodeDeadLetter = (settledAtMs: number): Uint8Array =>
  new ByteWriter(16).u8(rowVersion).varint(settledAtMs).finish();

/** Throws `DecodeError` for another version or malformed bytes. */
export function decodeDeadLetter(bytes: Uint8Array): number {
  const reader = new ByteReader(bytes);
  reader.version(rowVersion, 'dead letter');
  const settledAtMs = reader.varint();
  reader.end('dead letter');
  return settledAtMs;
}

export class DeadLetters {
  readonly #ids = new SettledIds();
  readonly #rows: SideRows;

  constructor(rows: SideRows) {
    this.#rows = rows;
  }

  get size(): number {
    return this.#ids.size;
  }

  get bytes(): number {
    return this.#ids.bytes;
  }

  has(words: Uint32Array): boolean {
    return this.#ids.has(words);
  }

  add(words: Uint32Array, settledAtMs: number): void {
    this.#ids.add(words, 0);
    this.#rows.put(deadLetterKey(words), () => encodeDeadLetter(settledAtMs));
  }

  /** Somebody dealt with it, or it left the history. */
  remove(words: Uint32Array): void {
    this.#ids.remove(words);
    this.#rows.drop(deadLetterKey(words));
  }

  /** A row that is stored. */
  load(key: Uint8Array, value: Uint8Array): void {
    decodeDeadLetter(value);
    const words = new Uint32Array(idWordCount);
    packId(taskIdOfKey(key), words);
    this.#ids.add(words, 0);
  }
}
