/**
 * A cluster with a million waiting tasks, each with a spec of its own: what a node holds in memory,
 * how fast it takes more, how soon a shard places again after the node that led it was killed, and
 * how long that node needs to be ready again. Not part of a run that names no measures: it takes
 * minutes.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { drawId } from '../../../src/gateway/submission.ts';
import { formatTaskId, parseTaskId } from '../../../src/model/ids.ts';
import { initialSlotTable, type SlotTable } from '../../../src/model/slots.ts';
import { processUsage } from '../../../src/worker/supervisor/processes.ts';
import type { BenchCluster, BenchNode } from '../cluster.ts';
import { heldTasks, startHeldCluster, waitingDocument } from '../held-cluster.ts';
import type { BenchContext, Measured, Row } from '../measure.ts';
import { runLoad } from '../run-load.ts';
import { median, rounded } from '../statistics.ts';

const specBytes = 512;
const chunk = 100_000;
const warmUpMs = 5_000;
/** Rows leave memory once they are on the disk: within 2 s of the last change. */
const settleMs = 5_000;
/** A node gives back what work took within 10 s of its end. */
const quietMs = 15_000;
const placedMs = 60_000;
const pollMs = 20;

async function rate(context: BenchContext, cluster: BenchCluster, label: string): Promise<number> {
  const measureMs = context.options.seconds * 1_000;
  const rates: number[] = [];
  for (let run = 1; run <= context.options.runs; run++) {
    const result = await runLoad(cluster, {
      ...{ inFlight: 6, batch: 100, document: waitingDocument(specBytes) },
      until: { kind: 'time', warmUpMs: run === 1 ? warmUpMs : 1_500, measureMs },
    });
    rates.push(result.acknowledged / (result.measuredMs / 1_000));
  }
  context.progress(`${label}: ${rounded(median(rates))} submits/s in batches of 100`);
  return median(rates);
}

/** Submits until so many wait; resolves with how many do. */
async function fill(context: BenchContext, cluster: BenchCluster, count: number): Promise<number> {
  for (;;) {
    const { tasks } = await heldTasks(cluster);
    context.progress(`${tasks} waiting`);
    if (tasks >= count) return tasks;
    await runLoad(cluster, {
      ...{ inFlight: 6, batch: 100, document: waitingDocument(specBytes) },
      until: { kind: 'tasks', tasks: Math.min(chunk, count - tasks) },
    });
  }
}

/** Ends what holds these nodes, so that tasks begin to run there. */
async function free(cluster: BenchCluster, nodes: readonly BenchNode[]): Promise<void> {
  const asked = nodes[0];
  for (const id of cluster.holders) {
    const { attempts } = await cluster.call<{ attempts: { nodeName: string }[] }>(
      `/v1/tasks/${id}`,
      undefined,
      asked,
    );
    const on = attempts.at(-1)?.nodeName;
    if (nodes.some(node => node.name === on)) {
      await cluster.call(`/v1/tasks/${id}/cancel`, {}, asked);
    }
  }
}

/** A task of the shard that is placed before all that wait there, as it is urgent. */
const urgentIn = (slots: SlotTable, shard: number): object => ({
  id: formatTaskId({ ...parseTaskId(drawId())!, slot: Array.from(slots).indexOf(shard) }),
  command: ['/bin/true'],
  cpu: 1,
  tolerance: '30s',
});

/** Submits it until it is taken, and asks until it has begun; NaN where it did not in time. */
async function beginsMs(cluster: BenchCluster, task: object, asked: BenchNode): Promise<number> {
  const sinceMs = performance.now();
  let id: string | undefined;
  let seen = 'nothing was tried';
  while (performance.now() - sinceMs < placedMs) {
    try {
      id ??= (await cluster.call<{ id: string }>('/v1/tasks', task, asked)).id;
      seen = (await cluster.call<{ state: string }>(`/v1/tasks/${id}`, undefined, asked)).state;
      if (seen === 'running' || seen === 'succeeded') return performance.now() - sinceMs;
    } catch (error) {
      // Refused for as long as the shard has no leader.
      seen = String(error);
    }
    await delay(pollMs);
  }
  process.stderr.write(`  an urgent task of a shard did not begin: ${seen}\n`);
  return Number.NaN;
}

/**
 * Kills the node that leads most shards while the others have room. For each shard that it led:
 * milliseconds from the kill until an urgent task of it begins that is submitted then. What waits
 * there goes by age over all shards, so most of these have nothing that would be next.
 */
