/**
 * How much each tenant may still start from the shards led here. For every tenant whose plan bounds
 * what its tasks hold, this node reports to the tenant's home what they do hold and gets a ceiling
 * (`quota/ceilings.ts`); the planner is offered no task that would go over it.
 *
 * Within a tenant the first task that does not fit holds back those behind it: a large one would
 * wait for ever else. What may be held off the peak comes last: the planner may leave it where it
 * is, and room that is spent on it would be nobody's.
 */
import { TschedError } from '../model/errors.ts';
import type { NodeId, TaskId } from '../model/ids.ts';
import { boundsUse, type Plan } from '../model/plan.ts';
import type { ReadyBatch } from '../model/planning.ts';
import type { Resources } from '../model/resources.ts';
import { type SlotTable, tenantSlot } from '../model/slots.ts';
import { isUrgent } from '../model/start-bound.ts';
import { isNextBefore, type Next } from '../placement/order.ts';
import {
  type Bounded,
  type Bounds,
  boundedNames,
  ceilingMs,
  ownCeiling,
  type UseReport,
} from '../quota/ceilings.ts';
import { noUse, type TenantUse } from '../shard/memory/tenant-use.ts';
import { background, type NodeContext } from './context.ts';
import type { PlacementRooms } from './placement-desk.ts';
import type { Scheduler } from './scheduler.ts';
import { addUse } from './tenancy.ts';
import { boundsOf, type Ceilings, type UseReports } from './tenant-homes.ts';

const reportMs = 1_000;
/** A tenant that needs more is reported sooner, but not all the time. */
const soonMs = 100;
/** Nothing is started on a tenant's behalf before its home was asked for so long. */
const homeWaitMs = 1_500;
/** While tasks are held back, the planner looks again this often at least. */
const lookMs = 500;
const answerMs = 700;

interface Room {
  ceiling: Bounds | undefined;
  untilMs: number;
  /** Since when there has been no ceiling. */
  readonly wantedMs: number;
  /** What the first task needs that was held back. */
  next: Bounded | undefined;
  /** A report is under way: see `UseReport.goesBy`. */
  asking: boolean;
}

/** One tenant of a report to a home. */
interface Entry {
  readonly tenant: string;
  readonly shard: number;
  readonly room: Room;
  readonly report: UseReport;
}

/** Of so many tasks that start together. */
const boundedOf = (request: Resources, count: number): Bounded => ({
  running: count,
  cpuMilli: count * request.cpuMilli,
  memoryBytes: count * request.memoryBytes,
});

const add = (left: Bounded, right: Bounded): Bounded => ({
  running: left.running + right.running,
  cpuMilli: left.cpuMilli + right.cpuMilli,
  memoryBytes: left.memoryBytes + right.memoryBytes,
});

const fits = (use: Bounded, ceiling: Bounds): boolean =>
  boundedNames.every(name => use[name] <= (ceiling[name] ?? use[name]));

/** The planner may find the cluster busy and leave it for later. */
const mayBeHeld = ({ lane, urgent }: Next): boolean => lane.offPeak !== undefined && !urgent;

export class TenantRooms implements PlacementRooms {
  readonly #context: NodeContext;
  readonly #scheduler: Scheduler;
  readonly #planOf: (tenant: string) => Plan | undefined;
  readonly #table: () => SlotTable;
  readonly #nodes: () => number;
  readonly #rooms = new Map<string, Room>();
  /** Tasks of bounded tenants that the planner was offered and that may be on their way. */
  readonly #offered = new Map<TaskId, { readonly tenant: string; readonly needs: Bounded }>();
  /** Tasks whose assignment is on its way through the log. */
  #placing: { has(id: TaskId): boolean } = new Set();
  /** Tenants whose tasks were held back at the last plan. */
  #held = new Set<string>();
  #reportedMs = Number.NEGATIVE_INFINITY;
  #cancelReport: () => void;
  #cancelLook: (() => void) | undefined;
  #stopped = false;

  constructor(deps: {
    readonly context: NodeContext;
    readonly scheduler: Scheduler;
    readonly planOf: (tenant: string) => Plan | undefined;
    readonly table: () => SlotTable;
    readonly nodes: () => number;
  }) {
    this.#context = deps.context;
    this.#scheduler = deps.scheduler;
    this.#planOf = deps.planOf;
    this.#table = deps.table;
    this.#nodes = deps.nodes;
    this.#cancelReport = this.#context.clock.after(reportMs, () => this.#report());
  }

  /** What the tenant's tasks hold in the shards led here. */
  useHere(tenant: string): TenantUse {
    let use = noUse;
    for (const { machine } of this.#scheduler.leaders()) {
      use = addUse(use, machine.uses.of(tenant));
    }
    return use;
  }

  /** Whether tasks of the tenant wait because of its quota. */
  holdsBack(tenant: string): boolean {
    return this.#held.has(tenant);
  }

