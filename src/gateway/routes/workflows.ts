/** Workflows: submitting, showing, waiting, cancelling, and running again. */
import type { FastifyRequest } from 'fastify';
import { type TaskId, toTaskId } from '../../model/ids.ts';
import { limits } from '../../model/limits.ts';
import { type Consistency, consistencies } from '../../model/task.ts';
import type { WorkflowView } from '../../model/workflow.ts';
import { workflowDocumentSchema } from '../../model/workflow-document.ts';
import type { SubmitReply } from '../../ports/submit-reply.ts';
import { type RetryStart, retryStarts } from '../../ports/workflow-api.ts';
import { boundTenant, seesTenant } from '../access.ts';
import type { GatewayContext } from '../context.ts';
import { ProblemError, refuse } from '../problem.ts';
import {
  bodyOf,
  clientSignal,
  durationOf,
  identityOf,
  paramOf,
  queryOf,
  type Route,
} from '../route.ts';
import { problemSchema, submittedSchema } from '../schemas.ts';
import { problemOfReply } from '../submission.ts';
import { workflowOf } from '../workflow-request.ts';
import { workflowParams, workflowViewSchema } from '../workflow-schemas.ts';

const waitMsDefault = 30_000;
const waitMsMax = 600_000;

/** The workflow in the path; one of another tenant is unknown. */
export async function briefOf(
  request: FastifyRequest,
  gateway: GatewayContext,
): Promise<WorkflowView> {
  const identity = identityOf(request);
  const { workflows } = gateway.api;
  const text = paramOf(request, 'id');
  const id: TaskId = toTaskId(text) ?? (await workflows.resolve(text, boundTenant(identity)));
  const view = await workflows.get(id, { brief: true });
  if (seesTenant(identity, view.tenant)) return view;
  return refuse('unknownWorkflow', `There is no workflow ${id}.`);
}

function taken(reply: SubmitReply): SubmitReply & { readonly ok: true } {
  if (!reply.ok) throw new ProblemError(problemOfReply(reply));
  return reply;
}

export const submitWorkflowRoute: Route = {
  method: 'POST',
  path: '/v1/workflows',
  role: 'submitter',
  tag: 'workflows',
  summary: 'Submit a workflow',
  description:
    'Answers 201 once all its tasks are on the disks of a majority of its shard, 200 where it had ' +
    'been submitted before. Nothing of it runs before all of it is there; a request that was ' +
    'interrupted is repeated with the same `id`.',
  schema: {
    body: workflowDocumentSchema,
    response: { 201: submittedSchema, 200: submittedSchema, 400: problemSchema },
  },
  validation: 'own',
  bodyBytesMax: limits.httpBodyBytesMax,
  async run(request, reply, gateway) {
    const identity = identityOf(request);
    const workflow = workflowOf(request.body, identity, gateway.api);
    const { id, shard, repeated } = taken(await gateway.api.workflows.submit(workflow, identity));
    if (!repeated) reply.code(201);
    return { id, shard, repeated: repeated || undefined };
  },
};

export const getWorkflowRoute: Route = {
  method: 'GET',
  path: '/v1/workflows/:id',
  role: 'reader',
  tag: 'workflows',
  summary: 'Show a workflow',
  description: 'Its state, and its tasks in an order in which each stands behind its parents.',
  schema: {
    params: workflowParams,
    querystring: {
      type: 'object',
      additionalProperties: false,
      properties: { consistency: { type: 'string', enum: [...consistencies] } },
    },
    response: { 200: workflowViewSchema, 404: problemSchema, 503: problemSchema },
  },
  async run(request, _reply, gateway) {
    const { consistency } = queryOf<{ consistency?: Consistency }>(request);
    const { id } = await briefOf(request, gateway);
    return await gateway.api.workflows.get(id, { consistency });
  },
};

export const waitWorkflowRoute: Route = {
  method: 'GET',
  path: '/v1/workflows/:id/wait',
  role: 'reader',
  tag: 'workflows',
  summary: 'Wait until a workflow settles',
  description:
    'Answers with the settled workflow without its tasks, or with its present state once `timeout` ' +
    '(30s, at most 10m) has passed.',
  schema: {
    params: workflowParams,
    querystring: {
      type: 'object',
      additionalProperties: false,
      properties: { timeout: { type: 'string', examples: ['30s'] } },
    },
    response: { 200: workflowViewSchema, 404: problemSchema },
  },
  async run(request, reply, gateway) {
    const { timeout } = queryOf<{ timeout?: string }>(request);
    const timeoutMs = durationOf(timeout, 'timeout', { missing: waitMsDefault, max: waitMsMax });
    const { id } = await briefOf(request, gateway);
    return await gateway.api.workflows.wait(id, timeoutMs, clientSignal(reply, gateway));
  },
};

export const cancelWorkflowRoute: Route = {
  method: 'POST',
  path: '/v1/workflows/:id/cancel',
  role: 'submitter',
  tag: 'workflows',
  summary: 'Cancel a workflow',
  description: 'Every task of it that has not settled is cancelled; none starts any more.',
  schema: {
    params: workflowParams,
    body: {
      type: ['object', 'null'],
      additionalProperties: false,
      properties: { reason: { type: 'string', maxLength: 1_000 } },
    },
    response: { 200: submittedSchema, 404: problemSchema, 409: problemSchema },
  },
  async run(request, _reply, gateway) {
    const { id } = await briefOf(request, gateway);
    const { reason } = bodyOf(request);
    const text = typeof reason === 'string' ? reason : '';
    const reply = taken(await gateway.api.workflows.cancel(id, text, identityOf(request)));
    return { id, shard: reply.shard, repeated: reply.repeated };
  },
};

export const retryWorkflowRoute: Route = {
  method: 'POST',
  path: '/v1/workflows/:id/retry',
  role: 'submitter',
  tag: 'workflows',
  summary: 'Run a settled workflow again',
  description:
    'Makes a new workflow; its `retryOf` names this one. `from: failed` keeps what succeeded and ' +
    'rests on nothing else, `from: start` keeps nothing.',
  schema: {
    params: workflowParams,
    body: {
      type: ['object', 'null'],
      additionalProperties: false,
      properties: { from: { enum: retryStarts } },
    },
    response: { 201: submittedSchema, 404: problemSchema, 409: problemSchema },
  },
  async run(request, reply, gateway) {
    const { id: retryOf } = await briefOf(request, gateway);
    const from = (bodyOf(request)['from'] ?? 'failed') as RetryStart;
    const answer = await gateway.api.workflows.retry(retryOf, from, identityOf(request));
    const { id, shard } = taken(answer);
    reply.code(201);
    return { id, shard, retryOf };
  },
};
