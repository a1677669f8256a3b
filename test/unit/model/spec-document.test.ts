import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatTaskId, slotOfId } from '../../../src/model/ids.ts';
import { limits } from '../../../src/model/limits.ts';
import { tierDefaults } from '../../../src/model/resources.ts';
import { keySlot } from '../../../src/model/slots.ts';
import { decodeSpec, encodeSpec, type TaskSpec } from '../../../src/model/spec.ts';
import { readSpecDocument, writeSpecDocument } from '../../../src/model/spec-document.ts';
import { notYetFields } from '../../../src/model/spec-fields.ts';

const defaults = { tenant: 'default', owner: 'ada' };
const read = (document: unknown) => readSpecDocument(document, defaults);

function specOf(document: unknown): TaskSpec {
  const reading = read(document);
  if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
  return reading.spec;
}

function problemsOf(document: unknown) {
  const reading = read(document);
  return reading.ok ? [] : reading.problems;
}

const oneProblem = (document: unknown) => {
  const problems = problemsOf(document);
  expect(problems).toHaveLength(1);
  return problems[0]!;
};

const command = ['true'];

describe('a task document', () => {
  test('needs nothing but a command', () => {
    const spec = specOf({ command: ['echo', 'hello'] });
    expect(spec.run).toEqual({ kind: 'command', argv: ['echo', 'hello'] });
    expect(spec).toMatchObject({
      tenant: 'default',
      owner: 'ada',
      tier: 'basic',
      attempts: 1,
      capMs: 0,
      leaseMs: limits.leaseMsDefault,
      request: tierDefaults.basic,
      limit: { ...tierDefaults.basic, cpuMilli: 1_000 },
    });
    expect(decodeSpec(encodeSpec(spec))).toEqual(spec);
  });

  test('runs one text by the shell', () => {
    expect(specOf({ command: 'a | b' }).run).toEqual({
      kind: 'command',
      argv: ['/bin/sh', '-c', 'a | b'],
    });
  });

  test('carries a script with its name and arguments', () => {
    expect(specOf({ script: '#!/bin/sh\n', scriptName: 'x.sh', args: ['1'] }).run).toEqual({
      kind: 'script',
      name: 'x.sh',
      bytes: new TextEncoder().encode('#!/bin/sh\n'),
      args: ['1'],
    });
  });

  test('gives what the tier gives, and explicit amounts instead', () => {
    expect(specOf({ command, tier: 'regular', cpu: '500m', disk: '1GiB' }).request).toEqual({
      ...tierDefaults.regular,
      cpuMilli: 500,
      diskBytes: 1024 ** 3,
    });
    expect(specOf({ command, cpu: 1.5 })).toMatchObject({
      tier: 'basic',
      request: { cpuMilli: 1500 },
    });
  });

  test('limits are the amounts held, but one CPU at least, unless they are named', () => {
    const held = (changes: object): unknown => specOf({ command, ...changes }).limit;
    expect(held({ cpu: 2, memory: '1GiB' })).toMatchObject({
      cpuMilli: 2_000,
      memoryBytes: 1024 ** 3,
    });
    expect(held({ cpu: '500m' })).toMatchObject({ cpuMilli: 1_000 });
    expect(held({ cpu: '500m', limits: { cpu: '500m' } })).toMatchObject({ cpuMilli: 500 });
    expect(held({ limits: { cpu: 4 } })).toMatchObject({ cpuMilli: 4_000 });
    // What nobody named is not written down as if somebody had.
    expect(writeSpecDocument(specOf({ command }))).not.toHaveProperty('limits');
    const named = specOf({ command, cpu: '500m', limits: { cpu: '500m' } });
    expect(writeSpecDocument(named)).toMatchObject({ limits: { cpu: '500m' } });
  });

  test('limits may be above the amounts held and not below', () => {
    expect(specOf({ command, limits: { memory: '1GiB' } }).limit.memoryBytes).toBe(1024 ** 3);
    const problem = oneProblem({ command, tier: 'premium', limits: { memory: '1GiB' } });
    expect(problem.pointer).toBe('/limits/memory');
    expect(problem.message).toContain('below the amount of 2GiB (given by tier premium)');
  });

  test.each([
    [{}, '', 'nothing to run'],
    [{ command, script: 'x' }, '/script', 'only one of `command` and `script`'],
    [{ command: [] }, '/command', 'must name a program'],
    [{ command: ['a', 1] }, '/command/1', 'must be a text, not the number 1; write it in quotes'],
    [{ command: ['a\u0000'] }, '/command/0', 'NUL'],
    [{ command, args: ['x'] }, '/args', 'goes with `script`'],
    [{ command, cpus: 1 }, '/cpus', 'unknown field `cpus`; did you mean `cpu`?'],
    [{ command, timeout: 1 }, '/timeout', 'did you mean `cap`?'],
    [{ command, 'lost-after': 1 }, '/lost-after', 'did you mean `lostAfter`?'],
    [{ command, limits: { cpus: 1 } }, '/limits/cpus', 'did you mean `cpu`?'],
    [{ command, 'a/b~c': 1 }, '/a~1b~0c', 'unknown field'],
    [{ command, tier: 'gold' }, '/tier', 'must be basic, regular or premium, not the text "gold"'],
    [{ command, cpu: -1 }, '/cpu', 'such as 2, 0.5 or "250m", not the number -1'],
    [{ command, memory: 'lots' }, '/memory', 'such as "512MiB"'],
    [{ command, memory: null }, '/memory', 'is empty'],
    [{ command, cap: 0 }, '/cap', 'a cap of zero would end every attempt at once'],
    [{ command, cap: '0s' }, '/cap', 'a cap of zero would end every attempt at once'],
    [{ command, cap: '31d' }, '/cap', 'from 0s to 30d'],
    [{ command, attempts: 0 }, '/attempts', 'from 1 to 1000'],
    [{ command, attempts: 1.5 }, '/attempts', 'whole number'],
    [{ command, lostAfter: '1s' }, '/lostAfter', 'from 5s to 1h'],
    [{ command, backoff: { initial: '5s', max: '1s' } }, '/backoff/max', 'below the first pause'],
    [{ command, env: { 'A=B': 'x' } }, '/env/A=B', 'must not hold "="'],
    [{ command, env: { TSCHED_FENCE: '1' } }, '/env/TSCHED_FENCE', 'set by tsched'],
    [{ command, env: { A: 1 } }, '/env/A', 'write it in quotes'],
    [{ command, cwd: 'tmp' }, '/cwd', 'absolute'],
    [{ command, array: '5-1' }, '/array', 'ends before'],
    [{ command, array: '1-2', idempotencyKey: 'k' }, '/idempotencyKey', 'cannot go with `array`'],
    [{ command, id: 'nope' }, '/id', '20 characters'],
    [{ command, tenant: 'A b' }, '/tenant', 'lower-case'],
    [{ command, name: 'a\u001b[2J' }, '/name', 'control character'],
    [{ command, handler: 'x' }, '/handler', 'the only handler is "null"'],
    [[command], '', 'a task is a map of fields, not a list'],
    ['x', '', 'a task is a map of fields, not the text "x"'],
  ])('tells what is wrong with %j', (document, pointer, message) => {
    const problem = problemsOf(document).find(found => found.message.includes(message));
    expect(problem).toMatchObject({ pointer, code: 'badSpec' });
  });

  test.each([
    [{ script: 'x'.repeat(limits.scriptBytesMax + 1) }, '/script'],
    [{ command: ['x'.repeat(limits.argvBytesMax)] }, '/command'],
    [{ command, name: 'é'.repeat(101) }, '/name'],
    [{ command, env: { A: 'x'.repeat(limits.envBytesMax) } }, '/env'],
    [{ command, array: '1-10001' }, '/array'],
    [
      { command, labels: Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`k${n}`, ''])) },
      '/labels',
    ],
  ])('is refused as too large where a part is over its limit', (document, pointer) => {
    expect(oneProblem(document)).toMatchObject({ pointer, code: 'tooLarge' });
  });

  test('is accepted with each part exactly at its limit', () => {
    const spec = specOf({ script: 'x'.repeat(limits.scriptBytesMax), name: 'é'.repeat(100) });
    expect(encodeSpec(spec).length).toBeLessThan(limits.specBytesMax);
  });

  test.each(notYetFields)('names the field %s as declared but not built', field => {
    const problem = oneProblem({ command, [field]: 'x' });
    expect(problem).toMatchObject({ pointer: `/${field}`, code: 'notYet' });
    expect(problem.message).toContain(`\`${field}\``);
  });

  test('tells every problem at once, twenty at most', () => {
    expect(problemsOf({ cpus: 1, tier: 'gold', cap: 0 })).toHaveLength(4);
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`field${n}`, 1]));
    expect(problemsOf(many)).toHaveLength(20);
  });

  test('refuses __proto__ and constructor like any other unknown field', () => {
    const document = JSON.parse('{"command":["true"],"__proto__":{"tier":"premium"}}');
    expect(oneProblem(document).message).toContain('unknown field `__proto__`');
    expect(oneProblem({ command, constructor: 1 }).message).toContain('unknown field');
    const env = specOf(JSON.parse('{"command":["true"],"env":{"__proto__":"x"}}')).env;
    expect(env).toEqual([['__proto__', 'x']]);
  });

  test('takes an ID that lies in the slot of its key and refuses another', () => {
    const slot = keySlot({ tenant: 'default', idempotencyKey: 'k' })!;
    const inSlot = formatTaskId({ atMs: 1, slot, random: 1 });
    const elsewhere = formatTaskId({ atMs: 1, slot: (slot + 1) % 4096, random: 1 });
    expect(slotOfId(inSlot)).toBe(slot);
    expect(read({ command, idempotencyKey: 'k', id: inSlot })).toMatchObject({
      ok: true,
      id: inSlot,
    });
    expect(oneProblem({ command, idempotencyKey: 'k', id: elsewhere }).pointer).toBe('/id');
  });
});

