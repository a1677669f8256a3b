/**
 * Windows of the week in which something may happen: `22:00-06:00`, `sat,sun 00:00-24:00`,
 * `mon-fri 22:00-06:00`. In UTC, by the minute; one that ends before it begins ends the next day,
 * and belongs to the day on which it begins.
 */
import type { ByteReader, ByteWriter } from './bytes.ts';

export interface Window {
  /** Days on which it begins: bit 0 is Monday. */
  readonly days: number;
  /** Minutes of the day, the begin below 1440, the end at most that. */
  readonly from: number;
  readonly to: number;
}

const dayNames = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const everyDay = 0b1111111;
const minuteMs = 60_000;
const dayMinutes = 1_440;
const weekMinutes = 7 * dayMinutes;
/** 1970-01-01 was a Thursday. */
const firstDay = 3;
const windowPattern = /^(?:([a-z,-]{3,40})\s+)?(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})$/;

function minuteOf(hours: string, minutes: string): number | undefined {
  if (Number(minutes) > 59) return undefined;
  const minute = Number(hours) * 60 + Number(minutes);
  return minute <= dayMinutes ? minute : undefined;
}

/** Bits of `mon`, `sat,sun` or `mon-fri`, which may go round the end of the week. */
function daysOf(text: string): number | undefined {
  let days = 0;
  for (const part of text.split(',')) {
    const [first, last = first, more] = part
      .split('-')
      .map(name => (dayNames as readonly string[]).indexOf(name));
    if (first === undefined || last === undefined || more !== undefined) return undefined;
    if (first < 0 || last < 0) return undefined;
    for (let day = first; ; day = (day + 1) % 7) {
      days |= 1 << day;
      if (day === last) break;
    }
  }
  return days;
}

/** A window, or what is wrong with its text and what to write. */
export function parseWindow(text: string): Window | string {
  const [, names, fromHours, fromMinutes, toHours, toMinutes] =
    windowPattern.exec(text.trim().toLowerCase()) ?? [];
  const from = minuteOf(fromHours ?? '', fromMinutes ?? '99');
  const to = minuteOf(toHours ?? '', toMinutes ?? '99');
  const days = names === undefined ? everyDay : daysOf(names);
  if (from === undefined || to === undefined || days === undefined) {
    return 'must be a window in UTC such as "22:00-06:00" or "sat,sun 00:00-24:00"';
  }
  if (from === to || from === dayMinutes) {
    return 'never opens: it ends when it begins; write 00:00-24:00 for the whole day';
  }
  return { days, from, to };
}

const twoDigits = (value: number): string => String(value).padStart(2, '0');
const clockOf = (minute: number): string =>
  `${twoDigits(Math.floor(minute / 60))}:${twoDigits(minute % 60)}`;

/** Text that `parseWindow` reads as this window. */
export function formatWindow({ days, from, to }: Window): string {
  const times = `${clockOf(from)}-${clockOf(to)}`;
  if (days === everyDay) return times;
  return `${dayNames.filter((_, day) => (days & (1 << day)) !== 0).join(',')} ${times}`;
}

/** Begin and length of each opening of a window in a week, in minutes from Monday. */
function* openings({ days, from, to }: Window): Generator<{ begin: number; length: number }> {
  const length = to > from ? to - from : to + dayMinutes - from;
  for (let day = 0; day < 7; day++) {
    if ((days & (1 << day)) !== 0) yield { begin: day * dayMinutes + from, length };
  }
}

const weekMinuteOf = (wallMs: number): number =>
  (Math.floor(wallMs / minuteMs) + firstDay * dayMinutes) % weekMinutes;

export function isOpen(windows: readonly Window[], wallMs: number): boolean {
  const minute = weekMinuteOf(wallMs);
  return windows.some(window => {
    for (const { begin, length } of openings(window)) {
      if ((minute - begin + weekMinutes) % weekMinutes < length) return true;
    }
    return false;
  });
}

export function writeWindow(writer: ByteWriter, window: Window): void {
  writer.u8(window.days).varint(window.from).varint(window.to);
}

export const readWindow = (reader: ByteReader): Window => ({
  days: reader.u8(),
  from: reader.varint(),
  to: reader.varint(),
});
