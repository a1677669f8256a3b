/**
 * The document of a workflow, the same for YAML, HTTP and CLI: a name and a list of tasks, each a
 * task document with a name of its own, which `after` of others refers to. `after` may name tasks
 * outside by their ID as well. Every problem is told at once, with its place.
 */
import { drawCycle, inOrder } from './graph.ts';
import { type TaskId, toTaskId } from './ids.ts';
import { limits } from './limits.ts';
import type { TaskSpec } from './spec.ts';
import { readSpecDocument, type SpecDefaults, specDocumentSchema } from './spec-document.ts';
import { tenantText } from './spec-field-readers.ts';
import { closestName, type JsonSchema } from './spec-fields.ts';
import {
  addUnknownField,
  describeValue,
  ProblemList,
  pointerStep,
  readText,
  type SpecProblem,
} from './spec-reading.ts';

export interface WorkflowDocument {
  readonly id: TaskId | undefined;
  readonly name: string;
  readonly tenant: string;
  readonly owner: string;
  /** In an order in which every task stands behind those that it waits for. */
  readonly tasks: readonly { readonly spec: TaskSpec; readonly parents: readonly number[] }[];
}

export type WorkflowReading =
  | { readonly ok: true; readonly workflow: WorkflowDocument }
  | { readonly ok: false; readonly problems: readonly SpecProblem[] };

/** A name is a word in the graph, and the name of a file that others are given. */
const taskNamePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

const fields = ['id', 'workflow', 'tenant', 'owner', 'tasks'] as const;
type FieldName = (typeof fields)[number];

export const workflowDocumentSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['tasks'],
  properties: {
    id: {
      type: 'string',
      maxLength: 20,
      description: 'ID drawn by the client, so that the request can be repeated safely.',
    },
    workflow: {
      type: 'string',
      maxLength: limits.nameBytesMax,
      description: 'Name shown to people; need not be unique.',
      examples: ['nightly'],
    },
    tenant: { type: 'string', description: "Tenant of its tasks; the token's where left out." },
    owner: { type: 'string', description: 'Who wants it; the name of the token.' },
    tasks: {
      type: 'array',
      minItems: 1,
      maxItems: limits.workflowTasksMax,
      items: specDocumentSchema,
      description: 'Each with a `name` that `after` of others refers to.',
    },
  },
};

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether a document is that of a workflow: it has tasks. */
export const isWorkflowDocument = (value: unknown): boolean => isMap(value) && 'tasks' in value;

/** Fields of a task that make no sense, or are no use, within a workflow. */
const refusedInTask: Readonly<Record<string, string>> = {
  id: 'the IDs of its tasks follow from that of the workflow',
  gang: 'is not for a task of a workflow: a gang is an array',
  array: 'is not for a task of a workflow; write its tasks out',
  idempotencyKey: 'is not for a task of a workflow: it is submitted as a whole',
  orderKey: 'is not for a task of a workflow: its order is that of the graph',
  maxRunningPer: 'is not for a task of a workflow: all tasks of a key are in the shard of the key',
  tenant: 'belongs to the workflow, not to one of its tasks',
  owner: 'belongs to the workflow, not to one of its tasks',
};

interface ReadTask {
  readonly name: string;
  readonly spec: TaskSpec;
  readonly after: readonly unknown[];
  readonly pointer: string;
}

/**
 * `whereIs` says where a pointer stands in what the client wrote, for messages that name more than
 * the place that they are about.
 */
