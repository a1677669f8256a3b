/**
 * What a node answers: the verbs behind the HTTP API. The gateway is a client of this and of
 * nothing else. Every method finds the replica that can answer, also on another node; failures are
 * `TschedError`s.
 */
import type { Actor } from '../model/command.ts';
import type { Decision, ExplainReason, StartEstimate } from '../model/explanation.ts';
import type { TaskId } from '../model/ids.ts';
import type { ReservationAsk, ReservationView } from '../model/reservation.ts';
import type { Resources, Tier } from '../model/resources.ts';
import type { Role } from '../model/role.ts';
import type { TaskSpec } from '../model/spec.ts';
import type {
  BoundView,
  Consistency,
  TaskEvent,
  TaskState,
  TaskSummary,
  TaskView,
} from '../model/task.ts';
import type { TaskControl } from '../model/task-change.ts';
import type { TierBundles, TierChange } from '../model/tiers.ts';
import type { ControlApi, NodeVerdict } from './control-api.ts';
import type { HistoryPage, HistoryQuery, TaskFilter } from './history.ts';
import type { SchedulesApi } from './schedules-api.ts';
import type { SubmitReply } from './submit-reply.ts';
import type { TenantApi } from './tenant-api.ts';
import type { WorkflowApi } from './workflow-api.ts';

export interface SubmitRequest {
  /** Drawn by the client for a safe retry; else the node draws one. */
  readonly id?: TaskId | undefined;
  readonly spec: TaskSpec;
  readonly retryOf?: TaskId | undefined;
  readonly arrayId?: TaskId | undefined;
  readonly arrayIndex?: number | undefined;
}

export interface ListQuery extends TaskFilter {
  /** Only tasks that failed and were neither replayed nor purged. */
  readonly deadLetters?: boolean | undefined;
  readonly limit: number;
  /** Opaque, from the page before. */
  readonly cursor?: string | undefined;
  /** As in `NodeApi.get`. */
  readonly consistency?: Consistency | undefined;
}

export interface ListPage {
  readonly tasks: readonly TaskSummary[];
  readonly cursor?: string | undefined;
  /** Shards that did not answer: their tasks are missing from the page. */
  readonly missingShards: readonly number[];
  /** Shards told of by a replica that could not confirm with a majority what is the newest. */
  readonly staleShards: readonly number[];
}

export interface OutputQuery {
  readonly id: TaskId;
  /** Fence; the newest attempt that started where it is not given. */
  readonly attempt?: number | undefined;
  readonly stream: 'stdout' | 'stderr';
  readonly offset: number;
  readonly maxBytes: number;
  /** Waits at most this long for more bytes. */
  readonly waitMs: number;
}

export interface OutputPage {
  readonly attempt: number;
  readonly node: string;
  readonly bytes: Uint8Array;
  readonly size: number;
  readonly ended: boolean;
}

/** How far a node that is draining has come. */
export interface DrainView {
  readonly replicasLeft: number;
  readonly leadsLeft: number;
  /** Running and queued; missing where the node cannot be asked. */
  readonly attemptsLeft?: number | undefined;
  /** What runs this long after the node heard of it is ended; missing where it may finish. */
  readonly deadlineMs?: number | undefined;
  /** Nothing is left: it may be stopped and removed. */
  readonly drained: boolean;
}

export interface NodeSummary {
  readonly id: string;
  readonly name: string;
  /**
   * The registry's `joining`, `up`, `draining`, `dead` or `removed`; `suspected` for one that is up
   * and cannot be reached from the node that answers.
   */
  readonly state: string;
  /** State time at which the registry's state began. */
  readonly stateSinceMs: number;
  /** From the node that answers. */
  readonly reachable: boolean;
  readonly drain?: DrainView | undefined;
  readonly self: boolean;
  readonly tier: Tier;
  readonly total: Resources;
  /** From the newest advertisement, where there is a fresh one. */
  readonly free?: Resources | undefined;
  readonly running: number;
  readonly queued: number;
  readonly leads: number;
  readonly replicas: number;
  readonly advertAgeMs?: number | undefined;
  readonly httpAddress: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Of the program, as the node said when it registered. */
  readonly version: string;
  /** Newest cluster version that this program reads. */
  readonly clusterVersion: number;
}

