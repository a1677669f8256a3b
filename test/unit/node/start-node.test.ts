/** Starts that fail: each says why, leaves nothing open and can be tried again. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type NodeOptions, startNode } from '../../../src/node/main.ts';
import { initCluster } from '../../../src/node/make-cluster.ts';
import { silentLog } from '../../../src/ports/log.ts';
import { encodeJoinToken } from '../../../src/registry/join-token.ts';
import { createLevelStore } from '../../../src/storage/level-store.ts';

let root: string;
let taken: Server;
let takenPort: number;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'tsched-start-'));
  taken = createServer();
  await new Promise<void>(resolve => taken.listen(0, '127.0.0.1', resolve));
  const address = taken.address();
  takenPort = typeof address === 'object' && address !== null ? address.port : 0;
});

afterAll(async () => {
  taken.close();
  await rm(root, { recursive: true, force: true });
});

const optionsFor = (dataDir: string, change: Partial<NodeOptions> = {}): NodeOptions => ({
  dataDir,
  listen: ['/ip4/127.0.0.1/tcp/0'],
  http: '127.0.0.1:0',
  tier: 'basic',
  labels: [],
  logLevel: 'error',
  ...change,
});

const tokenOf = (clusterId: string): string =>
  encodeJoinToken({
    version: 1,
    clusterId,
    addresses: [],
    networkKey: new Uint8Array(32),
    secret: new Uint8Array(16),
  });

/** The store's lock is free, so that a later start can have it. */
async function isFree(dataDir: string): Promise<boolean> {
  const store = createLevelStore({ directory: join(dataDir, 'store'), log: silentLog });
  await store.open(() => undefined);
  await store.close();
  return true;
}

describe('a start', () => {
  test('that finds a port in use says so in the words of the system and lets go of all', async () => {
    const dataDir = join(root, 'ports');
    await initCluster({ dataDir, shards: 2 });
    for (const change of [
      { http: `127.0.0.1:${takenPort}` },
      { listen: [`/ip4/127.0.0.1/tcp/${takenPort}`] },
    ]) {
      await expect(startNode(optionsFor(dataDir, change))).rejects.toMatchObject({
        code: 'EADDRINUSE',
        syscall: 'listen',
      });
      expect(await isFree(dataDir)).toBe(true);
    }
  });

  test('with the token of another cluster is refused', async () => {
    const dataDir = join(root, 'foreign');
    await initCluster({ dataDir, shards: 2 });
    const start = startNode(optionsFor(dataDir, { join: tokenOf('another') }));
    await expect(start).rejects.toMatchObject({ code: 'dataDirForeign' });
    expect(await isFree(dataDir)).toBe(true);
  });

  test('on a directory whose making was broken off says to delete it', async () => {
    const early = join(root, 'early');
    await initCluster({ dataDir: early, shards: 2 });
    await rm(join(early, 'store'), { recursive: true });
    const late = join(root, 'late');
    await initCluster({ dataDir: late, shards: 2 });
    const { nodeId } = await headerOf(late);
    await rm(join(late, 'store'), { recursive: true });
    const store = createLevelStore({ directory: join(late, 'store'), log: silentLog });
    await store.create({ clusterId: 'c', nodeId, storeId: 's' });
    for (const dataDir of [early, late]) {
      await expect(startNode(optionsFor(dataDir))).rejects.toMatchObject({
        code: 'dataDirForeign',
        message: expect.stringContaining('broken off'),
      });
    }
  });

  test('that another process holds the directory of is refused', async () => {
    const dataDir = join(root, 'held');
    await initCluster({ dataDir, shards: 2 });
    const store = createLevelStore({ directory: join(dataDir, 'store'), log: silentLog });
    await store.open(() => undefined);
    await expect(startNode(optionsFor(dataDir))).rejects.toMatchObject({ code: 'dataDirInUse' });
    await store.close();
  });

  test('with a token that cannot be read makes nothing', async () => {
    const dataDir = join(root, 'unread');
    await expect(startNode(optionsFor(dataDir, { join: 'tsj_abc' }))).rejects.toMatchObject({
      code: 'badToken',
    });
    await expect(readdir(dataDir)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

async function headerOf(dataDir: string): Promise<{ readonly nodeId: string }> {
  const store = createLevelStore({ directory: join(dataDir, 'store'), log: silentLog });
  const image = await store.open(() => undefined);
  await store.close();
  return image.header;
}

describe('making a cluster', () => {
  test('refuses a directory that is not empty and leaves it as it was', async () => {
    const dataDir = join(root, 'full');
    await initCluster({ dataDir, shards: 2 });
    const before = await readdir(dataDir);
    await expect(initCluster({ dataDir, shards: 2 })).rejects.toMatchObject({
      code: 'dataDirTaken',
    });
    expect(await readdir(dataDir)).toEqual(before);
  });

  test('that fails in between can be tried again', async () => {
    const dataDir = join(root, 'again');
    const name = 'n'.repeat(300_000);
    await expect(initCluster({ dataDir, shards: 2, name })).rejects.toThrow();
    expect(await readdir(dataDir)).toEqual([]);
    await initCluster({ dataDir, shards: 2 });
    expect(await isFree(dataDir)).toBe(true);
  });

  test('in a place that is a file says what the system says', async () => {
    const file = join(root, 'file');
    await writeFile(file, '');
    await expect(initCluster({ dataDir: join(file, 'x'), shards: 2 })).rejects.toMatchObject({
      code: 'ENOTDIR',
    });
  });
});

describe('a directory that lost what it held', () => {
  test('with a key and no store is told how to join again', async () => {
    const dataDir = join(root, 'wiped');
    await initCluster({ dataDir, shards: 2 });
    await rm(join(dataDir, 'store'), { recursive: true });
    await expect(startNode(optionsFor(dataDir))).rejects.toMatchObject({
      code: 'dataDirForeign',
      message: expect.stringContaining('join again with --join TOKEN'),
    });
  });

  test('without a replica of the registry has been removed from its cluster', async () => {
    const dataDir = join(root, 'left');
    await initCluster({ dataDir, shards: 2 });
    const store = createLevelStore({ directory: join(dataDir, 'store'), log: silentLog });
    await store.open(() => undefined);
    await new Promise<void>(done =>
      store.write([{ kind: 'remove', group: 0, tombstone: 1 }], done),
    );
    await store.close();
    await expect(startNode(optionsFor(dataDir))).rejects.toMatchObject({ code: 'nodeRemoved' });
    expect(await isFree(dataDir)).toBe(true);
  });
});

test('a cluster that is to declare nodes dead at once is refused', async () => {
  const made = initCluster({ dataDir: join(root, 'hasty'), shards: 2, deadAfterMs: 9_999 });
  await expect(made).rejects.toMatchObject({ code: 'badRequest' });
});
