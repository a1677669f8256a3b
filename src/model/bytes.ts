/**
 * Reading and writing of the binary formats: unsigned varints (LEB128), fixed-width big-endian
 * integers, length-prefixed byte strings and UTF-8 text. Everything that tsched puts on a disk or a
 * wire goes through these two classes, so that a bound or a truncation is checked in one place.
 *
 * Integers are JavaScript safe integers (at most 2^53 - 1); a larger one is refused when read.
 */
import { assert } from './assert.ts';
import { shortAscii, shortMax } from './short-text.ts';

/** Bytes that could not be decoded: truncated, over a bound, or of an unknown version. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

/** A big-endian integer of four bytes, all of which are there. */
export function u32At(bytes: Uint8Array, at: number): number {
  const low = (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  return bytes[at]! * 2 ** 24 + low;
}

export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let at = 0; at < left.length; at++) if (left[at] !== right[at]) return false;
  return true;
}

const encoder = new TextEncoder();
/** Texts come back as they were, a byte order mark at their beginning included. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Growing output buffer. `finish()` returns a copy of exactly what was written. */
export class ByteWriter {
  #bytes: Uint8Array;
  #length = 0;

  constructor(initialBytes = 256) {
    this.#bytes = new Uint8Array(initialBytes);
  }

  get length(): number {
    return this.#length;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  bool(value: boolean): this {
    return this.u8(value ? 1 : 0);
  }

  u16(value: number): this {
    this.#reserve(2);
    this.#put(value, 2);
    return this;
  }

  u32(value: number): this {
    this.#reserve(4);
    this.#put(value, 4);
    return this;
  }

