/**
 * Random histories of a shard: few tasks, specs and nodes, so that IDs, keys and fences collide
 * often. A step says the fence relative to the newest one of its task; the run fills it in.
 */
import fc from 'fast-check';
import { type OutcomeKind, outcomeKinds } from '../../src/model/attempt.ts';
import type { ExpireItem } from '../../src/model/command.ts';
import { slotCount, type TaskId } from '../../src/model/ids.ts';
import { tierDefaults } from '../../src/model/resources.ts';
import { keySlot } from '../../src/model/slots.ts';
import type { TaskSpec } from '../../src/model/spec.ts';
import type { SpecOverrides } from '../../src/model/spec-overrides.ts';
import { isSettled, type TaskState, taskStates } from '../../src/model/task.ts';
import { hashKey } from '../../src/shard/memory/key-hash.ts';
import { anOutcome, aSpec, type CommandBody, epochMs, idOf, specEntry } from '../support/shard.ts';

const keyed: TaskSpec = aSpec({ idempotencyKey: 'key', attempts: 2 });
const slot = keySlot(keyed)!;
const backoff = { initialMs: 100, maxMs: 400 };

/** Some have one key of either kind, of one text; the slot of every task is that of the key. */
export const specs: readonly TaskSpec[] = [
  aSpec(),
  aSpec({ attempts: 3, backoff: { initialMs: 1_000, maxMs: 3_000 } }),
  aSpec({ attempts: 12, request: { ...tierDefaults.regular }, tier: 'regular' }),
  keyed,
  aSpec({ idempotencyKey: 'key', name: 'other' }),
  // Three of one lane, one of them a minute from its bound at once; one that goes before others.
  aSpec({ toleranceMs: 3_600_000, capMs: 5_000 }),
  aSpec({ toleranceMs: 3_600_000, capMs: 9_000 }),
  aSpec({ toleranceMs: 30_000, attempts: 2 }),
  aSpec({ toleranceMs: 1_000, expireMs: 2_000, priority: 'high' }),
  aSpec({ expireMs: 90_000, priority: 'low' }),
  aSpec({ orderKey: 'key', toleranceMs: 1_000, expireMs: 2_000 }),
  aSpec({ orderKey: 'key', attempts: 2, backoff }),
  aSpec({ orderKey: 'key', attempts: 3, retryOn: ['75', 'oom'] }),
  aSpec({ orderKey: 'key', idempotencyKey: 'key' }),
  aSpec({ attempts: 5, noRetryOn: ['75'], backoff }),
  aSpec({ maxRunningPer: { key: 'key', max: 2 }, attempts: 2 }),
  aSpec({ maxRunningPer: { key: 'key', max: 3 }, idempotencyKey: 'key' }),
];

/** Two gangs, one of three and one of two. */
const gangs = [
  { arrayId: idOf(20, slot), size: 3, at: 10 },
  { arrayId: idOf(30, slot), size: 2, at: 13 },
] as const;
const gangSpecs: readonly TaskSpec[] = [
  aSpec({ gang: 3, attempts: 3, backoff: { initialMs: 1_000, maxMs: 3_000 } }),
  aSpec({ gang: 2, attempts: 12 }),
];

export const ids: readonly TaskId[] = [
  ...Array.from({ length: 9 }, (_, n) => idOf(n, slot)),
  idOf(9, (slot + 1) % slotCount),
  ...gangs.flatMap(({ size, at }) => Array.from({ length: size }, (_, n) => idOf(at + n, slot))),
];

const nodes = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6', 'n7', 'n8', 'n9', 'n10'];

export type Step =
  | { readonly kind: 'submit'; readonly items: readonly (readonly [number, number])[] }
  | { readonly kind: 'assign'; readonly items: readonly (readonly [number, number])[] }
  | {
      readonly kind: 'cancel' | 'expire' | 'overdue' | 'purge' | 'resume';
      readonly items: readonly (readonly [number])[];
    }
  | {
      readonly kind: 'pause';
      readonly suspend: boolean;
      readonly items: readonly (readonly [number])[];
    }
  | {
      readonly kind: 'update';
      readonly overrides: SpecOverrides;
      readonly items: readonly (readonly [number])[];
    }
  | {
      readonly kind: 'suspended';
      readonly items: readonly (readonly [number, number, boolean])[];
    }
  | { readonly kind: 'recover'; readonly epoch: number }
  | { readonly kind: 'adopt'; readonly rules: number }
  | { readonly kind: 'replay'; readonly items: readonly (readonly [number, number, number])[] }
  | {
      readonly kind: 'charge';
      readonly items: readonly { readonly tenant: string; readonly count: number }[];
    }
  /** Which gang, how many of its tasks from which rank on, and more tasks where there is one. */
  | {
      readonly kind: 'submitGang' | 'assignGang';
      readonly gang: number;
      readonly from: number;
      readonly count: number;
      readonly more: number | undefined;
    }
  | {
      readonly kind: 'unassign' | 'start' | 'lose';
      readonly items: readonly (readonly [number, number])[];
    }
  | {
      readonly kind: 'finish';
      readonly items: readonly (readonly [number, number, OutcomeKind, string, boolean])[];
    };

