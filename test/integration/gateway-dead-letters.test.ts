/** Dead letters over HTTP, and the fields of a task that say what fails and in which order. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatTaskId, slotOfId, type TaskId } from '../../src/model/ids.ts';
import { keySlot } from '../../src/model/slots.ts';
import { GatewayClient } from '../support/gateway-client.ts';

let client: GatewayClient;
beforeAll(async () => {
  client = await new GatewayClient().start();
});
afterAll(() => client.stop());

const command = ['true'];

async function failed(): Promise<TaskId> {
  const { json } = await client.post('/v1/tasks', { command });
  const id = json['id'] as TaskId;
  client.api.finish(id, 'failed', { exitCode: 3 });
  return id;
}

describe('dead letters', () => {
  test('are listed page by page, each with how it ended', async () => {
    const ids = [await failed(), await failed(), await failed()];
    const first = await client.get('/v1/dead-letters?limit=2');
    expect(first.json['tasks']).toMatchObject([
      { id: ids[2], outcome: { kind: 'failed', exitCode: 3 } },
      { id: ids[1] },
    ]);
    const cursor = String(first.json['cursor']);
    const second = await client.get(`/v1/dead-letters?cursor=${encodeURIComponent(cursor)}`);
    expect(second.json['tasks']).toMatchObject([{ id: ids[0] }]);
  });

  test('are replayed and purged, each answered by itself', async () => {
    const [one, two] = [await failed(), await failed()];
    const missing = formatTaskId({ atMs: 1, slot: 1, random: 1 });
    const replayed = await client.post('/v1/dead-letters/replay', { ids: [one, missing] });
    expect(replayed.json['results']).toMatchObject([
      { ok: true, id: expect.not.stringContaining(one) },
      { ok: false, code: 'notDeadLetter' },
    ]);
    const purged = await client.post('/v1/dead-letters/purge', { ids: [two, two] });
    expect(purged.json['results']).toMatchObject([
      { ok: true, id: two, repeated: false },
      { ok: true, id: two, repeated: true },
    ]);
  });

  test('are refused with 429 and when to try again where none is let in', async () => {
    const ids = [await failed(), await failed()];
    const message = 'tenant default may submit 5 tasks a second, 5 at once: try again in 2s';
    client.api.refusal = { code: 'rateLimited', message, retryAfterMs: 1_200 };
    try {
      const answer = await client.post('/v1/dead-letters/replay', { ids });
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '2']);
      expect(answer.json).toMatchObject({ code: 'rateLimited', detail: message, id: ids[0] });
      // What is none is told beside what was not let in.
      const missing = formatTaskId({ atMs: 1, slot: 1, random: 1 });
      const mixed = await client.post('/v1/dead-letters/replay', { ids: [...ids, missing] });
      expect(mixed.status).toBe(200);
      expect(mixed.json['results']).toMatchObject([
        { ok: false, code: 'rateLimited', retryAfterMs: 1_200 },
        { ok: false, code: 'rateLimited' },
        { ok: false, code: 'notDeadLetter' },
      ]);
    } finally {
      client.api.refusal = undefined;
    }
    for (const id of ids) {
      expect((await client.get(`/v1/tasks/${id}`)).json).toMatchObject({ deadLetter: true });
    }
  });

  test('are not changed by who may only read', async () => {
    const id = await failed();
    for (const verb of ['replay', 'purge']) {
      const options = { token: 'reader-token' };
      const answer = await client.post(`/v1/dead-letters/${verb}`, { ids: [id] }, options);
      expect(answer.status).toBe(403);
    }
    expect((await client.get(`/v1/tasks/${id}`)).json).toMatchObject({ deadLetter: true });
  });
});

describe('a task with an order key', () => {
  const slot = keySlot({ tenant: 'default', orderKey: 'k' })!;

  test('has an ID in the slot of its key, the same each time the request is repeated', async () => {
    const id = formatTaskId({ atMs: 1_700_000_000_000, slot: (slot + 1) % 4_096, random: 5 });
    const first = await client.post('/v1/tasks', { command, orderKey: 'k', id });
    const second = await client.post('/v1/tasks', { command, orderKey: 'k', id });
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(second.json['id']).toBe(first.json['id']);
    expect(slotOfId(first.json['id'] as TaskId)).toBe(slot);
  });

  test('that is an array has all its tasks in one line', async () => {
    const answer = await client.post('/v1/tasks', { command, orderKey: 'k', array: '1-300' });
    const ids = answer.json['ids'] as TaskId[];
    expect(new Set(ids).size).toBe(300);
    expect(new Set(ids.map(slotOfId))).toEqual(new Set([slot]));
  });

  test('is shown with it, and its document has all that was asked', async () => {
    const asked = { orderKey: 'k', attempts: 3, retryOn: ['75', 'oom'], noRetryOn: ['2'] };
    const { json } = await client.post('/v1/tasks', { command, ...asked });
    const spec = await client.get(`/v1/tasks/${String(json['id'])}/spec`);
    expect(spec.json).toMatchObject(asked);
  });
});
