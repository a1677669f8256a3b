/** Tasks that start together: admitted, assigned, recalled and settled as one. */
import { describe, expect, test } from 'vitest';
import type { OutcomeKind } from '../../../src/model/attempt.ts';
import type { TaskId } from '../../../src/model/ids.ts';
import { limits } from '../../../src/model/limits.ts';
import type { TaskSpec } from '../../../src/model/spec.ts';
import type { SpecOverrides } from '../../../src/model/spec-overrides.ts';
import { failureRules } from '../../../src/shard/rules.ts';
import { anOutcome, aSpec, epochMs, idOf, specEntry, TestShard } from '../../support/shard.ts';

const size = 3;
const gangId = idOf(100);
const ids = [0, 1, 2].map(n => idOf(n));
const [first, second, third] = ids as [TaskId, TaskId, TaskId];
const gangSpec = (parts: Partial<TaskSpec> = {}): TaskSpec => aSpec({ gang: size, ...parts });

const itemsOf = (ranks: readonly number[]) =>
  ranks.map(rank => ({ id: ids[rank]!, arrayId: gangId, arrayIndex: rank }));

const codes = (applied: ReturnType<TestShard['apply']>): string[] =>
  applied.replies.map(reply => (reply.ok ? (reply.repeated ? 'repeated' : 'ok') : reply.code));

function aGang(parts: Partial<TaskSpec> = {}): TestShard {
  const shard = new TestShard();
  expect(codes(shard.submit(itemsOf([0, 1, 2]), gangSpec(parts)))).toEqual(['ok', 'ok', 'ok']);
  return shard;
}

const assign = (shard: TestShard, taskIds: readonly TaskId[] = ids) =>
  shard.apply({
    kind: 'assignGang',
    items: [
      {
        members: taskIds.map((taskId, place) => ({
          taskId,
          node: `n${place + 1}`,
          nodeName: `node ${place + 1}`,
          incarnation: 'i',
        })),
      },
    ],
  });

const states = (shard: TestShard): (string | undefined)[] =>
  ids.map(id => shard.machine.record(id)?.state);
const offered = (shard: TestShard): TaskId[][] =>
  shard.machine
    .readyBatches(10, Number.MAX_SAFE_INTEGER)
    .flatMap(batch => batch.tasks.map(task => (task.gang ?? []).map(member => member.id)));
const endings = (shard: TestShard): (string | undefined)[] =>
  shard.machine.liveAttempts().map(attempt => attempt.ending);

describe('A gang is admitted as a whole', () => {
  test('and offered to the planner as one', () => {
    const shard = aGang();
    expect(shard.machine.readyCount(Number.MAX_SAFE_INTEGER)).toBe(1);
    expect(offered(shard)).toEqual([ids]);
  });

  test('or not at all', () => {
    const shard = new TestShard();
    expect(codes(shard.submit(itemsOf([0, 1]), gangSpec()))).toEqual(['badSpec', 'badSpec']);
    expect(codes(shard.submit([itemsOf([0])[0]!], gangSpec()))).toEqual(['badSpec']);
    expect(codes(shard.submit(itemsOf([1, 2, 0]), gangSpec()))[0]).toBe('badSpec');
    expect(shard.machine.counts().waiting).toBe(0);
  });

  test('without those of it that another task has taken', () => {
    const shard = new TestShard();
    shard.submit([second]);
    const replies = codes(shard.submit(itemsOf([0, 1, 2]), gangSpec()));
    expect(replies).toEqual(['idTaken', 'idTaken', 'idTaken']);
    expect(shard.machine.counts().waiting).toBe(1);
  });

  test('once, however often it is submitted', () => {
    const shard = aGang();
    expect(codes(shard.submit(itemsOf([0, 1, 2]), gangSpec()))).toEqual([
      'repeated',
      'repeated',
      'repeated',
    ]);
    assign(shard);
    shard.finish(first, 1);
    const again = codes(shard.submit(itemsOf([0, 1, 2]), gangSpec()));
    expect(again).toEqual(['repeated', 'repeated', 'repeated']);
  });

  test('not with an ID twice, or of a size that is out of bounds', () => {
    const shard = new TestShard();
    const twice = [first, first, third].map((id, arrayIndex) => ({
      id,
      arrayId: gangId,
      arrayIndex,
    }));
    expect(codes(shard.submit(twice, gangSpec()))[0]).toBe('badSpec');
    for (const gang of [0, 1, limits.gangMax + 1]) {
      const [entry] = [specEntry(aSpec({ gang }))];
      const items = [{ id: first, spec: 0, arrayId: gangId, arrayIndex: 0 }];
      const applied = shard.apply({ kind: 'submit', specs: [entry], items });
      expect(codes(applied)).toEqual(['badSpec']);
    }
  });
});

