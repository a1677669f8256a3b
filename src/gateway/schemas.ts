/**
 * JSON schemas of what the API answers, for the OpenAPI document. They describe the types of
 * `model/task.ts` and `ports/node-api.ts`; a test holds real answers against them.
 */
import { outcomeKinds } from '../model/attempt.ts';
import { errorTable } from '../model/errors.ts';
import { limits } from '../model/limits.ts';
import { resourceNames, tiers } from '../model/resources.ts';
import type { JsonSchema } from '../model/spec-fields.ts';
import { priorities } from '../model/spec-scheduling.ts';
import { taskClasses } from '../model/start-bound.ts';
import { eventKinds, taskStates, waitingReasons } from '../model/task.ts';
import { whens } from '../model/when.ts';
import { refusals } from '../model/worker-protocol.ts';

export const text: JsonSchema = { type: 'string' };
export const flag: JsonSchema = { type: 'boolean' };
export const whole: JsonSchema = { type: 'integer' };
export const described = (schema: JsonSchema, description: string): JsonSchema => ({
  ...schema,
  description,
});
export const instant = described(whole, 'Milliseconds since 1970-01-01 UTC.');
export const texts: JsonSchema = { type: 'array', items: text };
const textMap: JsonSchema = { type: 'object', additionalProperties: text };
export const listOf = (items: JsonSchema): JsonSchema => ({ type: 'array', items });

/** An object; names that end with `?` may be missing. */
export function object(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  const plain = Object.entries(properties).map(([name, schema]) => [name.replace('?', ''), schema]);
  return {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(plain),
    required: Object.keys(properties).filter(name => !name.endsWith('?')),
  };
}

export const taskIdSchema = described(text, 'Task ID, 20 characters.');

export const idParams = object({
  id: described(text, 'Task ID, its last 4 or more characters, or `last`.'),
});

export const idListSchema: JsonSchema = {
  type: 'array',
  items: { type: 'string' },
  maxItems: limits.batchItemsMax,
};

export const specProblem = object({
  pointer: described(text, 'JSON pointer into the document.'),
  code: { enum: ['badSpec', 'badSchedule', 'notYet', 'tooLarge'] },
  message: text,
});

export const errorCode: JsonSchema = { enum: Object.keys(errorTable) };

export const problemSchema: JsonSchema = {
  description: 'A problem document (RFC 9457). Programs match on `code`.',
  content: {
    'application/problem+json': {
      schema: object({
        type: described(text, '`urn:tsched:error:` and the code.'),
        title: text,
        status: whole,
        detail: text,
        code: errorCode,
        suggestion: text,
        'field?': text,
        'problems?': listOf(specProblem),
        'retryAfterMs?': whole,
        'id?': taskIdSchema,
      }),
    },
  },
};

const outcome = object({
  kind: { enum: outcomeKinds },
  'exitCode?': whole,
  'signal?': text,
  startedAtMs: instant,
  endedAtMs: instant,
  userCpuMs: whole,
  systemCpuMs: whole,
  peakMemoryBytes: whole,
  stdoutBytes: whole,
  stderrBytes: whole,
  outputTruncated: flag,
  tail: described(text, 'Last bytes of the output.'),
  'output?': described(text, 'What it handed on in its TSCHED_OUTPUT file.'),
  message: text,
  'supervisorLost?': described(flag, 'Of a lost one: its supervisor ended while it ran under it.'),
});

const attempt = object({
  attempt: described(whole, 'Number of the assignment; the task sees it as TSCHED_ATTEMPT.'),
  'fence?': described(whole, 'Its fencing number where that is another: after unsafe-recover.'),
  run: described(whole, 'Which of the runs that count this is.'),
  node: text,
  nodeName: text,
  assignedAtMs: instant,
  'startedAtMs?': instant,
  'endedAtMs?': instant,
  'outcome?': outcome,
  'suspended?': described(flag, 'Its processes are stopped where they were.'),
});

export const pauseFields = {
  by: text,
  atMs: instant,
  reason: text,
  suspend: described(flag, 'What runs is to stand still too.'),
};

export const state: JsonSchema = { enum: taskStates };
export const reason = described(
  text,
  `Of a waiting task one of ${waitingReasons.join(', ')}; else a sentence where there is one.`,
);

/** Of `BoundView`. */
export const boundProperties = {
  'startBoundMs?': described(instant, 'Until it started: by when it should.'),
  'boundMissed?': described(flag, 'It had not started by then.'),
  'expiresAtMs?': described(instant, 'Until it started: it is dropped then.'),
  'class?': described({ enum: taskClasses }, 'While it waits, by what is left to its bound.'),
  'priority?': { enum: priorities },
};

