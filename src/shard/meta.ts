/**
 * The meta row: what a shard's state holds beyond its tasks. Counters are stored although they
 * follow from the task rows, so that loading notices rows that are missing.
 *
 * Version 2 adds what expired and the epoch. It is written once a task has expired or the shard was
 * recovered: until then programs that know neither can read the row.
 */
import { ByteReader, ByteWriter, DecodeError } from '../model/bytes.ts';
import { taskStates } from '../model/task.ts';

/** What left the history. */
export interface Expired {
  readonly tasks: number;
  /** The newest instant in the ID of one of them: no unknown ID up to it is ever admitted. */
  readonly toMs: number;
}

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
  readonly expired: Expired;
  /** Recovery epoch of the shard. */
  readonly epoch: number;
}

/** Without what later programs brought, as in every shard where none of it happened. */
const plainVersion = 1;
const version = 2;

export function encodeMeta(meta: Meta): Uint8Array {
  const { expired, epoch } = meta;
  const plain = expired.tasks === 0 && epoch === 0;
  const writer = new ByteWriter(64).u8(plain ? plainVersion : version);
  writer.varint(meta.nowMs).varint(meta.stampMs).varint(meta.lastSeq).u32(meta.digest);
  writer.list(meta.counts, (w, count) => w.varint(count));
  if (!plain) writer.varint(expired.tasks).varint(expired.toMs).varint(epoch);
  return writer.finish();
}

/** Throws `DecodeError` for another version or malformed bytes. */
export function decodeMeta(bytes: Uint8Array): Meta {
  const reader = new ByteReader(bytes);
  const found = reader.u8();
  if (found !== plainVersion && found !== version) {
    throw new DecodeError(`shard meta row: version ${found} is not known`);
  }
  const plain = {
    nowMs: reader.varint(),
    stampMs: reader.varint(),
    lastSeq: reader.varint(),
    digest: reader.u32(),
    counts: reader.list(r => r.varint(), taskStates.length),
  };
  if (plain.counts.length !== taskStates.length) {
    throw new DecodeError('meta row: counters missing');
  }
  const later =
    found === plainVersion
      ? { expired: { tasks: 0, toMs: 0 }, epoch: 0 }
      : { expired: { tasks: reader.varint(), toMs: reader.varint() }, epoch: reader.varint() };
  reader.end('shard meta row');
  return { ...plain, ...later };
}
