/**
 * Which instants the timing of a schedule means: the one place that knows time zones and cron. The
 * library (croner) follows Vixie cron where clocks are set forward or back:
 *
 * - A time of day that is skipped fires at the first instant after the gap, on the same day; one
 *   that occurs twice fires the first time. So does a cron pattern whose minute and hour are
 *   plain numbers or lists of them.
 * - A cron pattern with a wildcard or a step in minute or hour keeps to real time: it fires in both
 *   passes of a repeated hour, and not in one that is skipped.
 *
 * A day of the month that a month does not have is its last day; a cron pattern skips such months.
 */
import { Cron } from 'croner';
import { lastDay, type ScheduleDefinition, type Timing } from '../model/schedule.ts';
import { closestName } from '../model/spec-fields.ts';
import type { SpecProblem } from '../model/spec-reading.ts';

/** Patterns that are kept ready. */
const patternsMax = 4_096;
/**
 * Answers of each that are kept, a power of two: more than a schedule that catches up asks for at a
 * time.
 */
const answersMax = 128;

/**
 * A pattern in a zone. The library walks through local time for each answer, which takes tens of
 * microseconds; a firing asks three times about two instants, and all schedules of one pattern ask
 * alike. So the newest answers are kept: an answer follows from the question alone.
 */
class Pattern {
  readonly #cron: Cron;
  readonly #asked = new Float64Array(answersMax).fill(Number.NaN);
  readonly #answers = new Float64Array(answersMax);
  #oldest = 0;

  constructor(pattern: string, zone: string, mode: '5-part' | '7-part') {
    const fixedTimeRule = 'no-wildcard';
    this.#cron = new Cron(pattern, { timezone: zone, mode, paused: true, fixedTimeRule });
  }

