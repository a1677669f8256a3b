/**
 * Durable submits a second, one task a request with 1, 64 and 256 requests under way, and in
 * batches of 100. Each level has a fresh cluster, so that all begin with an empty one; in a quick
 * run they share one. Afterwards the shards are asked how many tasks they hold: not one that was
 * acknowledged may be missing.
 */
import type { BenchCluster } from '../cluster.ts';
import { heldTasks, startHeldCluster, waitingDocument } from '../held-cluster.ts';
import type { LoadResult } from '../load-job.ts';
import type { BenchContext, Measured, Row } from '../measure.ts';
import { runLoad } from '../run-load.ts';
import { median, rounded } from '../statistics.ts';

const specBytes = 512;
/**
 * Not counted, before the first run on a cluster: Node compiles the paths that are hot while they
 * run, on the same two cores, so that the first seconds show the compiler and not the program.
 */
const firstWarmUpMs = 5_000;
/** The same before every other run. */
const warmUpMs = 1_500;

const levels = [
  { id: 'submits.1', label: 'submits, 1 in flight', inFlight: 1, batch: 1 },
  { id: 'submits.64', label: 'submits, 64 in flight', inFlight: 64, batch: 1 },
  { id: 'submits.256', label: 'submits, 256 in flight', inFlight: 256, batch: 1 },
  { id: 'submits.batched', label: 'submits, batches of 100, 6 in flight', inFlight: 6, batch: 100 },
] as const;

/** What the nodes have done so far, summed over the nodes. */
async function workOf(cluster: BenchCluster) {
  const shards = await cluster.shards();
  return {
    storeBatches: await cluster.metricSum('tsched_store_batches_total'),
    loopTurns: await cluster.metricSum('tsched_loop_turns_total'),
    frames: await cluster.metricSum('tsched_net_frames_out_total'),
    frameBytes: await cluster.metricSum('tsched_net_bytes_out_total'),
    plans: await cluster.metricSum('tsched_plans_total'),
    logEntries: shards.reduce((sum, shard) => sum + shard.commit, 0),
    cpuMicros: cluster.cpuMs() * 1_000,
  };
}

type Work = Awaited<ReturnType<typeof workOf>>;

const perSubmit = (before: Work, after: Work, submits: number): Record<string, number> =>
  Object.fromEntries(
    Object.entries(after).map(([name, value]) => [
      name,
      rounded((value - before[name as keyof Work]) / submits, 3),
    ]),
  );

async function measureLevel(
  context: BenchContext,
  cluster: BenchCluster,
  heldBefore: number,
  level: (typeof levels)[number],
): Promise<{ row: Row; detail: object }> {
  const { options } = context;
  const document = waitingDocument(specBytes);
  const runs: (LoadResult & { nodesPerSubmit: Record<string, number> })[] = [];
  let acknowledged = 0;
  let uncertain = 0;
  for (let run = 1; run <= options.runs; run++) {
    const before = await workOf(cluster);
    const result = await context.profiled(cluster, `${level.id}-${run}`, () =>
      runLoad(cluster, {
        inFlight: level.inFlight,
        batch: level.batch,
        document,
        until: {
          kind: 'time',
          warmUpMs: run === 1 && !options.quick ? firstWarmUpMs : warmUpMs,
          measureMs: options.seconds * 1_000,
        },
      }),
    );
    const after = await workOf(cluster);
    acknowledged += result.acknowledgedInAll;
    uncertain += result.broken * level.batch + result.refused;
    runs.push({ ...result, nodesPerSubmit: perSubmit(before, after, result.acknowledgedInAll) });
    const rate = rounded(result.acknowledged / (result.measuredMs / 1_000));
    const cpu = rounded(runs.at(-1)!.nodesPerSubmit['cpuMicros']!);
    context.progress(
      `${level.label}: ${rate}/s, p50 ${result.p50Ms} ms, p99 ${result.p99Ms} ms, ` +
        `CPU of all nodes ${cpu} µs each`,
    );
  }
  const { tasks, settled } = await heldTasks(cluster);
  const held = tasks - heldBefore;
  const lost = Math.max(0, acknowledged - held);
  const strange = held - acknowledged > uncertain ? held - acknowledged : 0;
  const rates = runs.map(run => run.acknowledged / (run.measuredMs / 1_000));
  const refused = runs.reduce((sum, run) => sum + run.refused + run.broken, 0);
  const cpuMicros = median(runs.map(run => run.nodesPerSubmit['cpuMicros']!));
  const notes = [
    `p50 ${median(runs.map(run => run.p50Ms))} ms`,
    `p99 ${median(runs.map(run => run.p99Ms))} ms`,
    `CPU of all nodes ${rounded(cpuMicros)} µs each`,
    ...(lost > 0 ? [`LOST ${lost} ACKNOWLEDGED`] : []),
    ...(strange > 0 ? [`${strange} MORE THAN SUBMITTED`] : []),
    ...(settled > 0 ? [`${settled} ran meanwhile`] : []),
    ...(refused > 0 ? [`${refused} refused`] : []),
  ];
  return {
    row: {
      id: level.id,
      label: level.label,
      value: rounded(median(rates)),
      unit: '/s',
      note: notes.join(', '),
    },
    detail: { runs, acknowledged, held, lost, settled },
  };
}

export async function measureSubmits(context: BenchContext): Promise<Measured> {
  const rows: Row[] = [];
  const detail: Record<string, object> = {};
  let cluster: BenchCluster | undefined;
  try {
    for (const level of levels) {
      if (!context.options.quick) await cluster?.stop();
      if (cluster === undefined || !context.options.quick) {
        cluster = await startHeldCluster(context.options);
      }
      const heldBefore = (await heldTasks(cluster)).tasks;
      const measured = await measureLevel(context, cluster, heldBefore, level);
      rows.push(measured.row);
      detail[level.id] = measured.detail;
    }
  } finally {
    await cluster?.stop();
  }
  return { rows, detail };
}
