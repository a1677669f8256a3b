/**
 * The planner of one leader: which ready task goes to which node, from what nodes advertised. Pure:
 * the same input gives the same plan. A plan is a proposal; apply verifies it, and the worker has
 * the last word (DESIGN 8).
 *
 * Tasks are walked by age over all demands; a demand that cannot be placed is left and younger
 * tasks of others go on. A task goes to a node that has room now (`rank.ts`); when no node has, a
 * small one may be queued at a full node, so that the next attempt there starts without a round
 * trip. Nodes where the task failed before are taken only when no other node of the cluster could
 * ever run it, or when it has waited `avoidMsMax` for one. The tasks of a gang are placed all at
 * once or not at all; a task that names a reservation sees of each node what is kept for that.
 *
 * Cost: one look at every node per demand, and one at the demand's candidates per placement.
 */
import { assert } from '../model/assert.ts';
import type { TaskId } from '../model/ids.ts';
import type {
  Demand,
  GangMember,
  NodeView,
  Plan,
  ReadyBatch,
  ReadyTask,
} from '../model/planning.ts';
import { shareKey } from '../model/reservation.ts';
import type { WaitingReason } from '../model/task.ts';
import { overTotal, unsuited, viewFor } from './feasible.ts';
import { holdsInAll, takeForGang, unavoided } from './gang.ts';
import { createDraw } from './random.ts';
import { pickFree, pickQueue, take, type Wish } from './rank.ts';
import { amountsOf, Room } from './room.ts';
import { type SpreadCounts, Tastes } from './taste.ts';
import { AgeWalk } from './walk.ts';

/** How long a task waits for a node where it did not fail before. */
export const avoidMsMax = 10_000;

export interface PlanInput {
  /** Ready tasks by demand, each oldest first. */
  readonly batches: readonly ReadyBatch[];
  /** One view per node, this leader's own reservations counted in. */
  readonly nodes: readonly NodeView[];
  /** The clock of `coolDownUntilMs`. */
  readonly nowMs: number;
  /** The clock of `readySinceMs`, where that is another one: state time is wall time. */
  readonly stateNowMs?: number | undefined;
  /** Of the shards of this leader; needed for groups of demands that are to be spread. */
  readonly spread?: SpreadCounts | undefined;
  readonly maxPlacements: number;
  /** Another for every plan, so that leaders draw differently. */
  readonly seed: number;
}

/** A demand with what does not change while the plan is made. */
interface Wanted extends Wish {
  readonly demand: Demand;
  /** Nodes that could run it once they have room. */
  readonly rooms: readonly Room[];
}

type Placement = Plan['placements'][number];

/** Places at most `maxPlacements` tasks, and says why the others of the demands it met wait. */
export function plan(input: PlanInput): Plan {
  const draw = createDraw(input.seed);
  const stateNowMs = input.stateNowMs ?? input.nowMs;
  const rooms = input.nodes.map(view => new Room(view, input.nowMs));
  const pools = new SharedRooms(rooms, input.nowMs);
  const tastes = new Tastes(rooms, input.spread ?? new Map());
  const placements: Placement[] = [];
  const blocked = new Map<Demand, WaitingReason>();
  const waitedFor = new Set<Room>();
  const wantedOf = new Map<Demand, Wanted>();
  const walk = new AgeWalk(input.batches);
  while (placements.length < input.maxPlacements) {
    const { current } = walk;
    if (current === undefined) break;
    const { demand, task } = current;
    let wanted = wantedOf.get(demand);
    if (wanted === undefined) {
      const candidates = candidatesFor(demand, pools.of(demand));
      const taste = tastes.of(demand, candidates);
      wanted = { demand, amounts: amountsOf(demand), taste, rooms: candidates };
      wantedOf.set(demand, wanted);
    }
    const made =
      task.gang === undefined
        ? placeOne(wanted, task, waitedFor, stateNowMs, draw)
        : placeGang(wanted, task, task.gang, stateNowMs, draw);
    if (made.length > 0) {
      placements.push(...made);
      walk.next();
      continue;
    }
    if (!blocked.has(demand)) blocked.set(demand, reasonFor(wanted, rooms, input.nodes));
    // A task that only avoids some nodes does not block the others of its demand.
    if (avoidsSome(task)) {
      walk.next();
    } else {
      for (const waited of wanted.rooms) waitedFor.add(waited);
      walk.leaveDemand();
    }
  }
  return {
    placements,
    blocked: [...blocked].map(([demand, reason]) => ({ demand, reason })),
  };
}

const avoidsSome = ({ avoid, gang }: ReadyTask): boolean =>
  avoid.length > 0 || gang?.some(member => member.avoid.length > 0) === true;

