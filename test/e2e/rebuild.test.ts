/**
 * A damaged store is rebuilt from the other nodes by a start alone (`--auto-rebuild`): bytes of
 * real stores are flipped while their nodes are down. Nothing is lost, and nobody votes under an
 * old store.
 */
import { cp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { examine } from '../../src/node/examine.ts';
import { openDatabase } from '../../src/storage/data-dir.ts';
import { prefixes, prefixRange } from '../../src/storage/keyspace.ts';
import { untilLevel } from '../support/digest-watch.ts';
import { type RealCluster, type ShardRow, withCluster } from '../support/real-cluster.ts';
import type { RealNode } from '../support/real-node.ts';
import { storedStates } from '../support/stored-state.ts';
import { until } from '../support/until.ts';

const flags = (number: number): string[] => [
  ...['--listen', '/ip4/127.0.0.1/tcp/0', '--http', '127.0.0.1:0', '--ballast', '0'],
  ...['--cpu', '8', '--memory', '4GiB', '--auto-rebuild'],
  ...(number === 1 ? ['--label', 'taken=yes'] : []),
];
const batch = 100;

/** One task takes all of the first node: what asks for that node waits. */
async function takeFirst(cluster: RealCluster): Promise<void> {
  const task = { command: ['sleep', '600'], cpu: '8', require: { taken: 'yes' } };
  const { status } = await cluster.call(cluster.any, 'POST', '/v1/tasks', task);
  expect(status).toBe(201);
}

/** Tasks that run, and as many that wait. */
async function submit(cluster: RealCluster): Promise<void> {
  for (const labels of [{}, { require: { taken: 'yes' } }]) {
    const tasks = Array.from({ length: batch }, (_, at) => ({
      command: ['true'],
      name: `task-${at}`,
      cpu: '50m',
      ...labels,
    }));
    const { body } = await cluster.call<{ results: { ok: boolean }[] }>(
      cluster.any,
      'POST',
      '/v1/tasks/batch',
      { tasks },
    );
    expect(body.results.filter(({ ok }) => ok)).toHaveLength(batch);
  }
}

async function settledCount(cluster: RealCluster): Promise<number> {
  const shards = await cluster.shards();
  return shards.reduce((sum, shard) => sum + shard.settled, 0);
}

const settled = (cluster: RealCluster, count: number) =>
  until(`${count} tasks have settled`, async () => (await settledCount(cluster)) >= count, 60_000);

const storeIdOf = async (cluster: RealCluster, node: RealNode): Promise<string> =>
  (await cluster.get<{ storeId: string }>(`/v1/nodes/${node.name}`)).storeId;

const quarantinesOf = async (node: RealNode): Promise<string[]> =>
  (await readdir(node.dir)).filter(name => name.startsWith('quarantine-')).sort();

/** Flips a bit in the first quarter of the largest file that ends so. */
async function flip(node: RealNode, ending: string): Promise<void> {
  const dir = join(node.dir, 'store');
  const names = (await readdir(dir)).filter(name => name.endsWith(ending));
  const files = await Promise.all(
    names.map(async name => ({ name, bytes: await readFile(join(dir, name)) })),
  );
  const [largest] = files.sort((left, right) => right.bytes.length - left.bytes.length);
  if (largest === undefined) throw new Error(`${node.name} has no ${ending}`);
  largest.bytes[Math.floor(largest.bytes.length / 4)]! ^= 8;
  await writeFile(join(dir, largest.name), largest.bytes);
}

/** A row whose checksum is wrong: the store opens, and whoever reads all rows hears of it. */
async function spoilRow(node: RealNode): Promise<void> {
  const db = await openDatabase(join(node.dir, 'store'), { create: false });
  const range = { ...prefixRange(prefixes.row), reverse: true, limit: 1 };
  for await (const [key, value] of db.iterator(range)) {
    const changed = Uint8Array.from(value);
    changed[1]! ^= 0x10;
    await db.put(key, changed, { sync: true } as never);
  }
  await db.close();
}

/** The node comes back with another store, and everything is replicated again. */
async function expectRebuilt(cluster: RealCluster, node: RealNode, before: string): Promise<void> {
  await node.start();
  await cluster.untilWhole();
  expect(await storeIdOf(cluster, node)).not.toBe(before);
}

test('damaged stores are rebuilt from the other nodes, and not again and again', async () => {
  await withCluster({ nodes: 3, shards: 8, flags }, async cluster => {
    const [, n2, n3] = cluster.nodes as [RealNode, RealNode, RealNode];
    await takeFirst(cluster);
    await submit(cluster);
    await settled(cluster, batch);
    // What it opens it moves from the write-ahead log into a table.
    await n3.kill();
    await n3.start();
    await submit(cluster);
    await settled(cluster, 2 * batch);

    let store = await storeIdOf(cluster, n3);
    await n3.kill();
    await flip(n3, '.log');
    await flip(n3, '.ldb');
    await submit(cluster);
    await expectRebuilt(cluster, n3, store);

    store = await storeIdOf(cluster, n3);
    await n3.kill();
    await spoilRow(n3);
    await expectRebuilt(cluster, n3, store);

    store = await storeIdOf(cluster, n2);
    await n2.kill();
    await flip(n2, '.log');
    await expectRebuilt(cluster, n2, store);
    await settled(cluster, 3 * batch);
    expect(await quarantinesOf(n3)).toHaveLength(2);

    // A third time within a day: the disk has to be looked at.
    await n3.kill();
    await spoilRow(n3);
    n3.launch();
    expect(await n3.exited()).toBe(74);
    expect(n3.tail()).toContain('2 stores were put aside within a day already');
    expect(await quarantinesOf(n3)).toHaveLength(2);

    for (const node of cluster.alive) {
      await cluster.call(node, 'POST', '/v1/nodes/self/stop', { endTasks: true });
      await node.exited();
    }
    const [first, second] = await Promise.all(
      cluster.nodes.slice(0, 2).map(node => storedStates(node.dir)),
    );
    const tasks = [...first!.values()].reduce((sum, state) => sum + state.tasks, 0);
    expect(tasks).toBe(6 * batch + 1);
    for (const [group, state] of first!) {
      expect(second!.get(group)?.digest, `digest of group ${group}`).toBe(state.digest);
    }
  });
}, 240_000);

/** A leader of a shard in its term: it remembers what each replica acknowledged to it. */
const ledBy = ({ shard, leader, term }: ShardRow): string => `${shard} ${leader} ${term}`;

/** Runs and settles tasks in every shard, until all replicas have applied all that. */
async function submitAndApply(cluster: RealCluster): Promise<void> {
  const settledBefore = await settledCount(cluster);
  await submit(cluster);
  await settled(cluster, settledBefore + batch);
  await untilLevel(cluster);
}

/**
 * As a disk does that is set back: all of the node's store is what it was a moment ago, before some
 * of what it acknowledged, and agrees with itself. Answers the leaders that remember more.
 */
async function setBack(cluster: RealCluster, node: RealNode): Promise<Set<string>> {
  const now = join(node.dir, 'store');
  const copy = join(cluster.dir, 'copy');
  await rm(copy, { recursive: true, force: true });
  node.pause();
  await cp(now, copy, { recursive: true });
  node.resume();
  const before = new Map((await cluster.shards()).map(({ shard, commit }) => [shard, commit]));
  await submitAndApply(cluster);
  const shards = await cluster.shards();
  await node.kill();
  await rm(now, { recursive: true });
  await rename(copy, now);
  const others = shards.filter(({ leader }) => leader !== undefined && leader !== node.name);
  return new Set(others.filter(({ shard, commit }) => commit > before.get(shard)!).map(ledBy));
}

/** Sets the store back and starts the node, until leaders that remember were there to notice. */
async function startSetBack(cluster: RealCluster, node: RealNode): Promise<void> {
  for (let round = 0; round < 5; round++) {
    const leaders = await setBack(cluster, node);
    node.launch();
    const isLed = async (): Promise<boolean> =>
      (await cluster.shards()).some(shard => leaders.has(ledBy(shard)));
    // A machine on which all leaders change has to try again; with one that stayed it must end.
    await until(`${node.name} ends`, async () => !node.alive || !(await isLed()), 90_000);
    if (!node.alive) return;
    await node.untilReady();
  }
  throw new Error('no leader stayed where it was for long enough, five times');
}

test('a store that forgot what it acknowledged is refused, and rebuilt', async () => {
  const without = (number: number): string[] =>
    flags(number).filter(flag => flag !== '--auto-rebuild');
  await withCluster({ nodes: 3, shards: 8, flags: without }, async cluster => {
    const [, , n3] = cluster.nodes as [RealNode, RealNode, RealNode];
    await takeFirst(cluster);
    await submitAndApply(cluster);
    const store = await storeIdOf(cluster, n3);
    // Leaders remember what it had acknowledged.
    await startSetBack(cluster, n3);
    expect(await n3.exited()).toBe(74);
    expect(n3.tail()).toContain('log lost: told that');
    n3.launch();
    expect(await n3.exited()).toBe(74);
    expect(n3.tail()).toContain('forgot what it had acknowledged');
    const found = await examine(n3.dir);
    expect(found.verdict).toBe('damaged');
    expect(found.findings.map(({ what }) => what).join()).toContain('log lost: told that');

    await n3.start(['--auto-rebuild']);
    await cluster.untilWhole();
    expect(await storeIdOf(cluster, n3)).not.toBe(store);
    const [aside] = await quarantinesOf(n3);
    expect(await readdir(join(n3.dir, aside!))).toContain('lost.json');
    await settled(cluster, 2 * batch);
  });
}, 300_000);

test('the only copy of anything is left where it is', async () => {
  await withCluster({ nodes: 1, shards: 2, flags }, async cluster => {
    await submit(cluster);
    const node = cluster.any;
    await node.kill();
    await flip(node, '.log');
    node.launch();
    expect(await node.exited()).toBe(74);
    expect(node.tail()).toContain('the write-ahead log is damaged');
    expect(node.tail()).toContain('It is not rebuilt by itself: this is the only copy of 3 groups');
    expect(await quarantinesOf(node)).toEqual([]);
    expect(await readdir(join(node.dir, 'store'))).toContain('CURRENT');
  });
}, 120_000);
