import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { limits } from '../../../src/model/limits.ts';
import type { TaskSpec } from '../../../src/model/spec.ts';
import { type CliBench, openBench } from './run-cli.ts';

let bench: CliBench;
beforeAll(async () => {
  bench = await openBench({ settleAfterMs: 50 });
});
afterAll(() => bench.close());
beforeEach(() => {
  bench.api.refusal = undefined;
  bench.api.submitCalls.length = 0;
});

const specs = (): TaskSpec[] =>
  bench.api.submitCalls.flatMap(call => call.requests.map(request => request.spec));

describe('submit of a command', () => {
  test('passes everything after -- as it stands and prints the ID', async () => {
    const args = ['submit', '--name', 'n', '--', 'echo', 'b', '--json', 'a', '-q', 'a'];
    const run = await bench.run(args);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toMatch(/^task [0-9a-z]{20} accepted {3}shard \d+\n {2}try: tsched wait /);
    const [spec] = specs();
    const argv = ['echo', 'b', '--json', 'a', '-q', 'a'];
    expect(spec).toMatchObject({ name: 'n', run: { kind: 'command', argv } });
  });

  test('-q prints the ID alone and --json what the node answered', async () => {
    const quiet = await bench.run(['submit', '-q', '--', 'true']);
    expect(quiet.stdout).toMatch(/^[0-9a-z]{20}\n$/);
    const json = await bench.run(['submit', '--json', '--', 'true']);
    expect(JSON.parse(json.stdout)).toMatchObject({ id: expect.any(String), state: 'waiting' });
  });

  test('carries every flag into the specification', async () => {
    const args = [
      ...['--tier', 'regular', '--cpu', '500m', '--memory', '1GiB', '--disk', '2GiB'],
      ...['--iops', '100', '--bandwidth', '1MB', '--ports', '2', '--env', 'A=1', '--env', 'B=x=y'],
      ...['--cwd', '/tmp', '--cap', '10m', '--attempts', '3', '--backoff', '2s'],
      ...['--label', 'team=a', '--require', 'zone=b', '--lost-after', '1m', '--grace', '5s'],
      ...['--output-limit', '1MiB', '--owner', 'ada', '--idempotency-key', 'k1'],
    ];
    expect(await bench.run(['submit', '-q', ...args, '--', 'true'])).toMatchObject({ code: 0 });
    expect(specs()[0]).toMatchObject({
      tier: 'regular',
      request: {
        cpuMilli: 500,
        memoryBytes: 1024 ** 3,
        diskBytes: 2 * 1024 ** 3,
        iops: 100,
        bandwidth: 1_000_000,
        ports: 2,
      },
      env: [
        ['A', '1'],
        ['B', 'x=y'],
      ],
      cwd: '/tmp',
      capMs: 600_000,
      attempts: 3,
      backoff: { initialMs: 2_000 },
      labels: [['team', 'a']],
      require: [['zone', 'b']],
      leaseMs: 60_000,
      graceMs: 5_000,
      outputBytesMax: 1024 ** 2,
      owner: 'ada',
      idempotencyKey: 'k1',
    });
  });

  test('a repeat with the same ID is told as such, another task under it is refused', async () => {
    const [id] = (await bench.run(['submit', '-q', '--', 'true'])).stdout.split('\n');
    const again = await bench.run(['submit', '--id', id!, '--', 'true']);
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('accepted before') });
    const other = await bench.run(['submit', '--id', id!, '--', 'false']);
    expect(other).toMatchObject({ code: 1, stdout: '' });
    expect(other.stderr).toMatch(
      /^error: This ID belongs to a task with a different spec.*\n {2}try: /,
    );
  });

  test('an array prints one ID for each index', async () => {
    const run = await bench.run(['submit', '-q', '--array', '3-7', '--', 'true']);
    const ids = run.stdout.trim().split('\n');
    expect(new Set(ids).size).toBe(5);
    const indices = bench.api.submitCalls.flatMap(call => call.requests.map(r => r.arrayIndex));
    expect(indices).toEqual([3, 4, 5, 6, 7]);
  });
});

