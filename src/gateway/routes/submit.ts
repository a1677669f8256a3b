/**
 * `POST /v1/tasks`: one document, one task or one array. The hot path: no schema library, no
 * serializer, and concurrent requests share one call into the node.
 */
import type { FastifyReply } from 'fastify';
import { specDocumentSchema } from '../../model/spec-document.ts';
import type { Identity } from '../access.ts';
import { taskDocumentBytesMax } from '../body.ts';
import type { GatewayContext } from '../context.ts';
import { ProblemError, problemOf } from '../problem.ts';
import { identityOf, type Route } from '../route.ts';
import { problemSchema, submittedSchema } from '../schemas.ts';
import { knownTo, type Prepared, prepare, problemOfReply, submitPrepared } from '../submission.ts';

async function submitArray(
  prepared: Prepared & { ok: true },
  identity: Identity,
  reply: FastifyReply,
  gateway: GatewayContext,
): Promise<unknown> {
  const [result] = await submitPrepared(gateway.api, [prepared], identity);
  if (result === undefined) return undefined;
  if (!result.ok) {
    const { code, message, id, field, problems, retryAfterMs } = result;
    throw new ProblemError(problemOf(code, message, { id, field, problems, retryAfterMs }));
  }
  const { ok: _ok, ...answer } = result;
  reply.code(result.repeated === true ? 200 : 201);
  return answer;
}

export const submitRoute: Route = {
  method: 'POST',
  path: '/v1/tasks',
  role: 'submitter',
  tag: 'tasks',
  summary: 'Submit a task',
  description:
    'Answers 201 once the task is on the disks of a majority of its shard, 200 where the same task ' +
    'had been submitted before. A request with an `id` may be repeated safely; repeat it with the ' +
    'same `id` after `outcomeUnknown` or a broken connection.',
  schema: {
    body: specDocumentSchema,
    response: { 201: submittedSchema, 200: submittedSchema, 400: problemSchema },
  },
  validation: 'own',
  bodyBytesMax: taskDocumentBytesMax,
  async run(request, reply, gateway) {
    const identity = identityOf(request);
    const prepared = prepare(request.body, identity, knownTo(gateway.api));
    if (!prepared.ok) throw new ProblemError(prepared.problem);
    if (prepared.arrayId !== undefined) {
      return await submitArray(prepared, identity, reply, gateway);
    }
    const answer = await gateway.submits.submit(prepared.requests[0]!, identity);
    if (!answer.ok) throw new ProblemError(problemOfReply(answer));
    reply.type('application/json');
    const { id, shard, startBoundMs } = answer;
    const bound = startBoundMs === undefined ? '' : `,"startBoundMs":${startBoundMs}`;
    if (answer.repeated) return `{"id":"${id}","shard":${shard},"repeated":true${bound}}`;
    reply.code(201);
    return `{"id":"${id}","shard":${shard},"state":"waiting"${bound}}`;
  },
};
