/** The flags of `schedule create` and `schedule next`, and the document that they stand for. */
import { string } from '@oclif/core/flags';
import { isMap } from '../../src/model/document.ts';
import { catchUpPolicies, overlapPolicies, timingKinds } from '../../src/model/schedule.ts';
import { readScheduleDocument } from '../../src/model/schedule-document.ts';
import type { Placing } from '../refusal.ts';
import { type Placed, placed, placingOf, refusalOf, type TaskInput } from './places.ts';
import {
  documentOfFlags,
  flagOfPointer,
  overrideDocument,
  type SpecFlagValues,
  specFlags,
  type TaskDocument,
} from './spec-flags.ts';

export const timingFlags = {
  every: string({
    description: `how often: ${timingKinds.join(', ')}; cron where --cron is given`,
    helpValue: 'KIND',
  }),
  at: string({
    description: 'time of day, 00:00 unless given; with once 2027-01-31T09:30',
    helpValue: 'TIME',
  }),
  weekday: string({ description: 'with weekly: mon,thu', helpValue: 'DAYS' }),
  day: string({ description: 'with monthly and annually: 1 to 31, or last', helpValue: 'DAY' }),
  month: string({ description: 'with annually: feb, or 2', helpValue: 'MONTH' }),
  cron: string({
    description: 'five fields: minute, hour, day of month, month, day of week',
    helpValue: 'PATTERN',
  }),
  timezone: string({ description: 'IANA name of the zone; UTC unless given', helpValue: 'ZONE' }),
  until: string({ description: 'nothing fires after this instant', helpValue: 'INSTANT' }),
};

const ruleFlags = {
  overlap: string({
    description: `while an earlier task has not settled: ${overlapPolicies.join(', ')}; skip unless given`,
    helpValue: 'RULE',
  }),
  'catch-up': string({
    description: `occurrences that nobody could fire: ${catchUpPolicies.join(', ')}; last unless given`,
    helpValue: 'RULE',
  }),
  'catch-up-within': string({
    description: 'those missed by more than this are skipped',
    helpValue: 'DURATION',
  }),
  jitter: string({
    description: 'each firing is late by up to this, by chance',
    helpValue: 'DURATION',
  }),
  count: string({ description: 'so many occurrences fire, then no more', helpValue: 'N' }),
};

const { name: _name, at: _at, in: _in, id: _id, array: _array, ...taskFlags } = specFlags;
const { 'idempotency-key': _key, ...keyless } = taskFlags;

/** Of the schedule, and of the task that it makes. */
export const scheduleFlags = { ...timingFlags, ...ruleFlags, ...keyless };

const fieldOf: Readonly<Record<keyof typeof timingFlags | keyof typeof ruleFlags, string>> = {
  every: 'every',
  at: 'at',
  weekday: 'weekday',
  day: 'day',
  month: 'month',
  cron: 'cron',
  timezone: 'timezone',
  until: 'until',
  overlap: 'overlap',
  'catch-up': 'catchUp',
  'catch-up-within': 'catchUpWithin',
  jitter: 'jitter',
  count: 'count',
};
const ownFlags = Object.keys(fieldOf) as (keyof typeof fieldOf)[];

type FlagValues = Readonly<Record<string, unknown>>;

/** The part of a document that the flags make; `task` only where one of them is about it. */
export function documentOfScheduleFlags(flags: FlagValues): TaskDocument {
  const document: Record<string, unknown> = {};
  for (const name of ownFlags) {
    const value = flags[name];
    if (value === undefined) continue;
    const isCount = name === 'count' && /^\d{1,10}$/.test(String(value));
    document[fieldOf[name]] = isCount ? Number(value) : value;
  }
  const ofTask = Object.keys(keyless).map(name => [name, flags[name]] as const);
  const task = documentOfFlags(Object.fromEntries(ofTask) as SpecFlagValues);
  return Object.keys(task).length === 0 ? document : { ...document, task };
}

/** `--timezone` for `/timezone`, `--cpu` for `/task/cpu`. */
export function flagOfSchedule(pointer: string): string | undefined {
  if (pointer.startsWith('/task/')) return flagOfPointer(pointer.slice('/task'.length));
  const field = pointer.split('/')[1];
  if (field === 'name') return 'NAME';
  const found = ownFlags.find(name => fieldOf[name] === field);
  return found === undefined ? undefined : `--${found}`;
}

/** What of it can be judged here: what a template makes of the task is known to the nodes. */
function untilResolved(document: TaskDocument): TaskDocument {
  const task = isMap(document) ? document['task'] : undefined;
  const uses = isMap(task) && task['template'] !== undefined;
  return uses ? { ...document, task: { command: ['true'] } } : document;
}

/** A document ready to be sent. */
export interface PreparedSchedule {
  readonly document: TaskDocument;
  /** Where what a node finds wrong with it stands. */
  readonly place: Placing;
}

/**
 * The documents of the inputs with the flags over them, each held against all that can be told
 * without a node. Throws one error that tells all problems.
 */
export function prepareSchedules(
  inputs: readonly TaskInput[],
  flags: TaskDocument,
): readonly PreparedSchedule[] {
  const found: Placed[] = [];
  const prepared = inputs.map(input => {
    const document = withFlags(input.value, flags) as TaskDocument;
    const place = placingOf(input, flags, flagOfSchedule);
    const reading = readScheduleDocument(untilResolved(document), {
      tenant: 'default',
      owner: 'cli',
    });
    if (!reading.ok) found.push(...placed(reading.problems, place));
    return { document, place };
  });
  if (found.length > 0) throw refusalOf(found);
  return prepared;
}

/** Flags of the task are laid over its document, those of the schedule over the rest. */
function withFlags(base: unknown, flags: TaskDocument): unknown {
  const { task, ...own } = flags;
  const document = overrideDocument(base, own);
  if (task === undefined || typeof document !== 'object' || document === null) return document;
  const given = (document as { readonly task?: unknown }).task ?? {};
  return { ...document, task: overrideDocument(given, task as TaskDocument) };
}
