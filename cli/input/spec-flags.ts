/** The flags of `submit` that say something about the task, and the document they stand for. */
import { boolean, string } from '@oclif/core/flags';
import { type DocumentMap, isMap, joinDocuments } from '../../src/model/document.ts';
import { causeHelp } from '../../src/model/failure-causes.ts';
import { limits } from '../../src/model/limits.ts';
import { tiers } from '../../src/model/resources.ts';
import { limitFieldNames } from '../../src/model/spec-fields.ts';
import { priorities } from '../../src/model/spec-scheduling.ts';
import { usageError } from '../cli-error.ts';

const many = { multiple: true, multipleNonGreedy: true } as const;

/** What `submit` and `plan` read tasks from. */
export const filesFlag = string({
  char: 'f',
  description: 'YAML or JSON file of tasks; - is standard input; several are read as one',
  helpValue: 'FILE',
  ...many,
});

export const specFlags = {
  name: string({ description: 'name shown to people' }),
  tier: string({
    description: `least tier of node: ${tiers.join(', ')}; gives default amounts`,
    helpValue: 'TIER',
  }),
  cpu: string({
    description:
      'CPUs held: 2, 0.5, 500m; 1:4 may use up to 4, :4 holds what the tier gives; without MAX it ' +
      'may use what it holds, one at least',
    helpValue: 'CPUS[:MAX]',
  }),
  memory: string({
    description:
      'memory held: 512MiB, 1GiB:4GiB; an attempt that uses more, or more than MAX, is ended',
    helpValue: 'SIZE[:MAX]',
  }),
  disk: string({ description: 'disk held', helpValue: 'SIZE[:MAX]' }),
  iops: string({ description: 'disk operations a second held', helpValue: 'N[:MAX]' }),
  bandwidth: string({ description: 'network bytes a second held', helpValue: 'SIZE[:MAX]' }),
  ports: string({
    description: 'how many TCP ports the task is given, as TSCHED_PORT and TSCHED_PORTS',
    helpValue: 'N',
  }),
  env: string({
    description: 'environment variable; repeatable',
    helpValue: 'K=V',
    ...many,
  }),
  cwd: string({ description: 'absolute working directory on the node', helpValue: 'DIR' }),
  cap: string({ description: 'longest time of one attempt: 10m', helpValue: 'DURATION' }),
  attempts: string({
    description: 'total number of runs, the first included; 1 unless given',
    helpValue: 'N',
  }),
  backoff: string({
    description: 'pause before the second run, doubled before each further one',
    helpValue: 'DURATION',
  }),
  'idempotency-key': string({
    description:
      'a later submit with the same key and task is the same task, as long as that is in the ' +
      'history: 7 days after it settled unless set otherwise',
    helpValue: 'KEY',
  }),
  after: string({
    description: 'task that has to settle first, anywhere in the cluster; repeatable',
    helpValue: 'ID',
    ...many,
  }),
  when: string({
    description: 'with --after: success (unless given), failure or always',
    helpValue: 'WHEN',
  }),
  'order-key': string({
    description: 'tasks of one key run one at a time, in the order in which they were taken',
    helpValue: 'KEY',
  }),
  'max-running-per': string({
    description: 'at most so many tasks of one key run at a time',
    helpValue: 'KEY=N',
    ...many,
  }),
  'retry-on': string({
    description: `only these failures are run again, commas or repeated: ${causeHelp}`,
    helpValue: 'CAUSES',
    ...many,
  }),
  'no-retry-on': string({
    description: 'these failures are not run again; as for --retry-on',
    helpValue: 'CAUSES',
    ...many,
  }),
  array: string({
    description: `one task for each index, at most ${limits.arrayMax}`,
    helpValue: 'FROM-TO',
  }),
  tolerance: string({
    description: 'how long it may wait for its start; 1d unless given',
    helpValue: 'DURATION',
  }),
  expire: string({
    description: 'dropped where it could not start for so long',
    helpValue: 'DURATION',
  }),
  priority: string({
    description: `before or after others of its tenant: ${priorities.join(', ')}`,
    helpValue: 'WORD',
  }),
  'off-peak': boolean({
    description: 'held while the cluster is busy, until its start bound is near',
  }),
  window: string({
    description: 'held outside of it, until its start bound is near: 22:00-06:00 (UTC); repeatable',
    helpValue: 'WINDOW',
    ...many,
  }),
  gang: string({
    description: `so many tasks that start together or not at all, at most ${limits.gangMax}`,
    helpValue: 'N',
  }),
  reservation: string({
    description: 'run in the room of this reservation; see `tsched reserve`',
    helpValue: 'NAME',
  }),
  label: string({ description: 'label of the task; repeatable', helpValue: 'K=V', ...many }),
  require: string({
    description: 'label a node must have; repeatable',
    helpValue: 'K=V',
    ...many,
  }),
  prefer: string({
    description: 'label a node had better have; repeatable',
    helpValue: 'K=V',
    ...many,
  }),
  spread: string({
    description: 'label over whose values the tasks of the array, or of the name, are spread',
    helpValue: 'LABEL',
  }),
  'hold-if-unfit': boolean({
    description: 'keep it waiting where no node could ever run it, instead of refusing it',
  }),
  'lost-after': string({
    description: 'how long the node of an attempt may be out of reach: 5s to 1h',
    helpValue: 'DURATION',
  }),
  at: string({
    description: 'not to start before: 2027-01-31T09:30:00Z, or with an offset; UTC without one',
    helpValue: 'INSTANT',
  }),
  in: string({ description: 'not to start before so long from now: 10m', helpValue: 'DURATION' }),
  grace: string({ description: 'time between SIGTERM and SIGKILL', helpValue: 'DURATION' }),
  'output-limit': string({ description: 'output kept of one attempt', helpValue: 'SIZE' }),
  owner: string({ description: 'who wants it; the name of the token unless given' }),
  template: string({
    description: 'template that makes the task; other flags stand over what it says',
    helpValue: 'NAME[@REVISION]',
  }),
  set: string({
    description: 'value of a parameter of the template; repeatable',
    helpValue: 'K=V',
    ...many,
  }),
  id: string({
    description: 'ID of the task, to repeat a submit whose outcome is unknown',
    helpValue: 'ID',
  }),
};

