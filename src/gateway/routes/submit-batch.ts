/** `POST /v1/tasks/batch`: many documents in one request, each accepted or refused by itself. */
import { limits } from '../../model/limits.ts';
import { specDocumentSchema } from '../../model/spec-document.ts';
import { refuse } from '../problem.ts';
import { bodyOf, identityOf, type Route } from '../route.ts';
import { problemSchema, resultsSchema } from '../schemas.ts';
import { knownTo, prepare, submitPrepared } from '../submission.ts';

export const submitBatchRoute: Route = {
  method: 'POST',
  path: '/v1/tasks/batch',
  role: 'submitter',
  tag: 'tasks',
  summary: 'Submit up to 1,000 tasks',
  description:
    'Each document is accepted or refused by itself; `results` has their order. Repeating the ' +
    'request with an `id` in each document is safe.',
  schema: {
    body: {
      type: 'object',
      additionalProperties: false,
      required: ['tasks'],
      properties: {
        tasks: { type: 'array', maxItems: limits.batchItemsMax, items: specDocumentSchema },
      },
    },
    response: { 200: resultsSchema, 400: problemSchema },
  },
  validation: 'own',
  async run(request, _reply, gateway) {
    const identity = identityOf(request);
    const { tasks, ...others } = bodyOf(request);
    const unknown = Object.keys(others)[0];
    if (unknown !== undefined) {
      refuse('badRequest', `A batch has the one field \`tasks\`, not \`${unknown.slice(0, 40)}\`.`);
    }
    if (!Array.isArray(tasks)) {
      refuse('badRequest', 'A batch has a list of task documents in `tasks`.', { field: '/tasks' });
    }
    if (tasks.length > limits.batchItemsMax) {
      refuse(
        'tooLarge',
        `The batch holds ${tasks.length} documents; at most ${limits.batchItemsMax} are allowed.`,
        { field: '/tasks' },
      );
    }
    const known = knownTo(gateway.api);
    const prepared = tasks.map(document => prepare(document, identity, known));
    return { results: await submitPrepared(gateway.api, prepared, identity) };
  },
};
