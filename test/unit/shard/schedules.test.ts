/** What a shard decides about schedules: each occurrence fires once, and what meets what. */
import { describe, expect, test } from 'vitest';
import type { ItemReply } from '../../../src/model/command.ts';
import { formatTaskId, slotOfId, type TaskId, timeOfId } from '../../../src/model/ids.ts';
import {
  firingId,
  jitterOf,
  type ScheduleDefinition,
  slotOfSchedule,
} from '../../../src/model/schedule.ts';
import type { FireItem } from '../../../src/model/schedule-command.ts';
import type { TaskSpec } from '../../../src/model/spec.ts';
import type { Schedule } from '../../../src/shard/schedules.ts';
import { aSpec, epochMs, specEntry, TestShard } from '../../support/shard.ts';

const minute = 60_000;

const aSchedule = (parts: Partial<ScheduleDefinition> = {}): ScheduleDefinition => ({
  tenant: 'default',
  name: 'nightly',
  timing: { kind: 'cron', pattern: '* * * * *' },
  zone: 'UTC',
  overlap: 'skip',
  catchUp: 'last',
  jitterMs: 0,
  ...parts,
});

class World extends TestShard {
  create(parts: Partial<ScheduleDefinition> = {}, spec: TaskSpec = aSpec()): ItemReply {
    const { digest, bytes } = specEntry(spec);
    const items = [{ definition: aSchedule(parts), digest, spec: bytes }];
    return this.apply({ kind: 'createSchedule', items }).replies[0]!;
  }

  get schedule(): Schedule {
    return this.machine.schedules.find(aSchedule())!;
  }

  /** The occurrence at so many minutes, fired when it is due. */
  fire(minutes: number, parts: Partial<FireItem> = {}): ItemReply {
    this.atMs = Math.max(this.atMs, minutes * minute);
    const item = {
      tenant: 'default',
      name: 'nightly',
      createdMs: this.schedule.createdMs,
      afterMs: this.schedule.standing.cursorMs,
      occurrenceMs: epochMs + minutes * minute,
      fires: true,
      missed: 0,
      ...parts,
    };
    return this.apply({ kind: 'fire', items: [item] }).replies[0]!;
  }

  /** The leader tells the time of an idle shard before it fires. */
  passTo(minutes: number): void {
    this.atMs = minutes * minute;
    for (let told = 0; told < 2; told++) this.apply({ kind: 'fire', items: [] });
  }

  get tasks(): TaskId[] {
    return [...this.machine.hotIds({ settled: true })];
  }

  end(id = this.schedule.standing.active[0]!): void {
    this.runOnce(id);
  }

  get standing() {
    const { left, fired, skipped, missed, active, queued } = this.schedule.standing;
    return { left, fired, skipped, missed, active: active.length, queued: queued.length };
  }
}

const world = (parts: Partial<ScheduleDefinition> = {}): World => {
  const made = new World();
  expect(made.create(parts)).toMatchObject({ ok: true, repeated: false });
  return made;
};

const codeOf = (reply: ItemReply): string =>
  reply.ok ? (reply.repeated ? 'repeated' : 'ok') : reply.code;

