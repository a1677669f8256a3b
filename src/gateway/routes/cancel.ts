/** Cancelling one task or many, and running a settled one again. */
import type { FastifyRequest } from 'fastify';
import type { TaskId } from '../../model/ids.ts';
import type { SubmitReply } from '../../ports/submit-reply.ts';
import { boundTenant, type Identity, seesTenant } from '../access.ts';
import type { GatewayContext } from '../context.ts';
import { ProblemError, problemOf, problemOfError, refuse } from '../problem.ts';
import { bodyOf, identityOf, type Route, resolveId, visibleId } from '../route.ts';
import {
  idListSchema,
  idParams,
  problemSchema,
  resultsSchema,
  submittedSchema,
} from '../schemas.ts';
import { problemOfReply, resultOfProblem, type SubmitResult } from '../submission.ts';

const reasonLengthMax = 1_000;
const reasonSchema = {
  type: 'string',
  maxLength: reasonLengthMax,
  description: 'Shown with the task.',
};

const reasonOf = (body: Readonly<Record<string, unknown>>): string =>
  typeof body['reason'] === 'string' ? body['reason'] : '';

export const cancelRoute: Route = {
  method: 'POST',
  path: '/v1/tasks/:id/cancel',
  role: 'submitter',
  tag: 'tasks',
  summary: 'Cancel a task',
  description:
    'A waiting task is settled at once; a running one gets SIGTERM, and SIGKILL after its grace. ' +
    'Cancelling a cancelled task again changes nothing.',
  schema: {
    params: idParams,
    body: {
      type: ['object', 'null'],
      additionalProperties: false,
      properties: { reason: reasonSchema },
    },
    response: { 200: submittedSchema, 404: problemSchema, 409: problemSchema },
  },
  async run(request, _reply, gateway) {
    const id = await visibleId(request, gateway, 'change');
    const [reply] = await gateway.api.cancel([id], reasonOf(bodyOf(request)), identityOf(request));
    if (reply === undefined) return refuse('internal', 'The node gave no answer.');
    if (!reply.ok) throw new ProblemError(problemOfReply(reply));
    return { id: reply.id, shard: reply.shard, repeated: reply.repeated };
  },
};

/** The IDs that texts stand for; what `identity` may not change is a result already. */
async function resolveAll(
  texts: readonly string[],
  identity: Identity,
  gateway: GatewayContext,
): Promise<(TaskId | SubmitResult)[]> {
  return await Promise.all(
    texts.map(async text => {
      try {
        const id = await resolveId(gateway, text, identity, 'change');
        if (boundTenant(identity) === undefined) return id;
        const { tenant } = await gateway.api.get(id);
        if (seesTenant(identity, tenant)) return id;
        return resultOfProblem(problemOf('unknownTask', `There is no task ${id}.`, { id }));
      } catch (error) {
        const problem = problemOfError(error);
        if (problem === undefined) throw error;
        return resultOfProblem(problem);
      }
    }),
  );
}

export const cancelManyRoute: Route = {
  method: 'POST',
  path: '/v1/tasks/cancel',
  role: 'submitter',
  tag: 'tasks',
  summary: 'Cancel many tasks',
  description: 'Each task is cancelled or refused by itself; `results` has the order of `ids`.',
  schema: {
    body: {
      type: 'object',
      additionalProperties: false,
      required: ['ids'],
      properties: {
        ids: idListSchema,
        reason: reasonSchema,
      },
    },
    response: { 200: resultsSchema, 400: problemSchema },
  },
  async run(request, _reply, gateway) {
    const identity = identityOf(request);
    const reason = reasonOf(bodyOf(request));
    return await changeMany(request, gateway, ids => gateway.api.cancel(ids, reason, identity));
  },
};

/** Changes each task of the body's `ids` by itself, all in one call. */
export async function changeMany(
  request: FastifyRequest,
  gateway: GatewayContext,
  change: (ids: readonly TaskId[]) => Promise<readonly SubmitReply[]>,
): Promise<{ readonly results: readonly SubmitResult[] }> {
  const texts = bodyOf(request)['ids'] as string[];
  const entries = await resolveAll(texts, identityOf(request), gateway);
  const ids = entries.filter(entry => typeof entry === 'string');
  const replies = ids.length > 0 ? await change(ids) : [];
  let position = 0;
  const results = entries.map((entry): SubmitResult => {
    if (typeof entry !== 'string') return entry;
    const reply = replies[position++];
    if (reply === undefined) return refuse('internal', 'The node gave no answer.');
    return reply.ok
      ? { ok: true, id: reply.id, shard: reply.shard, repeated: reply.repeated }
      : resultOfProblem(problemOfReply(reply, entry));
  });
  return { results };
}

export const retryRoute: Route = {
  method: 'POST',
  path: '/v1/tasks/:id/retry',
  role: 'submitter',
  tag: 'tasks',
  summary: 'Run a settled task again',
  description: 'Makes a new task with the same specification; its `retryOf` names this one.',
  schema: { params: idParams, response: { 201: submittedSchema, 409: problemSchema } },
  async run(request, reply, gateway) {
    const id = await visibleId(request, gateway, 'change');
    const answer = await gateway.api.retry(id, identityOf(request));
    if (!answer.ok) throw new ProblemError(problemOfReply(answer));
    reply.code(201);
    return { id: answer.id, shard: answer.shard, state: 'waiting', retryOf: id };
  },
};
