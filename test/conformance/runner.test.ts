import { describe, expect, test } from 'vitest';
import type { TaskId } from '../../src/model/ids.ts';
import type { Runner } from '../../src/ports/runner.ts';
import {
  type AttemptInterval,
  createSimRunner,
  overlaps,
  type SimRunner,
} from '../simulation/sim-runner.ts';
import { seededRandom, VirtualTime } from '../simulation/virtual-time.ts';
import { ProcessWorld } from '../support/runner-world.ts';
import { type Behaviour, Ear, orderOf, type RunnerWorld, runnerSuite } from './runner.ts';

class SimWorld implements RunnerWorld {
  readonly time = new VirtualTime();
  readonly clock = this.time.clock(() => true);
  readonly machine: SimRunner;
  readonly missing = { kind: 'command', argv: ['sim', 'startfail'] } as const;

  constructor(seed = 1) {
    const random = seededRandom(seed);
    this.machine = createSimRunner({ scheduler: this.time, random, clock: this.clock });
  }

  runner(): Runner {
    return this.machine;
  }

  async crashNode(): Promise<void> {
    this.machine.crashNode();
  }

  killSupervisor(): void {
    this.machine.crashSupervisor();
  }

  run(behaviour: Behaviour) {
    const { ms = 1, exit = 0, stubborn = false, out = '' } = behaviour;
    const argv = ['sim', `ms=${ms}`, `exit=${exit}`, `out=${out}`];
    return { kind: 'command', argv: stubborn ? [...argv, 'stubborn'] : argv } as const;
  }

  bootMs(): number {
    return this.time.nowMs;
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    while (!condition()) if (!this.time.step()) throw new Error(`waited in vain for ${what}`);
  }

  async pass(ms: number): Promise<void> {
    let over = false;
    this.time.after(ms, () => {
      over = true;
    });
    await this.until('the end of a pause', () => over);
  }

  async close(): Promise<void> {
    expect(overlaps(this.machine.intervals)).toEqual([]);
  }
}

runnerSuite('simulated', () => new SimWorld());
runnerSuite('process', () => new ProcessWorld());

describe('the simulated machine', () => {
  test('a stop of the supervisor for over two seconds ends it and its attempts', async () => {
    const world = new SimWorld();
    const ear = new Ear();
    await world.machine.start(ear.events);
    world.machine.renew([{ shard: 1, sentBootMs: world.bootMs() }]);
    const order = orderOf(world.run({ ms: 30_000 }));
    world.machine.launch(order);
    await world.until('the start', () => ear.started.length > 0);
    world.machine.freeze(60_000);
    await world.until('another supervisor', () => ear.supervisors.length > 0);
    expect(world.machine.intervals[0]?.endMs).toBeLessThan(2_100);
    expect(ear.supervisors[0]?.found[0]?.outcome?.kind).toBe('lost');
  });

  test('an attempt that ended while all was stopped past its lease is reported lost', async () => {
    const world = new SimWorld();
    const ear = new Ear();
    await world.machine.start(ear.events);
    world.machine.renew([{ shard: 1, sentBootMs: world.bootMs() }]);
    const order = orderOf(world.run({ ms: 500 }), { leaseMs: 5_000 });
    world.machine.launch(order);
    await world.until('the start', () => ear.started.length > 0);
    world.machine.freeze(10_000, { node: true });
    await world.until('the end', () => ear.ended.size > 0);
    expect(ear.ended.get(order.key)?.kind).toBe('lost');
  });

  test('runs of one seed are the same to the last event', async () => {
    const run = async (seed: number): Promise<AttemptInterval[]> => {
      const world = new SimWorld(seed);
      const ear = new Ear();
      await world.machine.start(ear.events);
      world.machine.renew([{ shard: 1, sentBootMs: 0 }]);
      const orders = Array.from({ length: 20 }, () => orderOf({ kind: 'command', argv: ['x'] }));
      for (const order of orders) world.machine.launch(order);
      await world.until('all ends', () => ear.ended.size === orders.length);
      return world.machine.intervals;
    };
    const lives = async (seed: number) =>
      (await run(seed)).map(({ startMs, endMs }) => [startMs, endMs]);
    expect(await lives(7)).toEqual(await lives(7));
    expect(await lives(7)).not.toEqual(await lives(8));
  });

  test('lives of one task that overlap are found', () => {
    const life = (taskId: string, fence: number, startMs: number, endMs?: number) => ({
      key: `${taskId}.${fence}`,
      taskId: taskId as TaskId,
      fence,
      startMs,
      endMs,
    });
    const apart = [life('a', 1, 0, 10), life('a', 2, 10, 20), life('b', 1, 5)];
    expect(overlaps(apart)).toEqual([]);
    const inside = [life('a', 1, 0, 30), life('a', 2, 5, 6), life('a', 3, 20)];
    expect(overlaps(inside).map(pair => pair.map(({ fence }) => fence))).toEqual([
      [1, 2],
      [1, 3],
    ]);
  });
});
