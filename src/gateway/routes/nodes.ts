/** The nodes of the cluster: reading them, draining and removing one, stopping the one asked. */
import { limits } from '../../model/limits.ts';
import { tokenIn } from '../access.ts';
import { bodyOf, durationOf, paramOf, queryOf, type Route } from '../route.ts';
import { emptySchema, nodeDetailSchema, nodesSchema, problemSchema } from '../schemas.ts';

const nodeParams = {
  type: 'object',
  required: ['id'],
  properties: { id: { type: 'string', description: 'ID or name of a node; `self` is this one.' } },
};
const force = { type: 'boolean', default: false };
const leavingResponses = {
  200: nodeDetailSchema,
  403: problemSchema,
  404: problemSchema,
  409: problemSchema,
};

export const nodesRoute: Route = {
  method: 'GET',
  path: '/v1/nodes',
  role: 'reader',
  tag: 'node',
  summary: 'List nodes',
  description: 'What each node has, from the registry and its newest advertisement.',
  schema: {
    querystring: {
      type: 'object',
      additionalProperties: false,
      properties: {
        all: { type: 'boolean', default: false, description: 'Those that were removed, too.' },
      },
    },
    response: { 200: nodesSchema },
  },
  run: async (request, _reply, gateway) => ({
    nodes: await gateway.api.nodes({ all: queryOf<{ all?: boolean }>(request).all === true }),
  }),
};

export const nodeRoute: Route = {
  method: 'GET',
  path: '/v1/nodes/:id',
  role: 'reader',
  tag: 'node',
  summary: 'Show a node',
  description: 'By ID or by name.',
  schema: {
    params: nodeParams,
    response: { 200: nodeDetailSchema, 404: problemSchema },
  },
  run: (request, _reply, gateway) => gateway.api.node(paramOf(request, 'id')),
};

export const drainNodeRoute: Route = {
  method: 'POST',
  path: '/v1/nodes/:id/drain',
  role: 'admin',
  tag: 'node',
  summary: 'Drain a node',
  description:
    'Takes leaderships, replicas and work away from it; `drain` of the node shows how far that is. ' +
    'Refused with `tooFewNodes` where shards would be left with fewer voters, unless `force` is said.',
  schema: {
    params: nodeParams,
    body: {
      type: ['object', 'null'],
      additionalProperties: false,
      properties: {
        deadline: {
          type: 'string',
          description: 'What still runs after this long is ended and runs elsewhere, such as 10m.',
        },
        force,
      },
    },
    response: leavingResponses,
  },
  run(request, _reply, gateway) {
    const { deadline, force: forced } = bodyOf(request);
    const range = { missing: 0, max: limits.capMsMax };
    const options = {
      on: true,
      deadlineMs:
        deadline === undefined ? undefined : durationOf(String(deadline), 'deadline', range),
      force: forced === true,
    };
    const token = tokenIn(request.headers.authorization);
    return gateway.api.drainNode(paramOf(request, 'id'), options, token);
  },
};

export const undrainNodeRoute: Route = {
  method: 'POST',
  path: '/v1/nodes/:id/undrain',
  role: 'admin',
  tag: 'node',
  summary: 'Take the draining of a node back',
  description: 'It is up again, and is given its share of replicas, leaderships and work.',
  schema: { params: nodeParams, response: leavingResponses },
  run(request, _reply, gateway) {
    const token = tokenIn(request.headers.authorization);
    const options = { on: false, force: false };
    return gateway.api.drainNode(paramOf(request, 'id'), options, token);
  },
};

export const removeNodeRoute: Route = {
  method: 'POST',
  path: '/v1/nodes/:id/remove',
  role: 'admin',
  tag: 'node',
  summary: 'Remove a node for good',
  description:
    'Only a node that is drained or dead; its process ends, and it cannot return. `force` allows ' +
    'fewer voters where nobody can replace a dead node, and does not wait for attempts.',
  schema: {
    params: nodeParams,
    body: {
      type: ['object', 'null'],
      additionalProperties: false,
      properties: { force },
    },
    response: leavingResponses,
  },
  run(request, _reply, gateway) {
    const token = tokenIn(request.headers.authorization);
    const options = { force: bodyOf(request)['force'] === true };
    return gateway.api.removeNode(paramOf(request, 'id'), options, token);
  },
};

export const stopNodeRoute: Route = {
  method: 'POST',
  path: '/v1/nodes/self/stop',
  role: 'admin',
  tag: 'node',
  summary: 'Stop this node',
  description:
    'Hands leaderships away and stops. Running attempts go on and are adopted at the next start; ' +
    'with `endTasks` they are ended. Answers before the node has stopped.',
  schema: {
    body: {
      type: ['object', 'null'],
      additionalProperties: false,
      properties: { endTasks: { type: 'boolean', default: false } },
    },
    response: { 202: emptySchema, 403: problemSchema },
  },
  run(request, reply, gateway) {
    const endTasks = bodyOf(request)['endTasks'] === true;
    reply.raw.once('close', () => {
      gateway.api.stopNode({ endTasks }).catch(error => {
        gateway.log.error('node failed to stop', { error: String(error) });
      });
    });
    reply.code(202);
    return { accepted: true };
  },
};
