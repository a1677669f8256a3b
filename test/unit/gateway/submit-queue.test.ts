import { expect, test } from 'vitest';
import { SubmitQueue } from '../../../src/gateway/submit-queue.ts';
import { limits } from '../../../src/model/limits.ts';
import { readSpecDocument } from '../../../src/model/spec-document.ts';
import { FakeNodeApi } from '../../support/fake-node-api.ts';

const ada = { name: 'ada', tenant: 'default' };
const otto = { name: 'otto', tenant: 'other' };
const reading = readSpecDocument({ command: ['true'] }, { tenant: 'default', owner: 'ada' });
if (!reading.ok) throw new Error('the document is valid');
const request = { spec: reading.spec };

test('requests of one turn become one call, replies in their order', async () => {
  const api = new FakeNodeApi();
  const queue = new SubmitQueue(api);
  const replies = await Promise.all([1, 2, 3].map(() => queue.submit(request, ada)));
  expect(api.submitCalls).toHaveLength(1);
  const ids = replies.map(reply => (reply.ok ? reply.id : 'refused'));
  expect(new Set(ids).size).toBe(3);
  expect([...ids].sort()).toEqual(ids);
});

test('a later turn is a later call', async () => {
  const api = new FakeNodeApi();
  const queue = new SubmitQueue(api);
  await queue.submit(request, ada);
  await queue.submit(request, ada);
  expect(api.submitCalls.map(call => call.requests.length)).toEqual([1, 1]);
});

test('whoever asks is kept apart', async () => {
  const api = new FakeNodeApi();
  const queue = new SubmitQueue(api);
  await Promise.all([ada, otto, ada].map(actor => queue.submit(request, actor)));
  expect(api.submitCalls.map(call => [call.actor.name, call.requests.length])).toEqual([
    ['ada', 2],
    ['otto', 1],
  ]);
});

test('a call holds no more than a batch may', async () => {
  const api = new FakeNodeApi();
  const queue = new SubmitQueue(api);
  const count = limits.batchItemsMax + 1;
  await Promise.all(Array.from({ length: count }, () => queue.submit(request, ada)));
  expect(api.submitCalls.map(call => call.requests.length)).toEqual([limits.batchItemsMax, 1]);
});

test('a call that fails fails each of its requests and no later one', async () => {
  const api = new FakeNodeApi();
  const queue = new SubmitQueue(api);
  const submit = api.submit.bind(api);
  api.submit = () => Promise.reject(new Error('gone'));
  const results = await Promise.allSettled([
    queue.submit(request, ada),
    queue.submit(request, ada),
  ]);
  expect(results.map(result => result.status)).toEqual(['rejected', 'rejected']);
  api.submit = submit;
  expect(await queue.submit(request, ada)).toMatchObject({ ok: true });
});
