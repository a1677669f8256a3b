/**
 * A schedule: when something is to run, again and again, and what is done where two runs meet or
 * where an occurrence was missed. It is known by its tenant and its name, whose hash is its slot:
 * so the name is unique, and everything about its firings is decided in one shard.
 *
 * Which instants a timing means is not said here: zones and cron need a library that the pure rooms
 * have no place for (`node/calendar.ts`). A leader proposes occurrences; apply judges them.
 */
import { type ByteReader, type ByteWriter, DecodeError } from './bytes.ts';
import { formatTaskId, type Slot, type TaskId } from './ids.ts';
import { limits } from './limits.ts';
import { hashText, keySlot } from './slots.ts';

/** Append-only: the number in the encoding is the position. */
export const timingKinds = ['once', 'daily', 'weekly', 'monthly', 'annually', 'cron'] as const;
export type TimingKind = (typeof timingKinds)[number];

/** In place of a day of the month: its last one. */
export const lastDay = 32;

/** All of it in the zone of the schedule; `minute` is that of the day. */
export type Timing =
  /** `at` is a date with a time of day, `2027-01-31T09:30:00`. */
  | { readonly kind: 'once'; readonly at: string }
  | { readonly kind: 'daily'; readonly minute: number }
  /** Days of the week from 0, Sunday, in their order. */
  | { readonly kind: 'weekly'; readonly minute: number; readonly weekdays: readonly number[] }
  | { readonly kind: 'monthly'; readonly minute: number; readonly day: number }
  | {
      readonly kind: 'annually';
      readonly minute: number;
      readonly month: number;
      readonly day: number;
    }
  | { readonly kind: 'cron'; readonly pattern: string };

/** What is done with an occurrence while a task of an earlier one has not settled. Append-only. */
export const overlapPolicies = ['skip', 'queue', 'replace', 'allow'] as const;
export type OverlapPolicy = (typeof overlapPolicies)[number];

/** What is done with occurrences that passed while nobody could fire them. Append-only. */
export const catchUpPolicies = ['skip', 'last', 'all'] as const;
export type CatchUpPolicy = (typeof catchUpPolicies)[number];

export interface ScheduleName {
  readonly tenant: string;
  readonly name: string;
}

export interface ScheduleDefinition extends ScheduleName {
  readonly timing: Timing;
  /** IANA name of the time zone. */
  readonly zone: string;
  readonly overlap: OverlapPolicy;
  readonly catchUp: CatchUpPolicy;
  /** Occurrences missed by more than this are never caught up with. */
  readonly withinMs?: number | undefined;
  /** Each firing is late by up to this, by a chance that is the same wherever it is drawn. */
  readonly jitterMs: number;
  /** No occurrence after this instant fires. */
  readonly untilMs?: number | undefined;
  /** So many occurrences fire, then no more. */
  readonly count?: number | undefined;
}

const formatVersion = 1;

function writeTiming(writer: ByteWriter, timing: Timing): void {
  writer.u8(timingKinds.indexOf(timing.kind));
  switch (timing.kind) {
    case 'once':
      writer.text(timing.at);
      break;
    case 'daily':
      writer.varint(timing.minute);
      break;
    case 'weekly':
      writer.varint(timing.minute).list(timing.weekdays, (w, day) => w.u8(day));
      break;
    case 'monthly':
      writer.varint(timing.minute).u8(timing.day);
      break;
    case 'annually':
      writer.varint(timing.minute).u8(timing.month).u8(timing.day);
      break;
    case 'cron':
      writer.text(timing.pattern);
      break;
  }
}

function readTiming(reader: ByteReader): Timing {
  const kind = timingKinds[reader.u8()];
  switch (kind) {
    case 'once':
      return { kind, at: reader.text(64) };
    case 'daily':
      return { kind, minute: reader.varint() };
    case 'weekly':
      return { kind, minute: reader.varint(), weekdays: reader.list(r => r.u8(), 7) };
    case 'monthly':
      return { kind, minute: reader.varint(), day: reader.u8() };
    case 'annually':
      return { kind, minute: reader.varint(), month: reader.u8(), day: reader.u8() };
    case 'cron':
      return { kind, pattern: reader.text(limits.cronBytesMax) };
    default:
      throw new DecodeError('schedule: unknown timing, written by a newer version');
  }
}

export function writeScheduleName(writer: ByteWriter, { tenant, name }: ScheduleName): void {
  writer.text(tenant).text(name);
}

export const readScheduleName = (reader: ByteReader): ScheduleName => ({
  tenant: reader.text(256),
  name: reader.text(limits.scheduleNameBytesMax),
});

