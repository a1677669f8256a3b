/** `--auto-rebuild` on real data directories: when a damaged store is put aside, and when not. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type NodeOptions, startNode } from '../../src/node/main.ts';
import { initCluster } from '../../src/node/make-cluster.ts';
import { silentLog } from '../../src/ports/log.ts';
import { createLevelStore } from '../../src/storage/level-store.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'tsched-rebuild-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

let made = 0;
const elsewhere = '12D3KooWB98AuNk3F7uabScb9dT2fHq9ZLY47jFBEvpaRZFjbn3t';

/** Opens the store of a directory as a node would, and answers what it is. */
async function imageOf(dataDir: string) {
  const store = createLevelStore({ directory: join(dataDir, 'store'), log: silentLog });
  const image = await store.open(error => {
    throw error;
  });
  await store.close();
  return image;
}

/** The directory of a node that was one of two, with its write-ahead log damaged. */
async function damagedDir(alone = 0): Promise<string> {
  const dataDir = join(root, String(++made));
  const { clusterId } = await initCluster({ dataDir, shards: 2 });
  await imageOf(dataDir);
  await damageWal(dataDir);
  await writeFile(join(dataDir, 'peers.json'), JSON.stringify(peers(clusterId, alone)));
  return dataDir;
}

async function damageWal(dataDir: string): Promise<void> {
  const store = join(dataDir, 'store');
  const [wal] = (await readdir(store)).filter(name => name.endsWith('.log'));
  const bytes = await readFile(join(store, wal!));
  // In the first batch: others come after it.
  bytes[40]! ^= 1;
  await writeFile(join(store, wal!), bytes);
}

const peers = (clusterId: string, alone = 0) => ({
  version: 1,
  clusterId,
  alone,
  nodes: [{ node: elsewhere, addresses: ['/ip4/127.0.0.1/tcp/9'] }],
});

const options = (dataDir: string, change: Partial<NodeOptions> = {}): NodeOptions => ({
  dataDir,
  listen: ['/ip4/127.0.0.1/tcp/0'],
  http: '127.0.0.1:0',
  tier: 'basic',
  labels: [],
  logLevel: 'fatal',
  diskReserveBytes: 1,
  ballastBytes: 0,
  autoRebuild: true,
  ...change,
});

const quarantinesOf = async (dataDir: string): Promise<string[]> =>
  (await readdir(dataDir)).filter(name => name.startsWith('quarantine-')).sort();

const nameAt = (atMs: number): string =>
  `quarantine-${new Date(atMs).toISOString().replaceAll(/[-:]|\.\d+/g, '')}`;
const hourMs = 3_600_000;

async function putAsideBefore(dataDir: string, ...hours: number[]): Promise<void> {
  for (const ago of hours)
    await mkdir(join(dataDir, nameAt(Date.now() - ago * hourMs), 'store'), { recursive: true });
}

describe('a damaged store', () => {
  test('is put aside; the new one waits for others, over restarts without the flag too', async () => {
    const dataDir = await damagedDir();
    await putAsideBefore(dataDir, 90, 60, 30);
    const node = await startNode(options(dataDir));
    await node.stop();
    // The newest two stay, the one that has just been put aside among them.
    const [old, fresh, ...more] = await quarantinesOf(dataDir);
    expect(more).toEqual([]);
    expect(Math.abs(timeOf(old!) + 30 * hourMs - Date.now())).toBeLessThan(hourMs);
    expect(await readdir(join(dataDir, fresh!, 'store'))).toContain('CURRENT');
    expect(await readdir(dataDir)).toContain('rebuild.json');
    const again = await startNode(options(dataDir, { autoRebuild: false }));
    await again.stop();
    const image = await imageOf(dataDir);
    expect(image.groups).toEqual([]);
    expect(image.bootCount).toBe(3);
    expect(image.header.nodeId).toBe(node.nodeId);
  });

  test('whose putting aside was broken off goes on with a new one', async () => {
    const dataDir = await damagedDir();
    await writeFile(join(dataDir, 'rebuild.json'), '{"version":1}');
    await putAsideBefore(dataDir, 1);
    await rm(join(dataDir, 'store'), { recursive: true });
    await (await startNode(options(dataDir))).stop();
    expect((await imageOf(dataDir)).groups).toEqual([]);
  });

  test('is left where it is unless that is asked for', async () => {
    const dataDir = await damagedDir();
    const start = startNode(options(dataDir, { autoRebuild: false }));
    await expect(start).rejects.toMatchObject({ code: 'storageFault' });
    expect(await quarantinesOf(dataDir)).toEqual([]);
  });

  test.each<[string, (dataDir: string) => Promise<void>, Partial<NodeOptions>, string]>([
    ['nobody else is known', d => rm(join(d, 'peers.json')), {}, 'no other node is known here'],
    [
      'what is known of others cannot be read',
      d => writeFile(join(d, 'peers.json'), '{"version":1,"clus'),
      {},
      'no other node is known here',
    ],
    [
      'it belongs to another cluster',
      d => writeFile(join(d, 'peers.json'), JSON.stringify(peers('other'))),
      {},
      'of another cluster',
    ],
    ['there is no room', async () => undefined, { diskReserveBytes: 2 ** 60 }, 'has no room'],
    [
      'that happened twice within a day',
      d => putAsideBefore(d, 20, 2),
      {},
      '2 stores were put aside within a day already',
    ],
  ])('is left where it is where %s', async (_what, prepare, change, why) => {
    const dataDir = await damagedDir();
    await prepare(dataDir);
    const before = await quarantinesOf(dataDir);
    await expect(startNode(options(dataDir, change))).rejects.toMatchObject({
      code: 'storageFault',
      message: expect.stringMatching(
        new RegExp(`the write-ahead log is damaged.*It is not rebuilt by itself: .*${why}`),
      ),
    });
    expect(await quarantinesOf(dataDir)).toEqual(before);
    expect(await readdir(join(dataDir, 'store'))).toContain('CURRENT');
  });

  test('is left where it is where nobody else has what it holds', async () => {
    await expect(startNode(options(await damagedDir(3)))).rejects.toMatchObject({
      message: expect.stringContaining('this is the only copy of 3 groups'),
    });
  });

  test('is not gone on with where it has forgotten that others have it too', async () => {
    const dataDir = await damagedDir();
    const start = startNode(options(dataDir, { autoRebuild: false, acceptDataLoss: true }));
    await expect(start).rejects.toMatchObject({
      code: 'storageFault',
      message: expect.stringContaining('other nodes may have what'),
    });
  });
});

const timeOf = (name: string): number =>
  Date.parse(name.replace(/^quarantine-(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'));
