/** Workflows over HTTP: what is taken, what is refused and where, and who may see them. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { TaskId } from '../../src/model/ids.ts';
import { GatewayClient } from '../support/gateway-client.ts';

let client: GatewayClient;
beforeAll(async () => {
  client = await new GatewayClient().start();
});
afterAll(() => client.stop());

const command = ['true'];
const pair = (name: string) => ({
  workflow: name,
  tasks: [
    { name: 'b', after: 'a', command, when: 'always' },
    { name: 'a', command },
  ],
});

async function submitted(name: string): Promise<TaskId> {
  const answer = await client.post('/v1/workflows', pair(name));
  expect(answer.status, answer.text).toBe(201);
  return answer.json['id'] as TaskId;
}

describe('a workflow', () => {
  test('is submitted, in the order of its graph, and shown', async () => {
    const id = await submitted('shown');
    const { request, actor } = client.api.workflows.submitted.at(-1)!;
    expect(request.tasks.map(({ spec, parents }) => [spec.name, parents])).toEqual([
      ['a', []],
      ['b', [0]],
    ]);
    expect([request.tenant, request.owner]).toEqual([actor.tenant, actor.name]);
    const shown = await client.get(`/v1/workflows/${id}`);
    expect(shown.json).toMatchObject({
      id,
      name: 'shown',
      state: 'running',
      total: 2,
      tasks: [
        { name: 'a', after: [], when: 'success' },
        { name: 'b', after: ['a'], when: 'always' },
      ],
    });
  });

  test('that was submitted before is answered with 200', async () => {
    const id = await submitted('twice');
    const again = await client.post('/v1/workflows', { ...pair('twice'), id });
    expect(again.status).toBe(200);
    expect(again.json).toMatchObject({ id, repeated: true });
  });

  test('is planned without being submitted, and refused as a submit is', async () => {
    const before = client.api.workflows.submitted.length;
    const token = { token: 'reader-token' };
    const answer = await client.post('/v1/workflows/plan', pair('planned'), token);
    expect(answer.status, answer.text).toBe(200);
    expect(answer.json).toMatchObject({
      name: 'planned',
      verdict: 'starts',
      total: 2,
      stageCount: 2,
      plans: [
        { name: 'a', stage: 1, verdict: 'starts', count: 1, after: [], afterCount: 0 },
        { name: 'b', stage: 2, verdict: 'waits', after: ['a'], afterCount: 1 },
      ],
    });
    expect(client.api.workflows.submitted).toHaveLength(before);
    const unknown = { tasks: [{ name: 'a', command, after: 'b' }] };
    const wrong = await client.post('/v1/workflows/plan', unknown, token);
    expect(wrong).toMatchObject({ status: 400, json: { code: 'badSpec' } });
    expect(wrong.text).toContain('/tasks/0/after/0');
  });

  test('takes the amounts that the tiers of the cluster give', async () => {
    await submitted('tiers');
    const { spec } = client.api.workflows.submitted.at(-1)!.request.tasks[0]!;
    expect(spec.request).toMatchObject(client.api.tiers().basic.amounts);
  });

  test('that is wrong is refused with every problem, its place, and the cycle drawn', async () => {
    const turning = {
      tasks: [
        { name: 'a', after: 'b', command },
        { name: 'b', after: 'a', command },
      ],
    };
    const cycle = await client.post('/v1/workflows', turning);
    expect(cycle.status).toBe(400);
    expect(cycle.json['problems']).toMatchObject([
      {
        pointer: expect.stringMatching(/^\/tasks\/[01]\/after$/),
        message: expect.stringMatching(/ → /),
      },
    ]);
    const wrong = await client.post('/v1/workflows', {
      tasks: [
        { name: 'a', command, orderKey: 'k', maxRunningPer: { k: 1 } },
        { name: 'a', command, when: 'never' },
        { name: 'c', command, after: ['nobody'] },
      ],
    });
    const places = (wrong.json['problems'] as { pointer: string }[]).map(({ pointer }) => pointer);
    expect(places).toEqual(
      expect.arrayContaining([
        '/tasks/0/orderKey',
        '/tasks/0/maxRunningPer',
        '/tasks/1/when',
        '/tasks/2/after/0',
      ]),
    );
  });

  test('refused by a limit keeps its code and says when to come again', async () => {
    const message = 'tenant acme may submit 5 tasks a second, 5 at once: try again in 2s';
    client.api.workflows.refusal = { ok: false, code: 'rateLimited', message, retryAfterMs: 1_200 };
    try {
      const answer = await client.post('/v1/workflows', pair('refused'));
      expect(answer.status).toBe(429);
      expect(answer.headers.get('retry-after')).toBe('2');
    } finally {
      client.api.workflows.refusal = undefined;
    }
  });

  test('is found by the end of its ID, waited for, cancelled, and run again', async () => {
    const id = await submitted('again');
    const early = await client.post(`/v1/workflows/${id}/retry`, {});
    expect([early.status, early.json['code']]).toEqual([409, 'notSettled']);
    client.api.workflows.settle(id, 'failed');
    const waited = await client.get(`/v1/workflows/${id.slice(-8)}/wait?timeout=1s`);
    expect(waited.json).toMatchObject({ id, state: 'failed', tasks: [] });
    const late = await client.post(`/v1/workflows/${id}/cancel`, { reason: 'no need' });
    expect([late.status, late.json['code']]).toEqual([409, 'alreadySettled']);
    const retried = await client.post(`/v1/workflows/${id}/retry`, { from: 'failed' });
    expect([retried.status, retried.json['retryOf']]).toEqual([201, id]);
    const other = await submitted('unwanted');
    expect((await client.post(`/v1/workflows/${other}/cancel`, { reason: 'no' })).status).toBe(200);
    expect((await client.get(`/v1/workflows/${other}`)).json).toMatchObject({
      state: 'cancelled',
      cancelRequested: { reason: 'no' },
    });
  });

  test('is paused and resumed task by task, what has settled meanwhile apart', async () => {
    const id = await submitted('paused');
    const { tasks } = await client.api.workflows.get(id);
    const control = vi.spyOn(client.api, 'control').mockImplementation(async ids => [
      { ok: true, id: ids[0]!, shard: 3, repeated: false },
      { ok: false, id: ids[1]!, code: 'alreadySettled', message: 'it settled' },
    ]);
    try {
      const paused = await client.post(`/v1/workflows/${id}/pause`, { suspend: true, reason: 'x' });
      expect([paused.status, paused.json]).toMatchObject([200, { id, repeated: false }]);
      const resumed = await client.post(`/v1/workflows/${id}/resume`, {});
      expect(resumed.status).toBe(200);
      const ids = tasks.map(task => task.id);
      expect(control.mock.calls.map(([asked, what]) => [asked, what])).toEqual([
        [ids, { kind: 'pause', suspend: true, reason: 'x' }],
        [ids, { kind: 'resume' }],
      ]);
    } finally {
      control.mockRestore();
    }
    client.api.workflows.settle(id, 'succeeded');
    const late = await client.post(`/v1/workflows/${id}/pause`, {});
    expect([late.status, late.json['code']]).toEqual([409, 'alreadySettled']);
  });

  test('may be made of templates, and says in which task one is used wrongly', async () => {
    const made = await client.post('/v1/templates', {
      name: 'greet',
      parameters: { whom: 'string' },
      task: { command: ['echo', '${whom}'], tier: 'basic' },
    });
    expect(made.status, made.text).toBe(201);
    const using = (set: object) => ({
      tasks: [
        { name: 'a', command },
        { name: 'b', after: 'a', template: 'greet', set },
      ],
    });
    const taken = await client.post('/v1/workflows', using({ whom: 'you' }));
    expect(taken.status, taken.text).toBe(201);
    const { spec, parents } = client.api.workflows.submitted.at(-1)!.request.tasks[1]!;
    expect([spec.name, spec.run, parents]).toMatchObject([
      'b',
      { kind: 'command', argv: ['echo', 'you'] },
      [0],
    ]);
    const without = await client.post('/v1/workflows', using({}));
    expect(without.status).toBe(400);
    expect(without.json['problems']).toMatchObject([
      { pointer: expect.stringMatching(/^\/tasks\/1\/set/) },
    ]);
    const unknown = { tasks: [{ name: 'a', template: 'nothing' }] };
    const missing = await client.post('/v1/workflows', unknown);
    expect([missing.status, missing.json['field']]).toEqual([404, '/tasks/0/template']);
  });

  test('is not made by who may only read, nor in the name of another tenant', async () => {
    const reading = await client.post('/v1/workflows', pair('x'), { token: 'reader-token' });
    expect(reading.status).toBe(403);
    const foreign = { ...pair('x'), tenant: 'default' };
    const other = await client.post('/v1/workflows', foreign, { token: 'other-token' });
    expect([other.status, other.json['field']]).toEqual([403, '/tenant']);
  });

  test('that nobody knows is told so', async () => {
    const answer = await client.get('/v1/workflows/zzzzzzzz');
    expect([answer.status, answer.json['code']]).toEqual([404, 'unknownWorkflow']);
  });
});
