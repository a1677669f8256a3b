/**
 * Every field of the document that people write for a schedule, with its JSON schema, what it means
 * and an example. `schedule-document.ts` reads such documents; the OpenAPI document, the reference
 * of the fields and the suggestion for a misspelt field are made from this table.
 */
import { limits } from './limits.ts';
import { catchUpPolicies, overlapPolicies, timingKinds } from './schedule.ts';
import { specDocumentSchema } from './spec-document.ts';
import type { JsonSchema } from './spec-fields.ts';

const text = (maxLength: number): JsonSchema => ({ type: 'string', maxLength });
const duration: JsonSchema = { anyOf: [{ type: 'string' }, { type: 'number', minimum: 0 }] };
const wordOrNumber: JsonSchema = { anyOf: [{ type: 'string' }, { type: 'integer' }] };

const field = (schema: JsonSchema, description: string, example: unknown): JsonSchema => ({
  ...schema,
  description,
  examples: [example],
});

export const scheduleFields = {
  name: field(
    text(limits.scheduleNameBytesMax),
    'Name of the schedule, unique in its tenant.',
    'nightly',
  ),
  every: field(
    { enum: timingKinds },
    'How often; cron where it is left out and `cron` is given.',
    'daily',
  ),
  at: field(
    text(40),
    'Time of day, 00:00 where it is left out; with `once` the date, too.',
    '02:30',
  ),
  weekday: field(
    { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] },
    'With `weekly`: the days of the week.',
    ['mon', 'thu'],
  ),
  day: field(
    wordOrNumber,
    'With `monthly` and `annually`: day of the month, or `last`. A month that is too short fires ' +
      'on its last day.',
    31,
  ),
  month: field(wordOrNumber, 'With `annually`: the month, by name or number.', 'feb'),
  cron: field(
    text(limits.cronBytesMax),
    'Five fields: minute, hour, day of month, month, day of week.',
    '*/15 8-18 * * mon-fri',
  ),
  timezone: field(
    text(64),
    'IANA name of the time zone; UTC where it is left out.',
    'Europe/Berlin',
  ),
  overlap: field(
    { enum: overlapPolicies },
    'What is done while an earlier task has not settled: skip the occurrence, queue it, replace ' +
      'that task, or allow both. skip where it is left out.',
    'queue',
  ),
  catchUp: field(
    { enum: catchUpPolicies },
    'What is done with occurrences that passed by more than a minute while nobody could fire ' +
      'them: skip them, fire the last, or all. last where it is left out.',
    'all',
  ),
  catchUpWithin: field(duration, 'Occurrences missed by more than this are skipped.', '6h'),
  jitter: field(duration, 'Each firing is late by up to this, by chance; at most 1d.', '5m'),
  until: field(
    text(40),
    'No occurrence after this instant fires; UTC where it has no offset.',
    '2027-12-31T23:59:59Z',
  ),
  count: field(
    { type: 'integer', minimum: 1, maximum: 1e9 },
    'So many occurrences fire, then no more.',
    10,
  ),
  task: field(
    specDocumentSchema,
    'What runs: the document of a task, without `id`, `array`, `at`, `in` and keys.',
    { command: ['./report.sh'] },
  ),
} as const satisfies Record<string, JsonSchema>;

/** JSON schema of the document; what it cannot say the reader checks. */
export const scheduleDocumentSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: scheduleFields,
};
