/**
 * What really ran, from the supervisors' own books, in the world's time: no two processes of one
 * task, or of tasks with one order key, at the same time, no attempt twice, no machine over its
 * capacity; and what was recorded is what happened, once for each task.
 */
import type { ShardCommand } from '../../../src/model/command.ts';
import { type Resources, resourceNames } from '../../../src/model/resources.ts';
import { decodeSpec } from '../../../src/model/spec.ts';
import { workflowTaskId } from '../../../src/model/workflow.ts';
import type { Effect } from '../../../src/shard/effects.ts';
import type { ShardMachine } from '../../../src/shard/machine.ts';
import type { SimCluster } from '../cluster.ts';
import type { AttemptInterval } from '../sim-runner.ts';
import type { Trace } from '../trace.ts';
import { check } from '../violation.ts';
import type { CommittedListener } from './committed.ts';

interface Running {
  readonly machine: string;
  readonly interval: AttemptInterval;
  readonly request: Resources;
}

export class AttemptsChecker implements CommittedListener {
  readonly #trace: Trace;
  /** What each committed task asks for. */
  readonly #requests = new Map<string, Resources>();
  /** The line that a task with an order key stands in. */
  readonly #lines = new Map<string, string>();
  /** By task or line; more than one only while all but one are on machines that stand still. */
  readonly #running = new Map<string, Running[]>();
  readonly #started = new Set<string>();
  /** Where each assignment was to run: `task.fence` to node. */
  readonly #assigned = new Map<string, string>();
  /** Tasks of each gang, and the gang of each. */
  readonly #gangs = new Map<string, readonly string[]>();
  readonly #gangOf = new Map<string, string>();
  readonly #lastFence = new Map<string, number>();
  readonly #settled = new Map<string, string>();
  /** Intervals of each machine that were looked at. */
  readonly #taken = new Map<string, number>();
  starts = 0;

  /** With clocks that no lease allows for, two attempts of a task may live at once. */
  readonly #mayOverlap: boolean;

  constructor(trace: Trace, options: { readonly mayOverlap: boolean }) {
    this.#trace = trace;
    this.#mayOverlap = options.mayOverlap;
  }

  get settled(): ReadonlyMap<string, string> {
    return this.#settled;
  }

  /** Fence of the newest assignment of a task; 0 before the first. */
  fenceOf(taskId: string): number {
    return this.#lastFence.get(taskId) ?? 0;
  }