describe('submit of a script', () => {
  test('sends its bytes, its name and its arguments', async () => {
    await writeFile(join(bench.dir, 'hello.sh'), '#!/bin/sh\necho "$@"\n');
    const run = await bench.run(['submit', '-q', 'hello.sh', 'a', '--', '--deep', 'a']);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const [spec] = specs();
    expect(spec?.run).toMatchObject({
      kind: 'script',
      name: 'hello.sh',
      args: ['a', '--deep', 'a'],
    });
    const bytes = spec?.run.kind === 'script' ? spec.run.bytes : new Uint8Array();
    expect(Buffer.from(bytes).toString()).toBe('#!/bin/sh\necho "$@"\n');
  });

  test('sends bytes that are not text unchanged', async () => {
    const bytes = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 255, 254]);
    await writeFile(join(bench.dir, 'tool'), bytes);
    expect(await bench.run(['submit', '-q', './tool'])).toMatchObject({ code: 0 });
    const { run } = specs()[0]!;
    expect(run.kind === 'script' && Buffer.compare(run.bytes, bytes)).toBe(0);
  });

  test('refuses one that is missing, empty or a hundred megabytes long', async () => {
    const missing = await bench.run(['submit', 'nope.sh']);
    expect(missing).toMatchObject({ code: 2, stdout: '' });
    expect(missing.stderr).toContain('the script nope.sh does not exist');
    expect(missing.stderr).toContain('tsched submit -- PROGRAM');
    await writeFile(join(bench.dir, 'empty.sh'), '');
    expect(await bench.run(['submit', 'empty.sh'])).toMatchObject({ code: 2 });
    await writeFile(join(bench.dir, 'big.sh'), Buffer.alloc(100 * 1024 ** 2, 'x'));
    const big = await bench.run(['submit', 'big.sh']);
    expect(big.code).toBe(2);
    expect(big.stderr).toContain('big.sh is 100MiB long; at most 256KiB are allowed');
  });
});

describe('submit of a file', () => {
  test('takes one document, several, or a list, from a file or standard input', async () => {
    const one = 'name: one\ncommand: [echo, hi]\n';
    await writeFile(join(bench.dir, 'one.yaml'), one);
    expect((await bench.run(['submit', '-q', '-f', 'one.yaml'])).stdout).toMatch(/^\w{20}\n$/);
    const two = await bench.run(['submit', '-q', '-f', '-'], {
      stdin: `${one}---\ncommand: date\n`,
    });
    expect(two.stdout.trim().split('\n')).toHaveLength(2);
    const list = JSON.stringify([{ command: ['a'] }, { command: ['b'] }, { command: ['c'] }]);
    const three = await bench.run(['submit', '-f', '-'], { stdin: list });
    expect(three.stdout).toMatch(/^3 tasks accepted\n/);
    expect(specs()).toHaveLength(6);
  });

  test('keeps the order of IDs over more tasks than fit one batch', async () => {
    const count = limits.batchItemsMax + 5;
    const list = Array.from({ length: count }, (_, index) => ({
      name: `t${index}`,
      command: ['a'],
    }));
    const run = await bench.run(['submit', '-q', '-f', '-'], { stdin: JSON.stringify(list) });
    const ids = run.stdout.trim().split('\n');
    expect(ids).toHaveLength(count);
    const asked = bench.api.submitCalls.flatMap(call => call.requests);
    expect(ids).toEqual(asked.map(request => request.id));
    expect(asked.map(request => request.spec.name)).toEqual(list.map(task => task.name));
  });

  test('flags override the file, and join its maps', async () => {
    const stdin = 'name: one\ncommand: [echo]\ncpu: 1\nenv: {A: a, B: b}\n';
    const flags = ['--cpu', '2', '--env', 'B=c'];
    expect(await bench.run(['submit', '-f', '-', ...flags], { stdin })).toMatchObject({ code: 0 });
    expect(specs()[0]).toMatchObject({
      name: 'one',
      request: { cpuMilli: 2_000 },
      env: [
        ['A', 'a'],
        ['B', 'c'],
      ],
    });
  });

  test('malformed YAML is told with line, column and a caret', async () => {
    await writeFile(join(bench.dir, 'bad.yaml'), 'name: one\ncommand: [echo\ncpu: 2\n');
    const run = await bench.run(['submit', '-f', 'bad.yaml']);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toMatch(/^error: The file is not valid YAML — bad\.yaml:3:\d+: /);
    expect(run.stderr).toMatch(/\n {4}3 \| cpu: 2\n {6}\| +\^/);
  });

  test('every problem of the specification is told with its place in the file', async () => {
    const file = 'name: one\ncommand: [a]\ncpu: lots\n---\ncommand: [b]\nimage: x\nmemry: 1GiB\n';
    await writeFile(join(bench.dir, 'spec.yaml'), file);
    const run = await bench.run(['submit', '-f', 'spec.yaml', '--tier', 'gold']);
    expect(run.code).toBe(2);
    for (const place of ['spec.yaml:3:6: ', 'spec.yaml:6:1: ', 'spec.yaml:7:1: ', '--tier: ']) {
      expect(run.stderr).toContain(place);
    }
    expect(run.stderr).toContain('did you mean `memory`?');
    expect(specs()).toHaveLength(0);
    const json = await bench.run(['submit', '--json', '-f', 'spec.yaml']);
    const { error } = JSON.parse(json.stdout) as { error: Record<string, unknown> };
    expect(error).toMatchObject({ code: 'badSpec', exit: 2 });
    expect(error['problems']).toHaveLength(3);
    expect(json.stderr).toBe('');
  });

  test('an endless or over-long input is refused', async () => {
    const big = Buffer.alloc(limits.httpBodyBytesMax + 1, 'x');
    const run = await bench.run(['submit', '-f', '-'], { stdin: big });
    expect(run.code).toBe(2);
    expect(run.stderr).toContain('is longer than the 64MiB that are allowed');
  });

  test('a refused task among others is told, and the others are accepted', async () => {
    const [id] = (await bench.run(['submit', '-q', '--', 'true'])).stdout.split('\n');
    const stdin = `- {command: [a]}\n- {id: ${id}, command: [b]}\n`;
    const run = await bench.run(['submit', '-q', '-f', '-'], { stdin });
    expect(run.code).toBe(1);
    expect(run.stdout.trim().split('\n')).toHaveLength(1);
    expect(run.stderr).toContain('1 of 2 tasks (2): ');
  });
});

