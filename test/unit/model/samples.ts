/**
 * Values of every format of src/model: fixed ones for golden bytes, arbitrary ones for properties.
 */
import fc from 'fast-check';
import type { Advertisement } from '../../../src/model/advertisement.ts';
import { type Outcome, outcomeKinds, systemOutcome } from '../../../src/model/attempt.ts';
import type { ShardCommand } from '../../../src/model/command.ts';
import { formatTaskId, slotCount, type TaskId } from '../../../src/model/ids.ts';
import { limits } from '../../../src/model/limits.ts';
import { noResources, type Resources, tierDefaults, tiers } from '../../../src/model/resources.ts';
import {
  catchUpPolicies,
  overlapPolicies,
  type ScheduleDefinition,
  type Timing,
} from '../../../src/model/schedule.ts';
import { encodeSpec, type Run, type TaskSpec } from '../../../src/model/spec.ts';
import type { SpecOverrides } from '../../../src/model/spec-overrides.ts';
import { priorities } from '../../../src/model/spec-scheduling.ts';
import { taskStates } from '../../../src/model/task.ts';
import { type FromWorker, refusals, type ToWorker } from '../../../src/model/worker-protocol.ts';
import { anyWorkflowCommand, workflowCommands } from './workflow-samples.ts';

export const sampleId = formatTaskId({ atMs: 1_700_000_000_000, slot: 1_029, random: 77 });
const otherId = formatTaskId({ atMs: 1_700_000_000_001, slot: 4_095, random: 2 ** 40 - 1 });

export const smallSpec: TaskSpec = {
  tenant: 'default',
  owner: 'ann',
  name: '',
  run: { kind: 'null' },
  env: [],
  cwd: '',
  tier: 'basic',
  request: tierDefaults.basic,
  limit: tierDefaults.basic,
  labels: [],
  require: [],
  idempotencyKey: undefined,
  attempts: 1,
  backoff: { initialMs: 0, maxMs: 0 },
  capMs: 0,
  graceMs: 2_000,
  leaseMs: 20_000,
  outputBytesMax: 16_777_216,
};

export const commandSpec: TaskSpec = {
  ...smallSpec,
  name: 'näh',
  run: { kind: 'command', argv: ['/bin/echo', ''] },
};

export const fullSpec: TaskSpec = {
  tenant: 'acme',
  owner: 'bob',
  name: 'nightly',
  run: { kind: 'script', name: 'a.sh', bytes: new Uint8Array([0, 255, 10]), args: ['1', 'ü'] },
  env: [['A', '1']],
  cwd: '/srv',
  tier: 'premium',
  request: { ...noResources, cpuMilli: 500, ports: 2 },
  limit: { cpuMilli: 1, memoryBytes: 2, diskBytes: 3, iops: 4, bandwidth: 5, ports: 6 },
  labels: [['team', 'x']],
  require: [['gpu', 'yes']],
  idempotencyKey: 'k',
  attempts: 3,
  backoff: { initialMs: 1_000, maxMs: 60_000 },
  capMs: 600_000,
  graceMs: 0,
  leaseMs: 3_600_000,
  outputBytesMax: 1,
};

export const fullOutcome: Outcome = {
  kind: 'failed',
  exitCode: 7,
  signal: 'SIGTERM',
  startedAtMs: 1,
  endedAtMs: 1_700_000_000_000,
  userCpuMs: 2,
  systemCpuMs: 3,
  peakMemoryBytes: 4_294_967_296,
  stdoutBytes: 5,
  stderrBytes: 6,
  outputTruncated: true,
  tail: 'tail\n',
  message: 'why',
};

const stamp = { atMs: 1_700_000_000_000, actor: { name: 'admin', tenant: 'default' } };

const scheduleName = { tenant: 'acme', name: 'nightly' };
const firing = { ...scheduleName, createdMs: 1 };

