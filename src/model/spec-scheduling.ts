/**
 * What a task asks of time, order, place and fairness: the fields of a spec from cluster version 3
 * on. Each is a row of `schedulingFields`: what it is called in a `TaskSpec`, its number in the
 * encoding, and how it is written and read. A field that a spec does not use takes no byte, so
 * specs that use none are those that programs of version 1 read.
 */
import { type ByteReader, type ByteWriter, DecodeError } from './bytes.ts';
import type { TaskId } from './ids.ts';
import { limits } from './limits.ts';
import { type Pairs, readPairs, writePairs } from './pairs.ts';
import { type When, whens } from './when.ts';
import { readWindow, type Window, writeWindow } from './windows.ts';

/** All of them are missing where they were not asked for. */
export type SpecScheduling = {
  readonly [Name in keyof typeof schedulingFields]?:
    | ReturnType<(typeof schedulingFields)[Name]['read']>
    | undefined;
};

export type SchedulingName = keyof typeof schedulingFields;

export interface Spread {
  readonly label: string;
  /** ID of the array, or the name that the tasks share. */
  readonly group: string;
}

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

const causes = {
  write: (w: ByteWriter, list: readonly string[]) => {
    w.list(list, (body, cause) => body.text(cause));
  },
  read: (r: ByteReader) => r.list(body => body.text(16), limits.causesMax),
};
function readWhen(reader: ByteReader): When {
  const when = whens[reader.u8()];
  if (when === undefined) throw new DecodeError('unknown condition of a task');
  return when;
}

export interface TemplateUse {
  readonly name: string;
  readonly revision: number;
}

const duration = (tag: number): Field<number> =>
  field({ tag, write: (w, ms) => w.varint(ms), read: r => r.varint(), isTerm: true });

/** Words for the order of one tenant's tasks within a class: the first goes first. Append-only. */
export const priorities = ['high', 'normal', 'low'] as const;
export type Priority = (typeof priorities)[number];

/** What releases a task that is held while the cluster is busy, beside its start bound. */
export interface OffPeak {
  /** A load of the cluster that is at most the setting `offPeak.load`. */
  readonly byLoad: boolean;
  readonly windows: readonly Window[];
}

function readPriority(reader: ByteReader): Priority {
  const priority = priorities[reader.u8()];
  if (priority === undefined) throw new DecodeError('unknown priority');
  return priority;
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
  /** Labels that a node had better have. */
  prefer: field<Pairs>({
    tag: 22,
    write: writePairs,
    read: readPairs,
    isTerm: true,
  }),
  /** Tasks of one tenant and group run spread over the values of a label of their nodes. */
  spread: field<Spread>({
    tag: 23,
    write: (w, { label, group }) => w.text(label).text(group),
    read: r => ({ label: r.text(limits.labelBytesMax), group: r.text(limits.nameBytesMax) }),
    isTerm: true,
  }),
  /** Taken also where no node could ever run it. */
  holdIfUnfit: field<true>({
    tag: 24,
    write: () => undefined,
    read: () => true,
    isTerm: false,
  }),
  /** Delay tolerance: how long it may wait for its start. See `start-bound.ts`. */
  toleranceMs: duration(34),
  /** Missing where it is `normal`. */
  priority: field<Priority>({
    tag: 35,
    write: (w, priority) => w.u8(priorities.indexOf(priority)),
    read: readPriority,
    isTerm: true,
  }),
  offPeak: field<OffPeak>({
    tag: 36,
    write: (w, { byLoad, windows }) => w.bool(byLoad).list(windows, writeWindow),
    read: r => ({ byLoad: r.bool(), windows: r.list(readWindow, limits.windowsMax) }),
    isTerm: true,
  }),
  /** A task that could not start for so long is dropped. */
  expireMs: duration(37),
  /** Of a firing of a schedule: the shortest time between two of them. */
  periodMs: duration(38),
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
  /** Failures after which it is run again, as `readCause` spells them; all where there are none. */
  retryOn: field<readonly string[]>({ tag: 41, ...causes, isTerm: true }),
  /** Failures after which it is not. */
  noRetryOn: field<readonly string[]>({ tag: 42, ...causes, isTerm: true }),
  /** At most so many tasks of one tenant and key run at a time. */
  maxRunningPer: field<{ readonly key: string; readonly max: number }>({
    tag: 43,
    write: (w, { key, max }) => {
      w.text(key).varint(max);
    },
    read: r => ({ key: r.text(keyBytesMax), max: r.varint() }),
    isTerm: true,
  }),
  /** Not to start before this instant. */
  notBeforeMs: field<number>({
    tag: 31,
    write: (w, instant) => w.varint(instant),
    read: r => r.varint(),
    isTerm: true,
  }),
  /** Not to start before this long after it was submitted. */
  delayMs: field<number>({
    tag: 32,
    write: (w, delay) => w.varint(delay),
    read: r => r.varint(),
    isTerm: true,
  }),
  /** The template that it was made from, and which revision of it. */
  template: field<TemplateUse>({
    tag: 44,
    write: (w, use) => w.text(use.name).varint(use.revision),
    read: r => ({ name: r.text(keyBytesMax), revision: r.varint() }),
    isTerm: false,
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
