/**
 * What the end of a task means for those that wait for it. Whatever settles a task only notes that
 * it did; this is done once for each command, after it, in a loop: a failure may end a chain of ten
 * thousand. Work is O(edges): a task is looked at once for each of its parents.
 *
 *   success (as a rule)  runs once all have succeeded; aborted as soon as one did not
 *   failure              runs once all have settled and one of them failed; else it is not needed
 *   always               runs once all have settled
 *
 * What was not needed has not failed: `skipped` travels down the branches that follow.
 */
import { assert } from '../../model/assert.ts';
import { slotOfId, type TaskId } from '../../model/ids.ts';
import { childrenMax, type ShardMessage } from '../../model/message.ts';
import { taskStates } from '../../model/task.ts';
import type { ParentEnd } from '../../model/when.ts';
import { workflowTaskId } from '../../model/workflow.ts';
import { idWordCount } from '../memory/id-words.ts';
import type { AbortCause, TaskDetail } from '../memory/task-detail.ts';
import { stateCode } from '../memory/task-table.ts';
import type { ShardState } from '../state.ts';
import type { Turn } from '../turn.ts';
import { taskEnd, type Workflow } from '../workflows.ts';

/** Every task that settled in this command is told to its children; theirs follow. */
export function settleDependents(turn: Turn): void {
  const { settledNow } = turn.state;
  // It grows while it is walked.
  for (const row of settledNow) tellChildren(turn, row);
  settledNow.length = 0;
}

function tellChildren(turn: Turn, row: number): void {
  const { state } = turn;
  const detail = state.table.ensureDetail(row);
  const parent = state.table.id(row);
  const end = endOf(state, row, detail);
  const output = outputOf(detail);
  if (detail.workflow !== undefined) {
    const { id, index } = detail.workflow;
    const workflow = state.workflows.get(id);
    assert(workflow !== undefined, 'a task is of a workflow that the shard has');
    const { children } = workflow;
    const code = endCodeOf(state, row, end);
    const isOver = state.workflows.ended(workflow, index, code, output !== undefined);
    for (const child of children.get(index) ?? []) decideTask(turn, workflow, child, parent, end);
    if (isOver) settleWorkflow(turn, workflow);
  }
  const { dependents } = detail;
  if (dependents === undefined) return;
  detail.dependents = undefined;
  tellDependents(turn, parent, { end, output }, dependents);
}

export function settleWorkflow({ state, effects }: Turn, workflow: Workflow): void {
  state.workflows.settle(workflow, Math.max(state.stampMs, workflow.submittedAtMs));
  effects.push({ kind: 'workflowSettled', workflowId: workflow.head.id });
}

function endOf(state: ShardState, row: number, detail: TaskDetail): ParentEnd {
  if (state.table.state(row) === stateCode.succeeded) return 'succeeded';
  return detail.cause?.kind === 'notNeeded' ? 'skipped' : 'failed';
}

function endCodeOf(state: ShardState, row: number, end: ParentEnd): number {
  if (end === 'succeeded') return taskEnd.succeeded;
  if (end === 'skipped') return taskEnd.skipped;
  const code = state.table.state(row);
  if (code === stateCode.failed) return taskEnd.failed;
  return code === stateCode.cancelled ? taskEnd.cancelled : taskEnd.aborted;
}

const outputOf = (detail: TaskDetail): string | undefined =>
  (detail.outcome ?? detail.ended.at(-1)?.outcome)?.output;

/** Answers tasks by ID, those of one slot together. */
export function tellDependents(
  turn: Turn,
  parent: TaskId,
  told: { readonly end: ParentEnd; readonly output?: string | undefined },
  dependents: Iterable<TaskId>,
): void {
  const bySlot = new Map<number, TaskId[]>();
  for (const child of dependents) {
    const slot = slotOfId(child);
    const children = bySlot.get(slot);
    if (children === undefined) bySlot.set(slot, [child]);
    else children.push(child);
  }
  const { end, output } = told;
  for (const [slot, all] of bySlot) {
    for (let from = 0; from < all.length; from += childrenMax) {
      const children = all.slice(from, from + childrenMax);
      send(turn, slot, { kind: 'ended', parent, end, output, children });
    }
  }
}

