import { describe, expect, test } from 'vitest';
import {
  authorize,
  hostGate,
  refuseForeign,
  roleAllows,
  seesTenant,
} from '../../../src/gateway/access.ts';
import { ProblemError } from '../../../src/gateway/problem.ts';
import { FakeNodeApi } from '../../support/fake-node-api.ts';

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ProblemError) return error.problem.code;
    throw error;
  }
  return 'accepted';
}

describe('the host gate', () => {
  test.each(['localhost', 'LOCALHOST:80', '127.0.0.1:7001', '[::1]:7001', '[::1]', '10.0.0.7:1'])(
    'of a node on 10.0.0.7 accepts %s',
    header => {
      expect(hostGate('10.0.0.7')(header)).toBe(true);
    },
  );
  test.each([
    undefined,
    '',
    'evil.example',
    'localhost.evil.example:7001',
    '10.0.0.8:1',
    '[',
    'x@localhost',
  ])('of a node on 10.0.0.7 refuses %s', header => {
    expect(hostGate('10.0.0.7')(header)).toBe(false);
  });
  test('of a node on every address accepts literal addresses and no foreign name', () => {
    const allows = hostGate('0.0.0.0');
    expect(allows('192.168.1.5:7001')).toBe(true);
    expect(allows('[fe80::1]:7001')).toBe(true);
    expect(allows('evil.example:7001')).toBe(false);
  });
  test('decides the same for a header it has seen before', () => {
    const allows = hostGate('127.0.0.1');
    expect([allows('localhost:1'), allows('localhost:1')]).toEqual([true, true]);
    expect([allows('evil:1'), allows('evil:1')]).toEqual([false, false]);
  });
});

describe('a request with an origin', () => {
  const ruling = (host: string, origin: string | undefined): string =>
    codeOf(() => refuseForeign({ host, ...(origin !== undefined && { origin }) }, () => true));

  test.each([
    ['localhost:7001', 'http://localhost:7001'],
    ['127.0.0.1:7001', 'http://127.0.0.1:7001'],
    ['[::1]:7001', 'http://[::1]:7001'],
    ['LOCALHOST:7001', 'http://localhost:7001'],
    ['localhost', undefined],
  ])('at %s is accepted from %s, where the page of the node is', (host, origin) => {
    expect(ruling(host, origin)).toBe('accepted');
  });

  test.each([
    'http://localhost',
    'http://localhost:7002',
    'https://localhost:7001',
    'http://127.0.0.1:7001',
    'http://localhost:7001.evil.example',
    'http://evil.example',
    'http://localhost:7001/',
    'file://',
    'null',
    '',
  ])('at localhost:7001 is refused from %j, which is another', origin => {
    expect(ruling('localhost:7001', origin)).toBe('forbidden');
  });

  test('is refused at a host that is not the node, even from there', () => {
    const headers = { host: 'evil.example:7001', origin: 'http://evil.example:7001' };
    expect(codeOf(() => refuseForeign(headers, hostGate('127.0.0.1')))).toBe('forbidden');
  });
});

test.each([
  [undefined, 'unauthorized'],
  ['', 'unauthorized'],
  ['admin-token', 'unauthorized'],
  ['Basic admin-token', 'unauthorized'],
  ['Bearer nobody', 'unauthorized'],
  ['Bearer  ', 'unauthorized'],
  ['Bearer admin-token x', 'unauthorized'],
  [`Bearer ${'x'.repeat(2_000)}`, 'unauthorized'],
  ['Bearer __proto__', 'unauthorized'],
  ['Bearer reader-token', 'forbidden'],
  ['Bearer submitter-token', 'accepted'],
  ['bearer admin-token', 'accepted'],
])('authorization %j to submit is %s', (header, code) => {
  expect(codeOf(() => authorize(new FakeNodeApi(), header, 'submitter'))).toBe(code);
});

test('roles are ordered', () => {
  const roles = ['reader', 'submitter', 'admin'] as const;
  for (const [has, role] of roles.entries()) {
    for (const [needs, needed] of roles.entries()) {
      expect(roleAllows(role, needed)).toBe(has >= needs);
    }
  }
});

test('a tenant is matched whole, and an admin sees all', () => {
  const identity = { name: 'x', tenant: 'a', role: 'submitter' } as const;
  expect(seesTenant(identity, 'a')).toBe(true);
  expect(seesTenant(identity, 'ab')).toBe(false);
  expect(seesTenant({ ...identity, role: 'admin' }, 'ab')).toBe(true);
});
