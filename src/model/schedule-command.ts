/** The commands of a shard that are about its schedules, and their bytes. */
import { type ByteReader, type ByteWriter, DecodeError } from './bytes.ts';
import type { TaskId } from './ids.ts';
import { limits } from './limits.ts';
import {
  readDefinition,
  readScheduleName,
  type ScheduleDefinition,
  type ScheduleName,
  writeDefinition,
  writeScheduleName,
} from './schedule.ts';
import { decodeSpecTerms } from './spec.ts';

export interface CreateScheduleItem {
  readonly definition: ScheduleDefinition;
  /** What each firing runs: `encodeSpec` bytes, with the first 16 bytes of their sha256. */
  readonly digest: Uint8Array;
  readonly spec: Uint8Array;
}

export interface FireItem extends ScheduleName {
  /** When the schedule was made: another one of the name is another schedule. */
  readonly createdMs: number;
  /** How far the schedule was where this was counted: nothing may have been decided since. */
  readonly afterMs: number;
  readonly occurrenceMs: number;
  /** False where this occurrence, too, is only passed over. */
  readonly fires: boolean;
  /** Occurrences since the one before that are passed over, this one included if it is. */
  readonly missed: number;
}

export type ScheduleCommand =
  | { readonly kind: 'createSchedule'; readonly items: readonly CreateScheduleItem[] }
  /** Occurrences are due, by the calendar and the clock of the leader. */
  | { readonly kind: 'fire'; readonly items: readonly FireItem[] }
  /** By hand, now. */
  | {
      readonly kind: 'triggerSchedule';
      readonly items: readonly (ScheduleName & { readonly id: TaskId })[];
    }
  /** By hand, occurrences of the past. */
  | {
      readonly kind: 'backfill';
      readonly items: readonly (ScheduleName & {
        /** Names the request: repeating it fires nothing twice. */
        readonly request: string;
        readonly occurrences: readonly number[];
      })[];
    }
  | {
      readonly kind: 'pauseSchedule';
      readonly items: readonly (ScheduleName & { readonly paused: boolean })[];
      readonly reason: string;
    }
  | { readonly kind: 'deleteSchedule'; readonly items: readonly ScheduleName[] };

export type ScheduleCommandKind = ScheduleCommand['kind'];

export const scheduleKindNumbers: Readonly<Record<ScheduleCommandKind, number>> = {
  createSchedule: 20,
  fire: 21,
  triggerSchedule: 22,
  backfill: 23,
  pauseSchedule: 24,
  deleteSchedule: 25,
};

export function writeScheduleCommand(writer: ByteWriter, command: ScheduleCommand): void {
  switch (command.kind) {
    case 'createSchedule':
      writer.list(command.items, (w, { definition, digest, spec }) => {
        writeDefinition(w, definition);
        w.raw(digest).bytes(spec);
      });
      break;
    case 'fire':
      writer.list(command.items, (w, item) => {
        writeScheduleName(w, item);
        w.varint(item.createdMs).varint(item.afterMs).varint(item.occurrenceMs);
        w.bool(item.fires).varint(item.missed);
      });
      break;
    case 'triggerSchedule':
      writer.list(command.items, (w, item) => {
        writeScheduleName(w, item);
        w.text(item.id);
      });
      break;
    case 'backfill':
      writer.list(command.items, (w, item) => {
        writeScheduleName(w, item);
        w.text(item.request).list(item.occurrences, (b, instant) => b.varint(instant));
      });
      break;
    case 'pauseSchedule':
      writer.list(command.items, (w, item) => {
        writeScheduleName(w, item);
        w.bool(item.paused);
      });
      writer.text(command.reason);
      break;
    case 'deleteSchedule':
      writer.list(command.items, writeScheduleName);
      break;
  }
}

function readCreate(reader: ByteReader): CreateScheduleItem {
  const definition = readDefinition(reader);
  const digest = reader.raw(16);
  const spec = reader.bytes(limits.specBytesMax);
  // What a newer program wrote stops the replica here, before anything changes.
  decodeSpecTerms(spec);
  return { definition, digest, spec };
}

/** Throws `DecodeError` for a kind that is none of these. */
export function readScheduleCommand(kind: string | undefined, reader: ByteReader): ScheduleCommand {
  switch (kind) {
    case 'createSchedule':
      return { kind, items: reader.list(readCreate) };
    case 'fire':
      return {
        kind,
        items: reader.list(r => ({
          ...readScheduleName(r),
          createdMs: r.varint(),
          afterMs: r.varint(),
          occurrenceMs: r.varint(),
          fires: r.bool(),
          missed: r.varint(),
        })),
      };
    case 'triggerSchedule':
      return {
        kind,
        items: reader.list(r => ({ ...readScheduleName(r), id: r.text(32) as TaskId })),
      };
    case 'backfill':
      return {
        kind,
        items: reader.list(r => ({
          ...readScheduleName(r),
          request: r.text(64),
          occurrences: r.list(b => b.varint(), limits.backfillMax),
        })),
      };
    case 'pauseSchedule':
      return {
        kind,
        items: reader.list(r => ({ ...readScheduleName(r), paused: r.bool() })),
        reason: reader.text(4_096),
      };
    case 'deleteSchedule':
      return { kind, items: reader.list(readScheduleName) };
    default:
      throw new DecodeError('shard command of an unknown kind: written by a newer version');
  }
}
