/**
 * The row of a task as most are in a shard where much waits: given to no node yet, held by nothing,
 * part of nothing. A start reads a million of them, so they are read in one pass over their bytes,
 * without an object for any of their parts. Whatever is different about a row, `openTaskRow` reads
 * it, and says what is wrong where something is.
 */
import { u32At } from '../model/bytes.ts';
import { digestLength } from './keys.ts';
import { idWordCount, idWordMask } from './memory/id-words.ts';
import { termsTag } from './record-extras.ts';

const headBytes = 3 + idWordCount * 4 + digestLength;
/** From the instant of its end to its reason: nine fields, each of which is one byte of 0. */
const emptyFields = 9;

/** The newest row that was read; what it says is valid until the next one is. */
export class PlainRow {
  readonly words = new Uint32Array(idWordCount);
  readonly digest = new Uint32Array(digestLength / 4);
  isKeyed = false;
  keyHigh = 0;
  keyLow = 0;
  isBackedOff = false;
  submittedAtMs = 0;
  readySinceMs = 0;
  /** Where what memory keeps of its spec begins, up to the end; `termsFrom` is 0 without. */
  termsFrom = 0;
  #at = 0;

  /** False for a row that is not plain. */
  read(bytes: Uint8Array): boolean {
    const version = bytes[0];
    const flags = bytes[2]!;
    if ((version !== 1 && version !== 2) || bytes[1] !== 0 || !(flags < 4)) return false;
    for (let word = 0; word < this.words.length; word++) {
      const value = u32At(bytes, 3 + word * 4);
      if (!(value <= idWordMask)) return false;
      this.words[word] = value;
    }
    for (let word = 0; word < this.digest.length; word++) {
      this.digest[word] = u32At(bytes, 3 + (idWordCount + word) * 4);
    }
    this.#at = headBytes;
    this.isBackedOff = (flags & 2) !== 0;
    this.isKeyed = (flags & 1) !== 0;
    if (this.isKeyed) {
      this.keyHigh = u32At(bytes, headBytes);
      this.keyLow = u32At(bytes, headBytes + 4);
      this.#at += 8;
    }
    const tenantBytes = bytes[this.#at]!;
    if (!(tenantBytes < 0x80)) return false;
    this.#at += 1 + tenantBytes;
    // Fence, runs, lost.
    if (!this.#passZeros(bytes, 3)) return false;
    this.submittedAtMs = this.#varint(bytes);
    this.readySinceMs = this.#varint(bytes);
    if (!this.#passZeros(bytes, emptyFields)) return false;
    this.termsFrom = 0;
    return version === 1 ? this.#at === bytes.length : this.#findTerms(bytes);
  }

  #passZeros(bytes: Uint8Array, count: number): boolean {
    for (let left = count; left > 0; left--) if (bytes[this.#at++] !== 0) return false;
    return true;
  }

  /** NaN at the end of the bytes; what is too long for a number is no field of 0 behind it. */
  #varint(bytes: Uint8Array): number {
    let value = 0;
    for (let scale = 1; scale < 2 ** 49; scale *= 0x80) {
      const byte = bytes[this.#at++]!;
      if (byte < 0x80) return value + byte * scale;
      value += (byte & 0x7f) * scale;
    }
    this.#at = Number.POSITIVE_INFINITY;
    return Number.NaN;
  }

  /** Whether terms are the one field with a tag, up to the end. */
  #findTerms(bytes: Uint8Array): boolean {
    if (bytes[this.#at] !== 1 || bytes[this.#at + 1] !== termsTag) return false;
    this.#at += 2;
    const length = this.#varint(bytes);
    this.termsFrom = this.#at;
    return this.#at + length === bytes.length;
  }
}
