/**
 * What two nodes say on the stream of one snapshot.
 *
 *   sender                          receiver
 *   header                      ->
 *                               <-  taken 0, or a verdict that refuses
 *   chunk 1, chunk 2, ...       ->
 *                               <-  taken n: chunks up to n are checked and on the disk, or will be
 *                                   before the state is installed
 *   trailer                     ->
 *                               <-  verdict
 *
 * At most `limits.snapshotWindow` chunks are under way. Chunks cut the rows, each led by the
 * lengths of its key and value, at any byte. Kinds are append-only; an unknown one, or a wrong
 * byte, ends the transfer, and the next one starts from the beginning.
 */
import { createHash, type Hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { ByteReader, ByteWriter, DecodeError } from '../model/bytes.ts';
import { limits } from '../model/limits.ts';
import type { Row } from '../ports/store.ts';
import { decodeMessage, encodeMessage } from '../raft/codec.ts';
import type { Message } from '../raft/message.ts';
import { type Descriptor, decodeDescriptor, encodeDescriptor } from './descriptor.ts';

const version = 1;
const kind = { header: 1, chunk: 2, trailer: 3, taken: 4, verdict: 5 } as const;

/**
 * installed: it is the receiver's state now. stale: the receiver has as much, or knows a later
 * leader. busy: it takes in another one. refused: it is not meant for this receiver.
 */
export const verdicts = ['installed', 'stale', 'busy', 'refused'] as const;
export type Verdict = (typeof verdicts)[number];

export interface SnapshotHeader {
  readonly clusterId: string;
  readonly group: number;
  /** Marks the store that the receiving replica was made for. */
  readonly toStore: number;
  /** The sender's own, as of the snapshot: who the members are and where they live. */
  readonly descriptor: Descriptor;
  /** The `MsgSnap` that stands for it: index, term, members, both replicas, the leader's term. */
  readonly message: Message;
}

export type SnapshotPart =
  | { readonly kind: 'header'; readonly header: SnapshotHeader }
  | { readonly kind: 'chunk'; readonly seq: number; readonly bytes: Uint8Array }
  | {
      readonly kind: 'trailer';
      readonly chunks: number;
      readonly rows: number;
      readonly hash: Uint8Array;
    }
  | { readonly kind: 'taken'; readonly seq: number }
  | { readonly kind: 'verdict'; readonly verdict: Verdict };

export function encodePart(part: SnapshotPart): Uint8Array {
  const size = part.kind === 'chunk' ? part.bytes.length + 32 : 256;
  const writer = new ByteWriter(size).u8(version).u8(kind[part.kind]);
  switch (part.kind) {
    case 'header': {
      const { clusterId, group, toStore, descriptor, message } = part.header;
      writer.text(clusterId).varint(group).u32(toStore).bytes(encodeDescriptor(descriptor));
      encodeMessage(writer, message);
      break;
    }
    case 'chunk':
      writer.varint(part.seq).u32(crc32(part.bytes)).bytes(part.bytes);
      break;
    case 'trailer':
      writer.varint(part.chunks).varint(part.rows).bytes(part.hash);
      break;
    case 'taken':
      writer.varint(part.seq);
      break;
    case 'verdict':
      writer.u8(verdicts.indexOf(part.verdict));
  }
  return writer.finish();
}

/** Reads one message; throws `DecodeError`. The bytes of a chunk are a view. */
export function decodePart(bytes: Uint8Array): SnapshotPart {
  const reader = new ByteReader(bytes);
  reader.version(version, 'snapshot');
  const part = readPart(reader);
  reader.end('snapshot');
  return part;
}

function readPart(reader: ByteReader): SnapshotPart {
  const code = reader.u8();
  switch (code) {
    case kind.header: {
      const clusterId = reader.text(64);
      const group = reader.varint();
      const toStore = reader.u32();
      const descriptor = decodeDescriptor(reader.bytes());
      const header = { clusterId, group, toStore, descriptor, message: decodeMessage(reader) };
      return { kind: 'header', header };
    }
    case kind.chunk: {
      const seq = reader.varint();
      const crc = reader.u32();
      const bytes = reader.bytes(limits.snapshotChunkBytes);
      if (crc32(bytes) !== crc) throw new DecodeError(`snapshot: chunk ${seq} is damaged`);
      return { kind: 'chunk', seq, bytes };
    }
    case kind.trailer: {
      const chunks = reader.varint();
      const rows = reader.varint();
      return { kind: 'trailer', chunks, rows, hash: reader.bytesCopy(64) };
    }
    case kind.taken:
      return { kind: 'taken', seq: reader.varint() };
    case kind.verdict: {
      const verdict = verdicts[reader.u8()];
      if (verdict === undefined) throw new DecodeError('snapshot: unknown verdict');
      return { kind: 'verdict', verdict };
    }
    default:
      throw new DecodeError(`snapshot: unknown part ${code}`);
  }
}

/** Rows to chunks, and the trailer that vouches for all of them. */
export class RowCutter {
  readonly #writer = new ByteWriter(2 * limits.snapshotChunkBytes);
  readonly #hash: Hash = createHash('sha256');
  #chunks = 0;
  #rows = 0;

  /** The chunks that are full with these rows. */
  push(rows: readonly Row[]): SnapshotPart[] {
    const parts: SnapshotPart[] = [];
    for (const [key, value] of rows) {
      this.#rows++;
      this.#writer.bytes(key).bytes(value);
      if (this.#writer.length >= limits.snapshotChunkBytes) this.#cut(parts);
    }
    return parts;
  }

  #cut(parts: SnapshotPart[]): void {
    const bytes = this.#writer.finish();
    this.#writer.reset();
    let at = 0;
    for (; bytes.length - at >= limits.snapshotChunkBytes; at += limits.snapshotChunkBytes) {
      parts.push(this.#chunk(bytes.subarray(at, at + limits.snapshotChunkBytes)));
    }
    this.#writer.raw(bytes.subarray(at));
  }

  #chunk(bytes: Uint8Array): SnapshotPart {
    this.#hash.update(bytes);
    return { kind: 'chunk', seq: ++this.#chunks, bytes };
  }

  /** What is left, and the trailer; nothing may be pushed any more. */
  end(): SnapshotPart[] {
    const parts: SnapshotPart[] = [];
    if (this.#writer.length > 0) parts.push(this.#chunk(this.#writer.finish()));
    const hash = new Uint8Array(this.#hash.digest());
    parts.push({ kind: 'trailer', chunks: this.#chunks, rows: this.#rows, hash });
    return parts;
  }
}

/** Chunks to rows. Throws `DecodeError` where they are not what their sender sent, in order. */
export class RowJoiner {
  readonly #hash: Hash = createHash('sha256');
  #left: Uint8Array = new Uint8Array(0);
  #chunks = 0;
  #rows = 0;
  #lastKey: Uint8Array | undefined;

  get chunks(): number {
    return this.#chunks;
  }

  push(seq: number, bytes: Uint8Array): Row[] {
    if (seq !== this.#chunks + 1 || bytes.length === 0) {
      throw new DecodeError(`snapshot: chunk ${seq} after ${this.#chunks}`);
    }
    this.#chunks = seq;
    this.#hash.update(bytes);
    const joined = new Uint8Array(this.#left.length + bytes.length);
    joined.set(this.#left);
    joined.set(bytes, this.#left.length);
    const rows: Row[] = [];
    let at = 0;
    for (let row = rowAt(joined, at); row !== undefined; row = rowAt(joined, at)) {
      this.#check(row.key);
      rows.push([row.key, row.value]);
      at = row.end;
    }
    this.#left = joined.subarray(at);
    this.#rows += rows.length;
    return rows;
  }

  #check(key: Uint8Array): void {
    if (this.#lastKey !== undefined && Buffer.compare(this.#lastKey, key) >= 0) {
      throw new DecodeError('snapshot: rows are out of order');
    }
    this.#lastKey = key;
  }

  /** Checks that all has come, and nothing else. */
  end(trailer: Extract<SnapshotPart, { kind: 'trailer' }>): void {
    const hash = this.#hash.digest();
    if (this.#left.length > 0) throw new DecodeError('snapshot: it ends inside a row');
    if (trailer.chunks !== this.#chunks || trailer.rows !== this.#rows) {
      throw new DecodeError(`snapshot: ${this.#rows} rows of ${trailer.rows} came`);
    }
    if (Buffer.compare(hash, trailer.hash) !== 0) throw new DecodeError('snapshot: wrong hash');
  }
}

/** The row that starts at `at`, or `undefined` where its end has not come. */
function rowAt(
  bytes: Uint8Array,
  at: number,
): { key: Uint8Array; value: Uint8Array; end: number } | undefined {
  const key = fieldAt(bytes, at);
  const value = key === undefined ? undefined : fieldAt(bytes, key.end);
  if (key === undefined || value === undefined) return undefined;
  return { key: key.bytes, value: value.bytes, end: value.end };
}

function fieldAt(bytes: Uint8Array, at: number): { bytes: Uint8Array; end: number } | undefined {
  let length = 0;
  let start = at;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[start++];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * 2 ** shift;
    if (length > limits.rowBytesMax) throw new DecodeError(`snapshot: a field of ${length} bytes`);
    if (byte < 0x80) break;
    if (shift > 28) throw new DecodeError('snapshot: a length without end');
  }
  const end = start + length;
  return end > bytes.length ? undefined : { bytes: bytes.subarray(start, end), end };
}
