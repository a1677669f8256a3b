/**
 * cancelWorkflow: nobody wants the workflow any more. Every task of it that has not settled is
 * cancelled, those that run as by `cancel`; of one that is still arriving no more tasks are taken.
 *
 * Items    workflows; one reason for all.
 * Replies  ok
 *          ok, repeated      that was asked for before; the first reason stays
 *          alreadySettled, unknownTask
 * Effects  settled, cancelling, workflowSettled
 */
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import type { TaskId } from '../../model/ids.ts';
import { workflowTaskId } from '../../model/workflow.ts';
import { accept, refuse, type Turn } from '../turn.ts';
import { cancelRow } from './cancel.ts';
import { settleWorkflow } from './dependents.ts';

type CancelWorkflow = ShardCommand & { readonly kind: 'cancelWorkflow' };

export const applyCancelWorkflow = (turn: Turn, command: CancelWorkflow): ItemReply[] =>
  command.items.map(({ id }) => cancelOne(turn, id, command.reason));

function cancelOne(turn: Turn, id: TaskId, reason: string): ItemReply {
  const { state, actor } = turn;
  const workflow = state.workflows.get(id);
  if (workflow === undefined) return refuse(id, 'unknownTask', 'no workflow here has this ID');
  if (workflow.settledAtMs > 0) return refuse(id, 'alreadySettled', 'the workflow has settled');
  if (workflow.cancelled !== undefined) return accept(id, true);
  const request = { reason, by: actor.name };
  workflow.cancelled = request;
  state.workflows.mark(workflow);
  // All that has arrived settled before: there is nothing left to wait for.
  if (workflow.open === 0) settleWorkflow(turn, workflow);
  for (let index = 0; index < workflow.received; index++) {
    const row = state.lookUp(workflowTaskId(id, index));
    if (row >= 0) cancelRow(turn, row, request);
  }
  return accept(id);
}
