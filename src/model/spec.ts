/**
 * TaskSpec: what was asked, immutable once accepted. One meaning for YAML, HTTP and CLI; the
 * document that people write is described in `spec-document.ts`, this is its normal form and its
 * bytes.
 *
 * The encoding is a list of tagged fields, so that a later version adds fields without moving any.
 */
import { ByteReader, ByteWriter, DecodeError } from './bytes.ts';
import { limits } from './limits.ts';
import { readPairs, writePairs } from './pairs.ts';
import {
  noResources,
  type Resources,
  resourceNames,
  sameResources,
  type Tier,
  tiers,
} from './resources.ts';
import {
  readScheduling,
  type SpecScheduling,
  schedulingNotTerms,
  versionOfField,
  writeScheduling,
} from './spec-scheduling.ts';

export type Run =
  | { readonly kind: 'command'; readonly argv: readonly string[] }
  | {
      readonly kind: 'script';
      /** File name shown to people and given to the script as $0. */
      readonly name: string;
      readonly bytes: Uint8Array;
      readonly args: readonly string[];
    }
  /** Settles by itself without a process, for measuring everything but the spawn. */
  | { readonly kind: 'null' };

export interface Backoff {
  readonly initialMs: number;
  readonly maxMs: number;
}

export interface TaskSpec extends SpecScheduling {
  readonly tenant: string;
  readonly owner: string;
  readonly name: string;
  readonly run: Run;
  readonly env: readonly (readonly [string, string])[];
  readonly cwd: string;
  readonly tier: Tier;
  /** What is held on the node while an attempt runs. */
  readonly request: Resources;
  /** What an attempt may use at most; equal to the request unless said otherwise. */
  readonly limit: Resources;
  readonly labels: readonly (readonly [string, string])[];
  /** Labels a node must have. */
  readonly require: readonly (readonly [string, string])[];
  readonly idempotencyKey?: string | undefined;
  /** Total number of runs, the first included. */
  readonly attempts: number;
  readonly backoff: Backoff;
  /** Execution cap of one attempt; 0 is none. */
  readonly capMs: number;
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs: number;
  /** Length of the lease of an attempt. */
  readonly leaseMs: number;
  readonly outputBytesMax: number;
}

const formatVersion = 1;

/** Field numbers: append-only; a retired one stays listed. */
const field = {
  tenant: 1,
  owner: 2,
  name: 3,
  command: 4,
  script: 5,
  nullRun: 6,
  env: 7,
  cwd: 8,
  tier: 9,
  request: 10,
  limit: 11,
  labels: 12,
  require: 13,
  idempotencyKey: 14,
  attempts: 15,
  backoff: 16,
  capMs: 17,
  graceMs: 18,
  leaseMs: 19,
  outputBytesMax: 20,
} as const;

export function writeResources(writer: ByteWriter, resources: Resources): void {
  for (const name of resourceNames) writer.varint(Math.max(0, resources[name]));
}

export function readResources(reader: ByteReader): Resources {
  return {
    cpuMilli: reader.varint(),
    memoryBytes: reader.varint(),
    diskBytes: reader.varint(),
    iops: reader.varint(),
    bandwidth: reader.varint(),
    ports: reader.varint(),
  };
}

/** Used by every encoding in turn: a new buffer for each costs more than what is written to it. */
let specWriter = new ByteWriter(4_096);
const specWriterKeptMax = 64 * 1024;

/** Bytes of a spec. Equal specs give equal bytes. */
export function encodeSpec(spec: TaskSpec): Uint8Array {
  if (specWriter.length > specWriterKeptMax) specWriter = new ByteWriter(4_096);
  const writer = specWriter.reset().u8(formatVersion);
  const put = (tag: number, write: (body: ByteWriter) => void): void => {
    writer.varint(tag).nested(write);
  };
  put(field.tenant, w => w.text(spec.tenant));
  put(field.owner, w => w.text(spec.owner));
  if (spec.name !== '') put(field.name, w => w.text(spec.name));
  const { run } = spec;
  if (run.kind === 'command') put(field.command, w => w.list(run.argv, (b, arg) => b.text(arg)));
  else if (run.kind === 'script') {
    put(field.script, w =>
      w
        .text(run.name)
        .bytes(run.bytes)
        .list(run.args, (b, arg) => b.text(arg)),
    );
  } else put(field.nullRun, () => undefined);
  if (spec.env.length > 0) put(field.env, w => writePairs(w, spec.env));
  if (spec.cwd !== '') put(field.cwd, w => w.text(spec.cwd));
  put(field.tier, w => w.u8(tiers.indexOf(spec.tier)));
  put(field.request, w => writeResources(w, spec.request));
  if (!sameResources(spec.request, spec.limit))
    put(field.limit, w => writeResources(w, spec.limit));
  if (spec.labels.length > 0) put(field.labels, w => writePairs(w, spec.labels));
  if (spec.require.length > 0) put(field.require, w => writePairs(w, spec.require));
  if (spec.idempotencyKey !== undefined)
    put(field.idempotencyKey, w => w.text(spec.idempotencyKey!));
  put(field.attempts, w => w.varint(spec.attempts));
  put(field.backoff, w => w.varint(spec.backoff.initialMs).varint(spec.backoff.maxMs));
  put(field.capMs, w => w.varint(spec.capMs));
  put(field.graceMs, w => w.varint(spec.graceMs));
  put(field.leaseMs, w => w.varint(spec.leaseMs));
  put(field.outputBytesMax, w => w.varint(spec.outputBytesMax));
  writeScheduling(spec, put);
  return writer.finish();
}

