/**
 * deleteSchedule: it never fires again. Its tasks go on; occurrences that wait for them are gone.
 *
 * Items    schedules.
 * Replies  ok
 *          unknownSchedule   also where the same was asked before
 * Effects  none
 */
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import { accept, refuse, type Turn } from '../turn.ts';
import { noTask } from './create-schedule.ts';

type Delete = ShardCommand & { readonly kind: 'deleteSchedule' };

export function applyDeleteSchedule({ state }: Turn, command: Delete): ItemReply[] {
  return command.items.map(name => {
    const schedule = state.schedules.find(name);
    if (schedule === undefined) {
      return refuse(noTask, 'unknownSchedule', `there is no schedule ${name.name}`);
    }
    state.schedules.remove(schedule);
    return accept(noTask);
  });
}