/** A step, how far the stamp moves before it, and what the store does after it. */
export interface Turn {
  readonly step: Step;
  readonly afterMs: number;
  readonly store: 'nothing' | 'take' | 'done' | 'restart';
}

const task = fc.nat({ max: ids.length - 1 });
const fence = fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.constantFrom(-2, -1, 1));
const few = <T>(item: fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
  fc.array(item, { minLength: 1, maxLength: 3 });
const fenced = (kind: 'unassign' | 'start' | 'lose'): fc.Arbitrary<Step> =>
  fc.record({ kind: fc.constant(kind), items: few(fc.tuple(task, fence)) });

const ofGang = (kind: 'submitGang' | 'assignGang'): fc.Arbitrary<Step> =>
  fc.record({
    kind: fc.constant(kind),
    gang: fc.nat({ max: gangs.length - 1 }),
    from: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, fc.constant(1)),
    count: fc.oneof({ weight: 6, arbitrary: fc.constant(9) }, fc.nat({ max: 3 })),
    more: fc.option(task, { nil: undefined, freq: 5 }),
  });

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: ofGang('submitGang') },
  { weight: 4, arbitrary: ofGang('assignGang') },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('submit' as const),
      items: few(fc.tuple(task, fc.nat({ max: specs.length - 1 }))),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('assign' as const),
      items: few(fc.tuple(task, fc.nat({ max: nodes.length - 1 }))),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('finish' as const),
      items: few(
        fc.tuple(
          task,
          fence,
          fc.oneof(fc.constant('failed' as const), fc.constantFrom(...outcomeKinds)),
          fc.string({ unit: 'binary', maxLength: 400 }),
          fc.boolean(),
        ),
      ),
    }),
  },
  { weight: 3, arbitrary: fenced('start') },
  { weight: 1, arbitrary: fenced('unassign') },
  { weight: 2, arbitrary: fenced('lose') },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('cancel' as const), items: few(fc.tuple(task)) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('recover' as const), epoch: fc.nat({ max: 9 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('expire' as const), items: few(fc.tuple(task)) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('overdue' as const), items: few(fc.tuple(task)) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('charge' as const),
      items: few(fc.record({ tenant: fc.constantFrom('a', 'b'), count: fc.nat({ max: 9 }) })),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'adopt' as const, rules: 3 }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('replay' as const),
      items: few(fc.tuple(task, task, fc.nat({ max: specs.length - 1 }))),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('purge' as const), items: few(fc.tuple(task)) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('pause' as const),
      suspend: fc.boolean(),
      items: few(fc.tuple(task)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('resume' as const), items: few(fc.tuple(task)) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('update' as const),
      overrides: fc.constantFrom<SpecOverrides>(
        { attempts: 2 },
        { attempts: 4, capMs: 5_000 },
        { capMs: 5_000 },
        { priority: 'low' },
        { priority: 'high', toleranceMs: 30_000 },
        { toleranceMs: 1_500 },
        { priority: 'normal', toleranceMs: 7_200_000, capMs: 9_000 },
        { backoff: { initialMs: 500, maxMs: 700 }, labels: [['a', 'b']] },
      ),
      items: few(fc.tuple(task)),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('suspended' as const),
      items: few(fc.tuple(task, fence, fc.boolean())),
    }),
  },
);

export const history: fc.Arbitrary<Turn[]> = fc.array(
  fc.record({
    step,
    afterMs: fc.oneof(
      fc.nat({ max: 2_000 }),
      fc.constantFrom(-500, -90_000, 59_999, 61_000, 3_600_000),
    ),
    store: fc.constantFrom('nothing' as const, 'nothing' as const, 'take', 'done', 'restart'),
  }),
  { minLength: 1, maxLength: 120, size: 'max' },
);

/** What the command of a step has to be told of a task. */
export interface Told {
  /** The newest fence. */
  readonly fence: number;
  readonly state: TaskState;
  readonly spec: TaskSpec;
}

const lineKeyOf = ({ orderKey, maxRunningPer }: TaskSpec): string | undefined =>
  orderKey ?? maxRunningPer?.key;

/** What a leader reads from the row of a task; of one that nobody knows, anything. */
export function expireItemOf(taskId: TaskId, told: Told | undefined): ExpireItem {
  const { state, spec } = told ?? { state: 'failed' as const, spec: specs[0]! };
  const key = spec.idempotencyKey && hashKey(spec.tenant, spec.idempotencyKey, lineKeyOf(spec));
  const keyHash = key ? { high: key.high, low: key.low } : undefined;
  return { taskId, state, digest: specEntry(spec).digest, keyHash };
}

