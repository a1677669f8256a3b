/**
 * The scheduler that the study measures against: one queue, perfect knowledge of what is free, and
 * no delay between a decision and its effect. Greedy: whenever something comes or ends it starts
 * all that fits, oldest first, passing by what does not, each on the node of the lowest tier that
 * suffices on which it leaves least. It does not know how long tasks take; no scheduler does.
 *
 * It shares no code with the real one, and is fair to nobody: what fits is started.
 */
import { type Resources, tierRank } from '../../src/model/resources.ts';
import { VirtualTime } from '../../test/simulation/virtual-time.ts';
import type { Job, Trace, TraceNode } from './trace.ts';

interface Room {
  readonly node: TraceNode;
  readonly rank: number;
  cpuMilli: number;
  memoryBytes: number;
}

interface Waiting {
  readonly request: Resources;
  readonly rank: number;
  /** Numbers of tasks, oldest first. */
  readonly jobs: number[];
}

/** When each task started and ended, by number. */
export interface Times {
  readonly startedMs: Float64Array;
  readonly endedMs: Float64Array;
}

export function runOmniscient(trace: Trace): Times {
  const time = new VirtualTime();
  const startedMs = new Float64Array(trace.jobs.length).fill(Number.NaN);
  const endedMs = new Float64Array(trace.jobs.length).fill(Number.NaN);
  const rooms: Room[] = trace.nodes.map(node => ({
    node,
    rank: tierRank(node.tier),
    cpuMilli: node.total.cpuMilli,
    memoryBytes: node.total.memoryBytes,
  }));
  const demands = new Map<string, Waiting>();

  const start = (number: number, job: Job, room: Room): void => {
    room.cpuMilli -= job.request.cpuMilli;
    room.memoryBytes -= job.request.memoryBytes;
    startedMs[number] = time.nowMs;
    endedMs[number] = time.nowMs + job.durationMs;
    time.after(job.durationMs, () => {
      room.cpuMilli += job.request.cpuMilli;
      room.memoryBytes += job.request.memoryBytes;
      startAll();
    });
  };
  const startAll = (): void => {
    // A demand that fits nowhere fits nowhere for its later tasks either.
    const open = [...demands.values()].filter(({ jobs }) => jobs.length > 0);
    while (open.length > 0) {
      const first = open.reduce((a, b) => (b.jobs[0]! < a.jobs[0]! ? b : a));
      const room = bestRoom(rooms, first);
      if (room !== undefined) {
        const number = first.jobs.shift()!;
        start(number, trace.jobs[number]!, room);
        if (first.jobs.length > 0) continue;
      }
      open.splice(open.indexOf(first), 1);
    }
  };
  for (const [number, job] of trace.jobs.entries()) {
    time.after(job.atMs, () => {
      const { cpuMilli, memoryBytes } = job.request;
      const key = `${job.tier} ${cpuMilli} ${memoryBytes}`;
      let waiting = demands.get(key);
      if (waiting === undefined) {
        waiting = { request: job.request, rank: tierRank(job.tier), jobs: [] };
        demands.set(key, waiting);
      }
      waiting.jobs.push(number);
      if (trace.jobs[number + 1]?.atMs !== job.atMs) startAll();
    });
  }
  while (time.step());
  return { startedMs, endedMs };
}

function bestRoom(rooms: readonly Room[], { request, rank }: Waiting): Room | undefined {
  let best: Room | undefined;
  for (const room of rooms) {
    if (room.rank < rank) continue;
    if (room.cpuMilli < request.cpuMilli || room.memoryBytes < request.memoryBytes) continue;
    const isBetter =
      best === undefined ||
      room.rank < best.rank ||
      (room.rank === best.rank && room.cpuMilli < best.cpuMilli);
    if (isBetter) best = room;
  }
  return best;
}
