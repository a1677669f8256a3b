/**
 * What would become of tasks if they were submitted now: the planner itself is asked, with the same
 * views of the nodes that it places by, and nothing else in its queue. What waits already, here or
 * in other shards, comes first in truth; so this says what nodes have room for, not what they keep.
 */
import { formatTaskId, type NodeId, type TaskId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import type { Demand, NodeView, ReadyTask } from '../model/planning.ts';
import type { TaskSpec } from '../model/spec.ts';
import type { WaitingReason } from '../model/task.ts';
import { sentence, verdicts } from '../placement/explain.ts';
import { plan } from '../placement/plan.ts';
import type { NodeVerdict, PlannedTask } from '../ports/control-api.ts';
import { demandOf } from '../shard/memory/spec-table.ts';

export interface PlanQuestion {
  /** `count` is that of an array, else 1. */
  readonly tasks: readonly { readonly spec: TaskSpec; readonly count: number }[];
  /** Why no node could ever run it, where that is so. */
  readonly unfit: (spec: TaskSpec) => string | undefined;
  readonly isPaused: (tenant: string) => boolean;
  readonly views: readonly NodeView[];
  readonly nowMs: number;
  readonly seed: number;
}

/** A task in a queue that is made up: where it stands says which task of the question it is. */
const idAt = (task: number, index: number): TaskId =>
  formatTaskId({ atMs: task, slot: 0, random: index });

export function planTasks(question: PlanQuestion): PlannedTask[] {
  const { tasks, views, nowMs } = question;
  const demands = tasks.map(({ spec }) => demandOf(spec));
  const refusals = tasks.map(({ spec }) => question.unfit(spec));
  const paused = tasks.map(({ spec }) => question.isPaused(spec.tenant));
  const batches = new Map<string, { demand: Demand; tasks: ReadyTask[]; count: number }>();
  const placeOf = new Map<TaskId, number>();
  tasks.forEach(({ spec, count }, place) => {
    if (refusals[place] !== undefined || paused[place]) return;
    const demand = demands[place]!;
    const batch = batches.get(demand.key) ?? { demand, tasks: [], count: 0 };
    batches.set(demand.key, batch);
    for (let index = 0; index < count; index++) {
      const id = idAt(place, index);
      placeOf.set(id, place);
      batch.tasks.push({ id, tenant: spec.tenant, readySinceMs: place, avoid: [] });
      batch.count++;
    }
  });
  const made = plan({
    batches: [...batches.values()],
    nodes: views,
    nowMs,
    maxPlacements: limits.planTasksMax,
    seed: question.seed,
  });
  const reasons = new Map(made.blocked.map(({ demand, reason }) => [demand.key, reason]));
  const placed = tasks.map(() => new Map<NodeId, number>());
  for (const { taskId, node } of made.placements) {
    const counts = placed[placeOf.get(taskId)!]!;
    counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  const verdictsFit = Math.floor(limits.planVerdictsMax / Math.max(1, views.length));
  return tasks.map(({ count }, place): PlannedTask => {
    const nodes = place < verdictsFit ? judged(demands[place]!, views, nowMs) : undefined;
    const unfit = refusals[place];
    if (unfit !== undefined) {
      const refused = { verdict: 'refused', code: 'neverFits', message: unfit } as const;
      return { ...refused, places: [], waiting: 0, nodes };
    }
    const places = [...placed[place]!].map(([node, many]) => ({
      node,
      name: views.find(view => view.advertisement.node === node)!.advertisement.name,
      count: many,
    }));
    const waiting = count - places.reduce((sum, one) => sum + one.count, 0);
    if (waiting === 0)
      return { verdict: 'starts', message: starts(places), places, waiting, nodes };
    const reason = paused[place] ? 'Paused' : (reasons.get(demands[place]!.key) ?? 'Resources');
    const message = waits(count, waiting, reason);
    return { verdict: 'waits', reason, message, places, waiting, nodes };
  });
}

const judged = (demand: Demand, views: readonly NodeView[], nowMs: number): NodeVerdict[] => {
  const all = verdicts(demand, [], views, nowMs);
  return views.map(({ advertisement, ageMs }, position) => ({
    node: advertisement.node,
    name: advertisement.name,
    tier: advertisement.tier,
    advertAgeMs: Math.round(ageMs),
    verdict: all[position]!.verdict,
    sentence: sentence(all[position]!.verdict),
  }));
};

const placeWords = ({ name, count }: PlannedTask['places'][number]): string =>
  count > 1 ? `${name} (${count})` : name;

const starts = (places: PlannedTask['places']): string =>
  `would start now on ${places.map(placeWords).join(', ')}`;

const because: Partial<Record<WaitingReason, string>> = {
  Resources: 'every node that could run it is full',
  TierUnavailable: 'no node at hand has the tier and labels',
  NoNodes: 'no node that could run anything has been heard of lately',
  NeverFits: 'no node at hand is large enough, even when empty',
  Paused: 'its tenant or the whole cluster is paused',
};

function waits(count: number, waiting: number, reason: WaitingReason): string {
  const which = count === 1 ? 'would wait' : `${waiting} of ${count} would wait`;
  return `${which}: ${because[reason] ?? reason}`;
}
