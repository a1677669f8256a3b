/**
 * `GET /v1/history`: settled tasks as NDJSON, as many as there are. A page is asked for when the
 * client has read the one before, so that neither side holds more than that; after each page a line
 * says how to go on behind it. An answer that cannot be completed breaks off: it has no last line.
 */
import { Readable } from 'node:stream';
import { type Consistency, isSettled, taskStates } from '../../model/task.ts';
import type { HistoryPage, HistoryQuery } from '../../ports/history.ts';
import type { GatewayContext } from '../context.ts';
import { refuse } from '../problem.ts';
import { clientSignal, identityOf, queryOf, type Route } from '../route.ts';
import {
  contentOf,
  described,
  listOf,
  object,
  problemSchema,
  taskViewSchema,
  text,
  whole,
} from '../schemas.ts';
import {
  consistencySchema,
  cursorSchema,
  type FilterQuery,
  filterOf,
  filterSchema,
} from '../task-query.ts';

const lineSchema = object({
  'task?': described(taskViewSchema, 'As of a task that is shown; without the output it wrote.'),
  'cursor?': described(text, 'Everything before this line was sent: `cursor` goes on behind it.'),
  'end?': described(
    object({
      tasks: described(whole, 'How many were sent.'),
      missingShards: described(listOf(whole), 'Shards that did not answer: tasks are missing.'),
      staleShards: described(
        listOf(whole),
        'Told of without a majority: the newest may be missing.',
      ),
    }),
    'The last line.',
  ),
});

const settledStates = taskStates.filter(isSettled);

async function* linesOf(
  gateway: GatewayContext,
  query: HistoryQuery,
  first: HistoryPage,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const missing = new Set<number>();
  const stale = new Set<number>();
  let tasks = 0;
  for (let page = first; ; ) {
    if (page.missingShard !== undefined) missing.add(page.missingShard);
    if (page.staleShard !== undefined) stale.add(page.staleShard);
    tasks += page.tasks.length;
    let lines = page.tasks.map(task => `${JSON.stringify({ task })}\n`).join('');
    const { cursor } = page;
    if (cursor === undefined) {
      const end = { tasks, missingShards: [...missing], staleShards: [...stale] };
      yield `${lines}${JSON.stringify({ end })}\n`;
      return;
    }
    lines += `${JSON.stringify({ cursor })}\n`;
    yield lines;
    if (signal.aborted) return;
    page = await gateway.api.history({ ...query, cursor });
  }
}

export const historyRoute: Route = {
  method: 'GET',
  path: '/v1/history',
  role: 'reader',
  tag: 'tasks',
  summary: 'Export settled tasks',
  description:
    'NDJSON: a line with `task` for each, shard by shard, the oldest of each first; after each page ' +
    'a line with `cursor`; at the end one with `end`. What settles while it is read is in it where ' +
    'its shard has not been gone through yet; `settledUntilMs` makes the same of every run.',
  schema: {
    querystring: {
      type: 'object',
      additionalProperties: false,
      properties: { ...filterSchema, cursor: cursorSchema, consistency: consistencySchema },
    },
    response: {
      200: contentOf('application/x-ndjson', lineSchema, 'A task, a cursor or the end a line.'),
      400: problemSchema,
      503: problemSchema,
    },
  },
  async run(request, reply, gateway) {
    const asked = queryOf<FilterQuery & { cursor?: string; consistency?: Consistency }>(request);
    const filter = filterOf(asked, identityOf(request));
    const states = filter.states ?? settledStates;
    if (!states.every(isSettled)) {
      const known = settledStates.join(', ');
      return refuse('badRequest', `Only settled tasks are exported: ${known}.`, { field: 'state' });
    }
    const query = { ...filter, states, cursor: asked.cursor, consistency: asked.consistency };
    const signal = clientSignal(reply, gateway);
    const first = await gateway.api.history(query);
    const lines = linesOf(gateway, query, first, signal);
    return reply
      .type('application/x-ndjson')
      .send(Readable.from(lines, { objectMode: false, highWaterMark: 64 * 1024 }));
  },
};