const doneStates: ReadonlySet<TaskState> = new Set(taskStates.filter(isSettled));

/** The command of a step; `told` knows the tasks. */
export function commandOf(step: Step, told: (id: TaskId) => Told | undefined): CommandBody {
  const named = ([position, offset]: readonly [number, number, ...unknown[]]) => {
    const taskId = ids[position]!;
    return { taskId, fence: Math.max(0, (told(taskId)?.fence ?? 0) + offset) };
  };
  switch (step.kind) {
    case 'submitGang': {
      const { arrayId, at, size } = gangs[step.gang]!;
      const ranks = Array.from({ length: size }, (_, rank) => rank);
      const items = ranks
        .slice(step.from, step.from + step.count)
        .map(rank => ({ id: ids[at + rank]!, spec: 0, arrayId, arrayIndex: rank }));
      const more = step.more === undefined ? [] : [{ id: ids[step.more]!, spec: 1 }];
      return {
        kind: 'submit',
        specs: [specEntry(gangSpecs[step.gang]!), specEntry(specs[0]!)],
        items: items.length + more.length === 0 ? [{ id: ids[0]!, spec: 1 }] : [...items, ...more],
      };
    }
    case 'assignGang': {
      const { at, size } = gangs[step.gang]!;
      const asked = ids
        .slice(at, at + size)
        .filter(id => !doneStates.has(told(id)?.state ?? 'waiting'))
        .slice(step.from, step.from + step.count);
      const all = step.more === undefined ? asked : [...asked, ids[step.more]!];
      const members = (all.length === 0 ? [ids[at]!] : all).map((taskId, place) => ({
        taskId,
        node: nodes[place]!,
        nodeName: `name of ${nodes[place]!}`,
        incarnation: 'i',
      }));
      return { kind: 'assignGang', items: [{ members }] };
    }
    case 'submit':
      return {
        kind: 'submit',
        specs: specs.map(specEntry),
        items: step.items.map(([position, spec]) => ({ id: ids[position]!, spec })),
      };
    case 'assign':
      return {
        kind: 'assign',
        items: step.items.map(([position, node]) => ({
          taskId: ids[position]!,
          node: nodes[node]!,
          nodeName: `name of ${nodes[node]!}`,
          incarnation: 'i',
        })),
      };
    case 'recover':
    case 'charge':
    case 'adopt':
      return step;
    case 'replay':
      return {
        kind: 'replay',
        specs: specs.map(specEntry),
        items: step.items.map(([dead, position, spec]) => ({
          id: ids[position]!,
          spec,
          retryOf: ids[dead]!,
        })),
      };
    case 'purge':
      return {
        kind: 'purge',
        items: step.items.map(([position]) => ({ taskId: ids[position]! })),
      };
    case 'pause':
    case 'resume':
    case 'update': {
      const items = step.items.map(([position]) => ({ taskId: ids[position]! }));
      if (step.kind === 'pause') return { ...step, items, reason: 'because' };
      return step.kind === 'update' ? { ...step, items } : { kind: 'resume', items };
    }
    case 'suspended':
      return {
        kind: 'suspended',
        items: step.items.map(item => ({ ...named(item), suspended: item[2] })),
      };
    case 'cancel':
      return {
        kind: 'cancel',
        items: step.items.map(([position]) => ({ taskId: ids[position]! })),
        reason: 'because',
      };
    case 'overdue':
      return {
        kind: 'overdue',
        items: step.items.map(([position]) => ({ taskId: ids[position]! })),
      };
    case 'expire':
      return {
        kind: 'expire',
        items: step.items.map(([position]) => expireItemOf(ids[position]!, told(ids[position]!))),
      };
    case 'unassign':
      return {
        kind: 'unassign',
        items: step.items.map(item => ({ ...named(item), why: 'noRoom' as const })),
      };
    case 'start':
      return {
        kind: 'start',
        // By clocks that are right, and by ones that are far ahead.
        items: step.items.map(item => ({
          ...named(item),
          startedAtMs: epochMs + (item[0] % 2) * 1e12,
        })),
      };
    case 'lose':
      return { kind: 'lose', items: step.items.map(named), message: 'lost' };
    case 'finish':
      return {
        kind: 'finish',
        items: step.items.map(item => ({
          ...named(item),
          outcome: anOutcome(item[2], {
            tail: item[3],
            message: item[3].slice(0, 300),
            ...(item[2] === 'failed' ? { exitCode: item[4] ? 75 : 1 } : {}),
            ...(item[2] === 'lost' && item[4] ? { supervisorLost: true } : {}),
            ...(item[0] % 3 === 0 ? { startedAtMs: epochMs + (item[0] % 2) * 1e12 } : {}),
          }),
        })),
      };
  }
}
