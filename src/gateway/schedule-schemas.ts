/** JSON schemas of what the API answers about schedules, for the OpenAPI document. */
import type { JsonSchema } from '../model/spec-fields.ts';
import { described, flag, instant, listOf, object, taskIdSchema, text, whole } from './schemas.ts';

const summary = {
  tenant: text,
  name: text,
  state: { enum: ['active', 'paused', 'ended'] },
  timing: described(text, 'When it fires, in words.'),
  timezone: text,
  command: text,
  createdAtMs: instant,
  createdBy: text,
  'nextAtMs?': described(instant, 'Next occurrence; missing where there is none, or while paused.'),
  'left?': described(whole, 'Occurrences that are still to fire, where they are counted.'),
  fired: described(whole, 'Tasks that were made, by hand too.'),
  skipped: described(whole, 'Occurrences given up because an earlier task had not settled.'),
  missed: described(whole, 'Occurrences that passed while nobody could fire them.'),
  shard: whole,
  stale: described(flag, 'Read from a replica that could not confirm it with a majority.'),
} as const;

export const scheduleViewSchema = object({
  ...summary,
  document: { type: 'object', additionalProperties: true },
  running: described(listOf(taskIdSchema), 'Its tasks that have not settled.'),
  queued: described(listOf(instant), 'Occurrences that wait for those.'),
  recent: listOf(object({ occurrenceMs: instant, taskId: taskIdSchema, firedAtMs: instant })),
  'paused?': object({ by: text, reason: text, atMs: instant }),
  'heldBack?': described(text, 'Why the occurrence that is due does not fire: its tenant’s plan.'),
});

export const schedulePageSchema = object({
  schedules: listOf(object(summary)),
  'cursor?': described(text, 'Give it as `after` for the next page; missing on the last one.'),
  missingShards: described(listOf(whole), 'Shards that did not answer.'),
  staleShards: described(listOf(whole), 'Shards told of without a majority.'),
});

export const scheduleMadeSchema = object({
  name: text,
  tenant: text,
  shard: whole,
  'nextAtMs?': instant,
  repeated: described(flag, 'It was there already, the same in all that it says.'),
});

export const firedSchema = object({ id: taskIdSchema, repeated: flag });

export const backfilledSchema = object({
  occurrences: listOf(instant),
  request: described(text, 'Names the request: repeat it with this.'),
  repeated: flag,
});

export const nextSchema: JsonSchema = object({ occurrences: listOf(instant) });