export interface NodeVitals {
  /** Too slow to lead: leaderships go elsewhere. */
  readonly slow: boolean;
  /** From the begin of a write until it was durable: lately, and the longest of the last minute. */
  readonly batchMs: number;
  readonly batchMaxMs: number;
  /** That the drive loop came late: the same. */
  readonly lagMs: number;
  readonly lagMaxMs: number;
  /** The disk is nearly full: leaderships go elsewhere, no new tasks are taken. */
  readonly diskLow: boolean;
  readonly diskFreeBytes?: number | undefined;
}

export interface NodeDetail extends NodeSummary {
  readonly addresses: readonly string[];
  readonly storeId: string;
  readonly bootCount: number;
  /** Isolation that was probed and is used; only the node itself knows. */
  readonly isolation?: Readonly<Record<string, string>> | undefined;
  /** How fast its disk and its loop are, milliseconds; only the node itself knows. */
  readonly vitals?: NodeVitals | undefined;
}

export interface ShardSummary {
  readonly shard: number;
  readonly term: number;
  readonly leader?: string | undefined;
  readonly voters: readonly string[];
  readonly learners: readonly string[];
  /** First entry that is still in the log of the replica that answers. */
  readonly firstIndex: number;
  readonly commit: number;
  readonly applied: number;
  readonly waiting: number;
  readonly running: number;
  readonly settled: number;
  readonly state: 'ok' | 'growing' | 'underReplicated' | 'noLeader';
}

/** A replica as its own node sees it, for comparing it with the others of its shard. */
export interface ReplicaSummary {
  /** 0 is the registry. */
  readonly shard: number;
  readonly leading: boolean;
  readonly term: number;
  readonly applied: number;
  /**
   * Of the state after `applied`, 8 hex digits: equal on every replica that has applied as much.
   */
  readonly digest: string;
}

/** What is still to be moved in one group; nodes by name. */
export interface ShardMoves {
  /** 0 is the registry. */
  readonly shard: number;
  readonly adds: readonly string[];
  readonly removes: readonly string[];
  readonly promotes: readonly string[];
  readonly demotes: readonly string[];
}

/** A setting of the whole cluster, its values as people write them. */
export interface SettingView {
  readonly name: string;
  readonly value: string;
  readonly default: string;
  readonly meaning: string;
}

export interface HealthView {
  /** The node takes tasks. */
  readonly ready: boolean;
  readonly node: string;
  readonly name: string;
  readonly clusterId: string;
  readonly version: string;
}

export interface ClusterHealth {
  readonly ok: boolean;
  readonly nodes: number;
  readonly nodesUp: number;
  /** How many are in which state; only those that occur. */
  readonly nodesByState: Readonly<Record<string, number>>;
  readonly shards: number;
  readonly shardsWithoutLeader: readonly number[];
  readonly shardsGrowing: number;
  readonly replication: number;
  /** What every node reads. */
  readonly clusterVersion: number;
  /** Sentences for a person: what is wrong and what to do. */
  readonly problems: readonly string[];
}

export interface Explanation extends BoundView {
  readonly id: TaskId;
  readonly state: TaskState;
  readonly reason: ExplainReason;
  readonly message: string;
  /** Place among the ready tasks of its shard, from 1. */
  readonly position?: number | undefined;
  readonly readyInShard?: number | undefined;
  /** Of a waiting task. */
  readonly estimate?: StartEstimate | undefined;
  /** Oldest first. */
  readonly decisions: readonly Decision[];
  readonly nodes: readonly NodeVerdict[];
}

