/** Draining and removing nodes over HTTP: who may, what is asked of the node, what is answered. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { GatewayClient } from '../support/gateway-client.ts';

let client: GatewayClient;
beforeEach(async () => {
  client = await new GatewayClient().start();
});
afterEach(() => client.stop());

const drain = (body: unknown = {}) => client.post('/v1/nodes/node-b/drain', body);

describe('draining', () => {
  test('begins with a deadline, shows how far it is, and is taken back', async () => {
    const begun = await drain({ deadline: '10m' });
    expect(begun.status).toBe(200);
    expect(begun.json).toMatchObject({
      name: 'node-b',
      state: 'draining',
      drain: { deadlineMs: 600_000, drained: false },
    });
    expect((await client.get('/v1/nodes/node-b')).json).toMatchObject({ state: 'draining' });
    const back = await client.post('/v1/nodes/node-b/undrain', {});
    expect(back.json).toMatchObject({ name: 'node-b', state: 'up' });
    expect((back.json as { drain?: unknown }).drain).toBeUndefined();
  });

  test('that leaves too few nodes answers 409, and goes on with force', async () => {
    await drain();
    const refused = await client.post('/v1/nodes/node-c/drain', {});
    expect(refused.status).toBe(409);
    expect(refused.json).toMatchObject({
      code: 'tooFewNodes',
      detail: 'shards 1-4 would go from 3 voters to 1',
    });
    const forced = await client.post('/v1/nodes/node-c/drain', { force: true });
    expect(forced.json).toMatchObject({ state: 'draining' });
  });

  test('with a deadline that is none, or a field that is not there, is refused', async () => {
    expect((await drain({ deadline: 'soon' })).json).toMatchObject({
      code: 'badRequest',
      field: 'deadline',
    });
    expect((await drain({ deadlin: '1s' })).status).toBe(400);
  });
});

describe('removing', () => {
  test('is for what is drained; then the node is shown only where all are asked for', async () => {
    const early = await client.post('/v1/nodes/node-b/remove', {});
    expect(early.json).toMatchObject({ status: 409, code: 'notDrained' });
    await drain();
    const removed = await client.post('/v1/nodes/node-b/remove', { force: false });
    expect(removed.json).toMatchObject({ name: 'node-b', state: 'removed' });
    const names = async (path: string) =>
      ((await client.get(path)).json as { nodes: { name: string }[] }).nodes.map(one => one.name);
    expect(await names('/v1/nodes')).toEqual(['node-a', 'node-c']);
    expect(await names('/v1/nodes?all=true')).toEqual(['node-a', 'node-b', 'node-c']);
  });
});

describe('settings of the cluster', () => {
  test('are read, changed by name, and refused as a whole', async () => {
    expect((await client.get('/v1/cluster/settings')).json).toMatchObject({
      settings: [{ name: 'history.maxAge', value: '7d', default: '7d' }],
    });
    const changed = await client.post('/v1/cluster/settings', { 'history.maxAge': '3d' });
    expect(changed.json).toMatchObject({ settings: [{ value: '3d' }] });
    expect((await client.post('/v1/cluster/settings', { 'history.maxAge': [3, 4] })).status).toBe(
      400,
    );
    expect((await client.post('/v1/cluster/settings', { other: '3d' })).json).toMatchObject({
      code: 'badRequest',
    });
  });
});

describe('tiers', () => {
  const tierOf = (json: unknown, tier: string) =>
    (json as { tiers: { tier: string }[] }).tiers.find(one => one.tier === tier);

  test('are read and changed, field by field, and hold for what is submitted then', async () => {
    expect(tierOf((await client.get('/v1/tiers')).json, 'basic')).toMatchObject({
      amounts: { cpuMilli: 100, ports: 0 },
    });
    const changed = await client.post('/v1/tiers/basic', { cpu: '0.2', ports: 1, cap: '1h' });
    expect(tierOf(changed.json, 'basic')).toMatchObject({
      amounts: { cpuMilli: 200, ports: 1 },
      capMsMax: 3_600_000,
    });
    await client.post('/v1/tasks', { command: ['true'] });
    await client.post('/v1/tasks/batch', { tasks: [{ command: ['true'] }] });
    for (const { requests } of client.api.submitCalls) {
      expect(requests[0]?.spec).toMatchObject({
        request: { cpuMilli: 200, ports: 1 },
        capMs: 3_600_000,
      });
    }
    expect(client.api.submitCalls).toHaveLength(2);
    const back = await client.post('/v1/tiers/basic', { cpu: null, cap: 'none' });
    expect(tierOf(back.json, 'basic')).toMatchObject({ amounts: { cpuMilli: 100, ports: 1 } });
    expect(tierOf(back.json, 'basic')).not.toHaveProperty('capMsMax');
  });

  test('that are none, and changes that are wrong, are refused with all problems', async () => {
    expect((await client.post('/v1/tiers/gold', { cpu: 1 })).json).toMatchObject({
      code: 'badRequest',
      detail: expect.stringContaining('basic, regular, premium'),
    });
    expect((await client.post('/v1/tiers/basic', { cpu: -1, mem: 1 })).json).toMatchObject({
      code: 'badRequest',
      problems: [{ pointer: '/cpu' }, { pointer: '/mem' }],
    });
  });
});

describe('reservations', () => {
  const nightly = { name: 'nightly', cpu: 2, memory: '1GiB', nodes: ['node-a'], for: '7d' };

  test('are made, listed and released', async () => {
    const made = await client.post('/v1/reservations', nightly);
    expect(made.status).toBe(201);
    expect(made.json).toMatchObject({
      name: 'nightly',
      tenant: 'default',
      amount: { cpuMilli: 2_000 },
    });
    expect((await client.post('/v1/reservations', nightly)).json).toMatchObject({
      code: 'reservationTaken',
    });
    const listed = await client.get('/v1/reservations');
    expect(listed.json).toMatchObject({ reservations: [{ name: 'nightly' }] });
    const foreign = await client.get('/v1/reservations', { token: 'other-token' });
    expect(foreign.json).toEqual({ reservations: [] });
    expect((await client.post('/v1/reservations/nightly/release', {})).status).toBe(202);
    expect((await client.post('/v1/reservations/nightly/release', {})).status).toBe(404);
  });

  test('of bad dates are refused with the place', async () => {
    const { for: _, ...undated } = nightly;
    for (const when of [
      {},
      { until: '2027-02-30' },
      { until: '2020-01-01' },
      { until: 'soon' },
      { until: '2999-01-01' },
      { until: '2027-01-01', for: '1d' },
      { for: '-1d' },
    ]) {
      const { status, json } = await client.post('/v1/reservations', { ...undated, ...when });
      expect(status).toBe(400);
      expect(JSON.stringify(json)).toMatch(/"pointer":"\/(until|for)"/);
    }
  });

  test('without what every task takes are refused', async () => {
    const { memory: _, ...without } = nightly;
    expect((await client.post('/v1/reservations', without)).json).toMatchObject({
      problems: [{ pointer: '/memory' }],
    });
    expect((await client.post('/v1/reservations', { ...nightly, cpu: 0 })).status).toBe(201);
  });

  test('are made by administrators only', async () => {
    const by = { token: 'submitter-token' };
    expect((await client.post('/v1/reservations', nightly, by)).status).toBe(403);
  });
});

describe('moves', () => {
  test('are told as they are, and as they would be without a node', async () => {
    expect((await client.get('/v1/cluster/moves')).json).toEqual({ moves: [] });
    const without = await client.get('/v1/cluster/moves?without=node-b');
    expect(without.json).toMatchObject({ moves: [{ shard: 1, removes: ['node-b'] }] });
    expect((await client.get('/v1/cluster/moves?without=nobody')).status).toBe(404);
  });
});

test.each(['drain', 'undrain', 'remove'])('only an administrator may %s', async verb => {
  const answer = await client.post(`/v1/nodes/node-b/${verb}`, {}, { token: 'submitter-token' });
  expect(answer.status).toBe(403);
});
