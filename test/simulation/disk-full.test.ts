/**
 * A disk that runs full: the node takes no tasks and hands its leaderships away; without any room
 * it ends, and does not start again before there is some. The others go on meanwhile.
 */
import { expect, test } from 'vitest';
import { SimCluster } from './cluster.ts';
import { Nemesis } from './nemesis.ts';
import { drawOptions } from './options.ts';
import { setUp } from './run.ts';
import { Workload } from './workload.ts';

const timeout = 120_000;

test.each([false, true])(
  'a node with a full disk steps back, ends and comes back (real store: %s)',
  { timeout },
  async realStore => {
    const cluster = new SimCluster({
      ...drawOptions(1),
      nodes: 3,
      shards: 4,
      growUnderLoad: false,
      skewedClocks: false,
      clockRatePerMille: 0,
      requestEveryMs: 100,
      // Nothing of it happens by itself; nodes look after the room on their disks.
      faults: ['diskFull'],
      realStore,
    });
    await setUp(cluster);
    const workload = new Workload(cluster);
    // Starts again whoever ends with a storage fault.
    new Nemesis(cluster, () => undefined);
    const until = (holds: () => boolean, limitMs: number, what: string): Promise<void> =>
      cluster.until(holds, limitMs, () => what);
    const led = (): number[] =>
      cluster.nodes.map(
        ({ node }) => [...(node?.loop.replicas() ?? [])].filter(one => one.leading).length,
      );
    await until(() => led().every(count => count > 0), 120_000, 'leaders are spread');
    workload.start();
    const full = cluster.nodes[1]!;
    full.fill(2e9);
    await until(() => led()[1] === 0, 60_000, 'its leaderships go elsewhere');
    expect(full.node!.loop.vitals.diskLow).toBe(true);
    const { process } = full;
    full.fill(0);
    await until(() => process?.alive === false, 10_000, 'its process ends');
    const { acknowledged } = workload.counts;
    await until(
      () => workload.counts.acknowledged > acknowledged + 5,
      60_000,
      'the others take tasks',
    );
    expect(full.node?.ready ?? false).toBe(false);
    full.fill(undefined);
    await until(() => full.node?.ready === true, 60_000, 'it comes back');
    await until(() => (led()[1] ?? 0) > 0, 240_000, 'it leads again');
    workload.stop();
  },
);
