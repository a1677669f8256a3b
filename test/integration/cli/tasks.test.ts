import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TaskId } from '../../../src/model/ids.ts';
import { readSpecDocument } from '../../../src/model/spec-document.ts';
import { type CliBench, openBench, until } from './run-cli.ts';

let bench: CliBench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

async function submit(fields: Readonly<Record<string, unknown>> = {}): Promise<TaskId> {
  const defaults = { tenant: 'default', owner: 'ada' };
  const reading = readSpecDocument({ command: ['work'], ...fields }, defaults);
  if (!reading.ok) throw new Error('not a specification');
  const actor = { name: 'ada', tenant: 'default' };
  const [reply] = await bench.api.submit([{ spec: reading.spec }], actor);
  if (!reply?.ok) throw new Error('not accepted');
  return reply.id;
}

describe('status', () => {
  test('--json is the task as the API gives it', async () => {
    const id = await submit({ name: 'etl', attempts: 3 });
    bench.api.finish(id, 'failed', { settle: false, message: 'no input' });
    const run = await bench.run(['status', id, '--json']);
    expect(run.code).toBe(0);
    const view: unknown = JSON.parse(run.stdout);
    expect(view).toEqual(JSON.parse(JSON.stringify(await bench.api.get(id))));
    expect(view).toMatchObject({ state: 'waiting', attempts: [{ outcome: { kind: 'failed' } }] });
  });

  test('shows state, attempts, the end of the output and what to do next', async () => {
    const id = await submit({ name: 'etl' });
    bench.api.start(id, 'node-b');
    bench.api.print(id, 'first\nlast words\n');
    bench.api.finish(id, 'failed', { exitCode: 3 });
    const { stdout, code } = await bench.run(['status', id.slice(-8)]);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^${id} {2}failed\n`));
    expect(stdout).toMatch(/name +etl\n/);
    expect(stdout).toMatch(/outcome +failed: exit code 3\n/);
    expect(stdout).toMatch(/ATTEMPT +NODE +STARTED/);
    expect(stdout).toMatch(/1 +node-b .* failed: exit code 3\n/);
    expect(stdout).toContain('    last words\n');
    expect(stdout).toContain(`tsched dlq replay ${id.slice(-8)}`);
  });

  test('without a majority it shows what a replica has, and says so', async () => {
    const id = await submit({ name: 'etl' });
    bench.api.majority = false;
    try {
      const text = await bench.run(['status', id]);
      expect(text).toMatchObject({ code: 0 });
      expect(text.stdout).toContain('may be out of date');
      expect(text.stderr).toMatch(/^warning: .*no majority.*heard of a leader 12s ago\n$/);
      const json = JSON.parse((await bench.run(['status', id, '--json'])).stdout);
      expect(json).toMatchObject({ id, stale: true, staleMs: 12_000 });
      const strict = await bench.run(['status', id, '--consistency', 'linearizable']);
      expect(strict).toMatchObject({ code: 6, stdout: '' });
      const page = await bench.run(['list', '--json']);
      expect(JSON.parse(page.stdout)).toMatchObject({ staleShards: [1], missingShards: [] });
      expect(page.stderr).toContain('warning: tasks of shards 1 may be out of date');
    } finally {
      bench.api.majority = true;
    }
  });

  test('--consistency local asks for no majority, and anything else is wrong usage', async () => {
    const id = await submit();
    const local = await bench.run(['status', id, '--consistency', 'local', '--json']);
    expect(JSON.parse(local.stdout)).toMatchObject({ stale: true });
    expect(bench.api.consistencies.at(-1)).toBe('local');
    const page = await bench.run(['list', '--consistency', 'local', '--json']);
    expect(JSON.parse(page.stdout)).toMatchObject({ staleShards: [1] });
    for (const args of [['status', id], ['list']]) {
      const wrong = await bench.run([...args, '--consistency', 'eventual']);
      expect(wrong).toMatchObject({ code: 2, stdout: '' });
      expect(wrong.stderr).toContain('It is linearizable or local');
    }
  });

  test('without an ID tells of the cluster', async () => {
    const { stdout } = await bench.run(['status']);
    expect(stdout).toMatch(
      /^cluster ok {3}3 of 3 nodes up {3}4 shards, replication 3 {3}version 2\n/,
    );
    expect(stdout).toMatch(/\d+ waiting {3}\d+ running {3}\d+ settled/);
  });

  test('an unknown, a malformed and an ambiguous ID are told apart', async () => {
    const unknown = await bench.run(['status', 'zzzzzzzz']);
    expect(unknown).toMatchObject({ code: 1, stdout: '' });
    expect(unknown.stderr).toMatch(/^error: No such task — .*\n {2}try: .*tsched list/);
    expect(await bench.run(['status', 'x!'])).toMatchObject({ code: 2 });
    const json = await bench.run(['status', 'zzzzzzzz', '--json']);
    expect(json).toMatchObject({ code: 1, stderr: '' });
    expect(JSON.parse(json.stdout)).toMatchObject({
      error: { code: 'unknownTask', message: expect.any(String), suggestion: expect.any(String) },
    });
  });
});

describe('list', () => {
  test('filters by state and name and gives whole IDs with -q', async () => {
    const wanted = await submit({ name: 'listed-1' });
    const other = await submit({ name: 'listed-2' });
    bench.api.finish(other);
    const all = await bench.run(['list', '-q', '--name', 'listed-']);
    expect(all.stdout).toBe(`${other}\n${wanted}\n`);
    const active = await bench.run(['list', '-q', '--state', 'active', '--name', 'listed-']);
    expect(active.stdout).toBe(`${wanted}\n`);
    const table = await bench.run(['list', '--name', 'listed-', '--state', 'succeeded']);
    expect(table.stdout).toMatch(/^ID +NAME +STATE/);
    expect(table.stdout).toContain('listed-2');
    expect(table.stdout).not.toContain('listed-1');
  });

  test('--limit ends it and --all reads every page', async () => {
    for (let count = 0; count < 3; count++) await submit({ name: 'paged' });
    const args = ['list', '-q', '--name', 'paged'];
    expect((await bench.run([...args, '--limit', '2'])).stdout.trim().split('\n')).toHaveLength(2);
    const all = (await bench.run([...args, '--all'])).stdout.trim().split('\n');
    expect(all).toHaveLength(3);
    const page = JSON.parse((await bench.run([...args, '--limit', '2', '--json'])).stdout);
    const rest = await bench.run([...args, '--cursor', page.cursor]);
    expect(rest.stdout.trim().split('\n')).toEqual(all.slice(2));
  });

  test('refuses a state that does not exist', async () => {
    const run = await bench.run(['list', '--state', 'done']);
    expect(run.code).toBe(2);
    expect(run.stderr).toContain('--state done is not a state');
  });
});

describe('cancel', () => {
  test('cancels several and says which it could not', async () => {
    const first = await submit();
    const second = await submit();
    const settled = await submit();
    bench.api.finish(settled);
    const run = await bench.run([
      'cancel',
      '-q',
      first,
      second.slice(-8),
      '--reason',
      'wrong input',
    ]);
    expect(run).toMatchObject({ code: 0, stdout: `${first}\n${second}\n` });
    expect((await bench.api.get(first)).cancelRequested?.reason).toBe('wrong input');
    const mixed = await bench.run(['cancel', '--json', settled, first]);
    expect(mixed.code).toBe(1);
    const told = await bench.run(['cancel', settled, first]);
    expect(told.stderr).toContain(`${settled}: `);
    expect(JSON.parse(mixed.stdout)).toMatchObject({
      results: [
        { ok: false, code: 'alreadySettled' },
        { ok: true, id: first },
      ],
    });
  });
});

describe('wait', () => {
  test.each([
    ['succeeded', 0],
    ['failed', 3],
    ['cancelled', 4],
  ] as const)('ends with the exit code of a task that %s', async (kind, exit) => {
    const id = await submit();
    bench.api.finish(id, kind);
    const run = await bench.run(['wait', id]);
    expect(run).toMatchObject({ code: exit, stdout: expect.stringContaining(kind) });
  });

  test('returns as soon as a running task settles', async () => {
    const id = await submit();
    bench.api.start(id);
    let asked = false;
    const { wait } = bench.api;
    bench.api.wait = (...call) => {
      asked = true;
      return wait.apply(bench.api, call);
    };
    const waiting = bench.start(['wait', id, '--json']);
    await until('the node is asked to wait', () => asked);
    bench.api.finish(id, 'failed');
    const run = await waiting.done;
    expect(run.code).toBe(3);
    expect(JSON.parse(run.stdout)).toMatchObject({ id, state: 'failed' });
  });

  test('gives up at its timeout with 5, which goes before 3 and 4', async () => {
    const open = await submit();
    const failed = await submit();
    const cancelled = await submit();
    bench.api.finish(failed, 'failed');
    bench.api.finish(cancelled, 'cancelled');
    expect(await bench.run(['wait', cancelled, failed])).toMatchObject({ code: 3 });
    const run = await bench.run(['wait', cancelled, failed, open, '--timeout', '200ms']);
    expect(run.code).toBe(5);
    expect(run.stderr).toContain(`tsched wait ${open.slice(-8)}`);
  });
});

describe('retry and explain', () => {
  test('retry makes a new task and refuses one that has not settled', async () => {
    const id = await submit();
    expect(await bench.run(['retry', id])).toMatchObject({ code: 1 });
    bench.api.finish(id, 'failed');
    const run = await bench.run(['retry', '-q', id]);
    expect(run.code).toBe(0);
    expect((await bench.api.get(run.stdout.trim() as TaskId)).retryOf).toBe(id);
  });

  test('explain shows the verdict of every node', async () => {
    const id = await submit();
    const { stdout } = await bench.run(['explain', id]);
    expect(stdout).toMatch(new RegExp(`^Task ${id.slice(-8)} {2}waiting {3}reason Queued`));
    expect(stdout).toMatch(/node-b +regular +400ms ago +cpu: needs 8, free 1/);
  });
});

test('what only a task has is not asked of a workflow', async () => {
  const stdin = 'workflow: w\ntasks:\n  - { name: a, command: [work] }\n';
  const id = (await bench.run(['submit', '-q', '-f', '-'], { stdin })).stdout.trim();
  for (const text of [id, id.slice(-8)]) {
    for (const command of ['explain', 'logs']) {
      const { code, stderr } = await bench.run([command, text]);
      expect(code).toBe(1);
      expect(stderr).toContain(`${text} is a workflow, and this is asked of a task`);
      expect(stderr).toContain(`tsched status ${id.slice(-8)}`);
    }
  }
});

describe('logs', () => {
  test('prints the bytes of the chosen stream and attempt', async () => {
    const id = await submit({ attempts: 2 });
    bench.api.start(id);
    bench.api.print(id, 'one\n');
    bench.api.print(id, 'wrong\n', 'stderr');
    bench.api.finish(id, 'failed', { settle: false });
    bench.api.start(id);
    bench.api.print(id, 'two\n');
    expect(await bench.run(['logs', id])).toMatchObject({ code: 0, stdout: 'two\n', stderr: '' });
    expect(await bench.run(['logs', id, '--attempt', '1'])).toMatchObject({ stdout: 'one\n' });
    const stderr = await bench.run(['logs', id, '--attempt', '1', '--stderr', '--json']);
    expect(JSON.parse(stderr.stdout)).toMatchObject({ attempt: 1, ended: true, text: 'wrong\n' });
  });

  test('says so where nothing has started', async () => {
    const run = await bench.run(['logs', await submit()]);
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toContain('There is no output to show');
  });

  test('-f goes on while the task writes, over attempts, until it has settled', async () => {
    const id = await submit({ attempts: 2 });
    bench.api.start(id);
    bench.api.print(id, 'a1\n');
    const following = bench.start(['logs', id, '-f']);
    await until('the first line', () => following.stdout() === 'a1\n');
    bench.api.print(id, 'a2\n');
    await until('the second line', () => following.stdout() === 'a1\na2\n');
    bench.api.finish(id, 'failed', { settle: false });
    bench.api.start(id, 'node-b');
    bench.api.print(id, 'b1\n');
    await until('the next attempt', () => following.stdout() === 'a1\na2\nb1\n');
    bench.api.finish(id);
    const run = await following.done;
    expect(run).toMatchObject({ code: 0, stderr: '--- attempt 2 on node-b ---\n' });
  });
});
