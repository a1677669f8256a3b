/** Tasks that failed: listing them, making new ones in their place, taking them off the list. */
import type { ErrorCode } from '../../model/errors.ts';
import { boundTenant } from '../access.ts';
import { refuse } from '../problem.ts';
import { identityOf, queryOf, type Route } from '../route.ts';
import { idListSchema, listPageSchema, problemSchema, resultsSchema } from '../schemas.ts';
import type { SubmitResult } from '../submission.ts';
import { cursorSchema } from '../task-query.ts';
import { changeMany } from './cancel.ts';

const listDefault = 50;
const listMax = 1_000;

export const deadLettersRoute: Route = {
  method: 'GET',
  path: '/v1/dead-letters',
  role: 'reader',
  tag: 'tasks',
  summary: 'List dead letters',
  description:
    'Tasks that failed and were neither replayed nor purged, newest first, each with how its last ' +
    'attempt ended. Pages are as those of the tasks.',
  schema: {
    querystring: {
      type: 'object',
      additionalProperties: false,
      properties: {
        name: { type: 'string', maxLength: 200, description: 'Beginning of the name.' },
        tenant: { type: 'string', maxLength: 63, description: 'Of this tenant only.' },
        limit: { type: 'integer', minimum: 1, maximum: listMax, default: listDefault },
        cursor: cursorSchema,
      },
    },
    response: { 200: listPageSchema, 400: problemSchema, 503: problemSchema },
  },
  async run(request, _reply, gateway) {
    const query = queryOf<{ name?: string; tenant?: string; limit: number; cursor?: string }>(
      request,
    );
    return await gateway.api.list({
      deadLetters: true,
      tenant: boundTenant(identityOf(request)) ?? query.tenant,
      namePrefix: query.name,
      limit: query.limit,
      cursor: query.cursor,
    });
  },
};

const body = {
  type: 'object',
  additionalProperties: false,
  required: ['ids'],
  properties: { ids: idListSchema },
} as const;

export const replayRoute: Route = {
  method: 'POST',
  path: '/v1/dead-letters/replay',
  role: 'submitter',
  tag: 'tasks',
  summary: 'Replay dead letters',
  description:
    'Makes a new task in place of each, once; the `id` of a result is that of the new task, whose ' +
    '`retryOf` names the old one. Each counts as a submit of its tenant. `results` has the order of ' +
    '`ids`; where limits of the tenant let none of them in, the answer is 429 with `Retry-After`.',
  schema: { body, response: { 200: resultsSchema, 400: problemSchema, 429: problemSchema } },
  async run(request, _reply, gateway) {
    const identity = identityOf(request);
    const answer = await changeMany(request, gateway, ids => gateway.api.replay(ids, identity));
    refuseWhereFull(answer.results);
    return answer;
  },
};

/** Throws where nothing was done but to say that there is no room for now. */
function refuseWhereFull(results: readonly SubmitResult[]): void {
  const [first] = results;
  if (first === undefined || first.ok) return;
  const waits: number[] = [];
  for (const result of results) {
    if (result.ok || !limitCodes.includes(result.code)) return;
    waits.push(result.retryAfterMs ?? 0);
  }
  refuse(first.code, first.message, {
    id: first.id,
    retryAfterMs: Math.min(...waits) || undefined,
  });
}

const limitCodes: readonly ErrorCode[] = ['rateLimited', 'quotaExceeded'];

export const purgeRoute: Route = {
  method: 'POST',
  path: '/v1/dead-letters/purge',
  role: 'submitter',
  tag: 'tasks',
  summary: 'Purge dead letters',
  description:
    'Takes tasks off the list; they stay in the history. `repeated` says that one was no dead ' +
    'letter. `results` has the order of `ids`.',
  schema: { body, response: { 200: resultsSchema, 400: problemSchema } },
  async run(request, _reply, gateway) {
    const identity = identityOf(request);
    return await changeMany(request, gateway, ids => gateway.api.purge(ids, identity));
  },
};