const text = (maxLength: number) =>
  fc
    .string({ unit: 'grapheme', minLength: 1, maxLength })
    .filter(value => !/[\u0000-\u001f\u007f-\u009f]/.test(value));
const pairs = fc
  .dictionary(
    text(10).filter(name => !name.includes('=')),
    text(10),
    { maxKeys: 5 },
  )
  .map(map =>
    Object.keys(map)
      .sort()
      .map(name => [name, map[name]!] as [string, string]),
  );
/** The most that a document can say. */
const cpuMilliMax = 1e9 - 1;
const amounts = fc.record({
  cpuMilli: fc.oneof(fc.nat(cpuMilliMax), fc.nat(2_000)),
  memoryBytes: fc.oneof(
    fc.nat(1e15),
    fc.nat(4096).map(n => n * 1024 ** 2),
  ),
  diskBytes: fc.nat(1e15),
  iops: fc.nat(1e9),
  bandwidth: fc.nat(1e9),
  ports: fc.nat(1_000),
});
const run = fc.oneof(
  fc
    .array(text(20), { minLength: 1, maxLength: 5 })
    .map(argv => ({ kind: 'command' as const, argv })),
  fc.record({
    kind: fc.constant('script' as const),
    name: text(20).filter(name => !name.includes('/')),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 50 }),
    args: fc.array(text(10), { maxLength: 3 }),
  }),
  fc.constant({ kind: 'null' as const }),
);
const anySpec: fc.Arbitrary<TaskSpec> = fc
  .record({
    tenant: fc.constantFrom('a', 'ab', 'default'),
    owner: text(20),
    name: fc.oneof(fc.constant(''), text(20)),
    run,
    env: pairs,
    cwd: fc.oneof(
      fc.constant(''),
      text(10).map(path => `/${path}`),
    ),
    tier: fc.constantFrom('basic' as const, 'regular' as const, 'premium' as const),
    request: amounts,
    over: fc.nat(1e6),
    cpuOver: fc.nat(2_000),
    labels: pairs,
    require: pairs,
    prefer: fc.option(
      pairs.filter(list => list.length > 0),
      { nil: undefined },
    ),
    spread: fc.option(
      text(20).filter(label => label !== ''),
      { nil: undefined },
    ),
    holdIfUnfit: fc.constantFrom(true as const, undefined),
    idempotencyKey: fc.option(text(20), { nil: undefined }),
    attempts: fc.integer({ min: 1, max: limits.attemptsMax }),
    backoff: fc.record({ initialMs: fc.nat(1e6), maxMs: fc.integer({ min: 1e6, max: 8e7 }) }),
    capMs: fc.nat(limits.capMsMax),
    graceMs: fc.nat(limits.graceMsMax),
    leaseMs: fc.integer({ min: limits.leaseMsMin, max: limits.leaseMsMax }),
    outputBytesMax: fc.integer({ min: 1, max: limits.outputBytesMax }),
  })
  .map(({ over, cpuOver, spread, ...spec }) => ({
    ...spec,
    spread: spread === undefined ? undefined : { label: spread, group: spec.name },
    limit: {
      ...spec.request,
      cpuMilli: Math.min(cpuMilliMax, spec.request.cpuMilli + cpuOver),
      memoryBytes: spec.request.memoryBytes + over,
    },
  }));

test('reading what was written gives the same specification', () => {
  fc.assert(
    fc.property(anySpec, spec => {
      const reading = readSpecDocument(JSON.parse(JSON.stringify(writeSpecDocument(spec))), {
        tenant: 'other',
        owner: 'other',
      });
      expect(reading).toMatchObject({ ok: true });
      if (reading.ok) expect(encodeSpec(reading.spec)).toEqual(encodeSpec(spec));
    }),
    { numRuns: 500 },
  );
});

test('no document makes the reader throw', () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.constantFrom(
          'command',
          'tier',
          'cpu',
          'env',
          'limits',
          'backoff',
          'array',
          'id',
          'args',
          'cap',
          'output',
        ),
        fc.jsonValue(),
      ),
      document => {
        const reading = read(document);
        expect(reading.ok || reading.problems.length > 0).toBe(true);
      },
    ),
    { numRuns: 1_000 },
  );
});
