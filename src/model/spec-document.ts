/**
 * The document people write for one task, the same for YAML, HTTP and CLI. `readSpecDocument` turns
 * it into a `TaskSpec` and tells every problem at once, each with a JSON pointer;
 * `writeSpecDocument` is the inverse, for showing. The fields themselves stand in `spec-fields.ts`.
 *
 * Validation is code rather than a schema library: this is on the path of every submit, and the
 * messages are read by people.
 */
import { backoffDefault } from './backoff-field.ts';
import { checkCauses } from './failure-readers.ts';
import { slotOfId, type TaskId } from './ids.ts';
import { formatInstant } from './instant.ts';
import { limits } from './limits.ts';
import { defaultLimit, type ResourceName, type Resources, resourceNames } from './resources.ts';
import { keySlot } from './slots.ts';
import type { Run, TaskSpec } from './spec.ts';
import {
  amountReaders,
  type FieldReader,
  fieldReaders,
  type SpecDraft,
} from './spec-field-readers.ts';
import { type JsonSchema, notYetFields, specFields } from './spec-fields.ts';
import { specOf } from './spec-of-draft.ts';
import {
  addUnknownField,
  describeValue,
  ProblemList,
  pointerStep,
  type SpecProblem,
  utf8Length,
} from './spec-reading.ts';
import { checkWaiting, emptyWaiting, writeWaiting } from './spec-waiting.ts';
import { formatTemplateUse } from './template-use.ts';
import { overCeiling, type TierBundles, tierBundleDefaults } from './tiers.ts';
import { formatDuration } from './time.ts';

export type SpecReading =
  | {
      readonly ok: true;
      readonly spec: TaskSpec;
      /** Drawn by the client; of the array where the document makes one. */
      readonly id?: TaskId | undefined;
      readonly array?: { readonly from: number; readonly to: number } | undefined;
    }
  | { readonly ok: false; readonly problems: readonly SpecProblem[] };

/**
 * JSON schema of the document, for people and for OpenAPI. What it cannot say the reader checks.
 */
export const specDocumentSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: specFields,
};

const readerOf = new Map<string, { read: FieldReader; pointer: string }>();
for (const [name, read] of Object.entries(fieldReaders)) {
  readerOf.set(name, { read, pointer: pointerStep(name) });
}
const fieldNames = Object.keys(specFields);
const refusedNames = new Set(notYetFields);

function runOf(draft: SpecDraft, problems: ProblemList): Run | undefined {
  if (draft.ways.length === 0) {
    return problems.add(
      '',
      'says nothing to run: give `command`, such as ["echo", "hello"], or `script`',
    );
  }
  if (draft.ways.length > 1) {
    return problems.add(
      pointerStep(draft.ways[1]!),
      `only one of ${draft.ways.map(way => `\`${way}\``).join(' and ')} may be given`,
    );
  }
  const { run } = draft;
  if (run === undefined) return undefined;
  if (run.kind === 'script') {
    return { ...run, name: draft.scriptName ?? run.name, args: draft.args ?? [] };
  }
  if (draft.args !== undefined) {
    problems.add('/args', 'goes with `script`; put the arguments of a program into `command`');
  }
  if (draft.scriptName !== undefined) problems.add('/scriptName', 'goes with `script`');
  return run;
}

const pairBytes = (pairs: readonly (readonly [string, string])[]): number =>
  pairs.reduce((sum, [name, text]) => sum + utf8Length(name) + utf8Length(text) + 6, 0);

/** At most this many bytes: each part is in bounds by itself, all of them together may not be. */
function specBytesBound(draft: SpecDraft, run: Run): number {
  let bytes = 4_096 + 3 * limits.keyBytesMax + utf8Length(draft.cwd);
  bytes += pairBytes(draft.env) + pairBytes(draft.labels) + pairBytes(draft.require);
  bytes += pairBytes(draft.prefer ?? []);
  const texts = run.kind === 'command' ? run.argv : run.kind === 'script' ? run.args : [];
  for (const text of texts) bytes += utf8Length(text) + 3;
  return run.kind === 'script' ? bytes + run.bytes.length : bytes;
}

/** What the tier gives, with the explicit amounts over it; limits follow the amounts. */
function amountsOf(
  draft: SpecDraft,
  tiers: TierBundles,
  problems: ProblemList,
): { request: Resources; limit: Resources } {
  const request = { ...tiers[draft.tier].amounts };
  const limit: { -readonly [Name in ResourceName]: number } = { ...request };
  for (const name of resourceNames) {
    request[name] = draft.request[name] ?? request[name];
    limit[name] = draft.limit[name] ?? defaultLimit(name, request[name]);
    if (limit[name] >= request[name]) continue;
    const field = Object.entries(amountReaders).find(([, [resource]]) => resource === name)![0];
    const source = draft.request[name] === undefined ? `given by tier ${draft.tier}` : 'held';
    const shown = (amount: number): string => String(writeAmount(name, amount));
    problems.add(
      `/limits/${field}`,
      `${shown(limit[name])} is below the amount of ${shown(request[name])} (${source}); ` +
        `raise it, or ask for less with \`${field}\``,
    );
  }
  return { request, limit };
}

