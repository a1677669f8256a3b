/**
 * Every field of the document that people write for a task, with its JSON schema, what it means and
 * an example. `spec-document.ts` reads and writes such documents; the OpenAPI document, the
 * reference of the fields and the suggestion for a misspelt field are made from this table.
 */
import { causeHelp } from './failure-causes.ts';
import { limits } from './limits.ts';
import { tiers } from './resources.ts';
import { priorities } from './spec-scheduling.ts';
import { whens } from './when.ts';

/** A JSON schema, as plain data. */
export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

const text = (maxLength: number): JsonSchema => ({ type: 'string', maxLength });
const amount: JsonSchema = { anyOf: [{ type: 'string' }, { type: 'number', minimum: 0 }] };
const duration = amount;
const count = (minimum: number, maximum: number): JsonSchema => ({
  type: 'integer',
  minimum,
  maximum,
});
const textMap: JsonSchema = { type: 'object', additionalProperties: { type: 'string' } };
const textList: JsonSchema = { type: 'array', items: { type: 'string' } };

const causeList: JsonSchema = {
  anyOf: [
    { type: 'string' },
    { type: 'integer' },
    { type: 'array', items: { anyOf: [{ type: 'string' }, { type: 'integer' }] } },
  ],
};

const field = (schema: JsonSchema, description: string, example: unknown): JsonSchema => ({
  ...schema,
  description,
  examples: [example],
});

/** Amounts that may differ between what is held and what may be used. */
const limitFields = {
  cpu: field(amount, 'CPUs an attempt may use at most; one at least where it is left out.', '2'),
  memory: field(amount, 'Memory an attempt may use at most, or it is ended.', '1GiB'),
  disk: field(amount, 'Disk an attempt may use at most.', '10GiB'),
  iops: field(count(0, 1e9), 'Disk operations a second an attempt may make at most.', 1000),
  bandwidth: field(amount, 'Network bytes a second an attempt may use at most.', '10MB'),
} as const;

