/** JSON schema of what `GET /v1/tasks/ID/explain` answers. */
import { outcomeKinds } from '../model/attempt.ts';
import { estimateBases, explainReasons } from '../model/explanation.ts';
import { tiers } from '../model/resources.ts';
import { eventKinds } from '../model/task.ts';
import { refusals } from '../model/worker-protocol.ts';
import {
  boundProperties,
  described,
  instant,
  listOf,
  object,
  state,
  taskIdSchema,
  text,
  whole,
} from './schemas.ts';

export const explainedNode = object({
  node: text,
  name: text,
  tier: { enum: tiers },
  advertAgeMs: whole,
  verdict: { type: 'object', additionalProperties: true },
  sentence: text,
});

const explained = object({
  atMs: instant,
  kind: { enum: eventKinds },
  'attempt?': whole,
  'node?': text,
  'outcome?': { enum: outcomeKinds },
  'why?': { enum: refusals },
  sentence: text,
});

export const explanationSchema = object({
  id: taskIdSchema,
  state,
  reason: { enum: explainReasons },
  message: text,
  'position?': described(whole, 'Place among the ready tasks of its shard, from 1.'),
  'readyInShard?': whole,
  ...boundProperties,
  'estimate?': object({
    basis: { enum: estimateBases },
    'startAtMs?': instant,
    sentence: described(text, 'What it was reckoned from, or why there is none.'),
  }),
  decisions: described(listOf(explained), 'What was decided so far, oldest first.'),
  nodes: listOf(explainedNode),
});
