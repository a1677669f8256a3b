import { describe, expect, test } from 'vitest';
import { type Advertisement, encodeAdvertisement } from '../../../src/model/advertisement.ts';
import { noResources, type Resources } from '../../../src/model/resources.ts';
import { Scheduler } from '../../../src/node/scheduler.ts';
import type { ShardLeader } from '../../../src/node/shard-leader.ts';
import { silentLog } from '../../../src/ports/log.ts';
import { aSpec, idOf, TestShard } from '../../support/shard.ts';
import { HandClock } from './leader-bench.ts';

const cpu = (cpuMilli: number): Resources => ({ ...noResources, cpuMilli });

const advertisement = (changes: Partial<Advertisement> = {}): Advertisement => ({
  node: 'n1',
  name: 'n1',
  boot: 1,
  sequence: 1,
  incarnation: 'n1-a',
  tier: 'premium',
  total: cpu(4_000),
  free: cpu(4_000),
  labels: [],
  running: 0,
  queued: 0,
  queueRoom: 0,
  leads: [],
  draining: false,
  httpAddress: '',
  registryIndex: 1,
  ...changes,
});

type Items = Parameters<ShardLeader['assign']>[0];

/** A scheduler with one shard that is led here; assignments apply when `apply` is called. */
class Desk {
  readonly hand = new HandClock();
  readonly shard = new TestShard();
  readonly asked: Items[] = [];
  #waiting: (() => void)[] = [];
  readonly scheduler = new Scheduler({
    clock: this.hand.clock,
    random: { uint32: () => 7 },
    log: silentLog,
    send: () => undefined,
    connected: () => true,
    policy: { self: 'n1', offPeakLoadMax: () => 0.8, weightOf: () => 1 },
    hostOf: node => node,
  });

  constructor(tasks: number, cpuMilli = 1_000) {
    const request = cpu(cpuMilli);
    const spec = aSpec({ request, limit: request });
    this.shard.submit(
      Array.from({ length: tasks }, (_, n) => idOf(n + 1)),
      spec,
    );
    const leader = {
      shard: 1,
      replica: { leading: true },
      machine: this.shard.machine,
      assign: (items: Items) => {
        this.asked.push(items);
        return new Promise((resolve, reject) => {
          this.#waiting.push(() => resolve(this.shard.apply({ kind: 'assign', items }).replies));
          this.fail = () => reject(new Error('not the leader any more'));
        });
      },
    };
    this.scheduler.addLeader(leader as unknown as ShardLeader);
  }

  fail: () => void = () => undefined;

