/**
 * submitWorkflow: a workflow, or the next part of one. Nothing of it runs before all its tasks are
 * there: the last part makes it begin. A part that came before is answered as it was then, so
 * whoever was interrupted begins again from the first.
 *
 * Items    what the workflow is, and tasks from `from` on: spec, name, indices of their parents.
 *          Parents stand before their children. A task whose outcome holds from the workflow that
 *          this one repeats has settled from the start.
 * Replies  one: ok
 *          ok, repeated      all of these tasks were there
 *          idTaken           the ID has another workflow, or a task
 *          idExpired         an ID of a time of which the shard keeps no history any more
 *          alreadySettled    it was cancelled before all of it was there
 *          badId             not an ID, or one without room behind it
 *          badSpec           no such spec, a parent that does not stand before, a keyed task, a
 *                            gang, or too many edges
 *          badRequest        what stands before it is missing
 *          tooManyTasks      as many tasks wait as may
 *          overloaded        too many messages are under way already
 * Effects  readyChanged, settled, messagesChanged
 */
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import { parseTaskId, type TaskId, timeOfId } from '../../model/ids.ts';
import { limits } from '../../model/limits.ts';
import { holdBit } from '../../model/task.ts';
import {
  type KeptTask,
  type WorkflowHead,
  type WorkflowItem,
  workflowRandomMax,
  workflowTaskId,
} from '../../model/workflow.ts';
import { stateCode } from '../memory/task-table.ts';
import { lookup, type ShardState } from '../state.ts';
import { accept, refuse, type Turn } from '../turn.ts';
import { endAt, newWorkflow, type Workflow } from '../workflows.ts';
import { awaitParents, decide, meet } from './dependents.ts';
import { type PreparedSpec, takeSpec } from './submit.ts';

type SubmitWorkflow = ShardCommand & { readonly kind: 'submitWorkflow' };

export function applySubmitWorkflow(
  turn: Turn,
  command: SubmitWorkflow,
  specs: readonly PreparedSpec[],
): ItemReply[] {
  const { state } = turn;
  const { id } = command.workflow;
  const known = state.workflows.get(id);
  const refusal = known ? refuseMore(known, command) : refuseNew(state, command);
  if (refusal !== undefined) return [refusal];
  const received = known?.received ?? 0;
  const items = command.items.slice(received - command.from);
  const bad = refuseItems(state, received, items, specs, known?.edges ?? 0, id);
  const reply = bad ?? accept(id, known !== undefined && items.length === 0);
  if (bad === undefined && items.length > 0) {
    admitAll(turn, known ?? begin(state, command.workflow), items, specs);
  }
  for (const spec of specs) state.specs.dropUnusedTraits(spec.traits);
  return [reply];
}

function refuseMore(workflow: Workflow, command: SubmitWorkflow): ItemReply | undefined {
  const { id, digest } = command.workflow;
  const isSame = workflow.head.digest.every((byte, place) => byte === digest[place]);
  if (!isSame) return refuse(id, 'idTaken', 'the ID has a workflow with other tasks');
  const isThere = command.from + command.items.length <= workflow.received;
  if (isThere) return undefined;
  if (workflow.cancelled !== undefined) {
    return refuse(id, 'alreadySettled', 'the workflow was cancelled before all of it was there');
  }
  if (command.from <= workflow.received) return undefined;
  return refuse(id, 'badRequest', `tasks from ${workflow.received} on are missing`);
}

function refuseNew(state: ShardState, command: SubmitWorkflow): ItemReply | undefined {
  const { workflow, from } = command;
  const { id, total } = workflow;
  const parts = parseTaskId(id);
  if (parts === undefined || parts.random > workflowRandomMax) {
    return refuse(id, 'badId', 'not an ID with room for the tasks of a workflow behind it');
  }
  if (from !== 0) return refuse(id, 'badRequest', 'tasks from 0 on are missing');
  if (total < 1) return refuse(id, 'badSpec', 'a workflow has at least one task');
  if (state.lookUp(id) !== lookup.unknown || state.workflows.overlaps(workflow)) {
    return refuse(id, 'idTaken', 'the ID, or one behind it, has a task');
  }
  if (timeOfId(id) <= state.expired.toMs) {
    return refuse(id, 'idExpired', 'the shard keeps no history of the time in the ID any more');
  }
  return undefined;
}