/**
 * The execution cap under the ceiling of the tier: a task that asks for none gets the ceiling, one
 * that asks for more is refused rather than ended sooner than it was told.
 */
function cappedMs({ tier, capMs }: SpecDraft, tiers: TierBundles, problems: ProblemList): number {
  const over = overCeiling(tier, capMs, tiers);
  if (over !== undefined) problems.add('/cap', `${over}; ask for less, or for a higher tier`);
  return capMs === 0 ? tiers[tier].capMsMax : capMs;
}

function checkTogether(draft: SpecDraft, run: Run | undefined, problems: ProblemList): void {
  if (draft.gang !== undefined && draft.array !== undefined) {
    problems.add('/gang', 'cannot go with `array`: a gang is one, of tasks that start together');
  }
  for (const name of ['orderKey', 'maxRunningPer', 'after'] as const) {
    if (draft.gang === undefined || draft[name] === undefined) continue;
    problems.add(`/${name}`, 'cannot go with `gang`: its tasks start together, not one by one');
  }
  if (draft.idempotencyKey !== undefined) {
    if (draft.gang !== undefined) {
      problems.add('/idempotencyKey', 'cannot go with `gang`: all its tasks would be one');
    } else if (draft.array !== undefined) {
      problems.add('/idempotencyKey', 'cannot go with `array`: all its tasks would be one');
    } else if (
      draft.id !== undefined &&
      // Of a task in a line the node puts the ID into its slot.
      draft.orderKey === undefined &&
      draft.maxRunningPer === undefined &&
      slotOfId(draft.id) !== keySlot(draft)
    ) {
      problems.add(
        '/id',
        'is not in the slot of the idempotency key; leave it out: the key makes a repeat safe',
      );
    }
  }
  checkCauses(problems, draft);
  if (draft.notBeforeMs !== undefined && draft.delayMs !== undefined) {
    problems.add('/in', 'only one of `at` and `in` may be given');
  }
  if (run === undefined) return;
  const bytes = specBytesBound(draft, run);
  if (bytes > limits.specBytesMax) {
    problems.add(
      '',
      `the specification is about ${bytes} bytes long in all; ` +
        `at most ${limits.specBytesMax} are allowed`,
      'tooLarge',
    );
  }
}

function readField(draft: SpecDraft, name: string, value: unknown, problems: ProblemList): void {
  const known = readerOf.get(name);
  if (known !== undefined) {
    if (value !== null) known.read(draft, value, known.pointer, problems);
    else problems.add(known.pointer, 'is empty; give it a value or leave it out');
  } else if (refusedNames.has(name)) {
    problems.add(
      pointerStep(name),
      `\`${name}\` is declared but not built yet; leave it out`,
      'notYet',
    );
  } else addUnknownField(problems, '', name, fieldNames);
}

export interface SpecDefaults {
  /** From the token of whoever asks. */
  readonly tenant: string;
  readonly owner: string;
  /** Of the cluster; those of the program where nothing is known of it. */
  readonly tiers?: TierBundles | undefined;
}

/**
 * Reads one document. Fields set to `undefined` count as left out. At most 20 problems are told.
 * What the tier gives is resolved here: the task keeps it, whatever becomes of the tier. `within`
 * is what a workflow says of its task.
 */
export function readSpecDocument(
  document: unknown,
  defaults: SpecDefaults,
  within: { readonly hasParents: boolean } = { hasParents: false },
): SpecReading {
  const problems = new ProblemList();
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    problems.add('', `a task is a map of fields, not ${describeValue(document)}`);
    return { ok: false, problems: problems.found };
  }
  const draft: SpecDraft = {
    id: undefined,
    array: undefined,
    name: '',
    ways: [],
    run: undefined,
    scriptName: undefined,
    args: undefined,
    tier: 'basic',
    request: {},
    limit: {},
    env: [],
    cwd: '',
    attempts: 1,
    backoff: backoffDefault,
    capMs: 0,
    graceMs: limits.graceMsDefault,
    leaseMs: limits.leaseMsDefault,
    labels: [],
    require: [],
    prefer: undefined,
    spread: undefined,
    holdIfUnfit: undefined,
    idempotencyKey: undefined,
    orderKey: undefined,
    maxRunningPer: undefined,
    retryOn: undefined,
    noRetryOn: undefined,
    after: undefined,
    when: undefined,
    gang: undefined,
    reservation: undefined,
    outputBytesMax: limits.outputBytesDefault,
    notBeforeMs: undefined,
    delayMs: undefined,
    ...emptyWaiting(),
    template: undefined,
    tenant: defaults.tenant,
    owner: defaults.owner,
  };
  for (const name of Object.keys(document)) {
    const value = (document as Record<string, unknown>)[name];
    if (value !== undefined) readField(draft, name, value, problems);
    if (problems.full) return { ok: false, problems: problems.found };
  }
  const run = runOf(draft, problems);
  const tiers = defaults.tiers ?? tierBundleDefaults;
  const amounts = amountsOf(draft, tiers, problems);
  const capMs = cappedMs(draft, tiers, problems);
  checkTogether(draft, run, problems);
  checkWaiting(draft, problems);
  if (draft.when !== undefined && draft.after === undefined && !within.hasParents) {
    problems.add('/when', 'goes with `after`, which says what is waited for');
  }
  if (problems.found.length > 0 || run === undefined)
    return { ok: false, problems: problems.found };
  const { id, array } = draft;
  return { ok: true, spec: specOf(draft, run, amounts, capMs), id, array };
}