async function placedAfterKill(cluster: BenchCluster, victim: BenchNode): Promise<number[]> {
  const survivors = cluster.nodes.filter(node => node !== victim);
  await free(cluster, survivors);
  const shards = await cluster.shards();
  const slots = initialSlotTable(shards.length);
  const led = shards.filter(({ leader }) => leader === victim.name);
  const tasks = led.map(({ shard }) => urgentIn(slots, shard));
  await cluster.kill(victim);
  return Promise.all(tasks.map(task => beginsMs(cluster, task, survivors[0]!)));
}

export async function measureScale(context: BenchContext): Promise<Measured> {
  const { options, progress } = context;
  const cluster = await startHeldCluster(options);
  const residentMiB = (): number[] =>
    cluster.nodes.map(({ process: { pid } }) =>
      rounded(processUsage(pid!, false).memoryBytes / 2 ** 20, 1),
    );
  try {
    const empty = await rate(context, cluster, 'empty');
    const waiting = await fill(context, cluster, options.million);
    const memoryAtOnce = residentMiB();
    await delay(quietMs);
    // Before the rate is measured: a fast machine takes another quarter of a million by that.
    const memory = residentMiB();
    progress(`resident memory of the nodes: ${memoryAtOnce.join(', ')} MiB as the last came`);
    progress(`${memory.join(', ')} MiB ${quietMs / 1_000} s later`);
    const full = await rate(context, cluster, `with ${waiting} waiting`);
    await delay(settleMs);
    const { tasks: more } = await heldTasks(cluster);
    const memoryOfMore = residentMiB();
    progress(`with ${more} waiting: ${memoryOfMore.join(', ')} MiB`);
    const led = await cluster.leaderships();
    const victim = cluster.nodes[led.indexOf(Math.max(...led))]!;
    const placed = await placedAfterKill(cluster, victim);
    const came = placed.filter(one => !Number.isNaN(one)).sort((left, right) => left - right);
    const seconds = (ms: number | undefined): number =>
      ms === undefined ? Number.POSITIVE_INFINITY : rounded(ms / 1_000, 2);
    progress(`${placed.length} shards led anew; all have placed after ${seconds(came.at(-1))} s`);
    // What is measured next is a start beside tasks that wait: they are to wait again.
    const survivor = cluster.nodes.find(node => node !== victim)!;
    await cluster.call('/v1/cluster/pause', { reason: 'a start is measured' }, survivor);
    await delay(settleMs);
    const beganMs = performance.now();
    await cluster.restart(victim);
    const readyMs = performance.now() - beganMs;
    progress(`ready again ${seconds(readyMs)} s after its start`);
    const many = `${waiting} waiting`;
    const evenMore = `${more} waiting by then`;
    const never = placed.length - came.length;
    const rows: Row[] = [
      {
        ...{ id: 'scale.memory', label: `resident memory of a node, ${many}`, unit: 'MiB' },
        value: Math.max(...memory),
        note:
          `the largest of ${memory.join(', ')}; ${Math.max(...memoryAtOnce)} as the last came, ` +
          `${Math.max(...memoryOfMore)} when ${more} waited, 5 s after the last of these`,
      },
      {
        ...{ id: 'scale.rate', label: `submits with ${many}, against none`, unit: '' },
        value: rounded(full / empty, 2),
        note: `${rounded(full)}/s against ${rounded(empty)}/s, batches of 100`,
      },
      {
        ...{ id: 'scale.placement', label: 'kill -9 of a leader to a placement', unit: 's' },
        value: seconds(never > 0 ? undefined : came.at(-1)),
        note:
          `last of ${placed.length} shards, an urgent task of each; first ${seconds(came[0])} s, ` +
          `median ${seconds(median(came))} s${never > 0 ? `, ${never} NOT IN ${placedMs / 1_000} s` : ''}, ` +
          evenMore,
      },
      {
        ...{ id: 'scale.restart', label: 'start of the killed node until it is ready', unit: 's' },
        value: seconds(readyMs),
        note: `${evenMore}, placement paused`,
      },
    ];
    const perSecond = { emptyPerSecond: empty, fullPerSecond: full };
    const detail = {
      waiting,
      ...perSecond,
      memory,
      memoryAtOnce,
      more,
      memoryOfMore,
      placed,
      readyMs,
    };
    return { rows, detail };
  } finally {
    await cluster.stop();
  }
}
