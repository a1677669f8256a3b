/** What stands before admission: over a registry of its own, and a limiter with so many permits. */
import { describe, expect, test } from 'vitest';
import type { TaskSpec } from '../../../src/model/spec.ts';
import type { RateLimiter } from '../../../src/node/rate-limiter.ts';
import { TenantGate } from '../../../src/node/tenant-gate.ts';
import type { SubmitRequest } from '../../../src/ports/node-api.ts';
import type { SubmitReply } from '../../../src/ports/submit-reply.ts';
import { cluster } from '../registry/builders.ts';
import { admin, resources, someSpec } from './small-world.ts';

const id = (number: number) => `065wzsb801050000000${number}` as never;

function gateOf(left: number) {
  const feed = cluster();
  const values = [
    ['submitsPerSecond', '5'],
    ['tiers', 'basic,regular'],
  ] as const;
  feed.ask({ kind: 'putPlan', name: 'own', values });
  feed.ask({ kind: 'putTenant', name: 'acme', plan: 'own', isNew: true });
  feed.ask({ kind: 'putPlan', name: 'short', values: [['cap', '1h']] });
  feed.ask({ kind: 'putTenant', name: 'brief', plan: 'short', isNew: true });
  const bounds: [string, string][] = [
    ['running', '3'],
    ['cpu', '1'],
  ];
  feed.ask({ kind: 'putPlan', name: 'tiny', values: bounds });
  feed.ask({ kind: 'putTenant', name: 'small', plan: 'tiny', isNew: true });
  const asked: (readonly number[])[] = [];
  let permits = left;
  const take: RateLimiter['take'] = async (_tenant, _plan, units) => {
    asked.push(units);
    return units.map(unit => {
      if (unit > permits) return { limit: 'second', retryMs: 1_200 } as const;
      permits -= unit;
      return undefined;
    });
  };
  const gate = new TenantGate(() => feed.machine, { take } as unknown as RateLimiter);
  const admitted: SubmitRequest[] = [];
  const submit = (requests: readonly SubmitRequest[]): Promise<SubmitReply[]> =>
    gate.submit(requests, admin, async allowed => {
      admitted.push(...allowed);
      return allowed.map(request => ({ ok: true, id: request.id!, shard: 1, repeated: false }));
    });
  return { gate, submit, asked, admitted };
}

