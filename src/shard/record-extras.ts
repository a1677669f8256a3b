/**
 * Fields of a task's row that only some tasks have, each with a tag and a length of its own. A task
 * that has none of them is written as in version 1, which programs that know none of them read.
 */
import { ByteReader, type ByteWriter, DecodeError } from '../model/bytes.ts';
import type { TaskId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import { readOverrides, writeOverrides } from '../model/spec-overrides.ts';
import { readCause, readDependency, writeCause, writeDependency } from './dependency-fields.ts';
import {
  type AbortCause,
  type Dependency,
  type FiringOf,
  type PauseRecord,
  type Recall,
  recallKinds,
  type UpdateRecord,
} from './memory/task-detail.ts';

interface Field<T> {
  /** Append-only; a retired one stays listed. */
  readonly tag: number;
  readonly write: (writer: ByteWriter, value: T) => void;
  readonly read: (reader: ByteReader) => T;
}

const field = <T>(definition: Field<T>): Field<T> => definition;

const readId = (reader: ByteReader): TaskId => reader.text(32) as TaskId;

function readRecall(reader: ByteReader): Recall {
  const kind = recallKinds[reader.u8()];
  if (kind === undefined) throw new DecodeError('unknown recall');
  return { kind, reason: reader.text(limits.specBytesMax) };
}

const number = {
  write: (writer: ByteWriter, value: number): void => {
    writer.varint(value);
  },
  read: (reader: ByteReader): number => reader.varint(),
};

/** By ascending tag: the order in which they are written. */
const fields = {
  /** Bits of `holdKinds`. */
  holds: field<number>({ tag: 1, ...number }),
  /** Of the live attempt: it is to end with its gang. */
  recall: field<Recall>({
    tag: 4,
    write: (w, { kind, reason }) => w.u8(recallKinds.indexOf(kind)).text(reason),
    read: readRecall,
  }),
  /** The workflow that it is of, and its place there. */
  workflow: field<{ readonly id: TaskId; readonly index: number }>({
    tag: 6,
    write: (w, { id, index }) => w.text(id).varint(index),
    read: r => ({ id: readId(r), index: r.varint() }),
  }),
  /** What it waits for, and what it was given by those that settled. */
  dependency: field<Readonly<Dependency>>({
    tag: 7,
    write: writeDependency,
    read: readDependency,
  }),
  /** Tasks elsewhere that wait for it. */
  dependents: field<readonly TaskId[]>({
    tag: 8,
    write: (w, ids) => w.list(ids, (b, id) => b.text(id)),
    read: r => r.list(readId, limits.dependentsMax),
  }),
  /** Why it was aborted without having run. */
  cause: field<AbortCause>({ tag: 9, write: writeCause, read: readCause }),
  /** Which occurrence of which schedule made it. */
  firing: field<FiringOf>({
    tag: 12,
    write: (w, { schedule, occurrenceMs }) => w.text(schedule).varint(occurrenceMs),
    read: r => ({ schedule: r.text(limits.specBytesMax), occurrenceMs: r.varint() }),
  }),
  /** Its start bound passed before it had started. */
  boundMissed: field<boolean>({ tag: 16, write: () => undefined, read: () => true }),
  /** Its place in the line of its key, while it is unsettled and stands in one. */
  lineNumber: field<number>({ tag: 21, ...number }),
  /** Supervisors that ended under it. */
  supervisorsLost: field<number>({ tag: 22, ...number }),
  /** Who paused it. */
  pause: field<PauseRecord>({
    tag: 25,
    write: (w, { by, atMs, reason, suspend }) => w.text(by).varint(atMs).text(reason).bool(suspend),
    read: r => ({
      by: r.text(limits.specBytesMax),
      atMs: r.varint(),
      reason: r.text(limits.specBytesMax),
      suspend: r.bool(),
    }),
  }),
  /** What was changed of it after it was submitted. */
  update: field<UpdateRecord>({
    tag: 26,
    write: (w, { by, atMs, overrides }) => writeOverrides(w.text(by).varint(atMs), overrides),
    read: r => ({
      by: r.text(limits.specBytesMax),
      atMs: r.varint(),
      overrides: readOverrides(r),
    }),
  }),
  /** Of the live attempt: its worker has stopped its processes. */
  suspended: field<boolean>({
    tag: 27,
    write: (w, suspended) => w.bool(suspended),
    read: r => r.bool(),
  }),
} as const;

type Fields = typeof fields;
type ValueOf<F> = F extends Field<infer T> ? T : never;

/** Those of a task; what it has not is missing. */
export type RecordExtras = {
  readonly [Name in Exclude<keyof Fields, 'holds'>]?: ValueOf<Fields[Name]> | undefined;
} & { readonly holds: number };

/** Of a task that has none. */
const noExtras: RecordExtras = Object.freeze({ holds: 0 });

const named = Object.entries(fields) as unknown as readonly (readonly [
  name: keyof Fields,
  field: Field<unknown>,
])[];
const byTag = new Map(named.map(entry => [entry[1].tag, entry]));

/**
 * What memory keeps of its spec (`memory/kept-terms.ts`), while it is unsettled. It says nothing
 * about the task, and is not in its record.
 */
export const termsTag = 28;
type Extra = readonly [field: Pick<Field<unknown>, 'tag' | 'write'>, value: unknown];

const termsField: Extra[0] = { tag: termsTag, write: (w, bytes) => w.raw(bytes as Uint8Array) };

const nothing: readonly Extra[] = Object.freeze([]);

/** What is to be written of a task, by ascending tag. */
export function extrasOf(record: RecordExtras, terms: Uint8Array | undefined): readonly Extra[] {
  let extras: Extra[] | undefined;
  for (const [name, about] of named) {
    const value = record[name];
    if (value === undefined || value === 0 || value === false) continue;
    extras ??= [];
    extras.push([about, value]);
  }
  if (terms !== undefined) (extras ??= []).push([termsField, terms]);
  return extras ?? nothing;
}

export function writeExtras(writer: ByteWriter, extras: readonly Extra[]): void {
  writer.list(extras, (w, [{ tag, write }, value]) => {
    w.varint(tag).nested(body => write(body, value));
  });
}

/** What stands behind the other fields of a row. */
export interface StoredExtras {
  readonly extras: RecordExtras;
  /** A view. */
  readonly terms: Uint8Array | undefined;
}

/** Of a row of version 1. */
export const nothingStored: StoredExtras = { extras: noExtras, terms: undefined };

/** Throws `DecodeError` for a field of a newer version or malformed bytes. */
export function readExtras(reader: ByteReader): StoredExtras {
  const extras: Record<string, unknown> = {};
  let terms: Uint8Array | undefined;
  reader.list(r => {
    const tag = r.varint();
    const bytes = r.bytes(limits.rowBytesMax);
    if (tag === termsTag) {
      terms = bytes;
      return;
    }
    const body = new ByteReader(bytes);
    const known = byTag.get(tag);
    if (known === undefined) {
      throw new DecodeError(`task row: unknown field ${tag}, written by a newer version`);
    }
    extras[known[0]] = known[1].read(body);
    body.end(`field ${tag} of a task row`);
  });
  return { extras: { ...noExtras, ...extras }, terms };
}
