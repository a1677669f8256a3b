/**
 * The order in which a plan looks at ready tasks (DESIGN 8): urgent ones first; then the tenant
 * that uses the smallest share of the cluster for its weight; of one tenant by priority, then the
 * earliest start bound, the shortest cap, the longest wait, the ID.
 *
 * A share is that of the resource of which the tenant holds most, and what the plan itself has
 * placed counts at once: so many waiting tasks do not make a tenant's turn come more often, and one
 * that waits with few is served until it holds as much as the others.
 */
import type { Demand, Lane, ReadyBatch, ReadyTask } from '../model/planning.ts';
import { isUrgent } from '../model/start-bound.ts';
import { Heap } from './heap.ts';
import { type Amounts, amountsOf } from './room.ts';

/** What a tenant holds, as the leader that plans knows it, and how much of the rest it is due. */
export interface TenantShare {
  /** In the order of `resourceNames`. */
  readonly held: Amounts;
  /** What other leaders said that it holds with them, lately. */
  readonly elsewhere?: Amounts | undefined;
  readonly weight: number;
}

/** A task that comes next, with its class. */
export interface Next {
  readonly lane: Lane;
  readonly task: ReadyTask;
  readonly urgent: boolean;
}

interface Head extends Next {
  readonly batch: ReadyBatch;
  readonly position: number;
}

interface Tenant {
  readonly heads: Heap<Head>;
  readonly held: number[];
  readonly weight: number;
  share: number;
}

const capOf = ({ capMs }: ReadyTask): number => (capMs === 0 ? Number.POSITIVE_INFINITY : capMs);

/** Order of two tasks of one lane: earliest bound, shortest cap, then age and ID. Total. */
export function isTaskBefore(left: ReadyTask, right: ReadyTask): boolean {
  if (left.boundMs !== right.boundMs) return left.boundMs < right.boundMs;
  if (left.capMs !== right.capMs) return capOf(left) < capOf(right);
  const byAge = left.readySinceMs - right.readySinceMs;
  return byAge === 0 ? left.id < right.id : byAge < 0;
}

/** Order of two tasks of one class and tenant. */
const isBefore = (left: Next, right: Next): boolean =>
  left.lane.priority === right.lane.priority
    ? isTaskBefore(left.task, right.task)
    : left.lane.priority < right.lane.priority;

/** Order of two tasks of one tenant. */
export const isNextBefore = (left: Next, right: Next): boolean =>
  left.urgent === right.urgent ? isBefore(left, right) : left.urgent;

function isTenantBefore(left: Tenant, right: Tenant): boolean {
  const [l, r] = [left.heads.first, right.heads.first];
  if (l === undefined || r === undefined) return r === undefined;
  if (l.urgent !== r.urgent) return l.urgent;
  return left.share === right.share ? isBefore(l, r) : left.share < right.share;
}

/**
 * What others said is as old as their word, and they are about to place too. If all went by the
 * same numbers, all would serve the same tenant until they hear of each other. So each takes what
 * is held elsewhere for a little more or less than it is, and tenants that are close take turns.
 * With much more doubt than that the order would be too even, and those who are due most get less.
 */
const doubt = 0.25;

function heldInAll({ held, elsewhere = [] }: TenantShare, draw: () => number): number[] {
  const taken = elsewhere.length === 0 ? 1 : 1 + doubt * (2 * draw() - 1);
  const sums = [...held];
  elsewhere.forEach((amount, at) => {
    sums[at] = (sums[at] ?? 0) + taken * amount;
  });
  return sums;
}

export interface WalkOptions {
  readonly batches: readonly ReadyBatch[];
  /** The clock of start bounds. */
  readonly nowMs: number;
  /** What the cluster has in all. */
  readonly total: Amounts;
  readonly shareOf: (tenant: string) => TenantShare;
  readonly draw: () => number;
}

