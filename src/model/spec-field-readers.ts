/**
 * How each field of a task document is read into a draft (`spec-document.ts` makes the spec of it).
 * One reader for each field of `spec-fields.ts`: the compiler holds the two tables together.
 */
import { backoffDefault, readBackoff } from './backoff-field.ts';
import { readCauses, readMaxRunningPer } from './failure-readers.ts';
import { type TaskId, toTaskId } from './ids.ts';
import { limits } from './limits.ts';
import { type ResourceName, tiers } from './resources.ts';
import type { Backoff, Run } from './spec.ts';
import { readAfter, readWhen } from './spec-after.ts';
import { limitFieldNames, type SpecFieldName } from './spec-fields.ts';
import {
  addUnknownField,
  describeValue,
  type PairRule,
  type ProblemList,
  pointerStep,
  readArrayRange,
  readCount,
  readCpu,
  readDuration,
  readInstant,
  readPairMap,
  readSize,
  readText,
  readTextList,
} from './spec-reading.ts';
import type { TemplateUse } from './spec-scheduling.ts';
import { type WaitingDraft, waitingReaders } from './spec-waiting.ts';
import { parseTemplateUse } from './template-use.ts';
import type { When } from './when.ts';

type Amounts = { -readonly [Name in ResourceName]?: number | undefined };

/** A document half read: what each field said, or its default. */
export interface SpecDraft extends WaitingDraft {
  id: TaskId | undefined;
  array: { from: number; to: number } | undefined;
  name: string;
  /** Each way to say what runs that was given, in the order of the document. */
  readonly ways: string[];
  run: Run | undefined;
  scriptName: string | undefined;
  args: string[] | undefined;
  tier: (typeof tiers)[number];
  readonly request: Amounts;
  readonly limit: Amounts;
  env: [string, string][];
  cwd: string;
  attempts: number;
  backoff: Backoff;
  capMs: number;
  graceMs: number;
  leaseMs: number;
  labels: [string, string][];
  require: [string, string][];
  prefer: [string, string][] | undefined;
  /** Label. */
  spread: string | undefined;
  holdIfUnfit: true | undefined;
  idempotencyKey: string | undefined;
  orderKey: string | undefined;
  maxRunningPer: { readonly key: string; readonly max: number } | undefined;
  retryOn: readonly string[] | undefined;
  noRetryOn: readonly string[] | undefined;
  notBeforeMs: number | undefined;
  delayMs: number | undefined;
  after: readonly TaskId[] | undefined;
  when: When | undefined;
  gang: number | undefined;
  reservation: string | undefined;
  outputBytesMax: number;
  template: TemplateUse | undefined;
  tenant: string;
  owner: string;
}

export type FieldReader = (
  draft: SpecDraft,
  value: unknown,
  pointer: string,
  problems: ProblemList,
) => void;

const shortText = { bytesMax: limits.nameBytesMax, bytesMin: 1, oneLine: true } as const;
const keyText = { bytesMax: limits.keyBytesMax, bytesMin: 1, oneLine: true } as const;
export const tenantText = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const base64Text = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

const envRule: PairRule = {
  what: 'variables',
  countMax: 10_000,
  itemBytesMax: limits.envBytesMax,
  totalBytesMax: limits.envBytesMax,
  oneLine: false,
  refuseName: name => {
    if (name === '') return 'a variable needs a name';
    if (name.includes('=')) return `a variable's name must not hold "=": ${describeValue(name)}`;
    if (name.startsWith('TSCHED_')) return 'names that begin with TSCHED_ are set by tsched';
    return undefined;
  },
};

const labelRule: PairRule = {
  what: 'labels',
  countMax: limits.labelsMax,
  itemBytesMax: limits.labelBytesMax,
  totalBytesMax: limits.labelsMax * limits.labelBytesMax * 2 + limits.labelsMax * 2,
  oneLine: true,
  refuseName: name => (name === '' ? 'a label needs a name' : undefined),
};

const encoder = new TextEncoder();

function readScript(
  draft: SpecDraft,
  bytes: Uint8Array | undefined,
  pointer: string,
  problems: ProblemList,
): void {
  draft.ways.push(pointer.slice(1));
  if (bytes === undefined) return;
  if (bytes.length > limits.scriptBytesMax) {
    problems.add(
      pointer,
      `is ${bytes.length} bytes long; at most ${limits.scriptBytesMax} are allowed`,
      'tooLarge',
    );
    return;
  }
  draft.run = { kind: 'script', name: 'script', bytes, args: [] };
}

function readCommand(
  draft: SpecDraft,
  value: unknown,
  pointer: string,
  problems: ProblemList,
): void {
  draft.ways.push('command');
  if (typeof value === 'string') {
    const line = readText(problems, pointer, value, { bytesMax: limits.argvBytesMax, bytesMin: 1 });
    if (line !== undefined) draft.run = { kind: 'command', argv: ['/bin/sh', '-c', line] };
    return;
  }
  if (!Array.isArray(value)) {
    const what = describeValue(value);
    problems.add(pointer, `must be a list of texts, or one text run by /bin/sh -c, not ${what}`);
    return;
  }
  const argv = readTextList(problems, pointer, value, limits.argvBytesMax);
  if (argv === undefined) return;
  if (argv.length === 0 || argv[0] === '') problems.add(pointer, 'must name a program');
  else draft.run = { kind: 'command', argv };
}

