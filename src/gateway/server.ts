/**
 * The HTTP server of a node: fastify with the routes of `route-table.ts`, one access check in front
 * of all of them, problem documents for everything that goes wrong, and the page that shows it all
 * (`pages.ts`). It is a client of `NodeApi` and of nothing else. Plain HTTP; binding another
 * address than loopback is the decision of the caller.
 */

import type { Socket } from 'node:net';
import swagger from '@fastify/swagger';
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type RouteOptions,
} from 'fastify';
import { limits } from '../model/limits.ts';
import type { Log } from '../ports/log.ts';
import type { NodeApi } from '../ports/node-api.ts';
import { authorize, hostGate, refuseForeign } from './access.ts';
import { BodyReceiver, parseJson } from './body.ts';
import { SilentConnections } from './connections.ts';
import type { GatewayContext } from './context.ts';
import { HttpMetrics } from './http-metrics.ts';
import { Intake } from './intake.ts';
import { addPages } from './pages.ts';
import { type Problem, ProblemError, problemOf, problemOfError } from './problem.ts';
import type { Route } from './route.ts';
import { routes } from './route-table.ts';
import { SubmitQueue } from './submit-queue.ts';

export interface GatewayOptions {
  readonly api: NodeApi;
  readonly log: Log;
  /** Address or name to listen on. */
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  /** Of tsched, for the OpenAPI document. */
  readonly version: string;
  /** Folder of the page, for tests; the built one beside the gateway where it is not given. */
  readonly pages?: string | undefined;
  /** For tests: how long a head (10 s) and a body (60 s) may take to arrive. */
  readonly timeouts?: { readonly headMs: number; readonly bodyMs: number } | undefined;
  /** For tests: bytes of bodies that may wait for their answers. */
  readonly intakeBytesMax?: number | undefined;
}

export interface Gateway {
  /** Listens; rejects where the address is taken. The address is a URL without a path. */
  start(): Promise<{ address: string }>;
  /** Answers what is under way, ends streams and long polls, closes. */
  stop(): Promise<void>;
}

const connectionsMax = 10_000;
const defaultTimeouts = { headMs: 10_000, bodyMs: 60_000 };
/** Requests under way when the gateway stops get this long. */
const stopGraceMs = 3_000;
const stopSweepMs = 20;

const jsonTypes = ['application/json', 'application/json; charset=utf-8'];
const lineTypes = ['application/x-ndjson', 'application/ndjson', 'application/jsonl'];

function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  if (problem.retryAfterMs !== undefined) {
    reply.header('Retry-After', Math.max(1, Math.ceil(problem.retryAfterMs / 1_000)));
  }
  if (problem.code === 'unauthorized') reply.header('WWW-Authenticate', 'Bearer realm="tsched"');
  return reply.code(problem.status).type('application/problem+json').send(JSON.stringify(problem));
}

function onError(
  log: Log,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const problem = problemOfError(error);
  if (problem !== undefined) return sendProblem(reply, problem);
  log.error('request failed', {
    method: request.method,
    route: request.routeOptions.url ?? 'unknown',
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
  });
  return sendProblem(reply, problemOf('internal', 'The node failed to answer; its log says why.'));
}

/** Answers bytes that are not HTTP, and closes: a stray client must not cost more than that. */
function onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, problem] =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? // Also what a client sees of a node that stood still: it is no mistake of its request.
        ['408 Request Timeout', problemOf('requestTimeout', 'Its head was not there in time.')]
      : ['400 Bad Request', problemOf('badRequest', 'This is not HTTP.')];
  const body = JSON.stringify(problem);
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function addBodyParsers(app: FastifyInstance, receiver: BodyReceiver): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(jsonTypes, async (request: FastifyRequest, payload: unknown) => {
    const { bodyLimit } = request.routeOptions;
    const bytes = await receiver.receive(payload as FastifyRequest['raw'], bodyLimit);
    return bytes.length === 0 ? undefined : parseJson(bytes);
  });
  app.addContentTypeParser(lineTypes, (request, payload, done) => {
    if (request.routeOptions.config.streamsBody === true) done(null, payload);
    else done(new ProblemError(problemOf('badRequest', 'This request takes application/json.')));
  });
}

async function addOpenApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'tsched',
        description: 'A leaderless peer-to-peer task scheduler.',
        version,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
  });
}

