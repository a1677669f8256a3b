/**
 * The two rows of a schedule. Their keys are the kind of row and the text of the name: tenant, a
 * zero byte, name. Numbers are varints, texts UTF-8 behind their length:
 *
 *   8 what it is      version u8 · definition (`model/schedule.ts`) · created · by · digest, 16
 *                     bytes · spec
 *   9 how far it is   version u8 · cursor · paused? (by, reason, at) · left? · fired · skipped ·
 *                     missed · active[] · queued[] (occurrence, id?, salt?) · recent[]
 *                     (occurrence, task, fired at) · requests[]
 */
import { ByteReader, ByteWriter } from '../model/bytes.ts';
import type { TaskId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import {
  type Firing,
  type QueuedFiring,
  readDefinition,
  type ScheduleDefinition,
  writeDefinition,
} from '../model/schedule.ts';
import { digestLength, rowKind } from './keys.ts';

/** What a schedule is: never changed. */
export interface ScheduleOrigin {
  readonly definition: ScheduleDefinition;
  /** Stamp of the command that made it. */
  readonly createdMs: number;
  readonly createdBy: string;
  readonly digest: Uint8Array;
  /** `encodeSpec` bytes. */
  readonly spec: Uint8Array;
}

/** How far it is. Replaced as a whole: whoever holds one sees by identity that it is old. */
export interface Standing {
  /** Nothing up to this instant fires any more: occurrences are decided in their order. */
  readonly cursorMs: number;
  readonly paused?: { readonly by: string; readonly reason: string; readonly atMs: number };
  readonly left?: number | undefined;
  readonly fired: number;
  readonly skipped: number;
  readonly missed: number;
  /** Tasks that have not settled, oldest first. */
  readonly active: readonly TaskId[];
  readonly queued: readonly QueuedFiring[];
  readonly recent: readonly Firing[];
  /** Names of the newest backfills that were done. */
  readonly requests: readonly string[];
}

const version = 1;
const idBytesMax = 32;
const textBytesMax = 4_096;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function keyOf(kind: number, text: string): Uint8Array {
  const name = encoder.encode(text);
  const key = new Uint8Array(1 + name.length);
  key[0] = kind;
  key.set(name, 1);
  return key;
}

export const scheduleKey = (text: string): Uint8Array => keyOf(rowKind.schedule, text);
export const standingKey = (text: string): Uint8Array => keyOf(rowKind.standing, text);
export const nameOfKey = (key: Uint8Array): string => decoder.decode(key.subarray(1));

export function encodeScheduleRow(origin: ScheduleOrigin): Uint8Array {
  const writer = new ByteWriter(256 + origin.spec.length).u8(version);
  writeDefinition(writer, origin.definition);
  writer.varint(origin.createdMs).text(origin.createdBy);
  return writer.raw(origin.digest).bytes(origin.spec).finish();
}

/** Throws `DecodeError` for another version or malformed bytes. */
export function decodeScheduleRow(bytes: Uint8Array): ScheduleOrigin {
  const reader = new ByteReader(bytes);
  reader.version(version, 'schedule row');
  const origin = {
    definition: readDefinition(reader),
    createdMs: reader.varint(),
    createdBy: reader.text(textBytesMax),
    digest: reader.raw(digestLength).slice(),
    spec: reader.bytesCopy(limits.specBytesMax),
  };
  reader.end('schedule row');
  return origin;
}

export function encodeStandingRow(standing: Standing): Uint8Array {
  const writer = new ByteWriter(256).u8(version).varint(standing.cursorMs);
  writer.optional(standing.paused, (w, { by, reason, atMs }) =>
    w.text(by).text(reason).varint(atMs),
  );
  writer.optional(standing.left, (w, left) => w.varint(left));
  writer.varint(standing.fired).varint(standing.skipped).varint(standing.missed);
  writer.list(standing.active, (w, id) => w.text(id));
  writer.list(standing.queued, (w, { occurrenceMs, id, salt }) => {
    w.varint(occurrenceMs);
    w.optional(id, (b, text) => b.text(text));
    w.optional(salt, (b, text) => b.text(text));
  });
  writer.list(standing.recent, (w, { occurrenceMs, taskId, firedAtMs }) =>
    w.varint(occurrenceMs).text(taskId).varint(firedAtMs),
  );
  writer.list(standing.requests, (w, request) => w.text(request));
  return writer.finish();
}

const readId = (reader: ByteReader): TaskId => reader.text(idBytesMax) as TaskId;

/** Throws `DecodeError` for another version or malformed bytes. */
export function decodeStandingRow(bytes: Uint8Array): Standing {
  const reader = new ByteReader(bytes);
  reader.version(version, 'row of how far a schedule is');
  const cursorMs = reader.varint();
  const paused = reader.optional(r => ({
    by: r.text(textBytesMax),
    reason: r.text(textBytesMax),
    atMs: r.varint(),
  }));
  const standing = {
    cursorMs,
    ...(paused === undefined ? {} : { paused }),
    left: reader.optional(r => r.varint()),
    fired: reader.varint(),
    skipped: reader.varint(),
    missed: reader.varint(),
    active: reader.list(readId, limits.scheduleActiveMax),
    queued: reader.list(
      r => ({
        occurrenceMs: r.varint(),
        id: r.optional(readId),
        salt: r.optional(b => b.text(64)),
      }),
      limits.scheduleQueueMax,
    ),
    recent: reader.list(
      r => ({ occurrenceMs: r.varint(), taskId: readId(r), firedAtMs: r.varint() }),
      limits.scheduleRecentMax,
    ),
    requests: reader.list(r => r.text(64), limits.scheduleRecentMax),
  };
  reader.end('row of how far a schedule is');
  return standing;
}