describe('a firing', () => {
  test('makes a task whose ID follows from schedule and occurrence', () => {
    const shard = world();
    const reply = shard.fire(1);
    const occurrenceMs = epochMs + minute;
    const origin = { ...aSchedule(), createdMs: epochMs };
    const expected = firingId(origin, occurrenceMs, occurrenceMs, '');
    expect(reply).toMatchObject({ ok: true, taskId: expected });
    expect(timeOfId(expected)).toBe(occurrenceMs);
    expect(slotOfId(expected)).toBe(slotOfSchedule(aSchedule()));
    const record = shard.machine.record(expected)!;
    expect(record.firing).toEqual({ schedule: 'nightly', occurrenceMs });
    const kinds = shard.machine.eventsAfter(0, 10);
    expect(kinds).toMatchObject([{ kind: 'submitted' }, { kind: 'fired', taskId: expected }]);
  });

  test('happens once, whoever proposes it how often', () => {
    const shard = world({ overlap: 'allow' });
    expect(['ok', 'repeated', 'repeated']).toEqual([1, 1, 1].map(n => codeOf(shard.fire(n))));
    shard.passTo(3);
    expect(codeOf(shard.fire(3))).toBe('ok');
    // A leader that was deposed comes with an older one.
    expect(codeOf(shard.fire(2))).toBe('repeated');
    expect(shard.tasks).toHaveLength(2);
  });

  test('that was counted before others were decided is refused, and so is what it passes over', () => {
    const shard = world({ catchUp: 'last' });
    const before = shard.schedule.standing.cursorMs;
    shard.passTo(5);
    expect(codeOf(shard.fire(3, { fires: false, missed: 3 }))).toBe('ok');
    // What a leader that was deposed makes of all of them comes late.
    expect(codeOf(shard.fire(5, { afterMs: before, fires: false, missed: 5 }))).toBe('badRequest');
    expect(shard.standing).toMatchObject({ fired: 0, missed: 3 });
    expect(codeOf(shard.fire(5, { fires: false, missed: 2 }))).toBe('ok');
    expect(shard.standing).toMatchObject({ fired: 0, missed: 5 });
  });

  test('that is not due by state time is refused, and fires when it is', () => {
    const shard = world();
    shard.atMs = 10 * minute;
    // One stamp alone moves the time by a minute.
    expect(codeOf(shard.fire(10))).toBe('badRequest');
    expect(codeOf(shard.fire(10))).toBe('ok');
  });

  test('of a schedule that was made anew since is refused', () => {
    const shard = world();
    const { createdMs } = shard.schedule;
    shard.apply({ kind: 'deleteSchedule', items: [aSchedule()] });
    shard.atMs = 30_000;
    shard.create();
    expect(codeOf(shard.fire(1, { createdMs }))).toBe('unknownSchedule');
    expect(codeOf(shard.fire(1))).toBe('ok');
  });

  test('survives a restart at every point', () => {
    const shard = world({ overlap: 'queue', count: 5 });
    for (let n = 1; n <= 6; n++) {
      shard.fire(n);
      if (n === 3) shard.flush();
      const restarted = shard.restarted();
      expect(restarted.digest()).toBe(shard.machine.digest());
      expect(restarted.schedules.find(aSchedule())).toEqual(shard.schedule);
      shard.machine = restarted;
    }
    shard.flush();
    expect(shard.restarted().schedules.find(aSchedule())).toEqual(shard.schedule);
  });

  test('is under an ID behind what has left the history', () => {
    const shard = world({ overlap: 'allow' });
    shard.fire(1);
    const [id] = shard.tasks;
    shard.end(id);
    shard.flush();
    shard.atMs = 2 * minute;
    const record = specEntry(aSpec());
    const items = [{ taskId: id!, state: 'succeeded' as const, digest: record.digest }];
    expect(codeOf(shard.apply({ kind: 'expire', items }).replies[0]!)).toBe('ok');
    const occurrences = [epochMs + minute];
    const backfill = { ...aSchedule(), request: 'again', occurrences };
    expect(codeOf(shard.apply({ kind: 'backfill', items: [backfill] }).replies[0]!)).toBe('ok');
    expect(timeOfId(shard.tasks[0]!)).toBe(epochMs + minute + 1);
  });
});

