/** JSON schemas of what the API answers about workflows. */
import { taskStates } from '../model/task.ts';
import { whens } from '../model/when.ts';
import { workflowStates } from '../model/workflow.ts';
import {
  described,
  flag,
  instant,
  listOf,
  object,
  pauseFields,
  reason,
  taskIdSchema,
  text,
  texts,
  whole,
} from './schemas.ts';

export const workflowParams = object({
  id: described(text, 'ID of a workflow, its last 4 or more characters, or `last`.'),
});

const workflowTask = object({
  id: taskIdSchema,
  name: text,
  after: described(texts, 'Names of the tasks of the workflow that it waits for.'),
  when: { enum: whens },
  state: described({ enum: [...taskStates, 'missing'] }, '`missing`: it left the history.'),
  'skipped?': described(flag, 'It was not needed: its condition did not come true.'),
  'reason?': reason,
  'nodeName?': text,
  'startedAtMs?': instant,
  'endedAtMs?': instant,
  'paused?': object(pauseFields),
  'suspended?': described(flag, 'Its processes are stopped where they were.'),
  'keptFrom?': described(taskIdSchema, 'The task whose outcome holds.'),
});

export const workflowViewSchema = object({
  id: described(taskIdSchema, 'ID of the workflow.'),
  name: text,
  tenant: text,
  owner: text,
  state: { enum: workflowStates },
  shard: whole,
  total: described(whole, 'Tasks in all.'),
  submittedAtMs: instant,
  'settledAtMs?': instant,
  'retryOf?': taskIdSchema,
  'cancelRequested?': object({ reason: text, by: text }),
  tasks: listOf(workflowTask),
  stale: flag,
});
