/**
 * unassign: a worker refused an assignment before anything was started. The task waits again at its
 * old place in the queue; no run is counted and the attempt leaves no trace but its fence.
 *
 * Items    task, fence and why it was refused.
 * Replies  ok
 *          badRequest        `stale fence`, or `already started`
 *          alreadySettled, unknownTask
 * Effects  attemptEnded, then readyChanged, or settled where a cancel was asked for meanwhile;
 *          cancelling for the attempts of its gang, which are recalled
 */
import { systemOutcome } from '../../model/attempt.ts';
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import type { Refusal } from '../../model/worker-protocol.ts';
import { stateCode } from '../memory/task-table.ts';
import { accept, refuse, refuseMissing, type Turn } from '../turn.ts';
import { endRecalled } from './end-attempt.ts';
import { recallOf, recallOthers } from './gang-recall.ts';

type Unassign = ShardCommand & { readonly kind: 'unassign' };

export function applyUnassign(turn: Turn, command: Unassign): ItemReply[] {
  const { state } = turn;
  return command.items.map(({ taskId, fence, why }) => {
    const row = state.lookUp(taskId);
    if (row < 0) return refuseMissing(taskId, row);
    if (state.live(row)?.fence !== fence) return refuse(taskId, 'badRequest', 'stale fence');
    if (state.table.state(row) !== stateCode.assigned) {
      return refuse(taskId, 'badRequest', 'already started');
    }
    unassign(turn, row, why);
    return accept(taskId);
  });
}

function unassign(turn: Turn, row: number, why: Refusal): void {
  const { state, effects } = turn;
  const taskId = state.table.id(row);
  const recall = recallOf(state, row);
  const { fence, node, nodeName } = state.live(row)!;
  if (recall !== undefined) {
    endRecalled(turn, row, systemOutcome('lost', 0, ''), recall);
    return;
  }
  const gang = state.gangs.of(row);
  state.endLive(row);
  effects.push({ kind: 'attemptEnded', taskId, fence, node });
  const request = state.table.detail(row)?.cancelRequested;
  if (request === undefined) {
    state.wait(row, state.table.readySince(row), false);
    state.note('unassigned', row, { attempt: fence, node, why });
    turn.readyChanged = true;
    recallOthers(turn, gang, 'again', `${nodeName} had no room for ${taskId} of its gang`);
    return;
  }
  const outcome = systemOutcome('cancelled', state.shownInstant(row), request.reason);
  state.settle(row, stateCode.cancelled, { reason: request.reason, outcome });
  state.note('unassigned', row, { attempt: fence, node, why });
  state.note('settled', row, { outcome: 'cancelled' });
  effects.push({ kind: 'settled', taskId, state: 'cancelled' });
}