/** What is wrong with tasks that are to be admitted from `first` on. */
function refuseItems(
  state: ShardState,
  first: number,
  items: readonly WorkflowItem[],
  specs: readonly PreparedSpec[],
  edgesBefore: number,
  id: TaskId,
): ItemReply | undefined {
  let edges = edgesBefore;
  let messages = state.mail.size;
  for (const [place, item] of items.entries()) {
    const index = first + place;
    const spec = specs[item.spec];
    if (spec === undefined) return refuse(id, 'badSpec', 'the command has no such spec');
    if (spec.key !== undefined || spec.line !== undefined) {
      return refuse(id, 'badSpec', `task ${item.name} has a key of its own`);
    }
    if (spec.traits.demand.gang !== undefined) {
      return refuse(id, 'badSpec', `task ${item.name} is a gang`);
    }
    const { parents } = item;
    if (parents.some(parent => parent >= index) || new Set(parents).size < parents.length) {
      return refuse(id, 'badSpec', `task ${item.name} does not stand behind its parents`);
    }
    if (state.lookUp(workflowTaskId(id, index)) !== lookup.unknown) {
      return refuse(id, 'idTaken', `the ID of task ${item.name} has a task`);
    }
    edges += parents.length;
    messages += spec.traits.after.length;
  }
  if (edges > limits.workflowEdgesMax) {
    return refuse(id, 'badSpec', `more than ${limits.workflowEdgesMax} edges`);
  }
  if (messages > limits.outboxMax) {
    return refuse(id, 'overloaded', 'too many messages wait for other shards');
  }
  if (state.counts[stateCode.waiting]! + items.length > limits.waitingPerShardMax) {
    return refuse(id, 'tooManyTasks', `${limits.waitingPerShardMax} tasks wait already`);
  }
  return undefined;
}

function begin(state: ShardState, head: WorkflowHead): Workflow {
  const workflow = newWorkflow(head, state.stampMs);
  state.workflows.add(workflow);
  return workflow;
}

function admitAll(
  turn: Turn,
  workflow: Workflow,
  items: readonly WorkflowItem[],
  specs: readonly PreparedSpec[],
): void {
  const { state } = turn;
  const first = workflow.received;
  const nodes = items.map(({ name, parents, spec }) => ({
    name,
    when: specs[spec]!.traits.when,
    parents,
  }));
  state.workflows.extend(workflow, nodes);
  items.forEach((item, place) => {
    admitOne(turn, workflow, first + place, item, specs[item.spec]!);
  });
  if (workflow.received < workflow.head.total) return;
  workflow.state = 'running';
  for (let index = 0; index < workflow.received; index++) {
    const row = state.lookUp(workflowTaskId(workflow.head.id, index));
    if (row >= 0) meet(turn, row);
  }
}

function admitOne(
  turn: Turn,
  workflow: Workflow,
  index: number,
  item: WorkflowItem,
  spec: PreparedSpec,
): void {
  const { state } = turn;
  const { id } = workflow.head;
  const taskId = workflowTaskId(id, index);
  state.lookUp(taskId);
  const submitted = { id: taskId, spec: item.spec, retryOf: item.retryOf };
  const row = state.admit(submitted, takeSpec(state, spec), holdBit('dependency'));
  state.table.ensureDetail(row).workflow = { id, index };
  if (item.kept !== undefined) {
    keep(turn, row, item.kept);
    return;
  }
  awaitParents(turn, row, item.parents.length + 1);
  for (const parent of item.parents) {
    const end = endAt(workflow, parent);
    if (end === undefined || state.lookUp(taskId) !== row) continue;
    decide(turn, row, workflowTaskId(id, parent), end);
  }
}

/** The outcome of the task that this one repeats holds. */
function keep(turn: Turn, row: number, { taskId: keptFrom, outcome }: KeptTask): void {
  const { state, effects } = turn;
  const taskId = state.table.id(row);
  state.leaveQueue(row);
  state.settle(row, stateCode.succeeded, { reason: `kept from ${keptFrom}`, outcome });
  state.note('settled', row, { outcome: outcome.kind });
  effects.push({ kind: 'settled', taskId, state: 'succeeded' });
}
