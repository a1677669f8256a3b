/** Pausing, resuming, suspending and changing tasks of a shard. */
import { describe, expect, test } from 'vitest';
import { decodeTaskRow } from '../../../src/shard/record.ts';
import { toView } from '../../../src/shard/view.ts';
import { aSpec, epochMs, idOf, TestShard } from '../../support/shard.ts';

const id = idOf(1);
const other = idOf(2);

function shardWith(spec = aSpec()): TestShard {
  const shard = new TestShard();
  shard.atMs = 1_000;
  shard.submit([id, other], spec);
  return shard;
}

const pause = (shard: TestShard, suspend = false) =>
  shard.apply({ kind: 'pause', items: [{ taskId: id }], suspend, reason: 'later' });
const resume = (shard: TestShard) => shard.apply({ kind: 'resume', items: [{ taskId: id }] });
const suspended = (shard: TestShard, fence: number, value: boolean) =>
  shard.apply({ kind: 'suspended', items: [{ taskId: id, fence, suspended: value }] });
const ready = (shard: TestShard) =>
  shard.machine
    .readyBatches(10, epochMs + 100_000)
    .flatMap(batch => batch.tasks.map(task => task.id));
const kindsOf = (shard: TestShard) => {
  const events = shard.machine.eventsAfter(0, 100);
  return events === 'expired' ? [] : events.map(event => event.kind);
};

describe('a paused task', () => {
  test('is not offered nor taken by an assignment that was on its way, until it is resumed', () => {
    const shard = shardWith();
    expect(pause(shard).replies[0]).toMatchObject({ ok: true, repeated: false });
    expect(pause(shard).replies[0]).toMatchObject({ ok: true, repeated: true });
    expect(ready(shard)).toEqual([other]);
    expect(shard.assign(id).replies[0]).toMatchObject({ ok: false, code: 'badRequest' });
    shard.atMs = 5_000;
    const { effects } = resume(shard);
    expect(effects).toEqual([{ kind: 'readyChanged' }]);
    // Behind what waited meanwhile.
    expect(ready(shard)).toEqual([other, id]);
    expect(resume(shard).replies[0]).toMatchObject({ ok: true, repeated: true });
    expect(kindsOf(shard)).toEqual(['submitted', 'submitted', 'paused', 'resumed']);
  });

  test('says who paused it, also after a restart of the replica', () => {
    const shard = shardWith();
    pause(shard);
    shard.flush();
    const record = shard.restarted().record(id)!;
    expect(record.pause).toEqual({
      by: 'ann',
      atMs: epochMs + 1_000,
      reason: 'later',
      suspend: false,
    });
    const view = toView(record, aSpec(), { shard: 1, stale: false });
    expect(view).toMatchObject({ reason: 'Paused', paused: { by: 'ann' } });
  });

  test('that runs goes on, and waits where it would run again', () => {
    const shard = shardWith(aSpec({ attempts: 2 }));
    shard.assign(id);
    expect(pause(shard).effects).toEqual([]);
    expect(shard.machine.attempt(id, 1)?.toSuspend).toBe(false);
    shard.start(id, 1);
    shard.finish(id, 1, 'failed');
    expect(shard.machine.record(id)?.state).toBe('waiting');
    expect(ready(shard)).toEqual([other]);
    resume(shard);
    expect(ready(shard)).toContain(id);
  });

  test('is cancelled like any other', () => {
    const shard = shardWith();
    pause(shard);
    shard.cancel(id);
    expect(shard.machine.isSettled(id)).toBe(true);
    expect(pause(shard).replies[0]).toMatchObject({ ok: false, code: 'alreadySettled' });
  });
});

