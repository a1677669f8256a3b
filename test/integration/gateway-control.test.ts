/** Pausing, changing, planning and templates over HTTP: what is asked and what is answered. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TaskId } from '../../src/model/ids.ts';
import { GatewayClient } from '../support/gateway-client.ts';

let client: GatewayClient;
let id: TaskId;
beforeEach(async () => {
  client = await new GatewayClient().start();
  id = await client.submit({ command: ['true'] });
});
afterEach(() => client.stop());

describe('a task', () => {
  test('is paused, with a reason and what runs, and resumed', async () => {
    const paused = await client.post(`/v1/tasks/${id}/pause`, { suspend: true, reason: 'disk' });
    expect([paused.status, paused.json]).toEqual([
      200,
      { id, shard: expect.any(Number), repeated: false },
    ]);
    const { json } = await client.get(`/v1/tasks/${id}`);
    expect(json).toMatchObject({ reason: 'Paused', paused: { suspend: true, reason: 'disk' } });
    expect((await client.post(`/v1/tasks/${id}/resume`, undefined)).status).toBe(200);
    expect((await client.get(`/v1/tasks/${id}`)).json).not.toHaveProperty('paused');
  });

  test('is not resumed with fields that nobody reads, nor paused by a body that is no JSON', async () => {
    const { status, json } = await client.post(`/v1/tasks/${id}/resume`, { suspend: true });
    expect([status, json['field']]).toEqual([400, '/suspend']);
    for (const path of ['/v1/cluster/resume', '/v1/tenants/search/resume']) {
      expect((await client.post(path, { suspend: true })).status).toBe(400);
    }
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const form = await client.call('POST', `/v1/tasks/${id}/pause`, {
      headers,
      body: 'suspend=true',
    });
    expect(form.status).toBe(400);
    expect(form.text).toContain('Content-Type: application/json');
  });

  test('is not checkpointed and released yet', async () => {
    const answer = await client.post(`/v1/tasks/${id}/pause`, { release: true });
    expect([answer.status, answer.json['code'], answer.json['field']]).toEqual([
      501,
      'notYet',
      '/release',
    ]);
    expect(client.api.controlCalls).toEqual([]);
  });

  test('is changed by fields of its document, and all that is wrong is told', async () => {
    const done = await client.post(`/v1/tasks/${id}/update`, { cap: '90s', attempts: 4 });
    expect(done.status).toBe(200);
    expect(client.api.controlCalls.at(-1)?.asked).toEqual({
      kind: 'update',
      overrides: { capMs: 90_000, attempts: 4 },
    });
    const wrong = await client.post(`/v1/tasks/${id}/update`, { env: {}, cap: '-1s' });
    expect(wrong.status).toBe(400);
    expect(wrong.json['problems']).toMatchObject([{ pointer: '/env' }, { pointer: '/cap' }]);
  });

  test('of another tenant is unknown to a submitter, and a reader may not pause', async () => {
    const others = { token: 'other-token', body: {} };
    expect((await client.call('POST', `/v1/tasks/${id}/pause`, others)).status).toBe(404);
    const reader = { token: 'reader-token', body: {} };
    expect((await client.call('POST', `/v1/tasks/${id}/pause`, reader)).status).toBe(403);
  });
});

test('placement is paused for a tenant or for all, by an administrator', async () => {
  const all = await client.post('/v1/cluster/pause', { reason: 'maintenance' });
  expect(all.json).toMatchObject({ pauses: [{ tenant: '*', by: 'admin', reason: 'maintenance' }] });
  await client.post('/v1/tenants/search/pause', { suspend: true });
  const { json } = await client.get('/v1/pauses', { token: 'reader-token' });
  expect(json).toMatchObject({ pauses: [{ tenant: '*' }, { tenant: 'search', suspend: true }] });
  await client.post('/v1/cluster/resume', undefined);
  const left = await client.post('/v1/tenants/search/resume', undefined);
  expect(left.json).toEqual({ pauses: [] });
  const ada = { token: 'submitter-token', body: {} };
  expect((await client.call('POST', '/v1/cluster/pause', ada)).status).toBe(403);
});

test('a plan tells for each document what would become of it', async () => {
  const tasks = [
    { command: ['true'], name: 'one' },
    { command: ['true'], array: '1-3' },
    { command: ['true'], cpu: 64 },
    { comand: ['true'] },
    { template: 'none' },
  ];
  const { status, json } = await client.post('/v1/plan', { tasks });
  expect(status).toBe(200);
  expect(json['plans']).toMatchObject([
    { name: 'one', count: 1, verdict: 'starts' },
    { count: 3, verdict: 'waits', reason: 'Resources', waiting: 2 },
    { verdict: 'refused', code: 'neverFits' },
    { verdict: 'refused', code: 'badSpec', problems: [{ pointer: '/comand' }, {}] },
    { verdict: 'refused', code: 'unknownTemplate', field: '/template' },
  ]);
  expect(client.api.submitCalls).toHaveLength(1);
});

describe('a template', () => {
  const hello = {
    parameters: { who: 'string', times: { type: 'int', default: 2 } },
    task: { command: ['echo', '${who}'], attempts: '${times}' },
  };
  const create = (body: object = hello) => client.post('/v1/templates', { name: 'hello', ...body });

  test('makes tasks that say which revision they are of', async () => {
    expect(await create()).toMatchObject({ status: 201, json: { name: 'hello', revision: 1 } });
    const body = { template: 'hello', set: { who: '"; rm' }, name: 'mine' };
    expect((await client.post('/v1/tasks', body)).status).toBe(201);
    expect(client.api.submitCalls.at(-1)?.requests[0]?.spec).toMatchObject({
      name: 'mine',
      run: { kind: 'command', argv: ['echo', '"; rm'] },
      attempts: 2,
      template: { name: 'hello', revision: 1 },
    });
  });

  test('is refused at submit without a value, with its place and what to do', async () => {
    await create();
    const { status, json } = await client.post('/v1/tasks', { template: 'hello' });
    expect([status, json['field']]).toEqual([400, '/set/who']);
    expect(json['detail']).toContain('--set who=VALUE');
    const missing = await client.post('/v1/tasks', { template: 'helo' });
    expect(missing.json).toMatchObject({ code: 'unknownTemplate', field: '/template' });
    expect(missing.status).toBe(404);
    const future = await client.post('/v1/tasks', { template: 'hello@7', set: { who: 'x' } });
    expect(future.json['detail']).toContain('no revision 7: the newest is 1');
    const batch = await client.post('/v1/tasks/batch', {
      tasks: [{ template: 'hello', set: { who: 'x' } }, { template: 'hello' }],
    });
    expect(batch.json['results']).toMatchObject([
      { ok: true },
      { ok: false, code: 'badSpec', field: '/set/who', problems: [{ pointer: '/set/who' }] },
    ]);
  });

  test('gets revisions, which stay, and is changed only by who saw the newest', async () => {
    await create();
    const second = { ...hello, description: 'better', expectedRevision: 1 };
    expect((await client.post('/v1/templates/hello', second)).json).toMatchObject({ revision: 2 });
    expect((await client.post('/v1/templates/hello', second)).json).toMatchObject({
      status: 409,
      code: 'templateChanged',
    });
    const first = await client.get('/v1/templates/hello?revision=1');
    expect(first.json).toMatchObject({ revision: 1, description: '', ...hello });
    expect((await create()).json).toMatchObject({ status: 409, code: 'templateTaken' });
    expect((await client.get('/v1/templates')).json).toMatchObject({
      templates: [{ name: 'hello', revision: 2 }],
    });
    await client.post('/v1/templates/hello/delete', {});
    expect((await client.get('/v1/templates/hello')).status).toBe(404);
  });

  test('that is wrong is refused when it is made, with every place', async () => {
    const { status, json } = await create({
      parameters: { who: 'string' },
      task: { command: 'echo ${who}', env: { A: '${whom}' } },
    });
    expect(status).toBe(400);
    expect(json['problems']).toMatchObject([
      { pointer: '/task/command' },
      { pointer: '/task/env/A' },
    ]);
  });

  test('of another tenant is not seen', async () => {
    await create();
    const other = { token: 'other-token' };
    expect((await client.get('/v1/templates', other)).json).toEqual({ templates: [] });
    expect((await client.get('/v1/templates/hello', other)).status).toBe(404);
    const named = { ...other, body: { name: 'hello', tenant: 'default', ...hello } };
    expect((await client.call('POST', '/v1/templates', named)).status).toBe(403);
  });
});
