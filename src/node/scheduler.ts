/**
 * The planner of a node, over all shards it leads: keeps what is known of every node's resources,
 * wakes when something changed, plans at its own pace and proposes the assignments. A plan is only
 * a wish: apply verifies it, and the worker may still refuse.
 */
import { type Advertisement, decodeAdvertisement } from '../model/advertisement.ts';
import { DecodeError } from '../model/bytes.ts';
import type { NodeId, TaskId } from '../model/ids.ts';
import type { Demand, Lane, NodeView, Plan, ReadyBatch } from '../model/planning.ts';
import {
  addResources,
  noResources,
  type Resources,
  subtractResources,
} from '../model/resources.ts';
import type { WaitingReason } from '../model/task.ts';
import type { Refusal, ToWorker } from '../model/worker-protocol.ts';
import { coolDownMs } from '../placement/cool-down.ts';
import { Crowd } from '../placement/crowd.ts';
import { Durations } from '../placement/durations.ts';
import { plan } from '../placement/plan.ts';
import type { Clock, Random } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { LedDemand } from './led-demand.ts';
import { propose } from './placed.ts';
import type { PlacementDesk, PlacementRooms } from './placement-desk.ts';
import {
  leadersIn,
  type PlacementPolicy,
  type Placing,
  runningOn,
  sharesOf,
} from './placement-policy.ts';
import { PlanPace } from './plan-pace.ts';
import { demandOfWork, type ReadyWork, readyWork, roomFor } from './ready-work.ts';
import type { ShardLeader } from './shard-leader.ts';
import { spreadCounts } from './spread-counts.ts';
import { TakenShares } from './taken-shares.ts';

/** While tasks wait that fit nowhere, advertisements are looked at again this often at least. */
const idlePaceMs = 500;
const placementsMax = 512;
/** An advertisement older than this is forgotten. */
const forgetMs = 60_000;

interface Known {
  advertisement: Advertisement;
  receivedMs: number;
  coolDownUntilMs: number;
  /** In a row. */
  refusals: number;
  reserved: Resources;
  reservedCount: number;
  /** The same of what the node keeps for reservations. */
  readonly taken: TakenShares;
}

interface Reservation {
  readonly shard: number;
  readonly node: NodeId;
  readonly demand: Demand;
  readonly queued: boolean;
}

export class Scheduler implements PlacementDesk {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #send: (node: NodeId, message: ToWorker, encode: () => Uint8Array) => void;
  readonly #connected: (node: NodeId) => boolean;
  readonly #policy: PlacementPolicy;
  readonly hostOf: (node: NodeId) => string;
  readonly #known = new Map<NodeId, Known>();
  readonly #leaders = new Map<number, ShardLeader>();
  readonly #leadsSince = new WeakMap<ShardLeader, number>();
  /** Placements that no worker has answered yet, by task. */
  readonly #reservations = new Map<TaskId, Reservation>();
  /** Tasks whose assignment is on its way through the log. */
  readonly placing = new Map<TaskId, Placing>();
  /** By key of a demand, or of a lane of it. */
  readonly #blocked = new Map<string, WaitingReason>();
  readonly #crowd = new Crowd();
  readonly #durations = new Durations();
  /** What the other leaders are told of the tasks that wait here. */
  readonly demand = new LedDemand();
  #planned = false;
  /** Tasks were ready at the last plan. */
  #hasWaiting = false;
  readonly #pace = new PlanPace();
  #lastPlanMs = -1_000;
  #stopped = false;
  /** What tenants may still start; given once there is one. */
  rooms: PlacementRooms | undefined;
  badAdverts = 0;
  plans = 0;

  constructor(deps: {
    readonly clock: Clock;
    readonly random: Random;
    readonly log: Log;
    readonly send: (node: NodeId, message: ToWorker, encode: () => Uint8Array) => void;
    readonly connected: (node: NodeId) => boolean;
    readonly policy: PlacementPolicy;
    readonly hostOf: (node: NodeId) => string;
  }) {
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#log = deps.log;
    this.#send = deps.send;
    this.#connected = deps.connected;
    this.#policy = deps.policy;
    this.hostOf = deps.hostOf;
  }

  toWorker(node: NodeId, message: ToWorker, encode: () => Uint8Array): void {
    this.#send(node, message, encode);
  }

  addLeader(leader: ShardLeader): void {
    this.#leadsSince.set(leader, this.#clock.nowMs());
    this.#leaders.set(leader.shard, leader);
    this.wake();
  }