export function readWorkflowDocument(
  document: unknown,
  defaults: SpecDefaults,
  whereIs?: (pointer: string) => string,
): WorkflowReading {
  const problems = new ProblemList();
  const refused = (): WorkflowReading => ({ ok: false, problems: problems.found });
  if (!isMap(document)) {
    problems.add('', `a workflow is a map of fields, not ${describeValue(document)}`);
    return refused();
  }
  for (const name of Object.keys(document)) {
    if (!fields.includes(name as FieldName)) addUnknownField(problems, '', name, fields);
  }
  const head = readHead(document, defaults, problems);
  const names = namesIn(document['tasks']);
  const within = { ...head, tiers: defaults.tiers };
  const tasks = readTasks(document['tasks'], { head: within, names, problems, whereIs });
  const parents = readParents(tasks, names, problems);
  if (problems.found.length > 0) return refused();
  const sorted = inOrder(parents);
  if ('cycle' in sorted) {
    const names = sorted.cycle.map(index => {
      const { name, pointer } = tasks[index]!;
      return whereIs === undefined ? name : `${name} (${whereIs(`${pointer}/after`)})`;
    });
    const [first] = sorted.cycle.map(index => tasks[index]!);
    problems.add(
      `${first!.pointer}/after`,
      'tasks wait for each other in a cycle, so none could ever run; take one of them out of the ' +
        `\`after\` of the next: ${drawCycle(names)}`,
    );
    return refused();
  }
  const { order } = sorted;
  const placeOf = new Map(order.map((index, place) => [index, place]));
  const placed = order.map(index => ({
    spec: tasks[index]!.spec,
    parents: parents[index]!.map(parent => placeOf.get(parent)!),
  }));
  return { ok: true, workflow: { ...head, tasks: placed } };
}

function readHead(
  document: Readonly<Record<string, unknown>>,
  defaults: { readonly tenant: string; readonly owner: string },
  problems: ProblemList,
): Omit<WorkflowDocument, 'tasks'> {
  const rule = { bytesMax: limits.nameBytesMax, oneLine: true };
  const textOf = (name: FieldName, missing: string): string => {
    const value = document[name];
    if (value === undefined) return missing;
    return readText(problems, pointerStep(name), value, rule) ?? missing;
  };
  const id = document['id'];
  const whole = typeof id === 'string' ? toTaskId(id) : undefined;
  if (id !== undefined && whole === undefined) {
    problems.add('/id', `must be an ID of 20 characters, not ${describeValue(id)}`);
  }
  const tenant = textOf('tenant', defaults.tenant);
  if (!tenantText.test(tenant)) {
    problems.add('/tenant', `is not the name of a tenant: ${describeValue(tenant)}`);
  }
  return {
    id: whole,
    name: textOf('workflow', ''),
    tenant,
    owner: textOf('owner', defaults.owner),
  };
}

/** What is called a task, be there something wrong with it or not. */
const namesIn = (value: unknown): ReadonlySet<unknown> =>
  new Set(Array.isArray(value) ? value.map(task => (isMap(task) ? task['name'] : undefined)) : []);

interface Reading {
  readonly head: SpecDefaults;
  readonly names: ReadonlySet<unknown>;
  readonly problems: ProblemList;
  readonly whereIs: ((pointer: string) => string) | undefined;
}

function readTasks(value: unknown, reading: Reading): ReadTask[] {
  const { problems } = reading;
  if (!Array.isArray(value) || value.length === 0) {
    const not = Array.isArray(value) ? 'an empty one' : describeValue(value ?? null);
    problems.add('/tasks', `must be a list of tasks, not ${not}`);
    return [];
  }
  if (value.length > limits.workflowTasksMax) {
    const most = limits.workflowTasksMax;
    problems.add('/tasks', `holds ${value.length} tasks; at most ${most} are allowed`, 'tooLarge');
    return [];
  }
  const tasks: ReadTask[] = [];
  const firstOf = new Map<string, number>();
  value.forEach((task: unknown, index) => {
    if (problems.full) return;
    const read = readTask(task, `/tasks/${index}`, reading);
    if (read === undefined) return;
    const first = firstOf.get(read.name);
    if (first === undefined) firstOf.set(read.name, index);
    else {
      const place = `${read.pointer}/name`;
      const other =
        reading.whereIs === undefined
          ? `task ${first + 1} of the list`
          : `the task at ${reading.whereIs(`/tasks/${first}/name`)}`;
      problems.add(place, `\`${read.name}\` is the name of ${other} already`);
    }
    tasks.push(read);
  });
  return tasks;
}

