/** A settled workflow again: what holds of it is kept, the rest is asked for anew. */
import { TschedError } from '../model/errors.ts';
import type { TaskId } from '../model/ids.ts';
import { decodeSpec } from '../model/spec.ts';
import { withOverrides } from '../model/spec-overrides.ts';
import { isWorkflowSettled } from '../model/workflow.ts';
import type { RetryStart, WorkflowRequest, WorkflowTaskRequest } from '../ports/workflow-api.ts';
import type { TaskRecord } from '../shard/record.ts';
import { graphNodes } from './workflow-graph.ts';
import { type Shard, workflowRecords } from './workflow-reads.ts';

/**
 * Kept is what succeeded behind nothing but what is kept: what ran because something failed may not
 * be needed this time. Throws where the workflow has not settled, has left the history in part, or
 * holds as a whole.
 */
export async function retryRequest(
  at: Shard,
  id: TaskId,
  from: RetryStart,
): Promise<Omit<WorkflowRequest, 'id'>> {
  const { machine, shard, store } = at;
  const workflow = machine.links.workflow(id);
  if (workflow === undefined)
    throw new TschedError('unknownWorkflow', `there is no workflow ${id}`);
  if (!isWorkflowSettled(workflow.state)) {
    throw new TschedError('notSettled', `workflow ${id} is ${workflow.state}`);
  }
  const records = await workflowRecords(at, id);
  const row = (key: Uint8Array): Uint8Array | undefined => store.row(shard, key);
  const nodes = graphNodes(machine, row, id);
  const { name, tenant, owner, total } = workflow.head;
  const kept = new Set<number>();
  const tasks = nodes.map(({ name: task, parents }, index): WorkflowTaskRequest => {
    const record = records[index];
    const bytes =
      record && (machine.specBytes(record.digest) ?? row(machine.specKey(record.digest)));
    if (record === undefined || bytes === undefined) {
      throw new TschedError('unknownTask', `task ${task} of workflow ${id} left the history`);
    }
    const holds = record.state === 'succeeded' && parents.every(parent => kept.has(parent));
    if (from === 'failed' && holds) kept.add(index);
    const outcome = kept.has(index) ? outcomeOf(record) : undefined;
    return {
      spec: withOverrides(decodeSpec(bytes), record.update?.overrides),
      parents,
      retryOf: record.id,
      kept: outcome && { taskId: record.id, outcome },
    };
  });
  if (tasks.length < total) {
    throw new TschedError('notSettled', `only a part of workflow ${id} was ever there`);
  }
  if (from === 'failed' && kept.size === total) {
    throw new TschedError(
      'badRequest',
      `nothing of workflow ${id} failed; --from start runs it again`,
    );
  }
  return { name, tenant, owner, tasks, retryOf: id };
}

const outcomeOf = (record: TaskRecord) => record.outcome ?? record.attempts.at(-1)?.outcome;
