/**
 * The clock of a shard's schedules over the real rules of the shard, without a network: years pass
 * in seconds, the leader changes at every firing, and clocks jump.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ItemReply, ShardCommand, ShardCommandBody } from '../../../src/model/command.ts';
import type { ScheduleDefinition, Timing } from '../../../src/model/schedule.ts';
import { occurrences } from '../../../src/node/calendar.ts';
import type { NodeContext } from '../../../src/node/context.ts';
import { dueItems, ScheduleClock } from '../../../src/node/schedule-clock.ts';
import { ScheduleGate } from '../../../src/node/schedule-gate.ts';
import type { ShardLeader } from '../../../src/node/shard-leader.ts';
import type { Refusal, TenantGate } from '../../../src/node/tenant-gate.ts';
import { silentLog } from '../../../src/ports/log.ts';
import type { Schedule } from '../../../src/shard/schedules.ts';
import { aSpec, specEntry, TestShard } from '../../support/shard.ts';

const minute = 60_000;
const day = 1_440 * minute;
const startMs = Date.UTC(2026, 0, 1);
const years = 4;

const schedule = (
  name: string,
  timing: Timing,
  parts: Partial<ScheduleDefinition> = {},
): ScheduleDefinition => ({
  tenant: 'default',
  name,
  timing,
  zone: 'UTC',
  overlap: 'allow',
  catchUp: 'all',
  jitterMs: 0,
  ...parts,
});

const overLimit: Refusal = { code: 'rateLimited', message: 'one an hour', retryAfterMs: 1_500 };

/** A shard, whoever leads it, and the clock that leader has. */
class Led {
  readonly shard = new TestShard();
  wallMs = startMs;
  readonly fired: { readonly name: string; readonly occurrenceMs: number }[] = [];
  /** Tenants whose plans let nothing in now. */
  readonly refused = new Set<string>();
  gate: ScheduleGate | undefined;
  leaders = 0;
  #pending: (() => void) | undefined;
  #clock: ScheduleClock | undefined;
  #events = 0;

  create(...definitions: readonly ScheduleDefinition[]): void {
    const items = definitions.map(definition => {
      const { digest, bytes } = specEntry(aSpec({ tenant: definition.tenant }));
      return { definition, digest, spec: bytes };
    });
    this.propose({ kind: 'createSchedule', items } as never);
  }

  propose(body: ShardCommand): readonly ItemReply[] {
    this.shard.setNow(this.wallMs);
    const { replies } = this.shard.apply(body);
    this.#settle();
    return replies;
  }

  /** Notes what fired, and ends it at once, so that memory holds no more than a few tasks. */
  #settle(): void {
    const { machine } = this.shard;
    const events = machine.eventsAfter(this.#events, 10_000);
    if (events === 'expired') throw new Error('more happened than the shard remembers');
    this.#events = machine.lastSeq;
    for (const { kind, taskId } of events) {
      if (kind !== 'fired') continue;
      const { firing } = machine.record(taskId)!;
      this.fired.push({ name: firing!.schedule, occurrenceMs: firing!.occurrenceMs });
      this.shard.cancel(taskId);
    }
    this.#events = machine.lastSeq;
  }