function routeOptionsOf(route: Route, gateway: GatewayContext): RouteOptions {
  const { method, path, role, run, schema } = route;
  return {
    method,
    url: path,
    bodyLimit: route.bodyBytesMax ?? limits.httpBodyBytesMax,
    schema: {
      ...schema,
      summary: route.summary,
      description: `${route.description}${role === 'none' ? '' : `\n\nNeeds the role ${role}.`}`,
      tags: [route.tag],
      ...(role === 'none' ? { security: [] } : {}),
    },
    config: { role, streamsBody: route.streamsBody === true },
    ...(route.validation === 'own' ? { validatorCompiler: () => () => true } : {}),
    serializerCompiler: () => answer => JSON.stringify(answer),
    handler: (request, reply) => run(request, reply, gateway),
  };
}

/** The access check of every request, unknown paths included: what is not said is not allowed. */
function addAccessCheck(app: FastifyInstance, api: NodeApi, host: string): void {
  const allowsHost = hostGate(host);
  app.decorateRequest('identity', null);
  app.addHook('onRequest', (request, _reply, done) => {
    try {
      const { headers } = request.raw;
      refuseForeign(headers, allowsHost);
      const { role } = request.routeOptions.config;
      if (role !== 'none') {
        request.identity = authorize(api, headers.authorization, role ?? 'reader');
      }
      done();
    } catch (error) {
      done(error as Error);
    }
  });
}

function makeServer(headMs: number): FastifyInstance {
  return Fastify({
    logger: false,
    exposeHeadRoutes: false,
    bodyLimit: limits.httpBodyBytesMax,
    // Streams of lines may take hours; bodies and heads have deadlines of their own.
    requestTimeout: 0,
    connectionTimeout: 0,
    requestIdHeader: false,
    genReqId: () => '',
    return503OnClosing: true,
    forceCloseConnections: 'idle',
    http: { headersTimeout: headMs, connectionsCheckingInterval: headMs / 5 },
    clientErrorHandler: onClientError,
    routerOptions: { maxParamLength: 256, ignoreTrailingSlash: true },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: true, allErrors: false } },
    frameworkErrors: (error, _request, reply) => {
      sendProblem(reply, problemOfError(error) ?? problemOf('badRequest', error.message));
    },
  });
}

async function addRoutes(
  app: FastifyInstance,
  gateway: GatewayContext,
  options: GatewayOptions,
  receiver: BodyReceiver,
): Promise<void> {
  const { api, log } = options;
  addBodyParsers(app, receiver);
  addAccessCheck(app, api, options.host);
  app.addHook('preParsing', (request, reply, _payload, done) => {
    // Not `onResponse`: that is not called for a client that went away.
    reply.raw.once('close', () => receiver.release(request.raw));
    done();
  });
  app.setErrorHandler((error, request, reply) => onError(log, error, request, reply));
  app.setNotFoundHandler((request, reply) =>
    sendProblem(reply, problemOf('unknownRoute', `There is no ${request.method} here.`)),
  );
  app.addHook('onResponse', (request, reply, done) => {
    if (!request.raw.complete) receiver.drain(request.raw);
    const route = request.routeOptions.url ?? 'unknown';
    gateway.metrics.observe(request.method, route, reply.statusCode, reply.elapsedTime);
    done();
  });
  await addOpenApi(app, options.version);
  for (const route of routes) app.route(routeOptionsOf(route, gateway));
  await addPages(app, log, options.pages);
}

/** Makes the gateway of a node. Nothing listens before `start`. */
export function createGateway(options: GatewayOptions): Gateway {
  const { api, log } = options;
  const { headMs, bodyMs } = options.timeouts ?? defaultTimeouts;
  const app = makeServer(headMs);
  const silent = new SilentConnections(app.server);
  const intake = new Intake(options.intakeBytesMax ?? limits.httpBytesInFlightMax);
  const receiver = new BodyReceiver(bodyMs, intake);
  const stopping = new AbortController();
  const gateway: GatewayContext = {
    api,
    log,
    submits: new SubmitQueue(api),
    intake,
    metrics: new HttpMetrics(),
    stopping: stopping.signal,
    openapi: () => app.swagger(),
  };
  app.server.maxConnections = connectionsMax;
  return {
    async start() {
      await addRoutes(app, gateway, options, receiver);
      const address = await app.listen({ host: options.host, port: options.port });
      log.info('http api listens', { address });
      return { address };
    },
    async stop() {
      stopping.abort();
      // A connection that is answered now becomes idle after `close` has looked for idle ones.
      const sweep = setInterval(() => {
        app.server.closeIdleConnections();
        silent.close();
      }, stopSweepMs);
      const force = setTimeout(() => app.server.closeAllConnections(), stopGraceMs);
      try {
        await app.close();
      } finally {
        clearInterval(sweep);
        clearTimeout(force);
        receiver.close();
      }
    },
  };
}
