/**
 * A cluster that is full: one long task holds the whole of each node, and what is submitted asks
 * for as much. Submits then go the whole way of any submit (read, checked, put into a log on three
 * disks, applied, indexed, seen by the planner), but nothing runs meanwhile. Workers prefetch a
 * few.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { encodeSpec } from '../../src/model/spec.ts';
import { readSpecDocument } from '../../src/model/spec-document.ts';
import { BenchCluster, type ClusterOptions } from './cluster.ts';
import { placeholder } from './load-job.ts';

const cpus = 1;
const holdMs = 30_000;

/** Starts a cluster of nodes with one CPU each and fills it. */
export async function startHeldCluster(
  options: Omit<ClusterOptions, 'cpus'>,
): Promise<BenchCluster> {
  const cluster = await BenchCluster.start({ ...options, cpus });
  try {
    // One after the other, so that none is prefetched where another one runs.
    for (let number = 0; number < options.nodes; number++) await hold(cluster);
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}

async function hold(cluster: BenchCluster): Promise<void> {
  const { id } = await cluster.call<{ id: string }>('/v1/tasks', {
    command: ['/bin/sleep', '86400'],
    cpu: cpus,
  });
  const deadlineMs = performance.now() + holdMs;
  for (;;) {
    const { state } = await cluster.call<{ state: string }>(`/v1/tasks/${id}`);
    if (state === 'running') {
      cluster.holders.push(id);
      return;
    }
    if (performance.now() > deadlineMs) throw new Error(`the task that fills a node is ${state}`);
    await delay(20);
  }
}

/** A task document whose stored form is as long as told, different for each number put into it. */
export function waitingDocument(specBytes: number): string {
  const build = (filling: number): object => ({
    command: ['/bin/true', `${placeholder}${'x'.repeat(filling)}`],
    cpu: cpus,
  });
  const length = (filling: number): number => {
    const reading = readSpecDocument(build(filling), { tenant: 'default', owner: 'admin' });
    if (!reading.ok) throw new Error(reading.problems.map(problem => problem.message).join('; '));
    return encodeSpec(reading.spec).length;
  };
  let filling = specBytes - length(0);
  while (length(filling) > specBytes) filling--;
  return JSON.stringify(build(filling));
}

export interface Held {
  /** Tasks that the shards know, what holds the nodes left out. */
  readonly tasks: number;
  /** Of these, tasks that ran all the same: the machine was too slow to keep a lease alive. */
  readonly settled: number;
}

/** Asks every shard what it holds; a shard that changes its leader just now is waited for. */
export async function heldTasks(cluster: BenchCluster): Promise<Held> {
  const deadlineMs = performance.now() + holdMs;
  for (;;) {
    const shards = await cluster.shards();
    if (shards.every(shard => shard.leader !== undefined)) {
      const settled = shards.reduce((sum, shard) => sum + shard.settled, 0);
      const open = shards.reduce((sum, shard) => sum + shard.waiting + shard.running, 0);
      return { tasks: open + settled - cluster.nodes.length, settled };
    }
    if (performance.now() > deadlineMs) throw new Error('not every shard has a leader');
    await delay(100);
  }
}
