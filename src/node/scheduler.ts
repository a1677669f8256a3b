/**
 * The planner of a node, over all shards it leads: keeps what is known of every node's resources,
 * wakes when something changed, plans at its own pace and proposes the assignments. A plan is only
 * a wish: apply verifies it, and the worker may still refuse.
 */
import { type Advertisement, decodeAdvertisement } from '../model/advertisement.ts';
import { DecodeError } from '../model/bytes.ts';
import type { NodeId, TaskId } from '../model/ids.ts';
import type { Demand, NodeView, ReadyBatch, ReadyTask } from '../model/planning.ts';
import {
  addResources,
  noResources,
  type Resources,
  subtractResources,
} from '../model/resources.ts';
import type { WaitingReason } from '../model/task.ts';
import type { Refusal, ToWorker } from '../model/worker-protocol.ts';
import { coolDownMs } from '../placement/cool-down.ts';
import { plan } from '../placement/plan.ts';
import type { Clock, Random } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { propose } from './placed.ts';
import type { PlacementDesk, PlacementRooms } from './placement-desk.ts';
import type { ShardLeader } from './shard-leader.ts';
import { spreadCounts } from './spread-counts.ts';
import { TakenShares } from './taken-shares.ts';

/** Least time between two plans: events in between are taken together. */
const paceMs = 3;
/** Plans take at most a quarter of the time, however many demands wait. */
const pausePerPlan = 3;
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
}