  dropLeader(shard: number): void {
    this.#leaders.delete(shard);
    if (this.#leaders.size === 0) this.demand.clear();
    // Nothing more will be heard here of its placements.
    for (const [taskId, reservation] of this.#reservations) {
      if (reservation.shard === shard) this.answered(taskId);
    }
  }

  /** On the monotonic clock: since when this node leads the shard. */
  leadsSinceMs(leader: ShardLeader): number {
    return this.#leadsSince.get(leader) ?? this.#clock.nowMs();
  }

  leader(shard: number): ShardLeader | undefined {
    return this.#leaders.get(shard);
  }

  leaders(): IterableIterator<ShardLeader> {
    return this.#leaders.values();
  }

  /** An advertisement of `from`, by gossip or with a report. False for one that is not believed. */
  advertised(from: NodeId, bytes: Uint8Array): boolean {
    let advertisement: Advertisement;
    try {
      advertisement = decodeAdvertisement(bytes);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.badAdverts++;
      return false;
    }
    if (advertisement.node !== from) {
      this.badAdverts++;
      return false;
    }
    this.know(advertisement);
    return true;
  }

  know(advertisement: Advertisement): void {
    const known = this.#known.get(advertisement.node);
    if (known === undefined) {
      this.#known.set(advertisement.node, {
        advertisement,
        receivedMs: this.#clock.nowMs(),
        coolDownUntilMs: 0,
        refusals: 0,
        reserved: noResources,
        reservedCount: 0,
        taken: new TakenShares(),
      });
    } else {
      const before = known.advertisement;
      const older =
        advertisement.boot < before.boot ||
        (advertisement.boot === before.boot && advertisement.sequence <= before.sequence);
      if (older) return;
      known.advertisement = advertisement;
      known.receivedMs = this.#clock.nowMs();
      if (advertisement.incarnation !== before.incarnation) known.coolDownUntilMs = 0;
    }
    // With nobody waiting, room elsewhere changes nothing; in a large cluster there is always some.
    if (this.#hasWaiting) this.wake();
  }

  /** Newest advertisement of every node heard of lately, with its age; by node. */
  views(): NodeView[] {
    return this.#views().sort((l, r) => (l.advertisement.node < r.advertisement.node ? -1 : 1));
  }