describe('the gate', () => {
  test('asks nobody for a tenant that is not limited', async () => {
    const { submit, asked } = gateOf(0);
    expect(await submit([{ id: id(1), spec: someSpec() }])).toMatchObject([{ ok: true }]);
    expect(asked).toEqual([]);
  });

  test('says of each item of a batch whether it got in, which limit, and when to retry', async () => {
    const { submit, admitted } = gateOf(2);
    const spec = someSpec({ tenant: 'acme' });
    const requests = [1, 2, 3, 4].map(number => ({ id: id(number), spec }));
    const replies = await submit([...requests, { id: id(5), spec: someSpec() }]);
    expect(replies.map(reply => reply.ok)).toEqual([true, true, false, false, true]);
    expect(replies[2]).toEqual({
      ok: false,
      id: id(3),
      code: 'rateLimited',
      message: 'tenant acme may submit 5 tasks a second, 5 at once: try again in 2s',
      retryAfterMs: 1_200,
    });
    expect(admitted.map(request => request.id)).toEqual([id(1), id(2), id(5)]);
  });

  test('counts what it refused by tenant and code, and those of nobody as one', async () => {
    const { gate, submit } = gateOf(1);
    const spec = someSpec({ tenant: 'acme' });
    await submit([1, 2, 3].map(number => ({ id: id(number), spec })));
    for (const tenant of ['some', 'other']) await submit([{ spec: someSpec({ tenant }) }]);
    expect([...gate.refused].map(([tenant, counts]) => [tenant, ...counts])).toEqual([
      ['acme', ['rateLimited', 2]],
      ['', ['unknownTenant', 2]],
    ]);
  });

  test('lets the tasks of an array in together or not at all', async () => {
    const { submit, asked, admitted } = gateOf(3);
    const spec = someSpec({ tenant: 'acme' });
    const array = [1, 2, 3, 4].map(arrayIndex => ({ id: id(arrayIndex), spec, arrayId: id(9) }));
    const replies = await submit([...array, { id: id(5), spec }]);
    expect(asked).toEqual([[4, 1]]);
    expect(replies.map(reply => reply.ok)).toEqual([false, false, false, false, true]);
    expect(admitted).toHaveLength(1);
  });

  test('says that an array is larger than the burst will ever be', async () => {
    const { submit, asked } = gateOf(100);
    const spec = someSpec({ tenant: 'acme' });
    const array = [1, 2, 3, 4, 5, 6].map(number => ({ id: id(number), spec, arrayId: id(9) }));
    expect((await submit(array))[0]).toMatchObject({
      code: 'tooLarge',
      message: 'an array of 6 tasks is more than tenant acme may have at once: 5',
    });
    expect(asked).toEqual([[]]);
  });

  test('lets a workflow in as a whole, or says which of its tasks its plan does not allow', async () => {
    const { gate, asked } = gateOf(4);
    const some = (name: string, cpuMilli = 1) =>
      someSpec({ tenant: 'acme', name, request: { ...someSpec().request, cpuMilli } });
    const four = ['a', 'b', 'c', 'd'].map(name => some(name));
    expect(await gate.whole('a workflow', four)).toEqual({ ok: true, specs: four });
    expect(await gate.whole('a workflow', [some('e')])).toMatchObject({
      code: 'rateLimited',
      retryAfterMs: 1_200,
    });
    expect(asked).toEqual([[4], [1]]);
    expect(await gate.whole('a workflow', [...four, some('e'), some('f')])).toMatchObject({
      code: 'tooLarge',
      message: 'a workflow of 6 tasks is more than tenant acme may have at once: 5',
    });
    const dear: TaskSpec = { ...some('dear'), tier: 'premium' };
    expect(await gate.whole('a workflow', [...four, dear])).toMatchObject({
      code: 'notInPlan',
      message: expect.stringMatching(/^task dear: tenant acme: the plan allows tier /),
    });
    expect([...gate.refused.get('acme')!]).toEqual([
      ['rateLimited', 1],
      ['tooLarge', 1],
      ['notInPlan', 1],
    ]);
    expect(await gate.whole('a workflow', [])).toEqual({ ok: true, specs: [] });
  });

  test('judges a gang as a whole', async () => {
    const { submit, asked } = gateOf(100);
    const gangOf = (gang: number, milli: number) => {
      const request = resources(milli);
      const spec = someSpec({ tenant: 'small', gang, request, limit: request });
      return Array.from({ length: gang }, (_, arrayIndex) => ({
        id: id(arrayIndex),
        spec,
        arrayId: id(9),
        arrayIndex,
      }));
    };
    expect((await submit(gangOf(4, 100))).map(reply => reply.ok)).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect((await submit(gangOf(4, 100)))[0]).toMatchObject({
      code: 'notInPlan',
      message: 'tenant small: the plan allows 3 running tasks, the gang of 4 would be more',
    });
    expect((await submit(gangOf(2, 600)))[0]).toMatchObject({
      code: 'notInPlan',
      message: expect.stringContaining('1 CPUs for all tasks together, the gang of 2 asks for 1.2'),
    });
    expect(await submit(gangOf(2, 500))).toMatchObject([{ ok: true }, { ok: true }]);
    expect(asked).toEqual([]);
  });

  test('refuses a tenant that nobody made', async () => {
    const { submit } = gateOf(1);
    const spec = someSpec({ tenant: 'nobody' });
    expect(await submit([{ id: id(1), spec }])).toMatchObject([{ code: 'unknownTenant' }]);
  });

  test('judges tasks that are made already: all of a unit or none, and no cap where one is due', async () => {
    const { gate } = gateOf(3);
    const spec = someSpec({ tenant: 'acme' });
    const unit = (count: number) => Array.from({ length: count }, () => ({ spec, arrayId: 'one' }));
    expect(await gate.refusals(unit(2))).toEqual([undefined, undefined]);
    expect(await gate.refusals(unit(2))).toMatchObject([
      { code: 'rateLimited', retryAfterMs: 1_200 },
      { code: 'rateLimited', retryAfterMs: 1_200 },
    ]);
    expect(await gate.refusals([{ spec: someSpec({ tenant: 'nobody' }) }])).toMatchObject([
      { code: 'unknownTenant' },
    ]);
    const endless = someSpec({ tenant: 'brief', capMs: 0 });
    expect(gate.check(endless).capMs).toBe(3_600_000);
    expect(await gate.refusals([{ spec: endless }])).toMatchObject([{ code: 'notInPlan' }]);
    expect(await gate.refusals([{ spec: gate.check(endless) }])).toEqual([undefined]);
    expect(() => gate.check({ ...endless, capMs: 7_200_000 })).toThrow('allows a cap of 1h');
  });
});
