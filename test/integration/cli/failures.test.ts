import { spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CliBench, openBench, startCli, until } from './run-cli.ts';

let bench: CliBench;
let nowhere: string;
beforeAll(async () => {
  bench = await openBench();
  const server = createTcpServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  nowhere = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  await new Promise(resolve => server.close(resolve));
});
afterAll(() => bench.close());

describe('wrong usage ends with 2', () => {
  test.each([
    [['clutser', 'health'], /Unknown command — .*\n {2}try: did you mean `tsched cluster health`/],
    [['node', 'frobnicate'], /Unknown command — there is no command `node frobnicate`/],
    [['status', '--jsn'], /Unknown flag — `--jsn`\n {2}try: --json; /],
    [['submit', '--cpus', '2', '--', 'x'], /Unknown flag — `--cpus`.*\n {2}try: --cpu; /],
    [['submit', '--cpu', '1', '--cpu', '2', '--', 'x'], /can only be specified once/],
    [['submit'], /there is nothing to run/],
    [['submit', '-f', 'x.yaml', '--', 'x'], /exclude each other/],
    [['submit', '--env', 'A', '--', 'x'], /--env A is not NAME=VALUE/],
    [['submit', '--cap', '0', '--', 'x'], /--cap: a cap of zero/],
    [['submit', '--timeout', '1s', '--', 'x'], /--timeout goes with --wait/],
    [['wait'], /Missing 1 required arg/],
    [['wait', 'last', '--timeout', 'soon'], /--timeout soon is not a duration/],
    [['logs', 'last', '--attempt', '0'], /--attempt 0 is not a whole number/],
    [['node', 'start'], /Missing required flag data-dir/],
    [['node', 'start', '--data-dir', 'x', '--tier', 'gold'], /--tier gold is not one of basic/],
    [['node', 'start', '--data-dir', 'x', '--ports', '9-1'], /--ports 9-1 is not a range/],
    [['node', 'start', '--data-dir', 'x', '--listen', '1.2.3.4:5'], /Write \/ip4\/127/],
    [['cluster', 'init', '--data-dir', 'x', '--shards', '3'], /--shards 3 is not a power of two/],
    [['list', '--addr', ':::'], /`:::` is not the address of a node/],
  ])('%j', async (args, message) => {
    const run = await bench.run(args);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toMatch(/^error: /);
    expect(run.stderr).toMatch(message);
    expect(run.stderr).not.toContain('    at ');
  });

  test('--json prints the error as JSON on standard output', async () => {
    for (const args of [
      ['nope', '--json'],
      ['wait', '--json'],
      ['--json', 'status', '--jsn'],
    ]) {
      const run = await bench.run(args);
      expect(run).toMatchObject({ code: 2, stderr: '' });
      const { error } = JSON.parse(run.stdout) as { error: Record<string, unknown> };
      expect(error).toMatchObject({ code: 'badRequest', exit: 2, message: expect.any(String) });
    }
  });
});

describe('a node that is not there', () => {
  test.each([['status'], ['list'], ['submit', '--', 'x'], ['cancel', 'last'], ['wait', 'last']])(
    '%s ends with 6 and says where it looked',
    async (...args) => {
      const run = await bench.run(['--addr', nowhere, ...args]);
      expect(run).toMatchObject({ code: 6, stdout: '' });
      expect(run.stderr).toContain(`nothing listens on ${nowhere}`);
    },
  );

  test('the next address is asked', async () => {
    const { host } = new URL(bench.address);
    const run = await bench.run(['node', 'list', '-q', '--addr', `${nowhere},${host}`]);
    expect(run).toMatchObject({ code: 0, stderr: '' });
  });

  test('a wrong token and none are told', async () => {
    const wrong = await bench.run(['list'], { env: { TSCHED_TOKEN: 'wrong' } });
    expect(wrong).toMatchObject({ code: 1, stdout: '' });
    expect(wrong.stderr).toMatch(/^error: No valid token — .*\n {2}try: .*--token-file/);
    const none = await bench.run(['list'], { env: { TSCHED_TOKEN: undefined } });
    expect(none).toMatchObject({ code: 1 });
  });
});

