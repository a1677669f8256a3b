/**
 * What would become of tasks if they were submitted now: the planner itself is asked, with the same
 * views of the nodes that it places by, and nothing else in its queue. What waits already, here or
 * in other shards, comes first in truth; so this says what nodes have room for, not what they keep.
 */
import type { ErrorCode } from '../model/errors.ts';
import { formatTaskId, type NodeId, type TaskId } from '../model/ids.ts';
import { formatInstant } from '../model/instant.ts';
import { limits } from '../model/limits.ts';
import type { Demand, Lane, NodeView, ReadyTask } from '../model/planning.ts';
import { subtractResources } from '../model/resources.ts';
import type { TaskSpec } from '../model/spec.ts';
import { toleranceOf } from '../model/start-bound.ts';
import { holdBit, reasonOfHolds, type WaitingReason } from '../model/task.ts';
import { formatDuration } from '../model/time.ts';
import { plan } from '../placement/plan.ts';
import type { PlannedTask } from '../ports/control-api.ts';
import { lineOf } from '../shard/memory/key-hash.ts';
import { laneOf } from '../shard/memory/traits.ts';
import { beginOf } from '../shard/state-time.ts';
import { nodeVerdicts } from './node-verdicts.ts';

interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
}

export interface PlanQuestion {
  /** `count` is that of an array, else 1. */
  readonly tasks: readonly { readonly spec: TaskSpec; readonly count: number }[];
  /** Why it would not be let in, where that is so. */
  readonly refusal: (spec: TaskSpec) => Refusal | undefined;
  /** Why nothing of a tenant is placed for now. */
  readonly heldBack: (tenant: string) => 'Paused' | 'Quota' | undefined;
  readonly views: readonly NodeView[];
  readonly nowMs: number;
  readonly wallMs: number;
  readonly seed: number;
}

/** A task in a queue that is made up: where it stands says which task of the question it is. */
const idAt = (task: number, index: number): TaskId =>
  formatTaskId({ atMs: task, slot: 0, random: index });

/** The tasks of the question as a queue, but for those that cannot start whatever nodes have. */
function queueOf({ tasks, refusal, heldBack, wallMs }: PlanQuestion) {
  const batches = new Map<string, { lane: Lane; tasks: ReadyTask[]; count: number }>();
  const placeOf = new Map<TaskId, number>();
  const open = new Map<number, number>();
  const places = tasks.map(({ spec, count }, place) => {
    const lane = laneOf(spec);
    const refused = refusal(spec);
    const held = heldBack(spec.tenant) ?? heldBy(spec, wallMs);
    if (refused !== undefined || held !== undefined) return { lane, refused, held, offered: 0 };
    // No more of one key than may run at a time; what waits already is not known here.
    const line = lineOf(spec);
    const taken = (line && open.get(line.hash)) ?? 0;
    const offered = line === undefined ? count : Math.min(count, Math.max(0, line.width - taken));
    if (line !== undefined) open.set(line.hash, taken + offered);
    const behind = line && reasonOfHolds(holdBit(line.hold));
    const batch = batches.get(lane.key) ?? { lane, tasks: [], count: 0 };
    if (offered > 0) batches.set(lane.key, batch);
    const members = Array.from({ length: offered }, (_, index) => ({
      id: idAt(place, index),
      avoid: [],
    }));
    for (const { id } of members) placeOf.set(id, place);
    // In the order of the question, where their bounds are the same.
    const readySinceMs = wallMs + place;
    const times = { readySinceMs, boundMs: readySinceMs + toleranceOf(spec), capMs: spec.capMs };
    // The first of a gang stands for all of it.
    const gang = spec.gang === undefined ? undefined : members;
    const standing = gang === undefined ? members : members.slice(0, 1);
    batch.tasks.push(...standing.map(one => ({ ...one, ...times, gang })));
    batch.count += standing.length;
    return { lane, refused, held: behind, offered };
  });
  return { batches: [...batches.values()], placeOf, places };
}

/** What keeps it from starting now whatever nodes have. */
function heldBy(spec: TaskSpec, wallMs: number): 'BeginTime' | 'Dependency' | undefined {
  if (spec.after !== undefined && spec.after.length > 0) return 'Dependency';
  return beginOf(timesOf(spec), wallMs) > wallMs ? 'BeginTime' : undefined;
}

const timesOf = ({ notBeforeMs = 0, delayMs = 0 }: TaskSpec) => ({ notBeforeMs, delayMs });

/** How long it may wait, and until when; of one that waits for others nobody knows that. */
function boundOf(
  spec: TaskSpec,
  wallMs: number,
): Pick<PlannedTask, 'toleranceMs' | 'startBoundMs'> {
  const toleranceMs = toleranceOf(spec);
  if (heldBy(spec, wallMs) === 'Dependency') return { toleranceMs };
  return { toleranceMs, startBoundMs: beginOf(timesOf(spec), wallMs) + toleranceMs };
}

/** Without room in their queues: what stands in one does not start now. */
const withoutQueues = (views: readonly NodeView[]): NodeView[] =>
  views.map(view => ({ ...view, advertisement: { ...view.advertisement, queueRoom: 0 } }));

