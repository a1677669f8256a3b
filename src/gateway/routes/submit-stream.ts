/**
 * `POST /v1/tasks/stream`: a document a line in, a result a line out, in order, both at once. Lines
 * that are at hand together become one batch; a few batches are under way at a time, and a client
 * that does not read its results is not read from either.
 */
import { Readable } from 'node:stream';
import { limits } from '../../model/limits.ts';
import { specDocumentSchema } from '../../model/spec-document.ts';
import type { Identity } from '../access.ts';
import { parseJson, taskDocumentBytesMax } from '../body.ts';
import type { GatewayContext } from '../context.ts';
import { type LineReading, readLines } from '../lines.ts';
import { ProblemError, problemOf, problemOfError } from '../problem.ts';
import { identityOf, type Route } from '../route.ts';
import { contentOf, problemSchema, resultSchema } from '../schemas.ts';
import {
  type Known,
  knownTo,
  type Prepared,
  prepare,
  resultOfProblem,
  submitPrepared,
} from '../submission.ts';

const batchesInFlightMax = 4;

const internal = problemOf('internal', 'The node failed to answer; its log says why.');

function prepareLine(line: LineReading, identity: Identity, known: Known): Prepared {
  if (line.kind === 'tooLong') {
    const detail = `The line is over the limit of ${taskDocumentBytesMax} bytes; the stream ends.`;
    return { ok: false, problem: problemOf('tooLarge', detail) };
  }
  try {
    if (line.kind === 'noRoom') throw line.error;
    return prepare(parseJson(line.bytes, 'The line'), identity, known);
  } catch (error) {
    if (error instanceof ProblemError) return { ok: false, problem: error.problem };
    throw error;
  }
}

/** The answers to some lines, as the text that is sent. Never rejects. */
async function answerLines(
  lines: readonly LineReading[],
  identity: Identity,
  gateway: GatewayContext,
): Promise<string> {
  let results: object[];
  const bytes = lines.reduce(
    (sum, line) => sum + (line.kind === 'line' ? line.bytes.length : 0),
    0,
  );
  let held = 0;
  try {
    gateway.intake.take(bytes);
    held = bytes;
    const known = knownTo(gateway.api);
    const prepared = lines.map(line => prepareLine(line, identity, known));
    results = await submitPrepared(gateway.api, prepared, identity);
  } catch (error) {
    const problem = problemOfError(error) ?? internal;
    if (problem.code === 'internal') {
      gateway.log.error('submit of a stream failed', { error: String(error) });
    }
    results = lines.map(() => resultOfProblem(problem));
  } finally {
    gateway.intake.give(held);
  }
  const answers = results.map((result, position) =>
    JSON.stringify({ line: lines[position]!.number, ...result }),
  );
  return `${answers.join('\n')}\n`;
}

async function* answers(
  body: Readable,
  identity: Identity,
  gateway: GatewayContext,
): AsyncGenerator<string> {
  const batches = readLines(body, {
    lineBytesMax: taskDocumentBytesMax,
    linesMax: limits.batchItemsMax,
    room: gateway.intake,
  });
  const following = (): Promise<IteratorResult<LineReading[]>> => {
    const reading = batches.next();
    // It may fail while nobody waits for it: where enough is under way, or the client is gone.
    reading.catch(() => undefined);
    return reading;
  };
  let underWay: readonly Promise<string>[] = [];
  let next: Promise<IteratorResult<LineReading[]>> | undefined = following();
  try {
    while (next !== undefined || underWay.length > 0) {
      const oldest = underWay[0];
      const full = underWay.length >= batchesInFlightMax;
      const first =
        next === undefined || full
          ? await oldest
          : oldest === undefined
            ? await next
            : await Promise.race([next, oldest]);
      if (typeof first === 'string') {
        underWay = underWay.slice(1);
        yield first;
      } else if (first === undefined || first.done === true) next = undefined;
      else {
        underWay = [...underWay, answerLines(first.value, identity, gateway)];
        next = following();
      }
    }
  } finally {
    // What was read and nobody asks for any more gives back its room.
    batches.return().catch(error => {
      gateway.log.warn('a stream of submits failed to close', { error: String(error) });
    });
  }
}

export const submitStreamRoute: Route = {
  method: 'POST',
  path: '/v1/tasks/stream',
  role: 'submitter',
  tag: 'tasks',
  summary: 'Submit a stream of tasks',
  description:
    'The body is NDJSON (`application/x-ndjson`): a task document a line. The answer is NDJSON too: ' +
    'a result a line, in the same order, while the body is still being sent. Empty lines are ' +
    'skipped; `line` counts them.',
  schema: {
    body: contentOf('application/x-ndjson', specDocumentSchema, 'A task document a line.'),
    response: {
      200: contentOf('application/x-ndjson', resultSchema, 'A result a line.'),
      400: problemSchema,
    },
  },
  validation: 'own',
  streamsBody: true,
  run(request, reply, gateway) {
    const { body } = request;
    if (!(body instanceof Readable)) {
      throw new ProblemError(
        problemOf('badRequest', 'The body must be NDJSON with the type application/x-ndjson.', {
          field: 'Content-Type',
        }),
      );
    }
    const lines = answers(body, identityOf(request), gateway);
    return reply
      .type('application/x-ndjson')
      .send(Readable.from(lines, { objectMode: false, highWaterMark: 64 * 1024 }));
  },
};
