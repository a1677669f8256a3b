/**
 * Nodes that come and go while real scripts work on real files: grown, drained, removed, lost and
 * replaced, with disks that are wiped or set back. `npm test` runs it small; `npm run e2e` goes
 * from one node to three, five, three and seven.
 */
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FileWorkload } from '../support/file-workload.ts';
import { type RealCluster, withCluster } from '../support/real-cluster.ts';
import type { RealNode } from '../support/real-node.ts';
import { until } from '../support/until.ts';

const full = process.env['TSCHED_E2E'] === 'full';
const size = full
  ? { shards: 64, tasks: 2_500, up: [3, 5], down: ['n2', 'n4'], again: 7 }
  : { shards: 16, tasks: 120, up: [3, 4], down: ['n2'], again: 4 };
const limitMs = full ? 900_000 : 150_000;
const flags = (): string[] => [
  ...['--listen', '/ip4/127.0.0.1/tcp/0', '--http', '127.0.0.1:0'],
  ...['--cpu', '8', '--memory', '4GiB'],
];

interface NodeRow {
  readonly name: string;
  readonly state: string;
  readonly replicas: number;
}

const nodeRow = (cluster: RealCluster, name: string, at: RealNode = cluster.any) =>
  cluster.get<NodeRow>(`/v1/nodes/${name}`, at);

async function growTo(cluster: RealCluster, count: number): Promise<void> {
  while (cluster.alive.length < count) await cluster.addNode();
  await cluster.untilWhole(limitMs / 3);
}

/** Everybody else holds what the node held, and its process has ended by itself. */
async function takeAway(cluster: RealCluster, name: string): Promise<void> {
  const node = cluster.node(name);
  const other = cluster.alive.find(one => one !== node)!;
  await cluster.ok(['node', 'drain', name, '--wait', '--timeout', `${limitMs / 3}ms`], other);
  await cluster.ok(['node', 'remove', name], other);
  expect(await node.exited(), `${name} ends in order`).toBe(0);
  expect(node.tail()).toContain(`node ${name} was removed from the cluster: it ends`);
  await cluster.untilWhole(limitMs / 3);
}

test(
  `${size.tasks} tasks on one node, ${size.up.join(' and ')}, less ${size.down.join(' and ')}, and ${size.again}`,
  async () => {
    await withCluster({ nodes: 1, shards: size.shards, flags }, async cluster => {
      const workload = await FileWorkload.make(cluster, {
        tasks: size.tasks,
        tenths: number => (number % 10 === 0 ? 40 : 1 + (number % 5)),
      });
      const submitted = workload.submitAll();
      for (const count of size.up) await growTo(cluster, count);
      for (const name of size.down) await takeAway(cluster, name);
      await growTo(cluster, size.again);
      await submitted;
      expect(workload.accepted.size).toBe(size.tasks);
      const rows = await workload.untilSettled(limitMs / 2);
      expect(await workload.faults(rows)).toEqual([]);
      const states = (await cluster.get<{ nodes: NodeRow[] }>('/v1/nodes?all=true')).nodes;
      const removed = states.filter(node => node.state === 'removed').map(node => node.name);
      expect(removed.sort()).toEqual(size.down);
    });
  },
  limitMs,
);

test.runIf(full)(
  'a node that is lost is replaced, one that was wiped joins anew, one that was set back is refused',
  async () => {
    const init = ['--dead-after', '10s'];
    await withCluster({ nodes: 4, shards: 8, flags, init }, async cluster => {
      const lost = cluster.node('n3');
      const task = await cluster.ok(['submit', '-q', '--', 'sleep', '3']);
      await lost.kill();
      await until(
        'n3 is declared dead and holds nothing',
        async () => {
          const { state } = await nodeRow(cluster, 'n3');
          const shards = await cluster.shards();
          const held = shards.some(({ voters }) => voters.some(name => name.startsWith('n3')));
          return state === 'dead' && !held;
        },
        60_000,
      );
      await cluster.untilLed();
      await lost.start();
      await until(
        'n3 is up again',
        async () => (await nodeRow(cluster, 'n3')).state === 'up',
        30_000,
      );
      await cluster.untilWhole();

      // Its store is gone: it may not come back as what it was, and says how it can.
      await lost.kill();
      await rm(join(lost.dir, 'store'), { recursive: true });
      lost.launch();
      expect(await lost.exited()).toBe(1);
      expect(lost.tail()).toContain('join again with --join TOKEN');
      await lost.start(['--join', await cluster.joinToken()]);
      await cluster.untilWhole();

      // An older copy of a directory has forgotten what it promised.
      const back = cluster.node('n4');
      await cluster.ok(['node', 'stop', 'n4']);
      expect(await back.exited()).toBe(0);
      await cp(join(back.dir, 'store'), join(cluster.dir, 'old'), { recursive: true });
      await back.start();
      await cluster.untilWhole();
      await back.kill();
      await rm(join(back.dir, 'store'), { recursive: true });
      await cp(join(cluster.dir, 'old'), join(back.dir, 'store'), { recursive: true });
      back.launch();
      expect(await back.exited()).toBe(74);
      expect(back.tail()).toContain('was rolled back');
      expect((await cluster.untilSettled(task)).state).toBe('succeeded');
    });
  },
  limitMs,
);

test.runIf(full)(
  'one of three goes on alone after an unsafe recovery, and two that return end',
  async () => {
    await withCluster({ nodes: 3, shards: 8, flags }, async cluster => {
      const ids: string[] = [];
      for (let number = 0; number < 8; number++) {
        ids.push(await cluster.ok(['submit', '-q', '--', 'echo', String(number)]));
      }
      for (const id of ids) await cluster.untilSettled(id);
      for (const node of cluster.nodes) await node.kill();
      const [first, second] = [cluster.node('n1'), cluster.node('n2')];
      const recover = ['cluster', 'unsafe-recover', '--data-dir', first.dir, '--lost', 'n2,n3'];
      const looked = await cluster.run(recover);
      expect(looked).toMatchObject({ code: 0 });
      expect(looked.stdout).toMatch(/registry +n1,n2!,n3! +n1 +goes on with this store alone/);
      expect(looked.stdout).toContain('9 groups to recover, 0 left as they are');
      expect(looked.stdout).toContain('nothing was changed');
      const consent = '--i-understand-that-acknowledged-tasks-may-be-lost';
      expect((await cluster.run([...recover, consent])).stdout).toContain('9 groups recovered');
      await first.start();
      for (const id of ids) expect((await cluster.task(id)).state).toBe('succeeded');
      const more = await cluster.ok(['submit', '-q', '--', 'true']);
      expect((await cluster.untilSettled(more)).state).toBe('succeeded');
      const names = (await cluster.get<{ nodes: NodeRow[] }>('/v1/nodes')).nodes;
      expect(names.map(node => node.name)).toEqual(['n1']);
      second.launch();
      expect(await second.exited()).toBe(1);
      expect(second.tail()).toContain('node n2 was removed from the cluster');
    });
  },
  limitMs,
);
