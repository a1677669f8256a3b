/** What a load balancer, a Prometheus and a program ask of one node: health, metrics, OpenAPI. */
import { boundTenant } from '../access.ts';
import { refuse } from '../problem.ts';
import { identityOf, type Route } from '../route.ts';
import { contentOf, healthSchema, problemSchema } from '../schemas.ts';

const startingRetryMs = 1_000;

export const healthRoute: Route = {
  method: 'GET',
  path: '/v1/health',
  role: 'none',
  tag: 'node',
  summary: 'Whether this node takes tasks',
  description: 'The one request that needs no token. 503 `starting` until the node takes tasks.',
  schema: { response: { 200: healthSchema, 503: problemSchema } },
  run(_request, _reply, gateway) {
    const health = gateway.api.health();
    if (health.ready) return health;
    return refuse('starting', 'The node is starting.', { retryAfterMs: startingRetryMs });
  },
};

export const metricsRoute: Route = {
  method: 'GET',
  path: '/metrics',
  role: 'reader',
  tag: 'node',
  summary: 'Metrics for Prometheus',
  description: 'Of this node and its HTTP API, in the text format of Prometheus.',
  schema: { response: { 200: contentOf('text/plain', { type: 'string' }, 'Metrics.') } },
  async run(request, reply, gateway) {
    reply.type(gateway.metrics.contentType);
    // What is told of other tenants is not for whoever is bound to one.
    const bound = boundTenant(identityOf(request));
    const shown = gateway.api
      .metrics()
      .filter(({ labels }) => bound === undefined || (labels?.['tenant'] ?? bound) === bound);
    return await gateway.metrics.render(shown);
  },
};

export const openapiRoute: Route = {
  method: 'GET',
  path: '/v1/openapi.json',
  role: 'reader',
  tag: 'node',
  summary: 'This API as an OpenAPI document',
  description: 'Made from the schemas of the routes.',
  schema: { response: { 200: { type: 'object', additionalProperties: true } } },
  run: (_request, _reply, gateway) => gateway.openapi(),
};
