/** Nodes, demands and ready tasks with visible defaults, for the planner's tests. */
import type { Advertisement } from '../../../src/model/advertisement.ts';
import { formatTaskId, type TaskId } from '../../../src/model/ids.ts';
import type { Demand, Lane, NodeView, ReadyBatch, ReadyTask } from '../../../src/model/planning.ts';
import { noResources, type Resources } from '../../../src/model/resources.ts';

export const cpus = (count: number): Resources => ({ ...noResources, cpuMilli: count * 1_000 });

export const taskId = (number: number): TaskId =>
  formatTaskId({ atMs: 1_000, slot: 0, random: number });

interface ViewChanges extends Partial<Omit<NodeView, 'advertisement'>> {
  advertisement?: Partial<Advertisement>;
}

/** An idle node of tier basic with so many CPUs. */
export function view(node: string, count: number, changes: ViewChanges = {}): NodeView {
  return {
    ageMs: 100,
    reserved: noResources,
    reservedCount: 0,
    coolDownUntilMs: 0,
    ...changes,
    advertisement: {
      node,
      name: `name-${node}`,
      boot: 1,
      sequence: 1,
      incarnation: `inc-${node}`,
      tier: 'basic',
      total: cpus(count),
      free: cpus(count),
      labels: [],
      running: 0,
      queued: 0,
      queueRoom: 0,
      leads: [],
      draining: false,
      httpAddress: '',
      registryIndex: 0,
      ...changes.advertisement,
    },
  };
}

export function demand(count: number, changes: Partial<Demand> = {}): Demand {
  const fields = { tier: 'basic' as const, request: cpus(count), require: [], ...changes };
  return { key: JSON.stringify(fields), ...fields };
}

/** `count` ready tasks of a demand; ids from `from`, ready since 1,000 unless said otherwise. */
export function batch(
  of: Demand,
  count: number,
  changes: Partial<ReadyTask> & Partial<Omit<Lane, 'demand'>> & { from?: number } = {},
): ReadyBatch {
  const { from = 0, tenant, priority, offPeak, key, ...task } = changes;
  const wanted = { tenant, priority, offPeak, key };
  return {
    lane: lane(of, wanted),
    count,
    tasks: Array.from({ length: count }, (_, position) => ({
      ...readyTask(taskId(from + position), task.readySinceMs),
      ...task,
    })),
  };
}

/** Of the tenant `default`, unless said otherwise. */
export function lane(
  of: Demand,
  changes: { readonly [Name in Exclude<keyof Lane, 'demand'>]?: Lane[Name] | undefined } = {},
): Lane {
  const { tenant = 'default', priority = 1, offPeak } = changes;
  const key = changes.key ?? `${priority}|${tenant}|${JSON.stringify(offPeak)}|${of.key}`;
  return { key, demand: of, tenant, priority, offPeak };
}

/** A day from its bound when it became ready, without a cap. */
export const readyTask = (id: TaskId, readySinceMs = 1_000): ReadyTask => ({
  id,
  readySinceMs,
  boundMs: readySinceMs + 86_400_000,
  capMs: 0,
  avoid: [],
});