/** Amounts by the name they have in the document. */
export const amountReaders = {
  cpu: ['cpuMilli', readCpu],
  memory: ['memoryBytes', readSize],
  disk: ['diskBytes', readSize],
  iops: ['iops', (problems, pointer, value) => readCount(problems, pointer, value, upTo(1e9))],
  bandwidth: ['bandwidth', readSize],
  ports: [
    'ports',
    (problems, pointer, value) => readCount(problems, pointer, value, upTo(limits.portsMax)),
  ],
} as const satisfies Partial<
  Record<
    SpecFieldName,
    [ResourceName, (problems: ProblemList, pointer: string, value: unknown) => number | undefined]
  >
>;

const upTo = (max: number): { min: number; max: number } => ({ min: 0, max });

const amountField =
  (name: keyof typeof amountReaders): FieldReader =>
  (draft, value, pointer, problems) => {
    const [resource, read] = amountReaders[name];
    draft.request[resource] = read(problems, pointer, value);
  };

function readLimits(
  draft: SpecDraft,
  value: unknown,
  pointer: string,
  problems: ProblemList,
): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    problems.add(pointer, `must be a map such as {"memory": "1GiB"}, not ${describeValue(value)}`);
    return;
  }
  for (const [name, amount] of Object.entries(value)) {
    if (amount === undefined) continue;
    const known = limitFieldNames.find(field => field === name);
    if (known === undefined) addUnknownField(problems, pointer, name, limitFieldNames);
    else {
      const [resource, read] = amountReaders[known];
      draft.limit[resource] = read(problems, pointer + pointerStep(name), amount);
    }
  }
}

function readCap(draft: SpecDraft, value: unknown, pointer: string, problems: ProblemList): void {
  const capMs = readDuration(problems, pointer, value, { min: 0, max: limits.capMsMax });
  if (capMs === 0) {
    problems.add(pointer, 'a cap of zero would end every attempt at once; leave it out for no cap');
  } else if (capMs !== undefined) draft.capMs = capMs;
}