  /** The first occurrence after an instant; infinite where there is none. */
  next(afterMs: number): number {
    // Mostly one of the newest.
    for (let back = 1; back <= answersMax; back++) {
      const place = (this.#oldest - back) & (answersMax - 1);
      if (this.#asked[place] === afterMs) return this.#answers[place]!;
    }
    const next = this.#cron.nextRun(new Date(afterMs))?.getTime() ?? Number.POSITIVE_INFINITY;
    this.#asked[this.#oldest] = afterMs;
    this.#answers[this.#oldest] = next;
    this.#oldest = (this.#oldest + 1) % answersMax;
    return next;
  }
}

const patterns = new Map<string, Pattern>();

function patternOf(key: string, text: string, zone: string, mode: Told['mode']): Pattern {
  let pattern = patterns.get(key);
  if (pattern === undefined) {
    pattern = new Pattern(text, zone, mode);
    if (patterns.size >= patternsMax) patterns.clear();
    patterns.set(key, pattern);
  }
  return pattern;
}

/** The patterns of a timing, and what they are kept under in a zone: told once. */
interface Told {
  readonly zone: string;
  readonly mode: '5-part' | '7-part';
  readonly patterns: readonly { readonly key: string; readonly text: string }[];
}

const told = new WeakMap<Timing, Told>();

function tell(timing: Timing, zone: string): Told {
  const known = told.get(timing);
  if (known?.zone === zone) return known;
  const patterns = patternsOf(timing).map(text => ({ key: `${zone}\u0000${text}`, text }));
  const mode = timing.kind === 'once' ? '7-part' : '5-part';
  const made: Told = { zone, mode, patterns };
  told.set(timing, made);
  return made;
}

const clockOf = (minute: number): string => `${minute % 60} ${Math.floor(minute / 60)}`;

/** Patterns that mean a timing together. */
function patternsOf(timing: Timing): readonly string[] {
  switch (timing.kind) {
    case 'once': {
      const [year, month, day, hour, minute, second] = timing.at.split(/[-T:]/).map(Number);
      return [`${second} ${minute} ${hour} ${day} ${month} * ${year}`];
    }
    case 'cron':
      return [timing.pattern];
    case 'daily':
      return [`${clockOf(timing.minute)} * * *`];
    case 'weekly':
      return [`${clockOf(timing.minute)} * * ${timing.weekdays.join(',')}`];
    case 'monthly': {
      const { day, minute } = timing;
      if (day >= 31) return [`${clockOf(minute)} L * *`];
      const days = [`${clockOf(minute)} ${day} * *`];
      return day <= 28 ? days : [...days, `${clockOf(minute)} L 2 *`];
    }
    case 'annually': {
      const { day, month, minute } = timing;
      const isLast = day === lastDay || (month === 2 && day === 29);
      return [`${clockOf(minute)} ${isLast ? 'L' : day} ${month} *`];
    }
  }
}

type When = Pick<ScheduleDefinition, 'timing' | 'zone' | 'untilMs'>;

/**
 * The first occurrence after an instant; `undefined` where there is none. Throws for a zone or a
 * pattern that this program does not know, as one of another version might have let in.
 */
export function nextOccurrence(
  { timing, zone, untilMs }: When,
  afterMs: number,
): number | undefined {
  let firstMs = Number.POSITIVE_INFINITY;
  const { mode, patterns: texts } = tell(timing, zone);
  for (const { key, text } of texts) {
    firstMs = Math.min(firstMs, patternOf(key, text, zone, mode).next(afterMs));
  }
  return firstMs <= (untilMs ?? Number.MAX_SAFE_INTEGER) ? firstMs : undefined;
}

/** At most `limit` occurrences after `fromMs`, up to `toMs` where that is given. */
export function occurrences(
  when: When,
  range: { readonly afterMs: number; readonly toMs?: number | undefined; readonly limit: number },
): number[] {
  const found: number[] = [];
  let last = range.afterMs;
  while (found.length < range.limit) {
    const next = nextOccurrence(when, last);
    if (next === undefined || next > (range.toMs ?? next)) break;
    found.push(next);
    last = next;
  }
  return found;
}

/** The last occurrence up to an instant and after another; `undefined` where there is none. */
export function lastOccurrence(when: When, afterMs: number, toMs: number): number | undefined {
  // Steps back further each time: there are few occurrences in the step that holds the last one.
  for (let stepMs = 60_000; ; stepMs *= 2) {
    const fromMs = Math.max(afterMs, toMs - stepMs);
    let last: number | undefined;
    let next = nextOccurrence(when, fromMs);
    while (next !== undefined && next <= toMs) {
      last = next;
      next = nextOccurrence(when, next);
    }
    if (last !== undefined || fromMs === afterMs) return last;
  }
}

/** Periods are told by the first so many occurrences of a year that is a leap year. */
const sampleFromMs = Date.UTC(2024, 0, 1);
const sampleMax = 33;

/**
 * The shortest time between two occurrences in a row; `undefined` where there are no two. It
 * depends on the timing alone, and not on now: a schedule that is made again is the same.
 */
export function periodOf({ timing, zone }: When): number | undefined {
  const sample = occurrences({ timing, zone }, { afterMs: sampleFromMs, limit: sampleMax });
  const gaps = sample.slice(1).map((next, place) => next - sample[place]!);
  return gaps.length === 0 ? undefined : Math.min(...gaps);
}

const zones = Intl.supportedValuesOf('timeZone');

function isZone(zone: string): boolean {
  // Names only: an offset has no rules of its own, and reads like a misspelt one.
  if (!/^[A-Za-z]/.test(zone)) return false;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }) !== undefined;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

function zoneHint(zone: string): string {
  const wanted = zone.toLowerCase().replaceAll(' ', '_');
  const cities = zones.filter(known => known.toLowerCase().endsWith(`/${wanted}`));
  const lastPart = (known: string): string => known.slice(known.lastIndexOf('/') + 1);
  const near = closestName(zone, zones) ?? closestName(zone, [...zones.map(lastPart), 'UTC']);
  const meant =
    near === undefined || near === 'UTC'
      ? near
      : zones.find(known => known === near || lastPart(known) === near);
  const found = cities.length > 0 ? cities : meant === undefined ? [] : [meant];
  const names = 'use an IANA name such as Europe/Berlin, or UTC';
  return found.length === 0 ? names : `did you mean ${found.slice(0, 3).join(', ')}?`;
}

const cronRanges =
  'minutes are 0-59, hours 0-23, days 1-31, months 1-12 or jan-dec, days of the week 0-7 or ' +
  'sun-sat; beside them there are *, lists, ranges and steps';

/** What the library says of a pattern, without its own name, and what a pattern may hold. */
function patternProblem(error: unknown): string {
  const said = (error instanceof Error ? error.message : String(error)).replace(/^Cron\w*: /, '');
  // It counts days and months from 0, and so would say another number than the one that was given.
  const outside = /^Invalid value for (\w+): -?\d+$/.exec(said)?.[1];
  const words: Record<string, string> = { day: 'day of month', dayOfWeek: 'day of week' };
  const what = outside === undefined ? said : `its ${words[outside] ?? outside} is out of range`;
  return `is no cron pattern: ${what}; ${cronRanges}`;
}

/** What is wrong with a timing that a calendar can tell: an unknown zone, a time that never is. */
export function timingProblems(definition: ScheduleDefinition, nowMs: number): SpecProblem[] {
  const { timing, zone, untilMs } = definition;
  const problem = (pointer: string, message: string): SpecProblem[] => [
    { pointer, code: 'badSchedule', message },
  ];
  if (!isZone(zone)) {
    return problem('/timezone', `there is no time zone "${zone}"; ${zoneHint(zone)}`);
  }
  const field = timing.kind === 'cron' ? '/cron' : timing.kind === 'once' ? '/at' : '/every';
  let next: number | undefined;
  try {
    next = nextOccurrence({ timing, zone }, nowMs);
  } catch (error) {
    return problem(field, patternProblem(error));
  }
  if (next === undefined) {
    const why =
      timing.kind === 'once'
        ? `${timing.at} in ${zone} is past; give a later time`
        : 'none of its months has such a day; change the day of the month, or the months';
    return problem(field, `never fires: ${why}`);
  }
  if (untilMs !== undefined && next > untilMs) {
    const first = new Date(next).toISOString().replace('.000', '');
    return problem('/until', `never fires: its first occurrence would be ${first}`);
  }
  return [];
}
