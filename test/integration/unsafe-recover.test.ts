/**
 * The offline recovery on real disks: what the survivor has missed was given fencing numbers, and
 * none of them is given out a second time, nor a lower one.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  localJoinToken,
  type RunningNode,
  recoverUnsafely,
  startNode,
} from '../../src/node/main.ts';
import { initCluster } from '../../src/node/make-cluster.ts';
import { until } from '../support/until.ts';

let root: string;
let running: Map<string, RunningNode>;

const dirOf = (name: string): string => join(root, name);

async function start(name: string, joinWith?: string): Promise<void> {
  const node = await startNode({
    dataDir: dirOf(name),
    join: joinWith,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    http: '127.0.0.1:0',
    name,
    tier: 'basic',
    cpuMilli: 1_000,
    labels: [],
    logLevel: 'error',
  });
  running.set(name, node);
  await node.ready;
}

async function stop(name: string): Promise<void> {
  await running.get(name)?.stop({ endTasks: true });
  running.delete(name);
}

async function call<T>(at: string, path: string, body?: unknown): Promise<T> {
  const token = (await readFile(join(dirOf('n1'), 'admin.token'), 'utf8')).trim();
  const response = await fetch(`http://${running.get(at)?.httpAddress}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(20_000),
  });
  if (response.status >= 300) throw new Error(`${path}: ${await response.text()}`);
  return (await response.json()) as T;
}

/** What every attempt of the task was given: fence and number, in the order of the attempts. */
async function given(file: string): Promise<{ fence: number; attempt: number }[]> {
  const text = await readFile(file, 'utf8');
  return text
    .trim()
    .split('\n')
    .map(line => {
      const [fence, attempt] = line.split(' ').map(Number);
      return { fence: fence!, attempt: attempt! };
    });
}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tsched-recover-'));
  running = new Map();
});

afterEach(async () => {
  for (const name of [...running.keys()]) await stop(name);
  await rm(root, { recursive: true, force: true });
});

test('fences after a recovery are above those of assignments that the survivor lacked', async () => {
  await initCluster({ dataDir: dirOf('n1'), shards: 1, name: 'n1' });
  await start('n1');
  for (const name of ['n2', 'n3']) await start(name, await localJoinToken(dirOf('n1')));
  await until('everything is replicated', async () => {
    const health = await call<{ ok: boolean; nodesUp: number }>('n1', '/v1/cluster/health');
    return health.ok && health.nodesUp === 3;
  });
  const file = join(root, 'given');
  const { id } = await call<{ id: string }>('n1', '/v1/tasks', {
    command: ['sh', '-c', `echo $TSCHED_FENCE $TSCHED_ATTEMPT >>${file}; exit 1`],
    attempts: 1_000,
    backoff: { initial: '200ms', max: '200ms' },
    lostAfter: '5s',
  });
  const attempts = async (count: number) =>
    until(`${count} attempts`, async () => {
      const lines = await given(file);
      return lines.length >= count && lines;
    });
  const known = (await attempts(2)).length;
  // From here on n3 misses what is assigned. The task stays where its shard has a majority.
  await stop('n3');
  await attempts(known + 5);
  for (const name of ['n1', 'n2']) await stop(name);
  const before = await given(file);
  // Nothing of this was recovered before: the numbers are the same.
  for (const { fence, attempt } of before) expect(fence).toBe(attempt);

  const { groups } = await recoverUnsafely({
    dataDir: dirOf('n3'),
    lost: ['n1', 'n2'],
    carryOut: true,
  });
  expect(groups.map(({ plan }) => plan)).toEqual(['recover', 'recover']);
  await start('n3');
  const after = (await attempts(before.length + 2)).slice(before.length);
  const highest = Math.max(...before.map(({ fence }) => fence));
  // It did lack some: their numbers are given out again.
  expect(after[0]?.attempt).toBeLessThanOrEqual(highest);
  for (const { fence } of after) {
    expect(fence).toBeGreaterThan(highest);
    expect(Number.isSafeInteger(fence)).toBe(true);
  }
  type Task = { attempts: { attempt: number; fence?: number }[] };
  const told = (await call<Task>('n3', `/v1/tasks/${id}`)).attempts;
  expect(told).toContainEqual(expect.objectContaining(after[0]!));

  // A restart, from rows and log, goes on above them.
  const settledBefore = (await given(file)).length;
  await stop('n3');
  await start('n3');
  const later = (await attempts(settledBefore + 1)).slice(-1);
  expect(later[0]?.fence).toBeGreaterThan(after[0]!.fence);
}, 240_000);