describe('submit that waits', () => {
  test('ends with the exit code of the task', async () => {
    const ok = await bench.run(['submit', '--wait', '--', 'true']);
    expect(ok).toMatchObject({ code: 0, stderr: expect.stringMatching(/succeeded\n$/) });
    const json = await bench.run(['submit', '--wait', '--json', '--', 'true']);
    expect(JSON.parse(json.stdout)).toMatchObject({
      state: 'succeeded',
      attempts: [{ attempt: 1 }],
    });
  });

  test('says in the end how many of several ended how', async () => {
    const run = await bench.run(['submit', '--wait', '--array', '1-3', '--', 'true']);
    expect(run).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/3 tasks: 3 succeeded\n$/),
    });
  });
});

describe('submit that is refused', () => {
  test.each([
    ['neverFits', 7],
    ['noQuorum', 6],
    ['outcomeUnknown', 8],
  ] as const)('%s ends with exit code %i', async (code, exit) => {
    bench.api.refusal = { code, message: 'because of the test' };
    const run = await bench.run(['submit', '-q', '--', 'true']);
    expect(run).toMatchObject({ code: exit, stdout: '' });
    expect(run.stderr).toContain('because of the test');
    const ids = new Set(bench.api.submitCalls.flatMap(call => call.requests.map(r => r.id)));
    expect(ids.size).toBe(1);
    if (exit === 8) expect(run.stderr).toContain(`--id ${[...ids][0]}`);
  });

  test('a passing refusal is repeated with the same ID until it is accepted', async () => {
    bench.api.refusal = { code: 'notLeader', message: 'moving' };
    const running = bench.start(['submit', '-q', '--', 'true']);
    const asked = (): number => bench.api.submitCalls.length;
    const timer = setInterval(() => {
      if (asked() >= 2) bench.api.refusal = undefined;
    }, 5);
    const run = await running.done;
    clearInterval(timer);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const ids = bench.api.submitCalls.flatMap(call => call.requests.map(request => request.id));
    expect(new Set(ids)).toEqual(new Set([run.stdout.trim()]));
  });
});
