/** Schedules: making and reading them, what is done by hand, and what is to come. */
import type { FastifyRequest } from 'fastify';
import { isMap } from '../../model/document.ts';
import { toTaskId } from '../../model/ids.ts';
import { parseInstant } from '../../model/instant.ts';
import { limits } from '../../model/limits.ts';
import type { ScheduleDefinition, ScheduleName } from '../../model/schedule.ts';
import { readScheduleDocument } from '../../model/schedule-document.ts';
import { scheduleDocumentSchema } from '../../model/schedule-fields.ts';
import type { TaskSpec } from '../../model/spec.ts';
import { boundTenant, type Identity } from '../access.ts';
import { taskDocumentBytesMax } from '../body.ts';
import type { GatewayContext } from '../context.ts';
import { ProblemError, problemOfDocument, refuse } from '../problem.ts';
import { bodyOf, identityOf, paramOf, queryOf, type Route } from '../route.ts';
import {
  backfilledSchema,
  firedSchema,
  nextSchema,
  scheduleMadeSchema,
  schedulePageSchema,
  scheduleViewSchema,
} from '../schedule-schemas.ts';
import { emptySchema, problemSchema } from '../schemas.ts';
import { drawId } from '../submission.ts';
import { resolveInside } from '../templates.ts';

const params = {
  type: 'object',
  required: ['name'],
  properties: { name: { type: 'string', description: 'Name of a schedule.' } },
};
const tenant = {
  type: 'string',
  description: "Whose schedule; the token's tenant where it is left out. Others for admins only.",
};
const ofTenant = { type: 'object', additionalProperties: false, properties: { tenant } };
const count = { type: 'integer', minimum: 1, maximum: limits.nextOccurrencesMax, default: 5 };
const problems = { 400: problemSchema, 404: problemSchema, 503: problemSchema };
const listMax = 1_000;

/** The schedule that the path names; another tenant's is unknown. */
function nameOf(request: FastifyRequest): ScheduleName {
  const identity = identityOf(request);
  const name = paramOf(request, 'name');
  const { tenant: asked = identity.tenant } = queryOf<{ tenant?: string }>(request);
  if (asked !== identity.tenant && identity.role !== 'admin') {
    return refuse('unknownSchedule', `There is no schedule ${name}.`);
  }
  return { tenant: asked, name };
}

/** The document with what a template makes in the place of its task, where that uses one. */
function withoutTemplate(document: unknown, { tenant }: Identity, api: GatewayContext['api']) {
  if (!isMap(document)) return document;
  const inner = { document: document['task'], pointer: '/task' };
  const resolved = resolveInside(inner, tenant, api);
  if (!resolved.ok) throw new ProblemError(resolved.problem);
  return { ...document, task: resolved.document };
}

/** Reads a document and holds it against the calendar; throws all that is wrong with it. */
function readSchedule(
  body: unknown,
  identity: Identity,
  gateway: GatewayContext,
): { readonly definition: ScheduleDefinition; readonly spec: TaskSpec } {
  const { tenant, name: owner } = identity;
  const defaults = { tenant, owner, tiers: gateway.api.tiers() };
  const document = withoutTemplate(body, identity, gateway.api);
  const reading = readScheduleDocument(document, defaults);
  if (!reading.ok) throw new ProblemError(problemOfDocument(reading.problems));
  const { definition, spec } = reading;
  if (spec.tenant !== identity.tenant && identity.role !== 'admin') {
    const whose = `The token belongs to the tenant ${identity.tenant}, not to ${spec.tenant}.`;
    return refuse('forbidden', whose, { field: '/task/tenant' });
  }
  const wrong = gateway.api.schedules.problems(definition);
  if (wrong.length > 0) throw new ProblemError(problemOfDocument(wrong));
  return { definition, spec };
}

