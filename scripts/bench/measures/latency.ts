/**
 * From the moment a submit is sent to the moment its process runs, on an idle cluster. The task is
 * `date` and tells its own start by the machine's clock, so that what a process costs to start is
 * in the figure, `date` itself with about a millisecond included.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { BenchContext, Measured } from '../measure.ts';
import { percentile, rounded } from '../statistics.ts';

const pauseMs = 20;
const warmUps = 5;

/** Wall clock in fractions of a millisecond: the moment at which `Date.now` changes, carried on. */
function wallClock(): () => number {
  const before = Date.now();
  let now = before;
  while (now === before) now = Date.now();
  const offset = now - performance.now();
  return () => offset + performance.now();
}

export async function measureLatency(context: BenchContext): Promise<Measured> {
  const { options } = context;
  const cluster = await context.idleCluster();
  const taken: number[] = [];
  const answered: number[] = [];
  for (let number = -warmUps; number < options.latencyTasks; number++) {
    const wallMs = wallClock();
    const node = cluster.nodes[(number + warmUps) % cluster.nodes.length]!;
    const sentMs = wallMs();
    const task = { command: ['/bin/date', '+%s%N'] };
    const { id } = await cluster.call<{ id: string }>('/v1/tasks', task, node);
    const answeredMs = wallMs();
    const wait = `/v1/tasks/${id}/wait?timeout=30s`;
    const { state } = await cluster.call<{ state: string }>(wait, undefined, node);
    if (state !== 'succeeded') throw new Error(`an idle cluster's task is ${state}`);
    const output = await cluster.call<string>(`/v1/tasks/${id}/logs`, undefined, node);
    if (number >= 0) {
      taken.push(Number(output) / 1e6 - sentMs);
      answered.push(answeredMs - sentMs);
    }
    await delay(pauseMs);
  }
  const value = rounded(percentile(taken, 0.5), 1);
  const p99 = rounded(percentile(taken, 0.99), 1);
  context.progress(`idle submit to start: p50 ${value} ms, p99 ${p99} ms`);
  return {
    rows: [
      {
        id: 'latency.p50',
        label: 'idle, submit to start of its process, p50',
        value,
        unit: 'ms',
        note:
          `p99 ${p99} ms of ${taken.length}, acknowledged after p50 ` +
          `${rounded(percentile(answered, 0.5), 1)} ms`,
      },
    ],
    detail: { p50Ms: value, p99Ms: p99, takenMs: taken.map(one => rounded(one, 2)) },
  };
}
