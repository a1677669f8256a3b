/** Every recorded data directory is opened, and holds what it held when it was recorded. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tierDefaults } from '../../src/model/resources.ts';
import { examine, startNode } from '../../src/node/main.ts';

const folder = new URL('.', import.meta.url).pathname;
const recorded = (await readdir(folder))
  .filter(name => name.endsWith('.tar.gz'))
  .map(name => name.replace('.tar.gz', ''));

/** Tasks that were recorded with `cpu: 1`. */
const withCpu = new Set(['holds', 'waits', 'cancelled']);

test('there is a recorded directory of the first format', () => {
  expect(recorded).toContain('data-dir-1');
});

test.each(recorded)('%s is opened by this program', { timeout: 60_000 }, async name => {
  const dataDir = await mkdtemp(join(tmpdir(), 'tsched-compat-'));
  try {
    execFileSync('tar', ['xzf', join(folder, `${name}.tar.gz`), '-C', dataDir]);
    const found = await examine(dataDir);
    expect(found.findings.filter(({ level }) => level !== 'note')).toEqual([]);
    const node = await startNode({
      dataDir,
      listen: ['/ip4/127.0.0.1/tcp/0'],
      http: '127.0.0.1:0',
      name: 'recorded',
      tier: 'regular',
      labels: [],
      logLevel: 'error',
      diskReserveBytes: 1,
      ballastBytes: 0,
    });
    try {
      await node.ready;
      const token = (await readFile(join(dataDir, 'admin.token'), 'utf8')).trim();
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const url = `http://${node.httpAddress}/v1/tasks`;
      const text = await readFile(join(folder, `${name}.json`), 'utf8');
      const { tasks } = JSON.parse(text) as {
        tasks: { id: string; name: string }[];
      };
      expect(tasks.length).toBeGreaterThan(5);
      for (const task of tasks) {
        const response = await fetch(`${url}/${task.id}`, { headers });
        // What the recorder asked for; programs tell it since later.
        const cpuMilli = withCpu.has(task.name) ? 1_000 : 100;
        const request = { ...tierDefaults.basic, cpuMilli };
        expect(await response.json()).toEqual({ request, ...task });
      }
      const page = (await (await fetch(`${url}?limit=100`, { headers })).json()) as {
        tasks: { id: string }[];
      };
      expect(page.tasks.map(({ id }) => id)).toEqual(tasks.map(({ id }) => id));
      const body = JSON.stringify({ handler: 'null' });
      const added = await fetch(url, { method: 'POST', headers, body });
      expect(added.status).toBe(201);
    } finally {
      await node.stop({ endTasks: true });
    }
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});
