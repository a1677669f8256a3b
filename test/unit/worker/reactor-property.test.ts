import fc from 'fast-check';
import { expect, test } from 'vitest';
import { systemOutcome } from '../../../src/model/attempt.ts';
import { formatTaskId, type TaskId } from '../../../src/model/ids.ts';
import { noResources } from '../../../src/model/resources.ts';
import { decodeSpec, encodeSpec } from '../../../src/model/spec.ts';
import type { FromWorker } from '../../../src/model/worker-protocol.ts';
import type { Launch, WorkerAction } from '../../../src/worker/action.ts';
import { attemptKey } from '../../../src/worker/attempt-ledger.ts';
import { leaseDeadline } from '../../../src/worker/lease.ts';
import { WorkerReactor } from '../../../src/worker/reactor.ts';

const baseSpec = decodeSpec(Uint8Array.of(1));

const spec = (cpuMilli: number, leaseMs: number): Uint8Array => {
  const request = { ...noResources, cpuMilli, ports: cpuMilli % 4 };
  return encodeSpec({ ...baseSpec, request, limit: request, leaseMs, graceMs: 500 });
};

type Step =
  | {
      kind: 'dispatch';
      task: number;
      fence: number;
      cpu: number;
      leaseMs: number;
      /** For a supervisor that is gone. */
      old: boolean;
      /** Sent before the newest acknowledgement. */
      late: boolean;
    }
  | { kind: 'end'; task: number; fence: number }
  | { kind: 'reportAck'; task: number; fence: number; ended: boolean }
  | { kind: 'renewAck'; back: number; confirm: boolean }
  | { kind: 'started' | 'ended'; pick: number }
  | { kind: 'wait'; ms: number }
  | { kind: 'drain'; on: boolean }
  | { kind: 'supervisor' };

const task = fc.integer({ min: 0, max: 9 });
const fence = fc.integer({ min: 1, max: 3 });
const pick = fc.nat(20);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('dispatch' as const),
      task,
      fence,
      cpu: fc.integer({ min: 1, max: 12 }),
      leaseMs: fc.constantFrom(5_000, 20_000),
      old: fc.integer({ min: 0, max: 9 }).map(number => number === 0),
      late: fc.integer({ min: 0, max: 3 }).map(number => number === 0),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('end' as const), task, fence }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('reportAck' as const),
      task,
      fence,
      ended: fc.boolean(),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('renewAck' as const),
      back: fc.nat(3),
      confirm: fc.integer({ min: 0, max: 3 }).map(number => number > 0),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('started', 'ended'), pick }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(1, 100, 300, 1_000, 3_000, 30_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('drain' as const),
      on: fc.integer({ min: 0, max: 3 }).map(number => number === 0),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('supervisor' as const) }) },
);

/** Plays the steps and keeps books of its own, from the actions alone. */
class Player {
  readonly taskIds: TaskId[];
  readonly reactor = new WorkerReactor({
    node: 'n1',
    total: { ...noResources, cpuMilli: 20, ports: 6 },
    ports: { from: 100, to: 105 },
    prefetchMax: 3,
    runningMax: 6,
  });
  nowMs = 1_000_000;
  incarnation = 'sup-1';
  supervisors = 1;
  readonly renewals: { message: Extract<FromWorker, { kind: 'renew' }>; sentMs: number }[] = [];
  ackedSentMs = Number.NEGATIVE_INFINITY;
  /** Newest that was acknowledged. */
  sequence = 0;
  /**
   * Attempts of which a leader said, under the present lease or one before, that they are meant.
   */
  readonly proved = new Set<string>();
  readonly launches = new Set<string>();
  readonly live = new Map<TaskId, Launch>();
  readonly highest = new Map<TaskId, number>();

  constructor() {
    this.taskIds = Array.from({ length: 10 }, (_, random) =>
      formatTaskId({ atMs: 1, slot: 1, random }),
    );
    const { incarnation } = this;
    this.reactor.onHello({ incarnation, found: [], keepsPorts: true, isolation: {} });
  }

  play(step: Step): void {
    this.perform(this.actionsOf(step));
    this.reactor.invariants();
  }

