/**
 * What every `Runner` must do, the simulated and the real one. A world is one machine: it makes the
 * runner of each process of its node in turn, and knows how to kill the supervisor.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Outcome } from '../../src/model/attempt.ts';
import { formatTaskId } from '../../src/model/ids.ts';
import { noResources } from '../../src/model/resources.ts';
import type { Run } from '../../src/model/spec.ts';
import type { AttemptControl } from '../../src/model/worker-protocol.ts';
import type { AttemptKey, AttemptOrder, Runner, RunnerHello } from '../../src/ports/runner.ts';

/** What the process of an attempt shall do, in words that each world can carry out. */
export interface Behaviour {
  readonly ms?: number | undefined;
  readonly exit?: number | undefined;
  /** Ignores SIGTERM. */
  readonly stubborn?: boolean | undefined;
  readonly out?: string | undefined;
}

export interface RunnerWorld {
  /** The runner as another process of the node would make it; the one before is gone by then. */
  runner(): Runner;
  /** The node's process dies. */
  crashNode(runner: Runner): Promise<void>;
  killSupervisor(): void;
  run(behaviour: Behaviour): Run;
  readonly missing: Run;
  bootMs(): number;
  /** Returns once `condition` holds; rejects with `what` when it takes too long. */
  until(what: string, condition: () => boolean): Promise<void>;
  /** Lets this much time go by. */
  pass(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** What a node would hear from its runner. */
export class Ear {
  readonly started: AttemptKey[] = [];
  readonly ended = new Map<AttemptKey, Outcome>();
  readonly reports: AttemptKey[] = [];
  readonly supervisors: RunnerHello[] = [];
  /** Whether it was said to stand still, and under which cap; the newest of each. */
  readonly controlled = new Map<AttemptKey, AttemptControl>();

  readonly events = {
    onStarted: (key: AttemptKey): void => void this.started.push(key),
    onEnded: (key: AttemptKey, outcome: Outcome): void => {
      this.reports.push(key);
      this.ended.set(key, outcome);
    },
    onControlled: (key: AttemptKey, control: AttemptControl): void =>
      void this.controlled.set(key, control),
    onSupervisor: (hello: RunnerHello): void => void this.supervisors.push(hello),
  };
}

let drawn = 0;

/** An order of a new task in shard 1 with room for everything; `changes` wins. */
export function orderOf(run: Run, changes: Partial<AttemptOrder> = {}): AttemptOrder {
  const taskId = formatTaskId({ atMs: 1_000, slot: 7, random: ++drawn });
  const fence = changes.fence ?? 1;
  return {
    key: `${taskId}.${fence}`,
    shard: 1,
    taskId,
    fence,
    attemptRun: 1,
    run,
    env: { PATH: '/usr/bin:/bin', TSCHED_TASK_ID: taskId, TSCHED_FENCE: String(fence) },
    cwd: '',
    limit: noResources,
    request: { ...noResources, cpuMilli: 100 },
    ports: [],
    capMs: 0,
    graceMs: 300,
    leaseMs: 60_000,
    outputBytesMax: 1_000_000,
    ...changes,
  };
}

export function runnerSuite(name: string, make: () => RunnerWorld): void {
  describe(`a ${name} runner`, () => {
    let world: RunnerWorld;
    let runner: Runner;
    let ear: Ear;
    let hello: RunnerHello;

    beforeEach(async () => {
      world = make();
      runner = world.runner();
      ear = new Ear();
      hello = await runner.start(ear.events);
      runner.renew([{ shard: 1, sentBootMs: world.bootMs() }]);
    });

    afterEach(async () => {
      await runner.stop({ end: true });
      await world.close();
    });

    const launch = (behaviour: Behaviour, changes: Partial<AttemptOrder> = {}): AttemptKey => {
      const order = orderOf(world.run(behaviour), changes);
      runner.launch(order);
      return order.key;
    };
    const end = async (key: AttemptKey): Promise<Outcome> => {
      await world.until(`the end of ${key}`, () => ear.ended.has(key));
      return ear.ended.get(key)!;
    };
    const start = (key: AttemptKey): Promise<void> =>
      world.until(`the start of ${key}`, () => ear.started.includes(key));
    const restart = async (): Promise<RunnerHello> => {
      await world.crashNode(runner);
      runner = world.runner();
      ear = new Ear();
      return runner.start(ear.events);
    };

    const controlled = async (key: AttemptKey, control: AttemptControl): Promise<void> => {
      ear.controlled.delete(key);
      runner.control(key, control);
      await world.until(`the control of ${key}`, () => ear.controlled.has(key));
      expect(ear.controlled.get(key)).toEqual(control);
    };

    test('stops an attempt where it is, also over a restart of the node, and lets it go on', async () => {
      const key = launch({ ms: 300, exit: 4 });
      await start(key);
      await controlled(key, { suspended: true });
      await world.pass(600);
      expect(ear.ended.has(key)).toBe(false);
      const again = await restart();
      expect(again.found.map(found => [found.key, found.outcome])).toEqual([[key, undefined]]);
      await world.pass(300);
      expect(ear.ended.has(key)).toBe(false);
      await controlled(key, { suspended: false });
      expect((await end(key)).exitCode).toBe(4);
    });

    test('ends an attempt that stands still in order', async () => {
      const key = launch({ ms: 60_000 }, { graceMs: 20_000 });
      await start(key);
      await controlled(key, { suspended: true });
      runner.end(key, 'cancelled');
      const outcome = await end(key);
      // By the SIGTERM, not by the SIGKILL at the end of its grace.
      expect([outcome.kind, outcome.signal]).toEqual(['cancelled', 'SIGTERM']);
    });

    test('counts no time against a cap in which an attempt stands still', async () => {
      const key = launch({ ms: 60_000 }, { capMs: 1_000 });
      await start(key);
      await controlled(key, { suspended: true });
      await world.pass(1_500);
      expect(ear.ended.has(key)).toBe(false);
      await controlled(key, { suspended: false });
      expect((await end(key)).kind).toBe('timedOut');
    });

    test('takes another cap, over all that an attempt has run', async () => {
      const longer = launch({ ms: 900 }, { capMs: 500 });
      await start(longer);
      await controlled(longer, { suspended: false, capMs: 0 });
      const shorter = launch({ ms: 60_000 });
      await start(shorter);
      await world.pass(50);
      runner.control(shorter, { suspended: false, capMs: 20 });
      expect((await end(shorter)).kind).toBe('timedOut');
      expect((await end(longer)).kind).toBe('succeeded');
    });

    test('tells its incarnation, what it found and how it isolates', () => {
      expect(hello.incarnation).not.toBe('');
      expect(hello.found).toEqual([]);
      expect(hello.isolation['isolation']).toEqual(expect.any(String));
    });

    test('starts an attempt and reports its exit code and output', async () => {
      const key = launch({ ms: 10, exit: 7, out: 'hello' });
      const outcome = await end(key);
      expect(ear.started).toEqual([key]);
      expect([outcome.kind, outcome.exitCode, outcome.tail.trim()]).toEqual(['failed', 7, 'hello']);
      expect(outcome.endedAtMs).toBeGreaterThanOrEqual(outcome.startedAtMs);
      const chunk = await runner.output(key, 'stdout', 1, 3);
      expect(new TextDecoder().decode(chunk?.bytes)).toBe('ell');
      expect(chunk?.ended).toBe(true);
      expect(chunk?.size).toBe(outcome.stdoutBytes);
    });

    test('has no output of an attempt that was never here', async () => {
      expect(await runner.output('0000000000000000000a.1', 'stdout', 0, 10)).toBeUndefined();
    });

    test('starts nothing in a shard whose lease was never renewed', async () => {
      const key = launch({}, { shard: 2 });
      expect((await end(key)).kind).toBe('lost');
      expect(ear.started).toEqual([]);
    });

    test('starts nothing under a lease that is over', async () => {
      runner.renew([{ shard: 3, sentBootMs: world.bootMs() - 6_000 }]);
      const key = launch({}, { shard: 3, leaseMs: 5_000 });
      expect((await end(key)).kind).toBe('lost');
      expect(ear.started).toEqual([]);
    });

    test('ends an attempt whose lease is not renewed, within nine tenths of it', async () => {
      const sentBootMs = world.bootMs();
      runner.renew([{ shard: 4, sentBootMs }]);
      const key = launch({ ms: 30_000, stubborn: true }, { shard: 4, leaseMs: 2_000 });
      expect((await end(key)).kind).toBe('lost');
      expect(world.bootMs() - sentBootMs).toBeGreaterThanOrEqual(1_500);
    });

    test('a renewal in time moves the deadline', async () => {
      runner.renew([{ shard: 5, sentBootMs: world.bootMs() }]);
      const key = launch({ ms: 1_800, exit: 0 }, { shard: 5, leaseMs: 2_000 });
      await start(key);
      await world.pass(700);
      runner.renew([{ shard: 5, sentBootMs: world.bootMs() }]);
      expect((await end(key)).kind).toBe('succeeded');
    });

    test('a renewal of another shard does not', async () => {
      runner.renew([{ shard: 6, sentBootMs: world.bootMs() }]);
      const key = launch({ ms: 2_500 }, { shard: 6, leaseMs: 2_000 });
      await start(key);
      await world.pass(700);
      runner.renew([{ shard: 7, sentBootMs: world.bootMs() }]);
      expect((await end(key)).kind).toBe('lost');
    });

    test('ends a running attempt with the reason that was given', async () => {
      const key = launch({ ms: 30_000 });
      await start(key);
      runner.end(key, 'cancelled');
      expect((await end(key)).kind).toBe('cancelled');
    });

    test('ends one that ignores SIGTERM after its grace', async () => {
      const key = launch({ ms: 30_000, stubborn: true }, { graceMs: 500 });
      await start(key);
      // The shell of the real one needs a moment to set its trap.
      await world.pass(300);
      const asked = world.bootMs();
      runner.end(key, 'cancelled');
      expect((await end(key)).kind).toBe('cancelled');
      expect(world.bootMs() - asked).toBeGreaterThanOrEqual(480);
    });

    test('an end that follows the launch at once leaves nothing running', async () => {
      const key = launch({ ms: 30_000 });
      runner.end(key, 'cancelled');
      expect((await end(key)).kind).toBe('cancelled');
    });

    test('ends an attempt at its execution cap', async () => {
      const key = launch({ ms: 30_000 }, { capMs: 300 });
      expect((await end(key)).kind).toBe('timedOut');
    });

    test('says why an attempt could not be started', async () => {
      const order = orderOf(world.missing);
      runner.launch(order);
      const outcome = await end(order.key);
      expect(outcome.kind).toBe('startFailed');
      expect(outcome.message).toContain('no such file');
    });

    test('never starts an attempt twice, not even after its end was acknowledged', async () => {
      const order = orderOf(world.run({ ms: 10 }));
      runner.launch(order);
      runner.launch(order);
      await end(order.key);
      runner.acknowledge(order.key);
      runner.launch(order);
      await end(launch({ ms: 200 }));
      expect(ear.started.filter(key => key === order.key)).toEqual([order.key]);
      expect(ear.reports.filter(key => key === order.key)).toEqual([order.key]);
    });

    test('a null run succeeds without a process', async () => {
      const order = orderOf({ kind: 'null' });
      runner.launch(order);
      expect((await end(order.key)).kind).toBe('succeeded');
      expect(ear.started).toEqual([]);
    });

    test('an attempt outlives its node and is found by the next', async () => {
      const key = launch({ ms: 1_500, exit: 3, out: 'whole' });
      await start(key);
      const found = await restart();
      expect(found.incarnation).toBe(hello.incarnation);
      expect(found.found.map(attempt => [attempt.key, attempt.outcome])).toEqual([
        [key, undefined],
      ]);
      expect(found.found[0]?.request.cpuMilli).toBe(100);
      const outcome = await end(key);
      expect([outcome.kind, outcome.exitCode, outcome.tail.trim()]).toEqual(['failed', 3, 'whole']);
    });

    test('an end without a node is told to the next ones until it is acknowledged', async () => {
      const key = launch({ ms: 300, exit: 4 });
      await start(key);
      await world.crashNode(runner);
      await world.pass(1_000);
      for (let round = 0; round < 2; round++) {
        runner = world.runner();
        ear = new Ear();
        const { found } = await runner.start(ear.events);
        expect(found.map(attempt => attempt.outcome?.exitCode)).toEqual([4]);
        if (round === 1) runner.acknowledge(key);
        await world.pass(50);
        await world.crashNode(runner);
      }
      runner = world.runner();
      const last = await runner.start(new Ear().events);
      expect(last.found).toEqual([]);
    });

    test('with its supervisor every attempt ends, and the node hears of another one', async () => {
      const [first, second] = [launch({ ms: 30_000 }), launch({ ms: 10, exit: 5 })];
      await start(first);
      await end(second);
      world.killSupervisor();
      await world.until('another supervisor', () => ear.supervisors.length > 0);
      const [next] = ear.supervisors;
      expect(next?.incarnation).not.toBe(hello.incarnation);
      const told = new Map(next?.found.map(found => [found.key, found.outcome?.kind]));
      expect([told.get(first), told.get(second)]).toEqual(['lost', 'failed']);
      // A lease of the old supervisor is not one of the new.
      const third = launch({ ms: 10 });
      expect((await end(third)).kind).toBe('lost');
      runner.renew([{ shard: 1, sentBootMs: world.bootMs() }]);
      expect((await end(launch({ ms: 10 }))).kind).toBe('succeeded');
    });
  });
}