describe('A gang is in no line', () => {
  test.each([{ orderKey: 'k' }, { maxRunningPer: { key: 'k', max: 9 } }, { idempotencyKey: 'k' }])(
    '%j',
    parts => {
      const replies = new TestShard().submit(itemsOf([0, 1, 2]), gangSpec(parts)).replies;
      expect(replies).toMatchObject(ids.map(() => ({ ok: false, code: 'badSpec' })));
    },
  );
});

describe('A gang is assigned as a whole', () => {
  test('with one fence', () => {
    const shard = aGang();
    expect(assign(shard).replies).toEqual([{ ok: true, taskId: first, repeated: false, fence: 1 }]);
    expect(states(shard)).toEqual(['assigned', 'assigned', 'assigned']);
    expect(shard.machine.gangOf(second)).toEqual({ ids, fence: 1, size });
    expect(offered(shard)).toEqual([]);
  });

  test('or not at all', () => {
    const shard = aGang();
    const other = idOf(50);
    shard.submit([other]);
    for (const wrong of [[first, second], [first, second, second], [...ids, other], [other]]) {
      expect(codes(assign(shard, wrong))).toEqual(['badRequest']);
    }
    expect(codes(assign(shard, []))).toEqual(['badRequest']);
    expect(codes(shard.assign(first))).toEqual(['badRequest']);
    expect(codes(shard.assign(second))).toEqual(['badRequest']);
    expect(shard.machine.counts().assigned).toBe(0);
    assign(shard);
    expect(codes(assign(shard))).toEqual(['badRequest']);
  });
});

describe('When a node refuses one of a gang', () => {
  test('the others are recalled, and all wait again at their old place', () => {
    const shard = aGang();
    shard.atMs = 5_000;
    assign(shard);
    const { effects } = shard.unassign(second, 1);
    expect(effects.filter(effect => effect.kind === 'cancelling')).toEqual([
      { kind: 'cancelling', taskId: first, fence: 1 },
      { kind: 'cancelling', taskId: third, fence: 1 },
    ]);
    expect(endings(shard)).toEqual(['superseded', 'superseded']);
    expect(offered(shard)).toEqual([]);
    // One was not started yet, one was.
    shard.finish(first, 1, 'lost');
    expect(offered(shard)).toEqual([]);
    shard.start(third, 1);
    shard.finish(third, 1, anOutcome('lost', { startedAtMs: 5 }));
    expect(offered(shard)).toEqual([ids]);
    const [batch] = shard.machine.readyBatches(1, Number.MAX_SAFE_INTEGER);
    expect(batch?.tasks[0]?.readySinceMs).toBe(1_700_000_000_000);
    for (const id of ids) {
      expect(shard.machine.record(id)).toMatchObject({ runs: 0, lost: 0, state: 'waiting' });
    }
    expect(shard.machine.record(first)?.attempts).toEqual([]);
    expect(shard.machine.record(third)?.attempts).toHaveLength(1);
    expect(assign(shard).replies[0]).toMatchObject({ ok: true, fence: 2 });
  });

  test('one that was asked to be cancelled meanwhile is cancelled, with all of them', () => {
    const shard = aGang();
    assign(shard);
    shard.cancel(third);
    expect(endings(shard)).toEqual(['cancelled', 'cancelled', 'cancelled']);
    shard.unassign(second, 1);
    shard.finish(first, 1, 'cancelled');
    shard.finish(third, 1, 'lost');
    expect(shard.machine.counts()).toMatchObject({ cancelled: 3, waiting: 0 });
  });
});

