/**
 * fire: occurrences of schedules are due. The leader says which, by its calendar and its clock;
 * here it is decided that each fires once, in order, and what that means where tasks meet.
 *
 * Items    schedule, when it was made, how far it was, the instant of the next occurrence, whether
 *          it fires or is only passed over, and how many were passed over with it. None: only the
 *          time is told.
 * Replies  ok                it fired, waits, or was given up: the schedule tells which
 *          ok, repeated      nothing up to this instant fires any more: it fired before
 *          unknownSchedule   it was deleted, or made anew since
 *          badRequest        it is paused, over, or further than was said, or the occurrence is
 *                            not due by state time
 *          tooManyTasks      the shard takes no more tasks; the occurrence is still to fire
 * Effects  readyChanged, settled or cancelling
 *
 * The cursor of the schedule is what makes a firing happen once: it only grows, and it is part of
 * the state, so it does not matter how many leaders propose the same occurrence, or what their
 * clocks say. An item names the cursor behind which it was counted: what comes late from a leader
 * of before cannot leave out, or count again, what is between. A clock that runs ahead is held by
 * state time, which one stamp alone moves by a minute at most.
 */
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import type { FireItem } from '../../model/schedule-command.ts';
import { decideFiring } from '../firing.ts';
import { accept, refuse, type Turn } from '../turn.ts';
import { noTask } from './create-schedule.ts';

type Fire = ShardCommand & { readonly kind: 'fire' };

export const applyFire = (turn: Turn, command: Fire): ItemReply[] =>
  command.items.map(item => fire(turn, item));

function fire(turn: Turn, item: FireItem): ItemReply {
  const { state } = turn;
  const { occurrenceMs } = item;
  const schedule = state.schedules.find(item);
  if (schedule?.createdMs !== item.createdMs) {
    return refuse(noTask, 'unknownSchedule', 'the schedule is not there any more');
  }
  const { definition, standing } = schedule;
  if (occurrenceMs <= standing.cursorMs) return accept(noTask, true);
  if (standing.paused !== undefined) return refuse(noTask, 'badRequest', 'it is paused');
  if (standing.left === 0 || occurrenceMs > (definition.untilMs ?? occurrenceMs)) {
    return refuse(noTask, 'badRequest', 'it is over');
  }
  if (item.afterMs !== standing.cursorMs) {
    return refuse(noTask, 'badRequest', 'others were decided since');
  }
  if (occurrenceMs > state.nowMs) return refuse(noTask, 'badRequest', 'not due yet');
  const decided = item.fires ? decideFiring(turn, schedule, { occurrenceMs }) : undefined;
  if (decided?.fate === 'refused') return decided.reply ?? refuse(noTask, 'internal', 'no reply');
  const counts = decided?.fate === 'fired' || decided?.fate === 'queued';
  const { left, missed } = schedule.standing;
  state.schedules.replace(schedule, {
    ...schedule.standing,
    cursorMs: occurrenceMs,
    missed: missed + item.missed,
    left: left === undefined ? undefined : left - (counts ? 1 : 0),
  });
  state.fold(item.missed);
  return decided?.reply ?? accept(noTask);
}
