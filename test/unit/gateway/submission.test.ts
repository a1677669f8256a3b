import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  arrayTaskId,
  prepare as prepareIn,
  submitPrepared,
} from '../../../src/gateway/submission.ts';
import { TschedError } from '../../../src/model/errors.ts';
import { formatTaskId, slotOfId, toTaskId } from '../../../src/model/ids.ts';
import { limits } from '../../../src/model/limits.ts';
import { tierBundleDefaults } from '../../../src/model/tiers.ts';
import { FakeNodeApi } from '../../support/fake-node-api.ts';

const ada = { name: 'ada', tenant: 'default', role: 'submitter' } as const;
const admin = { name: 'root', tenant: 'default', role: 'admin' } as const;
const arrayId = formatTaskId({ atMs: 1_700_000_000_000, slot: 4_000, random: 2 ** 40 - 5 });
const command = ['true'];
const known = { tiers: tierBundleDefaults, templates: { templateRevisions: () => [] } };

const prepare = (document: unknown, identity: Parameters<typeof prepareIn>[1]) =>
  prepareIn(document, identity, known);

describe('an array', () => {
  test('gives each of its tasks an ID of its own, the same each time', () => {
    const ids = Array.from({ length: limits.arrayMax }, (_, at) => arrayTaskId(arrayId, at));
    expect(new Set(ids).size).toBe(limits.arrayMax);
    expect(ids.every(id => toTaskId(id) === id && id !== arrayId)).toBe(true);
    expect(arrayTaskId(arrayId, 9_999)).toBe(ids[9_999]);
  });

  test('spreads over slots, a hundred tasks to each', () => {
    const slots = Array.from({ length: 10_000 }, (_, at) => slotOfId(arrayTaskId(arrayId, at)));
    const counts = new Map<number, number>();
    for (const slot of slots) counts.set(slot, (counts.get(slot) ?? 0) + 1);
    expect([...counts.values()]).toEqual(Array.from({ length: 100 }, () => 100));
  });

  test('makes a request for each index', () => {
    const prepared = prepare({ command, array: '3-5', id: arrayId }, ada);
    expect(prepared.ok && prepared.requests.map(request => request.arrayIndex)).toEqual([3, 4, 5]);
    expect(prepared).toMatchObject({ ok: true, arrayId });
  });

  test('that was begun is finished by the same request', async () => {
    const api = new FakeNodeApi();
    const small = prepare({ command, array: '1-3', id: arrayId }, ada);
    const large = prepare({ command, array: '1-5', id: arrayId }, ada);
    await submitPrepared(api, [small], ada);
    const [result] = await submitPrepared(api, [large], ada);
    expect(result).toMatchObject({ ok: true, id: arrayId, repeated: false });
    expect((await api.list({ limit: 100 })).tasks).toHaveLength(5);
    expect((await submitPrepared(api, [large], ada))[0]).toMatchObject({ repeated: true });
  });
});

