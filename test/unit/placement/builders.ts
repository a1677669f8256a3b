/** Nodes, demands and ready tasks with visible defaults, for the planner's tests. */
import type { Advertisement } from '../../../src/model/advertisement.ts';
import { formatTaskId, type TaskId } from '../../../src/model/ids.ts';
import type { Demand, NodeView, ReadyBatch, ReadyTask } from '../../../src/model/planning.ts';
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
  changes: Partial<ReadyTask> & { from?: number } = {},
): ReadyBatch {
  const { from = 0, ...task } = changes;
  return {
    demand: of,
    count,
    tasks: Array.from({ length: count }, (_, position) => ({
      id: taskId(from + position),
      tenant: 'default',
      readySinceMs: 1_000,
      avoid: [],
      ...task,
    })),
  };
}