export const resources = object(Object.fromEntries(resourceNames.map(name => [name, whole])));

export const taskViewSchema = object({
  id: taskIdSchema,
  tenant: text,
  owner: text,
  name: text,
  state,
  'reason?': reason,
  'outcome?': outcome,
  attempts: listOf(attempt),
  runs: whole,
  attemptsMax: whole,
  lost: described(whole, 'Attempts that ended with their node; they do not count.'),
  'supervisorsLost?': described(whole, 'How many of these ended because their supervisor did.'),
  'deadLetter?': described(flag, 'It failed, and was neither replayed nor purged since.'),
  'orderKey?': text,
  tier: { enum: tiers },
  'request?': described(resources, 'What it holds while it runs.'),
  'limit?': described(resources, 'What it may use, where that is more than it holds.'),
  command: text,
  submittedAtMs: instant,
  'settledAtMs?': instant,
  'notBeforeMs?': instant,
  ...boundProperties,
  shard: whole,
  'retryOf?': taskIdSchema,
  'arrayId?': taskIdSchema,
  'arrayIndex?': whole,
  'schedule?': described(text, 'Name of the schedule that made it.'),
  'occurrenceAtMs?': described(instant, 'Which occurrence of that schedule it is.'),
  'workflowId?': described(taskIdSchema, 'Workflow that it is a task of.'),
  'after?': described(listOf(taskIdSchema), 'Tasks by ID that it waited for.'),
  'when?': { enum: whens },
  'gang?': described(whole, 'How many tasks its gang has: those with its `arrayId`.'),
  'reservation?': described(text, 'In whose room it runs.'),
  'cancelRequested?': object({ reason: text, by: text }),
  'paused?': object(pauseFields),
  'tenantPaused?': described(
    object({ tenant: text, ...pauseFields }),
    'Its tenant is paused, or with `*` the whole cluster.',
  ),
  'labels?': { type: 'object', additionalProperties: text },
  'updated?': object({
    by: text,
    atMs: instant,
    set: described(
      { type: 'object', additionalProperties: true },
      'Fields of its document that were changed since, with what holds now.',
    ),
  }),
  'template?': described(text, 'Template and revision that it was made from: `nightly@3`.'),
  stale: described(flag, 'Read from a replica that could not confirm it with a majority.'),
  'staleMs?': described(whole, 'Since that replica last heard of a leader, where it did.'),
});

const taskSummary = object({
  id: taskIdSchema,
  tenant: text,
  name: text,
  state,
  'reason?': reason,
  tier: { enum: tiers },
  command: text,
  submittedAtMs: instant,
  'settledAtMs?': instant,
  runs: whole,
  attemptsMax: whole,
  shard: whole,
  'nodeName?': text,
  'outcome?': described(outcome, 'Of a failed task; without its output.'),
});

export const listPageSchema = object({
  tasks: listOf(taskSummary),
  'cursor?': described(text, 'Give it as `cursor` for the next page; missing on the last one.'),
  missingShards: described(listOf(whole), 'Shards that did not answer: their tasks are missing.'),
  staleShards: described(listOf(whole), 'Shards told of without a majority: may be out of date.'),
});

export const submittedSchema = object({
  id: described(taskIdSchema, 'ID of the task, or of the array.'),
  'shard?': whole,
  'state?': described(state, 'Of a task that was made by this request.'),
  'repeated?': described(flag, 'It had been submitted before, with this ID or key.'),
  'startBoundMs?': described(instant, 'By when it should start; of an array, its last task.'),
  'retryOf?': taskIdSchema,
  'ids?': described(listOf(taskIdSchema), 'Of an array: its tasks, in order of their indices.'),
});

export const resultSchema: JsonSchema = {
  ...object({
    'line?': described(whole, 'Line of a stream, from 1.'),
    ok: flag,
    'id?': taskIdSchema,
    'shard?': whole,
    'repeated?': flag,
    'startBoundMs?': instant,
    'ids?': listOf(taskIdSchema),
    'code?': errorCode,
    'message?': text,
    'field?': described(text, 'JSON pointer into the document.'),
    'problems?': listOf(specProblem),
    'retryAfterMs?': whole,
  }),
};

export const resultsSchema = object({ results: listOf(resultSchema) });