function readTask(value: unknown, pointer: string, within: Reading): ReadTask | undefined {
  const { head, names, problems } = within;
  if (!isMap(value)) {
    return problems.add(pointer, `a task is a map of fields, not ${describeValue(value)}`);
  }
  const before = problems.found.length;
  for (const [field, why] of Object.entries(refusedInTask)) {
    if (value[field] !== undefined) problems.add(`${pointer}/${field}`, why);
  }
  const { name, after } = value;
  if (typeof name !== 'string' || !taskNamePattern.test(name)) {
    const rule = '1 to 63 letters, digits, dots, dashes or underscores';
    const place = name === undefined ? pointer : `${pointer}/name`;
    problems.add(place, `needs a \`name\` of ${rule}, not ${describeValue(name ?? null)}`);
  }
  const list: unknown = typeof after === 'string' ? [after] : (after ?? []);
  if (!Array.isArray(list)) {
    return problems.add(`${pointer}/after`, `must be a list of names, not ${describeValue(after)}`);
  }
  const elsewhere = list.filter(text => isElsewhere(text, names));
  // What is inside the workflow is in its graph; the rest is the task's own.
  const own: Record<string, unknown> = { ...value };
  for (const field of ['after', ...Object.keys(refusedInTask)]) delete own[field];
  if (elsewhere.length > 0) own['after'] = elsewhere;
  const reading = readSpecDocument(own, head, { hasParents: list.length > 0 });
  if (!reading.ok) {
    for (const problem of reading.problems) {
      problems.add(pointer + problem.pointer, problem.message, problem.code);
    }
  }
  if (!reading.ok || problems.found.length > before) return undefined;
  return { name: String(name), spec: reading.spec, after: list, pointer };
}

/** The ID of a task outside. */
const isElsewhere = (text: unknown, names: ReadonlySet<unknown>): boolean =>
  typeof text === 'string' && !names.has(text) && toTaskId(text) !== undefined;

/** Parents of each task by index, in the order in which it names them. */
function readParents(
  tasks: readonly ReadTask[],
  names: ReadonlySet<unknown>,
  problems: ProblemList,
): number[][] {
  const indexOf = new Map(tasks.map(({ name }, index) => [name, index]));
  let edges = 0;
  return tasks.map(({ name, after, pointer }) => {
    const parents = new Set<number>();
    after.forEach((wanted, place) => {
      const at = `${pointer}/after/${place}`;
      const parent = typeof wanted === 'string' ? indexOf.get(wanted) : undefined;
      if (parent === undefined) {
        if (!names.has(wanted) && !isElsewhere(wanted, names)) {
          refuseUnknown(wanted, at, indexOf, problems);
        }
      } else if (tasks[parent]!.name === name) {
        problems.add(at, `\`${name}\` waits for itself, so it could never run`);
      } else if (parents.has(parent)) problems.add(at, `\`${name}\` names ${wanted} twice`);
      else parents.add(parent);
    });
    edges += parents.size;
    if (edges > limits.workflowEdgesMax) {
      const most = limits.workflowEdgesMax;
      problems.add(`${pointer}/after`, `more than ${most} dependencies in all`, 'tooLarge');
    }
    return [...parents];
  });
}

function refuseUnknown(
  wanted: unknown,
  pointer: string,
  known: ReadonlyMap<string, number>,
  problems: ProblemList,
): void {
  const meant = typeof wanted === 'string' ? closestName(wanted, [...known.keys()]) : undefined;
  const hint = meant === undefined ? '' : `; did you mean \`${meant}\`?`;
  problems.add(pointer, `no task of the workflow is called so: ${describeValue(wanted)}${hint}`);
}
