/**
 * The page as it is built, behind a real gateway: what is served and with which headers, and the
 * modules that talk to the node, with the three things of a browser that they need.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { buildPage } from '../../scripts/build.ts';
import { namesEtag } from '../../src/gateway/pages.ts';
import type { TaskEvent } from '../../src/model/task.ts';
import { GatewayClient, until } from '../support/gateway-client.ts';

let outDir: string;
let pages: string;
let client: GatewayClient;
beforeAll(async () => {
  outDir = await mkdtemp(join(tmpdir(), 'tsched-page-'));
  expect(await buildPage(outDir)).toBe(0);
  pages = join(outDir, 'src/dashboard');
});
afterAll(() => rm(outDir, { recursive: true, force: true }));
beforeEach(async () => {
  client = await new GatewayClient({ eventsMax: 5 }, { pages }).start();
});
afterEach(() => client.stop());

const open = { token: null };

describe('the files of the page', () => {
  test('are all served without a token, each with its type and its fences', async () => {
    const seen = new Map<string, string>();
    const queue = ['/'];
    for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
      if (seen.has(path)) continue;
      const { status, headers, text } = await client.get(path, open);
      expect([path, status]).toEqual([path, 200]);
      seen.set(path, headers.get('content-type') ?? '');
      expect(headers.get('content-security-policy')).toMatch(
        /^default-src 'self';.* frame-ancestors 'none';.* require-trusted-types-for 'script'/,
      );
      expect(headers.get('content-security-policy')).not.toMatch(/unsafe|\*/);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('cache-control')).toBe('no-cache');
      const links = text.matchAll(/(?:src|href)="(\/dashboard\/[^"]+)"/g);
      const imports = text.matchAll(/^import [^']*'\.\/([^']+)'/gm);
      queue.push(...[...links].map(link => link[1]!));
      queue.push(...[...imports].map(link => `/dashboard/${link[1]}`));
    }
    expect(seen.get('/')).toBe('text/html; charset=utf-8');
    expect(seen.get('/dashboard/base.css')).toBe('text/css; charset=utf-8');
    expect(seen.get('/dashboard/task-page.js')).toBe('text/javascript; charset=utf-8');
    expect(seen.get('/dashboard/icon.svg')).toBe('image/svg+xml');
  });

  test('are not sent again to whoever has them', async () => {
    const etag = (await client.get('/dashboard/main.js', open)).headers.get('etag')!;
    const headers = { 'if-none-match': `"other", W/${etag}` };
    const again = await client.get('/dashboard/main.js', { ...open, headers });
    expect([again.status, again.text, again.headers.get('etag')]).toEqual([304, '', etag]);
    const other = { 'if-none-match': '"other"' };
    expect((await client.get('/dashboard/main.js', { ...open, headers: other })).status).toBe(200);
  });

  test('answer HEAD, and nothing that would change something', async () => {
    expect((await client.call('HEAD', '/', open)).status).toBe(200);
    for (const method of ['POST', 'PUT', 'DELETE']) {
      expect((await client.call(method, '/', open)).status).toBe(401);
    }
  });

  test.each([
    'none.js',
    'tsconfig.json',
    '..%2f..%2fpackage.json',
    '%252e%252e',
    'main.js%00',
    '__proto__',
  ])('do not include %s', async name => {
    expect((await client.get(`/dashboard/${name}`, open)).status).toBe(404);
  });

  test('are refused to a page from elsewhere and under a foreign name', async () => {
    for (const line of ['Host: evil.example', 'Host: localhost\r\nOrigin: http://evil.example']) {
      const answer = await client.raw(`GET / HTTP/1.1\r\n${line}\r\nConnection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1.1 403 /);
    }
  });
});

test('a node without a page answers everything else', async () => {
  const bare = await new GatewayClient({}, { pages: join(outDir, 'none') }).start();
  try {
    expect((await bare.get('/', open)).status).toBe(404);
    expect((await bare.get('/v1/tasks')).status).toBe(200);
  } finally {
    await bare.stop();
  }
});

test.each([
  [undefined, false],
  ['', false],
  ['"b"', false],
  ['"a"', true],
  ['W/"a"', true],
  ['"b" , "a"', true],
  ['*', true],
])('If-None-Match %j names the tag "a": %s', (header, named) => {
  expect(namesEtag(header, '"a"')).toBe(named);
});

test('the page may submit from its own origin, and another origin may not', async () => {
  const body = { command: ['true'] };
  const own = await client.post('/v1/tasks', body, { headers: { origin: client.address } });
  expect(own.status).toBe(201);
  const headers = { origin: `http://127.0.0.1:${client.port + 1}` };
  expect((await client.post('/v1/tasks', body, { headers })).status).toBe(403);
});

interface PageApi {
  get(path: string): Promise<unknown>;
  post(path: string, body: object): Promise<unknown>;
}
type Follow = (
  api: PageApi,
  task: string | undefined,
  signal: AbortSignal,
  listener: { opened(): void; event(event: TaskEvent): void; told(error: unknown): void },
) => void;

async function load<Exports>(name: string): Promise<Exports> {
  return (await import(pathToFileURL(join(pages, name)).href)) as Exports;
}

describe('the modules of the page', () => {
  let refused: number;
  let connections: AbortController;
  const apiWith = async (token: string): Promise<PageApi> => {
    const { Api } = await load<{
      Api: new (token: string, refused: () => void) => PageApi;
    }>('api.js');
    return new Api(token, () => refused++);
  };

  beforeEach(() => {
    refused = 0;
    connections = new AbortController();
    const real = globalThis.fetch;
    vi.stubGlobal('fetch', (path: string, init: RequestInit) => {
      if (!path.startsWith('/')) return real(path, init);
      const signals = [connections.signal, ...(init.signal ? [init.signal] : [])];
      return real(client.address + path, { ...init, signal: AbortSignal.any(signals) });
    });
    const target = new EventTarget();
    vi.stubGlobal('document', Object.assign(target, { hidden: false }));
  });
  afterEach(() => vi.unstubAllGlobals());

  test('send the token, and tell a refused one from a refused request', async () => {
    await (await apiWith('submitter-token')).post('/v1/tasks', { command: ['true'] });
    await expect((await apiWith('nobody')).get('/v1/nodes')).rejects.toMatchObject({
      code: 'unauthorized',
    });
    expect(refused).toBe(1);
    const request = (await apiWith('reader-token')).post('/v1/tasks', { command: ['true'] });
    await expect(request).rejects.toMatchObject({ code: 'forbidden' });
    expect(refused).toBe(1);
  });

  test('say that a node does not answer', async () => {
    const api = await apiWith('admin-token');
    connections.abort();
    await expect(api.get('/v1/nodes')).rejects.toMatchObject({ code: 'noAnswer' });
  });

  async function follow(signal: AbortSignal) {
    const { followEvents } = await load<{ followEvents: Follow }>('event-stream.js');
    const heard = { opened: 0, events: [] as TaskEvent[], errors: [] as unknown[] };
    followEvents(await apiWith('admin-token'), undefined, signal, {
      opened: () => heard.opened++,
      event: event => heard.events.push(event),
      told: error => error !== undefined && heard.errors.push(error),
    });
    await until('the stream is open', () => heard.opened === 1 && client.api.eventStreams === 1);
    return heard;
  }

  function breakConnections(): void {
    const broken = connections;
    connections = new AbortController();
    broken.abort();
  }

  test('follow events over a broken connection without missing one', async () => {
    const ended = new AbortController();
    const heard = await follow(ended.signal);
    const first = await client.submit();
    await until('the first is heard', () => heard.events.length === 1);
    breakConnections();
    const second = await client.submit();
    await until('the second is heard', () => heard.events.length === 2);
    expect(heard.events.map(event => event.taskId)).toEqual([first, second]);
    expect(heard.opened).toBe(2);
    expect(heard.errors).toMatchObject([{ code: 'noAnswer' }]);
    ended.abort();
    await until('the stream is closed', () => client.api.eventStreams === 0);
  });

  test('start anew where more has happened than is kept', async () => {
    const ended = new AbortController();
    const heard = await follow(ended.signal);
    await client.submit();
    await until('the first is heard', () => heard.events.length === 1);
    breakConnections();
    for (let at = 0; at < 7; at++) await client.submit();
    await until('it is open again', () => heard.opened === 2);
    const last = await client.submit();
    await until('the newest is heard', () => heard.events.at(-1)?.taskId === last);
    expect(heard.events).toHaveLength(2);
    ended.abort();
  });

  test('let go of the node while the page is hidden, and come back', async () => {
    const ended = new AbortController();
    const heard = await follow(ended.signal);
    const page = globalThis['document' as keyof typeof globalThis] as {
      hidden: boolean;
    } & EventTarget;
    page.hidden = true;
    page.dispatchEvent(new Event('visibilitychange'));
    await until('the stream is closed', () => client.api.eventStreams === 0);
    page.hidden = false;
    page.dispatchEvent(new Event('visibilitychange'));
    await until('it is open again', () => heard.opened === 2);
    expect(heard.errors).toEqual([]);
    ended.abort();
  });
});
