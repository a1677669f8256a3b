/** Whoever follows the schedules of a shard knows of each what a look at all of them tells. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ShardCommand } from '../../../src/model/command.ts';
import type { ScheduleDefinition } from '../../../src/model/schedule.ts';
import { DueInstants } from '../../../src/node/due-instants.ts';
import { nextOf } from '../../../src/node/schedule-view.ts';
import type { Schedule } from '../../../src/shard/schedules.ts';
import { aSpec, specEntry, TestShard } from '../../support/shard.ts';

const minute = 60_000;
const startMs = Date.UTC(2026, 0, 1);

const definition = (name: string): ScheduleDefinition => ({
  ...{ tenant: 'default', name, timing: { kind: 'cron', pattern: '* * * * *' }, zone: 'UTC' },
  ...{ overlap: 'skip', catchUp: 'all', jitterMs: 0 },
});

const dueMs = (schedule: Schedule): number => nextOf(schedule) ?? Number.POSITIVE_INFINITY;

/** A shard at an instant, and what is done to its schedules. */
class Book {
  readonly shard = new TestShard();
  nowMs = startMs;

  do(body: object): void {
    this.shard.setNow(this.nowMs);
    this.shard.apply(body as ShardCommand);
  }

  create(...names: readonly string[]): void {
    const { digest, bytes } = specEntry(aSpec({ tenant: 'default' }));
    const items = names.map(name => ({ definition: definition(name), digest, spec: bytes }));
    this.do({ kind: 'createSchedule', items });
  }

  fire(...names: readonly string[]): void {
    this.nowMs += minute;
    const items = names.flatMap(name => {
      const schedule = this.shard.machine.schedules.find({ tenant: 'default', name });
      if (schedule === undefined) return [];
      const { createdMs, standing } = schedule;
      const { cursorMs: afterMs } = standing;
      const at = { createdMs, afterMs, occurrenceMs: afterMs + minute };
      return [{ tenant: 'default', name, ...at, fires: true, missed: 0 }];
    });
    this.do({ kind: 'fire', items });
  }
}

const names = Array.from({ length: 12 }, (_, number) => `s${number}`);
const some = fc.uniqueArray(fc.constantFrom(...names), { maxLength: 12 });
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('fire' as const), on: some }) },
  fc.record({ kind: fc.constantFrom('create', 'delete', 'pause', 'resume'), on: some }),
  fc.record({ kind: fc.constant('many' as const), on: some }),
);

test('follows what fires, pauses, comes and goes', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), steps => {
      const book = new Book();
      const follows = new DueInstants(dueMs);
      for (const { kind, on } of steps) {
        if (kind === 'fire') book.fire(...on);
        // More than it is remembered what changed.
        else if (kind === 'many') for (let turn = 0; turn < 30; turn++) book.fire(...on);
        else if (kind === 'create') book.create(...on);
        else {
          const items = on.map(name => ({ tenant: 'default', name, paused: kind === 'pause' }));
          const reason = 'test';
          if (kind === 'delete') book.do({ kind: 'deleteSchedule', items });
          else book.do({ kind: 'pauseSchedule', items, reason });
        }
        const { schedules } = book.shard.machine;
        const wallMs = book.nowMs - minute;
        const all = new DueInstants(dueMs).upTo(wallMs, schedules);
        expect(follows.upTo(wallMs, schedules)).toEqual(all);
        const byHand = [...schedules.all()].filter(schedule => dueMs(schedule) <= wallMs);
        expect(all.due).toEqual(byHand);
      }
    }),
    { numRuns: 30 },
  );
});

test('asks the calendar only about what has moved on', () => {
  const book = new Book();
  const asked: string[] = [];
  const follows = new DueInstants(schedule => {
    asked.push(schedule.definition.name);
    return dueMs(schedule);
  });
  book.create(...names);
  const { schedules } = book.shard.machine;
  follows.upTo(startMs, schedules);
  expect(asked).toEqual(names);
  asked.length = 0;
  follows.upTo(startMs, schedules);
  expect(asked).toEqual([]);
  book.fire('s3');
  const { due, nextMs } = follows.upTo(book.nowMs, schedules);
  expect(new Set(asked)).toEqual(new Set(['s3']));
  expect(due.map(schedule => schedule.definition.name)).toEqual(names.filter(n => n !== 's3'));
  expect(nextMs).toBe(book.nowMs + minute);
});
