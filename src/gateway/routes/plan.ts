/** `POST /v1/plan`: what would become of tasks, without submitting them. */
import { limits } from '../../model/limits.ts';
import { specDocumentSchema } from '../../model/spec-document.ts';
import { planSchema } from '../control-schemas.ts';
import { refuse } from '../problem.ts';
import { bodyOf, identityOf, type Route } from '../route.ts';
import { problemSchema } from '../schemas.ts';
import { knownTo, prepare } from '../submission.ts';

export const planRoute: Route = {
  method: 'POST',
  path: '/v1/plan',
  role: 'reader',
  tag: 'tasks',
  summary: 'Tell what would become of tasks',
  description:
    'Each document is read as for a submit, and the planner is asked where its tasks would start ' +
    'now, from what nodes advertised. Nothing is submitted, and nothing is kept free: what waits ' +
    'already comes first. `plans` has the order of `tasks`.',
  schema: {
    body: {
      type: 'object',
      additionalProperties: false,
      required: ['tasks'],
      properties: {
        tasks: { type: 'array', maxItems: limits.batchItemsMax, items: specDocumentSchema },
      },
    },
    response: { 200: planSchema, 400: problemSchema, 413: problemSchema },
  },
  validation: 'own',
  run(request, _reply, gateway) {
    const identity = identityOf(request);
    const { tasks } = bodyOf(request);
    if (!Array.isArray(tasks)) {
      refuse('badRequest', 'A plan has a list of task documents in `tasks`.', { field: '/tasks' });
    }
    if (tasks.length > limits.batchItemsMax) {
      refuse('tooLarge', `A plan takes at most ${limits.batchItemsMax} documents.`, {
        field: '/tasks',
      });
    }
    const known = knownTo(gateway.api);
    const prepared = tasks.map(document => prepare(document, identity, known));
    const read = prepared.filter(one => one.ok);
    const count = read.reduce((sum, { requests }) => sum + requests.length, 0);
    if (count > limits.plannedTasksMax) {
      refuse('tooLarge', `A plan takes at most ${limits.plannedTasksMax} tasks, not ${count}.`);
    }
    const plans = gateway.api.plan(
      read.map(({ requests }) => ({ spec: requests[0]!.spec, count: requests.length })),
    );
    let next = 0;
    return {
      plans: prepared.map(one => {
        if (!one.ok) {
          const { code, detail: message, field, problems } = one.problem;
          return { name: '', count: 0, verdict: 'refused', code, message, field, problems };
        }
        const { requests } = one;
        return { name: requests[0]!.spec.name, count: requests.length, ...plans[next++]! };
      }),
    };
  },
};
