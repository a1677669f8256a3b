/** Start bounds: what is missed is told once, whatever becomes of the task and whoever asks. */
import { describe, expect, test } from 'vitest';
import { decodeSpec, type TaskSpec } from '../../../src/model/spec.ts';
import type { TaskView } from '../../../src/model/task.ts';
import { decodeTaskRow } from '../../../src/shard/record.ts';
import { toView } from '../../../src/shard/view.ts';
import { anOutcome, aSpec, epochMs, idOf, TestShard } from '../../support/shard.ts';

const id = idOf(1);

/** One task, submitted at the epoch. */
function shardWith(parts: Partial<TaskSpec>): TestShard {
  const shard = new TestShard();
  shard.submit([id], aSpec(parts));
  return shard;
}

/** What the leader would propose at an instant after the epoch, and what comes of it. */
function look(shard: TestShard, atMs: number): string {
  shard.atMs = atMs;
  const due = shard.machine.overdue(epochMs + atMs, 10).map(({ taskId }) => taskId);
  if (due.length === 0) return 'nothing is due';
  const items = due.map(taskId => ({ taskId }));
  const [reply] = shard.apply({ kind: 'overdue', items }).replies;
  return reply?.ok === true ? (reply.repeated ? 'repeated' : 'ok') : (reply?.code ?? '');
}

const told = (shard: TestShard): number => {
  const events = shard.machine.eventsAfter(0, 1_000);
  return events === 'expired' ? -1 : events.filter(({ kind }) => kind === 'boundMissed').length;
};

function viewOf(shard: TestShard, nowMs: number): TaskView {
  const { machine } = shard;
  shard.flush();
  const row = shard.row(machine.taskKey(id));
  const record = machine.record(id) ?? decodeTaskRow(row!);
  const spec = decodeSpec(shard.row(machine.specKey(record.digest))!);
  return toView(record, spec, { shard: 1, stale: false, nowMs: epochMs + nowMs });
}

