/**
 * Binary form of messages and membership changes. A message starts with a version byte; the indexes
 * of its entries follow from `index`, so a decoded message never holds a gap. Everything that is
 * read is bounded; what does not fit throws `DecodeError`.
 */
import { type ByteReader, ByteWriter, DecodeError, ByteReader as Reader } from '../model/bytes.ts';
import { RaftFatal } from './fatal.ts';
import {
  type ConfChange,
  type ConfOperation,
  type ConfState,
  type Entry,
  type EntryType,
  type Message,
  type MsgType,
  newMessage,
  type SnapshotMeta,
} from './message.ts';

const MESSAGE_VERSION = 1;
const CONF_CHANGE_VERSION = 1;

/** Entries in one message. */
const MAX_MESSAGE_ENTRIES = 1_000_000;
/** Bytes of one entry's data. */
const MAX_ENTRY_DATA_BYTES = 64 * 1024 * 1024;
/** Replicas in one list of a membership, and operations in one change. */
const MAX_CONF_MEMBERS = 256;
/** Bytes of a change's context. */
const MAX_CONF_CONTEXT_BYTES = 64 * 1024;

/** The position is the code: append only. */
const MESSAGE_TYPES: readonly MsgType[] = [
  'MsgApp',
  'MsgAppResp',
  'MsgVote',
  'MsgVoteResp',
  'MsgPreVote',
  'MsgPreVoteResp',
  'MsgHeartbeat',
  'MsgHeartbeatResp',
  'MsgSnap',
  'MsgTimeoutNow',
];
const TRANSITIONS: readonly ConfChange['transition'][] = ['auto', 'implicit', 'explicit'];
const KINDS: readonly ConfOperation['kind'][] = ['addVoter', 'addLearner', 'remove', 'update'];

const REJECT = 1;
const TRANSFER = 2;
const SNAPSHOT = 4;
const ENTRIES = 8;
const READ = 16;
const KNOWN_FLAGS = REJECT | TRANSFER | SNAPSHOT | ENTRIES | READ;

/** Writes one message. Its entries must follow `index` without a gap. */
export function encodeMessage(w: ByteWriter, m: Message): void {
  let flags = 0;
  if (m.reject) flags |= REJECT;
  if (m.transfer) flags |= TRANSFER;
  if (m.snapshot !== undefined) flags |= SNAPSHOT;
  if (m.entries.length > 0) flags |= ENTRIES;
  if (m.readCtr > 0) flags |= READ;
  w.u8(MESSAGE_VERSION).u8(MESSAGE_TYPES.indexOf(m.type)).u8(flags);
  w.varint(m.to).varint(m.from).varint(m.term).varint(m.logTerm).varint(m.index).varint(m.commit);
  if (m.reject) w.varint(m.rejectHint);
  if (m.readCtr > 0) w.varint(m.readCtr);
  if (m.snapshot !== undefined) encodeSnapshotMeta(w, m.snapshot);
  if (m.entries.length > 0) encodeEntries(w, m.index, m.entries);
}

function encodeEntries(w: ByteWriter, previous: number, entries: readonly Entry[]): void {
  w.varint(entries.length);
  let index = previous;
  for (const entry of entries) {
    if (entry.index !== ++index) {
      throw new RaftFatal(`entry ${entry.index} in a message where ${index} belongs`);
    }
    w.varint(entry.term).u8(entry.type).bytes(entry.data);
  }
}