export type SpecFlagName = keyof typeof specFlags;
export type SpecFlagValues = {
  readonly [Name in SpecFlagName]?: string | boolean | readonly string[] | undefined;
};

/** Field of the document for each flag. */
const fieldOf: Record<SpecFlagName, string> = {
  name: 'name',
  tier: 'tier',
  cpu: 'cpu',
  memory: 'memory',
  disk: 'disk',
  iops: 'iops',
  bandwidth: 'bandwidth',
  ports: 'ports',
  env: 'env',
  cwd: 'cwd',
  cap: 'cap',
  attempts: 'attempts',
  backoff: 'backoff',
  'idempotency-key': 'idempotencyKey',
  after: 'after',
  when: 'when',
  'order-key': 'orderKey',
  'max-running-per': 'maxRunningPer',
  'retry-on': 'retryOn',
  'no-retry-on': 'noRetryOn',
  array: 'array',
  tolerance: 'tolerance',
  expire: 'expire',
  priority: 'priority',
  'off-peak': 'offPeak',
  window: 'window',
  gang: 'gang',
  reservation: 'reservation',
  label: 'labels',
  require: 'require',
  prefer: 'prefer',
  spread: 'spread',
  'hold-if-unfit': 'holdIfUnfit',
  'lost-after': 'lostAfter',
  at: 'at',
  in: 'in',
  grace: 'grace',
  'output-limit': 'output',
  owner: 'owner',
  template: 'template',
  set: 'set',
  id: 'id',
};

/** Flags whose values are a list as they stand. */
const lists: ReadonlySet<SpecFlagName> = new Set(['after', 'retry-on', 'no-retry-on', 'window']);
const counts: ReadonlySet<SpecFlagName> = new Set(['iops', 'ports', 'attempts', 'gang']);
/** Take `HELD:MAX`. */
const amounts: ReadonlySet<SpecFlagName> = new Set<SpecFlagName>(limitFieldNames);

function toMap(flag: string, pairs: readonly string[]): Record<string, string> {
  const map: Record<string, string> = {};
  for (const pair of pairs) {
    const split = pair.indexOf('=');
    if (split < 1) {
      throw usageError(`--${flag} ${pair} is not NAME=VALUE`, `Write --${flag} NAME=VALUE.`);
    }
    map[pair.slice(0, split)] = pair.slice(split + 1);
  }
  return map;
}

export type TaskDocument = DocumentMap;

/** The part of a document that the flags make. */
export function documentOfFlags(flags: SpecFlagValues): TaskDocument {
  const document: Record<string, unknown> = {};
  const most: Record<string, unknown> = {};
  for (const name of Object.keys(fieldOf) as SpecFlagName[]) {
    const value = flags[name];
    if (value === undefined) continue;
    if (typeof value === 'boolean' || lists.has(name)) document[fieldOf[name]] = value;
    else if (typeof value !== 'string') document[fieldOf[name]] = toMap(name, value);
    else if (amounts.has(name) && value.includes(':')) {
      const at = value.indexOf(':');
      if (at > 0) document[fieldOf[name]] = ofText(name, value.slice(0, at));
      most[fieldOf[name]] = ofText(name, value.slice(at + 1));
    } else document[fieldOf[name]] = ofText(name, value);
  }
  return Object.keys(most).length === 0 ? document : { ...document, limits: most };
}

const ofText = (name: SpecFlagName, value: string): string | number =>
  counts.has(name) && /^\d{1,15}$/.test(value) ? Number(value) : value;

/** `base` with the flags over it; what is no map is left for whoever reads it to refuse. */
export const overrideDocument = (base: unknown, flags: TaskDocument): unknown =>
  isMap(base) ? joinDocuments(base, flags) : base;

/** `--cpu` for `/cpu`, `--env` for `/env/PATH`; `undefined` where no flag says this. */
export function flagOfPointer(pointer: string): string | undefined {
  const [, first, second] = pointer.split('/');
  const field = first === 'limits' ? second : first;
  const found = (Object.keys(fieldOf) as SpecFlagName[]).find(name => fieldOf[name] === field);
  return found === undefined ? undefined : `--${found}`;
}
