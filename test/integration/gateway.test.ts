import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatTaskId } from '../../src/model/ids.ts';
import { limits } from '../../src/model/limits.ts';
import type { TaskView } from '../../src/model/task.ts';
import { GatewayClient, until } from '../support/gateway-client.ts';

let client: GatewayClient;
beforeAll(async () => {
  client = await new GatewayClient().start();
});
afterAll(() => client.stop());

const command = ['true'];
let drawn = 0;
const drawId = () => formatTaskId({ atMs: 1_700_000_000_000, slot: 7, random: ++drawn });

describe('submitting', () => {
  test('answers 201 with the ID, the shard and the state', async () => {
    const answer = await client.post('/v1/tasks', { command, name: 'first' });
    expect(answer.status).toBe(201);
    expect(answer.json).toEqual({
      id: expect.stringMatching(/^[0-9a-z]{20}$/),
      shard: expect.any(Number),
      state: 'waiting',
    });
  });

  test('with an ID of its own may be repeated, and answers 200 then', async () => {
    const document = { command, id: drawId() };
    const first = await client.post('/v1/tasks', document);
    const second = await client.post('/v1/tasks', document);
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(second.json).toMatchObject({ id: first.json['id'], repeated: true });
  });

  test('a different task under a taken ID is refused', async () => {
    const id = drawId();
    await client.post('/v1/tasks', { command, id });
    const answer = await client.post('/v1/tasks', { command: ['false'], id });
    expect(answer.status).toBe(409);
    expect(answer.json).toMatchObject({ code: 'idTaken', id });
  });

  test('a bad document answers every problem with a pointer', async () => {
    const answer = await client.post('/v1/tasks', { cpus: 1, tier: 'gold', cap: 0, after: ['x'] });
    expect(answer.status).toBe(400);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.json).toMatchObject({ code: 'badSpec', status: 400, field: '/cpus' });
    const problems = answer.json['problems'] as { pointer: string }[];
    expect(problems.map(problem => problem.pointer)).toEqual([
      '/cpus',
      '/tier',
      '/cap',
      '/after/0',
      '',
    ]);
  });

  test('a field that is declared but not built answers 501', async () => {
    const answer = await client.post('/v1/tasks', { command, image: 'alpine' });
    expect(answer.status).toBe(501);
    expect(answer.json).toMatchObject({ code: 'notYet', field: '/image' });
  });

  test('an array answers with its ID and those of its tasks', async () => {
    const answer = await client.post('/v1/tasks', { command, array: '1-2500' });
    expect(answer.status).toBe(201);
    const ids = answer.json['ids'] as string[];
    expect(new Set(ids).size).toBe(2_500);
    const task = await client.get(`/v1/tasks/${ids[2_499]}`);
    expect(task.json).toMatchObject({ arrayId: answer.json['id'], arrayIndex: 2_500 });
  });

  test('a refusal of the node keeps its code, its ID and its Retry-After', async () => {
    const id = drawId();
    client.api.refusal = { code: 'overloaded', message: 'too much', retryAfterMs: 1_200 };
    try {
      const answer = await client.post('/v1/tasks', { command, id });
      expect(answer.status).toBe(503);
      expect(answer.headers.get('retry-after')).toBe('2');
      expect(answer.json).toMatchObject({ code: 'overloaded', retryAfterMs: 1_200, id });
    } finally {
      client.api.refusal = undefined;
    }
  });

  test('a batch answers in order, good and bad', async () => {
    const tasks = [
      { command, name: 'a' },
      { tier: 'gold', command },
      { command, name: 'c' },
    ];
    const answer = await client.post('/v1/tasks/batch', { tasks });
    expect(answer.status).toBe(200);
    expect(answer.json['results']).toMatchObject([
      { ok: true },
      { ok: false, code: 'badSpec' },
      { ok: true },
    ]);
  });

  test('a batch over its limit is refused whole', async () => {
    const tasks = Array.from({ length: limits.batchItemsMax + 1 }, () => ({ command }));
    const calls = client.api.submitCalls.length;
    const answer = await client.post('/v1/tasks/batch', { tasks });
    expect(answer.status).toBe(413);
    expect(answer.json['detail']).toContain('1001 documents; at most 1000');
    expect(client.api.submitCalls).toHaveLength(calls);
  });

  test.each([[{}], [{ tasks: 'x' }], [{ tasks: [], extra: 1 }], [[]]])(
    'a batch of the wrong shape is refused: %j',
    async body => {
      expect((await client.post('/v1/tasks/batch', body)).status).toBe(400);
    },
  );

  test('many at once are all taken, each once', async () => {
    const before = client.api.submitCalls.length;
    const ids = await Promise.all(Array.from({ length: 100 }, () => client.submit()));
    expect(new Set(ids).size).toBe(100);
    const calls = client.api.submitCalls.slice(before);
    expect(calls.reduce((sum, call) => sum + call.requests.length, 0)).toBe(100);
  });
});