/** With the room of these placements taken; what a reservation keeps is not free anyhow. */
function withoutRoom(
  views: readonly NodeView[],
  placements: readonly { readonly node: NodeId; readonly demand: Demand }[],
): NodeView[] {
  const free = new Map(views.map(({ advertisement: { node, free: all } }) => [node, all]));
  for (const { node, demand } of placements) {
    const left = free.get(node);
    if (left === undefined || demand.reservation !== undefined) continue;
    free.set(node, subtractResources(left, demand.request));
  }
  return views.map(view => {
    const { advertisement } = view;
    return { ...view, advertisement: { ...advertisement, free: free.get(advertisement.node)! } };
  });
}

export function planTasks(question: PlanQuestion): PlannedTask[] {
  const { tasks, views, nowMs } = question;
  const queue = queueOf(question);
  const made = plan({
    batches: queue.batches,
    nodes: withoutQueues(views),
    nowMs,
    stateNowMs: question.wallMs,
    maxPlacements: limits.plannedTasksMax,
    seed: question.seed,
  });
  const reasons = new Map(
    made.blocked.map(({ demand, lane, reason }) => [lane?.key ?? demand.key, reason]),
  );
  const placed = tasks.map(() => new Map<NodeId, number>());
  for (const { taskId, node } of made.placements) {
    const counts = placed[queue.placeOf.get(taskId)!]!;
    counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  const taken = withoutRoom(views, made.placements);
  const verdictsFit = Math.floor(limits.plannedVerdictsMax / Math.max(1, views.length));
  return tasks.map(({ spec, count }, place): PlannedTask => {
    const { lane, refused, held, offered } = queue.places[place]!;
    const verdictsOf = (of: readonly NodeView[]) =>
      place < verdictsFit ? nodeVerdicts(lane.demand, [], of, nowMs) : undefined;
    const nodes = verdictsOf(views);
    if (refused !== undefined) {
      const { code, message } = refused;
      return { verdict: 'refused', code, message, places: [], waiting: 0, nodes };
    }
    const places = [...placed[place]!].map(([node, many]) => ({
      node,
      name: views.find(view => view.advertisement.node === node)!.advertisement.name,
      count: many,
    }));
    const started = places.reduce((sum, one) => sum + one.count, 0);
    const waiting = count - started;
    const bound = boundOf(spec, question.wallMs);
    if (waiting === 0) {
      return { verdict: 'starts', message: starts(places), places, waiting, nodes, ...bound };
    }
    const full = started < offered ? whyFull(reasons, lane) : undefined;
    const reason = full ?? held ?? 'Resources';
    const told = spec.gang === undefined ? count : 1;
    const message = waits({ count: told, waiting, places, reason, spec });
    // To what waits for room nodes say what is left beside the tasks that would start.
    const said = reason === 'Resources' ? verdictsOf(taken) : nodes;
    return { verdict: 'waits', reason, message, places, waiting, nodes: said, ...bound };
  });
}

/** No room is kept for what is only asked about. */
function whyFull(reasons: ReadonlyMap<string, WaitingReason>, lane: Lane): WaitingReason {
  const reason = reasons.get(lane.key) ?? reasons.get(lane.demand.key) ?? 'Resources';
  return reason === 'RoomKept' ? 'Resources' : reason;
}

const placeWords = ({ name, count }: PlannedTask['places'][number]): string =>
  count > 1 ? `${name} (${count})` : name;

const placesWords = (places: PlannedTask['places']): string => places.map(placeWords).join(', ');

const starts = (places: PlannedTask['places']): string =>
  `would start now on ${placesWords(places)}`;

const because: Partial<Record<WaitingReason, string>> = {
  Resources: 'every node that could run it is full',
  TierUnavailable: 'no node at hand has the tier and labels',
  NoNodes: 'no node that could run anything has been heard of lately',
  NeverFits: 'no node at hand is large enough, even when empty',
  Quota: 'the tasks of its tenant hold all that the plan allows',
  Priority: 'what room there is would be kept for those before it',
  OrderKey: 'tasks of one order key run one after the other',
  MaxRunning: 'as many of its key run as may at a time',
  Paused: 'its tenant or the whole cluster is paused',
  OffPeak: 'it is held until the load or a window lets it go, or its start bound is near',
  Reservation: 'no node keeps room for the reservation that it names',
  Dependency: 'those that it follows have to settle first',
};

function waits(about: {
  readonly count: number;
  readonly waiting: number;
  readonly places: PlannedTask['places'];
  readonly reason: WaitingReason;
  readonly spec: TaskSpec;
}): string {
  const { count, waiting, places, reason, spec } = about;
  const which = count === 1 ? 'would wait' : `${waiting} of ${count} would wait`;
  const others =
    places.length === 0 ? '' : `; the others would start now on ${placesWords(places)}`;
  const why = reason === 'BeginTime' ? begins(spec) : (because[reason] ?? reason);
  return `${which}: ${why}${others}`;
}

/** A delay counts from the submit: when that is nobody knows yet. */
function begins({ notBeforeMs, delayMs }: TaskSpec): string {
  if (notBeforeMs !== undefined) return `it is not to start before ${formatInstant(notBeforeMs)}`;
  return `it is not to start for ${formatDuration(delayMs ?? 0)}`;
}