  /** Looks at the books of one machine; called after every event of its supervisor or node. */
  look(cluster: SimCluster, machine: string, intervals: readonly AttemptInterval[]): void {
    for (const [unit, all] of this.#running) {
      const living = all.filter(running => running.interval.endMs === undefined);
      if (living.length === all.length) continue;
      for (const { machine, interval } of all) {
        if (interval.endMs === undefined) continue;
        this.#trace.note(machine, `process of ${interval.key} ended`);
      }
      if (living.length === 0) this.#running.delete(unit);
      else this.#running.set(unit, living);
    }
    for (let at = this.#taken.get(machine) ?? 0; at < intervals.length; at++) {
      this.#start(cluster, machine, intervals[at]!);
    }
    this.#taken.set(machine, intervals.length);
    for (const all of this.#running.values()) if (all.length > 1) this.#alone(cluster, all);
  }

  /** What stands still does nothing; as soon as it goes on it has to be over. */
  #alone(cluster: SimCluster, all: readonly Running[]): void {
    if (this.#mayOverlap) return;
    const going = all.filter(
      ({ machine }) => cluster.machine(machine)?.runner.standsStill !== true,
    );
    const [first, second] = going;
    check(
      second === undefined,
      () =>
        `${second?.interval.key} lives on ${second?.machine} while ${first?.interval.key} lives ` +
        `on ${first?.machine}`,
    );
  }

  #start(cluster: SimCluster, machine: string, interval: AttemptInterval): void {
    const { key, taskId } = interval;
    this.starts++;
    this.#trace.note(machine, `process of ${key} started`);
    check(!this.#started.has(key), () => `attempt ${key} was started twice`);
    this.#started.add(key);
    const node = this.#assigned.get(key);
    check(node !== undefined, () => `attempt ${key} runs on ${machine} and was never assigned`);
    check(node === machine, () => `attempt ${key} of ${node} runs on ${machine}`);
    this.#checkGang(taskId, interval);
    const request = this.#requests.get(taskId);
    check(request !== undefined, () => `attempt ${key} of a task that nobody submitted`);
    if (interval.endMs === undefined) {
      const unit = this.#lines.get(taskId) ?? taskId;
      const others = this.#running.get(unit) ?? [];
      this.#running.set(unit, [...others, { machine, interval, request }]);
    }
    const total = cluster.machine(machine)?.total;
    for (const name of resourceNames) {
      let used = 0;
      for (const running of [...this.#running.values()].flat()) {
        if (running.machine === machine) used += running.request[name];
      }
      check(
        used <= (total?.[name] ?? 0),
        () => `${machine} runs ${used} of ${name}, has ${total?.[name]}`,
      );
    }
  }

  /** Nothing of a gang starts unless all that is left of it was assigned by the same item. */
  #checkGang(taskId: string, { key }: AttemptInterval): void {
    const members = this.#gangs.get(this.#gangOf.get(taskId) ?? '') ?? [];
    const fence = key.slice(taskId.length);
    for (const member of members) {
      const isPart = this.#assigned.has(`${member}${fence}`) || this.#settled.has(member);
      check(isPart, () => `${key} of a gang was started, and ${member} was not assigned with it`);
    }
  }

  applied(
    group: number,
    command: ShardCommand,
    effects: readonly Effect[],
    machine: ShardMachine,
  ): void {
    if (command.kind === 'submit' || command.kind === 'replay') {
      const specs = command.specs.map(({ bytes }) => decodeSpec(bytes));
      for (const { id, spec: place, arrayId } of command.items) {
        const spec = specs[place];
        if (spec === undefined || this.#requests.has(id)) continue;
        this.#requests.set(id, spec.request);
        if (spec.orderKey !== undefined) this.#lines.set(id, `${spec.tenant} ${spec.orderKey}`);
        if (spec.gang === undefined || arrayId === undefined) continue;
        const members = this.#gangs.get(arrayId) ?? [];
        this.#gangs.set(arrayId, [...members, id]);
        this.#gangOf.set(id, arrayId);
      }
    }
    if (command.kind === 'submitWorkflow') {
      command.items.forEach(({ spec }, place) => {
        const id = workflowTaskId(command.workflow.id, command.from + place);
        const bytes = command.specs[spec]?.bytes;
        if (bytes && !this.#requests.has(id)) this.#requests.set(id, decodeSpec(bytes).request);
      });
    }
    for (const effect of effects) {
      if (effect.kind === 'assigned') {
        this.#onAssigned(group, command, effect);
        // Made by no submit: by a schedule.
        const made = machine.attempt(effect.taskId, effect.fence);
        if (made !== undefined && !this.#requests.has(effect.taskId)) {
          this.#requests.set(effect.taskId, made.demand.request);
        }
      } else if (effect.kind === 'settled') {
        const before = this.#settled.get(effect.taskId);
        check(
          before === undefined,
          () => `task ${effect.taskId} settled twice: ${before}, then ${effect.state}`,
        );
        this.#settled.set(effect.taskId, effect.state);
        this.#trace.note(`s${group}`, `${effect.taskId} ${effect.state} by ${command.kind}`);
      }
    }
  }

  #onAssigned(
    group: number,
    command: ShardCommand,
    effect: { readonly taskId: string; readonly fence: number },
  ): void {
    const { taskId, fence } = effect;
    const last = this.#lastFence.get(taskId) ?? 0;
    check(fence > last, () => `fence ${fence} of ${taskId} after ${last}`);
    this.#lastFence.set(taskId, fence);
    if (command.kind !== 'assign' && command.kind !== 'assignGang') return;
    const items =
      command.kind === 'assign' ? command.items : command.items.flatMap(({ members }) => members);
    const item = items.find(one => one.taskId === taskId);
    if (item === undefined) return;
    this.#assigned.set(`${taskId}.${fence}`, item.node);
    this.#trace.note(`s${group}`, `assigned ${taskId}.${fence} to ${item.node}`);
  }
}
