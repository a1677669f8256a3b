/**
 * The document people write for a schedule, the same for YAML, HTTP and CLI. `readScheduleDocument`
 * turns it into a definition and the spec of its tasks and tells every problem at once, each with a
 * JSON pointer. What needs a calendar (does the zone exist, does it ever fire) is judged by the
 * node. The fields themselves stand in `schedule-fields.ts`.
 */
import { formatInstant } from './instant.ts';
import { limits } from './limits.ts';
import {
  type CatchUpPolicy,
  catchUpPolicies,
  type OverlapPolicy,
  overlapPolicies,
  type ScheduleDefinition,
} from './schedule.ts';
import { scheduleFields } from './schedule-fields.ts';
import { readTiming, writeTiming } from './schedule-timing.ts';
import type { TaskSpec } from './spec.ts';
import { readSpecDocument, type SpecDefaults, writeSpecDocument } from './spec-document.ts';
import {
  addUnknownField,
  describeValue,
  ProblemList,
  readCount,
  readDuration,
  readInstant,
  readText,
  type SpecProblem,
} from './spec-reading.ts';
import { formatDuration } from './time.ts';

export type ScheduleReading =
  | { readonly ok: true; readonly definition: ScheduleDefinition; readonly spec: TaskSpec }
  | { readonly ok: false; readonly problems: readonly SpecProblem[] };

type Given = Readonly<Record<string, unknown>>;

const scheduleNameText = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const fieldNames = Object.keys(scheduleFields);

/** What of a task document does not go with a schedule, and what does in its place. */
const notScheduled: Readonly<Record<string, string>> = {
  id: 'each firing has an ID that follows from its occurrence; leave it out',
  gang: 'a schedule makes one task at a time; let that task submit the gang',
  array: 'a schedule makes one task at a time; let that task submit the array',
  at: 'the schedule says when; leave it out',
  in: 'the schedule says when; `jitter` makes it late by chance',
  idempotencyKey: 'each occurrence fires once by itself; leave it out',
  orderKey: 'use `overlap: queue` to run them one after the other',
  maxRunningPer: 'a schedule runs one task at a time unless `overlap: allow`; leave it out',
};

const isMap = (value: unknown): value is Given =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function readName(given: Given, problems: ProblemList): string | undefined {
  const { name } = given;
  if (typeof name === 'string' && scheduleNameText.test(name)) return name;
  const rule = 'must be 1 to 63 letters, digits, dots, dashes and underscores';
  return problems.add('/name', `${rule}, not ${describeValue(name ?? null)}`);
}

function readWord<Word extends string>(
  given: Given,
  name: string,
  words: readonly Word[],
  missing: Word,
  problems: ProblemList,
): Word {
  const value = given[name];
  if (value === undefined) return missing;
  const word = words.find(known => known === value);
  if (word !== undefined) return word;
  problems.add(`/${name}`, `must be one of ${words.join(', ')}, not ${describeValue(value)}`);
  return missing;
}

function readTask(
  given: Given,
  defaults: SpecDefaults,
  problems: ProblemList,
): TaskSpec | undefined {
  const { task } = given;
  if (!isMap(task)) {
    const hint = 'such as {command: [./report.sh]}';
    return problems.add(
      '/task',
      `must be the document of a task, ${hint}, not ${describeValue(task ?? null)}`,
    );
  }
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(task)) {
    const instead = Object.hasOwn(notScheduled, name) ? notScheduled[name] : undefined;
    if (instead === undefined) kept[name] = value;
    else if (value !== undefined)
      problems.add(`/task/${name}`, `does not go with a schedule: ${instead}`);
  }
  const reading = readSpecDocument(kept, defaults);
  if (reading.ok) return reading.spec;
  for (const { pointer, message, code } of reading.problems) {
    problems.add(`/task${pointer}`, message, code);
  }
  return undefined;
}

function readOptional<T>(value: unknown, read: (value: unknown) => T | undefined): T | undefined {
  return value === undefined ? undefined : read(value);
}

const withinRange = { min: 1_000, max: limits.delayMsMax };
const jitterRange = { min: 0, max: limits.jitterMsMax };
const countRange = { min: 1, max: 1e9 };

/** Reads one document. Fields set to `undefined` count as left out. */
export function readScheduleDocument(document: unknown, defaults: SpecDefaults): ScheduleReading {
  const problems = new ProblemList('badSchedule');
  if (!isMap(document)) {
    problems.add('', `a schedule is a map of fields, not ${describeValue(document)}`);
    return { ok: false, problems: problems.found };
  }
  for (const [name, value] of Object.entries(document)) {
    if (!fieldNames.includes(name)) addUnknownField(problems, '', name, fieldNames);
    else if (value === null) problems.add(`/${name}`, 'is empty; give it a value or leave it out');
  }
  const given = Object.fromEntries(Object.entries(document).filter(([, value]) => value !== null));
  const name = readName(given, problems);
  const timing = readTiming(given, problems);
  const zoneRule = { bytesMax: 64, bytesMin: 1, oneLine: true };
  const zone = readOptional(given['timezone'], v => readText(problems, '/timezone', v, zoneRule));
  const policies = {
    overlap: readWord<OverlapPolicy>(given, 'overlap', overlapPolicies, 'skip', problems),
    catchUp: readWord<CatchUpPolicy>(given, 'catchUp', catchUpPolicies, 'last', problems),
  };
  const durations = {
    withinMs: readOptional(given['catchUpWithin'], v =>
      readDuration(problems, '/catchUpWithin', v, withinRange),
    ),
    jitterMs:
      readOptional(given['jitter'], v => readDuration(problems, '/jitter', v, jitterRange)) ?? 0,
  };
  const ends = {
    untilMs: readOptional(given['until'], v => readInstant(problems, '/until', v)),
    count: readOptional(given['count'], v => readCount(problems, '/count', v, countRange)),
  };
  const spec = readTask(given, defaults, problems);
  if (problems.found.length > 0 || !name || !timing || !spec) {
    return { ok: false, problems: problems.found };
  }
  const { tenant } = spec;
  const when = { timing, zone: zone ?? 'UTC' };
  return {
    ok: true,
    definition: { tenant, name, ...when, ...policies, ...durations, ...ends },
    spec,
  };
}

/** The document that reads as this schedule. */
export function writeScheduleDocument(
  definition: ScheduleDefinition,
  spec: TaskSpec,
): Record<string, unknown> {
  const { withinMs, jitterMs, untilMs, count } = definition;
  return {
    name: definition.name,
    ...writeTiming(definition.timing),
    timezone: definition.zone,
    overlap: definition.overlap,
    catchUp: definition.catchUp,
    ...(withinMs === undefined ? {} : { catchUpWithin: formatDuration(withinMs) }),
    ...(jitterMs === 0 ? {} : { jitter: formatDuration(jitterMs) }),
    ...(untilMs === undefined ? {} : { until: formatInstant(untilMs) }),
    ...(count === undefined ? {} : { count }),
    task: writeSpecDocument(spec),
  };
}