  actionsOf(step: Step): WorkerAction[] {
    const { reactor, nowMs, incarnation } = this;
    const ref = (at: { task: number; fence: number }) => ({
      shard: 1,
      taskId: this.taskIds[at.task]!,
      fence: at.fence,
    });
    const living = [...this.live.values()];
    switch (step.kind) {
      case 'dispatch': {
        const name = step.old ? 'sup-0' : incarnation;
        const renewed = step.late ? this.sequence - 1 : this.sequence;
        const about = { ...ref(step), incarnation: name, renewed, run: 1 };
        const message = { kind: 'dispatch', ...about } as const;
        if (!step.late) this.proved.add(attemptKey(about.taskId, about.fence));
        const bytes = spec(step.cpu, step.leaseMs);
        return reactor.onMessage({ ...message, spec: bytes }, 'n2', nowMs);
      }
      case 'end':
        return reactor.onMessage({ kind: 'end', ...ref(step), reason: 'cancelled' }, 'n2', nowMs);
      case 'reportAck':
        return reactor.onMessage({ ...step, ...ref(step) }, 'n2', nowMs);
      case 'renewAck':
        return this.renewAck(step.back, step.confirm);
      case 'started': {
        const launch = living[step.pick];
        return launch === undefined ? [] : reactor.onStarted(launch.key, 7, nowMs);
      }
      case 'ended': {
        const launch = living[step.pick];
        if (launch === undefined) return [];
        this.live.delete(launch.taskId);
        return reactor.onEnded(launch.key, systemOutcome('succeeded', 9, ''), nowMs);
      }
      case 'wait':
        this.nowMs += step.ms;
        return reactor.tick(this.nowMs);
      case 'drain':
        return reactor.drain(step.on);
      case 'supervisor': {
        this.incarnation = `sup-${++this.supervisors}`;
        this.live.clear();
        this.ackedSentMs = Number.NEGATIVE_INFINITY;
        this.sequence = 0;
        const hello = { incarnation: this.incarnation, found: [], isolation: {} };
        return reactor.onSupervisor({ ...hello, keepsPorts: true });
      }
    }
  }

  renewAck(back: number, confirm: boolean): WorkerAction[] {
    const renewal = this.renewals.at(-1 - back);
    if (renewal === undefined) return [];
    const { shard, incarnation, sequence, asks } = renewal.message;
    const current = incarnation === this.incarnation;
    if (current) {
      this.ackedSentMs = Math.max(this.ackedSentMs, renewal.sentMs);
      this.sequence = Math.max(this.sequence, sequence);
    }
    const confirmed = confirm ? asks : [];
    for (const ask of confirmed) this.proved.add(attemptKey(ask.taskId, ask.fence));
    const message = { kind: 'renewAck', shard, incarnation, sequence, confirmed } as const;
    return this.reactor.onMessage(message, 'n2', this.nowMs);
  }

  perform(actions: WorkerAction[]): void {
    for (const action of actions) {
      if (action.kind === 'send' && action.message.kind === 'renew') {
        this.renewals.push({ message: action.message, sentMs: this.nowMs });
      }
      if (action.kind === 'launch') this.launch(action.launch);
    }
  }

  launch(launch: Launch): void {
    const { taskId, spec } = launch;
    expect(launch.key).toBe(attemptKey(taskId, launch.fence));
    expect(this.launches.has(launch.key), 'started twice').toBe(false);
    expect(this.proved.has(launch.key), 'nobody said that it is meant').toBe(true);
    expect(this.live.has(taskId), 'two attempts of a task').toBe(false);
    expect(launch.fence, 'a lower fence').toBeGreaterThan(this.highest.get(taskId) ?? 0);
    const deadline = leaseDeadline(this.ackedSentMs, spec.leaseMs, spec.graceMs);
    expect(this.nowMs, 'started without a lease').toBeLessThan(deadline);
    expect(launch.ports.length, 'as many ports as asked for').toBe(spec.request.ports);
    const taken = [...this.live.values()].flatMap(({ ports }) => ports);
    expect(
      launch.ports.filter(port => taken.includes(port) || port < 100 || port > 105),
      'ports of others',
    ).toEqual([]);
    this.launches.add(launch.key);
    this.live.set(taskId, launch);
    this.highest.set(taskId, launch.fence);
  }
}

test('whatever is lost, repeated or late, nothing starts twice, too late or beside another', () => {
  let launches = 0;
  const play = fc.property(fc.array(step, { minLength: 1, maxLength: 120, size: 'max' }), steps => {
    const player = new Player();
    for (const each of steps) player.play(each);
    launches += player.launches.size;
  });
  fc.assert(play, { numRuns: 400 });
  expect(launches).toBeGreaterThan(400);
}, 60_000);
