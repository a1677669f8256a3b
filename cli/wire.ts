/**
 * The JSON of the HTTP API as far as commands print it. A test holds these against the shapes that
 * nodes send (`ports/node-api.ts`), which this folder must not import.
 */

import type { ErrorCode } from '../src/model/errors.ts';
import type { Decision, ExplainReason, StartEstimate } from '../src/model/explanation.ts';
import type { Verdict } from '../src/model/planning.ts';
import type { ReservationView } from '../src/model/reservation.ts';
import type { Resources, Tier } from '../src/model/resources.ts';
import type { Role } from '../src/model/role.ts';
import type { BoundView, TaskState, TaskSummary } from '../src/model/task.ts';

/** Answer to the submit of one document. */
export interface Submitted {
  readonly id: string;
  readonly shard?: number | undefined;
  readonly state?: TaskState | undefined;
  /** The same submit had been accepted before. */
  readonly repeated?: boolean | undefined;
  /** By when it should start; of an array, its last task. */
  readonly startBoundMs?: number | undefined;
  /** Of an array: one ID an index. */
  readonly ids?: readonly string[] | undefined;
}

/** One item of the answer to a batch of submits or cancels, in the order of the request. */
export type BatchResult =
  | (Submitted & { readonly ok: true })
  | {
      readonly ok: false;
      readonly id?: string | undefined;
      readonly code: ErrorCode;
      readonly message: string;
      readonly field?: string | undefined;
      readonly problems?: readonly WireProblem[] | undefined;
      readonly retryAfterMs?: number | undefined;
    };

/** What is wrong with a document. */
export interface WireProblem {
  readonly pointer: string;
  readonly message: string;
}

export interface TaskPage {
  readonly tasks: readonly TaskSummary[];
  readonly cursor?: string | undefined;
  readonly missingShards: readonly number[];
  readonly staleShards: readonly number[];
}

/** How far a node that is draining has come. */
export interface DrainProgress {
  readonly replicasLeft: number;
  readonly leadsLeft: number;
  readonly attemptsLeft?: number | undefined;
  readonly deadlineMs?: number | undefined;
  readonly drained: boolean;
}

/** What is still to be moved in one shard; nodes by name. */
export interface MovesRow {
  /** 0 is the registry. */
  readonly shard: number;
  readonly adds: readonly string[];
  readonly removes: readonly string[];
  readonly promotes: readonly string[];
  readonly demotes: readonly string[];
}

/** A setting of the whole cluster. */
/** As the API says it. */
export type ReservationRow = ReservationView;

export interface SettingRow {
  readonly name: string;
  readonly value: string;
  readonly default: string;
  readonly meaning: string;
}

export interface TenantRow {
  readonly name: string;
  readonly plan: string;
  readonly createdAtMs: number;
}

export interface TenantCard extends TenantRow {
  /** As people read them. */
  readonly limits: Readonly<Record<string, string>>;
  readonly use: {
    readonly waiting: number;
    readonly running: number;
    readonly cpuMilli: number;
    readonly memoryBytes: number;
  };
  readonly missingShards: readonly number[];
}

export interface TenantPlanRow {
  readonly name: string;
  readonly builtIn: boolean;
  readonly limits: Readonly<Record<string, string>>;
  readonly tenants: number;
}

export interface TokenRow {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly tenant: string;
  readonly expiresAtMs?: number | undefined;
}

/** A token that was just made: the only answer that holds it. */
export interface MadeToken extends TokenRow {
  readonly token: string;
}

export interface TierRow {
  readonly tier: Tier;
  readonly amounts: Resources;
  /** Missing where there is no ceiling. */
  readonly capMsMax?: number | undefined;
}

export interface NodeRow {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly stateSinceMs: number;
  readonly reachable: boolean;
  readonly drain?: DrainProgress | undefined;
  readonly self: boolean;
  readonly tier: Tier;
  readonly total: Resources;
  readonly free?: Resources | undefined;
  readonly running: number;
  readonly queued: number;
  readonly leads: number;
  readonly replicas: number;
  readonly advertAgeMs?: number | undefined;
  readonly httpAddress: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly version?: string | undefined;
  /** A node of cluster version 1 does not say it. */
  readonly clusterVersion?: number | undefined;
}