  #views(): NodeView[] {
    const nowMs = this.#clock.nowMs();
    const views: NodeView[] = [];
    for (const [node, known] of this.#known) {
      const ageMs = nowMs - known.receivedMs;
      if (ageMs > forgetMs && known.reservedCount === 0) {
        this.#known.delete(node);
        continue;
      }
      views.push({
        advertisement: known.advertisement,
        ageMs,
        reserved: known.reserved,
        reservedCount: known.reservedCount,
        shares: known.taken.left(known.advertisement.shares),
        coolDownUntilMs: known.coolDownUntilMs,
      });
    }
    return views;
  }

  /**
   * Views of the nodes that a plan counts on. What is placed on a node that just died waits for the
   * end of its lease: a closed connection tells sooner than an advertisement that grows old.
   */
  placeable(views = this.views()): NodeView[] {
    return views.filter(view => this.#connected(view.advertisement.node));
  }

  /**
   * The worker of `from` has said something about this task: what it took is in its own numbers
   * from now on. Without `from`, nothing will come of the placement.
   */
  answered(taskId: TaskId, from?: NodeId): void {
    const reservation = this.#reservations.get(taskId);
    if (reservation === undefined) return;
    // A late word about an attempt that was elsewhere says nothing about this placement.
    if (from !== undefined && from !== reservation.node) return;
    this.#reservations.delete(taskId);
    const known = this.#known.get(reservation.node);
    if (known === undefined) return;
    const { demand } = reservation;
    if (demand.reservation) known.taken.give(demand.reservation, demand.request);
    else {
      const isLast = --known.reservedCount === 0;
      known.reserved = isLast ? noResources : subtractResources(known.reserved, demand.request);
    }
    this.wake();
  }

  accepted(node: NodeId): void {
    const known = this.#known.get(node);
    if (known !== undefined) known.refusals = 0;
    this.#crowd.accepted(this.#clock.nowMs());
  }

  ended(durationMs: number): void {
    this.#durations.ended(durationMs);
  }

  refused(node: NodeId, why: Refusal): void {
    const known = this.#known.get(node);
    // What waited too long says nothing against the next one, which may find room at once; what was
    // paused says nothing at all.
    if (known === undefined || why === 'waitedTooLong' || why === 'paused') return;
    // Draining and a new supervisor are told by the next advertisement; until then, ask seldom.
    known.refusals += why === 'noRoom' ? 1 : 3;
    if (why === 'noRoom') this.#crowd.refused(this.#clock.nowMs());
    const pauseMs = coolDownMs(known.refusals, this.#random.uint32());
    known.coolDownUntilMs = this.#clock.nowMs() + pauseMs;
  }

  startsAtOnce(taskId: TaskId): boolean {
    return this.#reservations.get(taskId)?.queued === false;
  }

  #reserve(taskId: TaskId, reservation: Reservation): void {
    const known = this.#known.get(reservation.node);
    if (known === undefined) return;
    this.answered(taskId);
    this.#reservations.set(taskId, reservation);
    const { demand } = reservation;
    if (demand.reservation) known.taken.take(demand.reservation, demand.request);
    else {
      known.reserved = addResources(known.reserved, demand.request);
      known.reservedCount++;
    }
  }

  /** Why a ready task of this lane was not placed at the last plan. */
  reasonFor(lane: Lane): WaitingReason {
    return this.#blocked.get(lane.key) ?? this.#blocked.get(lane.demand.key) ?? 'Queued';
  }

  wake(): void {
    if (this.#planned || this.#stopped || this.#leaders.size === 0) return;
    this.#planned = true;
    const sinceMs = this.#clock.nowMs() - this.#lastPlanMs;
    this.#clock.after(Math.max(0, this.#pace.pauseMs - sinceMs), () => {
      this.#planned = false;
      if (this.#stopped) return;
      this.#plan();
      this.#pace.took(this.#clock.nowMs() - this.#lastPlanMs);
    });
  }

  #plan(): void {
    const nowMs = this.#clock.nowMs();
    this.#lastPlanMs = nowMs;
    const { batches: ready, shardOf, isAnyReady, againInMs: again } = this.#collect();
    const batches = this.rooms?.trim(ready, this.placing) ?? ready;
    this.#hasWaiting = isAnyReady;
    if (batches.length === 0) {
      this.#blocked.clear();
      this.demand.clear();
      this.#pace.planned(undefined);
      if (again !== undefined) this.#wakeIn(again);
      return;
    }
    this.plans++;
    const result = this.#planFor(batches, nowMs);
    this.#blocked.clear();
    for (const { demand, lane, reason } of result.blocked) {
      this.#blocked.set(lane?.key ?? demand.key, reason);
    }
    this.demand.planned(demandOfWork(batches, this.#clock.wallMs()), result);
    this.#pace.planned(result.placements.length);
    for (const { taskId, tenant, node, demand, queued } of result.placements) {
      const leader = shardOf.get(taskId);
      if (leader === undefined) continue;
      this.placing.set(taskId, { tenant, node, demand });
      this.#reserve(taskId, { shard: leader.shard, node, demand, queued });
    }
    propose(result.placements, shardOf, this.#log, (tasks, holds) => {
      for (const { taskId } of tasks) {
        this.placing.delete(taskId);
        if (!holds) this.answered(taskId);
      }
    });
    if (result.hasYielded || result.placements.length >= placementsMax) this.wake();
    else if (result.blocked.length > 0) this.#wakeIn(idlePaceMs);
    else if (again !== undefined) this.#wakeIn(again);
  }

  #planFor(batches: readonly ReadyBatch[], nowMs: number): Plan {
    const leaders = this.#leaders;
    const wallMs = this.#clock.wallMs();
    const views = this.#views();
    const others = leadersIn(views, this.#policy.self);
    return plan({
      batches,
      nodes: this.placeable(views),
      nowMs,
      stateNowMs: wallMs,
      spread: spreadCounts(batches, leaders.values(), this.placing.values()),
      maxPlacements: placementsMax,
      seed: this.#random.uint32(),
      crowd: this.#crowd.size(nowMs),
      shareOf: sharesOf(leaders.values(), this.placing.values(), others, this.#policy),
      headsElsewhere: this.#durations.areLong
        ? others.flatMap(({ demand }) => demand?.heads ?? [])
        : undefined,
      foreignClaims: others.flatMap(({ demand }) => demand?.claims ?? []),
      claimsBefore: this.demand.claims,
      running: node => runningOn(leaders.values(), node, wallMs),
      offPeakLoadMax: this.#policy.offPeakLoadMax(),
    });
  }

  /** Ready tasks of all shards led here, at most the top K of each lane. */
  #collect(): ReadyWork {
    const leaders = Math.max(1, this.#leaders.size);
    const room = (): number => roomFor(this.#known.values(), this.#smallestCpu, placementsMax);
    const work = readyWork(this.#leaders.values(), {
      perShard: () => Math.max(1, Math.ceil((2 * room()) / leaders)),
      wallMs: this.#clock.wallMs(),
      isPlacing: id => this.placing.has(id),
    });
    this.#smallestCpu = Math.max(10, work.smallestCpu ?? 100);
    return work;
  }

  #smallestCpu = 100;
  #cancelWake: (() => void) | undefined;

  #wakeIn(delayMs: number): void {
    this.#cancelWake?.();
    this.#cancelWake = this.#clock.after(Math.min(delayMs, 60_000), () => {
      this.#cancelWake = undefined;
      this.wake();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelWake?.();
  }
}
