/** Gauges and counters of a node, for /metrics. */
import type { NodeApi } from '../ports/node-api.ts';
import type { Gossip, Transport } from '../ports/transport.ts';
import type { ClusterVersion } from './cluster-version.ts';
import type { DriveLoop } from './drive-loop.ts';
import type { LeaderDuties } from './leader-duties.ts';
import type { Peers } from './peers.ts';
import type { Scheduler } from './scheduler.ts';
import type { SnapshotCounters } from './snapshots.ts';
import type { TenantGate } from './tenant-gate.ts';
import type { WorkerHost } from './worker-host.ts';

export interface MetricSources {
  readonly loop: DriveLoop;
  readonly scheduler: Scheduler;
  readonly worker: WorkerHost;
  readonly peers: Peers;
  readonly transport: Transport;
  readonly gossip: Gossip;
  readonly snapshots: SnapshotCounters;
  readonly version: ClusterVersion;
  readonly submitsInFlight: number;
  readonly nowMs: number;
  readonly diskFreeBytes: number | undefined;
  readonly duties: LeaderDuties;
  readonly gate: Pick<TenantGate, 'refused'>;
  readonly counters: {
    readonly submitted: number;
    readonly settled: number;
    readonly elections: number;
    readonly boundsMissed: number;
  };
}

type Metrics = ReturnType<NodeApi['metrics']>;
type Metric = Metrics[number];

const counter = (name: string, help: string, value: number): Metric => ({
  name: `tsched_${name}_total`,
  help,
  kind: 'counter',
  value,
});

const gauge = (name: string, help: string, value: number): Metric => ({
  name: `tsched_${name}`,
  help,
  kind: 'gauge',
  value,
});

const snake = (name: string): string =>
  name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);

export function metricsOf(sources: MetricSources): Metrics {
  const { loop, scheduler, worker, peers, version, counters, duties } = sources;
  const vitals = loop.vitals.report(sources.nowMs);
  const { running, queued, free } = worker.reactor;
  let led = 0;
  let waiting = 0;
  let live = 0;
  let settled = 0;
  let deadLetters = 0;
  for (const leader of scheduler.leaders()) {
    const counts = leader.machine.counts();
    led++;
    waiting += counts.waiting;
    live += counts.assigned + counts.running;
    deadLetters += leader.machine.deadLetters;
    settled += counts.succeeded + counts.failed + counts.cancelled + counts.aborted;
  }
  const metrics = [
    ...logMetrics(sources),
    ...refusals(sources),
    counter('loop_turns', 'Turns of the drive loop.', loop.counters.turns),
    counter('loop_stalls', 'Turns that came more than a second late.', loop.counters.stalls),
    counter('loop_dropped', 'Messages dropped because the loop was behind.', loop.counters.dropped),
    counter('store_batches', 'Synced batches written.', loop.counters.batches),
    counter('elections_won', 'Shard leaderships taken.', counters.elections),
    counter('submits', 'Submits acknowledged through this node.', counters.submitted),
    counter('settled', 'Tasks seen to settle in replicas here.', counters.settled),
    counter('expired', 'Tasks that left the history by leaders here.', duties.expiry.expired),
    counter('start_bounds_missed', 'Start bounds missed, by leaders here.', counters.boundsMissed),
    counter('start_expired', 'Tasks dropped unstarted by leaders here.', duties.bounds.dropped),
    counter('plans', 'Plans made.', scheduler.plans),
    counter('bad_frames', 'Frames that could not be read.', peers.badFrames),
    counter('bad_adverts', 'Advertisements that were not believed.', scheduler.badAdverts),
    gauge('slow', 'Whether this node is too slow to lead.', vitals.slow ? 1 : 0),
    gauge('store_batch_seconds', 'A write until it was durable, lately.', vitals.batchMs / 1_000),
    gauge('store_batch_max_seconds', 'The longest of a minute.', vitals.batchMaxMs / 1_000),
    gauge('loop_lag_seconds', 'How late the drive loop comes, lately.', vitals.lagMs / 1_000),
    gauge('loop_lag_max_seconds', 'The latest of a minute.', vitals.lagMaxMs / 1_000),
    gauge('disk_low', 'Whether the disk is nearly full.', vitals.diskLow ? 1 : 0),
    gauge('disk_free_bytes', 'Room on the disk of the data directory.', sources.diskFreeBytes ?? 0),
    gauge('cluster_version', 'What the program of every node reads.', version.current()),
    gauge('program_cluster_version', 'Newest that this program reads.', version.own),
    gauge('shards_led', 'Shards this node leads.', led),
    gauge('submits_in_flight', 'Submits that wait for consensus.', sources.submitsInFlight),
    gauge('tasks_waiting', 'Waiting tasks of shards led here.', waiting),
    gauge('tasks_urgent', 'Ready tasks close to their start bound.', scheduler.demand.told.urgent),
    gauge('tasks_live', 'Assigned and running tasks of shards led here.', live),
    gauge('tasks_settled', 'Settled tasks in the history of shards led here.', settled),
    gauge('dead_letters', 'Failed tasks that wait to be replayed or purged.', deadLetters),
    gauge('attempts_running', 'Attempts that hold resources on this node.', running),
    gauge('attempts_queued', 'Attempts queued on this node.', queued),
    gauge('cpu_free', 'Free CPUs of this node.', free.cpuMilli / 1_000),
    gauge('memory_free_bytes', 'Free memory of this node.', free.memoryBytes),
  ];
  for (const [room, from] of [
    ['net', sources.transport],
    ['gossip', sources.gossip],
  ] as const) {
    for (const [name, value] of Object.entries(from.counters())) {
      metrics.push(counter(`${room}_${snake(name)}`, `Of the ${room}: ${name}.`, value));
    }
  }
  return metrics;
}

/** What tenants were refused before admission. */
function refusals({ gate }: Pick<MetricSources, 'gate'>): Metric[] {
  const help = 'Submits that tenants were refused here, by what their plans say.';
  return [...gate.refused].flatMap(([tenant, counts]) =>
    [...counts].map(([code, value]) => ({
      ...counter('submits_refused', help, value),
      labels: { tenant, code },
    })),
  );
}

function logMetrics({ loop, snapshots }: MetricSources): Metric[] {
  let entries = 0;
  let bytes = 0;
  for (const { log } of loop.replicas()) {
    entries += log.lastIndex() - log.firstIndex() + 1;
    bytes += log.size.bytes;
  }
  const failed = snapshots.sendFailed + snapshots.receiveFailed;
  return [
    gauge('log_entries', 'Entries in the logs of the replicas here.', entries),
    gauge('log_bytes', 'Bytes of those entries.', bytes),
    counter('log_truncations', 'Times that a log was truncated.', loop.counters.truncations),
    counter('snapshots_sent', 'Whole states that other nodes took.', snapshots.sent),
    counter('snapshots_received', 'Whole states taken from other nodes.', snapshots.received),
    counter('snapshots_failed', 'Snapshots that broke off or were refused.', failed),
    counter('snapshot_bytes_out', 'Bytes of snapshots sent.', snapshots.bytesOut),
    counter('snapshot_bytes_in', 'Bytes of snapshots received.', snapshots.bytesIn),
    gauge('snapshots_running', 'Snapshots under way, in and out.', snapshots.running),
  ];
}