export const createScheduleRoute: Route = {
  method: 'POST',
  path: '/v1/schedules',
  role: 'submitter',
  tag: 'schedules',
  summary: 'Create a schedule',
  description:
    'Answers 201 once it is on the disks of a majority of its shard, 200 where the same schedule ' +
    'was there already: so the request may be repeated. `scheduleExists` says that another one ' +
    'has the name. A task that uses a template is kept as the template makes it now.',
  schema: {
    body: scheduleDocumentSchema,
    response: {
      201: scheduleMadeSchema,
      200: scheduleMadeSchema,
      409: problemSchema,
      ...problems,
    },
  },
  validation: 'own',
  bodyBytesMax: taskDocumentBytesMax,
  async run(request, reply, gateway) {
    const identity = identityOf(request);
    const { definition, spec } = readSchedule(request.body, identity, gateway);
    const { schedules } = gateway.api;
    const { shard, repeated } = await schedules.create(definition, spec, identity);
    reply.code(repeated ? 200 : 201);
    const [nextAtMs] = schedules.next(definition, { count: 1 });
    return { name: definition.name, tenant: definition.tenant, shard, nextAtMs, repeated };
  },
};

export const schedulesRoute: Route = {
  method: 'GET',
  path: '/v1/schedules',
  role: 'reader',
  tag: 'schedules',
  summary: 'List schedules',
  description: 'By tenant and name, over all shards. Shards that did not answer are named.',
  schema: {
    querystring: {
      type: 'object',
      additionalProperties: false,
      properties: {
        tenant,
        limit: { type: 'integer', minimum: 1, maximum: listMax, default: listMax },
        after: { type: 'string', description: '`cursor` of the page before.' },
      },
    },
    response: { 200: schedulePageSchema },
  },
  run(request, _reply, gateway) {
    const query = queryOf<{ tenant?: string; limit?: number; after?: string }>(request);
    const bound = boundTenant(identityOf(request));
    const { limit = listMax, after } = query;
    return gateway.api.schedules.list({ tenant: bound ?? query.tenant, limit, after });
  },
};

export const scheduleRoute: Route = {
  method: 'GET',
  path: '/v1/schedules/:name',
  role: 'reader',
  tag: 'schedules',
  summary: 'Show a schedule',
  description: 'With what it has fired lately and what runs of it.',
  schema: { params, querystring: ofTenant, response: { 200: scheduleViewSchema, ...problems } },
  run: (request, _reply, gateway) => gateway.api.schedules.get(nameOf(request)),
};

const pausing = (paused: boolean): Route['run'] =>
  async function run(request, _reply, gateway) {
    const { reason } = bodyOf(request);
    const how = { paused, reason: typeof reason === 'string' ? reason : '' };
    const name = nameOf(request);
    await gateway.api.schedules.pause(name, how, identityOf(request));
    return gateway.api.schedules.get(name);
  };

export const pauseScheduleRoute: Route = {
  method: 'POST',
  path: '/v1/schedules/:name/pause',
  role: 'submitter',
  tag: 'schedules',
  summary: 'Pause a schedule',
  description: 'Nothing fires until it is resumed. What runs goes on.',
  schema: {
    params,
    querystring: ofTenant,
    body: {
      type: ['object', 'null'],
      additionalProperties: false,
      properties: { reason: { type: 'string', maxLength: 500 } },
    },
    response: { 200: scheduleViewSchema, ...problems },
  },
  run: pausing(true),
};

export const resumeScheduleRoute: Route = {
  method: 'POST',
  path: '/v1/schedules/:name/resume',
  role: 'submitter',
  tag: 'schedules',
  summary: 'Resume a schedule',
  description: 'It fires again from now on; what passed meanwhile is not caught up with.',
  schema: { params, querystring: ofTenant, response: { 200: scheduleViewSchema, ...problems } },
  run: pausing(false),
};

export const triggerScheduleRoute: Route = {
  method: 'POST',
  path: '/v1/schedules/:name/trigger',
  role: 'submitter',
  tag: 'schedules',
  summary: 'Fire a schedule now',
  description:
    'Also where it is paused or over; not counted as an occurrence. Its rule for overlaps holds. ' +
    'A request with an `id`, drawn as for a task, may be repeated safely; the slot in it is set to ' +
    'that of the schedule.',
  schema: {
    params,
    querystring: ofTenant,
    body: {
      type: ['object', 'null'],
      additionalProperties: false,
      properties: { id: { type: 'string', maxLength: 20 } },
    },
    response: { 200: firedSchema, 409: problemSchema, ...problems },
  },
  run(request, _reply, gateway) {
    const { id } = bodyOf(request);
    const drawn = typeof id === 'string' ? toTaskId(id) : undefined;
    if (id !== undefined && drawn === undefined) {
      refuse('badId', `"${String(id)}" is not a task ID.`, { field: '/id' });
    }
    return gateway.api.schedules.trigger(nameOf(request), drawn, identityOf(request));
  },
};