describe('where occurrences meet', () => {
  test('skip gives up what comes while a task has not settled', () => {
    const shard = world({ overlap: 'skip' });
    shard.fire(1);
    expect(codeOf(shard.fire(2))).toBe('ok');
    expect(shard.standing).toMatchObject({ fired: 1, skipped: 1, active: 1 });
    shard.end();
    shard.fire(3);
    expect(shard.standing).toMatchObject({ fired: 2, skipped: 1, active: 1 });
  });

  test('queue fires each when the one before has settled, in order', () => {
    const shard = world({ overlap: 'queue' });
    for (const n of [1, 2, 3]) shard.fire(n);
    expect(shard.standing).toMatchObject({ fired: 1, queued: 2, active: 1 });
    for (const left of [1, 0]) {
      shard.end();
      expect(shard.standing).toMatchObject({ queued: left, active: 1 });
    }
    shard.end();
    expect(shard.standing).toMatchObject({ fired: 3, skipped: 0, queued: 0, active: 0 });
    const fired = shard.schedule.standing.recent.map(({ occurrenceMs }) => occurrenceMs);
    expect(fired).toEqual([1, 2, 3].map(n => epochMs + n * minute));
  });

  test('replace cancels what waits at once, and what runs before the new one begins', () => {
    const shard = world({ overlap: 'replace' });
    shard.fire(1);
    const [first] = shard.tasks;
    shard.fire(2);
    expect(shard.machine.record(first!)).toMatchObject({ state: 'cancelled' });
    expect(shard.standing).toMatchObject({ fired: 2, active: 1, queued: 0 });
    const [second] = shard.schedule.standing.active;
    const [reply] = shard.assign(second!).replies;
    shard.fire(3);
    expect(shard.standing).toMatchObject({ fired: 2, active: 1, queued: 1 });
    expect(shard.machine.record(second!)!.cancelRequested).toMatchObject({
      by: 'schedule:nightly',
      reason: 'replaced by the next occurrence of schedule nightly',
    });
    shard.fire(4);
    expect(shard.standing).toMatchObject({ queued: 1, skipped: 1 });
    shard.finish(second!, reply?.ok === true ? reply.fence! : 0, 'cancelled');
    expect(shard.standing).toMatchObject({ fired: 3, active: 1, queued: 0 });
    const newest = shard.schedule.standing.recent.at(-1)!;
    expect(newest.occurrenceMs).toBe(epochMs + 4 * minute);
  });

  test('allow runs them beside each other', () => {
    const shard = world({ overlap: 'allow' });
    for (const n of [1, 2, 3]) shard.fire(n);
    expect(shard.standing).toMatchObject({ fired: 3, active: 3, skipped: 0 });
  });
});

describe('an end', () => {
  test('by count: so many fire, and those that were skipped do not count', () => {
    const shard = world({ count: 2, overlap: 'skip' });
    shard.fire(1);
    shard.fire(2);
    expect(shard.standing).toMatchObject({ left: 1, fired: 1, skipped: 1 });
    shard.end();
    shard.fire(3);
    expect(shard.standing).toMatchObject({ left: 0, fired: 2 });
    expect(codeOf(shard.fire(4))).toBe('badRequest');
  });

  test('by date: nothing after it fires', () => {
    const shard = world({ untilMs: epochMs + minute });
    expect(codeOf(shard.fire(1))).toBe('ok');
    expect(codeOf(shard.fire(2))).toBe('badRequest');
  });

  test('by deletion: the task goes on, and the name is free', () => {
    const shard = world();
    shard.fire(1);
    const [id] = shard.tasks;
    const gone = { kind: 'deleteSchedule', items: [aSchedule()] } as const;
    expect(codeOf(shard.apply(gone).replies[0]!)).toBe('ok');
    expect(codeOf(shard.apply(gone).replies[0]!)).toBe('unknownSchedule');
    shard.flush();
    expect(shard.restarted().schedules.size).toBe(0);
    shard.end(id);
    expect(codeOf(shard.create({ overlap: 'queue' }))).toBe('ok');
  });
});

describe('a pause', () => {
  const paused = (on: boolean) =>
    ({ kind: 'pauseSchedule', items: [{ ...aSchedule(), paused: on }], reason: 'why' }) as const;

  test('keeps everything from firing until it ends, and what passed is not caught up with', () => {
    const shard = world();
    expect(codeOf(shard.apply(paused(true)).replies[0]!)).toBe('ok');
    expect(codeOf(shard.apply(paused(true)).replies[0]!)).toBe('repeated');
    expect(shard.schedule.standing.paused).toEqual({ by: 'ann', reason: 'why', atMs: epochMs });
    expect(codeOf(shard.fire(1))).toBe('badRequest');
    shard.atMs = 1.5 * minute;
    shard.apply(paused(false));
    expect(codeOf(shard.fire(1))).toBe('repeated');
    expect(codeOf(shard.fire(2))).toBe('ok');
    expect(shard.tasks).toHaveLength(1);
  });

  test('lets what waits go on', () => {
    const shard = world({ overlap: 'queue' });
    shard.fire(1);
    shard.fire(2);
    shard.apply(paused(true));
    shard.end();
    expect(shard.standing).toMatchObject({ fired: 2, active: 1, queued: 0 });
  });
});