const plainSchedule: ScheduleDefinition = {
  ...scheduleName,
  timing: { kind: 'cron', pattern: '0 2 * * *' },
  zone: 'UTC',
  overlap: 'skip',
  catchUp: 'skip',
  withinMs: undefined,
  jitterMs: 0,
  untilMs: undefined,
  count: undefined,
};

export const weeklySchedule: ScheduleDefinition = {
  ...scheduleName,
  timing: { kind: 'weekly', minute: 150, weekdays: [0, 4] },
  zone: 'Europe/Berlin',
  overlap: 'allow',
  catchUp: 'all',
  withinMs: 3_600_000,
  jitterMs: 300,
  untilMs: 1_800_000_000_000,
  count: 10,
};

export const commands: Readonly<Record<string, ShardCommand>> = {
  submit: {
    kind: 'submit',
    ...stamp,
    specs: [{ digest: new Uint8Array(16).fill(7), bytes: new Uint8Array([1, 2, 3]) }],
    items: [
      { id: sampleId, spec: 0, retryOf: undefined, arrayId: undefined, arrayIndex: undefined },
      { id: otherId, spec: 0, retryOf: sampleId, arrayId: otherId, arrayIndex: 1_000 },
    ],
  },
  assign: {
    kind: 'assign',
    ...stamp,
    items: [{ taskId: sampleId, node: 'n-1', nodeName: 'one', incarnation: 'inc' }],
  },
  unassign: {
    kind: 'unassign',
    ...stamp,
    items: refusals.slice(0, 4).map((why, fence) => ({ taskId: sampleId, fence, why })),
  },
  start: {
    kind: 'start',
    ...stamp,
    items: [{ taskId: sampleId, fence: 300, startedAtMs: 1_700_000_000_001 }],
  },
  finish: {
    kind: 'finish',
    ...stamp,
    items: [{ taskId: sampleId, fence: 1, outcome: fullOutcome }],
  },
  lose: { kind: 'lose', ...stamp, items: [{ taskId: sampleId, fence: 2 }], message: 'lease over' },
  cancel: { kind: 'cancel', ...stamp, items: [{ taskId: sampleId }], reason: 'no need' },
  recover: { kind: 'recover', ...stamp, epoch: 300 },
  overdue: { kind: 'overdue', ...stamp, items: [{ taskId: sampleId }, { taskId: otherId }] },
  expire: {
    kind: 'expire',
    ...stamp,
    items: [
      { taskId: sampleId, state: 'failed', digest: new Uint8Array(16).fill(7), keyHash: undefined },
      {
        taskId: otherId,
        state: 'succeeded',
        digest: new Uint8Array(16).fill(8),
        keyHash: { high: 0x01020304, low: 0xfffefdfc },
      },
    ],
  },
  ...workflowCommands({ one: sampleId, other: otherId, outcome: fullOutcome, stamp }),
  charge: { kind: 'charge', ...stamp, items: [{ tenant: 'acme', count: 300 }] },
  adopt: { kind: 'adopt', ...stamp, rules: 3 },
  replay: {
    kind: 'replay',
    ...stamp,
    specs: [{ digest: new Uint8Array(16).fill(7), bytes: new Uint8Array([1]) }],
    items: [{ id: otherId, spec: 0, retryOf: sampleId, arrayId: undefined, arrayIndex: undefined }],
  },
  purge: { kind: 'purge', ...stamp, items: [{ taskId: sampleId }] },
  createSchedule: {
    kind: 'createSchedule',
    ...stamp,
    items: [
      {
        definition: weeklySchedule,
        digest: new Uint8Array(16).fill(7),
        spec: encodeSpec(smallSpec),
      },
      {
        definition: plainSchedule,
        digest: new Uint8Array(16).fill(8),
        spec: encodeSpec(smallSpec),
      },
    ],
  },
  fire: {
    kind: 'fire',
    ...stamp,
    items: [
      { ...firing, afterMs: 1, occurrenceMs: 1_700_000_000_000, fires: true, missed: 0 },
      {
        ...{ ...firing, afterMs: 1_700_000_000_000, occurrenceMs: 1_700_000_060_000 },
        ...{ fires: false, missed: 300 },
      },
    ],
  },
  triggerSchedule: {
    kind: 'triggerSchedule',
    ...stamp,
    items: [{ ...scheduleName, id: sampleId }],
  },
  backfill: {
    kind: 'backfill',
    ...stamp,
    items: [{ ...scheduleName, request: 'again', occurrences: [1, 1_700_000_000_000] }],
  },
  pauseSchedule: {
    kind: 'pauseSchedule',
    ...stamp,
    items: [
      { ...scheduleName, paused: true },
      { ...scheduleName, paused: false },
    ],
    reason: 'näh',
  },
  deleteSchedule: { kind: 'deleteSchedule', ...stamp, items: [scheduleName] },
  pause: { kind: 'pause', ...stamp, items: [{ taskId: sampleId }], suspend: true, reason: 'why' },
  resume: { kind: 'resume', ...stamp, items: [{ taskId: sampleId }] },
  update: {
    kind: 'update',
    ...stamp,
    items: [{ taskId: sampleId }],
    overrides: {
      name: 'n',
      labels: [['a', 'b']],
      attempts: 300,
      backoff: { initialMs: 1_000, maxMs: 2_000 },
      capMs: 60_000,
      priority: 'low',
      toleranceMs: 60_000,
    },
  },
  suspended: {
    kind: 'suspended',
    ...stamp,
    items: [{ taskId: sampleId, fence: 300, suspended: true }],
  },
  assignGang: {
    kind: 'assignGang',
    ...stamp,
    items: [
      {
        members: [
          { taskId: sampleId, node: 'n-1', nodeName: 'one', incarnation: 'inc' },
          { taskId: otherId, node: 'n-2', nodeName: 'two', incarnation: 'inc' },
        ],
      },
    ],
  },
};

