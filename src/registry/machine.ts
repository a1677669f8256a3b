/**
 * The replicated state machine of the registry, group 0: nodes and their stores, replica ids, where
 * replicas are, tokens, settings. Pure: everything it knows comes from the log.
 *
 * Same contract as a shard's machine: `apply` in log order; `takeFlush` gives all rows that changed
 * up to `applied`, to be written with it in one atomic batch; `flushed` says that the batch is
 * durable. A machine that loaded rows and applied the rest of the log equals one that applied it
 * all.
 *
 * State time is max(previous, stamp), and one command moves it by at most 60 s (DESIGN 4): one fast
 * clock must not freeze it.
 */
import { assert } from '../model/assert.ts';
import { clusterVersionSetting, readClusterVersion } from '../model/cluster-version.ts';
import type { GroupId, NodeId } from '../model/ids.ts';
import type { PlanValues } from '../model/plan.ts';
import type { Tier } from '../model/resources.ts';
import { hashText, mix32, type SlotTable } from '../model/slots.ts';
import type { TierValues } from '../model/tiers.ts';
import { decodeRegistryCommand, type RegistryCommand } from './command.ts';
import { applyAllocateReplica } from './commands/allocate-replica.ts';
import { applyBootstrap } from './commands/bootstrap.ts';
import { applyDrainNode } from './commands/drain-node.ts';
import { applyDropReservation } from './commands/drop-reservation.ts';
import { applyDropTemplate } from './commands/drop-template.ts';
import { applyDropToken } from './commands/drop-token.ts';
import { applyPausePlacement } from './commands/pause-placement.ts';
import { applyPutJoinSecret } from './commands/put-join-secret.ts';
import { applyPutPlan } from './commands/put-plan.ts';
import { applyPutReservation } from './commands/put-reservation.ts';
import { applyPutTemplate } from './commands/put-template.ts';
import { applyPutTenant } from './commands/put-tenant.ts';
import { applyPutToken } from './commands/put-token.ts';
import { applyRegisterNode } from './commands/register-node.ts';
import { applyRemoveNode, seatsOf } from './commands/remove-node.ts';
import { applyReportGroup } from './commands/report-group.ts';
import { applySetNodeState } from './commands/set-node-state.ts';
import { applySetSetting } from './commands/set-setting.ts';
import { applySetTier } from './commands/set-tier.ts';
import { checkRegistry } from './invariants.ts';
import type { Pauses } from './pauses.ts';
import { encodeRow, loadRow, rowKey } from './rows.ts';
import {
  type ClusterRecord,
  type DrainRecord,
  type GroupRecord,
  type JoinSecret,
  type RegistryEffect,
  type RegistryNode,
  type RegistryReply,
  RegistryState,
  type ReplicaRecord,
  type ReservationRecord,
  refused,
  type TenantRecord,
  type TokenRecord,
} from './state.ts';
import type { Templates } from './templates.ts';
import { planNames, tenantOf, tenantsByName } from './tenants.ts';

/** Most that one command may move state time. */
const timeJumpMsMax = 60_000;

export interface RegistryApplied {
  /** One per command; none for an empty entry. */
  readonly replies: RegistryReply[];
  readonly effects: RegistryEffect[];
}

export interface RegistryFlush {
  readonly applied: number;
  readonly rows: [key: Uint8Array, value: Uint8Array | undefined][];
  readonly token: number;
}

/** A replica id with the verdict on whether it may still speak. */
export interface ReplicaOwner extends ReplicaRecord {
  /** Its store is gone or its node was removed: it has to be replaced. */
  readonly dead: boolean;
}

export class RegistryMachine {
  readonly #state = new RegistryState();
  #applied = 0;
  /** Applied index of the newest flush that was taken. */
  #taken = 0;
  #dirtyBytes = 0;
  #lastToken = 0;
  #durableToken = 0;

