/**
 * What a task asks of time, order, place and fairness: the fields of a spec from cluster version 3
 * on. Each is a row of `schedulingFields`: what it is called in a `TaskSpec`, its number in the
 * encoding, and how it is written and read. A field that a spec does not use takes no byte, so
 * specs that use none are those that programs of version 1 read.
 */
import { type ByteReader, type ByteWriter, DecodeError } from './bytes.ts';
import type { TaskId } from './ids.ts';
import { limits } from './limits.ts';
import { type When, whens } from './when.ts';

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

function readWhen(reader: ByteReader): When {
  const when = whens[reader.u8()];
  if (when === undefined) throw new DecodeError('unknown condition of a task');
  return when;
}

/** By ascending tag: the order in which they are written. */
export const schedulingFields = {
  /** Tasks of one tenant and key run one at a time, in the order in which they were submitted. */
  orderKey: field<string>({
    tag: 21,
    write: (w, key) => w.text(key),
    read: r => r.text(keyBytesMax),
    isTerm: true,
  }),
  /** Tasks anywhere in the cluster that have to settle first. */
  after: field<readonly TaskId[]>({
    tag: 28,
    write: (w, parents) => w.list(parents, (b, id) => b.text(id)),
    read: r => r.list(b => b.text(32) as TaskId, limits.afterMax),
    isTerm: true,
  }),
  /** Which ends of its parents let it run; `success` where it is missing. */
  when: field<When>({
    tag: 29,
    write: (w, when) => w.u8(whens.indexOf(when)),
    read: readWhen,
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
