/** Waiting until tasks have settled, by long polls that survive the loss of a node. */
import { idLength } from '../src/model/ids.ts';
import { isSettled, type TaskView } from '../src/model/task.ts';
import { type CliError, isCliError } from './cli-error.ts';
import type { Client } from './client.ts';

/** One long poll. */
const pollMsMax = 30_000;
/** A node may answer this much later than the poll's end. */
const pollSlackMs = 10_000;
/** Once a task has been seen, the cluster may be out of reach this long. */
const outageMsMax = 60_000;
const outagePauseMs = 500;
const concurrentMax = 32;

export interface WaitOptions {
  /** From now; without one there is no end. */
  readonly timeoutMs: number | undefined;
  readonly pollMs?: number | undefined;
  /** Called with every view of a task. */
  readonly onView?: ((task: TaskView) => void) | undefined;
}

const pathOf = (id: string): string => `/v1/tasks/${encodeURIComponent(id)}`;

const isOutage = (error: unknown): error is CliError =>
  isCliError(error) && ['unreachable', 'noQuorum', 'starting', 'notLeader'].includes(error.code);

/** The whole ID for a short form or `last`, asked of a node. */
export async function wholeId(client: Client, text: string): Promise<string> {
  if (text.length === idLength) return text;
  return (await client.get<TaskView>(pathOf(text))).id;
}

async function waitForOne(
  client: Client,
  id: string,
  deadlineMs: number,
  options: WaitOptions,
): Promise<TaskView> {
  let view = await client.get<TaskView>(pathOf(id));
  options.onView?.(view);
  let outageSinceMs: number | undefined;
  while (!isSettled(view.state)) {
    const leftMs = deadlineMs - performance.now();
    if (leftMs <= 0) return view;
    const pollMs = Math.max(1, Math.round(Math.min(leftMs, options.pollMs ?? pollMsMax)));
    try {
      const path = `${pathOf(view.id)}/wait?timeout=${pollMs}ms`;
      view = await client.get<TaskView>(path, pollMs + pollSlackMs);
      outageSinceMs = undefined;
      options.onView?.(view);
    } catch (error) {
      if (isCliError(error) && error.code === 'waitTimeout') continue;
      if (!isOutage(error)) throw error;
      outageSinceMs ??= performance.now();
      const now = performance.now();
      if (now - outageSinceMs > outageMsMax || now >= deadlineMs) throw error;
      await new Promise(resolve => setTimeout(resolve, outagePauseMs));
    }
  }
  return view;
}

/** The views of all tasks, in order: settled, or as they were at the deadline. */
export async function waitForTasks(
  client: Client,
  ids: readonly string[],
  options: WaitOptions,
): Promise<TaskView[]> {
  const deadlineMs =
    options.timeoutMs === undefined
      ? Number.POSITIVE_INFINITY
      : performance.now() + options.timeoutMs;
  const views: TaskView[] = new Array(ids.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < ids.length) {
      const position = next++;
      views[position] = await waitForOne(client, ids[position]!, deadlineMs, options);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrentMax, ids.length) }, worker));
  return views;
}
