/**
 * Reservations as this node sees them: what it keeps for them itself, who may use which, how they
 * are listed, made and released, and that they end at their date. The registry holds them; whoever
 * has the room, the node, has the last word (ADR 0030).
 */
import { TschedError } from '../model/errors.ts';
import type { ReservationPart, ReservationView } from '../model/reservation.ts';
import type { TaskSpec } from '../model/spec.ts';
import type { NodeTotals } from '../placement/explain.ts';
import type { NodeApi } from '../ports/node-api.ts';
import type { ReservationRecord } from '../registry/state.ts';
import type { NodeShare } from '../worker/shares.ts';
import type { ClusterReads } from './cluster-reads.ts';
import { background, type NodeContext } from './context.ts';
import type { RegistryClient } from './registry-client.ts';
import type { Scheduler } from './scheduler.ts';
import { untilShown } from './until-shown.ts';

/** Those that are over leave the registry within this. */
const sweepMs = 2_000;
const nothing: readonly NodeShare[] = Object.freeze([]);

/** Why a task may not name a reservation, or where it may run in it. */
export type Admission =
  | { readonly ok: true; readonly nodes: readonly NodeTotals[] }
  | {
      readonly ok: false;
      readonly code: 'unknownReservation' | 'forbidden';
      readonly message: string;
    };

export class Reservations {
  readonly #context: NodeContext;
  readonly #registry: RegistryClient;
  readonly #scheduler: () => Scheduler;
  readonly #cluster: () => ClusterReads;
  #here: readonly NodeShare[] = nothing;
  #hereAt = -1;
  /** When one of those here is over: the list is made anew. */
  #hereUntilMs = 0;
  #cancelSweep: () => void = () => undefined;

  constructor(deps: {
    readonly context: NodeContext;
    readonly registry: RegistryClient;
    readonly scheduler: () => Scheduler;
    readonly cluster: () => ClusterReads;
  }) {
    this.#context = deps.context;
    this.#registry = deps.registry;
    this.#scheduler = deps.scheduler;
    this.#cluster = deps.cluster;
  }

  start(): void {
    this.#sweep();
    this.#cancelSweep = this.#context.clock.after(sweepMs, () => this.start());
  }

  stop(): void {
    this.#cancelSweep();
  }

  /** The registry's leader ends those whose time has come. */
  #sweep(): void {
    if (!this.#registry.leading) return;
    const nowMs = this.#context.clock.wallMs();
    for (const { name, untilMs } of this.#registry.machine()?.reservations() ?? []) {
      if (untilMs > nowMs) continue;
      const ending = this.#registry.proposeHere({ kind: 'dropReservation', name, over: true });
      background(this.#context, 'end a reservation', ending);
    }
  }

  /** Those that are not over by the clock of this node. */
  #present(): ReservationRecord[] {
    const nowMs = this.#context.clock.wallMs();
    const all = this.#registry.machine()?.reservations() ?? [];
    return all.filter(({ untilMs }) => untilMs > nowMs);
  }

  /** What this node keeps; the same list while nothing has changed. */
  here(): readonly NodeShare[] {
    const { appliedIndex } = this.#registry;
    if (appliedIndex === this.#hereAt && this.#context.clock.wallMs() < this.#hereUntilMs) {
      return this.#here;
    }
    const mine = this.#present().filter(({ nodes }) => nodes.includes(this.#context.nodeId));
    const ends = mine.map(({ untilMs }) => untilMs);
    this.#hereUntilMs = Math.min(Number.MAX_SAFE_INTEGER, ...ends);
    this.#hereAt = appliedIndex;
    const shares = mine.map(({ name, tenant, amount }) => ({ name, tenant, amount }));
    // Other entries of the registry are no reason to tell everybody the same again.
    if (JSON.stringify(shares) !== JSON.stringify(this.#here)) this.#here = shares;
    return this.#here;
  }

  /** Whether the task may name its reservation, and what that holds on which nodes. */
  admit(spec: TaskSpec): Admission {
    const found = this.#present().find(({ name }) => name === spec.reservation);
    if (found === undefined) {
      const message = `there is no reservation "${spec.reservation}", or it is over`;
      return { ok: false, code: 'unknownReservation', message };
    }
    if (found.tenant !== spec.tenant) {
      const message = `the reservation "${found.name}" is not of the tenant ${spec.tenant}`;
      return { ok: false, code: 'forbidden', message };
    }
    const nodes = this.#registry.members().filter(({ id }) => found.nodes.includes(id));
    return { ok: true, nodes: nodes.map(node => ({ ...node, total: found.amount })) };
  }

  list(tenant?: string): ReservationView[] {
    return this.#present()
      .filter(one => tenant === undefined || one.tenant === tenant)
      .map(one => this.#view(one));
  }

  #view(record: ReservationRecord): ReservationView {
    const { name, tenant, by, createdAtMs, untilMs, amount } = record;
    const views = this.#scheduler().views();
    const parts = record.nodes.map((id): ReservationPart => {
      const node = this.#registry.machine()?.node(id);
      const seen = views.find(({ advertisement }) => advertisement.node === id);
      const share = seen?.advertisement.shares?.find(other => other.name === name);
      const held = node?.state === 'up' || node?.state === 'joining';
      return { node: id, nodeName: node?.name ?? id, held, used: held ? share?.used : undefined };
    });
    return { name, tenant, by, createdAtMs, untilMs, amount, parts };
  }

  async create(...[asked, token]: Parameters<NodeApi['reserve']>): Promise<ReservationView> {
    this.#refuseTooOld();
    const nodes = asked.nodes.map(node => this.#cluster().find(node).id);
    const ask = { ...asked, nodes };
    await this.#registry.administer({ kind: 'putReservation', ask }, token);
    const known = () => this.#registry.machine()?.reservation(ask.name);
    await untilShown(this.#context.clock, () => known()?.untilMs === ask.untilMs);
    const made = known();
    if (made?.untilMs === ask.untilMs) return this.#view(made);
    throw new TschedError('outcomeUnknown', 'this node has not heard of it yet: list them');
  }

  async release(...[name, token]: Parameters<NodeApi['releaseReservation']>): Promise<void> {
    if (!this.#present().some(one => one.name === name)) {
      throw new TschedError('unknownReservation', `there is no reservation "${name}"`);
    }
    await this.#registry.administer({ kind: 'dropReservation', name, over: false }, token);
    await untilShown(
      this.#context.clock,
      () => this.#registry.machine()?.reservation(name) === undefined,
    );
  }

  #refuseTooOld(): void {
    const version = this.#context.clusterVersion();
    if (version >= 3) return;
    const message = `reservations need cluster version 3, and this cluster has ${version}`;
    throw new TschedError('notYet', message);
  }
}
