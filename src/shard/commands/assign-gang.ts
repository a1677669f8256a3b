/**
 * assignGang: takes the planner's placements of gangs, each as a whole or not at all. Verified as
 * by `assign`, and besides that the members are all that is left of one gang, each once.
 *
 * Items    the tasks of a gang that are not settled, with the nodes they are to run on
 * Replies  ok with the fence, which is the same for all of a gang; the task is its first
 *          badRequest        some do not wait, are held, or are missing
 *          alreadySettled, unknownTask
 * Effects  assigned, for each task
 */
import { assert } from '../../model/assert.ts';
import type { GangItem, ItemReply, ShardCommand } from '../../model/command.ts';
import type { TaskId } from '../../model/ids.ts';
import { refuse, refuseMissing, type Turn } from '../turn.ts';

type AssignGang = ShardCommand & { readonly kind: 'assignGang' };

export const applyAssignGang = (turn: Turn, command: AssignGang): ItemReply[] =>
  command.items.map(item => assignGang(turn, item));

function assignGang({ state, effects }: Turn, { members }: GangItem): ItemReply {
  const taskId = members[0]?.taskId ?? ('' as TaskId);
  const rows: number[] = [];
  for (const member of members) {
    const row = state.lookUp(member.taskId);
    if (row < 0) return refuseMissing(member.taskId, row);
    rows.push(row);
  }
  const [first] = rows;
  const gang = first === undefined ? [] : state.gangs.of(first);
  const isAll = gang.length === rows.length && gang.every(row => rows.includes(row));
  if (first === undefined || gang.length === 0 || !isAll) {
    return refuse(taskId, 'badRequest', 'not all that is left of one gang');
  }
  if (!state.gangs.isWhole(first)) return refuse(taskId, 'badRequest', 'not all of them wait');
  let fence = 0;
  members.forEach((member, place) => {
    fence = state.assign(rows[place]!, member);
    effects.push({ kind: 'assigned', taskId: member.taskId, fence });
  });
  assert(state.table.fence(first) === fence, 'a gang has one fence');
  return { ok: true, taskId, repeated: false, fence };
}