const text = (reader: ByteReader): string => reader.text(limits.argvBytesMax);

type Draft = { -readonly [Name in keyof Omit<TaskSpec, 'limit'>]: TaskSpec[Name] } & {
  /** Absent where it equals the request. */
  limit: Resources | undefined;
};

function readTier(reader: ByteReader): Tier {
  const tier = tiers[reader.u8()];
  if (tier === undefined) throw new DecodeError('unknown tier');
  return tier;
}

const readScript = (reader: ByteReader): Run => ({
  kind: 'script',
  name: text(reader),
  bytes: reader.bytesCopy(limits.scriptBytesMax),
  args: reader.list(text),
});

/** Reads one field; false for a tag that is none. */
function readField(tag: number, body: ByteReader, draft: Draft): boolean {
  switch (tag) {
    case field.tenant:
      draft.tenant = text(body);
      break;
    case field.owner:
      draft.owner = text(body);
      break;
    case field.name:
      draft.name = text(body);
      break;
    case field.command:
      draft.run = { kind: 'command', argv: body.list(text) };
      break;
    case field.script:
      draft.run = readScript(body);
      break;
    case field.nullRun:
      draft.run = { kind: 'null' };
      break;
    case field.env:
      draft.env = readPairs(body);
      break;
    case field.cwd:
      draft.cwd = text(body);
      break;
    case field.tier:
      draft.tier = readTier(body);
      break;
    case field.request:
      draft.request = readResources(body);
      break;
    case field.limit:
      draft.limit = readResources(body);
      break;
    case field.labels:
      draft.labels = readPairs(body);
      break;
    case field.require:
      draft.require = readPairs(body);
      break;
    case field.idempotencyKey:
      draft.idempotencyKey = text(body);
      break;
    case field.backoff:
      draft.backoff = { initialMs: body.varint(), maxMs: body.varint() };
      break;
    default:
      return readNumber(tag, body, draft);
  }
  return true;
}

function readNumber(tag: number, body: ByteReader, draft: Draft): boolean {
  if (tag === field.attempts) draft.attempts = body.varint();
  else if (tag === field.capMs) draft.capMs = body.varint();
  else if (tag === field.graceMs) draft.graceMs = body.varint();
  else if (tag === field.leaseMs) draft.leaseMs = body.varint();
  else if (tag === field.outputBytesMax) draft.outputBytesMax = body.varint();
  else return readScheduling(tag, body, draft);
  return true;
}

/** Reads the fields of a spec, those in `passed` by their length only. */
function readFields(bytes: Uint8Array, draft: Draft, passed?: ReadonlySet<number>): void {
  const reader = new ByteReader(bytes);
  reader.version(formatVersion, 'task spec');
  while (reader.remaining > 0) {
    const tag = reader.varint();
    const length = reader.varint();
    if (length > limits.specBytesMax) throw new DecodeError(`task spec: field of ${length} bytes`);
    const end = reader.offset + length;
    if (passed?.has(tag)) reader.skip(length);
    else if (!readField(tag, reader, draft)) {
      throw new DecodeError(`task spec: unknown field ${tag}`);
    }
    const left = end - reader.offset;
    if (left !== 0) {
      const what = left > 0 ? `${left} bytes too many` : `${-left} bytes too few`;
      throw new DecodeError(`task spec, field ${tag}: ${what}`);
    }
  }
}

const emptyDraft = (): Draft => ({
  tenant: 'default',
  owner: '',
  name: '',
  run: { kind: 'null' },
  env: [],
  cwd: '',
  tier: 'basic',
  request: noResources,
  limit: undefined,
  labels: [],
  require: [],
  idempotencyKey: undefined,
  attempts: 1,
  backoff: { initialMs: 0, maxMs: 0 },
  capMs: 0,
  graceMs: limits.graceMsDefault,
  leaseMs: limits.leaseMsDefault,
  outputBytesMax: limits.outputBytesDefault,
});

/** Reads what `encodeSpec` wrote; an unknown field or version is a `DecodeError`. */
export function decodeSpec(bytes: Uint8Array): TaskSpec {
  const draft = emptyDraft();
  readFields(bytes, draft);
  return { ...draft, limit: draft.limit ?? draft.request };
}

/** The cluster version whose programs read all fields of an encoded spec. */
export function clusterVersionOfSpec(bytes: Uint8Array): number {
  const reader = new ByteReader(bytes);
  reader.version(formatVersion, 'task spec');
  let version = 1;
  while (reader.remaining > 0) {
    version = Math.max(version, versionOfField(reader.varint()));
    reader.skip(reader.varint());
  }
  return version;
}

/** What a shard decides from. The rest of a spec is for the node that runs it. */
export type SpecTerms = SpecScheduling &
  Pick<
    TaskSpec,
    | 'tenant'
    | 'tier'
    | 'request'
    | 'require'
    | 'idempotencyKey'
    | 'attempts'
    | 'backoff'
    | 'capMs'
    | 'leaseMs'
  >;

const notTerms: ReadonlySet<number> = new Set([
  ...[field.owner, field.name, field.command, field.script, field.nullRun, field.env, field.cwd],
  ...[field.limit, field.labels, field.graceMs, field.outputBytesMax],
  ...schedulingNotTerms,
]);

/**
 * As `decodeSpec`, but of the fields that a shard has no use for only the lengths are looked at:
 * every replica reads every spec, and most of its bytes are its command.
 */
export function decodeSpecTerms(bytes: Uint8Array): SpecTerms {
  const draft = emptyDraft();
  readFields(bytes, draft, notTerms);
  return draft;
}
