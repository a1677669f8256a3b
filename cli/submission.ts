/**
 * Sending prepared tasks: one request for one task, batches for many, repeats with the same IDs.
 */
import { errorTable } from '../src/model/errors.ts';
import { limits } from '../src/model/limits.ts';
import { CliError, isCliError } from './cli-error.ts';
import type { Client } from './client.ts';
import type { PreparedTask } from './input/tasks.ts';
import { placedOf, toldProblems } from './refusal.ts';
import type { BatchResult, Submitted } from './wire.ts';
import { listIn } from './wire-lists.ts';

function howToRepeat({ id, ordered }: PreparedTask): string {
  if (id === undefined) return 'Repeat it as it was: its idempotency key makes that safe.';
  const look = ordered ? '' : ` Or look: tsched status ${id}`;
  return `Repeat it with --id ${id}: that is safe.${look}`;
}

/**
 * Submits one task or one array. Throws `outcomeUnknown` with the ID where nothing more is known.
 */
export async function submitOne(client: Client, task: PreparedTask): Promise<Submitted> {
  try {
    const { body } = await client.call<Submitted>({
      method: 'POST',
      path: '/v1/tasks',
      body: task.document,
      repeatable: true,
      ids: task.id === undefined ? [] : [task.id],
      place: task.place,
    });
    return body;
  } catch (error) {
    if (!isCliError(error) || error.code !== 'outcomeUnknown') throw error;
    throw new CliError('outcomeUnknown', error.sentence, {
      ids: error.ids,
      suggestion: howToRepeat(task),
      cause: error,
    });
  }
}

/** Half of what a node accepts: the other half is for what JSON adds. */
const batchBytesMax = limits.httpBodyBytesMax / 2;

function inBatches(tasks: readonly PreparedTask[]): PreparedTask[][] {
  const batches: PreparedTask[][] = [];
  let bytes = 0;
  for (const task of tasks) {
    const size = JSON.stringify(task.document).length;
    const last = batches.at(-1);
    if (!last || last.length >= limits.batchItemsMax || bytes + size > batchBytesMax) {
      batches.push([task]);
      bytes = size;
    } else {
      last.push(task);
      bytes += size;
    }
  }
  return batches;
}

/** A task that another try may get through. */
const mayPass = (result: BatchResult | undefined): boolean =>
  result === undefined || (!result.ok && errorTable[result.code]?.http >= 503);

const resultTries = 5;
const resultPauseMs = 250;

async function submitBatch(
  client: Client,
  batch: readonly PreparedTask[],
): Promise<(BatchResult | undefined)[]> {
  const results: (BatchResult | undefined)[] = batch.map(() => undefined);
  for (let round = 0; round < resultTries; round++) {
    const open = [...batch.keys()].filter(position => mayPass(results[position]));
    if (open.length === 0) break;
    if (round > 0) await new Promise(resolve => setTimeout(resolve, resultPauseMs * round));
    const { body } = await client.call<unknown>({
      method: 'POST',
      path: '/v1/tasks/batch',
      body: { tasks: open.map(position => batch[position]!.document) },
      repeatable: true,
      timeoutMs: 30_000,
    });
    const answered = listIn<BatchResult>(body, 'results');
    open.forEach((position, index) => {
      results[position] = answered[index] ?? results[position];
    });
  }
  return results;
}

function failed(task: PreparedTask, error: CliError, sent: boolean): BatchResult {
  const code = sent || error.code !== 'outcomeUnknown' ? error.code : 'unreachable';
  return { ok: false, id: task.id, code, message: sent ? error.sentence : 'was not sent' };
}

/**
 * Submits many tasks in batches, in order. What was accepted before a failure stays in the result;
 * `stopped` is the error that ended it, where one did.
 */
export async function submitMany(
  client: Client,
  tasks: readonly PreparedTask[],
): Promise<{ readonly results: readonly BatchResult[]; readonly stopped: CliError | undefined }> {
  const results: BatchResult[] = [];
  let stopped: CliError | undefined;
  for (const batch of inBatches(tasks)) {
    if (stopped !== undefined) {
      for (const task of batch) results.push(failed(task, stopped, false));
      continue;
    }
    try {
      const answered = await submitBatch(client, batch);
      batch.forEach((task, position) => {
        const result = answered[position];
        const unanswered = new CliError('outcomeUnknown', 'the answer left this task out');
        results.push(result ?? failed(task, unanswered, true));
      });
    } catch (error) {
      if (!isCliError(error)) throw error;
      stopped = error;
      for (const task of batch) results.push(failed(task, error, true));
    }
  }
  return { results, stopped };
}

const rangesShownMax = 8;

/** The numbers of the failed items as they stand in the input, from 1: ` (2, 5-8)`. */
function whichOf(results: readonly BatchResult[]): string {
  const ranges: { first: number; last: number }[] = [];
  results.forEach(({ ok }, index) => {
    const number = index + 1;
    const before = ranges.at(-1);
    if (ok) return;
    if (before?.last === index) before.last = number;
    else ranges.push({ first: number, last: number });
  });
  if (results.every(({ ok }) => !ok)) return '';
  const shown = ranges
    .slice(0, rangesShownMax)
    .map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`));
  return ` (${shown.join(', ')}${ranges.length > rangesShownMax ? ' and more' : ''})`;
}

/**
 * The error that stands for the failed items: unknown outcomes first, for they need looking after.
 * `tasks` are those of the results, in their order.
 */
export function batchFailure(
  results: readonly BatchResult[],
  tasks: readonly PreparedTask[],
): CliError | undefined {
  const failures = results.filter(result => !result.ok);
  if (failures.length === 0) return undefined;
  const worst = failures.find(failure => failure.code === 'outcomeUnknown') ?? failures[0]!;
  const unknown = worst.code === 'outcomeUnknown';
  const ids = unknown
    ? failures.flatMap(item => (item.code === 'outcomeUnknown' && item.id ? [item.id] : []))
    : [];
  const placed = results.flatMap((result, at) =>
    result.ok ? [] : [placedOf(result, tasks[at]?.place)],
  );
  const found = unknown ? [] : placed.flat();
  const told = found.length > 0 ? toldProblems(found) : undefined;
  const said = new Set(failures.map(failure => failure.message));
  const others = told === undefined ? said.size > 1 : placed.some(one => one.length === 0);
  return new CliError(
    worst.code,
    `${failures.length} of ${results.length} tasks${whichOf(results)}: ` +
      (told?.sentence ?? worst.message) +
      (others ? ' (and other reasons; --json has all)' : ''),
    {
      ids,
      problems: told?.problems,
      field: found[0]?.pointer,
      suggestion: unknown
        ? 'Look with `tsched status ID`; submit again what is missing, with its `id` in the file.'
        : undefined,
      retryAfterMs: worst.retryAfterMs,
    },
  );
}
