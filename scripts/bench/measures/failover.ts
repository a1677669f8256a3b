/**
 * kill -9 of a node that leads shards, to the first acknowledged submit in each of them. For each
 * shard tries start anew after the kill, at the survivors in turn, each with an ID of its own in a
 * slot of that shard: what was in a node's hands before the kill cannot be counted.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { formatTaskId, slotCount } from '../../../src/model/ids.ts';
import { shardOfSlot } from '../../../src/routing/slot-map.ts';
import type { BenchCluster, BenchNode } from '../cluster.ts';
import { startHeldCluster, waitingDocument } from '../held-cluster.ts';
import { placeholder } from '../load-job.ts';
import type { BenchContext, Measured } from '../measure.ts';
import { median, rounded } from '../statistics.ts';

const tryEveryMs = 100;
const longestMs = 30_000;
const settleMs = 1_000;

let drawn = 0;

/** An ID in a slot of `shard`, in a cluster whose slots never moved. */
function idIn(shard: number, shards: number): string {
  let slot = Math.floor(Math.random() * slotCount);
  while (shardOfSlot(slot, shards) !== shard) slot = (slot + 1) % slotCount;
  return formatTaskId({ atMs: Date.now(), slot, random: ++drawn });
}

async function submitted(cluster: BenchCluster, node: BenchNode, id: string): Promise<boolean> {
  const task = waitingTask.replace(placeholder, String(drawn).padStart(placeholder.length, '0'));
  try {
    const response = await fetch(`http://${node.host}:${node.port}/v1/tasks`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${cluster.token}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ id, ...(JSON.parse(task) as object) }),
      signal: AbortSignal.timeout(5_000),
    });
    await response.arrayBuffer();
    return response.status === 201;
  } catch {
    // Refused or timed out: the next try tells.
    return false;
  }
}

const waitingTask = waitingDocument(512);

/** Milliseconds from `sinceMs` to the first acknowledged submit in `shard`; NaN where none came. */
function untilAcknowledged(
  cluster: BenchCluster,
  survivors: readonly BenchNode[],
  shard: { readonly shard: number; readonly of: number },
  sinceMs: number,
): Promise<number> {
  return new Promise(resolve => {
    let tries = shard.shard;
    const attempt = (): void => {
      const node = survivors[tries++ % survivors.length]!;
      submitted(cluster, node, idIn(shard.shard, shard.of)).then(
        done => {
          if (done) finish(performance.now() - sinceMs);
        },
        () => finish(Number.NaN),
      );
    };
    const timer = setInterval(attempt, tryEveryMs);
    const deadline = setTimeout(() => finish(Number.NaN), longestMs);
    const finish = (tookMs: number): void => {
      clearInterval(timer);
      clearTimeout(deadline);
      resolve(tookMs);
    };
    attempt();
  });
}

async function killOnce(
  cluster: BenchCluster,
  victim: BenchNode,
): Promise<{ readonly led: number; readonly tookMs: number[] }> {
  const survivors = cluster.nodes.filter(node => node !== victim);
  const shards = await cluster.shards(survivors[0]);
  const led = shards.filter(shard => shard.leader === victim.name);
  // Both survivors' connections of the client are warm.
  for (const node of survivors) await submitted(cluster, node, idIn(1, shards.length));
  const killed = cluster.kill(victim);
  const sinceMs = performance.now();
  const tookMs = await Promise.all(
    led.map(({ shard }) =>
      untilAcknowledged(cluster, survivors, { shard, of: shards.length }, sinceMs),
    ),
  );
  await killed;
  return { led: led.length, tookMs };
}

export async function measureFailover(context: BenchContext): Promise<Measured> {
  const { options } = context;
  const cluster = await startHeldCluster(options);
  try {
    const kills: { readonly node: string; readonly led: number; readonly tookMs: number[] }[] = [];
    for (let kill = 0; kill < options.kills; kill++) {
      const led = await cluster.leaderships();
      // The node that leads most; leaderships move back slowly after a restart.
      const victim = cluster.nodes[led.indexOf(Math.max(...led))]!;
      const { tookMs, led: shards } = await killOnce(cluster, victim);
      kills.push({ node: victim.name, led: shards, tookMs });
      const worst = rounded(Math.max(...tookMs));
      context.progress(
        `kill -9 of ${victim.name}: ${shards} shards again after ` +
          `${rounded(median(tookMs))} ms (median), ${worst} ms (last)`,
      );
      await cluster.restart(victim);
      await cluster.untilHealthy();
      await delay(settleMs);
    }
    const all = kills.flatMap(kill => kill.tookMs);
    const never = all.filter(Number.isNaN).length;
    const came = all.filter(one => !Number.isNaN(one));
    const worstOfKills = kills.map(kill => Math.max(...kill.tookMs));
    return {
      rows: [
        {
          id: 'failover.median',
          label: 'kill -9 of a leader to the next submit of a shard, median',
          value: rounded(median(came) / 1_000, 2),
          unit: 's',
          note: `${all.length} shards in ${kills.length} kills`,
        },
        {
          id: 'failover.max',
          label: 'the same, slowest shard of all kills',
          value: never > 0 ? Number.POSITIVE_INFINITY : rounded(Math.max(...came) / 1_000, 2),
          unit: 's',
          note:
            never > 0
              ? `${never} SHARDS DID NOT COME BACK in ${longestMs / 1_000} s`
              : `slowest shard of a kill, median ${rounded(median(worstOfKills) / 1_000, 2)} s`,
        },
      ],
      detail: {
        kills: kills.map(kill => ({ ...kill, tookMs: kill.tookMs.map(one => rounded(one)) })),
      },
    };
  } finally {
    await cluster.stop();
  }
}
