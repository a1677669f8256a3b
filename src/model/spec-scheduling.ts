/**
 * What a task asks of time, order, place and fairness: the fields of a spec from cluster version 3
 * on. Each is a row of `schedulingFields`: what it is called in a `TaskSpec`, its number in the
 * encoding, and how it is written and read. A field that a spec does not use takes no byte, so
 * specs that use none are those that programs of version 1 read.
 */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { limits } from './limits.ts';

/** All of them are missing where they were not asked for. */
export type SpecScheduling = {
  readonly [Name in keyof typeof schedulingFields]?:
    | ReturnType<(typeof schedulingFields)[Name]['read']>
    | undefined;
};

export type SchedulingName = keyof typeof schedulingFields;

interface Field<T> {
  /** Append-only, above the numbers in `spec.ts`; a retired one stays listed. */
  readonly tag: number;
  readonly write: (writer: ByteWriter, value: T) => void;
  readonly read: (reader: ByteReader) => T;
  /** A shard decides from it: it is read in `decodeSpecTerms`. */
  readonly isTerm: boolean;
}

const field = <T>(definition: Field<T>): Field<T> => definition;

const keyBytesMax = 1_024;

/** By ascending tag: the order in which they are written. */
export const schedulingFields = {
  /** Tasks of one tenant and key run one at a time, in the order in which they were submitted. */
  orderKey: field<string>({
    tag: 21,
    write: (w, key) => w.text(key),
    read: r => r.text(keyBytesMax),
    isTerm: true,
  }),
  /** How many tasks, submitted together, are to start together; the indices of an array. */
  gang: field<number>({
    tag: 26,
    write: (w, size) => w.varint(size),
    read: r => r.varint(),
    isTerm: true,
  }),
  /** Name of the reservation in whose room it runs. */
  reservation: field<string>({
    tag: 27,
    write: (w, name) => w.text(name),
    read: r => r.text(limits.nameBytesMax * 4),
    isTerm: true,
  }),
} as const;

const names = Object.keys(schedulingFields) as SchedulingName[];

/** The cluster version that understands a field with this number. */
export const versionOfField = (tag: number): number => (tag > 20 ? 3 : 1);

/** Fields that a shard does not look at. */
export const schedulingNotTerms: readonly number[] = names
  .map(name => schedulingFields[name] as Field<unknown>)
  .filter(({ isTerm }) => !isTerm)
  .map(({ tag }) => tag);

/** Writes those that the spec has, each by `put`. */
export function writeScheduling(
  spec: SpecScheduling,
  put: (tag: number, write: (body: ByteWriter) => void) => void,
): void {
  for (const name of names) {
    const value: unknown = spec[name];
    if (value === undefined) continue;
    const { tag, write } = schedulingFields[name] as Field<unknown>;
    put(tag, body => write(body, value));
  }
}

const nameOfTag = new Map(names.map(name => [schedulingFields[name].tag, name]));

/** Reads one field into the draft; false for a tag that is none of these. */
export function readScheduling(
  tag: number,
  body: ByteReader,
  draft: { [Name in SchedulingName]?: unknown },
): boolean {
  const name = nameOfTag.get(tag);
  if (name === undefined) return false;
  draft[name] = (schedulingFields[name] as Field<unknown>).read(body);
  return true;
}
