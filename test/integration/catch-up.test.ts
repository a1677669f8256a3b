/**
 * Three nodes on real disks, connections and processes, with short logs: one that was away is sent
 * the state of its shard while the others serve, starts again from it, and all disks agree.
 */
import { randomInt } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatTaskId } from '../../src/model/ids.ts';
import { localJoinToken, type RunningNode, startNode } from '../../src/node/main.ts';
import { initCluster } from '../../src/node/make-cluster.ts';
import { storedStates } from '../support/stored-state.ts';
import { until } from '../support/until.ts';

const logLimits = { entriesKept: 10, entriesSpare: 20, bytesSpare: 200_000, bytesMax: 2_000_000 };

let root: string;
let token: string;
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
    cpuMilli: 4_000,
    labels: [],
    logLevel: 'error',
    logLimits,
  });
  running.set(name, node);
  await node.ready;
}

async function stop(name: string): Promise<void> {
  await running.get(name)?.stop({ endTasks: true });
  running.delete(name);
}

async function call(path: string, body?: unknown, at?: string): Promise<Response> {
  const node = at === undefined ? [...running.values()][0] : running.get(at);
  const response = await fetch(`http://${node?.httpAddress}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(20_000),
  });
  if (response.status >= 300) throw new Error(`${path}: ${await response.text()}`);
  return response;
}

async function shard(): Promise<{ leader?: string; firstIndex: number; settled: number }> {
  const { shards } = (await (await call('/v1/shards')).json()) as {
    shards: { leader?: string; firstIndex: number; settled: number }[];
  };
  return shards[0]!;
}

async function metric(name: string, at: string): Promise<number> {
  const text = await (await call('/metrics', undefined, at)).text();
  return Number(new RegExp(`^tsched_${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

const whole = (nodes: number) =>
  until('everything is replicated', async () => {
    const health = (await (await call('/v1/cluster/health')).json()) as {
      ok: boolean;
      nodesUp: number;
    };
    return health.ok && health.nodesUp === nodes;
  });

const newId = (): string =>
  formatTaskId({ atMs: Date.now(), slot: randomInt(4_096), random: randomInt(2 ** 40) });

/**
 * Tasks that hold some text, so that the state has several pieces. A leader may change meanwhile: a
 * task that was not taken for certain is asked for again under the ID that it has.
 */
async function submit(count: number): Promise<void> {
  for (let at = 0; at < count; at += 10) {
    const tasks = Array.from({ length: 10 }, (_, place) => ({
      id: newId(),
      command: ['true'],
      cpu: '100m',
      env: { NOTE: `${at + place}`.padStart(8_000, '.') },
    }));
    await until('ten tasks are taken', async () => {
      const { results } = (await (await call('/v1/tasks/batch', { tasks })).json()) as {
        results: { ok: boolean }[];
      };
      return results.length === tasks.length && results.every(({ ok }) => ok);
    });
  }
}

const settled = (count: number, limitMs = 30_000) =>
  until(`${count} tasks settle`, async () => (await shard()).settled >= count, limitMs);

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tsched-catch-up-'));
  running = new Map();
});

afterEach(async () => {
  for (const name of [...running.keys()]) await stop(name);
  await rm(root, { recursive: true, force: true });
});

test('a node that was away while the log moved on is sent the state, and all disks agree', async () => {
  await initCluster({ dataDir: dirOf('n1'), shards: 1, name: 'n1' });
  token = (await readFile(join(dirOf('n1'), 'admin.token'), 'utf8')).trim();
  await start('n1');
  for (const name of ['n2', 'n3']) await start(name, await localJoinToken(dirOf('n1')));
  await whole(3);
  const { leader } = await shard();
  const away = leader === 'n3' ? 'n2' : 'n3';
  await stop(away);
  await submit(200);
  await settled(200);
  await until('the log is truncated', async () => (await shard()).firstIndex > 30);

  const returned = start(away);
  await submit(50);
  await returned;
  await settled(250);
  await until('the state has come', async () => {
    return (await metric('snapshots_received_total', away)) > 0;
  });
  expect(await metric('snapshot_bytes_in_total', away)).toBeGreaterThan(1_000_000);
  await whole(3);

  // It starts again from what it was sent.
  await stop(away);
  await start(away);
  await submit(10);
  await settled(260, 60_000);
  await whole(3);
  expect(await metric('log_entries', away)).toBeLessThan(200);

  const names = [...running.keys()];
  for (const name of names) await stop(name);
  const states = await Promise.all(names.map(name => storedStates(dirOf(name))));
  const shards = states.map(groups => groups.get(1)!);
  expect(shards.map(state => state.tasks)).toEqual([260, 260, 260]);
  expect(new Set(shards.map(state => state.digest)).size).toBe(1);
  for (const state of shards) expect(state.firstIndex).toBeGreaterThan(30);
}, 240_000);
