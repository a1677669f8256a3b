/** Pausing, resuming and changing tasks that are there; pausing a tenant, or the whole cluster. */
import { limits } from '../../model/limits.ts';
import { type JsonSchema, specFields } from '../../model/spec-fields.ts';
import { readUpdateDocument, updateFieldNames } from '../../model/spec-update.ts';
import type { TaskControl } from '../../model/task-change.ts';
import { tokenIn } from '../access.ts';
import type { GatewayContext } from '../context.ts';
import { pausesSchema } from '../control-schemas.ts';
import { ProblemError, problemOfDocument, refuse } from '../problem.ts';
import { bodyOf, identityOf, paramOf, type Route, visibleId } from '../route.ts';
import { idParams, problemSchema, submittedSchema } from '../schemas.ts';
import { problemOfReply } from '../submission.ts';

const reasonLengthMax = 1_000;

export const pauseBody: JsonSchema = {
  type: ['object', 'null'],
  additionalProperties: false,
  properties: {
    reason: {
      type: 'string',
      maxLength: reasonLengthMax,
      description: 'Told to whoever asks later.',
    },
    suspend: {
      type: 'boolean',
      description: 'Stops the processes of what runs; they keep their room and their lease.',
    },
    release: {
      type: 'boolean',
      description: 'Checkpoints what runs and gives its room back: not built yet.',
    },
  },
};

/** What there is nothing to say about may be said with an empty body, or none. */
export const noBody: JsonSchema = {
  type: ['object', 'null'],
  additionalProperties: false,
  properties: {},
};

/** What a body says of a pause. */
export function pauseOf(request: Parameters<Route['run']>[0]): {
  readonly suspend: boolean;
  readonly reason: string;
} {
  const { reason, suspend, release } = bodyOf(request);
  if (release === true) {
    refuse('notYet', 'To checkpoint and release what runs needs checkpoints: use `suspend`.', {
      field: '/release',
    });
  }
  return { suspend: suspend === true, reason: typeof reason === 'string' ? reason : '' };
}

/** Does one thing to the task in the path. */
async function controlTask(
  request: Parameters<Route['run']>[0],
  gateway: GatewayContext,
  asked: () => TaskControl,
): Promise<unknown> {
  // Nothing is said of the body to somebody for whom there is no such task.
  const id = await visibleId(request, gateway, 'change');
  const [reply] = await gateway.api.control([id], asked(), identityOf(request));
  if (reply === undefined) return refuse('internal', 'The node gave no answer.');
  if (!reply.ok) throw new ProblemError(problemOfReply(reply));
  return { id: reply.id, shard: reply.shard, repeated: reply.repeated };
}

const answers = { 200: submittedSchema, 404: problemSchema, 409: problemSchema };

export const pauseTaskRoute: Route = {
  method: 'POST',
  path: '/v1/tasks/:id/pause',
  role: 'submitter',
  tag: 'tasks',
  summary: 'Pause a task',
  description:
    'It is not placed until it is resumed. What runs goes on; with `suspend` its whole process tree ' +
    'is stopped where it is: it keeps its room on the node and its lease, its cap stands still, and ' +
    'it survives a restart of the node. Pausing a paused task changes nothing.',
  schema: { params: idParams, body: pauseBody, response: answers },
  run: (request, _reply, gateway) =>
    controlTask(request, gateway, () => ({ kind: 'pause', ...pauseOf(request) })),
};

export const resumeTaskRoute: Route = {
  method: 'POST',
  path: '/v1/tasks/:id/resume',
  role: 'submitter',
  tag: 'tasks',
  summary: 'Resume a paused task',
  description: 'It may be placed again; what was suspended goes on where it was.',
  schema: { params: idParams, body: noBody, response: answers },
  run: (request, _reply, gateway) => controlTask(request, gateway, () => ({ kind: 'resume' })),
};

export const updateTaskRoute: Route = {
  method: 'POST',
  path: '/v1/tasks/:id/update',
  role: 'submitter',
  tag: 'tasks',
  summary: 'Change a task',
  description:
    'Fields of its document: `priority`, `tolerance`, `name`, `labels`, `attempts` and `backoff` while ' +
    'it waits, `cap` also while it runs ("none" takes it away; one that is shorter than what has run ' +
    'ends the attempt). A new tolerance counts from where the old one did. ' +
    'Its specification stays as it was submitted; `updated` of the task tells what stands in place.',
  schema: {
    params: idParams,
    body: {
      type: 'object',
      additionalProperties: false,
      properties: Object.fromEntries(
        Object.entries(specFields).filter(([name]) => updateFieldNames.includes(name)),
      ),
    },
    response: { ...answers, 400: problemSchema },
  },
  validation: 'own',
  run: (request, _reply, gateway) =>
    controlTask(request, gateway, () => {
      const reading = readUpdateDocument(request.body);
      if (!reading.ok) throw new ProblemError(problemOfDocument(reading.problems));
      return { kind: 'update', overrides: reading.overrides };
    }),
};

export const pausesRoute: Route = {
  method: 'GET',
  path: '/v1/pauses',
  role: 'reader',
  tag: 'cluster',
  summary: 'List what is paused beside single tasks',
  description: 'Tenants whose tasks are not placed, and `*` where those of none are.',
  schema: { response: { 200: pausesSchema } },
  run: (_request, _reply, gateway) => ({ pauses: gateway.api.pauses() }),
};

/** The tenant that stands for all of them. */
const everyTenant = '*';

const placementRoute = (route: {
  readonly path: string;
  readonly on: boolean;
  readonly summary: string;
  readonly description: string;
}): Route => ({
  method: 'POST',
  path: route.path,
  role: 'admin',
  tag: 'cluster',
  summary: route.summary,
  description: route.description,
  schema: {
    ...(route.path.includes(':tenant')
      ? {
          params: {
            type: 'object',
            properties: { tenant: { type: 'string', maxLength: limits.nameBytesMax } },
            required: ['tenant'],
          },
        }
      : {}),
    body: route.on ? pauseBody : noBody,
    response: { 200: pausesSchema, 400: problemSchema, 403: problemSchema },
  },
  async run(request, _reply, gateway) {
    const tenant = paramOf(request, 'tenant') || everyTenant;
    const { suspend, reason } = route.on ? pauseOf(request) : { suspend: false, reason: '' };
    const token = tokenIn(request.headers.authorization);
    const how = { on: route.on, suspend, reason };
    return { pauses: await gateway.api.pausePlacement(tenant, how, token) };
  },
});

export const placementRoutes: readonly Route[] = [
  placementRoute({
    path: '/v1/cluster/pause',
    on: true,
    summary: 'Pause placement',
    description:
      'No task of the cluster is placed until it is resumed; tasks are still taken in. What runs ' +
      'goes on; with `suspend` it is stopped where it is.',
  }),
  placementRoute({
    path: '/v1/cluster/resume',
    on: false,
    summary: 'Resume placement',
    description: 'Tasks are placed again, those of tenants that are paused excepted.',
  }),
  placementRoute({
    path: '/v1/tenants/:tenant/pause',
    on: true,
    summary: 'Pause a tenant',
    description: 'None of its tasks is placed until it is resumed; see /v1/cluster/pause.',
  }),
  placementRoute({
    path: '/v1/tenants/:tenant/resume',
    on: false,
    summary: 'Resume a tenant',
    description: 'Its tasks are placed again, unless the whole cluster is paused.',
  }),
];