describe('a submit whose answer is lost', () => {
  let server: Server;
  const ids: string[] = [];
  beforeAll(async () => {
    server = createServer((request, reply) => {
      request.on('data', chunk => {
        ids.push((JSON.parse(String(chunk)) as { id: string }).id);
        reply.destroy();
      });
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => new Promise(resolve => server.close(resolve)));

  test('is repeated with one ID, ends with 8, and says how to go on', async () => {
    const addr = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const run = await bench.run(['submit', '--json', '--addr', addr, '--', 'x']);
    expect(run.code).toBe(8);
    expect(ids.length).toBeGreaterThan(1);
    expect(new Set(ids).size).toBe(1);
    const { error } = JSON.parse(run.stdout) as { error: Record<string, unknown> };
    expect(error).toMatchObject({ code: 'outcomeUnknown', ids: [ids[0]] });
    expect(error['suggestion']).toContain(`--id ${ids[0]}`);
  });
});

describe('the program', () => {
  test('says its version and helps without a node', async () => {
    const env = { TSCHED_ADDR: nowhere };
    const version = await bench.run(['--version'], { env });
    expect(version).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^tsched\/\d+\.\d+\.\d+ /),
    });
    for (const args of [['--help'], ['submit', '--help'], ['help', 'submit'], ['node']]) {
      expect(await bench.run(args, { env })).toMatchObject({ code: 0, stderr: '' });
    }
    const help = await bench.run(['wait', '--help'], { env });
    expect(help.stdout.replaceAll(/\s+/g, ' ')).toContain('3 the waited-for task failed');
  });

  test('writes no colours into a pipe', async () => {
    const run = await bench.run(['status'], { env: { FORCE_COLOR: '1' } });
    expect(run.stdout).not.toContain('\u001b');
  });

  test('says that Node is too old before it loads anything', async () => {
    const old =
      "Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.1.0'}})";
    const entry = join(import.meta.dirname, '../../../cli/run.ts');
    const args = ['--import', `data:text/javascript,${old}`, entry, 'status'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', chunk => {
      stderr += String(chunk);
    });
    const code = await new Promise(resolve => child.once('close', resolve));
    expect(code).toBe(1);
    expect(stderr).toContain('Node 20.1.0 is too old');
  });

  test('ends quietly when its reader goes away', async () => {
    const running = bench.start(['completion', 'zsh']);
    running.child.stdout?.destroy();
    expect((await running.done).stderr).toBe('');
  });

  test('an empty data directory without a token is an error that names both ways out', async () => {
    const run = await startCli(['node', 'start', '--data-dir', join(bench.dir, 'none')]).done;
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toContain('tsched cluster init --data-dir');
    expect(run.stderr).toContain('--join TOKEN');
  });
});

describe('a cluster', () => {
  test('node and cluster commands print what the node says, -q only names', async () => {
    const nodes = await bench.run(['node', 'list']);
    expect(nodes.stdout).toMatch(/^NODE +STATE +TIER +LOAD/);
    expect(nodes.stdout.trim().split('\n')).toHaveLength(4);
    const show = await bench.run(['node', 'show', 'node-a', '--json']);
    expect(JSON.parse(show.stdout)).toMatchObject({ name: 'node-a', isolation: expect.anything() });
    const shards = await bench.run(['cluster', 'shards', '-q']);
    expect(shards.stdout).toBe('1\n2\n3\n4\n');
    const token = await bench.run(['cluster', 'token', '-q']);
    expect(token.stdout).toMatch(/^[A-Za-z0-9_-]+\n$/);
    expect(await bench.run(['node', 'show', 'nope'])).toMatchObject({ code: 1 });
  });

  test('health --wait returns once the cluster is whole, and times out with 5', async () => {
    expect(await bench.run(['cluster', 'health', '--wait'])).toMatchObject({ code: 0 });
    const four = ['cluster', 'health', '--wait', '--nodes', '4', '--timeout', '300ms'];
    const run = await bench.run(four);
    expect(run.code).toBe(5);
    expect(run.stderr).toContain('3 of 3 nodes up');
  });

  test('health of a cluster that is not whole ends with 1', async () => {
    bench.api.ready = false;
    const run = await bench.run(['cluster', 'health']);
    bench.api.ready = true;
    expect(run).toMatchObject({ code: 1, stdout: expect.stringContaining('NOT OK') });
  });

  test('node stop asks the node at --addr to stop', async () => {
    expect(await bench.run(['node', 'stop', '--end-tasks'])).toMatchObject({ code: 0 });
    await until('the node is asked to stop', () => bench.api.stopCalls.length > 0);
    expect(bench.api.stopCalls).toEqual([{ endTasks: true }]);
  });
});