const ref = { shard: 5, taskId: sampleId, fence: 300 };
const renewal = { shard: 5, incarnation: 'inc', sequence: 9 };

export const toWorker: Readonly<Record<string, ToWorker>> = {
  dispatch: {
    kind: 'dispatch',
    ...ref,
    incarnation: 'inc',
    renewed: 9,
    run: 2,
    arrayIndex: 17,
    spec: new Uint8Array([1, 2, 3]),
  },
  dispatchWithBound: {
    kind: 'dispatch',
    ...ref,
    incarnation: 'inc',
    renewed: 9,
    run: 2,
    arrayIndex: undefined,
    spec: new Uint8Array([1, 2, 3]),
    boundInMs: 300,
  },
  dispatchWithInputs: {
    kind: 'dispatch',
    ...ref,
    incarnation: 'inc',
    renewed: 9,
    run: 2,
    arrayIndex: undefined,
    spec: new Uint8Array([1, 2, 3]),
    inputs: [{ name: 'load', text: 'ü' }],
  },
  dispatchAtOnce: {
    kind: 'dispatch',
    ...ref,
    incarnation: 'inc',
    renewed: 9,
    run: 2,
    arrayIndex: undefined,
    spec: new Uint8Array([1, 2, 3]),
    boundInMs: 300,
    immediate: true,
  },
  endCancelled: { kind: 'end', ...ref, reason: 'cancelled' },
  endSuperseded: { kind: 'end', ...ref, reason: 'superseded' },
  reportAck: { kind: 'reportAck', ...ref, ended: true },
  go: { kind: 'go', ...ref, peers: ['10.0.0.1', '10.0.0.2:4000', ''] },
  renewAck: { kind: 'renewAck', ...renewal, confirmed: [{ taskId: sampleId, fence: 1 }] },
  control: { kind: 'control', ...ref, suspended: true, capMs: 300 },
};

