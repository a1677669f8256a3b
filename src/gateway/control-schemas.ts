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
  whole,
} from './schemas.ts';

export const planSchema = object({
  plans: listOf(
    object({
      name: text,
      count: described(whole, 'Tasks of the document: more than 1 for an array.'),
      verdict: { enum: ['starts', 'waits', 'refused'] },
      'reason?': { enum: waitingReasons },
      'code?': errorCode,
      message: text,
      'problems?': listOf(specProblem),
      'places?': listOf(object({ node: text, name: text, count: whole })),
      'waiting?': described(whole, 'How many would wait.'),
      'nodes?': described(listOf(explainedNode), 'Missing where there would be too many.'),
    }),
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
