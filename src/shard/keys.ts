/**
 * Keys of a shard's state rows. A key is one byte for the kind of row, then what names it; kinds
 * are append-only and a retired one stays listed. Task rows stand before spec rows: loading walks
 * keys in order and needs to know which specs are in use when it meets them.
 *
 *   1 meta      (nothing)                     one row: state time, counters, digest
 *   2 task      ID, 20 characters             a task with its attempts
 *   3 spec      digest, 16 bytes              `encodeSpec` bytes
 *   4 outbox    nothing, or number u64        messages to other shards (`mailbox.ts`)
 *   5 inbox     source shard u16              what was taken of each shard
 *   6 workflow  ID, 20 characters             a workflow (`workflows.ts`)
 *   7 graph     ID, 20 characters, index u16  names and parents of some of its tasks
 *   8 schedule  tenant, 0, name               what a schedule is (`schedule-rows.ts`)
 *   9 standing  tenant, 0, name               how far it is
 *  11 budget    tenant, UTF-8                 what was handed out of its hourly budget
 *  12 dead      ID, 20 characters             a task that failed, while it is a dead letter
 */
import { assert } from '../model/assert.ts';
import { ByteWriter } from '../model/bytes.ts';
import { idLength, type TaskId } from '../model/ids.ts';
import { characterCode } from './memory/id-words.ts';

export const rowKind = {
  meta: 1,
  task: 2,
  spec: 3,
  outbox: 4,
  inbox: 5,
  workflow: 6,
  graph: 7,
  schedule: 8,
  standing: 9,
  hourBudget: 11,
  deadLetter: 12,
} as const;

/** Bytes of sha256 that name a spec. */
export const digestLength = 16;
export const hexDigits = '0123456789abcdef';

export const metaKey = (): Uint8Array => Uint8Array.of(rowKind.meta);

export function taskKey(id: TaskId): Uint8Array {
  assert(id.length === idLength, `not a task ID: ${id}`);
  const key = new Uint8Array(1 + idLength);
  key[0] = rowKind.task;
  for (let position = 0; position < idLength; position++) {
    key[position + 1] = id.charCodeAt(position);
  }
  return key;
}

/** As `taskKey`, of an ID given as words. */
export function taskKeyOf(words: Uint32Array): Uint8Array {
  const key = new Uint8Array(1 + idLength);
  key[0] = rowKind.task;
  let at = 1;
  for (const word of words) {
    for (let shift = 20; shift >= 0; shift -= 5) key[at++] = characterCode(word, shift);
  }
  return key;
}

/** The same into a buffer. */
export function writeTaskKey(writer: ByteWriter, words: Uint32Array): void {
  writer.u8(rowKind.task);
  writeId(writer, words);
}

function writeId(writer: ByteWriter, words: Uint32Array): void {
  for (const word of words) {
    for (let shift = 20; shift >= 0; shift -= 5) writer.u8(characterCode(word, shift));
  }
}

/** The ID in a key of one kind and an ID. */
export const taskIdOfKey = (key: Uint8Array): TaskId =>
  String.fromCharCode(...key.subarray(1)) as TaskId;

/** Key of the row that says that a task, of an ID given as words, is a dead letter. */
export function deadLetterKey(words: Uint32Array): Uint8Array {
  const writer = new ByteWriter(1 + idLength).u8(rowKind.deadLetter);
  writeId(writer, words);
  return writer.finish();
}

/** All rows of a kind that is followed by an ID, in ID order. */
export const rangeOf = (kind: number): { from: Uint8Array; to: Uint8Array } => ({
  from: Uint8Array.of(kind),
  to: Uint8Array.of(kind + 1),
});

/** All task rows, in ID order. */
export const taskRange = (): { from: Uint8Array; to: Uint8Array } => rangeOf(rowKind.task);

/** Key of a spec's row by the 32 hexadecimal digits of its digest, or by its 16 bytes. */
export function specKey(digest: string | Uint8Array): Uint8Array {
  const bytes = typeof digest === 'string' ? digestBytes(digest) : digest;
  assert(bytes.length === digestLength, 'a spec digest has 16 bytes');
  const key = new Uint8Array(1 + digestLength);
  key[0] = rowKind.spec;
  key.set(bytes, 1);
  return key;
}

/** The same by the words of its digest. */
export function specKeyOf(words: Uint32Array): Uint8Array {
  const key = new Uint8Array(1 + digestLength);
  key[0] = rowKind.spec;
  for (let position = 0; position < digestLength; position++) {
    key[position + 1] = words[position >>> 2]! >>> (24 - 8 * (position & 3));
  }
  return key;
}

/** Value of a lower-case hexadecimal digit by its character code. */
const nibble = (code: number): number => (code < 58 ? code - 48 : code - 87);

export function digestBytes(hex: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(hex.length >>> 1);
  for (let position = 0; position < bytes.length; position++) {
    const high = nibble(hex.charCodeAt(position * 2));
    bytes[position] = (high << 4) | nibble(hex.charCodeAt(position * 2 + 1));
  }
  return bytes;
}

/** The bytes of a digest as the words that memory keeps. */
export function digestWords(digest: Uint8Array): Uint32Array {
  const words = new Uint32Array(digestLength / 4);
  for (let position = 0; position < digestLength; position++) {
    words[position >>> 2] = (words[position >>> 2]! << 8) | digest[position]!;
  }
  return words;
}

export function digestHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += hexDigits[byte >>> 4]! + hexDigits[byte & 15]!;
  return text;
}
