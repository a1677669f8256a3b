/** The part of a schedule document that says when: read, written, and told in words. */
import {
  daysInMonth,
  formatInstant,
  type LocalTime,
  parseInstant,
  parseLocalTime,
} from './instant.ts';
import { limits } from './limits.ts';
import { lastDay, type Timing, type TimingKind, timingKinds } from './schedule.ts';
import { closestName } from './spec-fields.ts';
import { describeValue, type ProblemList, readText } from './spec-reading.ts';

const weekdayNames = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const monthNames = [
  ...['jan', 'feb', 'mar', 'apr', 'may', 'jun'],
  ...['jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
];
const longMonths = [
  ...['January', 'February', 'March', 'April', 'May', 'June', 'July'],
  ...['August', 'September', 'October', 'November', 'December'],
];
/** A year with a 29 February: what day a month has at most. */
const leapYear = 2_000;

type Given = Readonly<Record<string, unknown>>;

const pad = (value: number): string => String(value).padStart(2, '0');

const timeOfDay = (minute: number): string => `${pad(Math.floor(minute / 60))}:${pad(minute % 60)}`;

/** Which fields go with which kind. */
const fieldsOf: Record<TimingKind, readonly string[]> = {
  once: ['at'],
  daily: ['at'],
  weekly: ['at', 'weekday'],
  monthly: ['at', 'day'],
  annually: ['at', 'month', 'day'],
  cron: ['cron'],
};
const timingFields = ['at', 'weekday', 'day', 'month', 'cron'];

function readKind(given: Given, problems: ProblemList): TimingKind | undefined {
  const { every } = given;
  if (every === undefined && given['cron'] !== undefined) return 'cron';
  const kind = timingKinds.find(known => known === every);
  if (kind !== undefined) return kind;
  const known = timingKinds.join(', ');
  if (every === undefined) {
    return problems.add('/every', `says nothing of when: one of ${known}; or give \`cron\``);
  }
  const meant = typeof every === 'string' ? closestName(every, timingKinds) : undefined;
  const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
  return problems.add('/every', `must be one of ${known}, not ${describeValue(every)}${hint}`);
}

/** Minutes since midnight; midnight where nothing is said. */
function readTimeOfDay(given: Given, problems: ProblemList): number | undefined {
  const { at } = given;
  if (at === undefined) return 0;
  const match = typeof at === 'string' ? /^(\d{1,2}):(\d{2})$/.exec(at.trim()) : null;
  const hour = Number(match?.[1]);
  const minute = Number(match?.[2]);
  if (match !== null && hour <= 23 && minute <= 59) return hour * 60 + minute;
  return problems.add('/at', `must be a time of day such as "02:30", not ${describeValue(at)}`);
}

function readWeekdays(given: Given, problems: ProblemList): number[] | undefined {
  const { weekday } = given;
  const words = typeof weekday === 'string' ? weekday.split(/[\s,]+/) : weekday;
  const found = new Set<number>();
  for (const word of Array.isArray(words) ? (words as unknown[]) : []) {
    const name = typeof word === 'string' ? word.toLowerCase() : '';
    const day = weekdayNames.indexOf(name.slice(0, 3));
    if (day < 0 || !/^[a-z]{3,9}$/.test(name)) {
      return problems.add(
        '/weekday',
        `must be of ${weekdayNames.join(', ')}, not ${describeValue(word)}`,
      );
    }
    found.add(day);
  }
  if (found.size > 0) return [...found].sort((left, right) => left - right);
  return problems.add('/weekday', 'must name the days of the week, such as "mon,thu"');
}

function readMonth(given: Given, problems: ProblemList): number | undefined {
  const { month } = given;
  const number = typeof month === 'string' && /^\d{1,2}$/.test(month) ? Number(month) : month;
  if (typeof number === 'number' && Number.isInteger(number) && number >= 1 && number <= 12) {
    return number;
  }
  const name = typeof month === 'string' ? month.toLowerCase() : '';
  const place = /^[a-z]{3,9}$/.test(name) ? monthNames.indexOf(name.slice(0, 3)) : -1;
  if (place >= 0) return place + 1;
  return problems.add('/month', `must be a month such as "feb" or 2, not ${describeValue(month)}`);
}

function readDay(given: Given, problems: ProblemList, month?: number): number | undefined {
  const { day } = given;
  if (day === 'last') return lastDay;
  const number = typeof day === 'string' && /^\d{1,2}$/.test(day) ? Number(day) : day;
  if (typeof number !== 'number' || !Number.isInteger(number) || number < 1 || number > 31) {
    return problems.add('/day', `must be from 1 to 31, or "last", not ${describeValue(day)}`);
  }
  const most = month === undefined ? 31 : daysInMonth(leapYear, month);
  if (number <= most) return number;
  return problems.add(
    '/day',
    `${longMonths[month! - 1]} never has a day ${number}; give one up to ${most}, or "last"`,
  );
}

const shownLocal = ({ year, month, day, hour, minute, second }: LocalTime): string =>
  `${year}-${pad(month)}-${pad(day)}T${pad(hour)}:${pad(minute)}:${pad(second)}`;

/** A date with a time of day in the zone of the schedule; with an offset, it is in UTC. */
function readOnce(given: Given, problems: ProblemList): Timing | undefined {
  const { at, timezone } = given;
  const local = typeof at === 'string' ? parseLocalTime(at) : undefined;
  if (local !== undefined) return { kind: 'once', at: shownLocal(local) };
  const instant = typeof at === 'string' ? parseInstant(at) : undefined;
  if (instant === undefined) {
    const given = at === undefined ? 'is missing: give' : 'must be';
    const not = at === undefined ? '' : `, not ${describeValue(at)}`;
    return problems.add('/at', `${given} a date with a time such as "2027-01-31T09:30"${not}`);
  }
  if (timezone !== undefined && timezone !== 'UTC') {
    return problems.add('/at', 'says an offset and goes with no `timezone`; leave one of them out');
  }
  return { kind: 'once', at: formatInstant(instant).slice(0, 19) };
}

function readCron(given: Given, problems: ProblemList): Timing | undefined {
  const rule = { bytesMax: limits.cronBytesMax, bytesMin: 1, oneLine: true };
  const pattern = readText(problems, '/cron', given['cron'], rule)?.trim();
  if (pattern === undefined) return undefined;
  const fields = pattern.split(/\s+/);
  if (fields.length === 5) return { kind: 'cron', pattern: fields.join(' ') };
  return problems.add(
    '/cron',
    'must have five fields: minute, hour, day of month, month, day of week; ' +
      `${describeValue(pattern)} has ${fields.length}`,
  );
}

/** The timing that a document says; fields that do not go with it are problems. */
export function readTiming(given: Given, problems: ProblemList): Timing | undefined {
  const kind = readKind(given, problems);
  if (kind === undefined) return undefined;
  for (const name of timingFields) {
    if (given[name] === undefined || fieldsOf[kind].includes(name)) continue;
    const kinds = timingKinds.filter(other => fieldsOf[other].includes(name));
    problems.add(`/${name}`, `goes with ${kinds.join(', ')}, not with ${kind}`);
  }
  if (kind === 'once') return readOnce(given, problems);
  if (kind === 'cron') return readCron(given, problems);
  const minute = readTimeOfDay(given, problems);
  const month = kind === 'annually' ? readMonth(given, problems) : undefined;
  const needsDay = kind === 'monthly' || kind === 'annually';
  const day = needsDay ? readDay(given, problems, month) : undefined;
  const weekdays = kind === 'weekly' ? readWeekdays(given, problems) : undefined;
  if (minute === undefined) return undefined;
  if (kind === 'daily') return { kind, minute };
  if (kind === 'weekly') return weekdays && { kind, minute, weekdays };
  if (day === undefined) return undefined;
  if (kind === 'monthly') return { kind, minute, day };
  return month === undefined ? undefined : { kind, minute, month, day };
}

/** The fields that read as this timing. */
export function writeTiming(timing: Timing): Record<string, unknown> {
  const { kind } = timing;
  const day = 'day' in timing ? (timing.day === lastDay ? 'last' : timing.day) : undefined;
  switch (kind) {
    case 'once':
      return { every: kind, at: timing.at };
    case 'cron':
      return { every: kind, cron: timing.pattern };
    case 'daily':
      return { every: kind, at: timeOfDay(timing.minute) };
    case 'weekly': {
      const weekday = timing.weekdays.map(number => weekdayNames[number]!);
      return { every: kind, at: timeOfDay(timing.minute), weekday };
    }
    case 'monthly':
      return { every: kind, at: timeOfDay(timing.minute), day };
    case 'annually': {
      const month = monthNames[timing.month - 1]!;
      return { every: kind, at: timeOfDay(timing.minute), month, day };
    }
  }
}

const dayWords = (day: number): string => (day === lastDay ? 'last day' : `day ${day}`);

/** `weekly on mon, thu at 02:30` */
export function timingWords(timing: Timing): string {
  switch (timing.kind) {
    case 'once':
      return `once at ${timing.at.replace('T', ' ')}`;
    case 'cron':
      return `cron ${timing.pattern}`;
    case 'daily':
      return `daily at ${timeOfDay(timing.minute)}`;
    case 'weekly': {
      const days = timing.weekdays.map(day => weekdayNames[day]).join(', ');
      return `weekly on ${days} at ${timeOfDay(timing.minute)}`;
    }
    case 'monthly':
      return `monthly on the ${dayWords(timing.day)} at ${timeOfDay(timing.minute)}`;
    case 'annually': {
      const day = timing.day === lastDay ? 'the last day of' : String(timing.day);
      const month = longMonths[timing.month - 1]!;
      return `annually on ${day} ${month} at ${timeOfDay(timing.minute)}`;
    }
  }
}
