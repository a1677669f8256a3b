/**
 * The keys of the database: one prefix byte, then big-endian fields, so that byte order is the
 * order by group, generation and index. All groups of a node share one database and one batch.
 *
 *   00                            header of the store
 *   01 seq:u48                    batch witness
 *   02 group:u32                  descriptor
 *   03 group                      hard state
 *   04 group                      where the log begins
 *   05 group                      applied index of the state rows
 *   06 group gen:u32 first:u48    log record: a run of entries, `first` is the index of its first
 *   07 group                      tombstone
 *   08 name                       record of the node itself
 *   10 group gen:u32 key          state row
 *
 * `gen` counts the lives of a group on this node; the descriptor says which one it is in. Rows and
 * log of a removed group are cleared some time after the batch that removed it; a new life never
 * sees them, because it has another `gen`. A snapshot that is being received is the group's next
 * life: its rows stand under a fresh `gen`, and the descriptor moves there when they are complete.
 */
import { ByteWriter } from '../model/bytes.ts';

export const prefixes = {
  header: 0x00,
  witness: 0x01,
  descriptor: 0x02,
  hard: 0x03,
  truncated: 0x04,
  applied: 0x05,
  log: 0x06,
  tombstone: 0x07,
  meta: 0x08,
  row: 0x10,
} as const;

/** Prefixes with one small record per group, told apart by the number alone. */
export type GroupPrefix = 'descriptor' | 'hard' | 'truncated' | 'applied' | 'tombstone';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const writeHeaderKey = (writer: ByteWriter): ByteWriter => writer.u8(prefixes.header);

export const writeWitnessKey = (writer: ByteWriter, seq: number): ByteWriter =>
  writer.u8(prefixes.witness).u48(seq);

export const writeGroupKey = (writer: ByteWriter, prefix: GroupPrefix, group: number): ByteWriter =>
  writer.u8(prefixes[prefix]).u32(group);

export const writeLogKey = (
  writer: ByteWriter,
  group: number,
  gen: number,
  first: number,
): ByteWriter => writer.u8(prefixes.log).u32(group).u32(gen).u48(first);

export const writeMetaKey = (writer: ByteWriter, name: string): ByteWriter =>
  writer.u8(prefixes.meta).raw(encoder.encode(name));

export const writeRowKey = (
  writer: ByteWriter,
  group: number,
  gen: number,
  key: Uint8Array,
): ByteWriter => writer.u8(prefixes.row).u32(group).u32(gen).raw(key);

/** Bytes before the caller's part of a row key. */
export const rowKeyOffset = 9;

/** A key as bytes of its own, for reads. */
export function keyOf(write: (writer: ByteWriter) => ByteWriter): Uint8Array {
  return write(new ByteWriter(32)).finish();
}

export interface KeyRange {
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
}

/** Everything under one prefix byte. */
export const prefixRange = (prefix: number): KeyRange => ({
  gte: Uint8Array.of(prefix),
  lt: Uint8Array.of(prefix + 1),
});

/** Everything of one life of a group in `06` or `10`. */
export function lifeRange(prefix: 'log' | 'row', group: number, gen: number): KeyRange {
  const bound = (part: number): Uint8Array =>
    keyOf(writer => writer.u8(prefixes[prefix]).u32(group).u32(part));
  // Generations stay far below 2^32: one more per removal of the group from this node.
  return { gte: bound(gen), lt: bound(gen + 1) };
}

/** Log records of one life that start at `from` or behind it, and before `to`. */
export const logRange = (group: number, gen: number, from: number, to?: number): KeyRange => ({
  gte: keyOf(writer => writeLogKey(writer, group, gen, from)),
  lt:
    to === undefined
      ? lifeRange('log', group, gen).lt
      : keyOf(writer => writeLogKey(writer, group, gen, to)),
});

export interface ParsedLifeKey {
  readonly group: number;
  readonly gen: number;
}

/** Group and generation of a key in `06` or `10`, or `undefined` where the key is too short. */
export function parseLifeKey(key: Uint8Array): ParsedLifeKey | undefined {
  if (key.length < rowKeyOffset) return undefined;
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return { group: view.getUint32(1), gen: view.getUint32(5) };
}

/** First index of a log record, from its key. */
export function parseLogFirst(key: Uint8Array): number | undefined {
  if (key.length !== rowKeyOffset + 6) return undefined;
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return view.getUint16(rowKeyOffset) * 2 ** 32 + view.getUint32(rowKeyOffset + 2);
}

/** Group of a key in `02` to `05` or `07`. */
export function parseGroupKey(key: Uint8Array): number | undefined {
  if (key.length !== 5) return undefined;
  return new DataView(key.buffer, key.byteOffset, key.byteLength).getUint32(1);
}

export function parseWitnessKey(key: Uint8Array): number | undefined {
  if (key.length !== 7) return undefined;
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return view.getUint16(1) * 2 ** 32 + view.getUint32(3);
}

export const parseMetaKey = (key: Uint8Array): string => decoder.decode(key.subarray(1));

/** A key as people read it in a message. */
export function describeKey(key: Uint8Array): string {
  const life = parseLifeKey(key);
  if (key[0] === prefixes.log && life !== undefined) {
    return `log record of group ${life.group} at index ${parseLogFirst(key) ?? '?'}`;
  }
  if (key[0] === prefixes.row && life !== undefined) {
    return `row ${hex(key.subarray(rowKeyOffset))} of group ${life.group}`;
  }
  const group = parseGroupKey(key);
  if (group !== undefined) {
    if (key[0] === prefixes.descriptor) return `descriptor of group ${group}`;
    if (key[0] === prefixes.hard) return `hard state of group ${group}`;
    if (key[0] === prefixes.truncated) return `beginning of the log of group ${group}`;
    if (key[0] === prefixes.applied) return `applied index of group ${group}`;
    if (key[0] === prefixes.tombstone) return `tombstone of group ${group}`;
  }
  if (key[0] === prefixes.header) return 'header of the store';
  if (key[0] === prefixes.witness) return `batch witness ${parseWitnessKey(key) ?? '?'}`;
  if (key[0] === prefixes.meta) return `node record ${parseMetaKey(key)}`;
  return `key ${hex(key)}`;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes.subarray(0, 40)).toString('hex');
