/**
 * A simulated cluster for the planner: workers that run, queue or refuse what they are sent, and
 * leaders that know them only from advertisements up to a second old. Virtual time in steps of
 * `stepMs`, everything from one seed.
 */

import type { NodeView, ReadyTask } from '../../src/model/planning.ts';
import { noResources } from '../../src/model/resources.ts';
import { coolDownMs } from '../../src/placement/cool-down.ts';
import { plan } from '../../src/placement/plan.ts';
import { createDraw } from '../../src/placement/random.ts';
import { cpus, demand, lane, readyTask, taskId, view } from '../unit/placement/builders.ts';

const stepMs = 25;
const queueMax = 8;

class Worker {
  readonly node: string;
  readonly count: number;
  readonly queueMax: number;
  /** Ends of what runs. */
  #ends: number[] = [];
  #queue: number[] = [];
  started = 0;
  busiest = 0;

  constructor(node: string, count: number) {
    this.node = node;
    this.count = count;
    this.queueMax = Math.min(queueMax, count);
  }

  get idle(): boolean {
    return this.#ends.length === 0 && this.#queue.length === 0;
  }

  /** Takes one task of one CPU, or refuses it. */
  offer(durationMs: number, nowMs: number): boolean {
    if (this.#ends.length < this.count && this.#queue.length === 0) this.#start(durationMs, nowMs);
    else if (this.#queue.length < this.queueMax) this.#queue.push(durationMs);
    else return false;
    return true;
  }

  advance(nowMs: number): void {
    this.#ends = this.#ends.filter(end => end > nowMs);
    while (this.#ends.length < this.count) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#start(next, nowMs);
    }
  }

  advertise(): NodeView {
    const free = Math.max(0, this.count - this.#ends.length - this.#queue.length);
    const queueRoom = this.queueMax - this.#queue.length;
    const queued = this.#queue.length;
    return view(this.node, this.count, { advertisement: { free: cpus(free), queueRoom, queued } });
  }

  #start(durationMs: number, nowMs: number): void {
    this.#ends.push(nowMs + durationMs);
    this.started += 1;
    this.busiest = Math.max(this.busiest, this.#ends.length);
  }
}

interface Heard {
  readonly view: NodeView;
  readonly atMs: number;
  reserved: number;
  coolDownUntilMs: number;
  /** Refusals in a row. */
  refusals: number;
}

export interface ClusterRun {
  readonly started: Record<string, number>;
  readonly busiest: Record<string, number>;
  readonly refusals: number;
  readonly tookMs: number;
  /** Share of the CPUs that were busy over the whole run. */
  readonly use: number;
}

export interface ClusterOptions {
  readonly seed: number;
  readonly cpus: readonly number[];
  readonly leaders: number;
  readonly tasks: number;
  /** Tasks run between half and one and a half of this. */
  readonly durationMs: number;
  readonly advertMs: number;
}

const one = demand(1);

/** Runs all tasks; throws where they do not end within 1,000 times the shortest time possible. */
export function runCluster(options: ClusterOptions): ClusterRun {
  const draw = createDraw(options.seed);
  const workers = options.cpus.map((count, position) => new Worker(`n${position}`, count));
  const offsets = workers.map(() => Math.floor(draw() * options.advertMs));
  const leaders = Array.from({ length: options.leaders }, () => ({
    ready: [] as ReadyTask[],
    heard: new Map<string, Heard>(),
  }));
  for (let number = 0; number < options.tasks; number++) {
    const leader = leaders[number % leaders.length];
    leader?.ready.push(readyTask(taskId(number), 0));
  }
  const total = options.cpus.reduce((left, right) => left + right, 0);
  const durations = Array.from({ length: options.tasks }, () =>
    Math.ceil((0.5 + draw()) * options.durationMs),
  );
  const work = durations.reduce((left, right) => left + right, 0);
  let refusals = 0;
  let nowMs = 0;
  for (; nowMs < (1_000 * work) / total + 60_000; nowMs += stepMs) {
    for (const worker of workers) worker.advance(nowMs);
    workers.forEach((worker, position) => {
      if ((nowMs + (offsets[position] ?? 0)) % options.advertMs >= stepMs && nowMs > 0) return;
      const heard = worker.advertise();
      for (const leader of leaders) {
        const before = leader.heard.get(worker.node) ?? { coolDownUntilMs: 0, refusals: 0 };
        leader.heard.set(worker.node, { ...before, view: heard, atMs: nowMs, reserved: 0 });
      }
    });
    for (const leader of leaders) {
      if (leader.ready.length === 0) continue;
      const made = plan({
        batches: [{ lane: lane(one), tasks: leader.ready, count: leader.ready.length }],
        nodes: [...leader.heard.values()].map(heard => ({
          ...heard.view,
          ageMs: nowMs - heard.atMs,
          reserved: { ...noResources, cpuMilli: heard.reserved * 1_000 },
          reservedCount: heard.reserved,
          coolDownUntilMs: heard.coolDownUntilMs,
        })),
        nowMs,
        maxPlacements: 256,
        seed: Math.floor(draw() * 2 ** 32),
      });
      for (const { taskId: id, node } of made.placements) {
        const heard = leader.heard.get(node);
        const worker = workers.find(other => other.node === node);
        if (heard === undefined || worker === undefined) throw new Error(`placed on ${node}`);
        if (worker.offer(durations[durations.length - 1] ?? 1, nowMs)) {
          durations.pop();
          heard.reserved += 1;
          heard.refusals = 0;
          leader.ready = leader.ready.filter(task => task.id !== id);
        } else {
          refusals += 1;
          heard.refusals += 1;
          heard.coolDownUntilMs = nowMs + coolDownMs(heard.refusals, Math.floor(draw() * 2 ** 32));
        }
      }
    }
    if (
      workers.every(worker => worker.idle) &&
      leaders.every(leader => leader.ready.length === 0)
    ) {
      const started: Record<string, number> = {};
      const busiest: Record<string, number> = {};
      for (const worker of workers) {
        started[worker.node] = worker.started;
        busiest[worker.node] = worker.busiest;
      }
      return { started, busiest, refusals, tookMs: nowMs, use: work / (total * nowMs) };
    }
  }
  throw new Error(`not done after ${nowMs} ms`);
}