describe('a gang', () => {
  test('is an array from 0 whose tasks have one slot', () => {
    const prepared = prepare({ command, gang: 3, id: arrayId }, ada);
    if (!prepared.ok) throw new Error('refused');
    expect(prepared.arrayId).toBe(arrayId);
    expect(prepared.requests.map(request => request.arrayIndex)).toEqual([0, 1, 2]);
    const ids = prepared.requests.map(({ id }) => id!);
    expect(new Set([arrayId, ...ids]).size).toBe(4);
    expect(new Set(ids.map(slotOfId))).toEqual(new Set([slotOfId(arrayId)]));
    expect(prepared.requests[0]?.spec.gang).toBe(3);
  });

  test('is never cut in two by the size of a batch', async () => {
    const api = new FakeNodeApi();
    const documents = Array.from({ length: 5 }, () => prepare({ command, gang: 256 }, ada));
    const results = await submitPrepared(api, documents, ada);
    expect(results.map(result => result.ok)).toEqual([true, true, true, true, true]);
    expect(api.submitCalls.map(({ requests }) => requests.length)).toEqual([768, 512]);
  });

  test.each([
    [{ gang: 1 }, '/gang', 'from 2 to 256'],
    [{ gang: 257 }, '/gang', 'from 2 to 256'],
    [{ gang: 2, array: '1-2' }, '/gang', 'cannot go with `array`'],
    [{ gang: 2, idempotencyKey: 'k' }, '/idempotencyKey', 'cannot go with `gang`'],
    [{ gang: 2, orderKey: 'k' }, '/orderKey', 'cannot go with `gang`'],
    [{ gang: 2, maxRunningPer: { db: 1 } }, '/maxRunningPer', 'cannot go with `gang`'],
    [{ reservation: '' }, '/reservation', 'must not be empty'],
  ])('%j is refused with the place', (fields, pointer, message) => {
    const prepared = prepare({ command, ...fields }, ada);
    const problems = prepared.ok ? [] : (prepared.problem.problems ?? []);
    expect(problems).toMatchObject([{ pointer }]);
    expect(problems[0]?.message).toContain(message);
  });
});

test('a document for another tenant is refused to all but an admin', () => {
  const document = { command, tenant: 'other' };
  expect(prepare(document, ada)).toMatchObject({
    ok: false,
    problem: { code: 'forbidden' },
  });
  expect(prepare(document, admin)).toMatchObject({ ok: true });
});

test('results have the order of the documents, whatever they are', async () => {
  const kind = fc.constantFrom('good', 'bad', 'array', 'forbidden');
  await fc.assert(
    fc.asyncProperty(fc.array(kind, { maxLength: 30 }), async kinds => {
      const api = new FakeNodeApi();
      const documents = kinds.map((word, at) =>
        word === 'good'
          ? { command, name: `n${at}` }
          : word === 'array'
            ? { command, name: `n${at}`, array: '1-3' }
            : word === 'bad'
              ? { command, tier: `t${at}` }
              : { command, tenant: 'other' },
      );
      const prepared = documents.map(document => prepare(document, ada));
      const results = await submitPrepared(api, prepared, ada);
      expect(results).toHaveLength(kinds.length);
      for (const [at, result] of results.entries()) {
        if (!result.ok) {
          expect(result.code).toBe(kinds[at] === 'bad' ? 'badSpec' : 'forbidden');
          if (kinds[at] === 'bad') expect(result.message).toContain(`"t${at}"`);
        } else {
          const id = result.ids?.[0] ?? result.id;
          expect((await api.get(toTaskId(id)!)).name).toBe(`n${at}`);
          expect(result.ids?.length).toBe(kinds[at] === 'array' ? 3 : undefined);
        }
      }
    }),
    { numRuns: 50 },
  );
});

test('one request makes at most as many tasks as an array may', async () => {
  const api = new FakeNodeApi();
  const array = prepare({ command, array: `1-${limits.arrayMax}` }, ada);
  const one = prepare({ command }, ada);
  const results = await submitPrepared(api, [array, one], ada);
  expect(results.map(result => result.ok || result.code)).toEqual([true, 'tooLarge']);
  // The tasks of an array are let in together.
  expect(api.submitCalls.map(call => call.requests.length)).toEqual([limits.arrayMax]);
});

test('a call that fails is told for each of its documents, with the code', async () => {
  const api = new FakeNodeApi();
  api.submit = () => Promise.reject(new TschedError('noQuorum', 'no leader', { retryAfterMs: 7 }));
  const results = await submitPrepared(api, [prepare({ command, id: arrayId }, ada)], ada);
  expect(results).toEqual([
    expect.objectContaining({ ok: false, code: 'noQuorum', id: arrayId, retryAfterMs: 7 }),
  ]);
});

test('a bug in the node is not told as a refusal', async () => {
  const api = new FakeNodeApi();
  api.submit = () => Promise.reject(new Error('bug'));
  await expect(submitPrepared(api, [prepare({ command }, ada)], ada)).rejects.toThrow('bug');
});
