/** `tsched export`, and the filters of `tsched list`, from the command line. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { someSpec } from '../../unit/node/small-world.ts';
import { type CliBench, openBench } from './run-cli.ts';

let bench: CliBench;
beforeEach(async () => {
  bench = await openBench();
});
afterEach(() => bench.close());

/** Tasks that failed, by ID. */
async function failedTasks(count: number): Promise<string[]> {
  const actor = { name: 'admin', tenant: 'default' };
  const requests = Array.from({ length: count }, () => ({ spec: someSpec() }));
  const replies = await bench.api.submit(requests, actor);
  const ids = replies.flatMap(reply => (reply.ok ? [reply.id] : []));
  for (const id of ids) bench.api.finish(id, 'failed', { exitCode: 3 });
  return ids.sort();
}

const idsIn = (text: string): string[] =>
  text
    .split('\n')
    .filter(line => line !== '')
    .map(line => (JSON.parse(line) as { id: string }).id);

test('tasks go to standard output, a line each, and what is said about them does not', async () => {
  const ids = await failedTasks(5);
  const run = await bench.run(['export', '--since', '7d']);
  expect(run.code).toBe(0);
  expect(idsIn(run.stdout)).toEqual(ids);
  expect(run.stderr).toBe('5 tasks\n');
  const [first] = bench.api.historyQueries;
  expect(Date.now() - first!.settledUntilMs!).toBeLessThan(60_000);
  expect(first!.settledUntilMs! - first!.settledSinceMs!).toBe(7 * 86_400_000);
  const none = await bench.run(['export', '--until', '2020-01-01', '-q']);
  expect(none).toMatchObject({ code: 0, stdout: '', stderr: '' });
  expect((await bench.run(['export', '-q'])).stdout).toBe(`${ids.join('\n')}\n`);
});

test('a lost connection is made up for: no task is missing, none is there twice', async () => {
  const ids = await failedTasks(7);
  bench.api.historyBreaksAt = 3;
  const run = await bench.run(['export', '--to', 'all.ndjson', '--json']);
  expect(JSON.parse(run.stdout)).toMatchObject({ tasks: 7, file: 'all.ndjson' });
  const file = join(bench.dir, 'all.ndjson');
  expect(idsIn(await readFile(file, 'utf8'))).toEqual(ids);
  const again = await bench.run(['export', '--to', 'all.ndjson']);
  expect(again.code).toBe(2);
  expect(again.stderr).toContain('all.ndjson exists');
});

test('an export that ended goes on at its cursor', async () => {
  const ids = await failedTasks(6);
  const part = await bench.run(['export', '--to', 'part.ndjson', '--cursor', ids[1]!]);
  expect(part.code).toBe(0);
  expect(idsIn(await readFile(join(bench.dir, 'part.ndjson'), 'utf8'))).toEqual(ids.slice(2));
  const refused = await bench.run(['export', '--cursor', 'x'.repeat(20_000)]);
  expect(refused.code).toBe(2);
});

test('a shard that does not answer is an incomplete export', async () => {
  await failedTasks(1);
  bench.api.historyMissing = 4;
  const run = await bench.run(['export']);
  expect(run.code).toBe(6);
  expect(run.stderr).toContain('tasks of shards 4 are missing');
});

test('what cannot be is refused before anything is asked', async () => {
  for (const [args, why] of [
    [['export', '--state', 'running'], 'not settled'],
    [['export', '--since', 'yesterday'], 'neither a time nor a duration'],
    [['export', '--since', '2027-02-31T25:00Z'], 'neither a time nor a duration'],
    [['export', '--label', 'team'], 'not NAME=VALUE'],
    [['export', '--json'], 'what was exported'],
  ] as const) {
    const run = await bench.run(args);
    expect(run.code, args.join(' ')).toBe(2);
    expect(run.stderr + run.stdout, args.join(' ')).toContain(why);
  }
  expect(bench.api.historyQueries).toEqual([]);
});

test('list shows what has a label, a key, a tenant and a time', async () => {
  await bench.run(['submit', '--label', 'team=data', '--order-key', 'k', '--', 'true']);
  const shown = async (...flags: string[]): Promise<number> =>
    (await bench.run(['list', '-q', ...flags])).stdout.split('\n').length - 1;
  expect(await shown('--label', 'team=data', '--order-key', 'k', '--tenant', 'default')).toBe(1);
  expect(await shown('--label', 'team=ops')).toBe(0);
  expect(await shown('--order-key', 'other')).toBe(0);
  expect(await shown('--since', '1h')).toBe(1);
  expect(await shown('--until', '1h')).toBe(0);
});
