import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TschedError } from '../../src/model/errors.ts';
import { GatewayClient, until } from '../support/gateway-client.ts';

let client: GatewayClient;
beforeEach(async () => {
  client = await new GatewayClient({ eventsMax: 50 }).start();
});
afterEach(() => client.stop());

const line = (name: string): string => `${JSON.stringify({ command: ['true'], name })}\n`;

/** A stream of submits, written and read by hand. */
function openStream() {
  const sent = httpRequest(`${client.address}/v1/tasks/stream`, {
    method: 'POST',
    headers: client.headers({ headers: { 'content-type': 'application/x-ndjson' } }),
  });
  sent.flushHeaders();
  const results = (async function* () {
    const response = await new Promise<NodeJS.ReadableStream>((resolve, reject) => {
      sent.on('response', resolve).on('error', reject);
    });
    for await (const text of createInterface({ input: response })) {
      yield JSON.parse(text) as { line: number; ok: boolean; id?: string; code?: string };
    }
  })();
  return { sent, results };
}

describe('a stream of submits', () => {
  test('answers each line while the next is not even sent', async () => {
    const { sent, results } = openStream();
    for (let number = 1; number <= 3; number++) {
      sent.write(line(`n${number}`));
      const { value } = await results.next();
      expect(value).toMatchObject({ line: number, ok: true });
    }
    sent.end();
    expect((await results.next()).done).toBe(true);
  });

  test('takes lines at hand together and answers all in order', async () => {
    const { sent, results } = openStream();
    const count = 3_000;
    sent.end(Array.from({ length: count }, (_, at) => line(`n${at}`)).join(''));
    let expected = 0;
    for await (const result of results)
      expect(result).toMatchObject({ line: ++expected, ok: true });
    expect(expected).toBe(count);
    expect(client.api.submitCalls.length).toBeLessThan(count / 5);
    const { tasks } = await client.api.list({ limit: count });
    expect(tasks).toHaveLength(count);
  });

  test('goes on behind a bad line and tells its number', async () => {
    const { sent, results } = openStream();
    sent.end(`${line('a')}\nnot json\n{"command":["true"],"tier":"gold"}\n${line('b')}`);
    const seen = [];
    for await (const result of results) seen.push([result.line, result.ok, result.code]);
    expect(seen).toEqual([
      [1, true, undefined],
      [3, false, 'badRequest'],
      [4, false, 'badSpec'],
      [5, true, undefined],
    ]);
  });

  test('ends at a line over the limit, which is told', async () => {
    const { sent, results } = openStream();
    sent.on('error', () => undefined);
    sent.write(line('a'));
    for (let part = 0; part < 40; part++) sent.write('x'.repeat(64 * 1024));
    const seen = [];
    for await (const result of results) seen.push([result.line, result.code]);
    expect(seen).toEqual([
      [1, undefined],
      [2, 'tooLarge'],
    ]);
    sent.destroy();
  });

  test('reads no further than its answers are read', async () => {
    let release = (): void => undefined;
    const released = new Promise<void>(resolve => (release = resolve));
    const submit = client.api.submit.bind(client.api);
    let calls = 0;
    client.api.submit = async (requests, actor) => {
      calls++;
      await released;
      return await submit(requests, actor);
    };
    const { sent, results } = openStream();
    let accepted = 0;
    let blocked = false;
    const lines = Array.from({ length: 200 }, (_, at) => line(`n${at}`)).join('');
    while (!blocked && accepted < 10_000) {
      accepted++;
      if (sent.write(lines)) continue;
      const drained = new Promise<boolean>(resolve => {
        const timer = setTimeout(() => resolve(false), 300);
        sent.once('drain', () => {
          clearTimeout(timer);
          resolve(true);
        });
      });
      blocked = !(await drained);
    }
    expect(blocked).toBe(true);
    expect(calls).toBe(4);
    release();
    sent.end();
    let count = 0;
    for await (const result of results) if (result.ok) count++;
    expect(count).toBe(accepted * 200);
    // It fills the buffers of both sockets, whatever their size.
  }, 30_000);

  test('needs the type of NDJSON, and only it takes that', async () => {
    const wrong = await client.post('/v1/tasks/stream', line('a'));
    expect(wrong.status).toBe(400);
    const headers = { 'content-type': 'application/x-ndjson' };
    expect((await client.post('/v1/tasks', line('a'), { headers })).status).toBe(400);
  });
});