function placeOne(
  wanted: Wanted,
  task: ReadyTask,
  waitedFor: ReadonlySet<Room>,
  stateNowMs: number,
  draw: () => number,
): Placement[] {
  const room = choose(wanted, task, waitedFor, stateNowMs, draw);
  if (room === undefined) return [];
  take(room, wanted);
  return [toPlacement(task.id, wanted.demand, room)];
}

/** Places all of a gang, or none. */
function placeGang(
  wanted: Wanted,
  task: ReadyTask,
  members: readonly GangMember[],
  stateNowMs: number,
  draw: () => number,
): Placement[] {
  const { demand, rooms } = wanted;
  const others = unavoided(rooms, members);
  let taken = takeForGang(others, wanted, members, draw);
  const waited = stateNowMs - task.readySinceMs >= avoidMsMax;
  const held = others.map(room => room.view.advertisement);
  if (taken === undefined && (waited || holdsInAll(demand, held) < members.length)) {
    taken = takeForGang(rooms, wanted, members, draw);
  }
  const made = taken?.map((room, place) => toPlacement(members[place]!.id, demand, room));
  return made?.map(placement => ({ ...placement, gang: task.id })) ?? [];
}

function choose(
  wanted: Wanted,
  task: ReadyTask,
  waitedFor: ReadonlySet<Room>,
  stateNowMs: number,
  draw: () => number,
): Room | undefined {
  const { rooms } = wanted;
  if (task.avoid.length === 0) {
    return pickFree(rooms, wanted, draw) ?? pickQueue(rooms, wanted, waitedFor, draw);
  }
  const others = rooms.filter(room => !task.avoid.includes(room.view.advertisement.node));
  const room = pickFree(others, wanted, draw) ?? pickQueue(others, wanted, waitedFor, draw);
  if (room !== undefined) return room;
  const waited = stateNowMs - task.readySinceMs >= avoidMsMax;
  return others.length === 0 || waited ? pickFree(rooms, wanted, draw) : undefined;
}

/** The rooms of the nodes, and what they keep for each reservation as rooms of their own. */
class SharedRooms {
  readonly #rooms: readonly Room[];
  readonly #nowMs: number;
  readonly #ofReservation = new Map<string, readonly Room[]>();

  constructor(rooms: readonly Room[], nowMs: number) {
    this.#rooms = rooms;
    this.#nowMs = nowMs;
  }

  of(demand: Demand): readonly Room[] {
    const { reservation } = demand;
    if (reservation === undefined) return this.#rooms;
    const key = shareKey(reservation);
    let rooms = this.#ofReservation.get(key);
    if (rooms === undefined) {
      const views = this.#rooms.map(({ view }) => viewFor(demand, view));
      rooms = views.filter(view => view !== undefined).map(view => new Room(view, this.#nowMs));
      this.#ofReservation.set(key, rooms);
    }
    return rooms;
  }
}

function candidatesFor(demand: Demand, rooms: readonly Room[]): Room[] {
  return rooms.filter(
    ({ usable, view: { advertisement } }) =>
      usable &&
      unsuited(demand, advertisement) === undefined &&
      overTotal(demand, advertisement.total) === undefined,
  );
}

/** The reason that tasks of a demand show which could not be placed. */
function reasonFor(
  wanted: Wanted,
  rooms: readonly Room[],
  nodes: readonly NodeView[],
): WaitingReason {
  const { demand } = wanted;
  if (demand.gang !== undefined) {
    const held = nodes.map(view => view.advertisement);
    if (wanted.rooms.length > 0 && holdsInAll(demand, held) < demand.gang) return 'NeverFits';
  }
  if (wanted.rooms.length > 0) return 'Resources';
  if (!rooms.some(room => room.usable)) return 'NoNodes';
  if (!nodes.some(view => viewFor(demand, view) !== undefined)) return 'Reservation';
  const suited = (view: NodeView): boolean => unsuited(demand, view.advertisement) === undefined;
  if (!rooms.some(room => room.usable && suited(room.view))) return 'TierUnavailable';
  // A node that is silent or drains may come back: only if none there is would do, it never fits.
  const everFits = nodes.some(
    view => suited(view) && overTotal(demand, view.advertisement.total) === undefined,
  );
  return everFits ? 'Resources' : 'NeverFits';
}

function toPlacement(taskId: TaskId, demand: Demand, room: Room): Placement {
  const { advertisement } = room.view;
  assert(advertisement.incarnation !== '', 'nothing is placed where no supervisor runs');
  return {
    taskId,
    node: advertisement.node,
    nodeName: advertisement.name,
    incarnation: advertisement.incarnation,
    demand,
  };
}
