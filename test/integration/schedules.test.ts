/** Schedules over HTTP and on the command line: what is answered, refused and printed. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { GatewayClient } from '../support/gateway-client.ts';

let client: GatewayClient;
beforeEach(async () => {
  client = await new GatewayClient().start();
});
afterEach(() => client.stop());

const nightly = {
  name: 'nightly',
  every: 'daily',
  at: '02:30',
  timezone: 'Europe/Berlin',
  task: { command: ['true'] },
};
const create = (more: object = {}) => client.post('/v1/schedules', { ...nightly, ...more });

describe('a schedule', () => {
  test('is made once, shown, listed and deleted', async () => {
    const made = await create();
    expect(made.status).toBe(201);
    expect(made.json).toMatchObject({ name: 'nightly', tenant: 'default', repeated: false });
    expect((await create()).status).toBe(200);
    expect((await create({ overlap: 'queue' })).json).toMatchObject({ code: 'scheduleExists' });
    expect((await client.get('/v1/schedules/nightly')).json).toMatchObject({
      ...{ state: 'active', timing: 'daily at 02:30', timezone: 'Europe/Berlin', fired: 0 },
      document: { overlap: 'skip', catchUp: 'last', task: { command: ['true'] } },
    });
    const { schedules } = (await client.get('/v1/schedules')).json as { schedules: unknown[] };
    expect(schedules).toMatchObject([{ name: 'nightly', command: 'true' }]);
    expect((await client.post('/v1/schedules/nightly/delete', {})).status).toBe(200);
    expect((await client.get('/v1/schedules/nightly')).json).toMatchObject({
      status: 404,
      code: 'unknownSchedule',
    });
  });

  test('is paused, resumed and fired by hand', async () => {
    await create();
    const paused = await client.post('/v1/schedules/nightly/pause', { reason: 'source down' });
    expect(paused.json).toMatchObject({ state: 'paused', paused: { reason: 'source down' } });
    const resumed = await client.post('/v1/schedules/nightly/resume', {});
    expect(resumed.json).toMatchObject({ state: 'active' });
    const id = '06fq3v8k2a7d1m9x4t0c';
    const fired = await client.post('/v1/schedules/nightly/trigger', { id });
    expect(fired.json).toMatchObject({ repeated: false });
    const again = await client.post('/v1/schedules/nightly/trigger', { id });
    expect(again.json).toEqual({ ...(fired.json as object), repeated: true });
    expect((await client.post('/v1/schedules/nightly/trigger', {})).json).toMatchObject({
      status: 409,
      code: 'scheduleBusy',
    });
    expect((await client.post('/v1/schedules/nightly/trigger', { id: 'x' })).json).toMatchObject({
      code: 'badId',
    });
  });

  test('fires what is past, and tells what is to come', async () => {
    await create({ overlap: 'allow' });
    const range = { from: '2025-03-29', to: '2025-04-01', request: 'a' };
    const past = await client.post('/v1/schedules/nightly/backfill', range);
    const occurrences = ['2025-03-29T01:30Z', '2025-03-30T01:00Z', '2025-03-31T00:30Z'];
    expect(past.json).toMatchObject({
      occurrences: occurrences.map(text => new Date(text).getTime()),
    });
    const wrong = { from: 'soon', to: '2025-03-31' };
    expect((await client.post('/v1/schedules/nightly/backfill', wrong)).json).toMatchObject({
      code: 'badRequest',
      field: '/from',
    });
    const next = await client.get('/v1/schedules/nightly/next?count=3');
    expect((next.json as { occurrences: number[] }).occurrences).toHaveLength(3);
    const tried = { schedule: { cron: '0 0 29 2 *' }, count: 2 };
    const preview = await client.post('/v1/schedules/next', tried);
    const days = (preview.json as { occurrences: number[] }).occurrences;
    expect(days.map(ms => new Date(ms).toISOString().slice(5, 10))).toEqual(['02-29', '02-29']);
  });
});

describe('a schedule of a template', () => {
  const template = {
    name: 'etl',
    parameters: { mode: 'string' },
    task: { command: ['etl', '${mode}'] },
  };
  const using = (task: object) => create({ task: { template: 'etl', ...task } });

  test('keeps what the template made when the schedule was made', async () => {
    await client.post('/v1/templates', template);
    expect((await using({ set: { mode: 'fast' }, cap: '1h' })).status).toBe(201);
    const second = { ...template, task: { command: ['other'] }, name: undefined };
    expect((await client.post('/v1/templates/etl', second)).json).toMatchObject({ revision: 2 });
    expect((await client.get('/v1/schedules/nightly')).json).toMatchObject({
      document: { task: { command: ['etl', 'fast'], cap: '1h', template: 'etl@1' } },
    });
    const changed = await using({ set: { mode: 'fast' }, cap: '1h' });
    expect(changed.json).toMatchObject({ code: 'scheduleExists' });
    // What was shown, given back: without the values, which are nowhere but in what they made.
    const { document } = (await client.get('/v1/schedules/nightly')).json as { document: object };
    expect((await client.post('/v1/schedules', document)).status).toBe(200);
    const pinned = await using({ template: 'etl@1', set: { mode: 'fast' }, cap: '1h' });
    expect(pinned.status).toBe(200);
  });

  test('is refused where its use is wrong, with the place in the schedule', async () => {
    await client.post('/v1/templates', template);
    const missing = (await using({})).json as { field: string; detail: string };
    expect(missing.field).toBe('/task/set/mode');
    expect(missing.detail).toContain('--set mode=VALUE');
    const unknown = await create({ task: { template: 'elt' } });
    expect(unknown).toMatchObject({
      status: 404,
      json: { code: 'unknownTemplate', field: '/task/template' },
    });
  });
});

describe('what is wrong with a schedule', () => {
  test('is told all at once, each with its place', async () => {
    const { status, json } = await create({ at: '25:00', overlap: 'both' });
    expect(status).toBe(400);
    expect(json).toMatchObject({
      code: 'badSchedule',
      problems: [{ pointer: '/at' }, { pointer: '/overlap' }],
    });
  });

  test.each([
    [{ timezone: 'Europe/Berlinn' }, 'did you mean Europe/Berlin?'],
    [{ every: undefined, at: undefined, cron: '0 0 30 2 *' }, 'never fires'],
    [{ every: 'annually', month: 'feb', day: 30 }, 'February never has a day 30'],
  ])('%j', async (more, expected) => {
    const { json } = await create(more);
    expect(json).toMatchObject({ status: 400, code: 'badSchedule' });
    expect((json as { detail: string }).detail).toContain(expected);
  });

  test('another tenant does not see it', async () => {
    await create();
    const other = { token: 'other-token' };
    expect((await client.get('/v1/schedules/nightly', other)).status).toBe(404);
    expect((await client.get('/v1/schedules', other)).json).toMatchObject({ schedules: [] });
    expect((await client.get('/v1/schedules/nightly?tenant=default', other)).status).toBe(404);
  });

  test('who only reads makes none', async () => {
    const { status } = await client.post('/v1/schedules', nightly, { token: 'reader-token' });
    expect(status).toBe(403);
  });
});