export class Scheduler implements PlacementDesk {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #send: (node: NodeId, message: ToWorker, encode: () => Uint8Array) => void;
  readonly #connected: (node: NodeId) => boolean;
  readonly hostOf: (node: NodeId) => string;
  readonly #known = new Map<NodeId, Known>();
  readonly #leaders = new Map<number, ShardLeader>();
  readonly #leadsSince = new WeakMap<ShardLeader, number>();
  /** Placements that no worker has answered yet, by task. */
  readonly #reservations = new Map<TaskId, Reservation>();
  /** Tasks whose assignment is on its way through the log. */
  readonly #placing = new Set<TaskId>();
  readonly #blocked = new Map<string, WaitingReason>();
  #planned = false;
  #lastPlanMs = -1_000;
  #planMs = 0;
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
    readonly hostOf: (node: NodeId) => string;
  }) {
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#log = deps.log;
    this.#send = deps.send;
    this.#connected = deps.connected;
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
    this.wake();
  }

  /** Newest advertisement of every node heard of lately, with its age. */
  views(): NodeView[] {
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
    return views.sort((left, right) =>
      left.advertisement.node < right.advertisement.node ? -1 : 1,
    );
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
      known.reserved = subtractResources(known.reserved, demand.request);
      known.reservedCount--;
    }
    this.wake();
  }

  accepted(node: NodeId): void {
    const known = this.#known.get(node);
    if (known !== undefined) known.refusals = 0;
  }

  refused(node: NodeId, why: Refusal): void {
    const known = this.#known.get(node);
    // What waited too long says nothing against the next one, which may find room at once.
    if (known === undefined || why === 'waitedTooLong') return;
    // Draining and a new supervisor are told by the next advertisement; until then, ask seldom.
    known.refusals += why === 'noRoom' ? 1 : 3;
    const pauseMs = coolDownMs(known.refusals, this.#random.uint32());
    known.coolDownUntilMs = this.#clock.nowMs() + pauseMs;
  }

  #reserve(shard: number, taskId: TaskId, node: NodeId, demand: Demand): void {
    const known = this.#known.get(node);
    if (known === undefined) return;
    this.answered(taskId);
    this.#reservations.set(taskId, { shard, node, demand });
    if (demand.reservation) known.taken.take(demand.reservation, demand.request);
    else {
      known.reserved = addResources(known.reserved, demand.request);
      known.reservedCount++;
    }
  }

  /** Why a ready task of this demand was not placed at the last plan. */
  reasonFor(demand: Demand): WaitingReason {
    return this.#blocked.get(demand.key) ?? 'Queued';
  }

  wake(): void {
    if (this.#planned || this.#stopped || this.#leaders.size === 0) return;
    this.#planned = true;
    const sinceMs = this.#clock.nowMs() - this.#lastPlanMs;
    const pauseMs = Math.max(paceMs, (1 + pausePerPlan) * this.#planMs);
    this.#clock.after(Math.max(0, pauseMs - sinceMs), () => {
      this.#planned = false;
      if (this.#stopped) return;
      this.#plan();
      this.#planMs = this.#clock.nowMs() - this.#lastPlanMs;
    });
  }

  #plan(): void {
    const nowMs = this.#clock.nowMs();
    this.#lastPlanMs = nowMs;
    const { batches: ready, shardOf, again } = this.#collect();
    this.rooms?.trim(ready, this.#placing);
    const batches = ready.filter(batch => batch.tasks.length > 0);
    if (batches.length === 0) {
      this.#blocked.clear();
      if (again !== undefined) this.#wakeIn(again);
      return;
    }
    this.plans++;
    const result = plan({
      batches,
      // What is placed on a node that just died waits for the end of its lease: a closed connection
      // tells sooner than an advertisement that grows old.
      nodes: this.views().filter(view => this.#connected(view.advertisement.node)),
      nowMs,
      stateNowMs: this.#clock.wallMs(),
      spread: spreadCounts(
        batches.map(({ demand }) => demand),
        this.#leaders.values().map(({ machine }) => machine),
        this.#placing.values().flatMap(taskId => {
          const reservation = this.#reservations.get(taskId);
          return reservation === undefined ? [] : [reservation];
        }),
      ),
      maxPlacements: placementsMax,
      seed: this.#random.uint32(),
    });
    this.#blocked.clear();
    for (const { demand, reason } of result.blocked) this.#blocked.set(demand.key, reason);
    for (const { taskId, node, demand } of result.placements) {
      const leader = shardOf.get(taskId);
      if (leader === undefined) continue;
      this.#placing.add(taskId);
      this.#reserve(leader.shard, taskId, node, demand);
    }
    propose(result.placements, shardOf, this.#log, (tasks, holds) => {
      for (const { taskId } of tasks) {
        this.#placing.delete(taskId);
        if (!holds) this.answered(taskId);
      }
    });
    if (result.placements.length >= placementsMax) this.wake();
    else if (result.blocked.length > 0) this.#wakeIn(idlePaceMs);
    else if (again !== undefined) this.#wakeIn(again);
  }

  /** Ready tasks of all shards led here, those of one demand together, oldest first. */
  #collect(): {
    batches: (ReadyBatch & { tasks: ReadyTask[] })[];
    shardOf: Map<TaskId, ShardLeader>;
    again: number | undefined;
  } {
    const shardOf = new Map<TaskId, ShardLeader>();
    const merged = new Map<string, { demand: Demand; tasks: ReadyTask[]; count: number }>();
    const wallMs = this.#clock.wallMs();
    let again: number | undefined;
    const perShard = Math.max(1, Math.ceil((2 * this.#room()) / Math.max(1, this.#leaders.size)));
    let smallestCpu = Number.MAX_SAFE_INTEGER;
    for (const leader of this.#leaders.values()) {
      if (!leader.replica.leading) continue;
      const { machine } = leader;
      for (const batch of machine.readyBatches(perShard, wallMs)) {
        const entry = merged.get(batch.demand.key) ?? { demand: batch.demand, tasks: [], count: 0 };
        merged.set(batch.demand.key, entry);
        smallestCpu = Math.min(smallestCpu, batch.demand.request.cpuMilli);
        entry.count += batch.count;
        for (const task of batch.tasks) {
          if (this.#placing.has(task.id)) continue;
          entry.tasks.push(task);
          for (const { id } of task.gang ?? [task]) shardOf.set(id, leader);
        }
      }
      const nextMs = machine.nextReadyAtMs();
      if (nextMs !== undefined) {
        const inMs = Math.max(1, nextMs - wallMs);
        again = again === undefined ? inMs : Math.min(again, inMs);
      }
    }
    this.#smallestCpu = Math.max(10, smallestCpu === Number.MAX_SAFE_INTEGER ? 100 : smallestCpu);
    const batches = [...merged.values()].filter(entry => entry.tasks.length > 0);
    for (const batch of batches) {
      batch.tasks.sort(
        (left, right) => left.readySinceMs - right.readySinceMs || (left.id < right.id ? -1 : 1),
      );
    }
    return { batches, shardOf, again };
  }

  /** About how many tasks could be placed now: the K of the top K that are offered. */
  #room(): number {
    let room = 0;
    for (const { advertisement, reserved, reservedCount, taken } of this.#known.values()) {
      const free = advertisement.free.cpuMilli - reserved.cpuMilli;
      room += Math.max(0, Math.floor(free / this.#smallestCpu));
      for (const { left } of taken.left(advertisement.shares) ?? []) {
        room += Math.max(0, Math.floor(left.cpuMilli / this.#smallestCpu));
      }
      room += Math.max(0, advertisement.queueRoom - reservedCount);
    }
    return Math.min(room, placementsMax);
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
