/** Many more requests than fit, over real sockets: what is taken is kept, the rest is told. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createGateway } from '../../src/gateway/server.ts';
import type { TaskId } from '../../src/model/ids.ts';
import { startNode } from '../../src/node/main.ts';
import { initCluster } from '../../src/node/make-cluster.ts';
import { silentLog } from '../../src/ports/log.ts';
import { FakeNodeApi } from '../support/fake-node-api.ts';
import { sendTo, until } from '../support/gateway-client.ts';

const kib = 1024;
/** Seconds, where nothing else runs. */
const patienceMs = 240_000;

interface Said {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: Readonly<Record<string, unknown>>;
}

async function post(url: string, token: string, body: string): Promise<Said> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body });
  const said = (await response.json()) as Said['body'];
  return { status: response.status, retryAfter: response.headers.get('retry-after'), body: said };
}

test('bodies that wait for their answers are bounded over all connections', {
  timeout: patienceMs,
}, async () => {
  const api = new FakeNodeApi();
  let open: () => void = () => undefined;
  const opened = new Promise<void>(resolve => {
    open = resolve;
  });
  const submit = api.submit.bind(api);
  let begun = 0;
  api.submit = async (requests, actor) => {
    begun += requests.length;
    await opened;
    return submit(requests, actor);
  };
  const gateway = createGateway({
    api,
    log: silentLog,
    host: '127.0.0.1',
    port: 0,
    version: '1',
    intakeBytesMax: 1_024 * kib,
  });
  const { address } = await gateway.start();
  try {
    const document = JSON.stringify({ command: ['true'], env: { PAD: 'x'.repeat(16 * kib) } });
    let refused = 0;
    const answers = Array.from({ length: 300 }, async () => {
      const said = await post(`${address}/v1/tasks`, 'admin-token', document);
      if (said.status !== 201) refused++;
      return said;
    });
    await until('all but those that fit are refused', () => refused === 300 - 63, patienceMs);
    // Nothing of those that fit was answered, and there is still no room for one more, whichever
    // way it comes.
    expect(begun).toBe(63);
    const chunked =
      `POST /v1/tasks HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer admin-token\r\n` +
      'Content-Type: application/json\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n' +
      `${document.length.toString(16)}\r\n${document}\r\n0\r\n\r\n`;
    expect(await sendTo(Number(new URL(address).port), chunked)).toMatch(/^HTTP\/1\.1 503 /);
    open();
    const said = await Promise.all(answers);
    for (const { status, retryAfter, body } of said) {
      if (status === 201) {
        expect(await api.get(body['id'] as TaskId)).toMatchObject({ state: 'waiting' });
      } else {
        expect({ status, retryAfter }).toEqual({ status: 503, retryAfter: '1' });
        expect(body).toMatchObject({ code: 'overloaded', retryAfterMs: 1_000 });
      }
    }
    // What was answered made room again.
    expect((await post(`${address}/v1/tasks`, 'admin-token', document)).status).toBe(201);
  } finally {
    open();
    api.close();
    await gateway.stop();
  }
});

test('a client that goes away in the middle of a body gives its room back', {
  timeout: patienceMs,
}, async () => {
  const api = new FakeNodeApi();
  const options = { api, log: silentLog, host: '127.0.0.1', port: 0, version: '1' };
  const gateway = createGateway({ ...options, intakeBytesMax: 64 * kib });
  const { address } = await gateway.start();
  const port = Number(new URL(address).port);
  try {
    const head =
      'POST /v1/tasks HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer admin-token\r\n' +
      `Content-Type: application/json\r\nContent-Length: ${60 * kib}\r\n\r\n{`;
    const document = JSON.stringify({ command: ['true'], env: { PAD: 'x'.repeat(8 * kib) } });
    for (let round = 0; round < 5; round++) {
      const socket = connect(port, '127.0.0.1');
      await new Promise<void>(resolve => socket.write(head, () => resolve()));
      let said = await post(`${address}/v1/tasks`, 'admin-token', document);
      while (said.status === 201) said = await post(`${address}/v1/tasks`, 'admin-token', document);
      expect(said.status).toBe(503);
      socket.resetAndDestroy();
      while (said.status === 503) said = await post(`${address}/v1/tasks`, 'admin-token', document);
      expect(said.status).toBe(201);
    }
  } finally {
    api.close();
    await gateway.stop();
  }
});

const partOfLine = 'x'.repeat(40 * kib);

