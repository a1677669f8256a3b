/**
 * What may be changed of a task after it was submitted. A spec is immutable: it has a digest, and
 * thousands of tasks may share it. A change is kept with the task, as values that stand in the
 * place of those of its spec; whoever needs the whole asks `withOverrides`.
 *
 * Each field is a row of `overrideFields`: its name in a `TaskSpec`, its number in the encoding,
 * its name in the document that people write, and whether it may change while an attempt lives.
 */
import { ByteReader, type ByteWriter, DecodeError } from './bytes.ts';
import { limits } from './limits.ts';
import { readPairs, writePairs } from './pairs.ts';
import type { Backoff, TaskSpec } from './spec.ts';
import { type Priority, schedulingFields } from './spec-scheduling.ts';

interface Field<T> {
  /** Append-only; a retired one stays listed. */
  readonly tag: number;
  /** Its name in a task document. */
  readonly document: string;
  /** Its worker, or the shard at the end of the attempt, goes by it at once. */
  readonly whileRunning: boolean;
  readonly write: (writer: ByteWriter, value: T) => void;
  readonly read: (reader: ByteReader) => T;
}

const field = <T>(definition: Field<T>): Field<T> => definition;

const { priority, toleranceMs } = schedulingFields;

/** By ascending tag: the order in which they are written. */
export const overrideFields = {
  name: field<string>({
    tag: 1,
    document: 'name',
    whileRunning: false,
    write: (w, name) => w.text(name),
    read: r => r.text(limits.nameBytesMax),
  }),
  labels: field<TaskSpec['labels']>({
    tag: 2,
    document: 'labels',
    whileRunning: false,
    write: writePairs,
    read: readPairs,
  }),
  attempts: field<number>({
    tag: 3,
    document: 'attempts',
    whileRunning: false,
    write: (w, attempts) => w.varint(attempts),
    read: r => r.varint(),
  }),
  backoff: field<Backoff>({
    tag: 4,
    document: 'backoff',
    whileRunning: false,
    write: (w, backoff) => w.varint(backoff.initialMs).varint(backoff.maxMs),
    read: r => ({ initialMs: r.varint(), maxMs: r.varint() }),
  }),
  /** 0 takes the cap away. */
  capMs: field<number>({
    tag: 5,
    document: 'cap',
    whileRunning: true,
    write: (w, capMs) => w.varint(capMs),
    read: r => r.varint(),
  }),
  /** Said in full here: `normal` stands in the place of another one. */
  priority: field<Priority>({
    tag: 6,
    document: 'priority',
    whileRunning: false,
    write: priority.write,
    read: priority.read,
  }),
  /** The start bound counts from where it counted before. */
  toleranceMs: field<number>({
    tag: 7,
    document: 'tolerance',
    whileRunning: false,
    write: toleranceMs.write,
    read: toleranceMs.read,
  }),
} as const satisfies { readonly [Name in keyof TaskSpec]?: { readonly tag: number } };

export type OverrideName = keyof typeof overrideFields;

/** Missing where the spec's own value holds. */
export type SpecOverrides = { readonly [Name in OverrideName]?: TaskSpec[Name] };

export const overrideNames = Object.keys(overrideFields) as OverrideName[];

const nameOfTag = new Map(overrideNames.map(name => [overrideFields[name].tag, name]));

export function writeOverrides(writer: ByteWriter, overrides: SpecOverrides): void {
  const given = overrideNames.filter(name => overrides[name] !== undefined);
  writer.list(given, (w, name) => {
    const { tag, write } = overrideFields[name] as Field<unknown>;
    w.varint(tag).nested(body => write(body, overrides[name]));
  });
}

/** Throws `DecodeError` for a field that only a newer version knows. */
export function readOverrides(reader: ByteReader): SpecOverrides {
  const overrides: { [Name in OverrideName]?: unknown } = {};
  reader.list(r => {
    const tag = r.varint();
    const body = new ByteReader(r.bytes(limits.specBytesMax));
    const name = nameOfTag.get(tag);
    if (name === undefined) throw new DecodeError(`unknown field ${tag} of an update`);
    overrides[name] = (overrideFields[name] as Field<unknown>).read(body);
    body.end(`field ${tag} of an update`);
  }, overrideNames.length);
  return overrides as SpecOverrides;
}

/** The spec as it is carried out: what was changed stands in the place of what was submitted. */
export const withOverrides = (spec: TaskSpec, overrides: SpecOverrides | undefined): TaskSpec =>
  overrides === undefined ? spec : { ...spec, ...overrides };

/** `base`, with the values of `changes` where there are any. */
export const joinOverrides = (
  base: SpecOverrides | undefined,
  changes: SpecOverrides,
): SpecOverrides => ({ ...base, ...changes });