describe('by hand', () => {
  const slot = slotOfSchedule(aSchedule());
  const idOf = (random: number): TaskId => formatTaskId({ atMs: epochMs, slot, random });
  const trigger = (shard: World, id: TaskId): string =>
    codeOf(shard.apply({ kind: 'triggerSchedule', items: [{ ...aSchedule(), id }] }).replies[0]!);

  test('a trigger fires now, also while it is paused, and does not count', () => {
    const shard = world({ count: 1, overlap: 'allow' });
    const items = [{ ...aSchedule(), paused: true }];
    shard.apply({ kind: 'pauseSchedule', items, reason: '' });
    expect(trigger(shard, idOf(1))).toBe('ok');
    expect(trigger(shard, idOf(1))).toBe('repeated');
    expect(shard.standing).toMatchObject({ fired: 1, left: 1, active: 1 });
  });

  test('a trigger obeys the rule for overlaps', () => {
    const skips = world({ overlap: 'skip' });
    expect([1, 2].map(n => trigger(skips, idOf(n)))).toEqual(['ok', 'scheduleBusy']);
    const queues = world({ overlap: 'queue' });
    expect([1, 2, 2].map(n => trigger(queues, idOf(n)))).toEqual(['ok', 'ok', 'repeated']);
    queues.end();
    expect(queues.schedule.standing.active).toEqual([idOf(2)]);
    expect(trigger(queues, idOf(1))).toBe('repeated');
  });

  test('a trigger with an ID of another slot is refused', () => {
    const other = formatTaskId({ atMs: epochMs, slot: (slot + 1) % 4_096, random: 1 });
    expect(trigger(world(), other)).toBe('badId');
    expect(trigger(world(), 'nonsense' as TaskId)).toBe('badId');
  });

  test('a backfill fires what is past, once a request, whether it fired before or not', () => {
    const shard = world({ overlap: 'allow' });
    for (const n of [1, 2, 3]) shard.fire(n);
    const occurrences = [1, 2, 3].map(n => epochMs + n * minute);
    const backfill = (request: string): string => {
      const items = [{ ...aSchedule(), request, occurrences }];
      return codeOf(shard.apply({ kind: 'backfill', items }).replies[0]!);
    };
    expect(['a', 'a', 'b'].map(backfill)).toEqual(['ok', 'repeated', 'ok']);
    expect(shard.tasks).toHaveLength(9);
    expect(codeOf(shard.fire(4))).toBe('ok');
  });

  test('a backfill runs one after the other where tasks may not overlap', () => {
    const shard = world({ overlap: 'skip' });
    shard.atMs = 50_000;
    const occurrences = [1, 2, 3].map(n => epochMs - n * minute);
    const items = [{ ...aSchedule(), request: 'a', occurrences }];
    shard.apply({ kind: 'backfill', items });
    expect(codeOf(shard.apply({ kind: 'backfill', items }).replies[0]!)).toBe('repeated');
    expect(shard.standing).toMatchObject({ fired: 1, queued: 2, skipped: 0 });
    for (let ended = 0; ended < 3; ended++) shard.end();
    expect(shard.standing).toMatchObject({ fired: 3, queued: 0, active: 0 });
  });

  test('a backfill of what is to come is refused', () => {
    const items = [{ ...aSchedule(), request: 'a', occurrences: [epochMs + minute] }];
    const [reply] = world().apply({ kind: 'backfill', items }).replies;
    expect(codeOf(reply!)).toBe('badRequest');
  });
});

describe('making one', () => {
  test('again is the same; another one of the name is told apart', () => {
    const shard = world();
    expect(codeOf(shard.create())).toBe('repeated');
    expect(codeOf(shard.create({ overlap: 'queue' }))).toBe('scheduleExists');
    expect(codeOf(shard.create({}, aSpec({ name: 'other' })))).toBe('scheduleExists');
    expect(codeOf(shard.create({ name: 'other' }))).toBe('ok');
  });

  test('with a key, or for another tenant, is refused', () => {
    const shard = new World();
    expect(codeOf(shard.create({}, aSpec({ idempotencyKey: 'k' })))).toBe('badSpec');
    expect(codeOf(shard.create({}, aSpec({ tenant: 'other' })))).toBe('badSpec');
  });

  test('jitter is from nothing to its most, and the same each time', () => {
    const definition = aSchedule({ jitterMs: 10 });
    const drawn = Array.from({ length: 500 }, (_, n) => jitterOf(definition, n * minute));
    expect(new Set(drawn)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]));
    expect(drawn).toEqual(Array.from({ length: 500 }, (_, n) => jitterOf(definition, n * minute)));
    expect(jitterOf(aSchedule(), minute)).toBe(0);
  });
});