describe('reading tasks', () => {
  test('shows the view of the node field for field', async () => {
    const id = await client.submit({ command: ['sleep', '1'], name: 'shown' });
    client.api.start(id);
    const answer = await client.get(`/v1/tasks/${id}`);
    const view = await client.api.get(id);
    expect(answer.json).toEqual(JSON.parse(JSON.stringify(view)) as TaskView);
    expect(answer.json).toMatchObject({ state: 'running', attempts: [{ attempt: 1 }] });
  });

  test('finds a task by the end of its ID, by last, and in upper case', async () => {
    const id = await client.submit({ command, name: 'found' });
    for (const text of [id.slice(-10), 'last', id.toUpperCase()]) {
      expect((await client.get(`/v1/tasks/${text}`)).json).toMatchObject({ id });
    }
  });

  test.each([
    ['/v1/tasks/zz', 400, 'badId'],
    ['/v1/tasks/..%2f..%2fetc', 400, 'badId'],
    ['/v1/tasks/00000000000000000000', 404, 'unknownTask'],
    ['/v1/tasks/zzzzzzzz', 404, 'unknownTask'],
    [`/v1/tasks/${'z'.repeat(300)}`, 400, 'badRequest'],
    ['/v1/nodes/none', 404, 'unknownNode'],
    ['/v1/nothing', 404, 'unknownRoute'],
    ['/v1/tasks?limit=0', 400, 'badRequest'],
    ['/v1/tasks?limit=1001', 400, 'badRequest'],
    ['/v1/tasks?state=done', 400, 'badRequest'],
    ['/v1/tasks?lim=1', 400, 'badRequest'],
    ['/v1/tasks/last/wait?timeout=soon', 400, 'badRequest'],
    ['/v1/tasks/last/logs?stream=both', 400, 'badRequest'],
    ['/v1/tasks/last/logs?offset=-1', 400, 'badRequest'],
    ['/v1/tasks/%ff', 400, 'badRequest'],
  ])('%s answers %i %s', async (path, status, code) => {
    const answer = await client.get(path);
    expect([answer.status, answer.json['code']]).toEqual([status, code]);
    expect(answer.json['type']).toBe(`urn:tsched:error:${code}`);
  });

  test('the document of a task can be submitted again', async () => {
    const id = await client.submit({ script: 'echo é\n', env: { A: 'b' }, cap: '5m' });
    const document = (await client.get(`/v1/tasks/${id}/spec`)).json;
    expect(document).toMatchObject({ script: 'echo é\n', env: { A: 'b' }, cap: '5m' });
    const again = await client.submit(document);
    expect(await client.api.spec(again)).toEqual(await client.api.spec(id));
  });

  test('a listing filters and goes on from its cursor without gap or repeat', async () => {
    const name = 'paged';
    const tasks = Array.from({ length: 7 }, () => ({ command, name }));
    await client.post('/v1/tasks/batch', { tasks });
    await client.submit({ command, name: 'other' });
    const seen: string[] = [];
    let cursor: unknown = '';
    while (typeof cursor === 'string') {
      const more = cursor === '' ? '' : `&cursor=${cursor}`;
      const page = await client.get(`/v1/tasks?name=${name}&limit=3&state=waiting${more}`);
      seen.push(...(page.json['tasks'] as { id: string }[]).map(task => task.id));
      cursor = page.json['cursor'];
    }
    expect(seen).toHaveLength(7);
    expect([...new Set(seen)].sort().reverse()).toEqual(seen);
  });

  test('explains why a task waits', async () => {
    const id = await client.submit({ command, cpu: 8 });
    expect((await client.get(`/v1/tasks/${id}/explain`)).json).toMatchObject({
      id,
      reason: 'Queued',
      position: 1,
    });
  });
});