const exactUnits = [
  ['GiB', 1024 ** 3],
  ['MiB', 1024 ** 2],
  ['KiB', 1024],
] as const;

/** The shortest exact form of a number of bytes: `512MiB`, or the plain number. */
function writeSize(bytes: number): string | number {
  for (const [unit, size] of exactUnits) {
    if (bytes > 0 && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return bytes;
}

function writeAmount(name: ResourceName, amount: number): string | number {
  if (name === 'iops' || name === 'ports') return amount;
  if (name !== 'cpuMilli') return writeSize(amount);
  return amount % 1_000 === 0 && amount < 1e9 ? amount / 1_000 : `${amount}m`;
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of bytes that are exactly its UTF-8 and may stand in a document, or `undefined`. */
function exactText(bytes: Uint8Array): string | undefined {
  try {
    const text = strictUtf8.decode(bytes);
    return text === '' || text.includes('\u0000') ? undefined : text;
  } catch {
    // Not UTF-8: shown as base64.
    return undefined;
  }
}

function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

function writeRun(run: Run): Record<string, unknown> {
  if (run.kind === 'null') return { handler: 'null' };
  if (run.kind === 'command') return { command: run.argv };
  const text = exactText(run.bytes);
  return {
    scriptName: run.name,
    ...(text === undefined ? { scriptBase64: toBase64(run.bytes) } : { script: text }),
    ...(run.args.length > 0 ? { args: run.args } : {}),
  };
}

/**
 * The document that reads as `spec`; what has its default value is left out where it says nothing.
 */
export function writeSpecDocument(spec: TaskSpec): Record<string, unknown> {
  const document: Record<string, unknown> = {};
  if (spec.name !== '') document['name'] = spec.name;
  Object.assign(document, writeRun(spec.run), { tier: spec.tier });
  const limitOver: Record<string, unknown> = {};
  for (const [field, [name]] of Object.entries(amountReaders)) {
    // All of them: what the tier gives may be another by the time this is read.
    document[field] = writeAmount(name, spec.request[name]);
    if (spec.limit[name] !== defaultLimit(name, spec.request[name])) {
      limitOver[field] = writeAmount(name, spec.limit[name]);
    }
  }
  if (Object.keys(limitOver).length > 0) document['limits'] = limitOver;
  if (spec.env.length > 0) document['env'] = Object.fromEntries(spec.env);
  if (spec.cwd !== '') document['cwd'] = spec.cwd;
  document['attempts'] = spec.attempts;
  document['backoff'] = {
    initial: formatDuration(spec.backoff.initialMs),
    max: formatDuration(spec.backoff.maxMs),
  };
  if (spec.capMs > 0) document['cap'] = formatDuration(spec.capMs);
  document['grace'] = formatDuration(spec.graceMs);
  document['lostAfter'] = formatDuration(spec.leaseMs);
  Object.assign(document, writeWaiting(spec));
  if (spec.labels.length > 0) document['labels'] = Object.fromEntries(spec.labels);
  if (spec.require.length > 0) document['require'] = Object.fromEntries(spec.require);
  if (spec.prefer !== undefined) document['prefer'] = Object.fromEntries(spec.prefer);
  if (spec.spread !== undefined) document['spread'] = spec.spread.label;
  if (spec.holdIfUnfit === true) document['holdIfUnfit'] = true;
  if (spec.idempotencyKey !== undefined) document['idempotencyKey'] = spec.idempotencyKey;
  if (spec.orderKey !== undefined) document['orderKey'] = spec.orderKey;
  if (spec.maxRunningPer !== undefined) {
    document['maxRunningPer'] = { [spec.maxRunningPer.key]: spec.maxRunningPer.max };
  }
  if (spec.retryOn !== undefined) document['retryOn'] = spec.retryOn;
  if (spec.noRetryOn !== undefined) document['noRetryOn'] = spec.noRetryOn;
  if (spec.notBeforeMs !== undefined) document['at'] = formatInstant(spec.notBeforeMs);
  if (spec.delayMs !== undefined) document['in'] = formatDuration(spec.delayMs);
  if (spec.after !== undefined) document['after'] = spec.after;
  if (spec.when !== undefined) document['when'] = spec.when;
  if (spec.gang !== undefined) document['gang'] = spec.gang;
  if (spec.reservation !== undefined) document['reservation'] = spec.reservation;
  document['output'] = writeSize(spec.outputBytesMax);
  const { template } = spec;
  if (template !== undefined) document['template'] = formatTemplateUse(template);
  document['tenant'] = spec.tenant;
  document['owner'] = spec.owner;
  return document;
}
