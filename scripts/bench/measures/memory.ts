/**
 * Memory of one waiting task on one node, each with a spec of its own. Live memory is what the
 * node's JavaScript heap holds after forced collections, with what it holds outside of the heap;
 * the difference between a cluster with some thousand tasks, where all code is warm, and one with
 * many. Resident memory is what the system sees, LevelDB and free space of the heap included.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { BenchCluster } from '../cluster.ts';
import { heldTasks, startHeldCluster, waitingDocument } from '../held-cluster.ts';
import { Inspector, type NodeMemory } from '../inspector.ts';
import type { BenchContext, Measured } from '../measure.ts';
import { runLoad } from '../run-load.ts';
import { mean, rounded } from '../statistics.ts';

const warmTasks = 3_000;
/** Rows leave memory once they are on the disk: within 2 s of the last change. */
const settleMs = 5_000;

async function fill(cluster: BenchCluster, tasks: number): Promise<number> {
  const result = await runLoad(cluster, {
    inFlight: 6,
    batch: 100,
    document: waitingDocument(512),
    until: { kind: 'tasks', tasks },
  });
  await delay(settleMs);
  return result.measuredMs;
}

const memoryOf = (inspectors: readonly Inspector[]): Promise<NodeMemory[]> =>
  Promise.all(inspectors.map(inspector => inspector.memory()));

export async function measureMemory(context: BenchContext): Promise<Measured> {
  const { options } = context;
  const cluster = await startHeldCluster(options);
  try {
    const inspectors: Inspector[] = [];
    for (const node of cluster.nodes) inspectors.push(await Inspector.open(node));
    await fill(cluster, warmTasks);
    const before = await memoryOf(inspectors);
    const heldBefore = (await heldTasks(cluster)).tasks;
    const filledMs = await fill(cluster, options.waiting);
    const after = await memoryOf(inspectors);
    const tasks = (await heldTasks(cluster)).tasks - heldBefore;
    for (const inspector of inspectors) inspector.close();
    const perTask = (pick: (memory: NodeMemory) => number): number[] =>
      after.map((memory, place) => (pick(memory) - pick(before[place]!)) / tasks);
    const live = perTask(memory => memory.liveBytes);
    const resident = perTask(memory => memory.residentBytes);
    const value = rounded(mean(live));
    context.progress(
      `${tasks} waiting: ${value} B live, ${rounded(mean(resident))} B resident each`,
    );
    return {
      rows: [
        {
          // The bar stands for 100,000: what a shard keeps in any case weighs more on fewer.
          id: options.quick ? 'memory.quick' : 'memory.live',
          label: `memory of a waiting task on a node, ${tasks} waiting`,
          value,
          unit: 'B',
          note: `live after collection, mean of nodes; resident ${rounded(mean(resident))} B`,
        },
      ],
      detail: {
        tasks,
        submittedPerSecond: rounded(options.waiting / (filledMs / 1_000)),
        liveBytesPerTask: live.map(one => rounded(one, 1)),
        residentBytesPerTask: resident.map(one => rounded(one, 1)),
        before,
        after,
      },
    };
  } finally {
    await cluster.stop();
  }
}