/** One reader for each field. */
export const fieldReaders: { readonly [Name in SpecFieldName]: FieldReader } = {
  id: (draft, value, pointer, problems) => {
    draft.id = typeof value === 'string' ? toTaskId(value) : undefined;
    if (draft.id === undefined) {
      problems.add(pointer, `must be a task ID of 20 characters, not ${describeValue(value)}`);
    }
  },
  name: (draft, value, pointer, problems) => {
    const rule = { bytesMax: limits.nameBytesMax, oneLine: true };
    draft.name = readText(problems, pointer, value, rule) ?? '';
  },
  command: readCommand,
  script: (draft, value, pointer, problems) => {
    const text = readText(problems, pointer, value, {
      bytesMax: limits.scriptBytesMax,
      bytesMin: 1,
    });
    readScript(draft, text === undefined ? text : encoder.encode(text), pointer, problems);
  },
  scriptBase64: (draft, value, pointer, problems) => {
    if (typeof value !== 'string' || value === '' || !base64Text.test(value)) {
      problems.add(pointer, `must be bytes in base64, not ${describeValue(value)}`);
      readScript(draft, undefined, pointer, problems);
      return;
    }
    readScript(draft, fromBase64(value), pointer, problems);
  },
  scriptName: (draft, value, pointer, problems) => {
    draft.scriptName = readText(problems, pointer, value, shortText);
    if (draft.scriptName?.includes('/')) {
      problems.add(pointer, `must be a file name without "/", not ${describeValue(value)}`);
    }
  },
  args: (draft, value, pointer, problems) => {
    draft.args = readTextList(problems, pointer, value, limits.argvBytesMax) ?? [];
  },
  handler: (draft, value, pointer, problems) => {
    draft.ways.push('handler');
    if (value === 'null') draft.run = { kind: 'null' };
    else problems.add(pointer, `the only handler is "null", not ${describeValue(value)}`);
  },
  tier: (draft, value, pointer, problems) => {
    const tier = tiers.find(known => known === value);
    if (tier !== undefined) draft.tier = tier;
    else {
      const known = `${tiers.slice(0, -1).join(', ')} or ${tiers.at(-1)}`;
      problems.add(pointer, `unknown tier: must be ${known}, not ${describeValue(value)}`);
    }
  },
  cpu: amountField('cpu'),
  memory: amountField('memory'),
  disk: amountField('disk'),
  iops: amountField('iops'),
  bandwidth: amountField('bandwidth'),
  ports: amountField('ports'),
  limits: readLimits,
  env: (draft, value, pointer, problems) => {
    draft.env = readPairMap(problems, pointer, value, envRule) ?? [];
  },
  cwd: (draft, value, pointer, problems) => {
    const cwd = readText(problems, pointer, value, { bytesMax: 4_096, oneLine: true });
    if (cwd === undefined) return;
    if (cwd.startsWith('/')) draft.cwd = cwd;
    else problems.add(pointer, `must be an absolute path, not ${describeValue(cwd)}`);
  },
  attempts: (draft, value, pointer, problems) => {
    const range = { min: 1, max: limits.attemptsMax };
    draft.attempts = readCount(problems, pointer, value, range) ?? 1;
  },
  backoff: (draft, value, pointer, problems) => {
    draft.backoff = readBackoff(problems, pointer, value) ?? backoffDefault;
  },
  cap: readCap,
  grace: (draft, value, pointer, problems) => {
    const range = { min: 0, max: limits.graceMsMax };
    draft.graceMs = readDuration(problems, pointer, value, range) ?? limits.graceMsDefault;
  },
  lostAfter: (draft, value, pointer, problems) => {
    const range = { min: limits.leaseMsMin, max: limits.leaseMsMax };
    draft.leaseMs = readDuration(problems, pointer, value, range) ?? limits.leaseMsDefault;
  },
  ...waitingReaders,
  labels: (draft, value, pointer, problems) => {
    draft.labels = readPairMap(problems, pointer, value, labelRule) ?? [];
  },
  require: (draft, value, pointer, problems) => {
    draft.require = readPairMap(problems, pointer, value, labelRule) ?? [];
  },
  prefer: (draft, value, pointer, problems) => {
    const prefer = readPairMap(problems, pointer, value, labelRule) ?? [];
    draft.prefer = prefer.length === 0 ? undefined : prefer;
  },
  spread: (draft, value, pointer, problems) => {
    const rule = { bytesMax: limits.labelBytesMax, bytesMin: 1, oneLine: true };
    draft.spread = readText(problems, pointer, value, rule);
  },
  holdIfUnfit: (draft, value, pointer, problems) => {
    if (typeof value === 'boolean') draft.holdIfUnfit = value || undefined;
    else problems.add(pointer, `must be true or false, not ${describeValue(value)}`);
  },
  idempotencyKey: (draft, value, pointer, problems) => {
    draft.idempotencyKey = readText(problems, pointer, value, keyText);
  },
  orderKey: (draft, value, pointer, problems) => {
    draft.orderKey = readText(problems, pointer, value, keyText);
  },
  maxRunningPer: (draft, value, pointer, problems) => {
    draft.maxRunningPer = readMaxRunningPer(problems, pointer, value);
  },
  retryOn: (draft, value, pointer, problems) => {
    draft.retryOn = readCauses(problems, pointer, value);
  },
  noRetryOn: (draft, value, pointer, problems) => {
    draft.noRetryOn = readCauses(problems, pointer, value);
  },
  after: (draft, value, pointer, problems) => {
    draft.after = readAfter(problems, pointer, value);
  },
  when: (draft, value, pointer, problems) => {
    draft.when = readWhen(problems, pointer, value);
  },
  array: (draft, value, pointer, problems) => {
    draft.array = readArrayRange(problems, pointer, value);
  },
  at: (draft, value, pointer, problems) => {
    draft.notBeforeMs = readInstant(problems, pointer, value);
  },
  in: (draft, value, pointer, problems) => {
    const range = { min: 0, max: limits.delayMsMax };
    draft.delayMs = readDuration(problems, pointer, value, range) || undefined;
  },
  gang: (draft, value, pointer, problems) => {
    draft.gang = readCount(problems, pointer, value, { min: 2, max: limits.gangMax });
  },
  reservation: (draft, value, pointer, problems) => {
    draft.reservation = readText(problems, pointer, value, shortText);
  },
  output: (draft, value, pointer, problems) => {
    const range = { min: 1, max: limits.outputBytesMax };
    draft.outputBytesMax = readSize(problems, pointer, value, range) ?? limits.outputBytesDefault;
  },
  // A node has put what the template makes in the place of its use before it reads the document.
  template: (draft, value, pointer, problems) => {
    const { name, revision } = parseTemplateUse(value) ?? {};
    if (name !== undefined && revision !== undefined) draft.template = { name, revision };
    else problems.add(pointer, `must be NAME or NAME@REVISION, not ${describeValue(value)}`);
  },
  set: (_draft, _value, pointer, problems) => {
    problems.add(pointer, 'goes with `template`');
  },
  tenant: (draft, value, pointer, problems) => {
    if (typeof value === 'string' && tenantText.test(value)) draft.tenant = value;
    else {
      const rule = 'lower-case letters, digits, dots, dashes and underscores';
      problems.add(pointer, `must be 1 to 63 ${rule}, not ${describeValue(value)}`);
    }
  },
  owner: (draft, value, pointer, problems) => {
    draft.owner = readText(problems, pointer, value, shortText) ?? '';
  },
};

const fromBase64 = (text: string): Uint8Array =>
  Uint8Array.from(atob(text), character => character.charCodeAt(0));