export const eventSchema = object({
  shard: whole,
  seq: described(whole, 'Position in the sequence of the shard.'),
  atMs: instant,
  kind: { enum: eventKinds },
  taskId: taskIdSchema,
  tenant: text,
  state,
  'attempt?': whole,
  'node?': text,
  'outcome?': { enum: outcomeKinds },
  'why?': { enum: refusals },
});

const drainView = object({
  replicasLeft: whole,
  leadsLeft: whole,
  'attemptsLeft?': described(whole, 'Running and queued; missing where the node is not heard.'),
  'deadlineMs?': described(whole, 'What runs this long after the node heard of it is ended.'),
  drained: described(flag, 'Nothing is left: the node may be stopped and removed.'),
});

const nodeSummary = {
  id: text,
  name: text,
  state: described(
    { enum: ['joining', 'up', 'suspected', 'draining', 'dead', 'removed'] },
    '`suspected`: up, and cannot be reached from the node that answers.',
  ),
  stateSinceMs: instant,
  reachable: described(flag, 'From the node that answers.'),
  'drain?': drainView,
  self: flag,
  tier: { enum: tiers },
  total: resources,
  'free?': resources,
  running: whole,
  queued: whole,
  leads: whole,
  replicas: whole,
  'advertAgeMs?': whole,
  httpAddress: text,
  labels: textMap,
  version: described(text, 'Of the program.'),
  clusterVersion: described(whole, 'Newest cluster version that the program reads.'),
};

export const nodesSchema = object({ nodes: listOf(object(nodeSummary)) });

export const nodeDetailSchema = object({
  ...nodeSummary,
  addresses: texts,
  storeId: text,
  bootCount: whole,
  'isolation?': textMap,
  'vitals?': object({
    slow: described(flag, 'Too slow to lead: leaderships go elsewhere.'),
    batchMs: described(whole, 'A write until it was durable, lately.'),
    batchMaxMs: described(whole, 'The longest of the last minute.'),
    lagMs: described(whole, 'How late the drive loop comes, lately.'),
    lagMaxMs: whole,
    diskLow: described(flag, 'The disk is nearly full: no new tasks are taken.'),
    'diskFreeBytes?': whole,
  }),
});

export const shardsSchema = object({
  shards: listOf(
    object({
      shard: whole,
      term: whole,
      'leader?': text,
      voters: texts,
      learners: texts,
      firstIndex: whole,
      commit: whole,
      applied: whole,
      waiting: whole,
      running: whole,
      settled: whole,
      state: { enum: ['ok', 'growing', 'underReplicated', 'noLeader'] },
    }),
  ),
});

export const replicasSchema = object({
  replicas: listOf(
    object({
      shard: described(whole, '0 is the registry.'),
      leading: flag,
      term: whole,
      applied: described(whole, 'Index of the last entry that the state holds.'),
      digest: described(text, 'Of that state: equal on every replica that has applied as much.'),
    }),
  ),
});

export const movesSchema = object({
  moves: listOf(
    object({
      shard: described(whole, '0 is the registry.'),
      adds: described(texts, 'Nodes that get a replica.'),
      removes: described(texts, 'Nodes that give one up.'),
      promotes: described(texts, 'Nodes whose replica begins to vote.'),
      demotes: described(texts, 'Nodes whose replica stops voting.'),
    }),
  ),
});

export const healthSchema = object({
  ready: flag,
  node: text,
  name: text,
  clusterId: text,
  version: text,
});

export const clusterHealthSchema = object({
  ok: flag,
  nodes: whole,
  nodesUp: whole,
  nodesByState: { type: 'object', additionalProperties: whole },
  shards: whole,
  shardsWithoutLeader: listOf(whole),
  shardsGrowing: whole,
  replication: whole,
  clusterVersion: described(whole, 'What the program of every node reads.'),
  problems: texts,
});

export const settingsSchema = object({
  settings: listOf(
    object({
      name: text,
      value: described(text, 'What holds now.'),
      default: text,
      meaning: text,
    }),
  ),
});

export const tiersSchema = object({
  tiers: listOf(
    object({
      tier: { enum: tiers },
      amounts: described(resources, 'What a task is given that names no amounts of its own.'),
      'capMsMax?': described(whole, 'Longest execution cap of its tasks; missing for none.'),
    }),
  ),
});

export const joinTokenSchema = object({ token: text });
export const emptySchema = object({ 'accepted?': flag });

/** An answer that is not JSON. */
export const contentOf = (
  contentType: string,
  schema: JsonSchema,
  description: string,
): JsonSchema => ({ description, content: { [contentType]: { schema } } });