export const specFields = {
  id: field(
    text(20),
    'ID drawn by the client, so that the request can be repeated safely. For an array: of the array.',
    '06fq3v8k2a7d1m9x4t0c',
  ),
  name: field(
    text(limits.nameBytesMax),
    'Name shown to people; need not be unique.',
    'nightly-etl',
  ),
  command: field(
    { anyOf: [{ ...textList, minItems: 1 }, { type: 'string' }] },
    'Program and arguments as a list of texts; or one text, run by /bin/sh -c.',
    ['gzip', '-9', '/var/log/app.log'],
  ),
  script: field(
    text(limits.scriptBytesMax),
    `Text of a script that travels with the task, at most ${limits.scriptBytesMax} bytes.`,
    '#!/bin/sh\necho hello\n',
  ),
  scriptBase64: field(
    text(Math.ceil(limits.scriptBytesMax / 3) * 4),
    'The same as `script` for bytes that are not UTF-8 text, in base64.',
    'IyEvYmluL3NoCmVjaG8gaGVsbG8K',
  ),
  scriptName: field(text(limits.nameBytesMax), 'File name of the script, its $0.', 'report.sh'),
  args: field(textList, 'Arguments of the script.', ['--verbose']),
  handler: field(
    { const: 'null' },
    'In place of a command: settles without starting a process, for measuring everything else.',
    'null',
  ),
  tier: field(
    { enum: tiers },
    'Least tier of a node that may run it; gives default amounts. basic where it is left out.',
    'regular',
  ),
  cpu: field(amount, 'CPUs held while an attempt runs: a number, or thousandths as 500m.', '500m'),
  memory: field(amount, 'Memory held while an attempt runs.', '512MiB'),
  disk: field(amount, 'Disk held while an attempt runs.', '1GiB'),
  iops: field(count(0, 1e9), 'Disk operations a second held while an attempt runs.', 100),
  bandwidth: field(amount, 'Network bytes a second held while an attempt runs.', '5MB'),
  ports: field(count(0, limits.portsMax), 'How many TCP ports an attempt is given.', 1),
  limits: field(
    { type: 'object', additionalProperties: false, properties: limitFields },
    'What an attempt may use at most; the amounts held where it is left out, but one CPU at ' +
      'least. Over its memory it is ended; CPU is rationed; the others are not enforced yet.',
    { memory: '1GiB' },
  ),
  env: field(textMap, 'Environment variables.', { MODE: 'fast' }),
  cwd: field(text(4_096), 'Absolute working directory on the node.', '/srv/work'),
  attempts: field(
    count(1, limits.attemptsMax),
    'Total number of runs, the first included. 1 where it is left out.',
    3,
  ),
  backoff: field(
    {
      anyOf: [
        ...(amount['anyOf'] as readonly JsonSchema[]),
        {
          type: 'object',
          additionalProperties: false,
          properties: { initial: duration, max: duration },
        },
      ],
    },
    'Pause before the second run, doubled before each further one up to `max`. 1s up to 1m.',
    { initial: '1s', max: '1m' },
  ),
  cap: field(duration, 'Longest time one attempt may run. No cap where it is left out.', '10m'),
  grace: field(duration, 'Time between SIGTERM and SIGKILL, at most 1m.', '2s'),
  lostAfter: field(
    duration,
    'Length of the lease of an attempt: how long its node may be out of reach, 5s to 1h.',
    '20s',
  ),
  tolerance: field(
    duration,
    'How long it may wait for its start: 1s to 366d. The answer to the submit says until when that ' +
      'is. 1d where it is left out, or `expire` where that is less.',
    '30m',
  ),
  expire: field(
    duration,
    'It is dropped (aborted) where it could not start for so long; not before its tolerance.',
    '2h',
  ),
  priority: field(
    { enum: priorities },
    'Goes before or after other tasks of its tenant and class. normal where it is left out.',
    'high',
  ),
  offPeak: field(
    { type: 'boolean' },
    'Held while the load of the cluster is above the setting `offPeak.load`, until a minute ' +
      'before its start bound at most.',
    true,
  ),
  window: field(
    { anyOf: [{ type: 'string' }, { ...textList, minItems: 1, maxItems: limits.windowsMax }] },
    'Held outside of these windows (UTC), until a minute before its start bound at most; with ' +
      '`offPeak`, until either lets it go.',
    'mon-fri 22:00-06:00',
  ),
  labels: field(textMap, 'Labels of the task.', { team: 'search' }),
  require: field(textMap, 'Labels a node must have.', { os: 'linux' }),
  prefer: field(
    textMap,
    'Labels a node had better have: of nodes of one tier with room, those with most of them.',
    { zone: 'a' },
  ),
  spread: field(
    text(limits.labelBytesMax),
    'Label over whose values tasks are spread: those of the array, or those with the same name.',
    'zone',
  ),
  holdIfUnfit: field(
    { type: 'boolean' },
    'Where no node could ever run it, it waits for one that can instead of being refused.',
    true,
  ),
  idempotencyKey: field(
    text(limits.keyBytesMax),
    'A later submit with the same key and the same specification is the same task.',
    'invoice-2024-07-31',
  ),
  orderKey: field(
    text(limits.keyBytesMax),
    'Tasks of one tenant with the same key run one at a time, in the order in which they were taken.',
    'account-4711',
  ),
  maxRunningPer: field(
    { type: 'object', additionalProperties: count(1, limits.maxRunningPerMax), maxProperties: 1 },
    'One key, and how many tasks of one tenant with that key may run at a time.',
    { db: 3 },
  ),
  retryOn: field(
    causeList,
    `Failures after which it is run again, while runs are left: each ${causeHelp}. All where it is left out.`,
    [75, 'SIGTERM', 'timeout', 'oom'],
  ),
  noRetryOn: field(causeList, 'Failures after which it is not run again, in the same words.', [2]),
  after: field(
    { anyOf: [{ ...textList, minItems: 1, maxItems: limits.afterMax }, { type: 'string' }] },
    'Tasks that have to settle first, anywhere in the cluster, by their whole IDs; in a workflow ' +
      'also by their names.',
    ['06fq3v8k2a7d1m9x4t0c'],
  ),
  when: field(
    { enum: whens },
    'With `after`: success of all (as a rule), failure of one, or always, once all settled.',
    'success',
  ),
  array: field(
    text(32),
    `Makes one task of this specification for each index, at most ${limits.arrayMax}.`,
    '1-1000',
  ),
  at: field(
    text(40),
    'Not to start before this instant, ISO 8601 with an offset; UTC where it has none.',
    '2027-01-31T09:30:00Z',
  ),
  in: field(duration, 'Not to start before this long after it was submitted.', '10m'),
  gang: field(
    count(2, limits.gangMax),
    'So many tasks of this specification, all started together or none; each is told of the others.',
    3,
  ),
  reservation: field(
    text(limits.nameBytesMax),
    'Name of the reservation in whose room it runs.',
    'nightly',
  ),
  output: field(amount, 'Output kept of one attempt, both streams together.', '16MiB'),
  template: field(
    text(limits.nameBytesMax),
    'Template that makes the task, as NAME or NAME@REVISION; other fields stand over what it says.',
    'nightly@3',
  ),
  set: field(
    { type: 'object', additionalProperties: { type: ['string', 'number', 'boolean'] } },
    'Values of the parameters of the template.',
    { day: '2024-07-31' },
  ),
  tenant: field(text(63), "Tenant of the task; the token's where it is left out.", 'default'),
  owner: field(text(limits.nameBytesMax), 'Who wants it; the name of the token.', 'ada'),
} as const satisfies Record<string, JsonSchema>;