describe('a start bound', () => {
  test('is the submit plus the tolerance, and missed once', () => {
    const shard = shardWith({ toleranceMs: 30_000 });
    expect(shard.machine.startBoundMs(id)).toBe(epochMs + 30_000);
    expect(look(shard, 29_999)).toBe('nothing is due');
    expect(look(shard, 30_000)).toBe('ok');
    expect(look(shard, 90_000)).toBe('nothing is due');
    const again = shard.apply({ kind: 'overdue', items: [{ taskId: id }] }).replies;
    expect(again).toEqual([{ ok: true, taskId: id, repeated: true }]);
    expect(told(shard)).toBe(1);
    expect(viewOf(shard, 90_000)).toMatchObject({
      state: 'waiting',
      startBoundMs: epochMs + 30_000,
      boundMissed: true,
      class: 'urgent',
    });
  });

  test('is judged by state time: a leader whose clock is fast is told that nothing is due', () => {
    const shard = shardWith({ toleranceMs: 30_000 });
    shard.atMs = 1_000;
    const { replies } = shard.apply({ kind: 'overdue', items: [{ taskId: id }] });
    expect(replies).toEqual([{ ok: true, taskId: id, repeated: true }]);
    expect(told(shard)).toBe(0);
  });

  test('is not missed any more once the task has started, nor by its next run', () => {
    const shard = shardWith({ toleranceMs: 30_000, attempts: 2 });
    shard.assign(id);
    shard.start(id, 1);
    expect(look(shard, 40_000)).toBe('nothing is due');
    shard.finish(id, 1, 'failed');
    expect(look(shard, 400_000)).toBe('nothing is due');
    shard.assign(id);
    shard.lose(id, 2);
    expect(look(shard, 900_000)).toBe('nothing is due');
    expect(told(shard)).toBe(0);
    expect(viewOf(shard, 900_000).startBoundMs).toBeUndefined();
  });

  test('is missed by a task that stands in the queue of its node', () => {
    const shard = shardWith({ toleranceMs: 30_000 });
    shard.assign(id);
    expect(look(shard, 30_000)).toBe('ok');
    shard.unassign(id, 1);
    expect(look(shard, 60_000)).toBe('nothing is due');
    shard.assign(id);
    shard.start(id, 2);
    shard.finish(id, 2);
    expect(told(shard)).toBe(1);
    expect(viewOf(shard, 60_000)).toMatchObject({ state: 'succeeded', boundMissed: true });
  });

  describe('that passed while nobody looked', () => {
    const late = (rules: number): TestShard => {
      const shard = new TestShard();
      shard.apply({ kind: 'adopt', rules });
      shard.submit([id], aSpec({ toleranceMs: 30_000, attempts: 2 }));
      shard.assign(id);
      shard.atMs = 30_400;
      return shard;
    };

    test('is told by the start, once', () => {
      const shard = late(3);
      expect(shard.start(id, 1).effects).toEqual([{ kind: 'boundMissed', taskId: id }]);
      expect(look(shard, 40_000)).toBe('nothing is due');
      shard.finish(id, 1);
      expect(told(shard)).toBe(1);
      expect(viewOf(shard, 60_000)).toMatchObject({ state: 'succeeded', boundMissed: true });
    });

    test.each(['succeeded', 'failed'] as const)('is told by the end of a task that %s', kind => {
      const shard = late(3);
      shard.finish(id, 1, anOutcome(kind, { startedAtMs: epochMs + 30_300 }));
      expect(told(shard)).toBe(1);
      expect(viewOf(shard, 60_000).boundMissed).toBe(true);
    });

    test('is not told again by a start that comes after it was', () => {
      const shard = late(3);
      expect(look(shard, 30_400)).toBe('ok');
      expect(shard.start(id, 1).effects).toEqual([]);
      expect(told(shard)).toBe(1);
    });

    test('is kept by a start before it that becomes known after it', () => {
      const shard = late(3);
      const items = [{ taskId: id, fence: 1, startedAtMs: epochMs + 29_999 }];
      expect(shard.apply({ kind: 'start', items }).effects).toEqual([]);
      const ended = late(3);
      ended.finish(id, 1, anOutcome('succeeded', { startedAtMs: epochMs + 29_999 }));
      expect([told(shard), told(ended)]).toEqual([0, 0]);
    });

    test('is not believed to have passed because the clock of a node is fast', () => {
      const shard = late(3);
      shard.atMs = 1_000;
      const items = [{ taskId: id, fence: 1, startedAtMs: epochMs + 3_600_000 }];
      shard.apply({ kind: 'start', items });
      expect(told(shard)).toBe(0);
    });

    test('is not told by a shard that decides by the rules of an older program', () => {
      const shard = late(1);
      shard.start(id, 1);
      expect(told(shard)).toBe(0);
    });
  });

  describe('of a task whose attempt was lost', () => {
    const lostAt10s = (
      rules: number,
      parts: Partial<TaskSpec> = {},
      isStarted = false,
    ): TestShard => {
      const shard = new TestShard();
      shard.apply({ kind: 'adopt', rules });
      shard.submit([id], aSpec({ toleranceMs: 30_000, ...parts }));
      shard.assign(id);
      if (isStarted) shard.start(id, 1);
      shard.atMs = 10_000;
      shard.lose(id, 1);
      return shard;
    };

    test('before it started is what was said at the submit, and missed once', () => {
      const shard = lostAt10s(3);
      expect(viewOf(shard, 10_000)).toMatchObject({
        state: 'waiting',
        startBoundMs: epochMs + 30_000,
      });
      expect(look(shard, 29_999)).toBe('nothing is due');
      expect(look(shard, 30_000)).toBe('ok');
      shard.assign(id);
      shard.start(id, 2);
      expect([told(shard), viewOf(shard, 40_000).boundMissed]).toEqual([1, true]);
    });

    test('is told by the start of the next one where nobody has looked', () => {
      const shard = lostAt10s(3);
      shard.atMs = 31_000;
      shard.assign(id);
      const items = [{ taskId: id, fence: 2, startedAtMs: epochMs + 31_000 }];
      expect(shard.apply({ kind: 'start', items }).effects).toEqual([
        { kind: 'boundMissed', taskId: id },
      ]);
    });

    test('after it started is past', () => {
      const shard = lostAt10s(3, {}, true);
      expect(viewOf(shard, 10_000).startBoundMs).toBeUndefined();
      expect(look(shard, 900_000)).toBe('nothing is due');
    });

    test('is told by the outcome that says when it started', () => {
      const shard = new TestShard();
      shard.apply({ kind: 'adopt', rules: 3 });
      shard.submit([id], aSpec({ toleranceMs: 30_000 }));
      shard.assign(id);
      shard.finish(id, 1, anOutcome('lost', { startedAtMs: epochMs + 1_000 }));
      expect(look(shard, 900_000)).toBe('nothing is due');
    });

    test('before it started is known to a replica that loads the rows', () => {
      const shard = lostAt10s(3);
      shard.flush();
      shard.machine = shard.restarted();
      expect(look(shard, 29_999)).toBe('nothing is due');
      expect(look(shard, 30_000)).toBe('ok');
    });

    test('before it started drops it when it expires', () => {
      const shard = lostAt10s(3, { expireMs: 60_000 });
      expect(viewOf(shard, 10_000).expiresAtMs).toBe(epochMs + 60_000);
      expect(look(shard, 60_000)).toBe('ok');
      expect(viewOf(shard, 60_000)).toMatchObject({ state: 'aborted', boundMissed: true });
    });

    test('is past by the rules of an older program, until later ones are adopted', () => {
      const shard = lostAt10s(1);
      expect(look(shard, 39_999)).toBe('nothing is due');
      const { replies } = shard.apply({ kind: 'overdue', items: [{ taskId: id }] });
      expect(replies).toEqual([{ ok: true, taskId: id, repeated: true }]);
      shard.apply({ kind: 'adopt', rules: 3 });
      // From the loss on, as it was counted then.
      expect(look(shard, 39_999)).toBe('nothing is due');
      expect(look(shard, 40_000)).toBe('ok');
    });
  });

  test('of a task whose cancel was asked for is nobody’s concern', () => {
    const shard = shardWith({ toleranceMs: 30_000 });
    shard.assign(id);
    shard.cancel(id);
    expect(look(shard, 60_000)).toBe('nothing is due');
  });

  test('that was missed is known to a replica that loads the rows, with what is due next', () => {
    const shard = shardWith({ toleranceMs: 30_000, expireMs: 90_000 });
    look(shard, 30_000);
    shard.flush();
    shard.machine = shard.restarted();
    expect(look(shard, 60_000)).toBe('nothing is due');
    expect(look(shard, 90_000)).toBe('ok');
    expect(shard.machine.record(id)?.state ?? 'gone').not.toBe('waiting');
  });
});