export interface NodeApi extends ControlApi {
  /** Who a bearer token belongs to; `undefined` for an unknown one. Compared in constant time. */
  authenticate(token: string): (Actor & { readonly role: Role }) | undefined;
  /** Replies in the order of the requests. Never throws for a single item. */
  submit(requests: readonly SubmitRequest[], actor: Actor): Promise<SubmitReply[]>;
  /**
   * Accepts a whole ID, an unambiguous end of one (at least 4 characters), or `last`; only tasks of
   * `tenant` count where it is given. For a `change` every shard has to be certain: what an old
   * replica takes for the newest task may be another one.
   */
  resolve(
    text: string,
    tenant?: string | undefined,
    purpose?: 'read' | 'change' | undefined,
  ): Promise<TaskId>;
  /**
   * Without `consistency` it is linearizable where there is a majority; else what a replica has,
   * marked stale. `linearizable` throws `noQuorum` instead, `local` asks no leader at all.
   */
  get(id: TaskId, consistency?: Consistency | undefined): Promise<TaskView>;
  spec(id: TaskId): Promise<TaskSpec>;
  list(query: ListQuery): Promise<ListPage>;
  /** One page of what the cluster keeps of settled tasks. */
  history(query: HistoryQuery): Promise<HistoryPage>;
  cancel(ids: readonly TaskId[], reason: string, actor: Actor): Promise<SubmitReply[]>;
  /** Pauses, resumes or changes tasks. */
  control(ids: readonly TaskId[], asked: TaskControl, actor: Actor): Promise<SubmitReply[]>;
  /** The settled task, or its present view once `timeoutMs` have passed. */
  wait(id: TaskId, timeoutMs: number, signal: AbortSignal): Promise<TaskView>;
  /** Makes a new task with the spec of a settled one. */
  retry(id: TaskId, actor: Actor): Promise<SubmitReply>;
  /** Makes a new task in place of each dead letter; its reply names that. */
  replay(ids: readonly TaskId[], actor: Actor): Promise<SubmitReply[]>;
  /** These tasks are no dead letters any more. */
  purge(ids: readonly TaskId[], actor: Actor): Promise<SubmitReply[]>;
  output(query: OutputQuery): Promise<OutputPage>;
  explain(id: TaskId): Promise<Explanation>;
  readonly workflows: WorkflowApi;
  /** Events after `cursor` (opaque; now, where there is none); throws `cursorExpired`. */
  events(
    cursor: string | undefined,
    filter: { readonly tenant?: string | undefined; readonly taskId?: TaskId | undefined },
    signal: AbortSignal,
  ): AsyncIterable<{ readonly cursor: string; readonly event: TaskEvent }>;
  /** Without those that were removed, unless `all` is said. */
  nodes(options?: { readonly all?: boolean | undefined }): Promise<NodeSummary[]>;
  /** By id, or by name. */
  node(idOrName: string): Promise<NodeDetail>;
  /**
   * Begins or ends the draining of a node. `token` is the administrator's, judged again by the
   * registry's leader.
   */
  drainNode(
    idOrName: string,
    options: {
      readonly on: boolean;
      readonly deadlineMs?: number | undefined;
      readonly force: boolean;
    },
    token: string,
  ): Promise<NodeDetail>;
  /** A drained or dead node leaves for good. */
  removeNode(
    idOrName: string,
    options: { readonly force: boolean },
    token: string,
  ): Promise<NodeDetail>;
  /** Replicas that are not where they should be, or would not be `without` one node. */
  moves(without?: string | undefined): Promise<ShardMoves[]>;
  shards(): Promise<ShardSummary[]>;
  /** The replicas of this node, without asking any other. */
  replicas(): readonly ReplicaSummary[];
  health(): HealthView;
  clusterHealth(): Promise<ClusterHealth>;
  settings(): readonly SettingView[];
  /**
   * Changes settings by name; an empty value brings the default back. Nothing is changed where one
   * of them is wrong. `token` is judged as for `drainNode`.
   */
  changeSettings(
    values: Readonly<Record<string, string>>,
    token: string,
  ): Promise<readonly SettingView[]>;
  /** What the tiers give to tasks that are submitted now. */
  tiers(): TierBundles;
  /** Changes one; answers what holds then. `token` is judged as for `drainNode`. */
  setTier(tier: Tier, changes: readonly TierChange[], token: string): Promise<TierBundles>;
  /** Tenants, their tokens and plans. */
  readonly tenancy: TenantApi;
  /** Reservations that are not over, of one tenant where it is given. */
  reservations(tenant?: string | undefined): readonly ReservationView[];
  /** Holds room; nodes by name or ID. `token` is judged as for `drainNode`. */
  reserve(ask: ReservationAsk, token: string): Promise<ReservationView>;
  releaseReservation(name: string, token: string): Promise<void>;
  /** A token with which another node can join. */
  joinToken(): Promise<string>;
  /** Ends this node: hands leaderships away, then stops. With `endTasks`, its attempts too. */
  stopNode(options: { readonly endTasks: boolean }): Promise<void>;
  readonly schedules: SchedulesApi;
  /** Gauges and counters by name, for /metrics. */
  metrics(): readonly {
    readonly name: string;
    readonly help: string;
    readonly kind: 'counter' | 'gauge';
    readonly value: number;
    readonly labels?: Readonly<Record<string, string>> | undefined;
  }[];
}