  /** The next rows of what is stored, all of them before anything else. Throws `DecodeError`. */
  loadRows(rows: Iterable<readonly [Uint8Array, Uint8Array]>): void {
    for (const [key, value] of rows) loadRow(this.#state, key, value);
  }

  /** Those were the rows of state at `applied`. */
  loaded(applied: number): void {
    this.#applied = applied;
    this.#taken = applied;
  }

  /**
   * Applies the entry at `index`; one without content only moves `applied`. Never throws for what a
   * client asked; `DecodeError` for a command this program cannot read, then the process must end.
   */
  apply(index: number, data: Uint8Array): RegistryApplied {
    assert(index > this.#applied, `registry: entry ${index} after ${this.#applied}`);
    this.#applied = index;
    if (data.length === 0) return { replies: [], effects: [] };
    const command = decodeRegistryCommand(data);
    const state = this.#state;
    this.#advanceTime(command.atMs);
    const effects: RegistryEffect[] = [];
    const reply = applyCommand(state, command, effects);
    state.digest = nextDigest(state.digest, index, command.kind, reply);
    state.touch('m');
    this.#dirtyBytes += data.length;
    return { replies: [reply], effects };
  }

  #advanceTime(atMs: number): void {
    const state = this.#state;
    if (state.nowMs === 0) state.nowMs = atMs;
    else state.nowMs = Math.max(state.nowMs, Math.min(atMs, state.nowMs + timeJumpMsMax));
  }

  get applied(): number {
    return this.#applied;
  }

  /** State time, milliseconds since the epoch; 0 before the first command. */
  get nowMs(): number {
    return this.#state.nowMs;
  }

  /** Rows that changed since they were last taken. */
  get dirtyRows(): number {
    return this.#state.dirty.size;
  }

  /** About how many bytes those rows have. */
  get dirtyBytes(): number {
    return this.#dirtyBytes;
  }

  /** Whether every flush that was taken is durable. */
  get settled(): boolean {
    return this.#durableToken === this.#lastToken;
  }

  /**
   * All rows that changed, as of `applied`; `undefined` where there is nothing to write. Rows
   * always go together, so `maxRows` only says that fewer would be welcome.
   */
  takeFlush(_maxRows: number): RegistryFlush | undefined {
    const state = this.#state;
    if (this.#applied === this.#taken) return undefined;
    const rows = [...state.dirty]
      .sort()
      .map((row): [Uint8Array, Uint8Array | undefined] => [rowKey(row), encodeRow(state, row)]);
    state.dirty.clear();
    this.#dirtyBytes = 0;
    this.#taken = this.#applied;
    this.#lastToken += 1;
    return { applied: this.#applied, rows, token: this.#lastToken };
  }

  /** The flush of that token, and all before it, is durable. */
  flushed(token: number): void {
    assert(token > this.#durableToken && token <= this.#lastToken, `registry: flush ${token}`);
    this.#durableToken = token;
  }

  /** Hash over all indices and decisions so far: equal on all replicas at equal `applied`. */
  digest(): number {
    return this.#state.digest;
  }

  /** Throws `AssertionError` where the state contradicts itself. */
  checkInvariants(): void {
    checkRegistry(this.#state);
  }

  /** `undefined` until the bootstrap command was applied. */
  cluster(): ClusterRecord | undefined {
    return this.#state.cluster;
  }

  /** All nodes by id, removed ones too. */
  nodes(): RegistryNode[] {
    return this.#state.nodesById();
  }

  node(id: NodeId): RegistryNode | undefined {
    return this.#state.nodes.get(id);
  }

  /** What was asked of a node that is draining; `undefined` for any other. */
  drain(id: NodeId): DrainRecord | undefined {
    return this.#state.drains.get(id);
  }

  /** Groups that count on a node: it has to give these up before it can go. */
  seatsOf(id: NodeId): GroupId[] {
    return seatsOf(this.#state, id);
  }

  /** The node of that name which is not removed. */
  nodeByName(name: string): RegistryNode | undefined {
    return this.#state.nodeByName(name);
  }

  /** Every group by number, the registry itself first. */
  groups(): GroupRecord[] {
    return this.#state.groupsByNumber();
  }

  group(group: GroupId): GroupRecord | undefined {
    return this.#state.groups.get(group);
  }

  /** By hex sha256. The caller judges `expiresAtMs` by its own clock. */
  token(sha256: string): TokenRecord | undefined {
    return this.#state.tokens.get(sha256);
  }

  /** All tokens, by hash. */
  tokens(): TokenRecord[] {
    return [...this.#state.tokens.values()].sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
  }

  /** Every tenant by name, the default one too. */
  tenants(): TenantRecord[] {
    return tenantsByName(this.#state);
  }

  tenant(name: string): TenantRecord | undefined {
    return tenantOf(this.#state, name);
  }

  /** Names of all plans, the built-in ones first. */
  planNames(): string[] {
    return planNames(this.#state);
  }

  /** What is set of a plan, over what is built in. */
  planValues(name: string): PlanValues | undefined {
    return this.#state.plans.get(name);
  }

  /** By hex sha256. The caller judges `expiresAtMs` by its own clock. */
  joinSecret(sha256: string): JoinSecret | undefined {
    return this.#state.joinSecrets.get(sha256);
  }

  /** Who may speak as that replica; `undefined` for one that was never given or has left. */
  replicaOwner(replicaId: number): ReplicaOwner | undefined {
    const replica = this.#state.replicas.get(replicaId);
    return replica === undefined ? undefined : { ...replica, dead: this.#state.isDead(replica) };
  }

  /** The highest replica id that was handed out. */
  get lastReplicaId(): number {
    return this.#state.replicaCounter;
  }

  /** All reservations by name, those too that are over and not dropped yet. */
  reservations(): ReservationRecord[] {
    return [...this.#state.reservations.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  reservation(name: string): ReservationRecord | undefined {
    return this.#state.reservations.get(name);
  }

  setting(name: string): string | undefined {
    return this.#state.settings.get(name);
  }

  /** What was set of a tier; `undefined` where nothing was. */
  tier(tier: Tier): TierValues | undefined {
    return this.#state.tiers.get(tier);
  }

  /** Whose tasks are not placed. */
  pauses(): Pauses {
    return this.#state.pauses;
  }

  templates(): Pick<Templates, 'newest' | 'revisions'> {
    return this.#state.templates;
  }

  /** What every node can read: newer kinds of commands may not be proposed. Never falls. */
  clusterVersion(): number {
    return readClusterVersion(this.setting(clusterVersionSetting));
  }

  /** Shard of every slot; empty until the bootstrap command was applied. */
  slotTable(): SlotTable {
    return this.#state.slotTable;
  }
}

function applyCommand(
  state: RegistryState,
  command: RegistryCommand,
  effects: RegistryEffect[],
): RegistryReply {
  if (state.cluster === undefined && command.kind !== 'bootstrap') {
    return refused('starting', 'the cluster has not been made yet');
  }
  switch (command.kind) {
    case 'bootstrap':
      return applyBootstrap(state, command, effects);
    case 'registerNode':
    case 'registerStart':
      return applyRegisterNode(state, command, effects);
    case 'setNodeState':
      return applySetNodeState(state, command, effects);
    case 'allocateReplica':
      return applyAllocateReplica(state, command, effects);
    case 'reportGroup':
      return applyReportGroup(state, command, effects);
    case 'putToken':
      return applyPutToken(state, command, effects);
    case 'dropToken':
      return applyDropToken(state, command, effects);
    case 'putJoinSecret':
      return applyPutJoinSecret(state, command, effects);
    case 'putReservation':
      return applyPutReservation(state, command, effects);
    case 'dropReservation':
      return applyDropReservation(state, command, effects);
    case 'setSetting':
      return applySetSetting(state, command, effects);
    case 'setTier':
      return applySetTier(state, command, effects);
    case 'drainNode':
      return applyDrainNode(state, command, effects);
    case 'removeNode':
      return applyRemoveNode(state, command, effects);
    case 'putTenant':
      return applyPutTenant(state, command, effects);
    case 'putPlan':
      return applyPutPlan(state, command, effects);
    case 'pausePlacement':
      return applyPausePlacement(state, command, effects);
    case 'putTemplate':
      return applyPutTemplate(state, command, effects);
    case 'dropTemplate':
      return applyDropTemplate(state, command, effects);
  }
}

function nextDigest(digest: number, index: number, kind: string, reply: RegistryReply): number {
  const decision = reply.ok
    ? `${kind} ok ${reply.repeated} ${reply.replicaId ?? 0}`
    : `${kind} ${reply.code} ${reply.message}`;
  return mix32(hashText(decision, mix32(digest ^ mix32(index))));
}
