/**
 * The nouns of the registry (group 0) and its state in memory: the facts that need one agreed
 * sequence. Nodes and their stores, replica ids, where replicas are, tokens, settings. A few
 * kilobytes to megabytes; all of it stays in memory.
 *
 * Only `commands/` changes the state, and only through the `put` and `drop` methods here: they
 * remember which rows have to be written.
 */
import type { ErrorCode } from '../model/errors.ts';
import type { GroupId, NodeId } from '../model/ids.ts';
import type { PlanValues } from '../model/plan.ts';
import type { Resources, Tier } from '../model/resources.ts';
import type { Role } from '../model/role.ts';
import type { PauseView } from '../model/task.ts';
import { type TierValues, tierFields } from '../model/tiers.ts';
import { byText } from './order.ts';
import { Templates } from './templates.ts';

/** Append-only: the number on disk is the position. */
export const nodeStates = ['joining', 'up', 'draining', 'removed', 'dead'] as const;
export type NodeState = (typeof nodeStates)[number];

export interface ClusterRecord {
  /** Random, drawn by `cluster init`; shown by every node before it is believed. */
  readonly id: string;
  readonly name: string;
  /** Number of shards, a power of two, fixed for the life of the cluster. */
  readonly shards: number;
  /** Replicas wanted of each shard. */
  readonly replication: number;
  readonly createdAtMs: number;
  /** Always 1. What gates new kinds of commands is a setting: `model/cluster-version.ts`. */
  readonly formatVersion: number;
}

/** What a node says of itself when its process starts. */
export interface NodeRegistration {
  readonly id: NodeId;
  /** Unique among the nodes that are not removed. */
  readonly name: string;
  /** Random, made with the store: a wiped disk comes back as another store. */
  readonly storeId: string;
  /** Grows with every start on the same store; one that does not grow is a rolled-back disk. */
  readonly bootCount: number;
  /** Random, drawn at process start: tells a repeated request from a rolled-back disk. */
  readonly bootId: string;
  readonly addresses: readonly string[];
  readonly httpAddress: string;
  readonly tier: Tier;
  readonly total: Resources;
  readonly labels: readonly (readonly [string, string])[];
  /** Replicas of one shard go to different zones first; empty where zones are not used. */
  readonly zone: string;
  /** Share of replicas, 100 for an ordinary node; 0 takes none. */
  readonly weight: number;
  /** Version of the program and the cluster version that it reads: `model/cluster-version.ts`. */
  readonly version: string;
}

export interface RegistryNode extends NodeRegistration {
  readonly state: NodeState;
  /** State time of the last change of `state`. */
  readonly sinceMs: number;
}

/** What was asked of a node that is draining. */
export interface DrainRecord {
  /** From when the node heard of it; what runs there then is ended. Without it, it may finish. */
  readonly deadlineMs?: number | undefined;
}

export interface ReplicaSeat {
  readonly replicaId: number;
  readonly node: NodeId;
}

/** Where the replicas of a group are, as its leader last reported it. A hint for everyone else. */
export interface GroupRecord {
  readonly group: GroupId;
  /** Log index of the configuration in the group's own log; the newest report wins. */
  readonly confIndex: number;
  readonly voters: readonly ReplicaSeat[];
  readonly learners: readonly ReplicaSeat[];
  readonly leader?: NodeId | undefined;
}

/** A replica id that was handed out and is unused yet or seated in its group. */
export interface ReplicaRecord {
  readonly replicaId: number;
  readonly group: GroupId;
  readonly node: NodeId;
  /** The only store that may speak as this replica. */
  readonly storeId: string;
  /** Configuration index of the group at whoever asked for it. */
  readonly confIndex: number;
  /** It was seen in a reported configuration. */
  readonly seated: boolean;
}

export interface TokenRecord {
  readonly id: string;
  readonly name: string;
  /** Lower-case hex of the sha256 of the bearer token. */
  readonly sha256: string;
  readonly role: Role;
  readonly tenant: string;
  readonly expiresAtMs?: number | undefined;
}

/** Whose tasks are told apart, and what they may ask for. */
export interface TenantRecord {
  readonly name: string;
  readonly plan: string;
  /** State time of when it was made. */
  readonly createdAtMs: number;
}

/** Room that is held for a tenant, the same amount on each of its nodes. */
export interface ReservationRecord {
  /** Unique among those that are not over. */
  readonly name: string;
  readonly tenant: string;
  /** Name of the token that made it. */
  readonly by: string;
  readonly createdAtMs: number;
  /** It is over from then on, whether its record is still here or not. */
  readonly untilMs: number;
  readonly amount: Resources;
  /** One that left has taken its part along. */
  readonly nodes: readonly NodeId[];
}

