/**
 * createSchedule: something is to run again and again.
 *
 * Items    what it is, and the spec of its tasks.
 * Replies  ok                its occurrences after now fire, and the one of `once` in any case
 *          ok, repeated      it is there already, the same in all that it says
 *          scheduleExists    another one has the name
 *          badSpec           its tasks would have a key, or belong to another tenant
 *          tooManySchedules  the shard has as many, or as many bytes of specs, as it may
 * Effects  scheduleCreated
 *
 * Whether it ever fires is judged where the calendar is, before this is proposed.
 */
import { ByteWriter, sameBytes } from '../../model/bytes.ts';
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import type { TaskId } from '../../model/ids.ts';
import { limits } from '../../model/limits.ts';
import { type ScheduleDefinition, writeDefinition } from '../../model/schedule.ts';
import type { CreateScheduleItem } from '../../model/schedule-command.ts';
import { decodeSpecTerms } from '../../model/spec.ts';
import { keyOf, lineOf } from '../memory/key-hash.ts';
import type { Schedule } from '../schedules.ts';
import { accept, refuse, type Turn } from '../turn.ts';

type Create = ShardCommand & { readonly kind: 'createSchedule' };

/** Where a reply is about no task. */
export const noTask = '' as TaskId;

const bytesOf = (definition: ScheduleDefinition): Uint8Array => {
  const writer = new ByteWriter(128);
  writeDefinition(writer, definition);
  return writer.finish();
};

export const applyCreateSchedule = (turn: Turn, command: Create): ItemReply[] =>
  command.items.map(item => create(turn, item));

function create(turn: Turn, { definition, digest, spec }: CreateScheduleItem): ItemReply {
  const { state, actor } = turn;
  const { schedules } = state;
  const known = schedules.find(definition);
  if (known !== undefined) {
    return sameBytes(known.digest, digest) &&
      sameBytes(bytesOf(known.definition), bytesOf(definition))
      ? accept(noTask, true)
      : refuse(noTask, 'scheduleExists', `schedule ${definition.name} is another one`);
  }
  const terms = decodeSpecTerms(spec);
  if (terms.tenant !== definition.tenant) {
    return refuse(noTask, 'badSpec', 'the task belongs to another tenant than its schedule');
  }
  if (terms.gang !== undefined) return refuse(noTask, 'badSpec', 'a gang is more than one task');
  if (keyOf(terms) !== undefined || lineOf(terms) !== undefined) {
    return refuse(noTask, 'badSpec', 'a task with a key has a slot of its own');
  }
  const bytes = schedules.specBytes + spec.length;
  if (schedules.size >= limits.schedulesPerShardMax || bytes > limits.scheduleBytesPerShardMax) {
    const what = `${schedules.size} schedules, ${schedules.specBytes} bytes of specifications`;
    return refuse(noTask, 'tooManySchedules', `the shard has ${what} already`);
  }
  schedules.add(newSchedule(turn, { definition, digest, spec }, actor.name));
  turn.effects.push({ kind: 'scheduleCreated' });
  return accept(noTask);
}

function newSchedule(
  { state }: Turn,
  { definition, digest, spec }: CreateScheduleItem,
  createdBy: string,
): Schedule {
  return {
    definition,
    createdMs: state.stampMs,
    createdBy,
    digest: digest.slice(),
    spec: spec.slice(),
    standing: {
      // Its only instant was to come when it was asked for; it may have passed on the way here.
      cursorMs: definition.timing.kind === 'once' ? 0 : state.readyBaseMs,
      left: definition.count,
      fired: 0,
      skipped: 0,
      missed: 0,
      active: [],
      queued: [],
      recent: [],
      requests: [],
    },
  };
}
