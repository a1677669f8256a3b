/** Everything that a node does for tenants, put together. */
import type { NodeId } from '../model/ids.ts';
import type { Plan } from '../model/plan.ts';
import type { SlotTable } from '../model/slots.ts';
import type { NodeContext } from './context.ts';
import { RateLimiter } from './rate-limiter.ts';
import type { RegistryClient } from './registry-client.ts';
import { ScheduleGate } from './schedule-gate.ts';
import type { Scheduler } from './scheduler.ts';
import type { ShardAccess } from './shard-access.ts';
import { planOfTenant, Tenancy } from './tenancy.ts';
import { TenantGate } from './tenant-gate.ts';
import { countNodes, TenantHomes } from './tenant-homes.ts';
import { TenantRooms } from './tenant-rooms.ts';

export class TenantDesk {
  /** What the API says of tenants. */
  readonly tenancy: Tenancy;
  /** Before admission. */
  readonly gate: TenantGate;
  /** The same for what schedules make. */
  readonly scheduleGate: ScheduleGate;
  /** Before placement. */
  readonly rooms: TenantRooms;
  readonly #limiter: RateLimiter;
  readonly #registry: RegistryClient;

  constructor(deps: {
    readonly context: NodeContext;
    readonly registry: RegistryClient;
    readonly scheduler: Scheduler;
    readonly access: ShardAccess;
  }) {
    const { context, registry, scheduler } = deps;
    this.#registry = registry;
    const table = (): SlotTable => registry.machine()?.slotTable() ?? [];
    const connected = (node: NodeId): boolean => context.peers.connected(node);
    const nodes = (): number => countNodes(registry, connected).nodes;
    this.tenancy = new Tenancy(deps);
    this.rooms = new TenantRooms({
      context,
      scheduler,
      table,
      nodes,
      planOf: tenant => this.planOf(tenant),
    });
    this.#limiter = new RateLimiter({
      context,
      table,
      nodes,
      waitingHere: tenant => this.rooms.useHere(tenant).waiting,
    });
    this.gate = new TenantGate(() => registry.machine(), this.#limiter);
    this.scheduleGate = new ScheduleGate(context.clock, this.gate);
    // Serves what other nodes ask of the tenants at home here.
    new TenantHomes({ context, registry, scheduler });
    scheduler.rooms = this.rooms;
  }

  planOf(tenant: string): Plan | undefined {
    const machine = this.#registry.machine();
    return machine && planOfTenant(machine, tenant);
  }

  /** Share of the cluster against other tenants. */
  weightOf(tenant: string): number {
    return this.planOf(tenant)?.weight ?? 1;
  }

  stop(): void {
    this.#limiter.stop();
    this.rooms.stop();
  }
}
