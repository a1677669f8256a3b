/**
 * Records a data directory of today's formats: `node scripts/record-data-dir.ts NAME` makes a
 * cluster of one node, has it take, run and cancel tasks, and writes `test/compat/NAME.tar.gz`,
 * with what it held in `NAME.json`. Run it once for every change of a format and keep all of them:
 * a test opens each for ever. The keys and the token in it belong to this one directory.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { initCluster, startNode } from '../src/node/main.ts';

const name = process.argv[2];
if (name === undefined || !/^[a-z0-9-]+$/.test(name)) {
  throw new Error('give a name, such as data-dir-1');
}
const target = fileURLToPath(new URL('../test/compat/', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'tsched-record-'));
const dataDir = join(root, 'node');

interface Task {
  readonly id: string;
  readonly state: string;
}

try {
  await initCluster({ dataDir, shards: 4 });
  const node = await startNode({
    dataDir,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    http: '127.0.0.1:0',
    name: 'recorded',
    tier: 'regular',
    cpuMilli: 1_000,
    memoryBytes: 1_000_000_000,
    diskBytes: 1_000_000_000,
    labels: [['zone', 'a']],
    logLevel: 'error',
    ballastBytes: 0,
  });
  await node.ready;
  const token = readFileSync(join(dataDir, 'admin.token'), 'utf8').trim();
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const call = async <T>(path: string, body?: object): Promise<T> => {
    const how =
      body === undefined ? { headers } : { headers, method: 'POST', body: JSON.stringify(body) };
    return (await (await fetch(`http://${node.httpAddress}/v1${path}`, how)).json()) as T;
  };
  const submit = async (document: object): Promise<string> =>
    (await call<{ id: string }>('/tasks', document)).id;
  const settled = [
    await submit({ handler: 'null', name: 'nothing' }),
    await submit({ command: ['true'], name: 'succeeds', key: 'once' }),
    await submit({ command: ['sh', '-c', 'echo wrong; exit 3'], name: 'fails', attempts: 2 }),
    await submit({ script: '#!/bin/sh\necho from a script\n', name: 'script', env: { A: 'b' } }),
  ];
  await submit({ command: ['true'], name: 'array', array: '1-5' });
  for (const id of settled) await call<Task>(`/tasks/${id}/wait?timeout=30s`);
  // One that no node has room for yet, so that it waits, and one that was cancelled.
  const hold = await submit({ command: ['sleep', '600'], name: 'holds', cpu: 1 });
  await submit({ command: ['true'], name: 'waits', cpu: 1 });
  const cancelled = await submit({ command: ['true'], name: 'cancelled', cpu: 1 });
  await call(`/tasks/${cancelled}/cancel`, { reason: 'not needed' });
  await call(`/tasks/${hold}/cancel`, {});
  await call<Task>(`/tasks/${hold}/wait?timeout=30s`);
  const waiting = async (): Promise<boolean> => {
    const { tasks } = await call<{ tasks: Task[] }>('/tasks?state=active');
    return tasks.length > 0;
  };
  for (const startMs = Date.now(); (await waiting()) && Date.now() - startMs < 30_000; ) {
    await new Promise(resolve => setTimeout(resolve, 100));
  }
  const tasks: Task[] = [];
  for (const { id } of (await call<{ tasks: Task[] }>('/tasks?limit=100')).tasks) {
    tasks.push(await call<Task>(`/tasks/${id}`));
  }
  await node.stop({ endTasks: true });
  writeFileSync(join(target, `${name}.json`), `${JSON.stringify({ tasks }, undefined, 2)}\n`);
  const kept = ['admin.token', 'network.key', 'node.key', 'store'];
  execFileSync('tar', ['czf', join(target, `${name}.tar.gz`), '-C', dataDir, ...kept]);
} finally {
  rmSync(root, { recursive: true, force: true });
}
