/** What a node answers about workflows: a part of `NodeApi`. */
import type { Actor } from '../model/command.ts';
import type { TaskId } from '../model/ids.ts';
import type { TaskSpec } from '../model/spec.ts';
import type { Consistency } from '../model/task.ts';
import type { KeptTask, WorkflowView } from '../model/workflow.ts';
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

export interface WorkflowApi {
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
