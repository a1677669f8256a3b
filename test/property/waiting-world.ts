/**
 * A small world for the planner: leaders that share nodes, tasks that take as long as they say, in
 * virtual time by steps. Leaders see each other's claims a step late, and else the truth.
 */
import type { Claim } from '../../src/model/advertisement.ts';
import { assert } from '../../src/model/assert.ts';
import { parseTaskId } from '../../src/model/ids.ts';
import type { Demand, Lane, NodeView, ReadyBatch, ReadyTask } from '../../src/model/planning.ts';
import { isTaskBefore } from '../../src/placement/order.ts';
import { plan } from '../../src/placement/plan.ts';
import { amountsOf } from '../../src/placement/room.ts';
import { cpus, demand, lane, taskId, view } from '../unit/placement/builders.ts';

const stepMs = 100;
const offeredMax = 64;
const dayMs = 86_400_000;

export interface Job {
  readonly cpu: number;
  readonly durationMs: number;
  readonly tenant?: string | undefined;
  readonly toleranceMs?: number | undefined;
  readonly capMs?: number | undefined;
  readonly leader?: number | undefined;
  /** So many of it start together, each with as much. */
  readonly gang?: number | undefined;
}

interface Waiting {
  readonly job: Job;
  readonly lane: Lane;
  readonly task: ReadyTask;
}

interface Running extends Waiting {
  readonly leader: number;
  readonly startedMs: number;
}

interface Leader {
  waiting: Waiting[];
  claims: readonly Claim[];
}

export class WaitingWorld {
  nowMs = 0;
  /** When each job was started, by its number. */
  readonly startedMs = new Map<number, number>();
  readonly #nodes: { readonly id: string; readonly cpu: number; running: Running[] }[];
  readonly #leaders: Leader[];
  readonly #demands = new Map<string, Demand>();
  #jobs = 0;

  constructor(options: { readonly nodes: readonly number[]; readonly leaders?: number }) {
    this.#nodes = options.nodes.map((cpu, at) => ({ id: `n${at}`, cpu, running: [] }));
    this.#leaders = Array.from({ length: options.leaders ?? 1 }, () => ({
      waiting: [],
      claims: [],
    }));
  }

  /** Adds a job to the queue of its leader; returns its number, of a gang that of the first. */
  submit(job: Job): number {
    const number = this.#jobs;
    const { gang } = job;
    this.#jobs += gang ?? 1;
    const key = `${job.cpu} ${gang}`;
    const of = this.#demands.get(key) ?? demand(job.cpu, gang === undefined ? {} : { gang });
    this.#demands.set(key, of);
    const members = Array.from({ length: gang ?? 0 }, (_, n) => ({
      id: taskId(number + n),
      avoid: [],
    }));
    const task = {
      id: taskId(number),
      readySinceMs: this.nowMs,
      boundMs: this.nowMs + (job.toleranceMs ?? dayMs),
      capMs: job.capMs ?? 0,
      avoid: [],
      gang: gang === undefined ? undefined : members,
    };
    const at = (job.leader ?? number) % this.#leaders.length;
    this.#leaders[at]!.waiting.push({ job, lane: lane(of, { tenant: job.tenant }), task });
    return number;
  }

  waiting(tenant = 'default'): number {
    return this.#leaders.flatMap(leader => leader.waiting).filter(one => one.lane.tenant === tenant)
      .length;
  }

  /** CPUs that run tasks of a tenant, or of all. */
  busy(tenant?: string): number {
    let cpu = 0;
    for (const { running } of this.#nodes) {
      for (const one of running) {
        if (tenant === undefined || one.lane.tenant === tenant) cpu += one.job.cpu;
      }
    }
    return cpu;
  }

  step(): void {
    this.nowMs += stepMs;
    for (const node of this.#nodes) {
      node.running = node.running.filter(
        ({ startedMs, job }) => startedMs + job.durationMs > this.nowMs,
      );
    }
    const claimed = this.#leaders.map(leader => leader.claims);
    for (const [at, leader] of this.#leaders.entries()) this.#plan(leader, at, claimed);
  }

  #views(): NodeView[] {
    return this.#nodes.map(node => {
      const free = cpus(node.cpu - usedOn(node));
      return view(node.id, node.cpu, { advertisement: { free } });
    });
  }

  #plan(leader: Leader, at: number, claimed: readonly (readonly Claim[])[]): void {
    const made = plan({
      batches: batchesOf(leader.waiting),
      nodes: this.#views(),
      nowMs: this.nowMs,
      maxPlacements: 256,
      seed: this.nowMs + at,
      shareOf: tenant => ({ held: [this.busy(tenant) * 1_000], weight: 1 }),
      foreignClaims: claimed.flatMap((claims, other) => (other === at ? [] : claims)),
      claimsBefore: leader.claims,
      running: id => this.#runningFor(at, id),
    });
    leader.claims = made.claims;
    const stood = new Map(leader.waiting.map(one => [one.task.id, one]));
    for (const { taskId: id, node: to, gang } of made.placements) {
      const node = this.#nodes.find(other => other.id === to)!;
      const placed = stood.get(gang ?? id)!;
      leader.waiting = leader.waiting.filter(other => other !== placed);
      node.running.push({ ...placed, leader: at, startedMs: this.nowMs });
      this.startedMs.set(parseTaskId(id)!.random, this.nowMs);
    }
    for (const node of this.#nodes) {
      assert(node.cpu >= usedOn(node), `node ${node.id} holds what runs there`);
    }
  }

  #runningFor(leader: number, id: string) {
    const node = this.#nodes.find(other => other.id === id)!;
    return node.running
      .filter(one => one.leader === leader)
      .map(({ job, startedMs, lane: of }) => ({
        amounts: amountsOf(of.demand),
        endsMs: job.capMs === undefined ? undefined : startedMs + job.capMs,
      }));
  }
}

const usedOn = ({ running }: { readonly running: readonly Running[] }): number =>
  running.reduce((sum, { job }) => sum + job.cpu, 0);

function batchesOf(waiting: readonly Waiting[]): ReadyBatch[] {
  const lanes = new Map<string, { lane: Lane; tasks: ReadyTask[] }>();
  for (const { lane: of, task } of waiting) {
    const known = lanes.get(of.key) ?? { lane: of, tasks: [] };
    lanes.set(of.key, known);
    known.tasks.push(task);
  }
  return [...lanes.values()].map(({ lane: of, tasks }) => ({
    lane: of,
    count: tasks.length,
    tasks: tasks.sort((l, r) => (isTaskBefore(l, r) ? -1 : 1)).slice(0, offeredMax),
  }));
}
