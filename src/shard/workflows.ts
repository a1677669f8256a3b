/**
 * The workflows of a shard: what each of their tasks came to, as far as others wait for it, and the
 * graph while some have not settled. A settled workflow is a head and a state, until the last of
 * its tasks leaves the history.
 *
 *   workflow   ID, 20 characters              head · submittedAt · received · left · settledAt ·
 *                                             state u8 · cancelled? (reason, by) · ends
 *   graph      ID, 20 characters, index u16   first index · names, conditions, parents
 */
import { assert } from '../model/assert.ts';
import { ByteReader, ByteWriter, DecodeError } from '../model/bytes.ts';
import { idLength, type TaskId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import { type ParentEnd, type When, whens } from '../model/when.ts';
import {
  familyOf,
  indexInWorkflow,
  readWorkflowHead,
  type WorkflowHead,
  type WorkflowState,
  workflowStates,
  writeWorkflowHead,
} from '../model/workflow.ts';
import { rowKind } from './keys.ts';
import type { CancelRequest } from './memory/task-detail.ts';
import type { SideRows } from './side-rows.ts';

const version = 1;

/** How a task ended: 0 while it has not. Append-only: stored. */
export const taskEnd = {
  open: 0,
  succeeded: 1,
  failed: 2,
  skipped: 3,
  cancelled: 4,
  aborted: 5,
} as const;
const endMask = 0x0f;
/** The task handed something on. */
const outputFlag = 0x10;

export interface GraphNode {
  readonly name: string;
  readonly when: When;
  readonly parents: readonly number[];
}

export interface Workflow {
  readonly head: WorkflowHead;
  readonly submittedAtMs: number;
  /** Tasks that have arrived: the first so many. */
  received: number;
  /** Tasks that have not left the history. */
  left: number;
  settledAtMs: number;
  state: WorkflowState;
  cancelled: CancelRequest | undefined;
  /** One of `taskEnd` for each task, with `outputFlag`; empty once the workflow has settled. */
  ends: Uint8Array;
  /** Tasks that have arrived and not settled. */
  open: number;
  /** Parents of each task that has arrived; empty once the workflow has settled. */
  parents: (readonly number[])[];
  /** The other way round, ascending. */
  children: Map<number, number[]>;
  edges: number;
  /** First indices of the rows of its graph. */
  readonly rows: number[];
}

const idKey = (kind: number, id: TaskId): ByteWriter => {
  assert(id.length === idLength, `not an ID: ${id}`);
  const writer = new ByteWriter(24).u8(kind);
  for (let position = 0; position < idLength; position++) writer.u8(id.charCodeAt(position));
  return writer;
};

const workflowKey = (id: TaskId): Uint8Array => idKey(rowKind.workflow, id).finish();

/** Key of the row of the graph that begins at task `first`. */
export const graphKey = (id: TaskId, first: number): Uint8Array =>
  idKey(rowKind.graph, id).u16(first).finish();

const idOfKey = (key: Uint8Array): TaskId =>
  String.fromCharCode(...key.subarray(1, 1 + idLength)) as TaskId;

function encodeWorkflow(workflow: Workflow): Uint8Array {
  const writer = new ByteWriter(256).u8(version);
  writeWorkflowHead(writer, workflow.head);
  writer.varint(workflow.submittedAtMs).varint(workflow.received).varint(workflow.left);
  writer.varint(workflow.settledAtMs).u8(workflowStates.indexOf(workflow.state));
  writer.optional(workflow.cancelled, (w, { reason, by }) => w.text(reason).text(by));
  return writer.bytes(workflow.ends).finish();
}

/** Throws `DecodeError` for another version or malformed bytes. */
function decodeWorkflow(bytes: Uint8Array): Workflow {
  const reader = new ByteReader(bytes);
  reader.version(version, 'workflow row');
  const head = readWorkflowHead(reader);
  const workflow = newWorkflow(head, reader.varint());
  workflow.received = reader.varint();
  workflow.left = reader.varint();
  workflow.settledAtMs = reader.varint();
  const state = workflowStates[reader.u8()];
  if (state === undefined) throw new DecodeError('unknown state of a workflow');
  workflow.state = state;
  workflow.cancelled = reader.optional(r => ({ reason: r.text(4_096), by: r.text(256) }));
  workflow.ends = reader.bytesCopy(limits.workflowTasksMax);
  reader.end('workflow row');
  for (let index = 0; index < Math.min(workflow.received, workflow.ends.length); index++) {
    if (workflow.ends[index] === taskEnd.open) workflow.open++;
  }
  return workflow;
}

export const newWorkflow = (head: WorkflowHead, submittedAtMs: number): Workflow => ({
  head,
  submittedAtMs,
  received: 0,
  left: 0,
  settledAtMs: 0,
  state: 'preparing',
  cancelled: undefined,
  ends: new Uint8Array(head.total),
  open: 0,
  parents: [],
  children: new Map(),
  edges: 0,
  rows: [],
});

function encodeGraph(first: number, nodes: readonly GraphNode[]): Uint8Array {
  const writer = new ByteWriter(nodes.length * 16).u8(version).varint(first);
  writer.list(nodes, (w, { name, when, parents }) => {
    w.text(name)
      .u8(whens.indexOf(when))
      .list(parents, (b, parent) => b.varint(parent));
  });
  return writer.finish();
}

/** Throws `DecodeError` for another version or malformed bytes. */
export function decodeGraph(bytes: Uint8Array): { first: number; nodes: GraphNode[] } {
  const reader = new ByteReader(bytes);
  reader.version(version, 'row of a graph');
  const first = reader.varint();
  const nodes = reader.list(r => ({
    name: r.text(limits.nameBytesMax),
    when: whens[r.u8()] ?? 'success',
    parents: r.list(b => b.varint(), limits.workflowTasksMax),
  }));
  reader.end('row of a graph');
  return { first, nodes };
}

/** How the task at `index` ended, as its children see it; `undefined` while it has not. */
export function endAt(workflow: Workflow, index: number): ParentEnd | undefined {
  const code = workflow.ends[index]! & endMask;
  if (code === taskEnd.open) return undefined;
  if (code === taskEnd.succeeded) return 'succeeded';
  return code === taskEnd.skipped ? 'skipped' : 'failed';
}

export const hasOutput = (workflow: Workflow, index: number): boolean =>
  (workflow.ends[index]! & outputFlag) !== 0;

/** How the workflow ends once all its tasks have. */
function finalState(workflow: Workflow): WorkflowState {
  const seen = new Set<number>();
  for (const end of workflow.ends) seen.add(end & endMask);
  const cut = workflow.received < workflow.head.total;
  if (workflow.cancelled && (cut || seen.has(taskEnd.cancelled))) return 'cancelled';
  if (seen.has(taskEnd.failed)) return 'failed';
  if (seen.has(taskEnd.aborted)) return 'aborted';
  return seen.has(taskEnd.cancelled) ? 'cancelled' : 'succeeded';
}

export class WorkflowTable {
  readonly #rows: SideRows;
  readonly #byId = new Map<TaskId, Workflow>();
  /** A task's ID says which workflows it may be of. */
  readonly #byFamily = new Map<string, Workflow[]>();

  constructor(rows: SideRows) {
    this.#rows = rows;
  }

  get size(): number {
    return this.#byId.size;
  }

  all(): IterableIterator<Workflow> {
    return this.#byId.values();
  }

  get(id: TaskId): Workflow | undefined {
    return this.#byId.get(id);
  }

  /** The workflow that a task is of, and its place there. */
  of(task: TaskId): { readonly workflow: Workflow; readonly index: number } | undefined {
    for (const workflow of this.#byFamily.get(familyOf(task)) ?? []) {
      const index = indexInWorkflow(workflow.head.id, task);
      if (index >= 0 && index < workflow.received) return { workflow, index };
    }
    return undefined;
  }

  /** Whether the IDs of a workflow that comes would be, or could become, those of another one. */
  overlaps({ id, total }: WorkflowHead): boolean {
    return (this.#byFamily.get(familyOf(id)) ?? []).some(({ head }) => {
      const distance = indexInWorkflow(head.id, id) + 1;
      return distance >= 0 ? distance <= head.total : -distance <= total;
    });
  }

  add(workflow: Workflow): void {
    const { id } = workflow.head;
    this.#byId.set(id, workflow);
    const family = familyOf(id);
    this.#byFamily.set(family, [...(this.#byFamily.get(family) ?? []), workflow]);
  }

  mark(workflow: Workflow): void {
    this.#rows.put(workflowKey(workflow.head.id), () => encodeWorkflow(workflow));
  }

  /** Takes the next tasks of a workflow into its graph. */
  extend(workflow: Workflow, nodes: readonly GraphNode[]): void {
    const first = workflow.received;
    link(workflow, first, nodes);
    workflow.received += nodes.length;
    workflow.left += nodes.length;
    workflow.open += nodes.length;
    const bytes = encodeGraph(first, nodes);
    this.#rows.put(graphKey(workflow.head.id, first), () => bytes);
    this.mark(workflow);
  }

  /** A task has settled; true where it was the last one. */
  ended(workflow: Workflow, index: number, end: number, output: boolean): boolean {
    assert(workflow.ends[index] === taskEnd.open, 'a task of a workflow ends once');
    workflow.ends[index] = end | (output ? outputFlag : 0);
    workflow.open--;
    this.mark(workflow);
    const whole = workflow.received === workflow.head.total || workflow.cancelled !== undefined;
    return workflow.open === 0 && whole;
  }

  /** Everything of a workflow has settled; nobody waits for anything of it any more. */
  settle(workflow: Workflow, atMs: number): void {
    workflow.state = finalState(workflow);
    workflow.settledAtMs = atMs;
    workflow.ends = new Uint8Array(0);
    workflow.parents = [];
    workflow.children = new Map();
    workflow.edges = 0;
    this.mark(workflow);
  }

  /** A task has left the history; with the last one its workflow does. */
  expired(workflow: Workflow): void {
    workflow.left--;
    if (workflow.left > 0) {
      this.mark(workflow);
      return;
    }
    const { id } = workflow.head;
    this.#byId.delete(id);
    const family = familyOf(id);
    const others = (this.#byFamily.get(family) ?? []).filter(other => other !== workflow);
    if (others.length > 0) this.#byFamily.set(family, others);
    else this.#byFamily.delete(family);
    this.#rows.drop(workflowKey(id));
    for (const first of workflow.rows) this.#rows.drop(graphKey(id, first));
  }

  /** Takes a row of a workflow or of its graph that was stored; the workflow comes first. */
  load(key: Uint8Array, value: Uint8Array): void {
    if (key[0] === rowKind.workflow) {
      this.add(decodeWorkflow(value));
      return;
    }
    const workflow = this.#byId.get(idOfKey(key));
    assert(workflow !== undefined, 'a graph is that of a workflow');
    const { first, nodes } = decodeGraph(value);
    if (workflow.ends.length === 0) workflow.rows.push(first);
    else link(workflow, first, nodes);
  }
}

function link(workflow: Workflow, first: number, nodes: readonly GraphNode[]): void {
  workflow.rows.push(first);
  nodes.forEach(({ parents }, place) => {
    workflow.parents.push(parents);
    workflow.edges += parents.length;
    for (const parent of parents) {
      const children = workflow.children.get(parent);
      if (children === undefined) workflow.children.set(parent, [first + place]);
      else children.push(first + place);
    }
  });
}