function instantIn(body: Readonly<Record<string, unknown>>, name: string): number {
  const value = body[name];
  const found = typeof value === 'string' ? parseInstant(value) : undefined;
  if (found !== undefined) return found;
  const example = '2027-01-31T09:30:00Z';
  return refuse('badRequest', `\`${name}\` must be an instant such as ${example}.`, {
    field: `/${name}`,
  });
}

export const backfillRoute: Route = {
  method: 'POST',
  path: '/v1/schedules/:name/backfill',
  role: 'submitter',
  tag: 'schedules',
  summary: 'Fire occurrences of the past',
  description:
    `Those from \`from\` up to \`to\`, both included, at most ${limits.backfillMax}: whether they ` +
    'fired before or not. One after the other, unless the schedule allows overlaps. Repeating a ' +
    'request with its `request` fires nothing twice.',
  schema: {
    params,
    querystring: ofTenant,
    body: {
      type: 'object',
      additionalProperties: false,
      required: ['from', 'to'],
      properties: {
        from: { type: 'string', description: 'An instant, ISO 8601; UTC without an offset.' },
        to: { type: 'string', description: 'The same; not after now.' },
        request: { type: 'string', minLength: 1, maxLength: 40 },
      },
    },
    response: { 200: backfilledSchema, ...problems },
  },
  async run(request, _reply, gateway) {
    const body = bodyOf(request);
    const [fromMs, toMs] = [instantIn(body, 'from'), instantIn(body, 'to')];
    if (toMs < fromMs) refuse('badRequest', '`to` is before `from`.', { field: '/to' });
    const named = body['request'];
    const key = typeof named === 'string' ? named : drawId();
    const range = { fromMs, toMs, request: key };
    const { schedules } = gateway.api;
    return {
      ...(await schedules.backfill(nameOf(request), range, identityOf(request))),
      request: key,
    };
  },
};

export const deleteScheduleRoute: Route = {
  method: 'POST',
  path: '/v1/schedules/:name/delete',
  role: 'submitter',
  tag: 'schedules',
  summary: 'Delete a schedule',
  description: 'It never fires again. Its tasks go on, and stay in the history.',
  schema: { params, querystring: ofTenant, response: { 200: emptySchema, ...problems } },
  async run(request, _reply, gateway) {
    await gateway.api.schedules.delete(nameOf(request), identityOf(request));
    return { accepted: true };
  },
};

export const nextOfScheduleRoute: Route = {
  method: 'GET',
  path: '/v1/schedules/:name/next',
  role: 'reader',
  tag: 'schedules',
  summary: 'Next occurrences of a schedule',
  description: 'Those that are still to fire, before jitter.',
  schema: {
    params,
    querystring: { ...ofTenant, properties: { tenant, count } },
    response: { 200: nextSchema, ...problems },
  },
  async run(request, _reply, gateway) {
    const { count: wanted = 5 } = queryOf<{ count?: number }>(request);
    return { occurrences: await gateway.api.schedules.nextOf(nameOf(request), wanted) };
  },
};

export const nextOfTimingRoute: Route = {
  method: 'POST',
  path: '/v1/schedules/next',
  role: 'reader',
  tag: 'schedules',
  summary: 'Next occurrences of a schedule that is not made yet',
  description: 'Of its document; `name` and `task` may be left out.',
  schema: {
    body: {
      type: 'object',
      additionalProperties: false,
      required: ['schedule'],
      properties: { schedule: { type: 'object', additionalProperties: true }, count },
    },
    response: { 200: nextSchema, ...problems },
  },
  run(request, _reply, gateway) {
    const { schedule, count: wanted } = bodyOf(request);
    const document = { name: 'next', task: { handler: 'null' }, ...(schedule as object) };
    const { definition } = readSchedule(document, identityOf(request), gateway);
    const range = { count: typeof wanted === 'number' ? wanted : 5 };
    return { occurrences: gateway.api.schedules.next(definition, range) };
  },
};
