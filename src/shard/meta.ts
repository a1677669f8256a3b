/**
 * The meta row: what a shard's state holds beyond its tasks. Counters are stored although they
 * follow from the task rows, so that loading notices rows that are missing.
 */
import { ByteReader, ByteWriter, DecodeError } from '../model/bytes.ts';
import { taskStates } from '../model/task.ts';

export interface Meta {
  /** State time. */
  readonly nowMs: number;
  /** Stamp of the newest command. */
  readonly stampMs: number;
  /** Sequence of the newest event. */
  readonly lastSeq: number;
  readonly digest: number;
  /** Tasks by state, in the order of `taskStates`. */
  readonly counts: readonly number[];
  /** Recovery epoch of the shard. */
  readonly epoch: number;
}

/** Without an epoch, as in every shard that was never recovered. */
const version = 1;
const versionWithEpoch = 2;

export function encodeMeta(meta: Meta): Uint8Array {
  const writer = new ByteWriter(64).u8(meta.epoch === 0 ? version : versionWithEpoch);
  writer.varint(meta.nowMs).varint(meta.stampMs).varint(meta.lastSeq).u32(meta.digest);
  writer.list(meta.counts, (w, count) => w.varint(count));
  if (meta.epoch > 0) writer.varint(meta.epoch);
  return writer.finish();
}

/** Throws `DecodeError` for another version or malformed bytes. */
export function decodeMeta(bytes: Uint8Array): Meta {
  const reader = new ByteReader(bytes);
  const withEpoch = bytes[0] === versionWithEpoch;
  reader.version(withEpoch ? versionWithEpoch : version, 'shard meta row');
  const meta = {
    nowMs: reader.varint(),
    stampMs: reader.varint(),
    lastSeq: reader.varint(),
    digest: reader.u32(),
    counts: reader.list(r => r.varint(), taskStates.length),
    epoch: withEpoch ? reader.varint() : 0,
  };
  if (meta.counts.length !== taskStates.length) throw new DecodeError('meta row: counters missing');
  reader.end('shard meta row');
  return meta;
}