export function writeDefinition(writer: ByteWriter, definition: ScheduleDefinition): void {
  writer.u8(formatVersion);
  writeScheduleName(writer, definition);
  writeTiming(writer, definition.timing);
  writer.text(definition.zone);
  writer.u8(overlapPolicies.indexOf(definition.overlap));
  writer.u8(catchUpPolicies.indexOf(definition.catchUp));
  writer.optional(definition.withinMs, (w, within) => w.varint(within));
  writer.varint(definition.jitterMs);
  writer.optional(definition.untilMs, (w, until) => w.varint(until));
  writer.optional(definition.count, (w, count) => w.varint(count));
}

/** Reads what `writeDefinition` wrote; throws `DecodeError` for what a newer program wrote. */
export function readDefinition(reader: ByteReader): ScheduleDefinition {
  reader.version(formatVersion, 'schedule');
  const name = readScheduleName(reader);
  const timing = readTiming(reader);
  const zone = reader.text(128);
  const overlap = overlapPolicies[reader.u8()];
  const catchUp = catchUpPolicies[reader.u8()];
  if (overlap === undefined || catchUp === undefined) {
    throw new DecodeError('schedule: unknown policy, written by a newer version');
  }
  return {
    ...name,
    timing,
    zone,
    overlap,
    catchUp,
    withinMs: reader.optional(r => r.varint()),
    jitterMs: reader.varint(),
    untilMs: reader.optional(r => r.varint()),
    count: reader.optional(r => r.varint()),
  };
}

/** Where a schedule lives, and all of its tasks. */
export const slotOfSchedule = ({ tenant, name }: ScheduleName): Slot =>
  keySlot({ tenant, idempotencyKey: `schedule\u0000${name}` })!;

/** 40 bits of a text: two unlike hashes. */
const hash40 = (text: string): number =>
  (hashText(text) % 256) * 2 ** 32 + hashText(text, 0x9e3779b1);

/**
 * ID of the task of one occurrence: the same whoever computes it. `idMs` is the instant in it,
 * that of the occurrence unless the history has left that behind; `salt` tells apart what fires
 * the same occurrence again on purpose.
 */
export function firingId(
  schedule: ScheduleName & { readonly createdMs: number },
  occurrenceMs: number,
  idMs: number,
  salt: string,
): TaskId {
  const { tenant, name, createdMs } = schedule;
  const text = `${tenant}\u0000${name}\u0000${createdMs}\u0000${occurrenceMs}\u0000${salt}`;
  return formatTaskId({ atMs: idMs, slot: slotOfSchedule(schedule), random: hash40(text) });
}

/** How much later than its occurrence a firing is: from 0 to the jitter of its schedule. */
export function jitterOf(definition: ScheduleDefinition, occurrenceMs: number): number {
  const { tenant, name, jitterMs } = definition;
  if (jitterMs === 0) return 0;
  return hash40(`${tenant}\u0000${name}\u0000jitter\u0000${occurrenceMs}`) % (jitterMs + 1);
}

/** A firing that waits for the task before it. */
export interface QueuedFiring {
  readonly occurrenceMs: number;
  /** Drawn by who asked for it by hand; else it follows from the occurrence and the salt. */
  readonly id?: TaskId | undefined;
  readonly salt?: string | undefined;
}

export interface Firing {
  readonly occurrenceMs: number;
  readonly taskId: TaskId;
  readonly firedAtMs: number;
}

/** A row of a listing of schedules. */
export interface ScheduleSummary extends ScheduleName {
  readonly state: 'active' | 'paused' | 'ended';
  /** When it fires, in words. */
  readonly timing: string;
  readonly timezone: string;
  /** What it runs, in one line. */
  readonly command: string;
  readonly createdAtMs: number;
  readonly createdBy: string;
  /** The next occurrence; missing where there is none, or while it is paused. */
  readonly nextAtMs?: number | undefined;
  /** Occurrences that are still to fire, where they are counted. */
  readonly left?: number | undefined;
  /** Tasks that were made, by hand too. */
  readonly fired: number;
  /** Occurrences given up because an earlier task had not settled. */
  readonly skipped: number;
  /** Occurrences that passed while nobody could fire them, and were not caught up with. */
  readonly missed: number;
  readonly shard: number;
  /** Read from a replica that could not confirm with a majority that this is the newest. */
  readonly stale: boolean;
}

/** A schedule as people and programs see it: the JSON of `GET /v1/schedules/NAME`. */
export interface ScheduleView extends ScheduleSummary {
  /** The document that made it, in its normal form. */
  readonly document: Readonly<Record<string, unknown>>;
  /** Its tasks that have not settled. */
  readonly running: readonly TaskId[];
  /** Occurrences that wait for those. */
  readonly queued: readonly number[];
  /** The newest firings, the newest last. */
  readonly recent: readonly Firing[];
  readonly paused?:
    | { readonly by: string; readonly reason: string; readonly atMs: number }
    | undefined;
  /** Why the occurrence that is due does not fire: the plan of the tenant. */
  readonly heldBack?: string | undefined;
}