export type SpecFieldName = keyof typeof specFields;

export const limitFieldNames = Object.keys(limitFields) as (keyof typeof limitFields)[];

/** Declared, so that their names are taken, but refused as `notYet`. */
export const notYetFields: readonly string[] = [
  'image',
  'user',
  'network',
  'isolation',
  'sandbox',
  'schedule',
  'timezone',
  'checkpoint',
  'stages',
  'notify',
  'scriptSha256',
];

/** What people write who come from other tools. */
const aliases: Record<string, SpecFieldName> = {
  mem: 'memory',
  ram: 'memory',
  cmd: 'command',
  run: 'command',
  argv: 'command',
  arguments: 'args',
  timeout: 'cap',
  timelimit: 'cap',
  retries: 'attempts',
  maxattempts: 'attempts',
  environment: 'env',
  workdir: 'cwd',
  workingdirectory: 'cwd',
  dir: 'cwd',
  key: 'idempotencyKey',
  partitionkey: 'orderKey',
  count: 'array',
  lease: 'lostAfter',
  delaytolerance: 'tolerance',
  deadline: 'tolerance',
  ttl: 'expire',
  expires: 'expire',
  windows: 'window',
  nodelabels: 'require',
};

/** Number of single-character edits between two short texts. */
function editDistance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const cost = left[row - 1] === right[column - 1] ? 0 : 1;
      current.push(
        Math.min(current[column - 1]! + 1, previous[column]! + 1, previous[column - 1]! + cost),
      );
    }
    previous = current;
  }
  return previous[right.length]!;
}

const plain = (name: string): string => name.toLowerCase().replaceAll(/[-_ ]/g, '');

/** The one of `known` that was most likely meant by `name`, or `undefined`. */
export function closestName(name: string, known: readonly string[]): string | undefined {
  if (name.length > 40) return undefined;
  const wanted = plain(name);
  const alias = Object.hasOwn(aliases, wanted) ? aliases[wanted] : undefined;
  if (alias !== undefined && known.includes(alias)) return alias;
  let best: string | undefined;
  let bestDistance = Math.min(3, Math.ceil(wanted.length / 2));
  for (const candidate of known) {
    const distance = editDistance(wanted, plain(candidate));
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}
