/** Reading tasks: one, its document, a listing, why it waits. */

import { specDocumentSchema, writeSpecDocument } from '../../model/spec-document.ts';
import {
  type Consistency,
  consistencies,
  isSettled,
  type TaskState,
  taskStates,
} from '../../model/task.ts';
import { boundTenant } from '../access.ts';
import { refuse } from '../problem.ts';
import { identityOf, queryOf, type Route, viewOf, visibleId } from '../route.ts';
import {
  explanationSchema,
  idParams,
  listPageSchema,
  problemSchema,
  taskViewSchema,
} from '../schemas.ts';

const consistencySchema = {
  type: 'string',
  enum: [...consistencies],
  description:
    '`linearizable`: confirmed by a majority, or `noQuorum`. `local`: what the nearest replica has, ' +
    'marked stale. Without it: linearizable, and where there is no majority local.',
};

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

/** `running,waiting`; `settled` and `active` stand for several. */
function statesOf(text: string | undefined): readonly TaskState[] | undefined {
  if (text === undefined) return undefined;
  const states = text.split(',').flatMap((word): TaskState[] => {
    if (word === 'settled') return taskStates.filter(isSettled);
    if (word === 'active') return taskStates.filter(state => !isSettled(state));
    const state = taskStates.find(known => known === word);
    if (state !== undefined) return [state];
    const known = `${taskStates.join(', ')}, settled or active`;
    const shown = JSON.stringify(word.slice(0, 40));
    return refuse('badRequest', `Unknown state ${shown}; use ${known}.`, { field: 'state' });
  });
  return [...new Set(states)];
}

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
        state: {
          type: 'string',
          description: 'States, separated by commas; `settled` and `active` stand for several.',
        },
        name: { type: 'string', maxLength: 200, description: 'Beginning of the name.' },
        limit: { type: 'integer', minimum: 1, maximum: listMax, default: listDefault },
        cursor: { type: 'string', maxLength: 4096, description: 'From the page before.' },
        consistency: consistencySchema,
      },
    },
    response: { 200: listPageSchema, 400: problemSchema, 503: problemSchema },
  },
  async run(request, _reply, gateway) {
    const query = queryOf<{
      state?: string;
      name?: string;
      limit: number;
      cursor?: string;
      consistency?: Consistency;
    }>(request);
    return await gateway.api.list({
      states: statesOf(query.state),
      tenant: boundTenant(identityOf(request)),
      namePrefix: query.name,
      limit: query.limit,
      cursor: query.cursor,
      consistency: query.consistency,
    });
  },
};
