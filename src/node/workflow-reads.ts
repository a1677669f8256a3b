/** A workflow as a replica of its shard has it: states from rows in memory and on the disk. */
import type { Outcome } from '../model/attempt.ts';
import { TschedError } from '../model/errors.ts';
import type { TaskId } from '../model/ids.ts';
import { isSettled, reasonOfHolds } from '../model/task.ts';
import { type WorkflowTaskView, type WorkflowView, workflowTaskId } from '../model/workflow.ts';
import type { Store } from '../ports/store.ts';
import { taskKey } from '../shard/keys.ts';
import type { ShardMachine } from '../shard/machine.ts';
import { decodeTaskRow, type TaskRecord } from '../shard/record.ts';
import { graphNodes } from './workflow-graph.ts';

/** Rows read at a time, so that the loop goes on in between. */
const pageTasks = 500;

/** As it travels between nodes: parents by index, for names may be long and edges many. */
export interface FoundWorkflow extends Omit<WorkflowView, 'tasks' | 'stale'> {
  readonly tasks: readonly (Omit<WorkflowTaskView, 'after'> & {
    readonly parents: readonly number[];
  })[];
}

export interface Shard {
  readonly shard: number;
  readonly machine: ShardMachine;
  readonly store: Store;
}

/** Records of its tasks by index; `undefined` for one that left the history. */
export async function workflowRecords(
  { shard, machine, store }: Shard,
  id: TaskId,
): Promise<(TaskRecord | undefined)[]> {
  const count = machine.links.workflow(id)?.received ?? 0;
  const records: (TaskRecord | undefined)[] = [];
  for (let first = 0; first < count; first += pageTasks) {
    const end = Math.min(count, first + pageTasks);
    const from = taskKey(workflowTaskId(id, first));
    const to = taskKey(workflowTaskId(id, end));
    const rows = await store.rows(shard, { from, to, limit: pageTasks });
    const stored = new Map(rows.map(([, value]) => decodeTaskRow(value)).map(row => [row.id, row]));
    for (let index = first; index < end; index++) {
      const taskId = workflowTaskId(id, index);
      // What is in memory is newer; what expired may still have its row.
      const cold = machine.knows(taskId) ? stored.get(taskId) : undefined;
      records.push(machine.record(taskId) ?? cold);
    }
  }
  return records;
}

export async function findWorkflow(at: Shard, id: TaskId, brief: boolean): Promise<FoundWorkflow> {
  const { machine, shard, store } = at;
  const records = brief ? [] : await workflowRecords(at, id);
  const workflow = machine.links.workflow(id);
  if (workflow === undefined) {
    throw new TschedError('unknownWorkflow', `there is no workflow ${id}, or it left the history`);
  }
  const nodes = brief ? [] : graphNodes(machine, key => store.row(shard, key), id);
  const { head, state, submittedAtMs, settledAtMs, cancelled } = workflow;
  const { name, tenant, owner, total, retryOf } = head;
  return {
    id,
    name,
    tenant,
    owner,
    state,
    shard,
    total,
    submittedAtMs,
    settledAtMs: settledAtMs || undefined,
    retryOf,
    cancelRequested: cancelled,
    tasks: nodes.map(({ name: task, when, parents }, index) => ({
      id: workflowTaskId(id, index),
      name: task,
      parents,
      when,
      ...stateOf(records[index]),
    })),
  };
}

/** `exit code 1`, `SIGKILL, used more than ..`; empty for what succeeded. */
function howEnded({ exitCode, signal, message }: Outcome): string {
  const code = exitCode ? `exit code ${exitCode}` : '';
  return [signal ?? code, message].filter(text => text !== '').join(', ');
}

const keptText = /^kept from ([0-9a-z]{20})$/;

function stateOf(
  record: TaskRecord | undefined,
): Omit<WorkflowTaskView, 'id' | 'name' | 'after' | 'when'> {
  if (record === undefined) return { state: 'missing' };
  const { state, attempts, settledAtMs } = record;
  const last = attempts.at(-1);
  const waiting = reasonOfHolds(record.holds) ?? (record.backedOff ? 'BackOff' : 'Queued');
  const outcome = record.outcome ?? last?.outcome;
  const settled = record.reason || (outcome && howEnded(outcome)) || undefined;
  const kept = attempts.length === 0 ? keptText.exec(record.reason)?.[1] : undefined;
  return {
    state,
    skipped: record.cause?.kind === 'notNeeded' || undefined,
    reason: state === 'waiting' ? waiting : settled,
    nodeName: last?.nodeName,
    startedAtMs: last?.startedAtMs,
    endedAtMs: last?.endedAtMs ?? settledAtMs,
    paused: isSettled(state) ? undefined : record.pause,
    suspended: record.suspended || undefined,
    keptFrom: kept as TaskId | undefined,
  };
}
