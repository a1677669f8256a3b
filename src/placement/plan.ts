/**
 * The planner of one leader: which ready task goes to which node, from what nodes advertised. Pure:
 * the same input gives the same plan. A plan is a proposal; apply verifies it, and the worker has
 * the last word (DESIGN 8).
 *
 * Tasks are walked in the order of `order.ts` over all lanes; a demand that cannot be placed is
 * left, room is kept for it (`claims.ts`), and later tasks of others go on around that. A task goes
 * to a node that has room now (`rank.ts`); when no node has, a small one may be queued at a full
 * node, so that the next attempt there starts without a round trip. Nodes where the task failed
 * before are taken only when no other node of the cluster could ever run it, or when it has waited
 * `avoidMsMax` for one. Off-peak tasks are left while the cluster is busy (`off-peak.ts`). The
 * tasks of a gang are placed all at once or not at all, and room is kept for all of them or none;
 * a task that names a reservation sees of each node what is kept for that.
 *
 * Cost: one look at every node per demand, and one at the demand's candidates per placement.
 */
import type { Claim, WaitingHead } from '../model/advertisement.ts';
import { assert } from '../model/assert.ts';
import type { TaskId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import type { Demand, GangMember, Lane, NodeView, Plan, ReadyBatch } from '../model/planning.ts';
import { tierRank } from '../model/resources.ts';
import type { WaitingReason } from '../model/task.ts';
import { Claims, claimAfterMs, type Running } from './claims.ts';
import { reasonFor } from './explain.ts';
import { unsuited } from './feasible.ts';
import { type GangRooms, holdsInAll, takeForGang, unavoided } from './gang.ts';
import { HeadsElsewhere, headsOf, isFresh } from './heads.ts';
import { ClusterLoad, isHeld } from './off-peak.ts';
import { FairWalk, type Next, type TenantShare, type WalkOptions } from './order.ts';
import { createDraw } from './random.ts';
import { pickFree, pickQueue, take, type Wish } from './rank.ts';
import { type Amounts, amountsOf, Room } from './room.ts';
import { SharedRooms } from './shared-rooms.ts';
import { type SpreadCounts, Tastes } from './taste.ts';

/** How long a task waits for a node where it did not fail before. */
export const avoidMsMax = 10_000;
/** Tasks of a demand that are passed by one by one, as others of it may end in time. */
const passedMax = 32;

export interface PlanInput {
  /** Ready tasks by lane, each in the order of the lane. */
  readonly batches: readonly ReadyBatch[];
  /** One view per node, this leader's own reservations counted in. */
  readonly nodes: readonly NodeView[];
  /** The clock of `coolDownUntilMs`. */
  readonly nowMs: number;
  /** The clock of `readySinceMs` and bounds, where that is another one: state time is wall time. */
  readonly stateNowMs?: number | undefined;
  /** Of the shards of this leader; needed for groups of demands that are to be spread. */
  readonly spread?: SpreadCounts | undefined;
  readonly maxPlacements: number;
  /** Another for every plan, so that leaders draw differently. */
  readonly seed: number;
  /** How many are after the same room, as `crowd.ts` has it; 1 where it is not given. */
  readonly crowd?: number | undefined;
  /** What each tenant holds and is due; nothing and 1 where it is not given. */
  readonly shareOf?: ((tenant: string) => TenantShare) | undefined;
  /** The first tasks that wait with other leaders, as they told; missing where none are told. */
  readonly headsElsewhere?: readonly WaitingHead[] | undefined;
  /** Room that other leaders keep. */
  readonly foreignClaims?: readonly Claim[] | undefined;
  /** What the plan before this one claimed. */
  readonly claimsBefore?: readonly Claim[] | undefined;
  /** What runs on a node for this leader. */
  readonly running?: ((node: string) => readonly Running[]) | undefined;
  /** Off-peak tasks are held over this load of the cluster, from 0 to 1. */
  readonly offPeakLoadMax?: number | undefined;
}

/** A demand with what does not change while the plan is made. */
interface Wanted extends Wish {
  readonly demand: Demand;
  /** Nodes that could run it once they have room. */
  readonly rooms: readonly Room[];
  /** More are after what room there is: it is left to others this time. */
  readonly yields: boolean;
  passed: number;
}

type Placement = Plan['placements'][number];

const noShare: TenantShare = { held: [], weight: 1 };
const nothingRuns = (): readonly Running[] => [];

/** Places at most `maxPlacements` tasks, and says why the others of the demands it met wait. */
export const plan = (input: PlanInput): Plan => new Planning(input).run();

/** One plan while it is made. */
class Planning {
  readonly #input: PlanInput;
  readonly #draw: () => number;
  readonly #stateNowMs: number;
  readonly #rooms: readonly Room[];
  readonly #pools: SharedRooms;
  readonly #claims: Claims;
  readonly #load: ClusterLoad;
  readonly #tastes: Tastes;
  readonly #elsewhere: HeadsElsewhere;
  readonly #own: WalkOptions;
  readonly #walk: FairWalk;
  /** How many are after the same room beside those that are planned for. */
  readonly #crowd: number;
  /** Rooms that tasks of other leaders are to have, in whole or in part. */
  readonly #leftTo = new Set<Room>();
  readonly #placements: Placement[] = [];
  readonly #blocked = new Map<Demand, WaitingReason>();
  readonly #heldLanes = new Set<Lane>();
  /** Rooms that tasks wait for which were met before. */
  readonly #waitedFor = new Set<Room>();
  readonly #wantedOf = new Map<Demand, Wanted>();
  /** What the plan before this one claimed, and none took yet. */
  readonly #claimed: Claim[];
  #hasYielded = false;

  constructor(input: PlanInput) {
    this.#input = input;
    this.#draw = createDraw(input.seed);
    this.#stateNowMs = input.stateNowMs ?? input.nowMs;
    this.#rooms = input.nodes.map(view => new Room(view, input.nowMs));
    this.#pools = new SharedRooms(this.#rooms, input.nowMs);
    this.#claimed = [...(input.claimsBefore ?? [])];
    this.#load = new ClusterLoad(this.#rooms);
    this.#tastes = new Tastes(this.#rooms, input.spread ?? new Map());
    this.#elsewhere = new HeadsElsewhere(input.headsElsewhere ?? []);
    // Those who wait are known then, and have their turn; there is nothing to guess.
    this.#crowd = this.#elsewhere.areNone ? (input.crowd ?? 1) : 1;
    this.#own = {
      batches: input.batches,
      nowMs: this.#stateNowMs,
      total: this.#load.total,
      shareOf: input.shareOf ?? (() => noShare),
      draw: this.#draw,
    };
    const batches = [...input.batches, ...this.#elsewhere.batches];
    this.#walk = new FairWalk({ ...this.#own, batches });
    const shareOf = (tenant: string): number => this.#walk.shareOf(tenant);
    this.#claims = new Claims(this.#rooms, input.foreignClaims ?? [], shareOf);
  }

  run(): Plan {
    const { maxPlacements, offPeakLoadMax = 1 } = this.#input;
    while (this.#placements.length < maxPlacements) {
      const { current } = this.#walk;
      if (current === undefined) break;
      if (this.#elsewhere.has(current.lane.demand)) this.#leaveRoom(current);
      else if (isHeld(current, this.#load, { offPeakLoadMax, nowMs: this.#stateNowMs })) {
        this.#heldLanes.add(current.lane);
        this.#walk.leaveLane();
      } else this.#place(current);
    }
    const held = [...this.#heldLanes].map(lane => ({
      demand: lane.demand,
      lane,
      reason: 'OffPeak' as const,
    }));
    return {
      placements: this.#placements,
      blocked: [...[...this.#blocked].map(([demand, reason]) => ({ demand, reason })), ...held],
      claims: this.#claims.made,
      hasYielded: this.#hasYielded || (this.#leftTo.size > 0 && this.#blocked.size > 0),
      heads: this.#input.headsElsewhere && headsOf(this.#own, this.#placements),
    };
  }

  /** Takes what another leader would, so that its task has that. */
  #leaveRoom(next: Next): void {
    const wanted = this.#wanted(next.lane.demand);
    const room = this.#pickFree(wanted.rooms.filter(isFresh), wanted, next);
    if (room === undefined) this.#walk.leaveDemand();
    else {
      take(room, wanted);
      this.#leftTo.add(room);
      this.#walk.placed();
    }
  }

  #wanted(demand: Demand): Wanted {
    let wanted = this.#wantedOf.get(demand);
    if (wanted === undefined) {
      const rooms = candidatesFor(demand, this.#pools.of(demand));
      const taste = this.#tastes.of(demand, rooms);
      const amounts = amountsOf(demand);
      const yields = demand.gang === undefined && this.#yields(rooms, amounts);
      wanted = { demand, amounts, taste, rooms, yields, passed: 0 };
      this.#wantedOf.set(demand, wanted);
    }
    return wanted;
  }

  /**
   * Drawn, so that of a crowd about as many go for a room as it holds: if all did, all but one
   * would be refused, and come back for the next one.
   */
  #yields(rooms: readonly Room[], amounts: Amounts): boolean {
    const crowd = this.#crowd;
    if (crowd === 1) return false;
    let copies = 0;
    for (const room of rooms) {
      if (room.open && room.fits(amounts)) copies += room.copiesLeft(amounts);
      if (copies >= crowd) return false;
    }
    return copies > 0 && this.#draw() * crowd >= copies;
  }

  #place(next: Next): void {
    const { demand } = next.lane;
    const wanted = this.#wanted(demand);
    // What is urgent yields to nobody, nor what the others keep room for.
    if (wanted.yields && !next.urgent && !this.#isClaimed(wanted, next)) {
      this.#hasYielded = true;
      // Who is refused yields, and who is not goes on taking all there is: that has to end.
      const reason = this.#claim(wanted, next) ? 'RoomKept' : 'Priority';
      this.#blocked.set(demand, this.#blocked.get(demand) ?? reason);
      this.#walk.leaveDemand();
      return;
    }
    const { gang } = next.task;
    const made =
      gang === undefined ? this.#placeOne(wanted, next) : this.#placeGang(wanted, next, gang);
    if (made.length > 0) {
      // What is kept for a reservation counts as taken already.
      if (!demand.reservation) for (const _ of made) this.#load.take(wanted.amounts);
      this.#placements.push(...made);
      this.#walk.placed();
      return;
    }
    // Another task of the demand may be too short to delay anybody.
    const isKept =
      gang === undefined &&
      next.task.avoid.length === 0 &&
      wanted.rooms.some(other => other.open && other.fits(wanted.amounts));
    const hasClaim = !isKept && this.#claim(wanted, next);
    if (!this.#blocked.has(demand)) {
      const isLeft = isKept || wanted.rooms.some(room => this.#leftTo.has(room));
      const lasting = isLeft
        ? 'Priority'
        : reasonFor(demand, wanted.rooms, this.#rooms, this.#input.nodes);
      this.#blocked.set(demand, hasClaim ? 'RoomKept' : lasting);
    }
    // A task that only avoids some nodes does not block the others of its demand.
    if (avoidsSome(next) || (isKept && ++wanted.passed <= passedMax)) this.#walk.next();
    else {
      for (const waited of wanted.rooms) this.#waitedFor.add(waited);
      this.#walk.leaveDemand();
    }
  }

  /**
   * The first few that wait in vain have room kept for them, urgent ones at once. A gang may need
   * much of the cluster: of those that can wait, only the first of all.
   */
  #claim(wanted: Wanted, next: Next): boolean {
    const { claimants } = this.#claims;
    const { gang, readySinceMs } = next.task;
    // A reservation keeps its room by itself.
    if (wanted.demand.reservation !== undefined || wanted.rooms.length === 0) return false;
    if (claimants >= limits.claimsMax) return false;
    const waitedMs = this.#stateNowMs - readySinceMs;
    const isLater = waitedMs < claimAfterMs || (gang !== undefined && claimants > 0);
    if (isLater && !next.urgent) return false;
    const options = {
      before: this.#input.claimsBefore ?? [],
      running: this.#input.running ?? nothingRuns,
    };
    if (gang !== undefined) {
      const rooms = this.#roomsForGang(wanted, next, gang);
      return this.#claims.makeForGang(next, rooms, gang.length, options);
    }
    const others = unavoided(wanted.rooms, [next.task]);
    const rooms = waitedMs >= avoidMsMax || others.length === 0 ? wanted.rooms : others;
    return this.#claims.make(next, rooms, wanted.amounts, options);
  }

  /** Whether room that is free now was claimed for the task; each claim is for one. */
  #isClaimed({ rooms, amounts }: Wanted, { task }: Next): boolean {
    const at = this.#claimed.findIndex(
      ({ node, boundMs }) =>
        boundMs === task.boundMs &&
        rooms.some(
          room => room.view.advertisement.node === node && room.open && room.fits(amounts),
        ),
    );
    if (at >= 0) this.#claimed.splice(at, 1);
    return at >= 0;
  }

  #placeOne(wanted: Wanted, next: Next): Placement[] {
    const room = this.#choose(wanted, next);
    if (room === undefined) return [];
    const made = toPlacement(next.task.id, next.lane, room, !room.fits(wanted.amounts));
    take(room, wanted);
    return [made];
  }

  /** Places all of a gang, or none; beside what is kept for others. */
  #placeGang(wanted: Wanted, next: Next, members: readonly GangMember[]): Placement[] {
    const { amounts } = wanted;
    const rooms: GangRooms = {
      copiesOf: room => this.#claims.copies(room, amounts, next, this.#stateNowMs),
      admits: room => this.#claims.admits(room, amounts, next, this.#stateNowMs),
      draw: this.#draw,
    };
    const taken =
      takeForGang(unavoided(wanted.rooms, members), wanted, members, rooms) ??
      takeForGang(this.#roomsForGang(wanted, next, members), wanted, members, rooms);
    const { id } = next.task;
    const made = taken?.map((room, place) =>
      toPlacement(members[place]!.id, next.lane, room, false),
    );
    return made?.map(placement => ({ ...placement, gang: id })) ?? [];
  }

  /** Without nodes where one of it failed, unless the others cannot hold it or are long full. */
  #roomsForGang(
    { rooms, demand }: Wanted,
    { task }: Next,
    members: readonly GangMember[],
  ): readonly Room[] {
    const others = unavoided(rooms, members);
    if (this.#stateNowMs - task.readySinceMs >= avoidMsMax) return rooms;
    const held = others.map(room => room.view.advertisement);
    return holdsInAll(demand, held) < members.length ? rooms : others;
  }

  #choose(wanted: Wanted, next: Next): Room | undefined {
    const { rooms } = wanted;
    const { avoid } = next.task;
    if (avoid.length === 0) return this.#pick(rooms, wanted, next);
    const others = unavoided(rooms, [next.task]);
    const room = this.#pick(others, wanted, next);
    if (room !== undefined) return room;
    const waited = this.#stateNowMs - next.task.readySinceMs >= avoidMsMax;
    return others.length === 0 || waited ? this.#pickFree(rooms, wanted, next) : undefined;
  }

  #pick(rooms: readonly Room[], wanted: Wanted, next: Next): Room | undefined {
    const free = this.#pickFree(rooms, wanted, next);
    if (free !== undefined) return free;
    const mayQueue = (room: Room): boolean =>
      !this.#waitedFor.has(room) && this.#claims.isFree(room, next);
    return pickQueue(rooms, wanted, mayQueue, this.#draw);
  }

  #pickFree(rooms: readonly Room[], wanted: Wanted, next: Next): Room | undefined {
    const admits = (room: Room): boolean =>
      this.#claims.admits(room, wanted.amounts, next, this.#stateNowMs);
    return pickFree(rooms, wanted, admits, { draw: this.#draw, crowd: this.#crowd });
  }
}

const avoidsSome = ({ task: { avoid, gang } }: Next): boolean =>
  avoid.length > 0 || gang?.some(member => member.avoid.length > 0) === true;

function candidatesFor(demand: Demand, rooms: readonly Room[]): Room[] {
  const amounts = amountsOf(demand);
  const rank = tierRank(demand.tier);
  return rooms.filter(
    room =>
      room.usable &&
      room.rank >= rank &&
      room.holds(amounts) &&
      unsuited(demand, room.view.advertisement) === undefined,
  );
}

function toPlacement(taskId: TaskId, lane: Lane, room: Room, queued: boolean): Placement {
  const { advertisement } = room.view;
  assert(advertisement.incarnation !== '', 'nothing is placed where no supervisor runs');
  return {
    taskId,
    node: advertisement.node,
    nodeName: advertisement.name,
    incarnation: advertisement.incarnation,
    demand: lane.demand,
    tenant: lane.tenant,
    queued,
  };
}
