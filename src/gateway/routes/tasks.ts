/** Reading tasks: one, its document, a listing, why it waits. */

import { specDocumentSchema, writeSpecDocument } from '../../model/spec-document.ts';
import type { Consistency } from '../../model/task.ts';
import { explanationSchema } from '../explanation-schema.ts';
import { identityOf, queryOf, type Route, viewOf, visibleId } from '../route.ts';
import { idParams, listPageSchema, problemSchema, taskViewSchema } from '../schemas.ts';
import {
  consistencySchema,
  cursorSchema,
  type FilterQuery,
  filterOf,
  filterSchema,
} from '../task-query.ts';

export const getTaskRoute: Route = {
  method: 'GET',
  path: '/v1/tasks/:id',
  role: 'reader',
  tag: 'tasks',
  summary: 'Show a task',
  description:
    'State, reason, attempts and outcome, as of a majority of its shard; `stale` says that there ' +
    'was none to ask.',
  schema: {
    params: idParams,
    querystring: {
      type: 'object',
      additionalProperties: false,
      properties: { consistency: consistencySchema },
    },
    response: { 200: taskViewSchema, 404: problemSchema, 503: problemSchema },
  },
  run(request, _reply, gateway) {
    const { consistency } = queryOf<{ consistency?: Consistency }>(request);
    return viewOf(request, gateway, { consistency });
  },
};

export const getSpecRoute: Route = {
  method: 'GET',
  path: '/v1/tasks/:id/spec',
  role: 'reader',
  tag: 'tasks',
  summary: 'Show the document of a task',
  description: 'The task as a document that could be submitted again.',
  schema: { params: idParams, response: { 200: specDocumentSchema, 404: problemSchema } },
  async run(request, _reply, gateway) {
    const id = await visibleId(request, gateway);
    return writeSpecDocument(await gateway.api.spec(id));
  },
};

export const explainRoute: Route = {
  method: 'GET',
  path: '/v1/tasks/:id/explain',
  role: 'reader',
  tag: 'tasks',
  summary: 'Explain why a task waits',
  description:
    'Reason, place in its shard, and what speaks against each node, with the age of the ' +
    'advertisement that it rests on.',
  schema: { params: idParams, response: { 200: explanationSchema, 404: problemSchema } },
  async run(request, _reply, gateway) {
    return await gateway.api.explain(await visibleId(request, gateway));
  },
};

const listDefault = 50;
const listMax = 1_000;

export const listTasksRoute: Route = {
  method: 'GET',
  path: '/v1/tasks',
  role: 'reader',
  tag: 'tasks',
  summary: 'List tasks',
  description:
    'Newest first. `cursor` of a page leads to the next one; `missingShards` names shards whose ' +
    'tasks are missing because they did not answer, `staleShards` those that were told of without ' +
    'a majority.',
  schema: {
    querystring: {
      type: 'object',
      additionalProperties: false,
      properties: {
        ...filterSchema,
        limit: { type: 'integer', minimum: 1, maximum: listMax, default: listDefault },
        cursor: cursorSchema,
        consistency: consistencySchema,
      },
    },
    response: { 200: listPageSchema, 400: problemSchema, 503: problemSchema },
  },
  async run(request, _reply, gateway) {
    const query = queryOf<
      FilterQuery & { limit: number; cursor?: string; consistency?: Consistency }
    >(request);
    return await gateway.api.list({
      ...filterOf(query, identityOf(request)),
      limit: query.limit,
      cursor: query.cursor,
      consistency: query.consistency,
    });
  },
};
