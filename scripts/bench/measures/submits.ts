/**
 * Durable submits a second, one task a request with 1, 64 and 256 requests under way, and in batches
 * of 100. Each level has a fresh cluster, so that all begin with an empty one. Afterwards the shards
 * are asked how many tasks they hold: not one acknowledged may be missing.
 */
import { heldTasks, startHeldCluster, waitingDocument } from '../held-cluster.ts';
import type { LoadResult } from '../load-job.ts';
import type { BenchContext, Measured, Row } from '../measure.ts';
import { runLoad } from '../run-load.ts';
import { median, rounded } from '../statistics.ts';

const specBytes = 512;
const warmUpMs = 1_500;

const levels = [
  { id: 'submits.1', label: 'submits, 1 in flight', inFlight: 1, batch: 1 },
  { id: 'submits.64', label: 'submits, 64 in flight', inFlight: 64, batch: 1 },
  { id: 'submits.256', label: 'submits, 256 in flight', inFlight: 256, batch: 1 },
  { id: 'submits.batched', label: 'submits, batches of 100, 6 in flight', inFlight: 6, batch: 100 },
] as const;

/** What the nodes did for the submits of one run, summed over the nodes. */
const counted = [
  'tsched_store_batches_total',
  'tsched_loop_turns_total',
  'tsched_net_frames_sent_total',
  'tsched_net_bytes_sent_total',
  'tsched_plans_total',
] as const;

async function countNow(cluster: Parameters<typeof runLoad>[0]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const name of counted) counts[name] = await cluster.metricSum(name);
  return counts;
}

function perSubmit(
  before: Record<string, number>,
  after: Record<string, number>,
  submits: number,
): Record<string, number> {
  const shares = counted.map(name => [
    name.replace(/^tsched_|_total$/g, ''),
    rounded((after[name]! - before[name]!) / submits, 3),
  ]);
  return Object.fromEntries(shares);
}

async function measureLevel(
  context: BenchContext,
  level: (typeof levels)[number],
): Promise<{ row: Row; detail: object }> {
  const { options } = context;
  const cluster = await startHeldCluster(options);
  try {
    const document = waitingDocument(specBytes);
    const runs: (LoadResult & { nodesPerSubmit: Record<string, number> })[] = [];
    let acknowledged = 0;
    let uncertain = 0;
    for (let run = 1; run <= options.runs; run++) {
      const before = await countNow(cluster);
      const result = await context.profiled(cluster, `${level.id}-${run}`, () =>
        runLoad(cluster, {
          inFlight: level.inFlight,
          batch: level.batch,
          document,
          until: { kind: 'time', warmUpMs, measureMs: options.seconds * 1_000 },
        }),
      );
      const after = await countNow(cluster);
      acknowledged += result.acknowledgedInAll;
      uncertain += result.broken * level.batch + result.refused;
      runs.push({ ...result, nodesPerSubmit: perSubmit(before, after, result.acknowledgedInAll) });
      const rate = rounded(result.acknowledged / (result.measuredMs / 1_000));
      context.progress(`${level.label}: ${rate}/s, p50 ${result.p50Ms} ms, p99 ${result.p99Ms} ms`);
    }
    const { tasks: held, settled } = await heldTasks(cluster);
    const lost = Math.max(0, acknowledged - held);
    const strange = held - acknowledged > uncertain ? held - acknowledged : 0;
    const rates = runs.map(run => run.acknowledged / (run.measuredMs / 1_000));
    const refused = runs.reduce((sum, run) => sum + run.refused + run.broken, 0);
    const notes = [
      `p50 ${median(runs.map(run => run.p50Ms))} ms`,
      `p99 ${median(runs.map(run => run.p99Ms))} ms`,
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
  } finally {
    await cluster.stop();
  }
}

export async function measureSubmits(context: BenchContext): Promise<Measured> {
  const rows: Row[] = [];
  const detail: Record<string, object> = {};
  for (const level of levels) {
    const measured = await measureLevel(context, level);
    rows.push(measured.row);
    detail[level.id] = measured.detail;
  }
  return { rows, detail };
}