export interface JoinSecret {
  /** Lower-case hex of the sha256 of the secret inside a join token. */
  readonly sha256: string;
  readonly expiresAtMs?: number | undefined;
  /** Joins it still admits; without it, any number. */
  readonly usesLeft?: number | undefined;
}

/** What apply says to a command; a pure function of state and command. */
export type RegistryReply =
  | {
      readonly ok: true;
      /** The command changed nothing because it had been applied before. */
      readonly repeated: boolean;
      /** For `allocateReplica`. */
      readonly replicaId?: number | undefined;
      /** For `putTemplate`. */
      readonly revision?: number | undefined;
    }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string };

/** Hints of what an applied command changed; the state itself is the truth. */
export type RegistryEffect =
  | { readonly kind: 'clusterMade' }
  | { readonly kind: 'nodeChanged'; readonly node: NodeId }
  | { readonly kind: 'groupChanged'; readonly group: GroupId }
  /** The node came back with another store: these seats have to be replaced. */
  | {
      readonly kind: 'replicasDied';
      readonly node: NodeId;
      readonly replicaIds: readonly number[];
    }
  | { readonly kind: 'tokensChanged' }
  | { readonly kind: 'settingsChanged' }
  /** A tenant, or a plan. */
  | { readonly kind: 'tenantsChanged' }
  | { readonly kind: 'reservationsChanged' }
  | { readonly kind: 'pausesChanged' }
  | { readonly kind: 'templatesChanged' };

export const accepted: RegistryReply = { ok: true, repeated: false };
export const repeated: RegistryReply = { ok: true, repeated: true };
export const refused = (code: ErrorCode, message: string): RegistryReply => ({
  ok: false,
  code,
  message,
});

/** Bounds of the registry's own tables. */
export const registryLimits = {
  tokensMax: 1_000,
  joinSecretsMax: 1_000,
  settingsMax: 256,
  settingBytesMax: 4_096,
  addressesMax: 16,
  addressBytesMax: 256,
  /** Removed nodes remembered, so that they are told why they may not return. */
  removedNodesMax: 1_000,
  /** Replaced stores remembered, so that none of them returns. */
  spentStoresMax: 1_000,
  weightMax: 10_000,
  replicationMax: 7,
} as const;

/** The tables, with the names of the rows that changed since they were last taken. */
export class RegistryState {
  cluster: ClusterRecord | undefined;
  readonly nodes = new Map<NodeId, RegistryNode>();
  readonly replicas = new Map<number, ReplicaRecord>();
  readonly groups = new Map<GroupId, GroupRecord>();
  readonly settings = new Map<string, string>();
  /** What was set of tiers; one of which nothing is set is missing. */
  readonly tiers = new Map<Tier, TierValues>();
  /** Stores that were replaced by another of the same node, with the state time of that. */
  readonly spentStores = new Map<string, number>();
  /** Of the nodes that are draining. */
  readonly drains = new Map<NodeId, DrainRecord>();
  /** By sha256. */
  readonly tokens = new Map<string, TokenRecord>();
  readonly joinSecrets = new Map<string, JoinSecret>();
  /** Those that were made or changed; the default one is there without. */
  readonly tenants = new Map<string, TenantRecord>();
  /** What was set of plans, over what is built in. */
  readonly plans = new Map<string, PlanValues>();
  /** By tenant, or `everyTenant`. */
  readonly pauses = new Map<string, PauseView>();
  readonly templates = new Templates(row => this.touch(row));
  /** By name. */
  readonly reservations = new Map<string, ReservationRecord>();
  slotTable: Uint16Array = new Uint16Array(0);
  /** Highest replica id handed out. Invariant: never falls, so that no id is used twice. */
  replicaCounter = 0;
  /** State time: never falls. */
  nowMs = 0;
  digest = 0;
  /** Names of changed rows, see `rows.ts`. */
  readonly dirty = new Set<string>();

  touch(row: string): void {
    this.dirty.add(row);
  }

  putNode(node: RegistryNode): void {
    this.nodes.set(node.id, node);
    this.touch(`n${node.id}`);
  }

  /** Moves a node to another state, at state time. */
  setNodeState(node: RegistryNode, state: NodeState): void {
    this.putNode({ ...node, state, sinceMs: this.nowMs });
    if (state !== 'draining') this.dropDrain(node.id);
  }

