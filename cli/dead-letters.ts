/** Dead letters over HTTP: the pages of their list, and what is done to many of them. */
import type { TaskSummary } from '../src/model/task.ts';
import { CliError, isCliError } from './cli-error.ts';
import type { Client } from './client.ts';
import type { BatchResult, TaskPage } from './wire.ts';
import { listIn } from './wire-lists.ts';

const pageMax = 1_000;

export interface DeadLetterFilter {
  readonly name?: string | undefined;
  readonly tenant?: string | undefined;
  /** Behind which page. */
  readonly cursor?: string | undefined;
}

/** Their pages, newest first, until `limit` of them were given. */
export async function* deadLetterPages(
  client: Client,
  filter: DeadLetterFilter,
  limit: number,
): AsyncGenerator<TaskPage> {
  let left = limit;
  let { cursor } = filter;
  do {
    const query = new URLSearchParams({ limit: String(Math.min(pageMax, left)) });
    for (const [name, value] of Object.entries({ ...filter, cursor })) {
      if (value !== undefined) query.set(name, value);
    }
    const page = await client.get<TaskPage>(`/v1/dead-letters?${query}`);
    yield page;
    left -= page.tasks.length;
    cursor = page.cursor;
  } while (cursor !== undefined && left > 0);
}

/** All that a filter fits. A list that is not whole is an error: nothing is done to half of it. */
export async function allDeadLetters(
  client: Client,
  filter: DeadLetterFilter,
): Promise<readonly TaskSummary[]> {
  const found: TaskSummary[] = [];
  for await (const page of deadLetterPages(client, filter, Number.POSITIVE_INFINITY)) {
    if (page.missingShards.length > 0) {
      const shards = page.missingShards.join(', ');
      throw new CliError(
        'noQuorum',
        `shards ${shards} do not answer: their dead letters are missing`,
      );
    }
    found.push(...page.tasks);
  }
  return found;
}

/** Replays or purges, in as many requests as it takes; results in the order of the IDs. */
export async function changeDeadLetters(
  client: Client,
  verb: 'replay' | 'purge',
  ids: readonly string[],
): Promise<readonly BatchResult[]> {
  const results: BatchResult[] = [];
  for (let from = 0; from < ids.length; from += pageMax) {
    const part = ids.slice(from, from + pageMax);
    try {
      const { body } = await client.call<unknown>({
        method: 'POST',
        path: `/v1/dead-letters/${verb}`,
        body: { ids: part },
        // A second replay of a dead letter is refused, a second purge changes nothing.
        repeatable: true,
        timeoutMs: 30_000,
      });
      results.push(...listIn<BatchResult>(body, 'results'));
    } catch (error) {
      // What was done before is told; what comes after would be refused as well.
      if (!isCliError(error) || from === 0) throw error;
      const { code, sentence: message, retryAfterMs } = error;
      for (const id of ids.slice(from))
        results.push({ ok: false, id, code, message, retryAfterMs });
      break;
    }
  }
  return results;
}