  /** Another node leads from now on: it knows the state, and nothing of what was proposed. */
  elect(): void {
    this.leaders++;
    this.#clock?.stop();
    // Every replica has the same; now and then it is one that has just started.
    if (this.leaders % 25 === 0) {
      this.shard.flush();
      this.shard.machine = this.shard.restarted();
    }
    const led = this;
    const context = {
      clock: {
        nowMs: () => led.wallMs,
        wallMs: () => led.wallMs,
        after: (_delayMs: number, fire: () => void) => {
          led.#pending = fire;
          return () => {
            if (led.#pending === fire) led.#pending = undefined;
          };
        },
      },
      loop: { vitals: { diskLow: false } },
      log: silentLog,
    } as unknown as NodeContext;
    const leader = {
      get machine() {
        return led.shard.machine;
      },
      replica: { leading: true },
      ask: async (body: ShardCommandBody) =>
        led.propose({
          ...body,
          atMs: led.wallMs,
          actor: { name: 'node', tenant: '' },
        } as ShardCommand),
    } as unknown as ShardLeader;
    const gate = new ScheduleGate(context.clock, {
      refusals: async requests =>
        requests.map(({ spec }) => (led.refused.has(spec.tenant) ? overLimit : undefined)),
    } as TenantGate);
    this.gate = gate;
    this.#clock = new ScheduleClock(context, leader, gate);
  }

  /** The clock shows this instant, and whoever leads looks at it until nothing more is due. */
  async at(wallMs: number): Promise<void> {
    this.wallMs = wallMs;
    for (let before = -1; before !== this.shard.log.length; ) {
      before = this.shard.log.length;
      const fire = this.#pending;
      this.#pending = undefined;
      fire?.();
      await new Promise<void>(resolve => setImmediate(resolve));
    }
  }

  of(name: string): number[] {
    return this.fired.filter(one => one.name === name).map(one => one.occurrenceMs);
  }
}

describe('schedules', { timeout: 120_000 }, () => {
  test(`fire each occurrence of ${years} years once, with another leader at every firing`, async () => {
    const definitions = [
      schedule('daily', { kind: 'daily', minute: 150 }, { zone: 'Europe/Berlin' }),
      schedule('weekly', { kind: 'weekly', minute: 0, weekdays: [1, 4] }, { zone: 'Asia/Tokyo' }),
      schedule('monthly', { kind: 'monthly', minute: 90, day: 31 }, { zone: 'America/New_York' }),
      schedule('leap', { kind: 'annually', minute: 0, month: 2, day: 29 }),
      schedule('cron', { kind: 'cron', pattern: '0 */6 * * sat' }),
    ];
    const endMs = startMs + (365 * years + 1) * day;
    const led = new Led();
    led.create(...definitions);
    const wanted = definitions.map(definition => {
      const range = { afterMs: startMs, toMs: endMs, limit: 10_000 };
      return [definition.name, occurrences(definition, range)] as const;
    });
    const instants = [...new Set(wanted.flatMap(([, all]) => all))].sort((a, b) => a - b);
    for (const instant of instants) {
      led.elect();
      await led.at(instant - 1);
      await led.at(instant);
      led.elect();
      await led.at(instant + 1);
    }
    for (const [name, all] of wanted) expect([name, led.of(name)]).toEqual([name, all]);
    expect(led.leaders).toBe(2 * instants.length);
    expect(instants.length).toBeGreaterThan(365 * years);
  });

  test('fire once however clocks jump from leader to leader', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            stepMs: fc.integer({ min: 0, max: 40 * minute }),
            // How far from the truth the clock of this leader is.
            offMs: fc.constantFrom(0, 0, 0, -50 * minute, 3 * 60 * minute, -1_000, 90_000),
          }),
          { minLength: 5, maxLength: 30 },
        ),
        async steps => {
          const led = new Led();
          led.create(schedule('often', { kind: 'cron', pattern: '*/10 * * * *' }));
          let truthMs = startMs;
          let furthestMs = startMs;
          for (const { stepMs, offMs } of steps) {
            truthMs += stepMs;
            led.elect();
            const seenMs = truthMs + offMs;
            await led.at(seenMs);
            furthestMs = Math.max(furthestMs, seenMs);
          }
          led.elect();
          await led.at(truthMs);
          const fired = led.of('often');
          expect(new Set(fired).size).toBe(fired.length);
          const timing: Timing = { kind: 'cron', pattern: '*/10 * * * *' };
          const range = { afterMs: startMs, limit: 10_000 };
          const due = occurrences({ timing, zone: 'UTC' }, { ...range, toMs: truthMs });
          // None is lost; those beyond the truth came early, by a clock that ran ahead.
          expect(fired.slice(0, due.length)).toEqual(due);
          expect(fired.every(instant => instant <= Math.max(furthestMs, truthMs))).toBe(true);
        },
      ),
      { numRuns: 15 },
    );
  });

  test('of one instant fire though that has come before they were known, late or not', async () => {
    const led = new Led();
    const once = (name: string, at: string, catchUp: 'all' | 'skip') =>
      schedule(name, { kind: 'once', at }, { catchUp });
    led.wallMs = startMs + 2 * minute;
    led.create(
      once('just now', '2026-01-01T00:02:00', 'skip'),
      once('late', '2026-01-01T00:00:30', 'all'),
      once('missed', '2026-01-01T00:00:40', 'skip'),
      once('to come', '2026-01-01T00:03:00', 'skip'),
    );
    led.elect();
    await led.at(startMs + 2 * minute + 1);
    expect(led.fired.map(({ name }) => name).sort()).toEqual(['just now', 'late']);
    await led.at(startMs + 3 * minute);
    led.elect();
    await led.at(startMs + 4 * minute);
    expect(led.fired).toHaveLength(3);
    expect(led.of('to come')).toEqual([startMs + 3 * minute]);
    const missed = led.shard.machine.schedules.find({ tenant: 'default', name: 'missed' })!;
    expect(missed.standing).toMatchObject({ missed: 1, fired: 0 });
  });

  test('that the plan of their tenant does not allow wait, hold up no others, and are missed', async () => {
    const timing: Timing = { kind: 'cron', pattern: '* * * * *' };
    const led = new Led();
    const mine = schedule('mine', timing, { tenant: 'acme', catchUp: 'skip' });
    led.create(mine, schedule('other', timing));
    const made = led.shard.machine.schedules.find(mine)!;
    const at = (minutes: number, seconds: number) =>
      led.at(startMs + minutes * minute + seconds * 1_000);
    led.elect();
    led.refused.add('acme');
    await at(1, 0);
    expect(led.fired).toEqual([{ name: 'other', occurrenceMs: startMs + minute }]);
    expect(led.gate!.whyHeld(made)).toBe('one an hour');
    led.refused.clear();
    await at(1, 1);
    expect(led.of('mine')).toEqual([]);
    await at(1, 2);
    expect(led.of('mine')).toEqual([startMs + minute]);
    expect(led.gate!.whyHeld(made)).toBeUndefined();
    led.refused.add('acme');
    await at(2, 0);
    await at(3, 1);
    led.refused.clear();
    await at(3, 3);
    expect(led.of('mine')).toEqual([startMs + minute, startMs + 3 * minute]);
    expect(made.standing.missed).toBe(1);
    expect(led.of('other')).toHaveLength(3);
  });

  test('with jitter are late by it, and by no more', async () => {
    const led = new Led();
    led.create(schedule('late', { kind: 'daily', minute: 0 }, { jitterMs: 10 * minute }));
    led.elect();
    const delays = new Set<number>();
    for (let n = 1; n <= 20; n++) {
      const before = led.fired.length;
      let late = 0;
      for (; led.fired.length === before && late <= 10; late++) {
        await led.at(startMs + n * day + late * minute);
      }
      expect(led.fired).toHaveLength(n);
      delays.add(late);
    }
    expect(delays.size).toBeGreaterThan(3);
  });
});

