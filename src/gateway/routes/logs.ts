/**
 * `GET /v1/tasks/:id/logs`: the raw output of one attempt, from any node. With `follow` the answer
 * goes on until the attempt has ended; a client whose connection broke goes on from the offset it
 * had reached. An answer that cannot be completed breaks off, it never ends as if it were whole.
 */
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { TschedError } from '../../model/errors.ts';
import type { TaskId } from '../../model/ids.ts';
import { isSettled } from '../../model/task.ts';
import type { OutputPage, OutputQuery } from '../../ports/node-api.ts';
import type { GatewayContext } from '../context.ts';
import { clientSignal, queryOf, type Route, visibleId } from '../route.ts';
import { contentOf, idParams, problemSchema } from '../schemas.ts';

const pageBytes = 256 * 1024;
const followWaitMs = 5_000;
/** How long `follow` waits for a first attempt before it says that there is none. */
const startWaitMs = 30_000;
const startPollMs = 200;

interface LogsQuery {
  readonly attempt?: number;
  readonly stream: 'stdout' | 'stderr';
  readonly offset: number;
  readonly follow: boolean;
}

const isNoOutput = (error: unknown): boolean =>
  error instanceof TschedError && error.code === 'noOutput';

/** The first page; a task that has not started yet is waited for where its output is followed. */
async function firstPage(
  gateway: GatewayContext,
  query: OutputQuery,
  waits: boolean,
  signal: AbortSignal,
): Promise<OutputPage> {
  const deadline = performance.now() + startWaitMs;
  for (;;) {
    try {
      return await gateway.api.output(query);
    } catch (error) {
      const tries = waits && isNoOutput(error) && performance.now() < deadline && !signal.aborted;
      if (!tries || isSettled((await gateway.api.get(query.id)).state)) throw error;
    }
    await delay(startPollMs);
  }
}

async function* restOf(
  gateway: GatewayContext,
  first: OutputPage,
  query: OutputQuery,
  follow: boolean,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let page = first;
  let offset = query.offset;
  for (;;) {
    const left = follow ? page.bytes.length : Math.max(0, first.size - offset);
    const bytes = page.bytes.subarray(0, left);
    if (bytes.length > 0) yield bytes;
    offset += bytes.length;
    if (follow ? page.ended && offset >= page.size : offset >= first.size) return;
    if (signal.aborted) throw new TschedError('nodeUnreachable', 'the output was not sent whole');
    if (!follow && bytes.length === 0) {
      throw new TschedError('noOutput', 'the output is shorter than it was');
    }
    page = await gateway.api.output({
      ...query,
      attempt: first.attempt,
      offset,
      waitMs: follow ? followWaitMs : 0,
    });
  }
}

export const logsRoute: Route = {
  method: 'GET',
  path: '/v1/tasks/:id/logs',
  role: 'reader',
  tag: 'tasks',
  summary: 'Read the output of a task',
  description:
    'Raw bytes from `offset` on. The headers X-Tsched-Attempt, X-Tsched-Offset, X-Tsched-Size and ' +
    'X-Tsched-Ended say what they are of, as of the beginning of the answer. With `follow` the ' +
    'answer ends when the attempt has ended and everything was sent.',
  schema: {
    params: idParams,
    querystring: {
      type: 'object',
      additionalProperties: false,
      properties: {
        attempt: { type: 'integer', minimum: 1, description: 'The newest that started, else.' },
        stream: { enum: ['stdout', 'stderr'], default: 'stdout' },
        offset: { type: 'integer', minimum: 0, default: 0 },
        follow: { type: 'boolean', default: false },
      },
    },
    response: {
      200: contentOf(
        'application/octet-stream',
        { type: 'string', format: 'binary' },
        'The output as it was written.',
      ),
      404: problemSchema,
    },
  },
  async run(request, reply, gateway) {
    const { attempt, stream, offset, follow } = queryOf<LogsQuery>(request);
    const signal = clientSignal(reply, gateway);
    const id: TaskId = await visibleId(request, gateway);
    const query = { id, attempt, stream, offset, maxBytes: pageBytes, waitMs: 0 };
    const first = await firstPage(gateway, query, follow && attempt === undefined, signal);
    reply
      .type('application/octet-stream')
      .header('X-Tsched-Attempt', first.attempt)
      .header('X-Tsched-Offset', offset)
      .header('X-Tsched-Size', first.size)
      .header('X-Tsched-Ended', String(first.ended));
    if (!follow) reply.header('Content-Length', Math.max(0, first.size - offset));
    const pages = restOf(gateway, first, query, follow, signal);
    return reply.send(Readable.from(pages, { objectMode: false, highWaterMark: pageBytes }));
  },
};