  /** The low bytes of an integer, most significant first, without a view for each writer. */
  #put(value: number, bytes: number): void {
    for (let shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
      this.#bytes[this.#length++] = value >>> shift;
    }
  }

  /** 48-bit big-endian integer; keys that sort by number use it. */
  u48(value: number): this {
    assert(
      Number.isSafeInteger(value) && value >= 0 && value < 2 ** 48,
      `u48 out of range: ${value}`,
    );
    this.#reserve(6);
    this.#put(Math.floor(value / 2 ** 32), 2);
    this.#put(value % 2 ** 32, 4);
    return this;
  }

  /** Unsigned LEB128. */
  varint(value: number): this {
    assert(Number.isSafeInteger(value) && value >= 0, `varint out of range: ${value}`);
    this.#reserve(8);
    const bytes = this.#bytes;
    let at = this.#length;
    // Down to 31 bits, which are shifted instead of divided.
    while (value >= 2 ** 31) {
      bytes[at++] = (value % 0x80) | 0x80;
      value = Math.floor(value / 0x80);
    }
    let rest = value | 0;
    while (rest >= 0x80) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.#length = at;
    return this;
  }

  /** Length-prefixed bytes. */
  bytes(value: Uint8Array): this {
    this.varint(value.length);
    return this.raw(value);
  }

  /** Bytes without a length; the reader must know how many. */
  raw(value: Uint8Array): this {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /**
   * What `write` writes, length-prefixed: the bytes of `bytes(...)` without a writer of its own.
   */
  nested(write: (writer: this) => void): this {
    const start = this.#length;
    this.u8(0);
    write(this);
    const end = this.#length;
    const length = end - start - 1;
    // Almost always the length takes the one byte that was left for it.
    if (length < 0x80) this.#bytes[start] = length;
    else {
      // How many it takes is found by writing it behind.
      this.varint(length);
      const moved = this.#length - end - 1;
      this.#reserve(moved);
      this.#bytes.copyWithin(start + 1 + moved, start + 1, end);
      this.#length = start;
      this.varint(length);
      this.#length = end + moved;
    }
    return this;
  }

  /** Length-prefixed UTF-8. */
  text(value: string): this {
    const length = value.length;
    if (length < 64) {
      // Short ASCII is the common case (ids, names): no encoder call, no copy.
      this.#reserve(length + 1);
      const start = this.#length;
      this.#bytes[this.#length++] = length;
      for (let position = 0; position < length; position++) {
        const code = value.charCodeAt(position);
        if (code > 0x7f) {
          this.#length = start;
          return this.bytes(encoder.encode(value));
        }
        this.#bytes[this.#length++] = code;
      }
      return this;
    }
    return this.bytes(encoder.encode(value));
  }

  /** A list: its length, then each element by `write`. */
  list<T>(values: readonly T[], write: (writer: this, value: T) => void): this {
    this.varint(values.length);
    for (const value of values) write(this, value);
    return this;
  }

  /** Presence byte, then the value where there is one. */
  optional<T>(value: T | undefined, write: (writer: this, value: T) => void): this {
    this.bool(value !== undefined);
    if (value !== undefined) write(this, value);
    return this;
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /** Starts again in the same buffer: for a writer that is used for many small values. */
  reset(): this {
    this.#length = 0;
    return this;
  }

  /** A view of what was written between two offsets. Valid until the next write. */
  view(start: number, end: number): Uint8Array {
    assert(start <= end && end <= this.#length, `view ${start} to ${end} of ${this.#length}`);
    return this.#bytes.subarray(start, end);
  }
}

/** Cursor over received bytes. Every read checks what is left and throws `DecodeError`. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  get offset(): number {
    return this.#offset;
  }

  #take(count: number): number {
    if (count > this.remaining) {
      throw new DecodeError(`truncated: ${count} bytes wanted, ${this.remaining} left`);
    }
    const at = this.#offset;
    this.#offset += count;
    return at;
  }

  u8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  bool(): boolean {
    const value = this.u8();
    if (value > 1) throw new DecodeError(`not a boolean: ${value}`);
    return value === 1;
  }

  // Integers are put together by hand: most readers are short-lived, and a DataView for each costs
  // more than what it reads.
  u16(): number {
    const at = this.#take(2);
    return (this.#bytes[at]! << 8) | this.#bytes[at + 1]!;
  }

  u32(): number {
    return u32At(this.#bytes, this.#take(4));
  }

  u48(): number {
    return this.u16() * 2 ** 32 + this.u32();
  }

  varint(): number {
    let value = this.u8();
    if (value < 0x80) return value;
    value &= 0x7f;
    let scale = 0x80;
    for (let count = 1; count < 8; count++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) throw new DecodeError('integer over 2^53 - 1');
        return value;
      }
      scale *= 0x80;
    }
    throw new DecodeError('integer too long');
  }

  /** Length-prefixed bytes, as a view into the input: copy what is kept. */
  bytes(maxBytes = Number.MAX_SAFE_INTEGER): Uint8Array {
    const length = this.varint();
    if (length > maxBytes) throw new DecodeError(`${length} bytes, at most ${maxBytes} allowed`);
    return this.raw(length);
  }

  /** As `bytes`, copied: safe to keep after the input buffer is reused. */
  bytesCopy(maxBytes = Number.MAX_SAFE_INTEGER): Uint8Array {
    return this.bytes(maxBytes).slice();
  }

  /** Passes over `length` bytes. */
  skip(length: number): void {
    this.#take(length);
  }

  raw(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  text(maxBytes = Number.MAX_SAFE_INTEGER): string {
    const length = this.varint();
    if (length > maxBytes) throw new DecodeError(`${length} bytes, at most ${maxBytes} allowed`);
    const at = this.#take(length);
    if (length <= shortMax) {
      const short = shortAscii(this.#bytes, at, length);
      if (short !== undefined) return short;
    }
    try {
      return decoder.decode(this.#bytes.subarray(at, at + length));
    } catch {
      throw new DecodeError('text is not UTF-8');
    }
  }

  list<T>(read: (reader: this) => T, maxLength = 1_000_000): T[] {
    const length = this.varint();
    if (length > maxLength || length > this.remaining) {
      throw new DecodeError(`list of ${length}, at most ${Math.min(maxLength, this.remaining)}`);
    }
    const values: T[] = [];
    for (let position = 0; position < length; position++) values.push(read(this));
    return values;
  }

  optional<T>(read: (reader: this) => T): T | undefined {
    return this.bool() ? read(this) : undefined;
  }

  /** Reads the leading version byte of a format. */
  version(expected: number, what: string): void {
    const version = this.u8();
    if (version !== expected) {
      throw new DecodeError(`${what}: version ${version}, this program reads ${expected}`);
    }
  }

  /** Refuses trailing bytes. */
  end(what: string): void {
    if (this.remaining > 0) throw new DecodeError(`${what}: ${this.remaining} bytes too many`);
  }
}
