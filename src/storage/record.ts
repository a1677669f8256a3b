/**
 * The values of the database. Each one is `version:u8 | body | crc:u32`, the CRC-32 taken over the
 * key and everything before it, so that a value that moved to another key does not pass either:
 * LevelDB 1.20 as bundled returns wrong bytes without an error (`verify_checksums` is not offered).
 * Golden bytes of every format are in `test/unit/storage`; a change needs a new version number.
 */
import { crc32 } from 'node:zlib';
import { ByteReader, type ByteWriter, DecodeError, u32At } from '../model/bytes.ts';
import { TschedError } from '../model/errors.ts';
import type { StoreHeader } from '../ports/store.ts';
import type { HardState } from '../raft/message.ts';
import { StoreDamage } from './damage.ts';
import { describeKey } from './keyspace.ts';

/** Version of each format, written as the first byte of its values. */
export const versions = {
  header: 1,
  witness: 1,
  descriptor: 1,
  hard: 1,
  truncated: 1,
  applied: 1,
  log: 1,
  tombstone: 1,
  meta: 1,
  row: 1,
} as const;

export type RecordKind = keyof typeof versions;

const crcBytes = 4;
const frameBytes = 1 + crcBytes;

/**
 * Checks a value that was read under `key` and returns its body, as a view. One of a later format
 * is not damage, after which a person would put the store aside: it throws `programTooOld`.
 */
export function unseal(kind: RecordKind, key: Uint8Array, value: Uint8Array): Uint8Array {
  const bodyEnd = value.length - crcBytes;
  if (value.length < frameBytes) {
    throw new StoreDamage(`${describeKey(key)}: ${value.length} bytes, too short to be a record`);
  }
  // Not `value.subarray`: on a Buffer that would make another Buffer.
  const sealed = new Uint8Array(value.buffer, value.byteOffset, bodyEnd);
  if (crc32(sealed, crc32(key)) !== u32At(value, bodyEnd)) {
    throw new StoreDamage(`${describeKey(key)}: checksum mismatch`);
  }
  const version = value[0];
  if (version !== versions[kind]) {
    const known = versions[kind];
    const what = `${describeKey(key)}: format version ${version}, this program reads ${known}`;
    if (version !== undefined && version > known) {
      throw new TschedError('programTooOld', what);
    }
    throw new StoreDamage(what);
  }
  return sealed.subarray(1);
}

/** Checksum of a key and its value, both in one piece, as `unseal` wants it. */
export const sealOf = (keyAndValue: Uint8Array): number => crc32(keyAndValue);

/** Runs a decoder; bytes that do not decode in spite of a right checksum are damage. */
export function decoding<T>(key: Uint8Array, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new StoreDamage(`${describeKey(key)}: ${error.message}`, { cause: error });
  }
}

/** Decodes a body that `read` has to use up. */
export function decodeBody<T>(
  key: Uint8Array,
  body: Uint8Array,
  read: (reader: ByteReader) => T,
): T {
  return decoding(key, () => {
    const reader = new ByteReader(body);
    const decoded = read(reader);
    reader.end('record');
    return decoded;
  });
}

/** The header as stored: what `create` was given, and what each open adds. */
export interface StoredHeader extends StoreHeader {
  readonly bootCount: number;
  /** Witnesses below this number were never written, or were given up with lost data. */
  readonly witnessBase: number;
}

export const writeHeader = (writer: ByteWriter, header: StoredHeader): ByteWriter =>
  writer
    .text(header.clusterId)
    .text(header.nodeId)
    .text(header.storeId)
    .varint(header.bootCount)
    .varint(header.witnessBase);

export const readHeader = (reader: ByteReader): StoredHeader => ({
  clusterId: reader.text(),
  nodeId: reader.text(),
  storeId: reader.text(),
  bootCount: reader.varint(),
  witnessBase: reader.varint(),
});

export const writeHard = (writer: ByteWriter, hard: HardState): ByteWriter =>
  writer.u48(hard.term).u48(hard.vote).u48(hard.commit);

export const readHard = (reader: ByteReader): HardState => ({
  term: reader.u48(),
  vote: reader.u48(),
  commit: reader.u48(),
});

/** Where a log begins. */
export interface StoredTruncation {
  /** Last entry that is gone, and its term. */
  readonly index: number;
  readonly term: number;
  /**
   * First index of the oldest record that still counts. It may hold entries up to `index` as well.
   * Records that start before it are waste: they are cleared without a sync, so that any part of
   * them may still lie around, and an old tail could pass for the end of the log.
   */
  readonly from: number;
}

export const writeTruncation = (writer: ByteWriter, value: StoredTruncation): ByteWriter =>
  writer.u48(value.index).u48(value.term).u48(value.from);

export const readTruncation = (reader: ByteReader): StoredTruncation => ({
  index: reader.u48(),
  term: reader.u48(),
  from: reader.u48(),
});

export interface StoredApplied {
  readonly applied: number;
  readonly appliedTerm: number;
}

export const writeApplied = (writer: ByteWriter, value: StoredApplied): ByteWriter =>
  writer.u48(value.applied).u48(value.appliedTerm);

export const readApplied = (reader: ByteReader): StoredApplied => ({
  applied: reader.u48(),
  appliedTerm: reader.u48(),
});

export interface StoredDescriptor {
  readonly gen: number;
  readonly descriptor: Uint8Array;
}

export const writeDescriptor = (writer: ByteWriter, value: StoredDescriptor): ByteWriter =>
  writer.u32(value.gen).raw(value.descriptor);

export const readDescriptor = (reader: ByteReader): StoredDescriptor => ({
  gen: reader.u32(),
  descriptor: reader.raw(reader.remaining),
});

export interface StoredTombstone {
  /** Highest replica id that is dead here. */
  readonly replica: number;
  /** Highest generation whose rows and log may still lie around. */
  readonly gen: number;
}

export const writeTombstone = (writer: ByteWriter, value: StoredTombstone): ByteWriter =>
  writer.u48(value.replica).u32(value.gen);

export const readTombstone = (reader: ByteReader): StoredTombstone => ({
  replica: reader.u48(),
  gen: reader.u32(),
});