describe('occurrences that were missed', () => {
  const missed = (parts: Partial<ScheduleDefinition>, wallMs: number): unknown[] => {
    const led = new Led();
    led.create(schedule('one', { kind: 'cron', pattern: '*/10 * * * *' }, parts));
    const [made] = led.shard.machine.schedules.all() as Iterable<Schedule>;
    return dueItems(made!, wallMs).map(({ occurrenceMs, fires, missed: passed }) => [
      (occurrenceMs - startMs) / minute,
      fires,
      passed,
    ]);
  };
  const hourLater = startMs + 60 * minute + 5 * minute;

  test('are passed over, but the last', () => {
    expect(missed({ catchUp: 'last' }, hourLater)).toEqual([
      [50, false, 5],
      [60, true, 0],
    ]);
  });

  test('are passed over, all of them; one that is on time fires', () => {
    expect(missed({ catchUp: 'skip' }, hourLater)).toEqual([[60, false, 6]]);
    expect(missed({ catchUp: 'skip' }, startMs + 60 * minute + 30_000)).toEqual([
      [50, false, 5],
      [60, true, 0],
    ]);
  });

  test('are caught up with, all of them, or those within a window', () => {
    const all = [10, 20, 30, 40, 50, 60].map(n => [n, true, 0]);
    expect(missed({ catchUp: 'all' }, hourLater)).toEqual(all);
    expect(missed({ catchUp: 'all', withinMs: 30 * minute }, hourLater)).toEqual([
      [30, false, 3],
      ...all.slice(3),
    ]);
    expect(missed({ catchUp: 'last', withinMs: 4 * minute }, hourLater)).toEqual([[60, false, 6]]);
  });

  test('do not fire more often than is left', () => {
    expect(missed({ catchUp: 'all', count: 2 }, hourLater)).toEqual([
      [10, true, 0],
      [20, true, 0],
    ]);
  });

  test('of many years are passed over some at a time', () => {
    expect(missed({ catchUp: 'skip' }, startMs + 365 * day)).toEqual([[5_000, false, 500]]);
  });
});