  /** A store may never speak again; the oldest are forgotten where there are too many. */
  spendStore(storeId: string): void {
    this.spentStores.set(storeId, this.nowMs);
    this.touch(`x${storeId}`);
    if (this.spentStores.size <= registryLimits.spentStoresMax) return;
    const [oldest] = [...this.spentStores].sort(
      ([left, leftMs], [right, rightMs]) => leftMs - rightMs || byText(left, right),
    );
    if (oldest === undefined) return;
    this.spentStores.delete(oldest[0]);
    this.touch(`x${oldest[0]}`);
  }

  putDrain(id: NodeId, drain: DrainRecord): void {
    this.drains.set(id, drain);
    this.touch(`d${id}`);
  }

  dropDrain(id: NodeId): void {
    if (this.drains.delete(id)) this.touch(`d${id}`);
  }

  dropNode(id: NodeId): void {
    if (this.nodes.delete(id)) this.touch(`n${id}`);
  }

  putReplica(replica: ReplicaRecord): void {
    this.replicas.set(replica.replicaId, replica);
    this.touch(`r${replica.replicaId}`);
  }

  dropReplica(replicaId: number): void {
    if (this.replicas.delete(replicaId)) this.touch(`r${replicaId}`);
  }

  putGroup(group: GroupRecord): void {
    this.groups.set(group.group, group);
    this.touch(`g${group.group}`);
  }

  putToken(token: TokenRecord): void {
    this.tokens.set(token.sha256, token);
    this.touch(`t${token.sha256}`);
  }

  dropToken(sha256: string): void {
    if (this.tokens.delete(sha256)) this.touch(`t${sha256}`);
  }

  putJoinSecret(secret: JoinSecret): void {
    this.joinSecrets.set(secret.sha256, secret);
    this.touch(`j${secret.sha256}`);
  }

  dropJoinSecret(sha256: string): void {
    if (this.joinSecrets.delete(sha256)) this.touch(`j${sha256}`);
  }

  putTenant(tenant: TenantRecord): void {
    this.tenants.set(tenant.name, tenant);
    this.touch(`u${tenant.name}`);
  }

  putPlan(name: string, values: PlanValues): void {
    this.plans.set(name, values);
    this.touch(`p${name}`);
  }

  dropPlan(name: string): void {
    if (this.plans.delete(name)) this.touch(`p${name}`);
  }

  putReservation(reservation: ReservationRecord): void {
    this.reservations.set(reservation.name, reservation);
    this.touch(`v${reservation.name}`);
  }

  dropReservation(name: string): void {
    if (this.reservations.delete(name)) this.touch(`v${name}`);
  }

  putSetting(name: string, value: string): void {
    this.settings.set(name, value);
    this.touch(`o${name}`);
  }

  dropSetting(name: string): void {
    if (this.settings.delete(name)) this.touch(`o${name}`);
  }

  putTier(tier: Tier, values: TierValues): void {
    if (tierFields.some(field => values[field] !== undefined)) this.tiers.set(tier, values);
    else this.tiers.delete(tier);
    this.touch(`i${tier}`);
  }

  putPause(scope: string, pause: PauseView): void {
    this.pauses.set(scope, pause);
    this.touch(`l${scope}`);
  }

  dropPause(scope: string): void {
    if (this.pauses.delete(scope)) this.touch(`l${scope}`);
  }

  setCluster(cluster: ClusterRecord): void {
    this.cluster = cluster;
    this.touch('c');
  }

  setSlotTable(table: Uint16Array): void {
    this.slotTable = table;
    this.touch('s');
  }

  nextReplicaId(): number {
    this.replicaCounter += 1;
    return this.replicaCounter;
  }

  /** Nodes by id, removed ones too. */
  nodesById(): RegistryNode[] {
    return [...this.nodes.values()].sort((left, right) => byText(left.id, right.id));
  }

  /** Replica records by replica id. */
  replicasById(): ReplicaRecord[] {
    return [...this.replicas.values()].sort((left, right) => left.replicaId - right.replicaId);
  }

  groupsByNumber(): GroupRecord[] {
    return [...this.groups.values()].sort((left, right) => left.group - right.group);
  }

  /** The node of that name which is not removed. */
  nodeByName(name: string): RegistryNode | undefined {
    for (const node of this.nodes.values()) {
      if (node.name === name && node.state !== 'removed') return node;
    }
    return undefined;
  }

  /** Whether the seat can never speak again: its store is gone, or its node was removed. */
  isDead(replica: ReplicaRecord): boolean {
    const node = this.nodes.get(replica.node);
    return node === undefined || node.state === 'removed' || node.storeId !== replica.storeId;
  }
}