test.each([
  ['a part of a line', partOfLine],
  ['a line that nobody asks for any more, and a part of one', `{}\n${partOfLine}`],
])('a stream of submits that breaks off behind %s leaves nothing', async (_what, rest) => {
  const api = new FakeNodeApi();
  const submit = api.submit.bind(api);
  const opened = Promise.withResolvers<void>();
  let begun = 0;
  api.submit = async (requests, actor) => {
    begun++;
    await opened.promise;
    return submit(requests, actor);
  };
  const options = { api, log: silentLog, host: '127.0.0.1', port: 0, version: '1' };
  const gateway = createGateway({ ...options, intakeBytesMax: 64 * kib });
  const { address } = await gateway.start();
  const requests: IncomingMessage[] = [];
  const onRequest = (message: unknown): void => {
    requests.push((message as { request: IncomingMessage }).request);
  };
  subscribe('http.server.request.start', onRequest);
  const unhandled: unknown[] = [];
  const onUnhandled = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', onUnhandled);
  try {
    const socket = connect(Number(new URL(address).port), '127.0.0.1');
    socket.write(
      'POST /v1/tasks/stream HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n' +
        'Authorization: Bearer admin-token\r\nContent-Type: application/x-ndjson\r\n\r\n',
    );
    const send = (text: string): boolean =>
      socket.write(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
    const line = `${JSON.stringify({ command: ['true'] })}\n`;
    for (let count = 1; count <= 4; count++) {
      send(line);
      await until('it is under way', () => begun === count);
    }
    // As many are under way as may be.
    send(rest);
    await until('it was read', () => (requests[0]?.socket.bytesRead ?? 0) > 40 * kib);
    const gone = new Promise<void>(resolve => requests[0]!.once('close', () => resolve()));
    socket.resetAndDestroy();
    await gone;
    opened.resolve();
    await until('what was under way is done', () => api.submitCalls.length >= 4);
    const document = JSON.stringify({ command: ['true'], env: { PAD: 'x'.repeat(50 * kib) } });
    expect((await post(`${address}/v1/tasks`, 'admin-token', document)).status).toBe(201);
    expect(unhandled).toEqual([]);
  } finally {
    process.off('unhandledRejection', onUnhandled);
    unsubscribe('http.server.request.start', onRequest);
    api.close();
    await gateway.stop();
  }
});

test('a node that is asked for far too much keeps all it acknowledged and refuses the rest', {
  timeout: patienceMs,
}, async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'tsched-overload-'));
  await initCluster({ dataDir, shards: 4 });
  const node = await startNode({
    dataDir,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    http: '127.0.0.1:0',
    tier: 'basic',
    labels: [],
    logLevel: 'error',
    cpuMilli: 1_000,
    // One batch at a time, so that a fast machine has too much of them, too.
    submitsInFlightMax: 100,
  });
  try {
    await node.ready;
    const token = (await readFile(join(dataDir, 'admin.token'), 'utf8')).trim();
    const url = `http://${node.httpAddress}/v1`;
    // One fills the node: the others wait, and nothing but the submits is measured.
    const document = { command: ['sleep', '60'], tier: 'basic', cpu: 1 };
    const tasks = Array.from({ length: 100 }, () => document);
    const body = JSON.stringify({ tasks });
    const before = process.memoryUsage().rss;
    const answers = await Promise.all(
      Array.from({ length: 120 }, () => post(`${url}/tasks/batch`, token, body)),
    );
    const grown = process.memoryUsage().rss - before;
    const results = answers.flatMap(
      ({ body: said }) =>
        said['results'] as { ok: boolean; id?: string; code?: string; retryAfterMs?: number }[],
    );
    expect(results).toHaveLength(12_000);
    expect(results.find(({ ok, code }) => !ok && code !== 'overloaded')).toBeUndefined();
    const taken = results.filter(result => result.ok);
    const refused = results.filter(result => !result.ok);
    expect(taken.length).toBeGreaterThan(0);
    expect(refused.length).toBeGreaterThan(taken.length);
    for (const result of refused) {
      expect(result).toMatchObject({ code: 'overloaded', retryAfterMs: expect.any(Number) });
    }
    expect(grown).toBeLessThan(400 * kib * kib);
    const headers = { authorization: `Bearer ${token}` };
    const listed = new Set<string>();
    for (let cursor: string | undefined = ''; cursor !== undefined; ) {
      const query = `limit=1000${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`;
      const response = await fetch(`${url}/tasks?${query}`, { headers });
      const page = (await response.json()) as { tasks: { id: string }[]; cursor?: string };
      for (const { id } of page.tasks) listed.add(id);
      cursor = page.cursor;
    }
    expect([...listed].sort()).toEqual(taken.map(({ id }) => id).sort());
  } finally {
    await node.stop({ endTasks: true });
    await rm(dataDir, { recursive: true, force: true });
  }
});
