/** A node on a small file system of its own that fills up. Needs root, for the mount. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { open, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type RunningNode, startNode } from '../../src/node/main.ts';
import { initCluster } from '../../src/node/make-cluster.ts';
import { until } from '../support/until.ts';

const mib = 1024 ** 2;
const mount = mkdtempSync(join(tmpdir(), 'tsched-full-'));

function mounted(): string | undefined {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=200m', 'tmpfs', mount], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.split('\n')[0] : String(error);
  }
}

const whyNot = mounted();
if (whyNot !== undefined) console.warn(`SKIPPED, no file system can be mounted here: ${whyNot}`);

afterAll(() => {
  if (whyNot === undefined) execFileSync('umount', ['-l', mount]);
  rmSync(mount, { recursive: true, force: true });
});

const dataDir = join(mount, 'node');
const filler = join(mount, 'filler');

/** Fills the file system until so many bytes are left; all of it for 0. */
async function leave(bytes: number): Promise<void> {
  const file = await open(filler, 'a');
  try {
    const chunk = Buffer.alloc(64 * 1024, 1);
    for (;;) {
      const df = execFileSync('df', ['--output=avail', '-B1', mount]).toString();
      const left = Number(df.split('\n')[1]) - bytes;
      if (left <= 0) return;
      await file.write(chunk, 0, Math.min(left, chunk.length));
      for (let more = left - chunk.length; more > chunk.length * 4; more -= chunk.length) {
        await file.write(chunk);
      }
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    await file.close();
  }
}

const ballastBytes = 16 * mib;
const startIt = (): Promise<RunningNode> =>
  startNode({
    dataDir,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    http: '127.0.0.1:0',
    tier: 'basic',
    labels: [],
    logLevel: 'error',
    diskReserveBytes: 40 * mib,
    ballastBytes,
  });

async function call(node: RunningNode, path: string, body?: object) {
  const token = (await readFile(join(dataDir, 'admin.token'), 'utf8')).trim();
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const response = await fetch(`http://${node.httpAddress}/v1${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers,
    body: body === undefined ? null : JSON.stringify(body),
  });
  return {
    status: response.status,
    retryAfter: response.headers.get('retry-after'),
    json: (await response.json()) as Readonly<Record<string, unknown>>,
  };
}

const task = { handler: 'null', tier: 'basic' };
const hasBallast = async (): Promise<boolean> => {
  const found = await stat(join(dataDir, 'ballast')).catch(() => undefined);
  return found?.size === ballastBytes;
};

test.skipIf(whyNot !== undefined)(
  'a node refuses new tasks on a disk that is nearly full, and starts on one that is full',
  { timeout: 90_000 },
  async () => {
    await initCluster({ dataDir, shards: 2 });
    let node = await startIt();
    try {
      await node.ready;
      expect((await call(node, '/tasks', task)).status).toBe(201);
      await until('the ballast is made', hasBallast, 30_000);

      await leave(30 * mib);
      await until(
        'tasks are refused',
        async () => (await call(node, '/tasks', task)).status !== 201,
      );
      const refused = await call(node, '/tasks', task);
      expect(refused).toMatchObject({ status: 507, retryAfter: '5', json: { code: 'diskFull' } });
      const { json: shown } = await call(node, '/nodes/self');
      expect(shown['vitals']).toMatchObject({ diskLow: true });
      const { json: health } = await call(node, '/cluster/health');
      expect(String(health['problems'])).toMatch(/its disk has \S+MiB left, 40MiB are kept free/);

      await rm(filler);
      await until('tasks are taken', async () => (await call(node, '/tasks', task)).status === 201);
      const { json: page } = await call(node, '/tasks?limit=100');
      const kept = (page['tasks'] as { id: string }[]).map(({ id }) => id);

      await node.stop();
      await leave(0);
      // Not a byte is left: only the ballast makes it possible to open the store at all.
      node = await startIt();
      expect(await hasBallast()).toBe(false);
      await node.ready;
      const after = await call(node, '/tasks?limit=100');
      expect((after.json['tasks'] as { id: string }[]).map(({ id }) => id)).toEqual(kept);
      expect(await call(node, '/tasks', task)).toMatchObject({ status: 507 });

      await rm(filler);
      await until('tasks are taken', async () => (await call(node, '/tasks', task)).status === 201);
      await until('the ballast is made again', hasBallast, 30_000);
    } finally {
      await node.stop();
    }
  },
);
