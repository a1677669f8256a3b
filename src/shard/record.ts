/**
 * A task as it is stored: one row per task, written behind the log, final once the task settled.
 *
 * The head has fixed offsets, so that loading reads state, ID, digest, key hash and, behind them,
 * the tenant of a settled task without decoding the rest. Numbers are varints, texts UTF-8 behind
 * their length:
 *
 *   0 version u8 · 1 state u8 · 2 flags u8 (1 keyed, 2 backed off) · 3 ID, four u32 of 25 bits ·
 *   19 digest, 16 bytes · 35 key hash, two u32, where keyed ·
 *   tenant · fence · runs · lost · submittedAt · readySince · settledAt ·
 *   retryOf? · arrayId? · arrayIndex? · cancelRequested? (reason, by) · avoid[] · attempts[] ·
 *   outcome? · reason
 *
 * A row of version 2 has a list of tagged fields behind that (`record-extras.ts`), for what only
 * some tasks have; a task without any is written as version 1.
 */
import { type Outcome, readOutcome, writeOutcome } from '../model/attempt.ts';
import { ByteReader, ByteWriter, DecodeError } from '../model/bytes.ts';
import type { NodeId, TaskId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import { type TaskState, taskStates } from '../model/task.ts';
import { digestBytes, digestHex, digestLength, digestWords } from './keys.ts';
import { idWordCount, idWordMask, packId, unpackId } from './memory/id-words.ts';
import type { AttemptRecord, CancelRequest } from './memory/task-detail.ts';
import {
  extrasOf,
  nothingStored,
  type RecordExtras,
  readExtras,
  writeExtras,
} from './record-extras.ts';

export interface TaskRecord extends RecordExtras {
  readonly id: TaskId;
  /** Of its spec: 32 hexadecimal digits. */
  readonly digest: string;
  /** Hash of tenant and idempotency key, where it has one. */
  readonly keyHash?: { readonly high: number; readonly low: number } | undefined;
  readonly tenant: string;
  readonly state: TaskState;
  /** Of the newest assignment; 0 before the first. */
  readonly fence: number;
  /** Attempts that ended and count. */
  readonly runs: number;
  /** Attempts that ended with their node. */
  readonly lost: number;
  readonly submittedAtMs: number;
  /** State time; the end of the back-off while `backedOff`. */
  readonly readySinceMs: number;
  readonly backedOff: boolean;
  readonly settledAtMs?: number | undefined;
  readonly retryOf?: TaskId | undefined;
  readonly arrayId?: TaskId | undefined;
  readonly arrayIndex?: number | undefined;
  readonly cancelRequested?: CancelRequest | undefined;
  readonly avoid: readonly NodeId[];
  /** Oldest first; the last is live while the task is assigned or running. */
  readonly attempts: readonly AttemptRecord[];
  /** Told by the system where no attempt settled the task. */
  readonly outcome?: Outcome | undefined;
  /** Sentence for a person, of a settled task; may be empty. */
  readonly reason: string;
}

const plainVersion = 1;
const extendedVersion = 2;

const keyedFlag = 1;
const backedOffFlag = 2;
/** Bytes of one text in a row: above everything that is written, as no part of a spec is longer. */
const textBytesMax = limits.specBytesMax;

function writeAttempt(writer: ByteWriter, attempt: AttemptRecord): void {
  writer.varint(attempt.fence).varint(attempt.run);
  writer.text(attempt.node).text(attempt.nodeName).text(attempt.incarnation);
  writer.varint(attempt.assignedAtMs);
  writer.optional(attempt.startedAtMs, (w, instant) => w.varint(instant));
  writer.optional(attempt.endedAtMs, (w, instant) => w.varint(instant));
  writer.optional(attempt.outcome, writeOutcome);
}

function readAttempt(reader: ByteReader): AttemptRecord {
  return {
    fence: reader.varint(),
    run: reader.varint(),
    node: reader.text(textBytesMax),
    nodeName: reader.text(textBytesMax),
    incarnation: reader.text(textBytesMax),
    assignedAtMs: reader.varint(),
    startedAtMs: reader.optional(r => r.varint()),
    endedAtMs: reader.optional(r => r.varint()),
    outcome: reader.optional(readOutcome),
  };
}

/** A task without what names it and its spec: those are words in memory and in the row. */
export type TaskRecordBody = Omit<TaskRecord, 'id' | 'digest'>;

/** Value of a task's row. */
export function encodeTaskRow(record: TaskRecord): Uint8Array {
  const words = new Uint32Array(idWordCount);
  packId(record.id, words);
  const writer = new ByteWriter(256);
  writeTaskRow(writer, words, digestWords(digestBytes(record.digest)), record);
  return writer.finish();
}

/** Writes the value of a row whose task and spec are given as words; `terms` stand behind it. */
export function writeTaskRow(
  writer: ByteWriter,
  words: Uint32Array,
  digest: Uint32Array,
  record: TaskRecordBody,
  terms?: Uint8Array,
): void {
  const { keyHash } = record;
  const flags = (keyHash ? keyedFlag : 0) | (record.backedOff ? backedOffFlag : 0);
  const extras = extrasOf(record, terms);
  writer
    .u8(extras.length === 0 ? plainVersion : extendedVersion)
    .u8(taskStates.indexOf(record.state))
    .u8(flags);
  for (const word of words) writer.u32(word);
  for (const word of digest) writer.u32(word);
  if (keyHash) writer.u32(keyHash.high).u32(keyHash.low);
  writer.text(record.tenant).varint(record.fence).varint(record.runs).varint(record.lost);
  writer.varint(record.submittedAtMs).varint(record.readySinceMs);
  writer.varint(record.settledAtMs ?? 0);
  writer.optional(record.retryOf, (w, id) => w.text(id));
  writer.optional(record.arrayId, (w, id) => w.text(id));
  writer.optional(record.arrayIndex, (w, index) => w.varint(index));
  writer.optional(record.cancelRequested, (w, request) => w.text(request.reason).text(request.by));
  writer.list(record.avoid, (w, node) => w.text(node));
  writer.list(record.attempts, writeAttempt);
  writer.optional(record.outcome, writeOutcome);
  writer.text(record.reason);
  if (extras.length === 0) return;
  writeExtras(writer, extras);
}

/** What loading needs of every row, settled or not. */
export interface TaskRowHead {
  /** Tagged fields follow. */
  readonly isExtended: boolean;
  /** Position in `taskStates`. */
  readonly state: number;
  readonly words: Uint32Array;
  readonly digest: Uint32Array;
  readonly keyHash: { readonly high: number; readonly low: number } | undefined;
  readonly backedOff: boolean;
  readonly tenant: string;
}

function readHead(reader: ByteReader): TaskRowHead {
  const version = reader.u8();
  if (version !== plainVersion && version !== extendedVersion) {
    throw new DecodeError(`task row: version ${version}, this program reads ${extendedVersion}`);
  }
  const state = reader.u8();
  if (state >= taskStates.length) throw new DecodeError('task row: unknown state');
  const flags = reader.u8();
  const words = new Uint32Array(idWordCount);
  for (let word = 0; word < idWordCount; word++) {
    const value = reader.u32();
    if (value > idWordMask) throw new DecodeError('task row: not a task ID');
    words[word] = value;
  }
  const digest = new Uint32Array(digestLength / 4);
  for (let word = 0; word < digest.length; word++) digest[word] = reader.u32();
  const keyed = (flags & keyedFlag) !== 0;
  const keyHash = keyed ? { high: reader.u32(), low: reader.u32() } : undefined;
  const backedOff = (flags & backedOffFlag) !== 0;
  const isExtended = version === extendedVersion;
  const tenant = reader.text(textBytesMax);
  return { isExtended, state, words, digest, keyHash, backedOff, tenant };
}

interface OpenedBody {
  readonly record: TaskRecordBody;
  /** What memory keeps of its spec, where that stands in the row. A view. */
  readonly terms: Uint8Array | undefined;
}

/**
 * A row read in two steps, as of most rows the head is enough. Throws `DecodeError` for another
 * version or malformed bytes.
 */
export function openTaskRow(bytes: Uint8Array): {
  readonly head: TaskRowHead;
  /** To be called once. */
  body(): OpenedBody;
} {
  const reader = new ByteReader(bytes);
  const head = readHead(reader);
  return { head, body: () => readBody(reader, head) };
}

const readId = (reader: ByteReader): TaskId => reader.text(32) as TaskId;

function readBody(reader: ByteReader, head: TaskRowHead): OpenedBody {
  const plain = {
    keyHash: head.keyHash,
    state: taskStates[head.state]!,
    backedOff: head.backedOff,
    tenant: head.tenant,
    fence: reader.varint(),
    runs: reader.varint(),
    lost: reader.varint(),
    submittedAtMs: reader.varint(),
    readySinceMs: reader.varint(),
    settledAtMs: reader.varint() || undefined,
    retryOf: reader.optional(readId),
    arrayId: reader.optional(readId),
    arrayIndex: reader.optional(r => r.varint()),
    cancelRequested: reader.optional(r => ({
      reason: r.text(textBytesMax),
      by: r.text(textBytesMax),
    })),
    avoid: reader.list(r => r.text(textBytesMax), limits.avoidMax),
    attempts: reader.list(readAttempt, limits.attemptsKept + 1),
    outcome: reader.optional(readOutcome),
    reason: reader.text(textBytesMax),
  };
  const { extras, terms } = head.isExtended ? readExtras(reader) : nothingStored;
  reader.end('task row');
  return { record: { ...plain, ...extras }, terms };
}

/**
 * Reads what `encodeTaskRow` wrote. Throws `DecodeError` for another version or malformed bytes.
 */
export function decodeTaskRow(bytes: Uint8Array): TaskRecord {
  const { head, body } = openTaskRow(bytes);
  const { words } = head;
  return {
    id: unpackId(words[0]!, words[1]!, words[2]!, words[3]!),
    digest: digestHex(bytes.subarray(19, 19 + digestLength)),
    ...body().record,
  };
}
