/**
 * backfill: somebody wants occurrences of the past to fire, again or for the first time. They are
 * not counted as occurrences. Where tasks may not overlap they run one after the other.
 *
 * Items    schedule, a text that names the request, and the instants.
 * Replies  ok                for each of its instants a task waits, or will once those before it
 *                            have settled
 *          ok, repeated      the same was asked before
 *          unknownSchedule
 *          badRequest        an instant is not past
 *          tooManyTasks      the shard, or the queue of the schedule, takes no more: those before
 *                            it in the list fire, and the request may be repeated
 * Effects  readyChanged
 */
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import { limits } from '../../model/limits.ts';
import { decideBackfill, isMade } from '../firing.ts';
import { accept, refuse, type Turn } from '../turn.ts';
import { noTask } from './create-schedule.ts';

type Backfill = ShardCommand & { readonly kind: 'backfill' };

export const applyBackfill = (turn: Turn, command: Backfill): ItemReply[] =>
  command.items.map(item => backfill(turn, item));

function backfill(turn: Turn, item: Backfill['items'][number]): ItemReply {
  const { state } = turn;
  const schedule = state.schedules.find(item);
  if (schedule === undefined) {
    return refuse(noTask, 'unknownSchedule', `there is no schedule ${item.name}`);
  }
  if (item.occurrences.some(instant => instant > state.nowMs)) {
    return refuse(noTask, 'badRequest', 'an occurrence is not past');
  }
  const { request: salt } = item;
  if (schedule.standing.requests.includes(salt)) return accept(noTask, true);
  for (const occurrenceMs of item.occurrences) {
    // What a request that was cut short has made already.
    if (isMade(state, schedule, { occurrenceMs, salt })) continue;
    const { fate, reply } = decideBackfill(turn, schedule, { occurrenceMs, salt });
    if (fate === 'refused' && reply !== undefined) return reply;
    if (fate === 'skipped') {
      const most = `at most ${limits.scheduleQueueMax} occurrences of a schedule wait`;
      return refuse(noTask, 'tooManyTasks', most);
    }
  }
  const requests = [...schedule.standing.requests.slice(1 - limits.scheduleRecentMax), salt];
  state.schedules.change(schedule, { requests });
  return accept(noTask);
}
