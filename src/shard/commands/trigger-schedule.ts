/**
 * triggerSchedule: somebody wants the task of a schedule now, whether it is paused or over. Not
 * counted as one of its occurrences; the rule for overlaps holds.
 *
 * Items    schedule, and an ID drawn once by who asks, in the slot of the schedule.
 * Replies  ok                the task of that ID waits now, or is made once those before it settled
 *          ok, repeated      the same was asked before
 *          unknownSchedule
 *          badId             not an ID, or not in the slot of the schedule
 *          idTaken           the ID has another task
 *          scheduleBusy      a task has not settled, and the schedule skips what meets it
 *          tooManyTasks      as many wait as may
 * Effects  readyChanged, settled or cancelling
 */
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import { slotOfId, type TaskId } from '../../model/ids.ts';
import { type ScheduleName, slotOfSchedule } from '../../model/schedule.ts';
import { decideFiring, isItsTask } from '../firing.ts';
import type { Schedule } from '../schedules.ts';
import { lookup } from '../state.ts';
import { accept, refuse, type Turn } from '../turn.ts';
import { noTask } from './create-schedule.ts';

type Trigger = ShardCommand & { readonly kind: 'triggerSchedule' };

export const applyTriggerSchedule = (turn: Turn, command: Trigger): ItemReply[] =>
  command.items.map(item => trigger(turn, item));

function trigger(turn: Turn, { tenant, name, id }: ScheduleName & { id: TaskId }): ItemReply {
  const { state } = turn;
  const schedule = state.schedules.find({ tenant, name });
  if (schedule === undefined) {
    return refuse(noTask, 'unknownSchedule', `there is no schedule ${name}`);
  }
  const found = state.lookUp(id);
  if (found === lookup.malformed || slotOfId(id) !== slotOfSchedule({ tenant, name })) {
    return refuse(id, 'badId', 'the ID is not in the slot of the schedule');
  }
  const waits = schedule.standing.queued.some(queued => queued.id === id);
  if (waits || isItsTask(state, schedule, id)) return accept(id, true);
  if (found !== lookup.unknown) return refuse(id, 'idTaken', 'the ID has another task');
  const decided = decideFiring(turn, schedule, { occurrenceMs: state.stampMs, id });
  if (decided.fate === 'skipped') return refuse(id, 'scheduleBusy', busy(schedule));
  return decided.reply ?? accept(id);
}

const busy = ({ definition, standing }: Schedule): string =>
  definition.overlap === 'skip'
    ? `task ${standing.active[0]} of schedule ${definition.name} has not settled`
    : `schedule ${definition.name} has as many tasks and occurrences waiting as it may`;