export class FairWalk {
  readonly #nowMs: number;
  readonly #total: Amounts;
  /** By the task that is next; what a tenant's place depends on only ever makes it later. */
  readonly #tenants = new Heap<Tenant>(isTenantBefore);
  readonly #left = new Set<Demand>();
  /** Those of all who wait here, and others that were asked for. */
  readonly #known = new Map<string, Tenant>();
  readonly #given: (tenant: string) => TenantShare;
  readonly #draw: () => number;

  constructor(options: WalkOptions) {
    this.#nowMs = options.nowMs;
    this.#total = options.total;
    this.#given = options.shareOf;
    this.#draw = options.draw;
    for (const batch of options.batches) {
      const head = this.#headAt(batch, 0);
      if (head !== undefined) this.#tenant(batch.lane.tenant).heads.push(head);
    }
    for (const tenant of this.#known.values()) this.#tenants.push(tenant);
  }

  /** What a tenant holds for its weight, with what the plan has placed. */
  shareOf(tenant: string): number {
    return this.#tenant(tenant).share;
  }

  #tenant(name: string): Tenant {
    let tenant = this.#known.get(name);
    if (tenant === undefined) {
      const given = this.#given(name);
      const held = heldInAll(given, this.#draw);
      tenant = { heads: new Heap<Head>(isNextBefore), held, weight: given.weight, share: 0 };
      tenant.share = this.#shareOf(tenant);
      this.#known.set(name, tenant);
    }
    return tenant;
  }

  get current(): Next | undefined {
    return this.#tenants.first?.heads.first;
  }

  /** The current task was placed, with its gang: goes on behind it. */
  placed(): void {
    const tenant = this.#tenants.first;
    const head = tenant?.heads.first;
    if (tenant === undefined || head === undefined) return;
    const count = head.task.gang?.length ?? 1;
    amountsOf(head.lane.demand).forEach((amount, position) => {
      tenant.held[position] = (tenant.held[position] ?? 0) + count * amount;
    });
    tenant.share = this.#shareOf(tenant);
    this.next();
  }

  /** Goes on behind the current task, which stays where it is. */
  next(): void {
    const head = this.current;
    if (head === undefined) return;
    this.#replace(this.#headAt((head as Head).batch, (head as Head).position + 1));
  }

  /** Leaves out the rest of the current task's lane. */
  leaveLane(): void {
    this.#replace(undefined);
  }

  /** Leaves out everything of the current task's demand, whoever wants it. */
  leaveDemand(): void {
    const { current } = this;
    if (current === undefined) return;
    this.#left.add(current.lane.demand);
    this.#clean();
  }

  #shareOf({ held, weight }: Tenant): number {
    let share = 0;
    held.forEach((amount, position) => {
      const total = this.#total[position] ?? 0;
      if (total > 0) share = Math.max(share, amount / total);
    });
    return share / weight;
  }

  #headAt(batch: ReadyBatch, position: number): Head | undefined {
    const task = batch.tasks[position];
    if (task === undefined) return undefined;
    const urgent = isUrgent(task.boundMs, this.#nowMs);
    return { lane: batch.lane, task, urgent, batch, position };
  }

  /** The current task's lane goes on with `head`, or not at all. */
  #replace(head: Head | undefined): void {
    const heads = this.#tenants.first?.heads;
    if (heads === undefined) return;
    heads.pop();
    if (head !== undefined) heads.push(head);
    this.#clean();
  }

  /** What was left out goes when it comes to the front: until then it only makes a tenant early. */
  #clean(): void {
    for (let tenant = this.#tenants.first; tenant; tenant = this.#tenants.first) {
      const { heads } = tenant;
      while (heads.first !== undefined && this.#left.has(heads.first.lane.demand)) heads.pop();
      if (heads.first === undefined) this.#tenants.pop();
      else this.#tenants.sink();
      if (this.#tenants.first === tenant) return;
      const next = this.#tenants.first?.heads.first;
      if (next === undefined || !this.#left.has(next.lane.demand)) return;
    }
  }
}
