/** `tsched doctor` on real data directories, whole ones and damaged ones. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startNode } from '../../src/node/main.ts';
import { initCluster } from '../../src/node/make-cluster.ts';
import { checkStore } from '../../src/storage/check-store.ts';
import { openDatabase } from '../../src/storage/data-dir.ts';
import { prefixes, prefixRange } from '../../src/storage/keyspace.ts';
import { until } from '../support/until.ts';
import { startCli } from './cli/run-cli.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'tsched-doctor-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

let made = 0;
async function newDir(): Promise<string> {
  const dataDir = join(root, String(++made));
  await initCluster({ dataDir, shards: 2 });
  return dataDir;
}

const options = (dataDir: string) => ({
  dataDir,
  listen: ['/ip4/127.0.0.1/tcp/0'],
  http: '127.0.0.1:0',
  tier: 'basic' as const,
  labels: [],
  logLevel: 'error',
  diskReserveBytes: 1,
  ballastBytes: 0,
});

interface Found {
  readonly verdict: string;
  readonly findings: readonly { level: string; what: string; remedy?: string }[];
  readonly groups: readonly { group: number; commit: number; rows: number }[];
  readonly quarantine?: string;
}

async function doctor(
  dataDir: string,
  ...more: string[]
): Promise<{ code: number | null } & Found> {
  const run = await startCli(['doctor', '--data-dir', dataDir, '--json', ...more]).done;
  if (run.stdout === '') throw new Error(run.stderr);
  return { code: run.code, ...(JSON.parse(run.stdout) as Found) };
}

/** A directory in which a node has run a task. */
async function usedDir(): Promise<string> {
  const dataDir = await newDir();
  const node = await startNode(options(dataDir));
  await node.ready;
  const token = (await readFile(join(dataDir, 'admin.token'), 'utf8')).trim();
  const response = await fetch(`http://${node.httpAddress}/v1/tasks`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ handler: 'null', tier: 'basic' }),
  });
  expect(response.status).toBe(201);
  await node.stop();
  return dataDir;
}

/** Every file below a directory with the hash of its content. */
async function prints(dir: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of (await readdir(dir, { recursive: true })).sort()) {
    const path = join(dir, name);
    // LevelDB's diary: it begins a new one when its lock is probed.
    if (!(await stat(path)).isFile() || /\/LOG(\.old)?$/.test(path)) continue;
    found[name] = createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
  }
  return found;
}

async function withDatabase(
  dataDir: string,
  change: (db: Awaited<ReturnType<typeof openDatabase>>) => Promise<void>,
): Promise<void> {
  const db = await openDatabase(join(dataDir, 'store'), { create: false });
  try {
    await change(db);
  } finally {
    await db.close();
  }
}

async function damageWal(dataDir: string): Promise<void> {
  const store = join(dataDir, 'store');
  const [wal] = (await readdir(store)).filter(name => name.endsWith('.log'));
  const bytes = await readFile(join(store, wal!));
  // In the first batch: others come after it.
  bytes[40]! ^= 1;
  await writeFile(join(store, wal!), bytes);
}

describe('a whole directory', () => {
  test('is healthy, and not a byte of it is changed', async () => {
    const dataDir = await newDir();
    const before = await prints(dataDir);
    const found = await doctor(dataDir);
    expect(found).toMatchObject({ code: 0, verdict: 'healthy', findings: [] });
    expect(found.groups.map(({ group }) => group)).toEqual([0, 1, 2]);
    expect(found.groups[0]!.commit).toBeGreaterThan(0);
    expect(await prints(dataDir)).toEqual(before);
  });

  test('that others can read, or that is from the future, is told with what to do', async () => {
    const dataDir = await newDir();
    await chmod(join(dataDir, 'node.key'), 0o644);
    const [name] = await readdir(join(dataDir, 'store'));
    const tomorrow = new Date(Date.now() + 86_400_000);
    await utimes(join(dataDir, 'store', name!), tomorrow, tomorrow);
    const found = await doctor(dataDir);
    expect(found).toMatchObject({ code: 1, verdict: 'warning' });
    expect(found.findings).toEqual([
      {
        level: 'warning',
        what: 'others can read node.key',
        remedy: `chmod 600 ${join(dataDir, 'node.key')}`,
      },
      {
        level: 'warning',
        what: expect.stringContaining('which is not yet'),
        remedy: expect.stringContaining('clock'),
      },
    ]);
  });

  test('has no store to put aside', async () => {
    const dataDir = await newDir();
    const run = await startCli(['doctor', '--data-dir', dataDir, '--quarantine']).done;
    expect(run).toMatchObject({ code: 2 });
    expect(run.stderr).toContain('is not damaged: it stays where it is');
    expect((await doctor(dataDir)).verdict).toBe('healthy');
  });

  test('without keys or with nothing in it cannot be used', async () => {
    const dataDir = await newDir();
    await rm(join(dataDir, 'node.key'));
    expect(await doctor(dataDir)).toMatchObject({ code: 1, verdict: 'unusable' });
    const nothing = await startCli(['doctor', '--data-dir', join(root, 'nothing')]).done;
    expect(nothing).toMatchObject({ code: 2, stdout: '' });
  });
});

