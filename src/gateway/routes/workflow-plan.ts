/** `POST /v1/workflows/plan`: what would become of a workflow, without submitting it. */
import { limits } from '../../model/limits.ts';
import { workflowDocumentSchema } from '../../model/workflow-document.ts';
import { workflowPlanSchema } from '../control-schemas.ts';
import { identityOf, type Route } from '../route.ts';
import { problemSchema } from '../schemas.ts';
import { workflowOf } from '../workflow-request.ts';

export const planWorkflowRoute: Route = {
  method: 'POST',
  path: '/v1/workflows/plan',
  role: 'reader',
  tag: 'workflows',
  summary: 'Tell what would become of a workflow',
  description:
    'Its document is read as for a submit. The tasks that wait for no other are planned together; ' +
    'each of the others by itself, on the nodes as they are now, for nobody knows when its turn ' +
    'comes. Nothing is submitted, and nothing is kept free. Of a large workflow `stages` counts all ' +
    'tasks, and `plans` holds the first, refused ones before others.',
  schema: {
    body: workflowDocumentSchema,
    response: { 200: workflowPlanSchema, 400: problemSchema, 413: problemSchema },
  },
  validation: 'own',
  bodyBytesMax: limits.httpBodyBytesMax,
  run(request, _reply, gateway) {
    const workflow = workflowOf(request.body, identityOf(request), gateway.api);
    const { tasks, stages, ...about } = gateway.api.workflows.plan(workflow);
    return {
      name: workflow.name,
      ...about,
      stageCount: stages.length,
      stages: stages.slice(0, limits.plannedRowsMax),
      plans: tasks.map(({ after, ...task }) => ({
        ...task,
        count: 1,
        after: after.slice(0, afterShownMax),
        afterCount: after.length,
      })),
    };
  },
};

/** Parents that a row names: edges may be ten times the tasks. */
const afterShownMax = 10;