export const fromWorker: Readonly<Record<string, FromWorker>> = {
  accepted: { kind: 'accepted', ...ref },
  ready: { kind: 'ready', ...ref, port: undefined },
  readyAtPort: { kind: 'ready', ...ref, port: 4_000 },
  refused: { kind: 'refused', ...ref, why: 'noLease' },
  started: { kind: 'started', ...ref, startedAtMs: 1_700_000_000_001 },
  ended: { kind: 'ended', ...ref, outcome: fullOutcome },
  renew: { kind: 'renew', ...renewal, asks: [{ taskId: sampleId, fence: 1 }] },
  controlled: { kind: 'controlled', ...ref, suspended: false, capMs: undefined },
};

export const advertisement: Advertisement = {
  node: '12D3KooW',
  name: 'one',
  boot: 3,
  sequence: 300,
  incarnation: 'inc',
  tier: 'regular',
  total: { cpuMilli: 8_000, memoryBytes: 2 ** 33, diskBytes: 1, iops: 2, bandwidth: 3, ports: 4 },
  free: { ...noResources, cpuMilli: 1 },
  labels: [['zone', 'a']],
  running: 7,
  queued: 2,
  queueRoom: 6,
  leads: [1, 64],
  draining: false,
  httpAddress: 'http://127.0.0.1:7070',
  registryIndex: 1_000,
};

/** Of a node that keeps something for a reservation. */
export const sharing: Advertisement = {
  ...advertisement,
  shares: [
    {
      name: 'nightly',
      tenant: 'acme',
      used: { ...noResources, cpuMilli: 500 },
      left: { ...noResources, memoryBytes: 300 },
    },
  ],
};

/** Of a node that leads a shard in which a tenant holds something. */
export const serving: Advertisement = {
  ...advertisement,
  tenants: [{ tenant: 'acme', held: { ...noResources, cpuMilli: 500, memoryBytes: 300 } }],
};

const count = fc.maxSafeNat();
/** Few graphemes may be many bytes: as many as the narrowest field takes. */
const short = fc
  .string({ unit: 'grapheme', maxLength: 12 })
  .filter(text => Buffer.byteLength(text) <= 64);
const pairs = fc.array(fc.tuple(short, short), { maxLength: 4 });
const tier = fc.constantFrom(...tiers);
const resources: fc.Arbitrary<Resources> = fc.record({
  cpuMilli: count,
  memoryBytes: count,
  diskBytes: count,
  iops: count,
  bandwidth: count,
  ports: count,
});
const bytes = fc.uint8Array({ maxLength: 40 });

export const anyId: fc.Arbitrary<TaskId> = fc
  .record({
    atMs: fc.nat(2 ** 31 - 1),
    slot: fc.nat(slotCount - 1),
    random: fc.nat(2 ** 31 - 1),
  })
  .map(formatTaskId);

const anyRun: fc.Arbitrary<Run> = fc.oneof(
  fc.constant({ kind: 'null' } as const),
  fc.record({ kind: fc.constant('command' as const), argv: fc.array(short) }),
  fc.record({ kind: fc.constant('script' as const), name: short, bytes, args: fc.array(short) }),
);

export const anySpec: fc.Arbitrary<TaskSpec> = fc.record({
  tenant: short,
  owner: short,
  name: short,
  run: anyRun,
  env: pairs,
  cwd: short,
  tier,
  request: resources,
  limit: resources,
  labels: pairs,
  require: pairs,
  idempotencyKey: fc.option(short, { nil: undefined }),
  attempts: count,
  backoff: fc.record({ initialMs: count, maxMs: count }),
  capMs: count,
  graceMs: count,
  leaseMs: count,
  outputBytesMax: count,
});