describe('the output of a task', () => {
  const logs = (id: string, query = '') => client.get(`/v1/tasks/${id}/logs${query}`);

  test('is sent byte for byte with what it is of', async () => {
    const id = await client.submit();
    client.api.start(id);
    client.api.print(id, 'out\u0000é\n');
    client.api.print(id, 'err\n', 'stderr');
    const all = await logs(id);
    expect(all.text).toBe('out\u0000é\n');
    expect(all.headers.get('content-type')).toBe('application/octet-stream');
    const heads = ['attempt', 'offset', 'size', 'ended'].map(n => all.headers.get(`x-tsched-${n}`));
    expect(heads).toEqual(['1', '0', '7', 'false']);
    expect((await logs(id, '?stream=stderr')).text).toBe('err\n');
    expect((await logs(id, '?offset=6')).text).toBe('\n');
    expect((await logs(id, '?offset=99')).text).toBe('');
  });

  test('larger than a page is sent whole', async () => {
    const id = await client.submit();
    client.api.start(id);
    const text = 'x'.repeat(1_000_000);
    client.api.print(id, text);
    expect((await logs(id)).text === text).toBe(true);
  });

  test('of an earlier attempt is there still', async () => {
    const id = await client.submit({ command: ['x'], attempts: 2 });
    client.api.start(id);
    client.api.print(id, 'first');
    client.api.finish(id, 'failed');
    client.api.start(id);
    client.api.print(id, 'second');
    expect((await logs(id)).text).toBe('second');
    expect((await logs(id, '?attempt=1')).text).toBe('first');
    const none = await logs(id, '?attempt=9');
    expect([none.status, none.json['code']]).toEqual([404, 'noOutput']);
  });

  test('that is not there yet is told', async () => {
    expect((await logs(await client.submit())).json).toMatchObject({ code: 'noOutput' });
  });

  test('is followed from before the start to the end', async () => {
    const id = await client.submit();
    const response = fetch(`${client.address}/v1/tasks/${id}/logs?follow=true`, {
      headers: client.headers({}),
    });
    client.api.start(id);
    client.api.print(id, 'one ');
    const body = (await response).body!.getReader();
    const decoder = new TextDecoder();
    expect(decoder.decode((await body.read()).value)).toBe('one ');
    client.api.print(id, 'two ');
    expect(decoder.decode((await body.read()).value)).toBe('two ');
    client.api.print(id, 'three');
    client.api.finish(id);
    expect(decoder.decode((await body.read()).value)).toBe('three');
    expect((await body.read()).done).toBe(true);
  });

  test('that breaks off while it is followed does not end as if it were whole', async () => {
    const id = await client.submit();
    client.api.start(id);
    client.api.print(id, 'one');
    const response = await fetch(`${client.address}/v1/tasks/${id}/logs?follow=true`, {
      headers: client.headers({}),
    });
    const body = response.body!.getReader();
    await body.read();
    client.api.failure = new Error('the node is gone');
    client.api.print(id, 'two');
    await expect(
      (async () => {
        while (!(await body.read()).done);
      })(),
    ).rejects.toThrow();
    client.api.failure = undefined;
    expect((await logs(id, '?offset=3')).text).toBe('two');
  });
});

/** Reads server-sent events by hand. */
async function openEvents(query = '', headers: Record<string, string> = {}) {
  const leave = new AbortController();
  const response = await fetch(`${client.address}/v1/events${query}`, {
    headers: client.headers({ headers }),
    signal: leave.signal,
  });
  const events = (async function* () {
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of response.body!) {
      text += decoder.decode(chunk, { stream: true });
      for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
        const fields = text.slice(0, end).split('\n');
        text = text.slice(end + 2);
        const value = (name: string) =>
          fields.find(field => field.startsWith(`${name}: `))?.slice(name.length + 2);
        const data = value('data');
        if (data === undefined) continue;
        yield { id: value('id'), event: value('event'), data: JSON.parse(data) };
      }
    }
  })();
  return { response, events, leave: () => leave.abort() };
}

