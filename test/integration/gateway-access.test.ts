import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { roleAllows } from '../../src/gateway/access.ts';
import { routes } from '../../src/gateway/route-table.ts';
import type { TaskId } from '../../src/model/ids.ts';
import { fakeTokens } from '../support/fake-node-api.ts';
import { GatewayClient } from '../support/gateway-client.ts';

let client: GatewayClient;
let mine: TaskId;
let theirs: TaskId;
beforeAll(async () => {
  client = await new GatewayClient().start();
  theirs = await client.submit({ command: ['true'], name: 'secret' }, 'other-token');
  mine = await client.submit({ command: ['true'] }, 'submitter-token');
  for (const id of [mine, theirs]) client.api.start(id);
});
afterAll(() => client.stop());

const secured = routes.filter(route => route.role !== 'none');
const pathOf = (path: string, id: string): string => path.replace(':id', id);
/** A short answer, whatever the route does. */
const probe = (route: (typeof routes)[number], id: string): string =>
  pathOf(route.path, id) + (route.path.endsWith('/wait') ? '?timeout=1ms' : '');

async function statusOf(route: (typeof routes)[number], token: string | null): Promise<number> {
  const response = await fetch(client.address + probe(route, mine), {
    method: route.method,
    headers: client.headers({ token }),
  });
  await response.body?.cancel();
  return response.status;
}

test('only health needs no token', () => {
  const open = routes.filter(route => route.role === 'none');
  expect(open.map(route => route.path)).toEqual(['/v1/health']);
});

describe.each(secured.map(route => [`${route.method} ${route.path}`, route] as const))(
  '%s',
  (_name, route) => {
    test('is refused without a token and with an unknown one', async () => {
      expect(await statusOf(route, null)).toBe(401);
      expect(await statusOf(route, 'nobody')).toBe(401);
    });

    test('is open to exactly the roles that may', async () => {
      for (const [token, { role, tenant }] of Object.entries(fakeTokens)) {
        // The node is not stopped by the token that may.
        if (route.path.endsWith('/stop') && role === 'admin') continue;
        if (tenant === 'other') continue;
        const status = await statusOf(route, token);
        const allowed = route.role !== 'none' && roleAllows(role, route.role);
        expect([token, status === 403]).toEqual([token, !allowed]);
        expect(status).not.toBe(401);
      }
    });
  },
);

test('a path that does not exist is not told apart without a token', async () => {
  expect((await client.get('/v1/none', { token: null })).status).toBe(401);
});

describe("another tenant's task", () => {
  const taskRoutes = secured.filter(route => route.path.includes('/tasks/:id'));
  test.each(taskRoutes.map(route => [`${route.method} ${route.path}`, route] as const))(
    'is unknown to %s',
    async (_name, route) => {
      const path = probe(route, theirs);
      const answer = await client.call(route.method, path, { token: 'submitter-token' });
      expect([answer.status, answer.json['code']]).toEqual([404, 'unknownTask']);
      const own = await client.call(route.method, path, { token: 'other-token' });
      expect(own.status).not.toBe(404);
    },
  );

  test('is in no listing, is not last, and cannot be cancelled in a list', async () => {
    const token = 'submitter-token';
    const listed = await client.get('/v1/tasks?limit=1000', { token });
    expect(listed.text).not.toContain(theirs);
    const last = await client.get('/v1/tasks/last', { token: 'other-token' });
    expect(last.json).toMatchObject({ tenant: 'other' });
    const answer = await client.post('/v1/tasks/cancel', { ids: [theirs] }, { token });
    expect(answer.json['results']).toMatchObject([{ ok: false, code: 'unknownTask' }]);
  });

  test('cannot be submitted for them, except by an admin', async () => {
    const document = { command: ['true'], tenant: 'other' };
    const refused = await client.post('/v1/tasks', document, { token: 'submitter-token' });
    expect([refused.status, refused.json['code']]).toEqual([403, 'forbidden']);
    const id = await client.submit(document, 'admin-token');
    expect(await client.api.get(id)).toMatchObject({ tenant: 'other', owner: 'admin' });
  });
});

describe("a request from another's web page", () => {
  test.each([
    ['a foreign host', { host: 'evil.example' }, 403],
    ['an origin elsewhere', { origin: 'http://evil.example' }, 403],
    ['an origin at another port of this machine', { origin: 'http://localhost:1' }, 403],
    ['an origin that is hidden', { origin: 'null' }, 403],
  ])('is refused for %s, before its token is looked at', async (_name, headers, status) => {
    const lines = Object.entries({ host: 'localhost', connection: 'close', ...headers });
    const head = lines.map(([name, value]) => `${name}: ${value}`).join('\r\n');
    for (const path of ['/', '/v1/health', '/v1/tasks', '/none']) {
      const answer = await client.raw(`GET ${path} HTTP/1.1\r\n${head}\r\n\r\n`);
      expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    }
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'x'])(
    'is refused for the type %s',
    async type => {
      const body = '{"command":["true"]}';
      const answer = await client.post('/v1/tasks', body, { headers: { 'content-type': type } });
      expect([answer.status, answer.json['code']]).toEqual([400, 'badRequest']);
    },
  );
});

test('no token ever reaches the log', async () => {
  client.api.failure = new Error('bug');
  try {
    await client.get('/v1/tasks/last', { token: 'submitter-token' });
    await client.get('/v1/tasks/last', { token: 'wrong-token' });
  } finally {
    client.api.failure = undefined;
  }
  expect(client.logged.length).toBeGreaterThan(0);
  expect(JSON.stringify(client.logged)).not.toMatch(/submitter-token|wrong-token/);
});
