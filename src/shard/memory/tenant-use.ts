/**
 * What the tasks of each tenant hold in this shard: how many wait, how many are assigned or run,
 * and what those have asked for. It follows from the rows and is not stored; the leader tells it,
 * and nothing in apply is decided from it.
 */
import {
  addResources,
  noResources,
  type Resources,
  subtractResources,
} from '../../model/resources.ts';
import { stateCode } from './task-table.ts';
import type { Traits } from './traits.ts';

export interface TenantUse {
  readonly waiting: number;
  /** Assigned and running. */
  readonly running: number;
  readonly cpuMilli: number;
  readonly memoryBytes: number;
}

export const noUse: TenantUse = { waiting: 0, running: 0, cpuMilli: 0, memoryBytes: 0 };

interface Sums {
  waiting: number;
  running: number;
  held: Resources;
}

const useOf = ({ waiting, running, held: { cpuMilli, memoryBytes } }: Sums): TenantUse => ({
  waiting,
  running,
  cpuMilli,
  memoryBytes,
});

const isLive = (code: number): boolean => code === stateCode.assigned || code === stateCode.running;

/** Read by the leader. */
export type ReadableUses = Pick<TenantUses, 'of' | 'all' | 'held'>;

export class TenantUses {
  readonly #sums = new Map<string, Sums>();

  /** A task with these traits is in that state now. */
  enter(traits: Traits, code: number): void {
    this.#add(traits, code, 1);
  }

  /** It was in the one state and is in the other. */
  move(traits: Traits, before: number, after: number): void {
    this.#add(traits, before, -1);
    this.#add(traits, after, 1);
  }

  #add(traits: Traits, code: number, by: 1 | -1): void {
    const waits = code === stateCode.waiting;
    if (!waits && !isLive(code)) return;
    let sums = this.#sums.get(traits.tenant);
    if (sums === undefined) {
      sums = { waiting: 0, running: 0, held: noResources };
      this.#sums.set(traits.tenant, sums);
    }
    if (waits) {
      sums.waiting += by;
    } else {
      const { request } = traits.demand;
      sums.running += by;
      sums.held = by > 0 ? addResources(sums.held, request) : subtractResources(sums.held, request);
    }
    if (sums.waiting === 0 && sums.running === 0) this.#sums.delete(traits.tenant);
  }

  of(tenant: string): TenantUse {
    const sums = this.#sums.get(tenant);
    return sums === undefined ? noUse : useOf(sums);
  }

  /** Tenants that have unsettled tasks, with what these hold. */
  all(): IterableIterator<[string, TenantUse]> {
    return this.#sums.entries().map(([tenant, sums]) => [tenant, useOf(sums)]);
  }

  /** All that the assigned and running tasks of each tenant have asked for. */
  held(): IterableIterator<[string, Resources]> {
    return this.#sums.entries().map(([tenant, { held }]) => [tenant, held]);
  }
}