export function send(turn: Turn, slot: number, message: ShardMessage): void {
  const { state } = turn;
  const sequence = state.mail.send(slot, message, state.epoch);
  state.fold(sequence % 2 ** 32);
  state.fold(slot);
  turn.messagesChanged = true;
}

/**
 * A task that has just been admitted waits for those that its spec names by ID, and for `others`.
 */
export function awaitParents(turn: Turn, row: number, others: number): void {
  const { table, specs } = turn.state;
  const { after } = specs.traits(table.spec(row));
  const unmet = after.length + others;
  table.ensureDetail(row).dependency = { unmet, anyFailed: false, awaited: after, inputs: [] };
  const child = table.id(row);
  for (const parent of after) send(turn, slotOfId(parent), { kind: 'await', child, parent });
}

/** A parent of the task at `index` has ended; nothing where that settled or is not there yet. */
function decideTask(
  turn: Turn,
  workflow: Workflow,
  index: number,
  parent: TaskId,
  end: ParentEnd,
): void {
  const row = turn.state.lookUp(workflowTaskId(workflow.head.id, index));
  if (row >= 0) decide(turn, row, parent, end);
}

const notThere: Partial<Record<ParentEnd, AbortCause['kind']>> = {
  unknown: 'parentUnknown',
  refused: 'parentRefused',
};

/** A parent of an unsettled task has ended. */
export function decide(turn: Turn, row: number, parent: TaskId, end: ParentEnd): void {
  const { table, specs } = turn.state;
  const dependency = table.ensureDetail(row).dependency;
  assert(dependency !== undefined, 'a task that waits for others knows so');
  const lost = notThere[end];
  if (lost !== undefined) abort(turn, row, { kind: lost, parent });
  else if (specs.traits(table.spec(row)).when === 'success' && end !== 'succeeded') {
    abort(turn, row, { kind: end === 'skipped' ? 'notNeeded' : 'parentFailed', parent });
  } else {
    dependency.anyFailed ||= end === 'failed';
    meet(turn, row);
  }
}

/** One less of what the task waits for; with the last one it runs, or is not needed. */
export function meet(turn: Turn, row: number): void {
  const { state } = turn;
  const { table, specs } = state;
  const dependency = table.ensureDetail(row).dependency;
  assert(dependency !== undefined && dependency.unmet > 0, 'what is met was waited for');
  dependency.unmet--;
  state.flush.markTask(row);
  if (dependency.unmet > 0) return;
  if (specs.traits(table.spec(row)).when === 'failure' && !dependency.anyFailed) {
    abort(turn, row, { kind: 'notNeeded' });
    return;
  }
  const words = new Uint32Array(idWordCount);
  table.copyWords(row, words);
  for (const word of words) state.fold(word);
  state.release(row, 'dependency');
}

function sentenceOf({ kind, parent }: AbortCause): string {
  switch (kind) {
    case 'parentFailed':
      return `task ${parent}, which it waited for, did not succeed`;
    case 'parentUnknown':
      return (
        `parentUnknown: nobody knows task ${parent}, which it waited for; ` +
        'it may have left the history'
      );
    case 'parentRefused':
      return `too many tasks wait for task ${parent}`;
    case 'notNeeded':
      return parent === undefined
        ? 'not needed: none of those that it waited for failed'
        : `not needed: task ${parent}, which it waited for, was not needed either`;
  }
}

function abort(turn: Turn, row: number, cause: AbortCause): void {
  const { state, effects } = turn;
  state.table.ensureDetail(row).cause = cause;
  state.leaveQueue(row);
  state.settle(row, stateCode.aborted, { reason: sentenceOf(cause) });
  state.note('settled', row);
  const taskId = state.table.id(row);
  effects.push({ kind: 'settled', taskId, state: taskStates[stateCode.aborted] });
}
