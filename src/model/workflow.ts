/**
 * Workflows: tasks submitted together as one unit of one shard, each with the tasks of the same
 * workflow that it waits for. Their IDs follow from the workflow's, so that repeating a submit
 * makes no second task; a task stands behind its parents, so that no cycle can be written down.
 */

import { type Outcome, readOutcome, writeOutcome } from './attempt.ts';
import { type ByteReader, type ByteWriter, DecodeError } from './bytes.ts';
import { formatTaskId, parseTaskId, type TaskId } from './ids.ts';
import { limits } from './limits.ts';
import type { PauseView, TaskState } from './task.ts';
import type { When } from './when.ts';

/** The random part of a workflow's ID leaves room for its tasks. */
export const workflowRandomMax = 2 ** 40 - 1 - limits.workflowTasksMax;

/** ID of the task at `index`: in the slot of its workflow, in the order of the indices. */
export function workflowTaskId(workflow: TaskId, index: number): TaskId {
  const { atMs, slot, random } = parseTaskId(workflow)!;
  return formatTaskId({ atMs, slot, random: random + 1 + index });
}

/** Characters that the IDs of a workflow's tasks share with its own: time and slot. */
const familyLength = 12;

/** Equal for a workflow and its tasks. */
export const familyOf = (id: TaskId): string => id.slice(0, familyLength);

/** Position of a task in a workflow of its family; out of range where it is not of it. */
export const indexInWorkflow = (workflow: TaskId, task: TaskId): number =>
  parseTaskId(task)!.random - parseTaskId(workflow)!.random - 1;

/** How a task of a workflow that is run again ended there, where that still holds. */
export interface KeptTask {
  readonly taskId: TaskId;
  readonly outcome: Outcome;
}

/** A task of a workflow, as it is submitted. */
export interface WorkflowItem {
  /** Position in the specs of its command. */
  readonly spec: number;
  readonly name: string;
  /** Indices of tasks before it. */
  readonly parents: readonly number[];
  readonly retryOf?: TaskId | undefined;
  readonly kept?: KeptTask | undefined;
}

/** What is said of a workflow with every part of it. */
export interface WorkflowHead {
  readonly id: TaskId;
  readonly tenant: string;
  readonly owner: string;
  readonly name: string;
  /** Tasks in all. */
  readonly total: number;
  /** 16 bytes over everything that was asked: a repeat has the same. */
  readonly digest: Uint8Array;
  readonly retryOf?: TaskId | undefined;
}

export function writeWorkflowHead(writer: ByteWriter, head: WorkflowHead): void {
  writer.text(head.id).text(head.tenant).text(head.owner).text(head.name);
  writer
    .varint(head.total)
    .raw(head.digest)
    .optional(head.retryOf, (w, id) => w.text(id));
}

const readId = (reader: ByteReader): TaskId => reader.text(32) as TaskId;

export function readWorkflowHead(reader: ByteReader): WorkflowHead {
  const head = {
    id: readId(reader),
    tenant: reader.text(256),
    owner: reader.text(limits.nameBytesMax),
    name: reader.text(limits.nameBytesMax),
    total: reader.varint(),
    digest: reader.raw(16).slice(),
    retryOf: reader.optional(readId),
  };
  if (head.total > limits.workflowTasksMax) throw new DecodeError('a workflow of too many tasks');
  return head;
}

export function writeWorkflowItem(writer: ByteWriter, item: WorkflowItem): void {
  writer
    .varint(item.spec)
    .text(item.name)
    .list(item.parents, (w, parent) => w.varint(parent));
  writer.optional(item.retryOf, (w, id) => w.text(id));
  writer.optional(item.kept, (w, kept) => {
    w.text(kept.taskId);
    writeOutcome(w, kept.outcome);
  });
}

export const readWorkflowItem = (reader: ByteReader): WorkflowItem => ({
  spec: reader.varint(),
  name: reader.text(limits.nameBytesMax),
  parents: reader.list(r => r.varint(), limits.workflowTasksMax),
  retryOf: reader.optional(readId),
  kept: reader.optional(r => ({ taskId: readId(r), outcome: readOutcome(r) })),
});

/** `preparing`: not all of its tasks have arrived; none runs before they have. */
export const workflowStates = [
  'preparing',
  'running',
  'succeeded',
  'failed',
  'cancelled',
  'aborted',
] as const;
export type WorkflowState = (typeof workflowStates)[number];

export const isWorkflowSettled = (state: WorkflowState): boolean =>
  state !== 'preparing' && state !== 'running';

/** A task of a workflow as people see it. */
export interface WorkflowTaskView {
  readonly id: TaskId;
  readonly name: string;
  /** Names of the tasks of the workflow that it waits for. */
  readonly after: readonly string[];
  readonly when: When;
  readonly state: TaskState | 'missing';
  /** It was not needed: its condition did not come true. */
  readonly skipped?: boolean | undefined;
  readonly reason?: string | undefined;
  readonly nodeName?: string | undefined;
  readonly startedAtMs?: number | undefined;
  readonly endedAtMs?: number | undefined;
  readonly paused?: PauseView | undefined;
  /** Its processes are stopped where they were. */
  readonly suspended?: boolean | undefined;
  /** Of a workflow that is run again: the task whose outcome holds. */
  readonly keptFrom?: TaskId | undefined;
}

/** The JSON of `GET /v1/workflows/ID`. */
export interface WorkflowView {
  readonly id: TaskId;
  readonly name: string;
  readonly tenant: string;
  readonly owner: string;
  readonly state: WorkflowState;
  readonly shard: number;
  readonly total: number;
  readonly submittedAtMs: number;
  readonly settledAtMs?: number | undefined;
  readonly retryOf?: TaskId | undefined;
  readonly cancelRequested?: { readonly reason: string; readonly by: string } | undefined;
  /** In an order in which every task stands behind those that it waits for. */
  readonly tasks: readonly WorkflowTaskView[];
  readonly stale: boolean;
}
