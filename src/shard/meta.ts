/**
 * The meta row: what a shard's state holds beyond its tasks. Counters are stored although they
 * follow from the task rows, so that loading notices rows that are missing.
 *
 * Version 2 adds what expired. It is written from the first task that did: until then programs
 * that know no `expire` can read the row.
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
}

const plainVersion = 1;
const version = 2;

export function encodeMeta(meta: Meta): Uint8Array {
  const { expired } = meta;
  const writer = new ByteWriter(64).u8(expired.tasks === 0 ? plainVersion : version);
  writer.varint(meta.nowMs).varint(meta.stampMs).varint(meta.lastSeq).u32(meta.digest);
  writer.list(meta.counts, (w, count) => w.varint(count));
  if (expired.tasks > 0) writer.varint(expired.tasks).varint(expired.toMs);
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
  const expired =
    found === plainVersion
      ? { tasks: 0, toMs: 0 }
      : { tasks: reader.varint(), toMs: reader.varint() };
  reader.end('shard meta row');
  return { ...plain, expired };
}