describe('When the attempt of one fails', () => {
  const failing: readonly OutcomeKind[] = ['failed', 'timedOut', 'startFailed', 'outOfMemory'];

  test.each(failing)('(%s) the gang runs again while runs are left', kind => {
    const shard = aGang({ attempts: 2 });
    assign(shard);
    for (const id of ids) shard.start(id, 1);
    shard.finish(second, 1, kind);
    shard.finish(first, 1, 'lost');
    // Its connection to the second broke: that is no failure of its own.
    shard.finish(third, 1, 'failed');
    for (const id of ids) expect(shard.machine.record(id)).toMatchObject({ runs: 1, lost: 0 });
    expect(offered(shard)).toEqual([ids]);
    assign(shard);
    shard.finish(third, 2, kind);
    shard.finish(first, 2, 'lost');
    shard.finish(second, 2, 'lost');
    expect(shard.machine.counts()).toMatchObject({ failed: 1, aborted: 2 });
    expect(shard.machine.record(first)?.reason).toContain(`${third} of its gang failed`);
  });

  test('it waits for the back-off as a whole', () => {
    const shard = aGang({ attempts: 3, backoff: { initialMs: 1_000, maxMs: 9_000 } });
    assign(shard);
    shard.finish(first, 1, 'failed');
    shard.finish(second, 1, 'lost');
    shard.finish(third, 1, 'lost');
    const now = shard.machine.nowMs;
    expect(shard.machine.readyCount(now + 999)).toBe(0);
    expect(shard.machine.nextReadyAtMs()).toBe(now + 1_000);
    expect(shard.machine.readyCount(now + 1_000)).toBe(1);
  });

  test('one that succeeded has succeeded, and the others run again without it', () => {
    const shard = aGang({ attempts: 2 });
    assign(shard);
    shard.finish(first, 1, 'succeeded');
    shard.finish(second, 1, 'failed');
    shard.finish(third, 1, 'lost');
    expect(offered(shard)).toEqual([[second, third]]);
    expect(assign(shard, [second, third]).replies[0]).toMatchObject({ ok: true, fence: 2 });
    shard.finish(second, 2);
    shard.finish(third, 2);
    expect(shard.machine.counts().succeeded).toBe(3);
  });

  test('one that succeeds although it was recalled has succeeded', () => {
    const shard = aGang({ attempts: 2 });
    assign(shard);
    shard.finish(second, 1, 'failed');
    shard.finish(first, 1, 'succeeded');
    shard.finish(third, 1, 'lost');
    expect(offered(shard)).toEqual([[second, third]]);
  });
});

describe('A dead letter of a gang', () => {
  test('is not replayed by itself', () => {
    const shard = aGang({ attempts: 1 });
    shard.apply({ kind: 'adopt', rules: failureRules });
    assign(shard);
    shard.start(second, 1);
    shard.finish(second, 1, anOutcome('failed'));
    expect(shard.machine.record(second)?.state).toBe('failed');
    const { replies } = shard.apply({
      kind: 'replay',
      specs: [specEntry(gangSpec({ attempts: 1 }))],
      items: [{ id: idOf(60), spec: 0, retryOf: second, arrayId: gangId, arrayIndex: 1 }],
    });
    expect(replies).toMatchObject([{ ok: false, code: 'badRequest' }]);
    expect(replies[0]).toMatchObject({ message: expect.stringContaining('submit the gang again') });
    expect(shard.machine.record(idOf(60))).toBeUndefined();
  });
});

test('one that had started when it was recalled awaits its start no more by later rules', () => {
  const shard = aGang({ toleranceMs: 30_000 });
  assign(shard);
  shard.start(first, 1);
  shard.lose(second, 1);
  for (const id of [first, third]) shard.finish(id, 1, 'cancelled');
  expect(states(shard)).toEqual(['waiting', 'waiting', 'waiting']);
  shard.apply({ kind: 'adopt', rules: failureRules });
  const due = shard.machine.overdue(epochMs + 60_000, 10);
  expect(due.map(({ taskId }) => taskId)).not.toContain(first);
});