/** Without what its version 2 brought. */
export const plainOutcome: fc.Arbitrary<Outcome> = fc.record({
  kind: fc.constantFrom(...outcomeKinds),
  exitCode: fc.option(fc.nat(255), { nil: undefined }),
  signal: fc.option(fc.constantFrom('SIGTERM', 'SIGKILL'), { nil: undefined }),
  startedAtMs: count,
  endedAtMs: count,
  userCpuMs: count,
  systemCpuMs: count,
  peakMemoryBytes: count,
  stdoutBytes: count,
  stderrBytes: count,
  outputTruncated: fc.boolean(),
  tail: fc.string({ unit: 'grapheme', maxLength: 200 }),
  message: short,
});

export const anyOutcome: fc.Arbitrary<Outcome> = fc.oneof(
  plainOutcome,
  plainOutcome.map(outcome => ({ ...outcome, supervisorLost: true, output: undefined })),
  fc
    .tuple(plainOutcome, short)
    .map(([outcome, output]) => ({ ...outcome, supervisorLost: undefined, output })),
);

const word = fc.nat({ max: 2 ** 32 - 1 });
const stamped = { atMs: count, actor: fc.record({ name: short, tenant: short }) };
const fenced = { taskId: anyId, fence: count };
const items = <T>(item: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(item, { maxLength: 5 });
const kind = <K extends string>(name: K): fc.Arbitrary<K> => fc.constant(name);

const submitBody = {
  ...stamped,
  specs: items(fc.record({ digest: fc.uint8Array({ minLength: 16, maxLength: 16 }), bytes })),
  items: items(
    fc.record({
      id: anyId,
      spec: count,
      retryOf: fc.option(anyId, { nil: undefined }),
      arrayId: fc.option(anyId, { nil: undefined }),
      arrayIndex: fc.option(count, { nil: undefined }),
    }),
  ),
};

const word8 = fc.string({ maxLength: 8 });
const named = { tenant: word8, name: word8 };
const minuteOfDay = fc.nat(1_439);
const dayOfMonth = fc.integer({ min: 1, max: 32 });
const maybe = fc.option(count, { nil: undefined });

const anyTiming: fc.Arbitrary<Timing> = fc.oneof(
  fc.record({ kind: kind('once'), at: fc.constant('2027-01-31T09:30:00') }),
  fc.record({ kind: kind('daily'), minute: minuteOfDay }),
  fc.record({
    kind: kind('weekly'),
    minute: minuteOfDay,
    weekdays: fc.uniqueArray(fc.nat(6), { maxLength: 7 }),
  }),
  fc.record({ kind: kind('monthly'), minute: minuteOfDay, day: dayOfMonth }),
  fc.record({
    kind: kind('annually'),
    minute: minuteOfDay,
    month: fc.integer({ min: 1, max: 12 }),
    day: dayOfMonth,
  }),
  fc.record({ kind: kind('cron'), pattern: word8 }),
);

const anyDefinition: fc.Arbitrary<ScheduleDefinition> = fc.record({
  ...named,
  timing: anyTiming,
  zone: word8,
  overlap: fc.constantFrom(...overlapPolicies),
  catchUp: fc.constantFrom(...catchUpPolicies),
  withinMs: maybe,
  jitterMs: count,
  untilMs: maybe,
  count: maybe,
});

const anyOverrides: fc.Arbitrary<SpecOverrides> = fc.record(
  {
    name: short,
    labels: pairs,
    attempts: count,
    backoff: fc.record({ initialMs: count, maxMs: count }),
    capMs: count,
    priority: fc.constantFrom(...priorities),
    toleranceMs: count,
  },
  { requiredKeys: [] },
);
const anyPlacement = fc.record({
  taskId: anyId,
  node: short,
  nodeName: short,
  incarnation: short,
});

export const anyCommand: fc.Arbitrary<ShardCommand> = fc.oneof(
  fc.record({ kind: kind('submit'), ...submitBody }),
  fc.record({ kind: kind('replay'), ...submitBody }),
  fc.record({ kind: kind('adopt'), ...stamped, rules: count }),
  fc.record({ kind: kind('purge'), ...stamped, items: items(fc.record({ taskId: anyId })) }),
  fc.record({
    kind: kind('assign'),
    ...stamped,
    items: items(anyPlacement),
  }),
  fc.record({
    kind: kind('unassign'),
    ...stamped,
    items: items(fc.record({ ...fenced, why: fc.constantFrom(...refusals) })),
  }),
  fc.record({
    kind: kind('start'),
    ...stamped,
    items: items(fc.record({ ...fenced, startedAtMs: count })),
  }),
  fc.record({
    kind: kind('finish'),
    ...stamped,
    items: items(fc.record({ ...fenced, outcome: anyOutcome })),
  }),
  fc.record({ kind: kind('lose'), ...stamped, items: items(fc.record(fenced)), message: short }),
  fc.record({
    kind: kind('cancel'),
    ...stamped,
    items: items(fc.record({ taskId: anyId })),
    reason: short,
  }),
  fc.record({ kind: kind('recover'), ...stamped, epoch: count }),
  fc.record({
    kind: kind('overdue'),
    ...stamped,
    items: items(fc.record({ taskId: anyId })),
  }),
  fc.record({
    kind: kind('assignGang'),
    ...stamped,
    items: items(fc.record({ members: items(anyPlacement) })),
  }),
  fc.record({
    kind: kind('expire'),
    ...stamped,
    items: items(
      fc.record({
        taskId: anyId,
        state: fc.constantFrom(...taskStates),
        digest: fc.uint8Array({ minLength: 16, maxLength: 16 }),
        keyHash: fc.option(fc.record({ high: word, low: word }), { nil: undefined }),
      }),
    ),
  }),
  anyWorkflowCommand({ id: anyId, outcome: anyOutcome, stamped }),
  fc.record({
    kind: kind('charge'),
    ...stamped,
    items: items(fc.record({ tenant: short, count })),
  }),
  fc.record({
    kind: kind('createSchedule'),
    ...stamped,
    items: items(
      fc.record({
        definition: anyDefinition,
        digest: fc.uint8Array({ minLength: 16, maxLength: 16 }),
        spec: fc.constant(encodeSpec(smallSpec)),
      }),
    ),
  }),
  fc.record({
    kind: kind('fire'),
    ...stamped,
    items: items(
      fc.record({
        ...named,
        createdMs: count,
        afterMs: count,
        occurrenceMs: count,
        fires: fc.boolean(),
        missed: count,
      }),
    ),
  }),
  fc.record({
    kind: kind('triggerSchedule'),
    ...stamped,
    items: items(fc.record({ ...named, id: anyId })),
  }),
  fc.record({
    kind: kind('backfill'),
    ...stamped,
    items: items(fc.record({ ...named, request: word8, occurrences: items(count) })),
  }),
  fc.record({
    kind: kind('pauseSchedule'),
    ...stamped,
    items: items(fc.record({ ...named, paused: fc.boolean() })),
    reason: short,
  }),
  fc.record({ kind: kind('deleteSchedule'), ...stamped, items: items(fc.record(named)) }),
  fc.record({
    kind: kind('pause'),
    ...stamped,
    items: items(fc.record({ taskId: anyId })),
    suspend: fc.boolean(),
    reason: short,
  }),
  fc.record({ kind: kind('resume'), ...stamped, items: items(fc.record({ taskId: anyId })) }),
  fc.record({
    kind: kind('update'),
    ...stamped,
    items: items(fc.record({ taskId: anyId })),
    overrides: anyOverrides,
  }),
  fc.record({
    kind: kind('suspended'),
    ...stamped,
    items: items(fc.record({ ...fenced, suspended: fc.boolean() })),
  }),
);

const anyRef = { shard: count, ...fenced };
const anyControl = {
  suspended: fc.boolean(),
  capMs: fc.option(count, { nil: undefined }),
};
const anyRenewal = { shard: count, incarnation: short, sequence: count };

export const anyToWorker: fc.Arbitrary<ToWorker> = fc.oneof(
  fc.record({
    kind: kind('dispatch'),
    ...anyRef,
    incarnation: short,
    renewed: count,
    run: count,
    arrayIndex: fc.option(count, { nil: undefined }),
    spec: bytes,
    boundInMs: fc.option(count, { nil: undefined }),
    immediate: fc.constantFrom(undefined, true as const),
  }),
  fc.record({
    kind: kind('end'),
    ...anyRef,
    reason: fc.constantFrom('cancelled' as const, 'superseded' as const),
  }),
  fc.record({ kind: kind('go'), ...anyRef, peers: items(short) }),
  fc.record({ kind: kind('reportAck'), ...anyRef, ended: fc.boolean() }),
  fc.record({ kind: kind('renewAck'), ...anyRenewal, confirmed: items(fc.record(fenced)) }),
  fc.record({ kind: kind('control'), ...anyRef, ...anyControl }),
);

export const anyFromWorker: fc.Arbitrary<FromWorker> = fc.oneof(
  fc.record({ kind: kind('accepted'), ...anyRef }),
  fc.record({
    kind: kind('ready'),
    ...anyRef,
    port: fc.option(fc.nat({ max: 65_535 }), { nil: undefined }),
  }),
  fc.record({ kind: kind('refused'), ...anyRef, why: fc.constantFrom(...refusals) }),
  fc.record({ kind: kind('started'), ...anyRef, startedAtMs: count }),
  fc.record({ kind: kind('ended'), ...anyRef, outcome: anyOutcome }),
  fc.record({ kind: kind('renew'), ...anyRenewal, asks: items(fc.record(fenced)) }),
  fc.record({ kind: kind('controlled'), ...anyRef, ...anyControl }),
);

const anyShare = fc.record({ name: short, tenant: short, used: resources, left: resources });

const advertised = {
  node: short,
  name: short,
  boot: count,
  sequence: count,
  incarnation: short,
  tier,
  total: resources,
  free: resources,
  labels: pairs,
  running: count,
  queued: count,
  queueRoom: count,
  leads: fc.array(count, { maxLength: 64 }),
  draining: fc.boolean(),
  httpAddress: short,
  registryIndex: count,
};

/** Of nodes that keep nothing for reservations, and lead nothing that they tell of. */
export const plainAdvertisement: fc.Arbitrary<Advertisement> = fc.record(advertised);

const anyDemand = fc.record({
  urgent: count,
  others: count,
  boundMs: fc.option(count, { nil: undefined }),
  claims: fc.array(
    fc.record({
      node: short,
      request: resources,
      // Often that of the claim before it, and never empty.
      tenant: fc.constantFrom('acme', 'globex'),
      urgent: fc.boolean(),
      boundMs: count,
    }),
    { maxLength: 4 },
  ),
});

export const anyAdvertisement: fc.Arbitrary<Advertisement> = fc.oneof(
  plainAdvertisement,
  fc.record({ ...advertised, demand: anyDemand }),
  fc.record({
    ...advertised,
    demand: anyDemand,
    shares: fc.array(anyShare, { minLength: 1, maxLength: 3 }),
  }),
  fc.record({
    ...advertised,
    demand: anyDemand,
    tenants: fc.array(fc.record({ tenant: short, held: resources }), {
      minLength: 1,
      maxLength: 3,
    }),
  }),
);

export const sampleOutcomes: Readonly<Record<string, Outcome>> = {
  system: { ...systemOutcome('lost', 6, 'm'), exitCode: undefined, signal: undefined },
  supervisor: {
    ...systemOutcome('lost', 6, 'm'),
    exitCode: undefined,
    signal: undefined,
    supervisorLost: true,
  },
  full: fullOutcome,
  handedOn: { ...fullOutcome, output: 'ü' },
};

/** Of a spec field by field: long texts are bounded by the reader, not by the writer. */
export const textTooLong = 'x'.repeat(limits.argvBytesMax + 1);