describe('cancelling, retrying, waiting', () => {
  test('a waiting task is cancelled with its reason, and once more without effect', async () => {
    const id = await client.submit();
    const path = `/v1/tasks/${id}/cancel`;
    const first = await client.post(path, { reason: 'not needed' });
    expect([first.status, first.json['repeated']]).toEqual([200, false]);
    expect((await client.api.get(id)).cancelRequested).toEqual({
      reason: 'not needed',
      by: 'admin',
    });
    expect((await client.post(path)).json).toMatchObject({ repeated: true });
  });

  test('a settled task cannot be cancelled, an unsettled one not be retried', async () => {
    const id = await client.submit();
    expect((await client.post(`/v1/tasks/${id}/retry`)).json).toMatchObject({ code: 'notSettled' });
    client.api.finish(id, 'failed');
    const cancel = await client.post(`/v1/tasks/${id}/cancel`);
    expect([cancel.status, cancel.json['code']]).toEqual([409, 'alreadySettled']);
    const retry = await client.post(`/v1/tasks/${id}/retry`);
    expect(retry.status).toBe(201);
    expect(retry.json).toMatchObject({ retryOf: id, state: 'waiting' });
  });

  test('many are cancelled each by itself, in order', async () => {
    const ids = [await client.submit(), '0'.repeat(20), 'zz', await client.submit()];
    const answer = await client.post('/v1/tasks/cancel', { ids, reason: 'all' });
    expect(answer.json['results']).toMatchObject([
      { ok: true, id: ids[0] },
      { ok: false, code: 'unknownTask' },
      { ok: false, code: 'badId' },
      { ok: true, id: ids[3] },
    ]);
    expect((await client.post('/v1/tasks/cancel', { ids: 'x' })).status).toBe(400);
  });

  test('a wait ends when the task settles', async () => {
    const id = await client.submit();
    const waited = client.get(`/v1/tasks/${id}/wait?timeout=30s`);
    client.api.finish(id, 'failed', { exitCode: 3 });
    expect((await waited).json).toMatchObject({ state: 'failed', outcome: { exitCode: 3 } });
  });

  test('a wait that is over shows the present state', async () => {
    const id = await client.submit();
    const answer = await client.get(`/v1/tasks/${id}/wait?timeout=20ms`);
    expect([answer.status, answer.json['state']]).toEqual([200, 'waiting']);
  });

  test('a client that goes away ends its wait', async () => {
    const id = await client.submit();
    const before = client.api.waitsAborted;
    const gone = new AbortController();
    const waited = fetch(`${client.address}/v1/tasks/${id}/wait?timeout=60s`, {
      headers: client.headers({}),
      signal: gone.signal,
    });
    const ended = waited.then(
      () => 'answered',
      () => 'aborted',
    );
    await client.get('/v1/health');
    gone.abort();
    expect(await ended).toBe('aborted');
    await until('the wait has ended', () => client.api.waitsAborted > before);
  });
});

describe('the node', () => {
  test('is healthy without a token once it takes tasks, and starting before', async () => {
    expect((await client.get('/v1/health', { token: null })).status).toBe(200);
    client.api.ready = false;
    try {
      const answer = await client.get('/v1/health', { token: null });
      expect([answer.status, answer.json['code']]).toEqual([503, 'starting']);
      expect(answer.headers.get('retry-after')).toBe('1');
    } finally {
      client.api.ready = true;
    }
  });

  test('shows nodes, shards and the health of the cluster', async () => {
    const nodes = (await client.get('/v1/nodes')).json['nodes'] as { name: string }[];
    expect(nodes.map(node => node.name)).toEqual(['node-a', 'node-b', 'node-c']);
    expect((await client.get('/v1/nodes/node-b')).json).toMatchObject({ name: 'node-b' });
    expect((await client.get('/v1/shards')).json['shards']).toHaveLength(4);
    expect((await client.get('/v1/cluster/health')).json).toMatchObject({ ok: true, nodesUp: 3 });
  });

  test('gives a join token that no cache keeps', async () => {
    const answer = await client.post('/v1/cluster/join-token');
    expect(answer.json).toEqual({ token: 'tsched1_fake-join-token' });
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  test('answers before it stops', async () => {
    const answer = await client.post('/v1/nodes/self/stop', { endTasks: true });
    expect(answer.status).toBe(202);
    await until('the node was told to stop', () => client.api.stopCalls.length > 0);
    expect(client.api.stopCalls).toEqual([{ endTasks: true }]);
  });

  test('counts requests by route, never by path, and shows its own metrics', async () => {
    await client.get('/v1/tasks/last');
    const { text } = await client.get('/metrics');
    expect(text).toMatch(
      /tsched_http_requests_total\{method="GET",route="\/v1\/tasks\/:id",status="200"\} \d/,
    );
    expect(text).toContain('tsched_http_request_seconds_bucket{le="0.001",method="POST"');
    expect(text).toMatch(/tsched_tasks\{state="waiting"\} \d+/);
    expect(text).toMatch(/# TYPE tsched_events_total counter/);
    expect(text).not.toContain('route="/v1/tasks/0');
  });

  test('tells a bug to its log and not to the client', async () => {
    client.api.failure = new Error('secret of the inside');
    try {
      const answer = await client.get('/v1/tasks/last');
      expect([answer.status, answer.json['code']]).toEqual([500, 'internal']);
      expect(answer.text).not.toContain('secret');
      expect(JSON.stringify(client.logged)).toContain('secret of the inside');
    } finally {
      client.api.failure = undefined;
    }
  });
});
