/**
 * The shape of a route, and what several routes need to read their requests. A route is data: the
 * tests walk the table to see that each has a role, a schema and words for the reference.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type TaskId, toTaskId } from '../model/ids.ts';
import type { Role } from '../model/role.ts';
import type { JsonSchema } from '../model/spec-fields.ts';
import type { Consistency, TaskView } from '../model/task.ts';
import { parseDuration } from '../model/time.ts';
import { boundTenant, type Identity, seesTenant } from './access.ts';
import type { GatewayContext } from './context.ts';
import { refuse } from './problem.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the access check of every route but health and the page. */
    identity: Identity | null;
  }
  interface FastifyContextConfig {
    readonly role?: Role | 'none';
    readonly streamsBody?: boolean;
  }
}

export interface RouteSchema {
  readonly params?: JsonSchema;
  readonly querystring?: JsonSchema;
  readonly body?: JsonSchema;
  /** By status. Only for the document: answers are sent as they are. */
  readonly response: Readonly<Record<number, JsonSchema>>;
}

export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** `none` is for health alone. */
  readonly role: Role | 'none';
  readonly tag: 'tasks' | 'schedules' | 'workflows' | 'templates' | 'tenants' | 'cluster' | 'node';
  readonly summary: string;
  readonly description: string;
  readonly schema: RouteSchema;
  /** `own`: the route reads the body with code of its own, and says better what is wrong. */
  readonly validation?: 'own';
  readonly bodyBytesMax?: number;
  /** Body as a stream of lines rather than one JSON document. */
  readonly streamsBody?: boolean;
  /** What it returns is the answer; a thrown `TschedError` or `ProblemError` becomes a problem. */
  run(request: FastifyRequest, reply: FastifyReply, gateway: GatewayContext): unknown;
}

/** Who asks. Only in routes with a role. */
export function identityOf(request: FastifyRequest): Identity {
  return request.identity ?? refuse('unauthorized', 'The request has no token.');
}

export const paramOf = (request: FastifyRequest, name: string): string =>
  (request.params as Record<string, string>)[name] ?? '';

/** The query, as the route's schema has checked and converted it. */
export const queryOf = <Query>(request: FastifyRequest): Query => request.query as Query;

/** The JSON body as a map; a missing body is an empty one. */
export function bodyOf(request: FastifyRequest): Readonly<Record<string, unknown>> {
  const { body } = request;
  if (body === undefined || body === null) return {};
  if (typeof body !== 'object' || Array.isArray(body)) {
    return refuse('badRequest', 'The body must be a JSON object.');
  }
  return body as Record<string, unknown>;
}

/** What is asked of a task; a change is done only to the one that is certainly meant. */
type Purpose = 'read' | 'change';

/** The task a text names for `identity`: an ID, the end of one, or `last`. */
export async function resolveId(
  gateway: GatewayContext,
  text: string,
  identity: Identity,
  purpose: Purpose = 'read',
): Promise<TaskId> {
  return toTaskId(text) ?? (await gateway.api.resolve(text, boundTenant(identity), purpose));
}

/** The view of the task in the path; a task of another tenant is unknown. */
export async function viewOf(
  request: FastifyRequest,
  gateway: GatewayContext,
  how: { readonly purpose?: Purpose; readonly consistency?: Consistency | undefined } = {},
): Promise<TaskView> {
  const identity = identityOf(request);
  const id = await resolveId(gateway, paramOf(request, 'id'), identity, how.purpose);
  const view = await gateway.api.get(id, how.consistency);
  if (!seesTenant(identity, view.tenant)) return refuse('unknownTask', `There is no task ${id}.`);
  return view;
}

/** The ID in the path, once it is certain that whoever asks may see the task. */
export async function visibleId(
  request: FastifyRequest,
  gateway: GatewayContext,
  purpose: Purpose = 'read',
): Promise<TaskId> {
  const identity = identityOf(request);
  if (identity.role !== 'admin') return (await viewOf(request, gateway, { purpose })).id;
  return await resolveId(gateway, paramOf(request, 'id'), identity, purpose);
}

/** A signal that is aborted when the client goes away or the gateway stops. */
export function clientSignal(reply: FastifyReply, gateway: GatewayContext): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return AbortSignal.any([gone.signal, gateway.stopping]);
}

/** Milliseconds of a duration in the query such as `30s`. */
export function durationOf(
  text: string | undefined,
  name: string,
  range: { readonly missing: number; readonly max: number },
): number {
  if (text === undefined) return range.missing;
  const length = parseDuration(text);
  if (length === undefined) {
    return refuse('badRequest', `${name} must be a duration such as 30s, not "${text}".`, {
      field: name,
    });
  }
  return Math.min(length, range.max);
}
