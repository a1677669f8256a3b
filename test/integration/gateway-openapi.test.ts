import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { routes } from '../../src/gateway/route-table.ts';
import type { TaskId } from '../../src/model/ids.ts';
import { specFields } from '../../src/model/spec-fields.ts';
import { GatewayClient } from '../support/gateway-client.ts';

interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
}
interface Operation {
  readonly summary?: string;
  readonly security?: readonly unknown[];
  readonly responses: Readonly<Record<string, { content?: Record<string, { schema: Schema }> }>>;
  readonly requestBody?: { content: Record<string, { schema: Schema }> };
}
interface OpenApi {
  readonly openapi: string;
  readonly info: { readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

let client: GatewayClient;
let document: OpenApi;
let settled: TaskId;
beforeAll(async () => {
  client = await new GatewayClient().start();
  document = (await client.get('/v1/openapi.json')).json as unknown as OpenApi;
  settled = await client.submit({ command: ['true'], attempts: 2 });
  client.api.finish(settled, 'failed');
  client.api.finish(settled);
});
afterAll(() => client.stop());

const operationOf = (method: string, path: string): Operation | undefined =>
  document.paths[path.replace(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()];

test('the document has every route of the table, with words and security, and no other', () => {
  expect(document.openapi).toBe('3.1.0');
  expect(document.info.version).toBe('1.2.3');
  for (const route of routes) {
    const operation = operationOf(route.method, route.path);
    expect(operation?.summary).toBe(route.summary);
    expect(operation?.security).toEqual(route.role === 'none' ? [] : undefined);
  }
  const count = Object.values(document.paths).reduce(
    (sum, path) => sum + Object.keys(path).length,
    0,
  );
  expect(count).toBe(routes.length);
});

test.each(routes.map(route => [`${route.method} ${route.path}`, route] as const))(
  '%s has a schema, a summary and a description, and stands in the reference with an example',
  (name, route) => {
    expect(Object.keys(route.schema.response).length).toBeGreaterThan(0);
    expect(route.summary.length).toBeGreaterThan(3);
    expect(route.description.endsWith('.')).toBe(true);
    const names = [...route.path.matchAll(/:(\w+)/g)].map(match => match[1]!);
    const params = (route.schema.params?.['properties'] ?? {}) as object;
    expect(Object.keys(params)).toEqual(names);
    const reference = readFileSync(
      new URL('../../docs/reference/http.md', import.meta.url),
      'utf8',
    );
    const section = reference.split(/^### /m).find(part => part.startsWith(`\`${name}\``));
    expect(section).toContain('curl');
  },
);

test('the body of a submit is the schema of the task document, field by field', () => {
  const body = operationOf('POST', '/v1/tasks')?.requestBody?.content['application/json']?.schema;
  expect(Object.keys(body?.properties ?? {})).toEqual(Object.keys(specFields));
  for (const [name, field] of Object.entries(specFields)) {
    expect([name, String(field['description']).length > 10]).toEqual([name, true]);
    expect(field['examples']).toHaveLength(1);
  }
});

/** Where `value` is not what `schema` says: the walk of a validator for what is used here. */
function mismatch(schema: Schema, value: unknown, place: string): string | undefined {
  if (schema.enum !== undefined && !schema.enum.includes(value)) return `${place} is ${value}`;
  if (schema.type === 'array') {
    if (!Array.isArray(value)) return `${place} is no list`;
    return value
      .map((item, at) => mismatch(schema.items ?? {}, item, `${place}/${at}`))
      .find(found => found !== undefined);
  }
  if (schema.type !== 'object') {
    const type = schema.type === 'integer' ? 'number' : schema.type;
    return type === undefined || typeof value === type ? undefined : `${place} is no ${type}`;
  }
  if (typeof value !== 'object' || value === null) return `${place} is no object`;
  const missing = schema.required?.find(name => !Object.hasOwn(value, name));
  if (missing !== undefined) return `${place} lacks ${missing}`;
  for (const [name, inner] of Object.entries(value)) {
    const known = schema.properties?.[name];
    const others = schema.additionalProperties;
    if (known === undefined && others === false) return `${place} has ${name}`;
    const found = mismatch(
      known ?? (typeof others === 'object' ? others : {}),
      inner,
      `${place}/${name}`,
    );
    if (found !== undefined) return found;
  }
  return undefined;
}

test.each([
  ['GET', '/v1/health', undefined],
  ['POST', '/v1/tasks', { command: ['true'] }],
  ['POST', '/v1/tasks', { command: ['true'], array: '1-3' }],
  ['POST', '/v1/tasks', { tier: 'gold', command: ['true'] }],
  [
    'POST',
    '/v1/tasks/batch',
    { tasks: [{ command: ['true'] }, {}, { command: 'x', array: '1-2' }] },
  ],
  ['GET', '/v1/tasks', undefined],
  ['GET', '/v1/tasks/:id', undefined],
  ['GET', '/v1/tasks/:id/wait', undefined],
  ['GET', '/v1/tasks/:id/explain', undefined],
  ['POST', '/v1/tasks/:id/retry', undefined],
  ['POST', '/v1/tasks/:id/cancel', {}],
  ['POST', '/v1/tasks/cancel', { ids: ['zz'] }],
  ['POST', '/v1/plan', { tasks: [{ command: ['true'] }, {}, { command: ['x'], array: '1-2' }] }],
  ['POST', '/v1/templates', { name: 'a', parameters: {}, task: { command: ['true'] } }],
  ['GET', '/v1/templates', undefined],
  ['GET', '/v1/templates/:name', undefined],
  ['POST', '/v1/templates/:name', { task: { command: ['false'] } }],
  ['POST', '/v1/templates/:name/delete', { revision: 1 }],
  ['POST', '/v1/cluster/pause', { reason: 'why' }],
  ['POST', '/v1/tenants/:tenant/pause', { suspend: true }],
  ['GET', '/v1/pauses', undefined],
  ['GET', '/v1/nodes', undefined],
  ['GET', '/v1/nodes/:id', undefined],
  ['GET', '/v1/shards', undefined],
  ['GET', '/v1/replicas', undefined],
  ['GET', '/v1/cluster/health', undefined],
  ['POST', '/v1/cluster/join-token', undefined],
])('what %s %s answers to %j is as the document says', async (method, path, body) => {
  const id = path.startsWith('/v1/nodes') ? 'node-a' : settled;
  const asked = path.replace(':id', id).replace(':name', 'a').replace(':tenant', 'search');
  const answer = await client.call(method, asked, { body });
  const type = answer.headers.get('content-type')!.split(';')[0]!;
  const content = operationOf(method, path)?.responses[answer.status]?.content;
  expect([answer.status, Object.keys(content ?? {})]).toEqual([answer.status, [type]]);
  expect(mismatch(content![type]!.schema, answer.json, '')).toBeUndefined();
});