describe('an attempt that is to stand still', () => {
  test('does so once its worker says so, and no longer than it lives', () => {
    const shard = shardWith(aSpec({ attempts: 2 }));
    shard.assign(id);
    shard.start(id, 1);
    expect(pause(shard, true).effects).toEqual([{ kind: 'controlled', taskId: id, fence: 1 }]);
    const asked = shard.machine.attempt(id, 1)!;
    expect([asked.toSuspend, asked.suspended]).toEqual([true, false]);
    suspended(shard, 1, true);
    expect(suspended(shard, 1, true).replies[0]).toMatchObject({ ok: true, repeated: true });
    expect(suspended(shard, 9, true).replies[0]).toMatchObject({ ok: false, code: 'badRequest' });
    const view = toView(shard.machine.record(id)!, aSpec(), { shard: 1, stale: false });
    expect(view.attempts[0]?.suspended).toBe(true);
    shard.lose(id, 1);
    expect(shard.machine.record(id)).toMatchObject({ state: 'waiting', suspended: undefined });
  });

  test('is asked of one that was paused without it before', () => {
    const shard = shardWith();
    shard.assign(id);
    pause(shard);
    expect(pause(shard, true).replies[0]).toMatchObject({ ok: true, repeated: false });
    expect(pause(shard, false).replies[0]).toMatchObject({ ok: true, repeated: true });
    expect(shard.machine.attempt(id, 1)?.toSuspend).toBe(true);
    expect(resume(shard).effects).toEqual([{ kind: 'controlled', taskId: id, fence: 1 }]);
  });
});

