import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { CliError } from '../../../cli/cli-error.ts';
import { Client } from '../../../cli/client.ts';
import { prepareTasks } from '../../../cli/input/tasks.ts';
import { submitMany, submitOne } from '../../../cli/submission.ts';
import { waitForTasks } from '../../../cli/waiting.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const close = (server: Server): Promise<unknown> => {
  server.closeAllConnections();
  return new Promise(resolve => server.close(resolve));
};

interface Asked {
  readonly method: string;
  readonly url: string;
  readonly body: string;
  readonly token: string | undefined;
}

type Answer = (asked: Asked, reply: Parameters<RequestListener>[1]) => void;

/** A node that answers as it is told; `asked` holds every request. */
async function node(answer: Answer): Promise<{ url: URL; asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer((request, reply) => {
    const chunks: Buffer[] = [];
    request.on('data', chunk => chunks.push(chunk as Buffer));
    request.on('end', () => {
      const one = {
        method: request.method ?? '',
        url: request.url ?? '',
        body: Buffer.concat(chunks).toString(),
        token: request.headers.authorization,
      };
      asked.push(one);
      answer(one, reply);
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => close(server));
  const { port } = server.address() as AddressInfo;
  return { url: new URL(`http://127.0.0.1:${port}`), asked };
}

const json =
  (body: unknown, status = 200): Answer =>
  (_asked, reply) => {
    reply.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };

const problem = (code: string, status: number, more = {}): Answer =>
  json(
    { type: `urn:tsched:error:${code}`, title: 't', detail: 'd', code, status, ...more },
    status,
  );

/** Reads the request and closes: the client cannot know what became of it. */
const hangUp: Answer = (_asked, reply) => reply.destroy();

/** An address nothing listens on. */
async function nowhere(): Promise<URL> {
  const server = createTcpServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return new URL(`http://127.0.0.1:${port}`);
}

const clientOf = (...addresses: URL[]): Client =>
  new Client({ addresses, token: 'secret', source: 'test' }, { answeredMs: 600, refusedMs: 200 });

async function caught(action: Promise<unknown>): Promise<CliError> {
  try {
    await action;
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const oneTask = () => prepareTasks([{ value: { command: ['a'] } }], {}, () => 'id-1' as never)[0]!;

describe('several nodes', () => {
  test('the next one is asked when nothing listens at the first, and stays preferred', async () => {
    const there = await node(json({ ok: true }));
    const client = clientOf(await nowhere(), there.url);
    expect(await client.get('/v1/a')).toEqual({ ok: true });
    expect(await client.get('/v1/b')).toEqual({ ok: true });
    expect(there.asked).toMatchObject([
      { method: 'GET', url: '/v1/a', token: 'Bearer secret' },
      { url: '/v1/b' },
    ]);
  });

  test('a request that one lost is repeated at the next with the same ID', async () => {
    const lossy = await node(hangUp);
    const good = await node(json({ id: 'id-1', shard: 1, repeated: true }, 200));
    const task = oneTask();
    const reply = await submitOne(clientOf(lossy.url, good.url), task);
    expect(reply).toMatchObject({ id: 'id-1', repeated: true });
    expect(lossy.asked[0]?.body).toBe(good.asked[0]?.body);
    expect(JSON.parse(good.asked[0]!.body)).toMatchObject({ id: task.id });
  });

  test('one without a quorum is passed over', async () => {
    const without = await node(problem('noQuorum', 503));
    const good = await node(json({ fine: 1 }));
    expect(await clientOf(without.url, good.url).get('/v1/x')).toEqual({ fine: 1 });
  });

  test('an answer that will not change is not asked for again', async () => {
    const refusing = await node(problem('unknownTask', 404));
    const other = await node(json({}));
    const error = await caught(clientOf(refusing.url, other.url).get('/v1/tasks/x'));
    expect(error).toMatchObject({ code: 'unknownTask', exit: 1 });
    expect(other.asked).toHaveLength(0);
  });
});

describe('giving up', () => {
  test('nothing was reached: exit 6, and every address is named', async () => {
    const [first, second] = [await nowhere(), await nowhere()];
    const error = await caught(submitOne(clientOf(first, second), oneTask()));
    expect(error).toMatchObject({ code: 'unreachable', exit: 6 });
    expect(error.sentence).toContain(first.host);
    expect(error.sentence).toContain(second.host);
  });

  test('a submit that was lost every time: exit 8, with the ID and how to repeat it', async () => {
    const lossy = await node(hangUp);
    const error = await caught(submitOne(clientOf(lossy.url), oneTask()));
    expect(error).toMatchObject({ code: 'outcomeUnknown', exit: 8, ids: ['id-1'] });
    expect(error.suggestion).toContain('--id id-1');
    expect(lossy.asked.length).toBeGreaterThan(1);
  });

  test('lost once and refused later stays unknown: the first may have been carried out', async () => {
    let count = 0;
    const moody = await node((asked, reply) =>
      (count++ === 0 ? hangUp : problem('noQuorum', 503))(asked, reply),
    );
    expect(await caught(submitOne(clientOf(moody.url), oneTask()))).toMatchObject({ exit: 8 });
  });

  test('a read that was lost is unreachable, for nothing can have happened', async () => {
    const lossy = await node(hangUp);
    expect(await caught(clientOf(lossy.url).get('/v1/x'))).toMatchObject({ exit: 6 });
  });

  test('what must not be done twice is not sent twice', async () => {
    const lossy = await node(hangUp);
    const call = { method: 'POST', path: '/v1/tasks/x/retry', repeatable: false } as const;
    const error = await caught(clientOf(lossy.url).call(call));
    expect(error).toMatchObject({ code: 'outcomeUnknown', exit: 8 });
    expect(error.suggestion).toContain('tsched list');
    expect(lossy.asked).toHaveLength(1);
  });

  test('something that is not a node is told as such', async () => {
    const page = await node((_asked, reply) => reply.end('<html>'));
    expect(await caught(clientOf(page.url).get('/v1/x'))).toMatchObject({
      code: 'internal',
      title: 'This is not a tsched node',
    });
    const missing = await node((_asked, reply) => reply.writeHead(404).end('nope'));
    expect(await caught(clientOf(missing.url).get('/v1/x'))).toMatchObject({
      code: 'unknownRoute',
      sentence: 'HTTP 404',
    });
  });

  test('an error keeps suggestion, field and retry time of the answer', async () => {
    const more = { suggestion: 's', field: '/cpu', retryAfterMs: 60_000 };
    const busy = await node(problem('overloaded', 503, more));
    expect(await caught(clientOf(busy.url).get('/v1/x'))).toMatchObject({
      code: 'overloaded',
      exit: 7,
      suggestion: 'Try again in 60 s, or with fewer at a time.',
      field: '/cpu',
      retryAfterMs: 60_000,
    });
    // Its time is longer than anybody waits here.
    expect(busy.asked).toHaveLength(1);
  });
});

describe('batches', () => {
  const tasks = prepareTasks(
    ['a', 'b', 'c'].map(name => ({ value: { name, command: ['x'] } })),
    {},
    (() => {
      let count = 0;
      return () => `id-${++count}` as never;
    })(),
  );

  test('only the items that may pass are sent again, and the order is kept', async () => {
    let round = 0;
    const moody = await node((asked, reply) => {
      const sent = (JSON.parse(asked.body) as { tasks: { id: string }[] }).tasks;
      const results = sent.map(({ id }) =>
        id === 'id-2' && round === 0
          ? { ok: false, id, code: 'noQuorum', message: 'no leader' }
          : id === 'id-3'
            ? { ok: false, id, code: 'neverFits', message: 'too large' }
            : { ok: true, id, shard: 1, repeated: false },
      );
      round++;
      json({ results })(asked, reply);
    });
    const { results } = await submitMany(clientOf(moody.url), tasks);
    expect(results).toMatchObject([
      { ok: true, id: 'id-1' },
      { ok: true, id: 'id-2' },
      { ok: false, id: 'id-3', code: 'neverFits' },
    ]);
    const ids = moody.asked.map(one =>
      (JSON.parse(one.body) as { tasks: { id: string }[] }).tasks.map(task => task.id),
    );
    expect(ids).toEqual([['id-1', 'id-2', 'id-3'], ['id-2']]);
  });

  test('a lost batch leaves every task of it unknown', async () => {
    const lossy = await node(hangUp);
    const { results, stopped } = await submitMany(clientOf(lossy.url), tasks);
    expect(stopped).toMatchObject({ exit: 8 });
    expect(results.map(result => !result.ok && result.code)).toEqual(
      tasks.map(() => 'outcomeUnknown'),
    );
  });
});

describe('waiting', () => {
  test('goes on over a node that loses the poll and one that has no leader for a while', async () => {
    let count = 0;
    const view = (state: string) => json({ id: 'x', state });
    const moody = await node((asked, reply) => {
      count++;
      const answer = [view('running'), hangUp, problem('noQuorum', 503), view('running')][
        count - 1
      ];
      (answer ?? view('succeeded'))(asked, reply);
    });
    const [settled] = await waitForTasks(clientOf(moody.url), ['x'], { timeoutMs: undefined });
    expect(settled).toMatchObject({ state: 'succeeded' });
    expect(moody.asked[1]?.url).toBe('/v1/tasks/x/wait?timeout=30000ms');
  });

  test('returns what it has seen at its deadline', async () => {
    const busy = await node(json({ id: 'x', state: 'running' }));
    const [view] = await waitForTasks(clientOf(busy.url), ['x'], { timeoutMs: 30 });
    expect(view).toMatchObject({ state: 'running' });
  });

  test('does not wait for a task nobody knows', async () => {
    const empty = await node(problem('unknownTask', 404));
    const waiting = waitForTasks(clientOf(empty.url), ['x'], { timeoutMs: undefined });
    expect(await caught(waiting)).toMatchObject({ code: 'unknownTask' });
  });
});
