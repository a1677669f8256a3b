/**
 * The meta row: what a shard's state holds beyond its tasks. Counters are stored although they
 * follow from the task rows, so that loading notices rows that are missing.
 *
 * Version 2 adds what expired and the epoch. It is written once a task has expired or the shard was
 * recovered: until then programs that know neither can read the row. Version 3 has a list of tagged
 * fields behind that.
 */
import { ByteReader, ByteWriter, DecodeError } from '../model/bytes.ts';
import { taskStates } from '../model/task.ts';
import { firstRules } from './rules.ts';

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
  /** What was adopted: see `rules.ts`. */
  readonly rules: number;
}

/** Without what later programs brought, as in every shard where none of it happened. */
const plainVersion = 1;
const version = 2;
const taggedVersion = 3;

/** Tags of the fields of version 3: append-only; a retired one stays listed. */
const field = { rules: 1 } as const;

export function encodeMeta(meta: Meta): Uint8Array {
  const { expired, epoch, rules } = meta;
  const tagged = rules !== firstRules;
  const plain = expired.tasks === 0 && epoch === 0 && !tagged;
  const writer = new ByteWriter(64).u8(plain ? plainVersion : tagged ? taggedVersion : version);
  writer.varint(meta.nowMs).varint(meta.stampMs).varint(meta.lastSeq).u32(meta.digest);
  writer.list(meta.counts, (w, count) => w.varint(count));
  if (!plain) writer.varint(expired.tasks).varint(expired.toMs).varint(epoch);
  if (tagged)
    writer.list([rules], (w, value) => w.varint(field.rules).nested(b => b.varint(value)));
  return writer.finish();
}

/** Throws `DecodeError` for another version or malformed bytes. */
export function decodeMeta(bytes: Uint8Array): Meta {
  const reader = new ByteReader(bytes);
  const found = reader.u8();
  if (found !== plainVersion && found !== version && found !== taggedVersion) {
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
  const rules = found === taggedVersion ? readRules(reader) : firstRules;
  reader.end('shard meta row');
  return { ...plain, ...later, rules };
}

function readRules(reader: ByteReader): number {
  let rules: number = firstRules;
  reader.list(r => {
    const tag = r.varint();
    const body = new ByteReader(r.bytes(64));
    if (tag !== field.rules) {
      throw new DecodeError(`shard meta row: unknown field ${tag}, written by a newer version`);
    }
    rules = body.varint();
  });
  return rules;
}
