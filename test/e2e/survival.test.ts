/**
 * The promise in one test: nodes are killed with -9 and restarted while real scripts work on real
 * files, and nothing is lost, run twice at once or recorded twice. `npm test` runs it small;
 * `npm run e2e` (TSCHED_E2E=full) with five nodes, 2,000 tasks and six kills.
 */
import { expect, test } from 'vitest';
import { FileWorkload } from '../support/file-workload.ts';
import { type RealCluster, withCluster } from '../support/real-cluster.ts';

const full = process.env['TSCHED_E2E'] === 'full';
const size = full
  ? { nodes: 5, shards: 64, tasks: 2_000, kills: 6 }
  : { nodes: 3, shards: 16, tasks: 150, kills: 2 };
const limitMs = full ? 900_000 : 120_000;
const flags = (): string[] => [
  ...['--listen', '/ip4/127.0.0.1/tcp/0', '--http', '127.0.0.1:0'],
  ...['--cpu', '12', '--memory', '4GiB'],
];

/** Most tasks are short; one in ten outlives a restart. */
const tenths = (number: number): number => (number % 10 === 0 ? 60 : 1 + (number % 7));

/** Kills the node that leads most shards; every second time it stays away until others lead. */
async function killLeader(cluster: RealCluster, round: number): Promise<void> {
  const leader = await cluster.busiestLeader();
  await leader.kill();
  if (round % 2 === 0) await cluster.untilLed();
  await leader.start();
  await cluster.untilLed();
}

test(
  `${size.tasks} tasks survive ${size.kills} kills of a leader on ${size.nodes} nodes`,
  async () => {
    await withCluster({ nodes: size.nodes, shards: size.shards, flags }, async cluster => {
      const workload = await FileWorkload.make(cluster, { tasks: size.tasks, tenths });
      const submitted = workload.submitAll();
      for (let round = 0; round < size.kills; round++) {
        await workload.untilDone((round + 1) / (size.kills + 2), limitMs / 2);
        await killLeader(cluster, round);
      }
      await submitted;
      expect(workload.accepted.size).toBe(size.tasks);
      const rows = await workload.untilSettled(limitMs / 2);
      expect(await workload.faults(rows)).toEqual([]);
      // Another node has the same to say, outcome and all.
      const last = cluster.nodes.at(-1)!;
      for (const [number, row] of rows) {
        if (number % 20 === 0) expect(await cluster.task(row.id, last)).toEqual(row);
      }
    });
  },
  limitMs,
);