describe('a damaged store', () => {
  test('is found by the bytes of its write-ahead log, and can be put aside', async () => {
    const dataDir = await newDir();
    await damageWal(dataDir);
    const before = await prints(dataDir);
    const found = await doctor(dataDir);
    expect(found).toMatchObject({ code: 74, verdict: 'damaged' });
    expect(found.findings[0]!.what).toMatch(/\.log: the write-ahead log is damaged at byte \d+/);
    expect(await prints(dataDir)).toEqual(before);
    await expect(startNode(options(dataDir))).rejects.toMatchObject({
      code: 'storageFault',
      message: expect.stringContaining('tsched doctor'),
    });

    const aside = await doctor(dataDir, '--quarantine');
    expect(aside.code).toBe(0);
    expect((await readdir(aside.quarantine!)).sort()).toEqual(['store']);
    // What it was is still there, and a start says how the node gets a new one.
    const moved = await prints(join(aside.quarantine!, 'store'));
    expect(Object.keys(moved)).toContain('CURRENT');
    await expect(startNode(options(dataDir))).rejects.toMatchObject({
      code: 'dataDirForeign',
      message: expect.stringContaining('--join TOKEN'),
    });
    expect(await doctor(dataDir)).toMatchObject({ code: 1, verdict: 'unusable' });
  });

  test('is found in a row that no start would read', async () => {
    const dataDir = await usedDir();
    await withDatabase(dataDir, async db => {
      for await (const [key, value] of db.iterator({ ...prefixRange(prefixes.row), limit: 1 })) {
        const changed = Uint8Array.from(value);
        changed[1]! ^= 0x10;
        await db.put(key, changed, { sync: true } as never);
      }
    });
    const found = await doctor(dataDir);
    expect(found).toMatchObject({ code: 74, verdict: 'damaged' });
    expect(found.findings[0]!.what).toMatch(/^row [0-9a-f]+ of group \d: checksum mismatch$/);
  });

  test.each([
    ['a log record', prefixes.log, 'commit'],
    ['a hard state', prefixes.hard, 'the hard state 0'],
    ['a witness', prefixes.witness, 'batch'],
    ['the header', prefixes.header, 'header'],
  ])('is found where %s is missing', async (_what, prefix, word) => {
    const dataDir = await newDir();
    await withDatabase(dataDir, async db => {
      const [key] = await db.keys({ ...prefixRange(prefix), limit: 1 }).all();
      await db.del(key!);
    });
    const { damage } = await checkStore(join(dataDir, 'store'));
    expect(damage.join()).toContain(word);
  });

  test('that is the only copy is told what going on with it means', async () => {
    const dataDir = await newDir();
    await withDatabase(dataDir, async db => {
      const [key] = await db.keys({ ...prefixRange(prefixes.witness), limit: 1 }).all();
      await db.del(key!);
    });
    const found = await doctor(dataDir);
    const advice = found.findings.at(-1)!;
    expect(advice.what).toMatch(/this is the only copy of 3 groups; \d+ entries of 3 groups/);
    expect(advice.remedy).toContain('--accept-data-loss');
    await expect(startNode(options(dataDir))).rejects.toMatchObject({ code: 'storageFault' });
    const node = await startNode({ ...options(dataDir), acceptDataLoss: true });
    await node.ready;
    await node.stop();
    expect((await doctor(dataDir)).verdict).toBe('healthy');
  });
});

test('a bundle of a running node holds what helps, and no secret', async () => {
  const dataDir = await newDir();
  const node = await startNode(options(dataDir));
  try {
    await node.ready;
    const admin = (await readFile(join(dataDir, 'admin.token'), 'utf8')).trim();
    const headers = { authorization: `Bearer ${admin}`, 'content-type': 'application/json' };
    const url = `http://${node.httpAddress}/v1`;
    const ask = async (path: string, body?: object) => {
      const how =
        body === undefined ? { headers } : { headers, method: 'POST', body: JSON.stringify(body) };
      return (await (await fetch(url + path, how)).json()) as Readonly<Record<string, string>>;
    };
    const { token: join_ } = await ask('/cluster/join-token', {});
    const task = {
      command: ['sh', '-c', 'echo said-by-the-task'],
      env: { PASSWORD: 'value-of-an-environment' },
      tier: 'basic',
    };
    const { id } = await ask('/tasks', task);
    await until('the task ends', async () => (await ask(`/tasks/${id}`))['state'] === 'succeeded');
    const log = join(root, 'node.log');
    const key = await readFile(join(dataDir, 'network.key'));
    const secrets = [admin, join_!, key.toString('hex'), key.toString('base64')];
    await writeFile(
      log,
      `first line\n${secrets.join('\n')}\nauthorization: Bearer abc.def\nlast\n`,
    );

    const file = join(root, 'bundle.tar.gz');
    const found = await doctor(dataDir, '--bundle', file, '--log', log);
    expect(found).toMatchObject({ code: 1, verdict: 'running' });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const names = execFileSync('tar', ['tzf', file]).toString().trim().split('\n');
    expect(names).toEqual([
      'examination.json',
      'versions.json',
      'files.json',
      'node/metrics.txt',
      'node/health.json',
      'node/cluster-health.json',
      'node/nodes.json',
      'node/self.json',
      'node/shards.json',
      'logs/node.log',
    ]);
    const text = gunzipSync(await readFile(file)).toString('latin1');
    expect(text).toContain('tsched_loop_turns_total');
    expect(text).toContain('first line');
    expect(text).toContain('last\n');
    const hidden = [...secrets, 'abc.def', 'value-of-an-environment', 'said-by-the-task'];
    for (const secret of hidden) expect(text).not.toContain(secret);
    expect(text).not.toContain((await readFile(join(dataDir, 'node.key'))).toString('latin1'));
  } finally {
    await node.stop({ endTasks: true });
  }
});
