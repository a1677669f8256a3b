import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TaskId } from '../../../src/model/ids.ts';
import { readSpecDocument } from '../../../src/model/spec-document.ts';
import { type CliBench, openBench } from './run-cli.ts';

let bench: CliBench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

/** A task that failed. */
async function failed(name: string): Promise<TaskId> {
  const defaults = { tenant: 'default', owner: 'ada' };
  const reading = readSpecDocument({ command: ['work'], name }, defaults);
  if (!reading.ok) throw new Error('not a specification');
  const actor = { name: 'ada', tenant: 'default' };
  const [reply] = await bench.api.submit([{ spec: reading.spec }], actor);
  if (!reply?.ok) throw new Error('not accepted');
  bench.api.start(reply.id, 'node-b');
  bench.api.print(reply.id, 'last words\n');
  bench.api.finish(reply.id, 'failed', { exitCode: 75 });
  return reply.id;
}

const json = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;

describe('tsched dlq', () => {
  test('list shows what failed, how, and only that', async () => {
    const id = await failed('listed');
    const run = await bench.run(['dlq', 'list', '--name', 'listed']);
    expect(run.code).toBe(0);
    expect(run.stdout).toMatch(/^ID +NAME +FAILED +RUNS +NODE +WHY +COMMAND\n/);
    expect(run.stdout).toMatch(new RegExp(`^${id.slice(-8)} +listed .* failed: exit code 75`, 'm'));
    expect((await bench.run(['dlq', 'list', '-q', '--name', 'listed'])).stdout).toBe(`${id}\n`);
    const whole = json((await bench.run(['dlq', 'list', '--json', '--all'])).stdout);
    expect(whole).toMatchObject({ missingShards: [] });
    expect((await bench.run(['dlq', 'list', '--name', 'none of it'])).stdout).toBe(
      'no dead letters\n',
    );
  });

  test('show has the attempts, the end of the output, and what can be done', async () => {
    const id = await failed('shown');
    const { stdout, code } = await bench.run(['dlq', 'show', id]);
    expect(code).toBe(0);
    expect(stdout).toContain('neither replayed nor purged');
    expect(stdout).toContain('    last words\n');
    expect(stdout).toContain(`tsched dlq replay ${id.slice(-8)}`);
  });

  test('replay makes a new task, once', async () => {
    const id = await failed('replayed');
    const run = await bench.run(['dlq', 'replay', id.slice(-8), '--json']);
    expect(run.code).toBe(0);
    const [result] = json(run.stdout)['results'] as { id: string }[];
    expect(result).toMatchObject({ ok: true, id: expect.not.stringContaining(id) });
    const again = await bench.run(['dlq', 'replay', id]);
    expect(again).toMatchObject({ code: 1, stdout: '' });
    expect(again.stderr).toContain('no dead letter');
    expect(again.stderr).toContain('tsched retry ID');
    expect((await bench.run(['dlq', 'show', id])).code).toBe(1);
  });

  test('replay --all takes those that a name fits, and tells each', async () => {
    const ids = [await failed('batch-1'), await failed('batch-2')];
    const other = await failed('other');
    const { stdout, code } = await bench.run(['dlq', 'replay', '--all', '--name', 'batch-']);
    expect(code).toBe(0);
    for (const id of ids) expect(stdout).toContain(`task ${id.slice(-8)} replayed as `);
    const left = await bench.run(['dlq', 'list', '-q', '--all']);
    expect(left.stdout).toContain(other);
    expect(left.stdout).not.toContain(ids[0]);
  });

  test('replay tells what the limits of the tenant did not let in, and exits with 7', async () => {
    const id = await failed('limited');
    const gone = await failed('gone');
    await bench.api.purge([gone]);
    const message = 'tenant default may submit 5 tasks a second, 5 at once: try again in 2s';
    bench.api.refusal = { code: 'rateLimited', message, retryAfterMs: 1_200 };
    try {
      const one = await bench.run(['dlq', 'replay', id]);
      expect(one).toMatchObject({ code: 7, stdout: '' });
      expect(one.stderr).toContain('try again in 2s');
      const two = await bench.run(['dlq', 'replay', id, gone, '--json']);
      expect(two.code).toBe(7);
      expect(json(two.stdout)['results']).toMatchObject([
        { ok: false, code: 'rateLimited', retryAfterMs: 1_200 },
        { ok: false, code: 'notDeadLetter' },
      ]);
    } finally {
      bench.api.refusal = undefined;
    }
    expect((await bench.run(['dlq', 'replay', id])).code).toBe(0);
  });

  test('purge takes off the list, and twice is harmless', async () => {
    const id = await failed('purged');
    for (const told of ['purged', 'was no dead letter']) {
      const { stdout, code } = await bench.run(['dlq', 'purge', id]);
      expect([code, stdout]).toEqual([0, `task ${id.slice(-8)} ${told}\n`]);
    }
    expect((await bench.run(['dlq', 'list', '--name', 'purged'])).stdout).toBe('no dead letters\n');
    expect((await bench.run(['status', id, '--json'])).code).toBe(0);
  });

  test('replay and purge want to be told which, and one way of telling', async () => {
    for (const args of [['replay'], ['purge', 'abcd1234', '--all'], ['purge', '--name', 'x']]) {
      const { code, stderr } = await bench.run(['dlq', ...args]);
      expect([args, code]).toEqual([args, 2]);
      expect(stderr).toMatch(/--all/);
    }
  });
});