describe('a task that expires', () => {
  test('is dropped where it could not start in time, with the reason', () => {
    const shard = shardWith({ expireMs: 60_000 });
    expect(viewOf(shard, 0)).toMatchObject({
      startBoundMs: epochMs + 60_000,
      expiresAtMs: epochMs + 60_000,
    });
    expect(look(shard, 60_000)).toBe('ok');
    expect(viewOf(shard, 60_000)).toMatchObject({
      state: 'aborted',
      reason: 'could not start within 1m, after which it expires',
      boundMissed: true,
    });
    expect(told(shard)).toBe(1);
    expect(look(shard, 90_000)).toBe('nothing is due');
  });

  test('is not dropped while a node has it, but when that gives it back', () => {
    const shard = shardWith({ toleranceMs: 10_000, expireMs: 60_000 });
    shard.assign(id);
    expect(look(shard, 60_000)).toBe('ok');
    expect(look(shard, 61_000)).toBe('nothing is due');
    shard.unassign(id, 1);
    expect(look(shard, 62_000)).toBe('ok');
    expect(viewOf(shard, 62_000).state).toBe('aborted');
    expect(told(shard)).toBe(1);
  });
});

describe('the queue of a lane', () => {
  test('is in the order of bounds, then of caps, then of age', () => {
    const shard = new TestShard();
    const submit = (n: number, atMs: number, parts: Partial<TaskSpec>): void => {
      shard.atMs = atMs;
      shard.submit([idOf(n)], aSpec(parts));
    };
    submit(1, 0, { toleranceMs: 600_000 });
    submit(2, 1, { toleranceMs: 599_999 });
    submit(3, 2, { toleranceMs: 599_998, capMs: 9_000 });
    submit(4, 3, { toleranceMs: 599_997, capMs: 5_000 });
    submit(5, 4, { toleranceMs: 120_000 });
    const batches = shard.machine.readyBatches(10, epochMs + 10);
    expect(batches).toHaveLength(1);
    expect(batches[0]?.tasks.map(task => task.id)).toEqual([5, 4, 3, 1, 2].map(n => idOf(n)));
    expect(shard.machine.position(idOf(3), epochMs + 10)).toEqual({ position: 3, ready: 5 });
  });

  test('offers few of each of many tenants, and at least one', () => {
    const shard = new TestShard();
    for (let tenant = 0; tenant < 100; tenant++) {
      const ids = Array.from({ length: 5 }, (_, n) => idOf(tenant * 10 + n));
      shard.submit(ids, aSpec({ tenant: `t${tenant}` }));
    }
    const batches = shard.machine.readyBatches(4, epochMs + 10);
    expect(batches.map(({ tasks, count }) => [tasks.length, count])).toEqual(
      Array.from({ length: 100 }, () => [1, 5]),
    );
  });
});

test('the bound and the end of a task that is to begin later count from its begin', () => {
  const shard = shardWith({ delayMs: 20_000, toleranceMs: 5_000, expireMs: 10_000 });
  const [startBoundMs, expiresAtMs] = [epochMs + 25_000, epochMs + 30_000];
  expect(viewOf(shard, 0)).toMatchObject({ reason: 'BeginTime', startBoundMs, expiresAtMs });
  expect(look(shard, 24_999)).toBe('nothing is due');
  expect(look(shard, 25_000)).toBe('ok');
  expect(told(shard)).toBe(1);
  expect(look(shard, 30_000)).toBe('ok');
  expect(shard.machine.isSettled(id)).toBe(true);
});
