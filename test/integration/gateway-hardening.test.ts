import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { taskDocumentBytesMax } from '../../src/gateway/body.ts';
import { createGateway } from '../../src/gateway/server.ts';
import { limits } from '../../src/model/limits.ts';
import { silentLog } from '../../src/ports/log.ts';
import { GatewayClient, sendTo, until } from '../support/gateway-client.ts';

let client: GatewayClient;
beforeAll(async () => {
  client = await new GatewayClient().start();
});
afterAll(() => client.stop());
afterEach(async () => {
  expect((await client.get('/v1/health', { token: null })).status).toBe(200);
});

const head = (length: number | string, more = ''): string =>
  `POST /v1/tasks HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer admin-token\r\n` +
  `Content-Type: application/json\r\nConnection: close\r\n${more}Content-Length: ${length}\r\n\r\n`;

test.each([
  ['random bytes', randomBytes(4_096)],
  ['zeros', Buffer.alloc(1_024)],
  ['a TLS greeting', Buffer.from('16030100c8010000c40303', 'hex')],
  ['words', Buffer.from('hello there\r\n\r\n')],
  ['a head without a host', Buffer.from('GET /v1/health HTTP/1.1\r\n\r\n')],
  [
    'a head of 100 kB',
    Buffer.from(`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`),
  ],
  ['two lengths', Buffer.from(head('5\r\nContent-Length: 6'))],
  ['a length and chunks', Buffer.from(head('5', 'Transfer-Encoding: chunked\r\n'))],
])('%s on the port are answered 400 and closed', async (_name, bytes) => {
  const answer = await client.raw(bytes);
  expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
});

test('a client that connects and leaves costs nothing', async () => {
  await Promise.all(
    Array.from(
      { length: 50 },
      () =>
        new Promise<void>(resolve => {
          const socket = connect(client.port, '127.0.0.1', () => socket.write('GET /v1/he'));
          socket.on('ready', () => socket.resetAndDestroy());
          socket.on('close', () => resolve());
          socket.on('error', () => resolve());
        }),
    ),
  );
});

test('a document of 100 MiB is refused with the limit in words, before it is sent', async () => {
  const answer = await client.raw(head(100 * 1024 * 1024));
  expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  expect(answer).toContain(`${taskDocumentBytesMax} bytes`);
});

test('a body one byte over the limit is refused', async () => {
  const answer = await client.post('/v1/tasks', Buffer.alloc(taskDocumentBytesMax + 1, ' '));
  expect([answer.status, answer.json['code']]).toEqual([413, 'tooLarge']);
});

test('the limit of a batch is that of all bodies', async () => {
  const answer = await client.raw(
    head(limits.httpBodyBytesMax + 1).replace('/v1/tasks', '/v1/tasks/batch'),
  );
  expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  expect(answer).toContain(`${limits.httpBodyBytesMax} bytes`);
});

test.each([
  ['nests too deep', `{"command":${'['.repeat(40)}${']'.repeat(40)}}`, 'deeper than 32'],
  ['reaches a prototype', '{"command":["true"],"__proto__":{"role":"admin"}}', '__proto__'],
  ['is not JSON', '{"command":', 'not valid JSON'],
  ['is not UTF-8', Buffer.from('{"command":["\xff"]}', 'latin1'), 'not valid UTF-8'],
  ['is empty', '', 'a map of fields'],
  ['is a list', '[]', 'a map of fields, not a list'],
  ['is null', 'null', 'a map of fields, not nothing'],
])('a body that %s is refused', async (_name, body, words) => {
  const answer = await client.post('/v1/tasks', body);
  expect(answer.status).toBe(400);
  expect(answer.json['detail']).toContain(words);
});

test('a body that breaks off is no task', async () => {
  const calls = client.api.submitCalls.length;
  const socket = connect(client.port, '127.0.0.1');
  await new Promise<void>(resolve =>
    socket.write(`${head(100)}{"command":["true"]}`, () => resolve()),
  );
  socket.destroy();
  await until('the connection is closed', () => socket.closed);
  await client.get('/v1/health');
  expect(client.api.submitCalls).toHaveLength(calls);
});

test('names from outside are never keys of an object', async () => {
  const answer = await client.get('/v1/tasks?__proto__=1');
  expect(answer.status).toBe(400);
  const found = await client.get('/v1/nodes/__proto__');
  expect(found.json).toMatchObject({ code: 'unknownNode' });
  expect((await client.get('/v1/tasks/constructor')).json['code']).toBe('unknownTask');
});

test('a head or a body that does not arrive in time is given up', async () => {
  const timeouts = { headMs: 200, bodyMs: 200 };
  const { api } = client;
  const options = { api, log: silentLog, host: '127.0.0.1', port: 0, version: '1', timeouts };
  const gateway = createGateway(options);
  const port = Number(new URL((await gateway.start()).address).port);
  try {
    const calls = api.submitCalls.length;
    // Not 400: the client has done nothing wrong, and may send it again.
    const late = await sendTo(port, 'POST /v1/tasks HTTP/1.1\r\nHost: loc');
    expect(late).toContain('408 Request Timeout');
    expect(late).toContain('"code":"requestTimeout"');
    await sendTo(port, `${head(100)}{"command":["true"]`);
    const endless = head(100).replace('admin-token', 'nobody').replace('close', 'keep-alive');
    expect(await sendTo(port, `${endless}{`)).toContain('401 Unauthorized');
    expect(api.submitCalls).toHaveLength(calls);
  } finally {
    await gateway.stop();
  }
});

test('an address that is taken is an error at the start', async () => {
  const { api, port } = client;
  const second = createGateway({ api, log: silentLog, host: '127.0.0.1', port, version: '1' });
  await expect(second.start()).rejects.toThrow('EADDRINUSE');
  await second.stop();
});
