/**
 * A node that was away while its shard went on: the log it would need is gone, so it is sent the
 * state, while the cluster serves. Real processes and the limits that everybody has, so this is for
 * `npm run e2e` (TSCHED_E2E=full) alone; `test/integration/catch-up.test.ts` is the same with
 * shorter logs.
 */
import { expect, test } from 'vitest';
import { type RealCluster, withCluster } from '../support/real-cluster.ts';
import type { RealNode } from '../support/real-node.ts';
import { storedStates } from '../support/stored-state.ts';
import { until } from '../support/until.ts';

const full = process.env['TSCHED_E2E'] === 'full';
const tasks = 20_000;
const batch = 500;

const flags = (): string[] => [
  ...['--listen', '/ip4/127.0.0.1/tcp/0', '--http', '127.0.0.1:0'],
  ...['--cpu', '24', '--memory', '8GiB'],
];

interface ShardNumbers {
  readonly leader?: string;
  readonly firstIndex: number;
  readonly commit: number;
  readonly settled: number;
  readonly state: string;
}

const shardOf = async (cluster: RealCluster): Promise<ShardNumbers> => {
  const { shards } = await cluster.get<{ shards: ShardNumbers[] }>('/v1/shards');
  return shards[0]!;
};

/** Submits so many tasks that do nothing; each carries a text of its own, as real ones do. */
async function submit(cluster: RealCluster, count: number): Promise<void> {
  for (let done = 0; done < count; done += batch) {
    const documents = Array.from({ length: Math.min(batch, count - done) }, (_, at) => ({
      command: ['true'],
      name: `task-${done + at}`,
      env: { NOTE: `${done + at}`.padStart(300, '.') },
      cpu: '50m',
    }));
    const { status, body } = await cluster.call<{ results: { ok: boolean }[] }>(
      cluster.any,
      'POST',
      '/v1/tasks/batch',
      { tasks: documents },
      60_000,
    );
    expect(status).toBeLessThan(300);
    expect(body.results.every(({ ok }) => ok)).toBe(true);
  }
}

async function metric(cluster: RealCluster, node: RealNode, name: string): Promise<number> {
  const response = await fetch(`http://${node.address}/metrics`, {
    headers: { authorization: `Bearer ${cluster.token}` },
  });
  return Number(new RegExp(`^tsched_${name} (\\S+)$`, 'm').exec(await response.text())?.[1]);
}

test.runIf(full)(
  `a node that was away while ${tasks} tasks settled is sent the state`,
  async () => {
    await withCluster({ nodes: 3, shards: 1, flags }, async cluster => {
      const { leader } = await shardOf(cluster);
      const away = cluster.nodes.find(node => node.name !== leader)!;
      await away.kill();
      const known = await shardOf(cluster);
      await submit(cluster, tasks);
      const settled = (count: number) =>
        until(
          `${count} tasks have settled`,
          async () => (await shardOf(cluster)).settled >= count,
          240_000,
        );
      await settled(tasks);
      const { firstIndex } = await shardOf(cluster);
      // What it had when it went is far before what is left of the log.
      expect(firstIndex).toBeGreaterThan(known.commit + 1);

      const returned = away.start();
      await submit(cluster, 2_000);
      await returned;
      await settled(tasks + 2_000);
      await until(
        'the state has come',
        async () => (await metric(cluster, away, 'snapshots_received_total')) > 0,
        60_000,
      );
      await cluster.untilWhole();

      for (const node of cluster.nodes) {
        await cluster.call(node, 'POST', '/v1/nodes/self/stop', { endTasks: true });
        await node.exited();
      }
      const states = await Promise.all(cluster.nodes.map(node => storedStates(node.dir)));
      const shards = states.map(groups => groups.get(1)!);
      expect(shards.map(state => state.tasks)).toEqual([22_000, 22_000, 22_000]);
      expect(new Set(shards.map(state => state.digest)).size).toBe(1);
      expect(Math.min(...shards.map(state => state.firstIndex))).toBeGreaterThan(1);
    });
  },
  600_000,
);
