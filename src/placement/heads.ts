/**
 * Tasks that wait with other leaders, and those of one's own that they are told of. Every leader
 * plans for the first that wait elsewhere too, in the one order of all (`order.ts`), and takes the
 * room that they would get for taken: so what becomes free goes to who is next in the cluster, and
 * not to the leader that looks first. Nothing is agreed. What leaders believe of each other is
 * older than what they know of themselves, so two may still go for the same room, and then one is
 * refused; or each leaves it to the other, and then the room is old after `leftForMs`.
 */
import type { WaitingHead } from '../model/advertisement.ts';
import { formatTaskId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import type { Demand, Lane, Plan, ReadyBatch, ReadyTask } from '../model/planning.ts';
import { resourceNames, tierRank } from '../model/resources.ts';
import { priorities } from '../model/spec-scheduling.ts';
import { FairWalk, isTaskBefore, type WalkOptions } from './order.ts';
import type { Room } from './room.ts';

/**
 * Room that a node told of so long ago is left to nobody: the next in the order would have taken it
 * by now, a commit and a frame after it heard, and the node would have told that.
 */
const leftForMs = 200;

export const isFresh = (room: Room): boolean => room.view.ageMs <= leftForMs;

/** Priorities count among the tasks of one tenant, and are not told. */
const priority = priorities.indexOf('normal');

/** What waits elsewhere, as batches of a plan; each demand is its own, none of this leader. */
export class HeadsElsewhere {
  readonly batches: readonly ReadyBatch[];
  readonly #demands = new Map<string, Demand>();

  constructor(heads: readonly WaitingHead[]) {
    const merged = new Map<string, { lane: Lane; tasks: ReadyTask[] }>();
    heads.forEach((head, at) => {
      const demand = this.#demandOf(head);
      const key = `${head.tenant} ${demand.key}`;
      const lane = { key, demand, tenant: head.tenant, priority, offPeak: undefined };
      const entry = merged.get(key) ?? { lane, tasks: [] };
      merged.set(key, entry);
      const { boundMs } = head;
      const id = formatTaskId({ atMs: 0, slot: 0, random: at });
      entry.tasks.push({ id, readySinceMs: 0, boundMs, capMs: 0, avoid: [] });
    });
    this.batches = [...merged.values()].map(({ lane, tasks }) => ({
      lane,
      tasks: tasks.sort((left, right) => (isTaskBefore(left, right) ? -1 : 1)),
      count: tasks.length,
    }));
  }

  get areNone(): boolean {
    return this.batches.length === 0;
  }

  has(demand: Demand): boolean {
    return this.#demands.get(demand.key) === demand;
  }

  #demandOf({ tier, request }: WaitingHead): Demand {
    const key = [tierRank(tier), ...resourceNames.map(name => request[name])].join(' ');
    let demand = this.#demands.get(key);
    if (demand === undefined) {
      demand = { key, tier, request, require: [] };
      this.#demands.set(key, demand);
    }
    return demand;
  }
}

/** Others could not tell where the rest fits, or when it may start; nor what a task avoids. */
const isPlain = ({ demand, offPeak }: Lane): boolean =>
  demand.require.length === 0 &&
  demand.gang === undefined &&
  demand.reservation === undefined &&
  offPeak === undefined;

/** The first tasks that a plan did not place, as the others are told of them. */
export function headsOf(
  walk: WalkOptions,
  placements: Plan['placements'],
): readonly WaitingHead[] | undefined {
  const placed = new Set(placements.map(({ taskId }) => taskId));
  const batches = walk.batches.flatMap(({ lane, tasks }) => {
    if (!isPlain(lane)) return [];
    const left: ReadyTask[] = [];
    for (const task of tasks) {
      if (left.length === limits.headsMax) break;
      if (!placed.has(task.id) && task.avoid.length === 0) left.push(task);
    }
    return left.length === 0 ? [] : [{ lane, tasks: left, count: left.length }];
  });
  if (batches.length === 0) return undefined;
  const order = new FairWalk({ ...walk, batches });
  const heads: WaitingHead[] = [];
  for (let next = order.current; next && heads.length < limits.headsMax; next = order.current) {
    const { tier, request } = next.lane.demand;
    heads.push({ tenant: next.lane.tenant, tier, request, boundMs: next.task.boundMs });
    order.placed();
  }
  return heads;
}