  /** The batches without what would go over a tenant's ceiling. */
  trim(
    batches: readonly ReadyBatch[],
    placing: { has(id: TaskId): boolean },
  ): readonly ReadyBatch[] {
    this.#placing = placing;
    this.#forgetPlaced();
    const held = new Set<string>();
    const spent = new Map<string, Bounded>();
    const plans = new Map<string, Plan | undefined>();
    for (const { lane } of batches) {
      if (!plans.has(lane.tenant)) plans.set(lane.tenant, this.#planOf(lane.tenant));
    }
    const nowMs = this.#context.clock.wallMs();
    const bounded = batches
      .filter(({ lane }) => {
        const plan = plans.get(lane.tenant);
        return plan !== undefined && boundsUse(plan);
      })
      .flatMap(({ lane, tasks }) =>
        tasks.map(task => ({ lane, task, urgent: isUrgent(task.boundMs, nowMs) })),
      );
    if (bounded.length === 0) {
      this.#held = held;
      return batches;
    }
    bounded.sort((left, right) => {
      const byRelease = Number(mayBeHeld(left)) - Number(mayBeHeld(right));
      return byRelease !== 0 ? byRelease : isNextBefore(left, right) ? -1 : 1;
    });
    const out = new Set<TaskId>();
    for (const { lane, task } of bounded) {
      const { id } = task;
      const { tenant } = lane;
      const needs = boundedOf(lane.demand.request, task.gang?.length ?? 1);
      const use = add(spent.get(tenant) ?? this.#useWithOffered(tenant), needs);
      if (!held.has(tenant) && fits(use, this.#ceiling(tenant, plans.get(tenant)!))) {
        spent.set(tenant, use);
        this.#offered.set(id, { tenant, needs });
        continue;
      }
      out.add(id);
      if (!held.has(tenant)) this.#room(tenant).next = needs;
      held.add(tenant);
    }
    this.#held = held;
    if (out.size === 0) return batches;
    this.#soon();
    return batches
      .map(batch => ({ ...batch, tasks: batch.tasks.filter(({ id }) => !out.has(id)) }))
      .filter(({ tasks }) => tasks.length > 0);
  }

  #forgetPlaced(): void {
    for (const id of this.#offered.keys()) if (!this.#placing.has(id)) this.#offered.delete(id);
  }

  #useWithOffered(tenant: string): Bounded {
    let use: Bounded = this.useHere(tenant);
    for (const offered of this.#offered.values()) {
      if (offered.tenant === tenant) use = add(use, offered.needs);
    }
    return use;
  }

  #room(tenant: string): Room {
    let room = this.#rooms.get(tenant);
    if (room === undefined) {
      const wantedMs = this.#context.clock.nowMs();
      room = { ceiling: undefined, untilMs: 0, wantedMs, next: undefined, asking: false };
      this.#rooms.set(tenant, room);
    }
    return room;
  }

  #ceiling(tenant: string, plan: Plan): Bounds {
    const room = this.#room(tenant);
    const nowMs = this.#context.clock.nowMs();
    if (room.ceiling !== undefined && nowMs < room.untilMs) return room.ceiling;
    const isLost = nowMs - Math.max(room.wantedMs, room.untilMs) >= homeWaitMs;
    if (isLost) return ownCeiling(boundsOf(plan), this.#nodes());
    return { running: 0 };
  }

  /** Something is held back: its home is asked soon, and the planner looks again. */
  #soon(): void {
    const { clock } = this.#context;
    this.#cancelReport();
    const sinceMs = clock.nowMs() - this.#reportedMs;
    this.#cancelReport = clock.after(Math.max(0, soonMs - sinceMs), () => this.#report());
    this.#cancelLook ??= clock.after(lookMs, () => {
      this.#cancelLook = undefined;
      this.#scheduler.wake();
    });
  }

  #report(): void {
    if (this.#stopped) return;
    const { clock } = this.#context;
    this.#reportedMs = clock.nowMs();
    this.#cancelReport = clock.after(reportMs, () => this.#report());
    const uses = new Map<string, TenantUse>();
    for (const { machine } of this.#scheduler.leaders()) {
      for (const [tenant, use] of machine.uses.all()) {
        uses.set(tenant, addUse(uses.get(tenant) ?? noUse, use));
      }
    }
    for (const tenant of this.#rooms.keys()) {
      if (!uses.has(tenant)) this.#rooms.delete(tenant);
    }
    this.#forgetPlaced();
    const byNode = new Map<NodeId, Entry[]>();
    for (const [tenant, { waiting }] of uses) {
      const plan = this.#planOf(tenant);
      if (plan === undefined || !(boundsUse(plan) || plan.waiting !== undefined)) continue;
      const shard = this.#table()[tenantSlot(tenant)];
      const home = shard === undefined ? undefined : this.#context.leaderOf(shard);
      if (shard === undefined || home === undefined) continue;
      const room = this.#room(tenant);
      if (room.asking) continue;
      const { running, cpuMilli, memoryBytes } = this.#useWithOffered(tenant);
      const use = { running, cpuMilli, memoryBytes };
      const goesBy = clock.nowMs() < room.untilMs ? room.ceiling : undefined;
      const entry = { tenant, shard, room, report: { use, waiting, next: room.next, goesBy } };
      room.next = undefined;
      room.asking = true;
      byNode.set(home, [...(byNode.get(home) ?? []), entry]);
    }
    for (const [home, entries] of byNode) {
      background(this.#context, 'report what tenants hold', this.#tell(home, entries));
    }
  }

  async #tell(home: NodeId, entries: readonly Entry[]): Promise<void> {
    const { clock, peers } = this.#context;
    const askedMs = clock.nowMs();
    const body: UseReports = {
      reports: entries.map(({ tenant, shard, report }) => ({ tenant, shard, ...report })),
    };
    let told: Ceilings;
    try {
      told = await peers.ask<Ceilings>(home, 'tenantReports', body, answerMs);
    } catch (error) {
      if (!(error instanceof TschedError)) throw error;
      return;
    } finally {
      for (const { room } of entries) room.asking = false;
    }
    let grew = false;
    entries.forEach(({ tenant, room }, position) => {
      const ceiling = told[position];
      if (ceiling === undefined || ceiling === null) return;
      room.ceiling = ceiling;
      room.untilMs = askedMs + ceilingMs;
      grew ||= this.#held.has(tenant);
    });
    if (grew) this.#scheduler.wake();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelReport();
    this.#cancelLook?.();
  }
}
