/** What the shards that a node leads offer to its planner, as one. */
import type { AdvertisedDemand, Advertisement } from '../model/advertisement.ts';
import type { TaskId } from '../model/ids.ts';
import type { Demand, Lane, NodeView, ReadyBatch, ReadyTask } from '../model/planning.ts';
import { isUrgent } from '../model/start-bound.ts';
import { isTaskBefore } from '../placement/order.ts';
import type { NodeContext } from './context.ts';
import { type Placing, tenantsHere } from './placement-policy.ts';
import type { ShardLeader } from './shard-leader.ts';
import type { TakenShares } from './taken-shares.ts';

export interface ReadyWork {
  readonly batches: readonly ReadyBatch[];
  readonly shardOf: ReadonlyMap<TaskId, ShardLeader>;
  /** Tasks are ready, be it that they are paused or that others go first. */
  readonly isAnyReady: boolean;
  /** Milliseconds until the next back-off ends. */
  readonly againInMs: number | undefined;
  /** The least that a task asks for, in thousandths of a CPU. */
  readonly smallestCpu: number | undefined;
}

/** The first `perShard()` tasks of each lane of each shard, those of one lane together. */
export function readyWork(
  leaders: Iterable<ShardLeader>,
  options: {
    /** Asked where something is ready. */
    readonly perShard: () => number;
    readonly wallMs: number;
    readonly isPlacing: (id: TaskId) => boolean;
  },
): ReadyWork {
  const { wallMs, isPlacing } = options;
  let perShard: number | undefined;
  const shardOf = new Map<TaskId, ShardLeader>();
  const merged = new Map<string, { lane: Lane; tasks: ReadyTask[]; count: number }>();
  // Each shard has objects of its own; the planner tells demands apart by theirs.
  const demands = new Map<string, Demand>();
  let againInMs: number | undefined;
  let smallestCpu: number | undefined;
  let isAnyReady = false;
  for (const leader of leaders) {
    if (!leader.replica.leading) continue;
    const { machine, mayPlace } = leader;
    const isEmpty = machine.readyCount(wallMs) === 0;
    if (!isEmpty) perShard ??= options.perShard();
    isAnyReady ||= !isEmpty;
    const batches = isEmpty ? [] : machine.readyBatches(perShard ?? 1, wallMs, mayPlace);
    for (const { lane, tasks, count } of batches) {
      const demand = demands.get(lane.demand.key) ?? lane.demand;
      demands.set(demand.key, demand);
      const entry = merged.get(lane.key) ?? { lane: { ...lane, demand }, tasks: [], count: 0 };
      merged.set(lane.key, entry);
      smallestCpu = Math.min(smallestCpu ?? demand.request.cpuMilli, demand.request.cpuMilli);
      entry.count += count;
      for (const task of tasks) {
        if (isPlacing(task.id)) continue;
        entry.tasks.push(task);
        for (const { id } of task.gang ?? [task]) shardOf.set(id, leader);
      }
    }
    const nextMs = machine.nextReadyAtMs();
    if (nextMs === undefined) continue;
    const inMs = Math.max(1, nextMs - wallMs);
    againInMs = Math.min(againInMs ?? inMs, inMs);
  }
  const batches = [...merged.values()].filter(({ tasks }) => tasks.length > 0);
  for (const { tasks } of batches) tasks.sort((l, r) => (isTaskBefore(l, r) ? -1 : 1));
  return { batches, shardOf, isAnyReady, againInMs, smallestCpu };
}

/** About how many tasks could be placed now, up to `most`: the K of the top K that are offered. */
export function roomFor(
  nodes: Iterable<
    Pick<NodeView, 'advertisement' | 'reserved' | 'reservedCount'> & { readonly taken: TakenShares }
  >,
  smallestCpu: number,
  most: number,
): number {
  let room = 0;
  for (const { advertisement, reserved, reservedCount, taken } of nodes) {
    const free = advertisement.free.cpuMilli - reserved.cpuMilli;
    room += Math.max(0, Math.floor(free / smallestCpu));
    for (const { left } of taken.left(advertisement.shares) ?? []) {
      room += Math.max(0, Math.floor(left.cpuMilli / smallestCpu));
    }
    room += Math.max(0, advertisement.queueRoom - reservedCount);
    if (room >= most) return most;
  }
  return room;
}

/** What a node says of the shards that it leads. */
export const ledHere = (
  scheduler: {
    leaders(): Iterable<ShardLeader>;
    readonly demand: { readonly told: AdvertisedDemand };
    readonly placing: ReadonlyMap<TaskId, Placing>;
  },
  context: NodeContext,
): Pick<Advertisement, 'leads' | 'demand' | 'tenants'> => ({
  leads: [...scheduler.leaders()].map(leader => leader.shard),
  // Earlier programs read no such fields.
  ...(context.clusterVersion() >= 3 && {
    demand: scheduler.demand.told,
    tenants: tenantsHere(scheduler.leaders(), scheduler.placing.values()),
  }),
});

/** What the other leaders are told of it, before it is planned. */
export function demandOfWork(batches: readonly ReadyBatch[], wallMs: number): AdvertisedDemand {
  let [urgent, all] = [0, 0];
  let boundMs: number | undefined;
  for (const { tasks, count } of batches) {
    all += count;
    for (const task of tasks) {
      if (isUrgent(task.boundMs, wallMs)) urgent++;
      boundMs = Math.min(boundMs ?? task.boundMs, task.boundMs);
    }
  }
  return { urgent, others: Math.max(0, all - urgent), boundMs, claims: [] };
}
