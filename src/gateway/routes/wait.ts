/** `GET /v1/tasks/:id/wait`: a long poll that ends when the task settles. */
import { clientSignal, durationOf, queryOf, type Route, visibleId } from '../route.ts';
import { idParams, problemSchema, taskViewSchema } from '../schemas.ts';

const waitMsDefault = 30_000;
const waitMsMax = 600_000;

export const waitRoute: Route = {
  method: 'GET',
  path: '/v1/tasks/:id/wait',
  role: 'reader',
  tag: 'tasks',
  summary: 'Wait until a task settles',
  description:
    'Answers with the settled task, or with its present state once `timeout` (30s, at most 10m) has ' +
    'passed: look at `state` and ask again.',
  schema: {
    params: idParams,
    querystring: {
      type: 'object',
      additionalProperties: false,
      properties: { timeout: { type: 'string', examples: ['30s'] } },
    },
    response: { 200: taskViewSchema, 404: problemSchema },
  },
  async run(request, reply, gateway) {
    const { timeout } = queryOf<{ timeout?: string }>(request);
    const timeoutMs = durationOf(timeout, 'timeout', { missing: waitMsDefault, max: waitMsMax });
    const id = await visibleId(request, gateway);
    return await gateway.api.wait(id, timeoutMs, clientSignal(reply, gateway));
  },
};
