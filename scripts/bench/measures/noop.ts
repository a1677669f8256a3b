/**
 * Tasks that do nothing, from the first submit to the last one settled: with real processes
 * (/bin/true) and with the null runner, which settles without one and so shows what everything else
 * costs. Afterwards every task is looked up: all succeeded, none is missing.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type BenchCluster, idleCpus } from '../cluster.ts';
import { placeholder } from '../load-job.ts';
import type { BenchContext, Measured, Row } from '../measure.ts';
import { runLoad } from '../run-load.ts';
import { median, rounded } from '../statistics.ts';

/** A poll costs the polled node about 3 ms of CPU; the error is small beside seconds. */
const pollMs = 50;
const longestMs = 120_000;

interface Kind {
  readonly id: string;
  readonly label: string;
  readonly tasks: number;
  document(name: string): object;
}

const kinds = (context: BenchContext): Kind[] => [
  {
    id: 'noop.process',
    label: 'no-op processes settled',
    tasks: context.options.processTasks,
    document: name => ({ name, command: ['/bin/true'], cpu: 1, env: { N: placeholder } }),
  },
  {
    id: 'noop.null',
    label: 'tasks of the null runner settled',
    tasks: context.options.nullTasks,
    document: name => ({ name, handler: 'null', cpu: 1, env: { N: placeholder } }),
  },
];

/** Tasks that settled on a name, found by listing all of them. */
async function countSettled(
  cluster: BenchCluster,
  name: string,
): Promise<{ succeeded: number; others: number }> {
  let succeeded = 0;
  let others = 0;
  let cursor: string | undefined;
  do {
    const query = `name=${name}&limit=1000${cursor === undefined ? '' : `&cursor=${cursor}`}`;
    const page = await cluster.call<{ tasks: { state: string }[]; cursor?: string }>(
      `/v1/tasks?${query}`,
    );
    for (const task of page.tasks) {
      if (task.state === 'succeeded') succeeded++;
      else others++;
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
  return { succeeded, others };
}

/** Every node has a replica of every shard in a cluster of three, so that one of them sees all. */
async function untilSettled(cluster: BenchCluster, wanted: number): Promise<number> {
  const deadlineMs = performance.now() + longestMs;
  for (;;) {
    const settled = (await cluster.metrics()).get('tsched_settled_total') ?? 0;
    if (settled >= wanted) return Date.now();
    if (performance.now() > deadlineMs) {
      throw new Error(`${settled} of ${wanted} tasks settled after ${longestMs / 1_000} s`);
    }
    await delay(pollMs);
  }
}

interface Run {
  readonly tasks: number;
  readonly rate: number;
  readonly seconds: number;
  /** CPU time of all nodes for one task, and of all supervisors with the tasks themselves. */
  readonly cpuMicros: number;
  readonly supervisorCpuMicros: number;
}

async function runOnce(
  context: BenchContext,
  cluster: BenchCluster,
  kind: Kind,
  name: string,
): Promise<Run> {
  const cpuBefore = { nodes: cluster.cpuMs(), supervisors: cluster.supervisorCpuMs() };
  const before = (await cluster.metrics()).get('tsched_settled_total') ?? 0;
  const { load, endedAtMs } = await context.profiled(cluster, name, async () => {
    const loaded = await runLoad(cluster, {
      inFlight: cluster.nodes.length,
      batch: 100,
      document: JSON.stringify(kind.document(name)),
      until: { kind: 'tasks', tasks: kind.tasks },
    });
    return {
      load: loaded,
      endedAtMs: await untilSettled(cluster, before + loaded.acknowledgedInAll),
    };
  });
  const nodesMs = cluster.cpuMs() - cpuBefore.nodes;
  const supervisorsMs = cluster.supervisorCpuMs() - cpuBefore.supervisors;
  const tasks = load.acknowledgedInAll;
  // A batch whose answer came too late may be there all the same; an acknowledged one has to be.
  const { succeeded, others } = await countSettled(cluster, name);
  if (succeeded < tasks || others !== 0) {
    throw new Error(`${name}: ${tasks} acknowledged, ${succeeded} succeeded, ${others} did not`);
  }
  const seconds = (endedAtMs - load.beganAtMs) / 1_000;
  return {
    tasks,
    rate: tasks / seconds,
    seconds,
    cpuMicros: rounded((nodesMs * 1_000) / tasks),
    supervisorCpuMicros: rounded((supervisorsMs * 1_000) / tasks),
  };
}

export async function measureNoop(context: BenchContext): Promise<Measured> {
  const { options } = context;
  const rows: Row[] = [];
  const detail: Record<string, object> = {};
  const cluster = await context.idleCluster();
  for (const kind of kinds(context)) {
    const runs: Run[] = [];
    // The first seconds of a cluster show Node's compiler; a quick run shows them, too.
    if (!options.quick) await runOnce(context, cluster, kind, `${kind.id}-warm-up`);
    for (let run = 1; run <= options.runs; run++) {
      const done = await runOnce(context, cluster, kind, `${kind.id}-${run}`);
      const { rate, seconds } = done;
      runs.push(done);
      context.progress(
        `${kind.label}: ${rounded(rate)}/s (${done.tasks} in ${rounded(seconds, 1)} s), ` +
          `CPU each: ` +
          `nodes ${done.cpuMicros} µs, supervisors ${done.supervisorCpuMicros} µs`,
      );
    }
    rows.push({
      id: kind.id,
      label: kind.label,
      value: rounded(median(runs.map(run => run.rate))),
      unit: '/s',
      note:
        `${kind.tasks} tasks, ${idleCpus} at a time on each node, all verified, ` +
        `CPU of all nodes ${median(runs.map(run => run.cpuMicros))} µs each`,
    });
    detail[kind.id] = { runs, tasks: kind.tasks };
  }
  return { rows, detail };
}
