/** The cluster as a whole: shards, health, settings, joining. */
import { tokenIn } from '../access.ts';
import { bodyOf, queryOf, type Route } from '../route.ts';
import {
  clusterHealthSchema,
  joinTokenSchema,
  movesSchema,
  problemSchema,
  replicasSchema,
  settingsSchema,
  shardsSchema,
} from '../schemas.ts';

export const shardsRoute: Route = {
  method: 'GET',
  path: '/v1/shards',
  role: 'reader',
  tag: 'cluster',
  summary: 'List shards',
  description: 'Leader, replicas, log position and tasks of each shard.',
  schema: { response: { 200: shardsSchema, 503: problemSchema } },
  run: async (_request, _reply, gateway) => ({ shards: await gateway.api.shards() }),
};

export const replicasRoute: Route = {
  method: 'GET',
  path: '/v1/replicas',
  role: 'reader',
  tag: 'cluster',
  summary: 'List the replicas of this node',
  description:
    'As this node sees them, asking no other. Replicas of a shard that have applied the same ' +
    'entries have the same digest.',
  schema: { response: { 200: replicasSchema } },
  run: (_request, _reply, gateway) => ({ replicas: gateway.api.replicas() }),
};

export const clusterHealthRoute: Route = {
  method: 'GET',
  path: '/v1/cluster/health',
  role: 'reader',
  tag: 'cluster',
  summary: 'Health of the cluster',
  description: 'Answers 200 also where something is wrong; `ok` and `problems` say so.',
  schema: { response: { 200: clusterHealthSchema } },
  run: (_request, _reply, gateway) => gateway.api.clusterHealth(),
};

export const movesRoute: Route = {
  method: 'GET',
  path: '/v1/cluster/moves',
  role: 'reader',
  tag: 'cluster',
  summary: 'List replicas that are to move',
  description:
    'What stands between where replicas are and where they should be; the leaders of the shards ' +
    'carry it out by themselves. `without` asks what would move if that node were drained.',
  schema: {
    querystring: {
      type: 'object',
      additionalProperties: false,
      properties: { without: { type: 'string', description: 'ID or name of a node.' } },
    },
    response: { 200: movesSchema, 404: problemSchema, 503: problemSchema },
  },
  run: async (request, _reply, gateway) => ({
    moves: await gateway.api.moves(queryOf<{ without?: string }>(request).without),
  }),
};

export const settingsRoute: Route = {
  method: 'GET',
  path: '/v1/cluster/settings',
  role: 'reader',
  tag: 'cluster',
  summary: 'List the settings of the cluster',
  description: 'Each with its default and what it means.',
  schema: { response: { 200: settingsSchema } },
  run: (_request, _reply, gateway) => ({ settings: gateway.api.settings() }),
};

export const changeSettingsRoute: Route = {
  method: 'POST',
  path: '/v1/cluster/settings',
  role: 'admin',
  tag: 'cluster',
  summary: 'Change settings of the cluster',
  description:
    'By name, such as `{"history.maxAge": "3d"}`; an empty text brings the default back. All nodes ' +
    'go by them within a second.',
  schema: {
    body: {
      type: 'object',
      additionalProperties: { type: 'string', maxLength: 256 },
      maxProperties: 64,
    },
    response: { 200: settingsSchema, 400: problemSchema, 403: problemSchema },
  },
  async run(request, _reply, gateway) {
    const token = tokenIn(request.headers.authorization);
    const values = bodyOf(request) as Readonly<Record<string, string>>;
    return { settings: await gateway.api.changeSettings(values, token) };
  },
};

export const joinTokenRoute: Route = {
  method: 'POST',
  path: '/v1/cluster/join-token',
  role: 'admin',
  tag: 'cluster',
  summary: 'Make a join token',
  description: 'A secret with which another node can join: keep it as such.',
  schema: { response: { 200: joinTokenSchema, 403: problemSchema } },
  async run(_request, reply, gateway) {
    reply.header('Cache-Control', 'no-store');
    return { token: await gateway.api.joinToken() };
  },
};
