/** What a node answers about workflows: a part of `NodeApi`. */
import type { Actor } from '../model/command.ts';
import type { TaskId } from '../model/ids.ts';
import type { TaskSpec } from '../model/spec.ts';
import type { Consistency } from '../model/task.ts';
import type { KeptTask, WorkflowView } from '../model/workflow.ts';
import type { PlannedTask } from './control-api.ts';
import type { SubmitReply } from './submit-reply.ts';

export interface WorkflowTaskRequest {
  /** Its `name` names it in the workflow. */
  readonly spec: TaskSpec;
  /** Indices of tasks before it. */
  readonly parents: readonly number[];
  readonly retryOf?: TaskId | undefined;
  readonly kept?: KeptTask | undefined;
}

export interface WorkflowRequest {
  /** Drawn by the client for a safe retry; else the node draws one. */
  readonly id?: TaskId | undefined;
  readonly name: string;
  readonly tenant: string;
  readonly owner: string;
  readonly tasks: readonly WorkflowTaskRequest[];
  readonly retryOf?: TaskId | undefined;
}

/** What a workflow that is run again does anew: what failed and what follows, or all of it. */
export const retryStarts = ['failed', 'start'] as const;
export type RetryStart = (typeof retryStarts)[number];

export interface WorkflowQuery {
  readonly consistency?: Consistency | undefined;
  /** Without its tasks. */
  readonly brief?: boolean | undefined;
}

/** A task of a workflow that is not submitted. */
export interface PlannedStep extends PlannedTask {
  readonly name: string;
  /** 1 for those that wait for no other of it, else one more than the last that it waits for. */
  readonly stage: number;
  /** Names of those that it waits for. */
  readonly after: readonly string[];
  /**
   * What it would do, with the nodes as they are now, once those have settled, if that is known.
   */
  readonly alone?: PlannedTask['verdict'] | undefined;
}

/** Tasks of a stage by what they would do once it is their turn. */
export interface PlannedStage {
  readonly tasks: number;
  readonly starts: number;
  readonly waits: number;
  readonly refused: number;
}

/** What would become of a workflow: refused as a whole, or by what its first tasks would do. */
export interface PlannedWorkflow extends Pick<PlannedTask, 'verdict' | 'code' | 'message'> {
  readonly total: number;
  readonly stages: readonly PlannedStage[];
  /**
   * In an order in which each stands behind those that it waits for; some, where there are many.
   */
  readonly tasks: readonly PlannedStep[];
}

export interface WorkflowApi {
  /** What would become of it, from what nodes advertised; nothing is submitted. */
  plan(request: WorkflowRequest): PlannedWorkflow;
  /** The reply names the workflow. A failure may leave a part of it, which a repeat completes. */
  submit(request: WorkflowRequest, actor: Actor): Promise<SubmitReply>;
  /** As `NodeApi.resolve`, for the IDs of workflows. */
  resolve(text: string, tenant?: string | undefined): Promise<TaskId>;
  get(id: TaskId, query?: WorkflowQuery): Promise<WorkflowView>;
  /** The settled workflow without its tasks, or as it is once `timeoutMs` have passed. */
  wait(id: TaskId, timeoutMs: number, signal: AbortSignal): Promise<WorkflowView>;
  cancel(id: TaskId, reason: string, actor: Actor): Promise<SubmitReply>;
  /** Makes a new workflow of a settled one. */
  retry(id: TaskId, from: RetryStart, actor: Actor): Promise<SubmitReply>;
}
