/** The nodes of the cluster, and stopping the one that is asked. */
import { bodyOf, paramOf, type Route } from '../route.ts';
import { emptySchema, nodeDetailSchema, nodesSchema, problemSchema } from '../schemas.ts';

export const nodesRoute: Route = {
  method: 'GET',
  path: '/v1/nodes',
  role: 'reader',
  tag: 'node',
  summary: 'List nodes',
  description: 'What each node has, from the registry and its newest advertisement.',
  schema: { response: { 200: nodesSchema } },
  run: async (_request, _reply, gateway) => ({ nodes: await gateway.api.nodes() }),
};

export const nodeRoute: Route = {
  method: 'GET',
  path: '/v1/nodes/:id',
  role: 'reader',
  tag: 'node',
  summary: 'Show a node',
  description: 'By ID or by name.',
  schema: {
    params: {
      type: 'object',
      required: ['id'],
      properties: { id: { type: 'string', description: 'ID or name of a node.' } },
    },
    response: { 200: nodeDetailSchema, 404: problemSchema },
  },
  run: (request, _reply, gateway) => gateway.api.node(paramOf(request, 'id')),
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
