/** Workflows over the HTTP API: one that a text may name where no task does, sending, waiting. */
import { shortId } from '../src/model/ids.ts';
import { isWorkflowSettled, type WorkflowView } from '../src/model/workflow.ts';
import { CliError, isCliError } from './cli-error.ts';
import type { Client } from './client.ts';
import type { PreparedWorkflow } from './input/workflow.ts';
import type { Submitted } from './wire.ts';

/** Ten thousand tasks go to their shard in ten log entries. */
const submitMs = 60_000;
const retryMs = 40_000;
/** A whole one of ten thousand tasks is a few megabytes. */
const readMs = 30_000;
const pollMsMax = 30_000;
const pollSlackMs = 10_000;
const outageMsMax = 60_000;
const outagePauseMs = 500;

const pathOf = (id: string): string => `/v1/workflows/${encodeURIComponent(id)}`;

export const getWorkflow = (client: Client, id: string, query = ''): Promise<WorkflowView> =>
  client.get<WorkflowView>(`${pathOf(id)}${query}`, readMs);

/** What `ask` gives of a task; where there is no such task, the workflow that `text` names. */
export async function taskOrWorkflow<T>(
  client: Client,
  text: string,
  ask: () => Promise<T>,
): Promise<{ readonly task: T } | { readonly workflow: WorkflowView }> {
  try {
    return { task: await ask() };
  } catch (error) {
    if (!isCliError(error) || error.code !== 'unknownTask' || text === 'last') throw error;
    const workflow = await getWorkflow(client, text).catch((other: unknown) => {
      throw isCliError(other) && other.code === 'unknownWorkflow' ? error : other;
    });
    return { workflow };
  }
}

/** The same where only a task will do. */
export async function onlyTask<T>(client: Client, text: string, ask: () => Promise<T>): Promise<T> {
  const found = await taskOrWorkflow(client, text, ask);
  if ('task' in found) return found.task;
  const id = shortId(found.workflow.id);
  throw new CliError('unknownTask', `${text} is a workflow, and this is asked of a task`, {
    suggestion: `\`tsched status ${id}\` lists its tasks.`,
  });
}

export async function submitWorkflow(
  client: Client,
  { document, id, place }: PreparedWorkflow,
): Promise<Submitted> {
  try {
    const { body } = await client.call<Submitted>({
      method: 'POST',
      path: '/v1/workflows',
      body: document,
      repeatable: true,
      timeoutMs: submitMs,
      ids: [id],
      place,
    });
    return body;
  } catch (error) {
    if (!isCliError(error) || error.code !== 'outcomeUnknown') throw error;
    throw new CliError('outcomeUnknown', error.sentence, {
      ids: error.ids,
      suggestion: `Repeat it with --id ${id}: that is safe. Or look: tsched status ${id}`,
      cause: error,
    });
  }
}

export async function cancelWorkflow(client: Client, id: string, reason: string): Promise<string> {
  const path = `${pathOf(id)}/cancel`;
  const asked = { method: 'POST', path, body: { reason }, repeatable: true, ids: [id] } as const;
  const { body } = await client.call<{ readonly id: string }>(asked);
  return body.id;
}

export async function retryWorkflow(client: Client, id: string, from: string): Promise<Submitted> {
  const path = `${pathOf(id)}/retry`;
  const asked = {
    method: 'POST',
    path,
    body: { from },
    repeatable: false,
    timeoutMs: retryMs,
  } as const;
  return (await client.call<Submitted>(asked)).body;
}

const isOutage = (error: unknown): error is CliError =>
  isCliError(error) && ['unreachable', 'noQuorum', 'starting', 'notLeader'].includes(error.code);

/** The settled workflow with its tasks, or as it is at the deadline. */
export async function waitForWorkflow(
  client: Client,
  id: string,
  timeoutMs: number | undefined,
): Promise<WorkflowView> {
  const deadlineMs = performance.now() + (timeoutMs ?? Number.POSITIVE_INFINITY);
  let outageSinceMs: number | undefined;
  for (;;) {
    const leftMs = deadlineMs - performance.now();
    if (leftMs <= 0) break;
    const pollMs = Math.max(1, Math.round(Math.min(leftMs, pollMsMax)));
    try {
      const path = `${pathOf(id)}/wait?timeout=${pollMs}ms`;
      const { state } = await client.get<WorkflowView>(path, pollMs + pollSlackMs);
      outageSinceMs = undefined;
      if (isWorkflowSettled(state)) break;
    } catch (error) {
      if (isCliError(error) && error.code === 'waitTimeout') continue;
      if (!isOutage(error)) throw error;
      outageSinceMs ??= performance.now();
      if (performance.now() - outageSinceMs > outageMsMax) throw error;
      await new Promise(resolve => setTimeout(resolve, outagePauseMs));
    }
  }
  return getWorkflow(client, id);
}

/** Exit code of `wait` for a workflow, as for a task in its state. */
export function workflowExit({ state }: Pick<WorkflowView, 'state'>): 0 | 3 | 4 | 5 {
  if (!isWorkflowSettled(state)) return 5;
  if (state === 'failed') return 3;
  return state === 'succeeded' ? 0 : 4;
}