describe('a task that is changed', () => {
  const update = (shard: TestShard, overrides: object) =>
    shard.apply({ kind: 'update', items: [{ taskId: id }], overrides });

  test('runs as often, and backs off as long, as was said last', () => {
    const shard = shardWith();
    update(shard, { attempts: 2, backoff: { initialMs: 30_000, maxMs: 30_000 } });
    shard.runOnce(id, 'failed');
    const record = shard.machine.record(id)!;
    expect(record).toMatchObject({ state: 'waiting', backedOff: true });
    expect(record.readySinceMs - shard.machine.nowMs).toBe(30_000);
    shard.runOnce(id, 'failed');
    expect(shard.machine.isSettled(id)).toBe(true);
  });

  test('keeps its spec, and shows what stands in its place, also once it is stored', () => {
    const shard = shardWith();
    update(shard, { capMs: 60_000 });
    update(shard, { name: 'better', capMs: 0 });
    expect(update(shard, { capMs: 0 }).replies[0]).toMatchObject({ ok: true, repeated: true });
    shard.flush();
    const record = decodeTaskRow(shard.row(shard.machine.taskKey(id))!);
    expect(record.update?.overrides).toEqual({ name: 'better', capMs: 0 });
    const view = toView(record, aSpec(), { shard: 1, stale: false });
    expect(view.name).toBe('better');
    expect(view.updated).toMatchObject({ by: 'ann', set: { name: 'better', cap: 'none' } });
    expect(shard.restarted().record(id)).toEqual(shard.machine.record(id));
  });

  test('changes while it runs only in its cap', () => {
    const shard = shardWith();
    shard.assign(id);
    const refused = update(shard, { capMs: 1_000, attempts: 3 }).replies[0];
    expect(refused).toMatchObject({ ok: false, code: 'notWaiting' });
    expect(refused).toHaveProperty('message', expect.stringContaining('`attempts`'));
    const { replies, effects } = update(shard, { capMs: 1_000 });
    expect(replies[0]).toMatchObject({ ok: true });
    expect(effects).toEqual([{ kind: 'controlled', taskId: id, fence: 1 }]);
    expect(shard.machine.attempt(id, 1)?.overrides).toEqual({ capMs: 1_000 });
  });

  test('stands where its new priority and tolerance put it, and there again after a restart', () => {
    const shard = new TestShard();
    const ids = [1, 2, 3].map(number => idOf(number));
    for (const one of ids) shard.submit([one], aSpec({ toleranceMs: 3_600_000 }));
    const order = ({ machine }: Pick<TestShard, 'machine'>): unknown[] =>
      machine
        .readyBatches(10, epochMs + 1_000)
        .flatMap(({ lane, tasks }) => tasks.map(task => [lane.priority, task.id, task.boundMs]));
    const change = (number: number, overrides: object) =>
      shard.apply({ kind: 'update', items: [{ taskId: idOf(number) }], overrides });
    change(3, { toleranceMs: 1_800_000 });
    const { replies, effects } = change(2, { priority: 'high', toleranceMs: 7_200_000 });
    expect(replies[0]).toMatchObject({ ok: true, repeated: false });
    expect(effects).toEqual([{ kind: 'readyChanged' }]);
    const hours = (count: number): number => epochMs + count * 3_600_000;
    const wanted = [
      [1, idOf(3), hours(0.5)],
      [1, idOf(1), hours(1)],
      [0, idOf(2), hours(2)],
    ];
    expect(order(shard)).toEqual(wanted);
    expect(shard.machine.position(idOf(2), epochMs)).toEqual({ position: 1, ready: 3 });
    shard.flush();
    expect(order({ machine: shard.restarted() })).toEqual(wanted);
    // Back to what they were submitted with, which is said again.
    change(2, { priority: 'normal', toleranceMs: 3_600_000 });
    change(3, { toleranceMs: 3_600_000 });
    expect(order(shard)).toEqual(ids.map(one => [1, one, hours(1)]));
  });

  test('may miss the bound again that it has now, and is told no bound twice', () => {
    const shard = new TestShard();
    shard.submit([id], aSpec({ toleranceMs: 10_000 }));
    const overdue = () => shard.apply({ kind: 'overdue', items: [{ taskId: id }] }).replies[0];
    const dueAt = (afterMs: number) => shard.machine.overdue(epochMs + afterMs, 10).length;
    shard.atMs = 10_000;
    expect(overdue()).toMatchObject({ ok: true, repeated: false });
    expect([dueAt(50_000), shard.machine.record(id)?.boundMissed]).toEqual([0, true]);
    // Later, but past as well: it was missed all the same.
    shard.atMs = 12_000;
    update(shard, { toleranceMs: 11_000 });
    expect([dueAt(50_000), shard.machine.record(id)?.boundMissed]).toEqual([0, true]);
    update(shard, { toleranceMs: 40_000 });
    expect(shard.machine.record(id)?.boundMissed).toBeUndefined();
    expect(shard.machine.startBoundMs(id)).toBe(epochMs + 40_000);
    expect([dueAt(39_999), dueAt(40_000)]).toEqual([0, 1]);
    shard.flush();
    expect(shard.restarted().overdue(epochMs + 40_000, 10)).toEqual([{ taskId: id, late: false }]);
    shard.atMs = 40_000;
    expect(overdue()).toMatchObject({ ok: true, repeated: false });
    expect(overdue()).toMatchObject({ ok: true, repeated: true });
  });

  test('is refused a start bound behind its end, and one while it is with a node', () => {
    const shard = shardWith(aSpec({ toleranceMs: 1_000, expireMs: 60_000 }));
    expect(update(shard, { toleranceMs: 60_001 }).replies[0]).toMatchObject({
      code: 'badRequest',
      message: 'it expires 1m after it is ready: `tolerance` may be 1m at most',
    });
    expect(update(shard, { toleranceMs: 0 }).replies[0]).toMatchObject({ ok: true });
    expect(shard.machine.record(id)?.update?.overrides).toEqual({ toleranceMs: 1_000 });
    shard.assign(id);
    for (const overrides of [{ toleranceMs: 2_000 }, { priority: 'low' }]) {
      expect(update(shard, overrides).replies[0]).toMatchObject({ ok: false, code: 'notWaiting' });
    }
  });

  test('is refused fewer runs than it has had', () => {
    const shard = shardWith(aSpec({ attempts: 5 }));
    shard.runOnce(id, 'failed');
    shard.runOnce(id, 'failed');
    expect(update(shard, { attempts: 2 }).replies[0]).toMatchObject({
      ok: false,
      code: 'badRequest',
      message: expect.stringContaining('at least 3'),
    });
  });
});

test('tasks of a tenant that is passed over leave those of others in their order', () => {
  const shard = new TestShard();
  shard.submit([idOf(1), idOf(2), idOf(3)], aSpec({ tenant: 'big' }));
  shard.atMs = 10;
  shard.submit([idOf(4)], aSpec({ tenant: 'small' }));
  const offered = (limit: number, mayPlace?: (tenant: string) => boolean) =>
    shard.machine
      .readyBatches(limit, epochMs + 1_000, mayPlace)
      .map(({ count, tasks }) => [count, ...tasks.map(task => task.id)]);
  expect(offered(2)).toEqual([
    [3, idOf(1), idOf(2)],
    [1, idOf(4)],
  ]);
  expect(offered(2, tenant => tenant !== 'big')).toEqual([[1, idOf(4)]]);
  expect(offered(2, () => false)).toEqual([]);
});