describe('events', () => {
  test('come as they happen, each with a cursor', async () => {
    const { response, events, leave } = await openEvents();
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    await until('the stream is open', () => client.api.eventStreams === 1);
    const id = await client.submit();
    client.api.finish(id);
    const kinds = [];
    while (kinds.at(-1) !== 'settled') {
      const { value } = await events.next();
      expect(value?.id).toBeTypeOf('string');
      expect(value?.data).toMatchObject({ taskId: id });
      kinds.push(value?.data.kind);
    }
    expect(kinds).toEqual(['submitted', 'assigned', 'started', 'attemptEnded', 'settled']);
    leave();
    await until('the stream is closed', () => client.api.eventStreams === 0);
  });

  test('go on behind a cursor, whether in the query or as Last-Event-ID', async () => {
    const first = await client.submit();
    const second = await client.submit();
    for (const [query, headers] of [
      ['?cursor=1', {}],
      ['', { 'last-event-id': '1' }],
      ['?cursor=0', { 'last-event-id': '1' }],
    ] as const) {
      const { events, leave } = await openEvents(query, headers);
      expect((await events.next()).value?.data.taskId).toBe(second);
      leave();
    }
    const { events, leave } = await openEvents('?cursor=0');
    expect((await events.next()).value?.data.taskId).toBe(first);
    leave();
  });

  test('behind an expired cursor answer 410', async () => {
    await client.post('/v1/tasks', { command: ['true'], array: '1-60' });
    const answer = await client.get('/v1/events?cursor=1');
    expect([answer.status, answer.json['code']]).toEqual([410, 'cursorExpired']);
  });

  test('are those of one task, or of the tenant of the token', async () => {
    const mine = await client.submit({ command: ['a'] }, 'submitter-token');
    const theirs = await client.submit({ command: ['b'] }, 'other-token');
    const one = await openEvents(`?cursor=0&task=${theirs}`);
    expect((await one.events.next()).value?.data.taskId).toBe(theirs);
    one.leave();
    const tenant = await openEvents('?cursor=0', { authorization: 'Bearer other-token' });
    expect((await tenant.events.next()).value?.data.taskId).toBe(theirs);
    tenant.leave();
    const foreign = await openEvents(`?cursor=0&task=${mine}`, {
      authorization: 'Bearer other-token',
    });
    client.api.finish(mine);
    await until('the stream is open', () => client.api.eventStreams >= 1);
    foreign.leave();
    const rest = [];
    try {
      for await (const event of foreign.events) rest.push(event);
    } catch (error) {
      expect((error as Error).name).toBe('AbortError');
    }
    expect(rest).toEqual([]);
  });

  test('tell a failure of the source as an event and end', async () => {
    client.api.events = async function* () {
      yield {
        cursor: '1',
        event: {
          shard: 1,
          seq: 1,
          atMs: 1,
          kind: 'submitted',
          taskId: await client.submit(),
          tenant: 'default',
          state: 'waiting',
        },
      } as const;
      throw new Error('lost');
    };
    const { events } = await openEvents();
    expect((await events.next()).value?.id).toBe('1');
    expect((await events.next()).value).toMatchObject({
      event: 'problem',
      data: { code: 'internal' },
    });
    expect((await events.next()).done).toBe(true);
  });
});

test('events that fail while their reader is slow harm nobody else', async () => {
  const taskId = await client.submit();
  const failed = Promise.withResolvers<void>();
  client.api.events = async function* () {
    const event = { shard: 1, seq: 1, atMs: 1, taskId, tenant: 'default' } as const;
    // More than the sockets and the stream hold: the gateway waits until it is read.
    for (const kib of [32 * 1024, 128]) {
      const outcome = 'x'.repeat(kib * 1024) as 'failed';
      const settled = { ...event, kind: 'settled', state: 'failed', outcome } as const;
      yield { cursor: '1', event: settled };
    }
    // In the turns that follow it is read no further.
    for (let turn = 0; turn < 50; turn++) await new Promise(resolve => setImmediate(resolve));
    queueMicrotask(failed.resolve);
    throw new TschedError('cursorExpired', 'shard 1 keeps no events as old as the cursor');
  };
  const unhandled: unknown[] = [];
  const onUnhandled = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', onUnhandled);
  const socket = connect(client.port, '127.0.0.1').pause();
  try {
    socket.write(
      'GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer admin-token\r\n\r\n',
    );
    await failed.promise;
    await new Promise(resolve => setImmediate(resolve));
    expect(unhandled).toEqual([]);
    let end = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      end = (end + text).slice(-1_000);
    });
    socket.resume();
    await until('the reader is told', () => end.includes('"code":"cursorExpired"'));
  } finally {
    socket.destroy();
    process.off('unhandledRejection', onUnhandled);
  }
}, 30_000);

test('stopping ends waits and streams and answers what is under way', async () => {
  const id = await client.submit();
  const waited = client.get(`/v1/tasks/${id}/wait?timeout=5m`);
  const { events } = await openEvents();
  await until('the stream is open', () => client.api.eventStreams === 1);
  const begun = performance.now();
  await client.stop();
  expect((await waited).json).toMatchObject({ id, state: 'waiting' });
  expect((await events.next()).done).toBe(true);
  expect(performance.now() - begun).toBeLessThan(2_500);
});
