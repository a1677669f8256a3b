/** Pausing and resuming workflows: every task of one that has not settled. */
import type { FastifyRequest } from 'fastify';
import { limits } from '../../model/limits.ts';
import { isSettled } from '../../model/task.ts';
import type { TaskControl } from '../../model/task-change.ts';
import { isWorkflowSettled } from '../../model/workflow.ts';
import type { GatewayContext } from '../context.ts';
import { ProblemError, refuse } from '../problem.ts';
import { identityOf, type Route } from '../route.ts';
import { problemSchema, submittedSchema } from '../schemas.ts';
import { problemOfReply } from '../submission.ts';
import { workflowParams } from '../workflow-schemas.ts';
import { noBody, pauseBody, pauseOf } from './control.ts';
import { briefOf } from './workflows.ts';

async function controlWorkflow(
  request: FastifyRequest,
  gateway: GatewayContext,
  asked: TaskControl,
): Promise<unknown> {
  const { id, shard } = await briefOf(request, gateway);
  const { state, tasks } = await gateway.api.workflows.get(id);
  if (isWorkflowSettled(state)) refuse('alreadySettled', `Workflow ${id} has ${state}.`);
  const open = tasks.filter(task => task.state !== 'missing' && !isSettled(task.state));
  let repeated = true;
  for (let from = 0; from < open.length; from += limits.batchItemsMax) {
    const ids = open.slice(from, from + limits.batchItemsMax).map(task => task.id);
    for (const reply of await gateway.api.control(ids, asked, identityOf(request))) {
      if (reply.ok) repeated &&= reply.repeated;
      // It settled meanwhile: there is nothing left to do about it.
      else if (reply.code !== 'alreadySettled') throw new ProblemError(problemOfReply(reply, id));
    }
  }
  return { id, shard, repeated };
}

const answers = { 200: submittedSchema, 404: problemSchema, 409: problemSchema };

export const pauseWorkflowRoute: Route = {
  method: 'POST',
  path: '/v1/workflows/:id/pause',
  role: 'submitter',
  tag: 'workflows',
  summary: 'Pause a workflow',
  description:
    'None of its tasks is placed until it is resumed; what runs goes on, or is stopped where it is ' +
    'with `suspend`. Repeating it is safe.',
  schema: { params: workflowParams, body: pauseBody, response: answers },
  run: (request, _reply, gateway) =>
    controlWorkflow(request, gateway, { kind: 'pause', ...pauseOf(request) }),
};

export const resumeWorkflowRoute: Route = {
  method: 'POST',
  path: '/v1/workflows/:id/resume',
  role: 'submitter',
  tag: 'workflows',
  summary: 'Resume a paused workflow',
  description: 'Its tasks may be placed again; what was suspended goes on where it was.',
  schema: { params: workflowParams, body: noBody, response: answers },
  run: (request, _reply, gateway) => controlWorkflow(request, gateway, { kind: 'resume' }),
};
