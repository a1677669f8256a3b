/**
 * pauseSchedule: nothing fires any more, or again from now on. What passed in between is neither
 * fired nor counted as missed. Tasks that run, and occurrences that wait for them, go on.
 *
 * Items    schedule, and whether it is to pause; one reason for all.
 * Replies  ok
 *          ok, repeated      it is so already; the first reason stays
 *          unknownSchedule
 * Effects  none
 */
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import type { ScheduleName } from '../../model/schedule.ts';
import { accept, refuse, type Turn } from '../turn.ts';
import { noTask } from './create-schedule.ts';

type Pause = ShardCommand & { readonly kind: 'pauseSchedule' };

export const applyPauseSchedule = (turn: Turn, command: Pause): ItemReply[] =>
  command.items.map(item => (item.paused ? pause(turn, item, command.reason) : resume(turn, item)));

const unknown = (name: string): ItemReply =>
  refuse(noTask, 'unknownSchedule', `there is no schedule ${name}`);

function pause({ state, actor }: Turn, name: ScheduleName, reason: string): ItemReply {
  const schedule = state.schedules.find(name);
  if (schedule === undefined) return unknown(name.name);
  if (schedule.standing.paused !== undefined) return accept(noTask, true);
  const paused = { by: actor.name, reason, atMs: state.stampMs };
  state.schedules.change(schedule, { paused });
  return accept(noTask);
}

function resume({ state }: Turn, name: ScheduleName): ItemReply {
  const schedule = state.schedules.find(name);
  if (schedule === undefined) return unknown(name.name);
  const { paused: _, ...standing } = schedule.standing;
  if (schedule.standing.paused === undefined) return accept(noTask, true);
  state.schedules.replace(schedule, {
    ...standing,
    cursorMs: Math.max(standing.cursorMs, state.readyBaseMs),
  });
  return accept(noTask);
}
