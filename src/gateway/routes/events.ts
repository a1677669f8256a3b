/**
 * `GET /v1/events`: what happens to tasks, as server-sent events. The ID of an event is a cursor: a
 * client that comes back with it (`Last-Event-ID`, as browsers do, or `cursor`) misses nothing.
 */
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { TaskEvent } from '../../model/task.ts';
import { boundTenant, type Identity } from '../access.ts';
import type { GatewayContext } from '../context.ts';
import { ProblemError, problemOf, problemOfError } from '../problem.ts';
import { clientSignal, identityOf, queryOf, type Route, resolveId } from '../route.ts';
import { contentOf, eventSchema, problemSchema } from '../schemas.ts';

/** A comment is sent after this time without an event: it shows that the connection lives. */
const heartbeatMs = 10_000;
/** How long the answer is held back to see whether the cursor is still good. */
const cursorCheckMs = 1_000;

type Next = IteratorResult<{ readonly cursor: string; readonly event: TaskEvent }>;

const quiet = Symbol('quiet');

/**
 * The next event, or `quiet` where none came in time. A late event is not lost: it stays in `next`.
 */
async function within(next: Promise<Next>, waitMs: number): Promise<Next | typeof quiet> {
  const timer = new AbortController();
  try {
    const silence = delay(waitMs, quiet, { signal: timer.signal });
    return await Promise.race([next, silence.catch((): typeof quiet => quiet)]);
  } finally {
    timer.abort();
  }
}

async function* render(
  events: AsyncIterator<{ readonly cursor: string; readonly event: TaskEvent }>,
  first: Promise<Next>,
  gateway: GatewayContext,
): AsyncGenerator<string> {
  yield 'retry: 1000\n\n';
  let next = first;
  try {
    for (;;) {
      const result = await within(next, heartbeatMs);
      if (result === quiet) {
        yield ': still here\n\n';
        continue;
      }
      if (result.done === true) return;
      const { cursor, event } = result.value;
      next = events.next();
      // It may fail while a slow reader keeps this from asking for it.
      next.catch(() => undefined);
      yield `id: ${cursor}\ndata: ${JSON.stringify(event)}\n\n`;
    }
  } catch (error) {
    const problem = problemOfError(error) ?? problemOf('internal', 'The stream failed.');
    if (problem.code === 'internal')
      gateway.log.error('event stream failed', { error: String(error) });
    yield `event: problem\ndata: ${JSON.stringify(problem)}\n\n`;
  } finally {
    // The source may be in the middle of a wait that its signal ends: this must not wait for it,
    // and what it says after the stream is over has nobody to be told to.
    next.catch(() => undefined);
    events.return?.().catch(error => {
      gateway.log.warn('event source failed to close', { error: String(error) });
    });
  }
}

async function filterOf(task: string | undefined, identity: Identity, gateway: GatewayContext) {
  const tenant = boundTenant(identity);
  const taskId = task === undefined ? undefined : await resolveId(gateway, task, identity);
  return { tenant, taskId };
}

export const eventsRoute: Route = {
  method: 'GET',
  path: '/v1/events',
  role: 'reader',
  tag: 'tasks',
  summary: 'Follow what happens to tasks',
  description:
    'Server-sent events. The `id` of each is a cursor; give the last one as `Last-Event-ID` or ' +
    '`cursor` to go on behind it. Without one the stream begins now. A cursor that points before ' +
    'what is kept answers 410 `cursorExpired`.',
  schema: {
    querystring: {
      type: 'object',
      additionalProperties: false,
      properties: {
        cursor: { type: 'string', maxLength: 16_384 },
        task: { type: 'string', description: 'Only events of this task.' },
      },
    },
    response: {
      200: contentOf('text/event-stream', eventSchema, 'Each `data` is one such event.'),
      410: problemSchema,
    },
  },
  async run(request, reply, gateway) {
    const query = queryOf<{ cursor?: string; task?: string }>(request);
    const header = request.headers['last-event-id'];
    const cursor = typeof header === 'string' && header !== '' ? header : query.cursor;
    const filter = await filterOf(query.task, identityOf(request), gateway);
    const signal = clientSignal(reply, gateway);
    const events = gateway.api.events(cursor, filter, signal)[Symbol.asyncIterator]();
    const first = events.next();
    try {
      await within(first, cursor === undefined ? 0 : cursorCheckMs);
    } catch (error) {
      const problem = problemOfError(error);
      throw problem === undefined ? error : new ProblemError(problem);
    }
    return reply
      .type('text/event-stream')
      .header('Cache-Control', 'no-store')
      .header('X-Accel-Buffering', 'no')
      .send(Readable.from(render(events, first, gateway), { objectMode: false }));
  },
};
