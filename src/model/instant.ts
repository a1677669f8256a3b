/**
 * Instants as people write them: ISO 8601, `2027-01-31T09:30:00Z`, with an offset or in UTC. The
 * pure rooms have no `Date`: days are counted here, in the calendar of Gregory for all years.
 */

const dayMs = 86_400_000;

/** 9999-12-31T23:59:59.999Z */
export const writtenInstantMaxMs = 253_402_300_799_999;

const isLeap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

/** `month` from 1. */
export const daysInMonth = (year: number, month: number): number =>
  month === 2 ? (isLeap(year) ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31;

/** Days from 1970-01-01 to a date; a year begins in March here, so that a leap day is its last. */
function daysOf(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  return era * 146_097 + dayOfEra + dayOfYear - 719_468;
}

/** A date and a time of day without a zone. */
export interface LocalTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

const written =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?(Z|z|[+-]\d{2}:?\d{2})?)?$/;

interface Written {
  readonly local: LocalTime;
  readonly ms: number;
  /** Minutes east of Greenwich; `undefined` where none is written. */
  readonly offset: number | undefined;
}

function offsetOf(text: string | undefined): number | undefined | 'wrong' {
  if (text === undefined) return undefined;
  if (text === 'Z' || text === 'z') return 0;
  const hours = Number(text.slice(1, 3));
  const minutes = Number(text.slice(-2));
  if (hours > 23 || minutes > 59) return 'wrong';
  return (hours * 60 + minutes) * (text.startsWith('-') ? -1 : 1);
}

function read(text: string): Written | undefined {
  const match = written.exec(text.trim());
  if (match === null) return undefined;
  const number = (at: number): number => Number(match[at] ?? 0);
  const local = {
    year: number(1),
    month: number(2),
    day: number(3),
    hour: number(4),
    minute: number(5),
    second: number(6),
  };
  const offset = offsetOf(match[8]);
  const exists =
    local.year >= 1970 &&
    local.month >= 1 &&
    local.month <= 12 &&
    local.day >= 1 &&
    local.day <= daysInMonth(local.year, local.month) &&
    local.hour <= 23 &&
    local.minute <= 59 &&
    local.second <= 59;
  if (!exists || offset === 'wrong') return undefined;
  return { local, ms: Number((match[7] ?? '0').padEnd(3, '0')), offset };
}

function utcMs({ year, month, day, hour, minute, second }: LocalTime): number {
  return daysOf(year, month, day) * dayMs + ((hour * 60 + minute) * 60 + second) * 1_000;
}

/**
 * Milliseconds since the epoch of `2027-01-31T09:30:00+01:00`, `2027-01-31 09:30Z`, `2027-01-31`;
 * UTC where no offset is written. `undefined` for what is no instant, or before 1970.
 */
export function parseInstant(text: string): number | undefined {
  const found = read(text);
  if (found === undefined) return undefined;
  const ms = utcMs(found.local) + found.ms - (found.offset ?? 0) * 60_000;
  return ms >= 0 && ms <= writtenInstantMaxMs ? ms : undefined;
}

/** A date with a time of day, without an offset: what a clock on a wall in some zone shows. */
export function parseLocalTime(text: string): LocalTime | undefined {
  const found = read(text);
  return found === undefined || found.offset !== undefined ? undefined : found.local;
}

const digits = (value: number, length: number): string => String(value).padStart(length, '0');

/** `2027-01-31T09:30:00Z`; milliseconds only where there are some. */
export function formatInstant(ms: number): string {
  const days = Math.floor(ms / dayMs);
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1_460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1;
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const left = ms - days * dayMs;
  const time = [3_600_000, 60_000, 1_000].map((unit, place) =>
    digits(Math.floor(left / unit) % (place === 0 ? 24 : 60), 2),
  );
  const fraction = left % 1_000 === 0 ? '' : `.${digits(left % 1_000, 3)}`;
  return `${digits(year, 4)}-${digits(month, 2)}-${digits(day, 2)}T${time.join(':')}${fraction}Z`;
}