describe('When one ends its supervisor again and again', () => {
  test('it is poison: it fails, and the others are aborted', () => {
    const shard = aGang();
    shard.apply({ kind: 'adopt', rules: failureRules });
    for (let fence = 1; fence <= limits.supervisorsLostMax; fence++) {
      assign(shard);
      for (const id of ids) shard.start(id, fence);
      shard.finish(third, fence, { ...anOutcome('lost'), supervisorLost: true });
      for (const id of [first, second]) shard.finish(id, fence, anOutcome('cancelled'));
    }
    expect(states(shard)).toEqual(['aborted', 'aborted', 'failed']);
  });
});

describe('When the node of one is lost', () => {
  test('the gang runs again and no run is counted, until it was lost too often', () => {
    const shard = aGang();
    for (let time = 1; time <= limits.lostMax; time++) {
      assign(shard);
      shard.lose(second, time);
      shard.finish(first, time, 'lost');
      shard.lose(third, time);
      if (time < limits.lostMax) expect(offered(shard)).toEqual([ids]);
    }
    expect(shard.machine.counts().aborted).toBe(3);
  });
});

describe('A gang', () => {
  test('is cancelled as a whole', () => {
    const shard = aGang();
    expect(
      codes(shard.apply({ kind: 'cancel', items: ids.map(taskId => ({ taskId })), reason: '' })),
    ).toEqual(['ok', 'repeated', 'repeated']);
    expect(shard.machine.counts().cancelled).toBe(3);
  });

  describe('is paused, resumed and changed as a whole', () => {
    const items = [{ taskId: second }];
    const pause = (shard: TestShard, suspend = false) =>
      shard.apply({ kind: 'pause', items, suspend, reason: 'later' });
    const resume = (shard: TestShard, taskId = third) =>
      shard.apply({ kind: 'resume', items: [{ taskId }] });
    const update = (shard: TestShard, overrides: SpecOverrides, of = items) =>
      shard.apply({ kind: 'update', items: of, overrides });
    const pauses = (shard: TestShard) => ids.map(id => shard.machine.record(id)?.pause?.reason);
    const changes = (shard: TestShard) =>
      ids.map(id => shard.machine.record(id)?.update?.overrides);
    const boundOf = (shard: TestShard): number | undefined =>
      shard.machine.readyBatches(1, Number.MAX_SAFE_INTEGER)[0]?.tasks[0]?.boundMs;

    test('by any of it: a pause is taken back by another', () => {
      const shard = aGang({ toleranceMs: 60_000 });
      const firstBoundMs = boundOf(shard)!;
      expect(codes(pause(shard))).toEqual(['ok']);
      expect(pauses(shard)).toEqual(['later', 'later', 'later']);
      expect(codes(pause(shard))).toEqual(['repeated']);
      expect(offered(shard)).toEqual([]);
      expect(codes(assign(shard))).toEqual(['badRequest']);
      shard.atMs = 500_000;
      expect(codes(resume(shard))).toEqual(['ok']);
      expect(pauses(shard)).toEqual([undefined, undefined, undefined]);
      expect(codes(resume(shard, first))).toEqual(['repeated']);
      expect(offered(shard)).toEqual([ids]);
      // It stands in the queue as of now, so its bound is not missed by the pause.
      expect(boundOf(shard)! - firstBoundMs).toBeGreaterThan(50_000);
      expect(shard.restarted().readyBatches(9, Number.MAX_SAFE_INTEGER)).toEqual(
        shard.machine.readyBatches(9, Number.MAX_SAFE_INTEGER),
      );
    });

    test('while it runs: all of it is to stand still, and to go on', () => {
      const shard = aGang();
      assign(shard);
      for (const id of ids) shard.start(id, 1);
      const toSuspend = () => ids.map(id => shard.machine.attempt(id, 1)?.toSuspend);
      const controlled = ids.map(taskId => ({ kind: 'controlled', taskId, fence: 1 }));
      expect(pause(shard).effects).toEqual([]);
      expect(toSuspend()).toEqual([false, false, false]);
      expect(pause(shard, true).effects).toEqual(controlled);
      expect(toSuspend()).toEqual([true, true, true]);
      expect(resume(shard).effects).toEqual(controlled);
      expect(toSuspend()).toEqual([false, false, false]);
    });

    test('while it runs: should one fail, none runs again before it is resumed', () => {
      const shard = aGang({ attempts: 2 });
      assign(shard);
      pause(shard);
      shard.finish(first, 1, 'failed');
      for (const id of [second, third]) shard.finish(id, 1, 'lost');
      expect(states(shard)).toEqual(['waiting', 'waiting', 'waiting']);
      expect(offered(shard)).toEqual([]);
      resume(shard);
      expect(offered(shard)).toEqual([ids]);
    });

    test('so that it stands where its priority and bound say, whichever was named', () => {
      const shard = aGang({ toleranceMs: 60_000 });
      const boundMs = boundOf(shard)!;
      const overrides = { priority: 'high', toleranceMs: 30_000, capMs: 5_000 } as const;
      const applied = update(shard, overrides);
      expect(codes(applied)).toEqual(['ok']);
      expect(applied.effects).toEqual([{ kind: 'readyChanged' }]);
      expect(changes(shard)).toEqual([overrides, overrides, overrides]);
      expect(boundOf(shard)).toBe(boundMs - 30_000);
      const all = ids.map(taskId => ({ taskId }));
      expect(codes(update(shard, overrides, all))).toEqual(['repeated', 'repeated', 'repeated']);
      expect(codes(update(shard, { capMs: 6_000 }, all))).toEqual(['ok', 'repeated', 'repeated']);
      shard.flush();
      const now = Number.MAX_SAFE_INTEGER;
      expect(shard.restarted().readyBatches(9, now)).toEqual(shard.machine.readyBatches(9, now));
    });

    test('or not at all, where one of it does not wait', () => {
      const shard = aGang({ attempts: 3 });
      assign(shard);
      for (const id of ids) shard.start(id, 1);
      // Two are to end and have not yet; the second waits already.
      shard.finish(second, 1, 'failed');
      expect(states(shard)).toEqual(['running', 'waiting', 'running']);
      const refused = update(shard, { priority: 'high' });
      expect(refused.replies).toMatchObject([
        { code: 'notWaiting', message: '`priority` may change only while all of its gang wait' },
      ]);
      expect(codes(update(shard, { attempts: 1 }))).toEqual(['notWaiting']);
      expect(changes(shard)).toEqual([undefined, undefined, undefined]);
      const capped = update(shard, { capMs: 9_000 });
      expect(codes(capped)).toEqual(['ok']);
      expect(capped.effects).toEqual(
        [first, third].map(taskId => ({ kind: 'controlled', taskId, fence: 1 })),
      );
      for (const id of [first, third]) shard.finish(id, 1, 'lost');
      expect(codes(update(shard, { attempts: 1 }))).toEqual(['badRequest']);
      expect(changes(shard)).toEqual(ids.map(() => ({ capMs: 9_000 })));
    });

    test('but for what has settled', () => {
      const shard = aGang({ attempts: 2 });
      assign(shard);
      shard.finish(third, 1);
      shard.finish(first, 1, 'failed');
      shard.finish(second, 1, 'lost');
      expect(codes(update(shard, { capMs: 1_000 }))).toEqual(['ok']);
      expect(changes(shard)).toEqual([{ capMs: 1_000 }, { capMs: 1_000 }, undefined]);
      pause(shard);
      expect(codes(resume(shard))).toEqual(['alreadySettled']);
      expect(codes(resume(shard, first))).toEqual(['ok']);
      expect(offered(shard)).toEqual([[first, second]]);
    });
  });

  test('is what it was after a restart, in any state', () => {
    const shard = aGang({ attempts: 3 });
    const steps: (() => unknown)[] = [
      () => undefined,
      () => assign(shard),
      () => shard.start(first, 1),
      () => shard.finish(second, 1, 'failed'),
      () => shard.finish(first, 1, 'lost'),
      () => shard.finish(third, 1, 'lost'),
      () => assign(shard),
      () => shard.finish(first, 2),
    ];
    for (const step of steps) {
      step();
      shard.flush();
      const other = shard.restarted();
      expect(other.liveAttempts()).toEqual(shard.machine.liveAttempts());
      const now = Number.MAX_SAFE_INTEGER;
      expect(other.readyBatches(9, now)).toEqual(shard.machine.readyBatches(9, now));
      expect(ids.map(id => other.record(id))).toEqual(ids.map(id => shard.machine.record(id)));
    }
  });
});