export interface NodeCard extends NodeRow {
  readonly addresses: readonly string[];
  readonly storeId: string;
  readonly bootCount: number;
  readonly isolation?: Readonly<Record<string, string>> | undefined;
  readonly vitals?:
    | {
        readonly slow: boolean;
        readonly batchMs: number;
        readonly batchMaxMs: number;
        readonly lagMs: number;
        readonly lagMaxMs: number;
        readonly diskLow: boolean;
        readonly diskFreeBytes?: number | undefined;
      }
    | undefined;
}

export interface ShardRow {
  readonly shard: number;
  readonly term: number;
  readonly leader?: string | undefined;
  readonly voters: readonly string[];
  readonly learners: readonly string[];
  readonly firstIndex: number;
  readonly commit: number;
  readonly applied: number;
  readonly waiting: number;
  readonly running: number;
  readonly settled: number;
  readonly state: 'ok' | 'growing' | 'underReplicated' | 'noLeader';
}

export interface ClusterState {
  readonly ok: boolean;
  readonly nodes: number;
  readonly nodesUp: number;
  readonly nodesByState: Readonly<Record<string, number>>;
  readonly shards: number;
  readonly shardsWithoutLeader: readonly number[];
  readonly shardsGrowing: number;
  readonly replication: number;
  /** A node of cluster version 1 does not say it. */
  readonly clusterVersion?: number | undefined;
  readonly problems: readonly string[];
}

export interface TaskExplanation extends BoundView {
  readonly id: string;
  readonly state: TaskState;
  readonly reason: ExplainReason;
  readonly message: string;
  readonly position?: number | undefined;
  readonly readyInShard?: number | undefined;
  readonly estimate?: StartEstimate | undefined;
  readonly decisions: readonly Decision[];
  readonly nodes: readonly {
    readonly node: string;
    readonly name: string;
    readonly tier: Tier;
    readonly advertAgeMs: number;
    readonly verdict: Verdict;
    readonly sentence: string;
  }[];
}

/** A document of a plan. */
export interface PlanRow {
  readonly name: string;
  readonly count: number;
  readonly verdict: 'starts' | 'waits' | 'refused';
  readonly reason?: string | undefined;
  readonly code?: ErrorCode | undefined;
  readonly message: string;
  readonly field?: string | undefined;
  readonly problems?: readonly WireProblem[] | undefined;
  readonly places?:
    | readonly { readonly node: string; readonly name: string; readonly count: number }[]
    | undefined;
  readonly waiting?: number | undefined;
  readonly startBoundMs?: number | undefined;
  readonly nodes?: TaskExplanation['nodes'] | undefined;
}

/** A task in the plan of a workflow. */
export interface PlannedStepRow extends PlanRow {
  readonly stage: number;
  readonly after: readonly string[];
  readonly afterCount: number;
  readonly alone?: PlanRow['verdict'] | undefined;
}

export interface PlannedStageRow {
  readonly tasks: number;
  readonly starts: number;
  readonly waits: number;
  readonly refused: number;
}

export interface WorkflowPlan {
  readonly name: string;
  readonly verdict: PlanRow['verdict'];
  readonly code?: ErrorCode | undefined;
  readonly message: string;
  readonly total: number;
  readonly stageCount: number;
  readonly stages: readonly PlannedStageRow[];
  readonly plans: readonly PlannedStepRow[];
}

export interface TemplateRow {
  readonly tenant: string;
  readonly name: string;
  readonly revision: number;
  readonly by: string;
  readonly atMs: number;
  readonly description: string;
}

export interface TemplateCard extends TemplateRow {
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly task: Readonly<Record<string, unknown>>;
}

/** A tenant that is paused, or `*` for the cluster. */
export interface PauseRow {
  readonly tenant: string;
  readonly by: string;
  readonly atMs: number;
  readonly reason: string;
  readonly suspend: boolean;
}