/** Reads one message. Entry data is copied, so that it does not pin the frame it came in. */
export function decodeMessage(r: ByteReader): Message {
  r.version(MESSAGE_VERSION, 'raft message');
  const code = r.u8();
  const type = MESSAGE_TYPES[code];
  if (type === undefined) throw new DecodeError(`raft message: unknown type ${code}`);
  const flags = r.u8();
  if ((flags & ~KNOWN_FLAGS) !== 0) throw new DecodeError(`raft message: unknown flags ${flags}`);
  const to = r.varint();
  const from = r.varint();
  const m = newMessage(type, from, to, r.varint());
  m.logTerm = r.varint();
  m.index = r.varint();
  m.commit = r.varint();
  m.transfer = (flags & TRANSFER) !== 0;
  if ((flags & REJECT) !== 0) {
    m.reject = true;
    m.rejectHint = r.varint();
  }
  if ((flags & READ) !== 0) m.readCtr = r.varint();
  if ((flags & SNAPSHOT) !== 0) m.snapshot = decodeSnapshotMeta(r);
  if ((flags & ENTRIES) !== 0) m.entries = decodeEntries(r, m.index);
  return m;
}

function decodeEntries(r: ByteReader, previous: number): Entry[] {
  let index = previous;
  return r.list(reader => {
    const term = reader.varint();
    const type = entryType(reader.u8());
    return { term, index: ++index, type, data: reader.bytesCopy(MAX_ENTRY_DATA_BYTES) };
  }, MAX_MESSAGE_ENTRIES);
}

function entryType(code: number): EntryType {
  if (code === 0 || code === 1 || code === 2) return code;
  throw new DecodeError(`raft entry: unknown type ${code}`);
}

function encodeIds(w: ByteWriter, ids: readonly number[]): void {
  w.list(ids, (writer, id) => writer.varint(id));
}

function decodeIds(r: ByteReader): number[] {
  return r.list(reader => reader.varint(), MAX_CONF_MEMBERS);
}

/** Writes a membership, without a version of its own. */
function encodeConfState(w: ByteWriter, conf: ConfState): void {
  encodeIds(w, conf.voters);
  encodeIds(w, conf.votersOutgoing);
  encodeIds(w, conf.learners);
  encodeIds(w, conf.learnersNext);
  w.bool(conf.autoLeave);
}

function decodeConfState(r: ByteReader): ConfState {
  return {
    voters: decodeIds(r),
    votersOutgoing: decodeIds(r),
    learners: decodeIds(r),
    learnersNext: decodeIds(r),
    autoLeave: r.bool(),
  };
}

/** Writes what describes a snapshot, without a version of its own. */
function encodeSnapshotMeta(w: ByteWriter, meta: SnapshotMeta): void {
  w.varint(meta.index).varint(meta.term);
  encodeConfState(w, meta.conf);
}

function decodeSnapshotMeta(r: ByteReader): SnapshotMeta {
  return { index: r.varint(), term: r.varint(), conf: decodeConfState(r) };
}

/** Data of a configuration entry. The change that leaves the joint phase is empty. */
export function encodeConfChange(change: ConfChange): Uint8Array {
  const { transition, changes, context } = change;
  if (transition === 'auto' && changes.length === 0 && context.length === 0) {
    return new Uint8Array(0);
  }
  const w = new ByteWriter(32).u8(CONF_CHANGE_VERSION).u8(TRANSITIONS.indexOf(transition));
  w.list(changes, (writer, { kind, id }) => writer.u8(KINDS.indexOf(kind)).varint(id));
  return w.bytes(context).finish();
}

/** Reads the data of a configuration entry. Throws `DecodeError` on anything else. */
export function decodeConfChange(data: Uint8Array): ConfChange {
  if (data.length === 0) return { transition: 'auto', changes: [], context: new Uint8Array(0) };
  const r = new Reader(data);
  r.version(CONF_CHANGE_VERSION, 'membership change');
  const transition = TRANSITIONS[r.u8()];
  if (transition === undefined) throw new DecodeError('membership change: unknown transition');
  const changes = r.list(reader => {
    const kind = KINDS[reader.u8()];
    if (kind === undefined) throw new DecodeError('membership change: unknown operation');
    return { kind, id: reader.varint() };
  }, MAX_CONF_MEMBERS);
  const context = r.bytesCopy(MAX_CONF_CONTEXT_BYTES);
  r.end('membership change');
  return { transition, changes, context };
}