  async apply(): Promise<void> {
    for (const apply of this.#waiting.splice(0)) apply();
    await this.hand.pass(20);
  }

  get reserved(): { cpuMilli: number; count: number } {
    const view = this.scheduler.views()[0];
    return { cpuMilli: view?.reserved.cpuMilli ?? 0, count: view?.reservedCount ?? 0 };
  }

  get placed(): number {
    return this.asked.reduce((sum, items) => sum + items.length, 0);
  }
}

describe('reservations', () => {
  test('hold what was placed until its worker answers, so that no node is filled twice', async () => {
    const desk = new Desk(6);
    desk.scheduler.know(advertisement());
    await desk.hand.pass(20);
    expect(desk.placed).toBe(4);
    await desk.apply();
    await desk.hand.pass(1_000);
    expect(desk.placed).toBe(4);
    expect(desk.reserved).toEqual({ cpuMilli: 4_000, count: 4 });
    for (const { taskId } of desk.asked.flat()) desk.scheduler.answered(taskId, 'n1');
    expect(desk.reserved).toEqual({ cpuMilli: 0, count: 0 });
  });

  test('say whether the task should find room at once, or was to wait in a queue', async () => {
    const desk = new Desk(6);
    desk.scheduler.know(advertisement({ queueRoom: 4 }));
    await desk.hand.pass(20);
    const placed = desk.asked.flat().map(({ taskId }) => desk.scheduler.startsAtOnce(taskId));
    expect(placed).toEqual([true, true, true, true, false, false]);
    desk.scheduler.answered(idOf(1), 'n1');
    expect(desk.scheduler.startsAtOnce(idOf(1))).toBe(false);
  });

  test('are not freed by a late word of another node, nor twice by the right one', async () => {
    const desk = new Desk(1);
    desk.scheduler.know(advertisement());
    await desk.hand.pass(20);
    desk.scheduler.answered(idOf(1), 'n2');
    expect(desk.reserved.count).toBe(1);
    desk.scheduler.answered(idOf(1), 'n1');
    desk.scheduler.answered(idOf(1), 'n1');
    expect(desk.reserved).toEqual({ cpuMilli: 0, count: 0 });
  });

  test('are freed when the assignment does not hold, and the task is placed again', async () => {
    const desk = new Desk(1);
    desk.scheduler.know(advertisement());
    await desk.hand.pass(20);
    desk.fail();
    await desk.hand.pass(20);
    expect(desk.placed).toBe(2);
    expect(desk.reserved.count).toBe(1);
  });

  test('are freed with the leadership of their shard', async () => {
    const desk = new Desk(3);
    desk.scheduler.know(advertisement());
    await desk.hand.pass(20);
    desk.scheduler.dropLeader(1);
    expect(desk.reserved).toEqual({ cpuMilli: 0, count: 0 });
  });
});

describe('advertisements', () => {
  test('of another node, older than the newest or unreadable are not believed', () => {
    const desk = new Desk(0);
    const newer = advertisement({ sequence: 5, free: cpu(1_000) });
    expect(desk.scheduler.advertised('n1', encodeAdvertisement(newer))).toBe(true);
    desk.scheduler.advertised('n1', encodeAdvertisement(advertisement({ sequence: 4 })));
    expect(desk.scheduler.views()[0]?.advertisement.free.cpuMilli).toBe(1_000);
    expect(desk.scheduler.advertised('n2', encodeAdvertisement(newer))).toBe(false);
    expect(desk.scheduler.advertised('n1', Uint8Array.of(9, 9, 9))).toBe(false);
    expect(desk.scheduler.badAdverts).toBe(2);
  });

  test('of a restarted node count from the start, and silent nodes are forgotten', async () => {
    const desk = new Desk(0);
    desk.scheduler.know(advertisement({ sequence: 500, free: cpu(1_000) }));
    desk.scheduler.know(advertisement({ boot: 2, sequence: 1 }));
    expect(desk.scheduler.views()[0]?.advertisement.free.cpuMilli).toBe(4_000);
    await desk.hand.pass(61_000);
    expect(desk.scheduler.views()).toEqual([]);
  });
});

describe('the pace', () => {
  test('a full cluster is planned for twice a second, however much waits', async () => {
    const desk = new Desk(500);
    desk.scheduler.know(advertisement({ free: cpu(0) }));
    await desk.hand.pass(100);
    const before = desk.scheduler.plans;
    // Advertisements grow old in 5 s, so the last look finds no fresh node: still only a look.
    await desk.hand.pass(10_000);
    expect(desk.scheduler.plans - before).toBeLessThanOrEqual(21);
    expect(desk.scheduler.plans - before).toBeGreaterThanOrEqual(15);
    expect(desk.placed).toBe(0);
  });

  test('a full cluster is looked at more seldom, whatever comes in, and at once when it has room', async () => {
    const desk = new Desk(1);
    let sequence = 1;
    for (; sequence <= 1_000; sequence++) {
      desk.scheduler.know(advertisement({ sequence, free: cpu(0) }));
      await desk.hand.pass(1);
    }
    expect(desk.scheduler.plans).toBeLessThanOrEqual(46);
    expect(desk.scheduler.plans).toBeGreaterThanOrEqual(40);
    desk.scheduler.know(advertisement({ sequence }));
    await desk.hand.pass(24);
    expect(desk.placed).toBe(1);
  });

  test('with nobody waiting, news of other nodes is not planned for', async () => {
    const desk = new Desk(1);
    desk.scheduler.know(advertisement());
    await desk.hand.pass(20);
    await desk.apply();
    const offers: number[] = [];
    const { machine } = desk.shard;
    const readyCount = machine.readyCount.bind(machine);
    machine.readyCount = nowMs => {
      offers.push(nowMs);
      return readyCount(nowMs);
    };
    for (let sequence = 2; sequence <= 50; sequence++) {
      desk.scheduler.know(advertisement({ sequence }));
      await desk.hand.pass(10);
    }
    // Once more at most, where the assignment was applied.
    expect(offers.length).toBeLessThanOrEqual(1);
  });

  test('events that come together are one plan', async () => {
    const desk = new Desk(1);
    await desk.hand.pass(100);
    const before = desk.scheduler.plans;
    for (let sequence = 1; sequence <= 50; sequence++) {
      desk.scheduler.know(advertisement({ sequence, free: cpu(0) }));
    }
    await desk.hand.pass(2);
    expect(desk.scheduler.plans - before).toBe(1);
  });

  test('a plan that took long is followed by a pause of three times as long', async () => {
    const desk = new Desk(1);
    await desk.hand.pass(100);
    const { clock } = desk.hand;
    // Every look at the clock costs 50 ms, as if the plan were slow.
    const nowMs = clock.nowMs;
    clock.nowMs = () => {
      desk.hand.ms += 50;
      return nowMs();
    };
    desk.scheduler.know(advertisement({ sequence: 1, free: cpu(0) }));
    await desk.hand.pass(1);
    clock.nowMs = nowMs;
    const before = desk.scheduler.plans;
    desk.scheduler.know(advertisement({ sequence: 2, free: cpu(0) }));
    await desk.hand.pass(100);
    expect(desk.scheduler.plans).toBe(before);
    await desk.hand.pass(400);
    expect(desk.scheduler.plans).toBe(before + 1);
  });

  test('a node that refused is left alone for a while', async () => {
    const desk = new Desk(1);
    desk.scheduler.know(advertisement());
    desk.scheduler.refused('n1', 'noRoom');
    await desk.hand.pass(50);
    expect(desk.placed).toBe(0);
    await desk.hand.pass(1_000);
    expect(desk.placed).toBe(1);
  });
});
