/** JSON schemas of plans, templates and pauses of placement; see `schemas.ts`. */
import type { JsonSchema } from '../model/spec-fields.ts';
import { waitingReasons } from '../model/task.ts';
import { explainedNode } from './explanation-schema.ts';
import {
  described,
  errorCode,
  instant,
  listOf,
  object,
  pauseFields,
  specProblem,
  text,
  texts,
  whole,
} from './schemas.ts';

const verdict = { enum: ['starts', 'waits', 'refused'] };

const plannedTask = {
  name: text,
  count: described(whole, 'Tasks of the document: more than 1 for an array.'),
  verdict,
  'reason?': { enum: waitingReasons },
  'code?': errorCode,
  message: text,
  'places?': listOf(object({ node: text, name: text, count: whole })),
  'waiting?': described(whole, 'How many would wait.'),
  'toleranceMs?': described(whole, 'How long it may wait for its start.'),
  'startBoundMs?': described(instant, 'By when it should start, if it were submitted now.'),
  'nodes?': described(listOf(explainedNode), 'Missing where there would be too many.'),
};

export const planSchema = object({
  plans: listOf(
    object({
      ...plannedTask,
      'field?': described(text, 'JSON pointer into the document.'),
      'problems?': listOf(specProblem),
    }),
  ),
});

const stageSchema = object({
  tasks: whole,
  starts: described(
    whole,
    'Of later stages: once it is their turn, with the nodes as they are now.',
  ),
  waits: whole,
  refused: whole,
});

export const workflowPlanSchema = object({
  name: text,
  verdict: described(verdict, 'Of the whole: refused, or whether its first tasks would start.'),
  'code?': errorCode,
  message: text,
  total: described(whole, 'Tasks in all.'),
  stageCount: whole,
  stages: described(
    listOf(stageSchema),
    'The first of them: what waits for no other is the first.',
  ),
  plans: described(
    listOf(
      object({
        ...plannedTask,
        stage: described(whole, 'From 1.'),
        after: described(texts, 'The first of the names that it waits for.'),
        afterCount: whole,
        'alone?': described(
          verdict,
          'What it would do by itself once those have settled, where known.',
        ),
      }),
    ),
    'In an order in which each stands behind its parents; refused ones before others left out.',
  ),
});

const templateHead = {
  tenant: text,
  name: text,
  revision: whole,
  by: text,
  atMs: instant,
  description: text,
};

export const templatesSchema = object({ templates: listOf(object(templateHead)) });

const anything: JsonSchema = { type: 'object', additionalProperties: true };

export const templateSchema = object({ ...templateHead, parameters: anything, task: anything });

export const pausesSchema = object({
  pauses: listOf(
    object({ tenant: described(text, '`*` stands for all of them.'), ...pauseFields }),
  ),
});
