/** Listings with filters, and the history as a stream of lines, over HTTP. */
import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { slotOfId, type TaskId, timeOfId } from '../../src/model/ids.ts';
import { GatewayClient } from '../support/gateway-client.ts';

let client: GatewayClient;
beforeEach(async () => {
  client = await new GatewayClient().start();
});
afterEach(() => client.stop());

async function submit(change: object = {}): Promise<TaskId> {
  const { json } = await client.post('/v1/tasks', { command: ['true'], ...change });
  return json['id'] as TaskId;
}

async function settled(change: object = {}, token?: string): Promise<TaskId> {
  const options = token === undefined ? {} : { token };
  const { json } = await client.post('/v1/tasks', { command: ['true'], ...change }, options);
  const id = json['id'] as TaskId;
  client.api.finish(id, 'failed', { exitCode: 3 });
  return id;
}

interface Line {
  readonly task?: { readonly id: TaskId };
  readonly cursor?: string;
  readonly end?: { readonly tasks: number; readonly missingShards: number[] };
}

/** Lines of the export, as far as they came. */
async function lines(query = '', token = 'admin-token'): Promise<Line[]> {
  const { text } = await client.get(`/v1/history${query}`, { token });
  return text
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Line);
}

describe('a listing', () => {
  test('is of tasks with a label, a key, a tenant and a time', async () => {
    const plain = await submit();
    const labelled = await submit({ labels: { team: 'data', env: 'ci' } });
    const keyed = await submit({ orderKey: 'k' });
    const ids = async (query: string): Promise<string[]> => {
      const { json } = await client.get(`/v1/tasks?${query}`);
      return (json['tasks'] as { id: string }[]).map(({ id }) => id);
    };
    expect(slotOfId(keyed)).not.toBe(slotOfId(plain));
    expect(await ids('label=team%3Ddata')).toEqual([labelled]);
    expect(await ids('label=team%3Ddata&label=env%3Dprod')).toEqual([]);
    expect(await ids('orderKey=k')).toEqual([keyed]);
    expect(await ids('tenant=other')).toEqual([]);
    expect(await ids(`sinceMs=${timeOfId(keyed) + 1_000}`)).toEqual([]);
    expect(await ids(`untilMs=${timeOfId(keyed) + 1_000}`)).toHaveLength(3);
    for (const query of ['label=team', 'sinceMs=-1', 'settledSinceMs=today']) {
      expect((await client.get(`/v1/tasks?${query}`)).status, query).toBe(400);
    }
  });

  test('of another tenant is empty for who is bound to one', async () => {
    await submit();
    const { json } = await client.get('/v1/tasks?tenant=default', { token: 'other-token' });
    expect(json['tasks']).toEqual([]);
  });
});

describe('the history', () => {
  test('is a line a task, a cursor after each page, and an end', async () => {
    const ids = [await settled(), await settled(), await settled(), await settled()].sort();
    await submit();
    const all = await lines();
    expect(all.map(line => Object.keys(line)[0])).toEqual([
      'task',
      'task',
      'cursor',
      'task',
      'task',
      'end',
    ]);
    expect(all.flatMap(({ task }) => (task === undefined ? [] : [task.id]))).toEqual(ids);
    expect(all.at(-1)).toEqual({ end: { tasks: 4, missingShards: [], staleShards: [] } });
    const rest = await lines(`?cursor=${all[2]!.cursor}`);
    expect(rest.slice(0, -1)).toEqual(all.slice(3, 5));
  });

  test('is of what was asked for, and of the own tenant', async () => {
    const ours = await settled({ name: 'ours' });
    const theirs = await settled({ name: 'theirs' }, 'other-token');
    expect((await lines('?name=our'))[0]).toMatchObject({ task: { id: ours } });
    const bound = await lines('?tenant=default', 'other-token');
    expect(bound.flatMap(({ task }) => task?.id ?? [])).toEqual([theirs]);
    const active = await client.get('/v1/history?state=active');
    expect(active).toMatchObject({ status: 400, json: { field: 'state' } });
  });

  test('breaks off where the node fails, and never ends as if it were whole', async () => {
    for (let n = 0; n < 5; n++) await settled();
    client.api.historyBreaksAt = 2;
    await expect(lines()).rejects.toThrow();
    client.api.failure = new Error('broken by the test');
    expect((await client.get('/v1/history')).status).toBe(500);
  });

  test('names a shard that did not answer', async () => {
    for (let n = 0; n < 3; n++) await settled();
    client.api.historyMissing = 7;
    expect((await lines()).at(-1)).toMatchObject({ end: { missingShards: [7] } });
  });

  test('is asked for no faster than it is read', async () => {
    for (let n = 0; n < 40; n++) await settled({ env: { PAD: 'x'.repeat(60_000) }, name: 'n' });
    const url = new URL('/v1/history', client.address);
    const headers = { authorization: 'Bearer admin-token' };
    const pages = await new Promise<number>((resolve, reject) => {
      const asked = request(url, { headers }, response => {
        response.pause();
        setTimeout(() => {
          resolve(client.api.historyQueries.length);
          response.destroy();
        }, 300);
      });
      asked.on('error', reject);
      asked.end();
    });
    expect(pages).toBeLessThanOrEqual(20);
  });
});

test('metrics of a tenant are for it and for administrators', async () => {
  const { metrics } = client.api;
  client.api.metrics = () => [
    ...metrics.call(client.api),
    ...['other', 'third', ''].map(tenant => ({
      name: 'tsched_refused_total',
      help: 'Refused.',
      kind: 'counter' as const,
      value: 1,
      labels: { tenant },
    })),
  ];
  const all = (await client.get('/metrics')).text;
  expect(all).toContain('tsched_refused_total{tenant="third"} 1');
  const own = (await client.get('/metrics', { token: 'other-token' })).text;
  expect(own.match(/^tsched_refused_total.*$/gm)).toEqual([
    'tsched_refused_total{tenant="other"} 1',
  ]);
  expect(own).toContain('tsched_tasks');
});
