/** Lines of keys: against plain lists, and as the commands keep them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeShardCommand } from '../../../src/model/command.ts';
import { limits } from '../../../src/model/limits.ts';
import { reasonOfHolds } from '../../../src/model/task.ts';
import { Lines } from '../../../src/shard/lines.ts';
import { aSpec, epochMs, idOf, slotOf, specEntry, TestShard } from '../../support/shard.ts';

const ordered = aSpec({ orderKey: 'k' });
const id = (n: number) => idOf(n, slotOf(ordered));
const states = (shard: TestShard, ids: readonly number[]) =>
  ids.map(n => {
    const record = shard.machine.record(id(n));
    return record === undefined ? '-' : `${record.state}${record.holds === 0 ? '' : ' held'}`;
  });

describe('lines', () => {
  test('agree with lists, whoever joins and leaves, also when they are restored', () => {
    const width = fc.constantFrom(1, 1, 2, 4);
    const step = fc.record({ joins: fc.boolean(), row: fc.nat(30), key: fc.nat(3), width });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), steps => {
        let lines = new Lines();
        const lists = new Map<number, { row: number; width: number; isHeld: boolean }[]>();
        const keyOf = new Map<number, number>();
        /** Lets go whoever may, from the front. */
        const letGo = (list: { row: number; width: number; isHeld: boolean }[]): number[] => {
          const released: number[] = [];
          for (const [open, one] of list.entries()) {
            if (!one.isHeld) continue;
            if (open >= one.width) break;
            one.isHeld = false;
            released.push(one.row);
          }
          return released;
        };
        for (const { joins, row, key, width: wide } of steps) {
          const mine = keyOf.get(row);
          if (joins && mine === undefined) {
            const list = lists.get(key) ?? [];
            lists.set(key, list);
            const one = { row, width: wide, isHeld: true };
            list.push(one);
            letGo(list);
            expect(lines.join(row, key, wide)).toBe(one.isHeld);
            keyOf.set(row, key);
          } else if (!joins) {
            const list = mine === undefined ? [] : lists.get(mine)!;
            if (mine !== undefined)
              list.splice(
                list.findIndex(one => one.row === row),
                1,
              );
            keyOf.delete(row);
            expect(lines.leave(row)).toEqual(letGo(list));
          }
          const restored = new Lines();
          for (const [of, list] of lists) {
            expect(lines.length(of)).toBe(list.length);
            for (const [place, one] of list.entries()) {
              expect(lines.ahead(one.row)).toBe(place);
              restored.restore(one.row, of, { ...one, number: lines.number(one.row)! });
            }
          }
          const shown = (of: Lines) =>
            [...of.lines()]
              .sort((left, right) => left.key - right.key)
              .map(({ places }) => places.map(place => [place.row, place.number, place.isHeld]));
          expect(shown(restored)).toEqual(shown(lines));
          if (row % 7 === 0) lines = restored;
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('tasks of an order key', () => {
  test('may be placed one at a time, the next when the one before has settled', () => {
    const shard = new TestShard();
    shard.submit([id(3), id(1), id(2)], { ...ordered, attempts: 2 });
    expect(states(shard, [3, 1, 2])).toEqual(['waiting', 'waiting held', 'waiting held']);
    expect(shard.machine.readyCount(Number.MAX_SAFE_INTEGER)).toBe(1);
    expect(shard.assign(id(1)).replies).toMatchObject([{ ok: false, code: 'badRequest' }]);
    // A run that failed is followed by the next run of the same task.
    shard.runOnce(id(3), 'failed');
    expect(states(shard, [3, 1])).toEqual(['waiting', 'waiting held']);
    const { effects } = shard.runOnce(id(3), 'failed');
    expect(effects).toContainEqual({ kind: 'readyChanged' });
    expect(states(shard, [3, 1, 2])).toEqual(['failed', 'waiting', 'waiting held']);
    expect([1, 2].map(n => shard.machine.aheadInLine(id(n)))).toEqual([0, 1]);
  });

  test('leave the line from its middle and its end without a trace', () => {
    const shard = new TestShard();
    shard.submit([id(1), id(2), id(3)], ordered);
    shard.cancel(id(2));
    expect(states(shard, [1, 3])).toEqual(['waiting', 'waiting held']);
    shard.cancel(id(1));
    expect(states(shard, [3])).toEqual(['waiting']);
    shard.cancel(id(3));
    shard.submit([id(4)], ordered);
    expect(states(shard, [4])).toEqual(['waiting']);
  });

  test('go on when the attempt of a cancelled one has ended, not sooner', () => {
    const shard = new TestShard();
    shard.submit([id(1), id(2)], ordered);
    shard.assign(id(1));
    shard.cancel(id(1));
    expect(states(shard, [2])).toEqual(['waiting held']);
    shard.finish(id(1), 1, 'cancelled');
    expect(states(shard, [2])).toEqual(['waiting']);
  });

  test('stand where they stood on a replica that starts from rows, whatever their IDs say', () => {
    const shard = new TestShard();
    shard.submit([id(9), id(5), id(7), id(1)], ordered);
    shard.flush();
    shard.cancel(id(9));
    shard.submit([id(3)], ordered);
    const restarted = shard.restarted();
    expect([5, 7, 1, 3].map(n => restarted.aheadInLine(id(n)))).toEqual([0, 1, 2, 3]);
    expect(restarted.record(id(5))?.holds).toBe(0);
  });

  test('are told apart by tenant, and have idempotency keys of their own', () => {
    const shard = new TestShard();
    const other = aSpec({ orderKey: 'k', tenant: 'other' });
    shard.submit([id(1)], ordered);
    shard.submit([idOf(2, slotOf(other))], other);
    expect(shard.machine.readyCount(Number.MAX_SAFE_INTEGER)).toBe(2);
    const keyed = aSpec({ orderKey: 'k', idempotencyKey: 'k' });
    const plain = aSpec({ idempotencyKey: 'k' });
    expect(slotOf(keyed)).toBe(slotOf(plain));
    expect(shard.submit([id(3)], keyed).replies).toMatchObject([{ ok: true, repeated: false }]);
    expect(shard.submit([id(4)], plain).replies).toMatchObject([{ ok: true, repeated: false }]);
    expect(shard.submit([id(5)], keyed).replies).toMatchObject([{ taskId: id(3), repeated: true }]);
  });

  test('are refused with an ID in another slot', () => {
    const shard = new TestShard();
    expect(shard.submit([idOf(1, 7)], ordered).replies).toMatchObject([
      { ok: false, code: 'badId', message: expect.stringContaining('order key') },
    ]);
  });

  test('are refused beyond the bound of a line, and taken again once one has settled', () => {
    const shard = new TestShard();
    const actor = { name: 'ann', tenant: 'default' };
    const specs = [specEntry(ordered)];
    const submit = (from: number, count: number) => {
      const items = Array.from({ length: count }, (_, n) => ({ id: id(from + n), spec: 0 }));
      const command = { kind: 'submit' as const, specs, items, actor, atMs: epochMs };
      const { applied } = shard.machine;
      return shard.machine.apply(applied + 1, encodeShardCommand(command)).replies;
    };
    for (let n = 0; n < limits.lineMax; n += 10_000) submit(n, 10_000);
    const more = limits.lineMax;
    expect(submit(more, 1)).toMatchObject([{ ok: false, code: 'tooManyTasks' }]);
    const cancel = { kind: 'cancel' as const, items: [{ taskId: id(0) }], reason: '', actor };
    const { applied } = shard.machine;
    shard.machine.apply(applied + 1, encodeShardCommand({ ...cancel, atMs: epochMs }));
    expect(submit(more, 2)).toMatchObject([{ ok: true }, { ok: false, code: 'tooManyTasks' }]);
  });
});

describe('tasks of a key that bounds how many run', () => {
  const bounded = (max: number) => aSpec({ maxRunningPer: { key: 'db', max }, attempts: 2 });
  const permit = (n: number) => idOf(n, slotOf(bounded(2)));
  const held = (shard: TestShard, ids: readonly number[]) =>
    ids.filter(n => (shard.machine.record(permit(n))?.holds ?? 0) !== 0);

  test('are let go as many at a time as each allows, until they have settled', () => {
    const shard = new TestShard();
    shard.submit([1, 2, 3, 4].map(permit), bounded(2));
    shard.submit([permit(5)], bounded(3));
    expect(held(shard, [1, 2, 3, 4, 5])).toEqual([3, 4, 5]);
    // A run that failed keeps what it has.
    shard.runOnce(permit(1), 'failed');
    expect(held(shard, [1, 2, 3, 4, 5])).toEqual([3, 4, 5]);
    shard.runOnce(permit(1), 'succeeded');
    expect(held(shard, [2, 3, 4, 5])).toEqual([4, 5]);
    // With the one that allows less gone, the next may be the third.
    shard.cancel(permit(4));
    expect(held(shard, [2, 3, 5])).toEqual([]);
    expect(shard.machine.readyCount(Number.MAX_SAFE_INTEGER)).toBe(3);
  });

  test('keep what they were given on a replica that starts from rows, and show why they wait', () => {
    const shard = new TestShard();
    shard.submit([1, 2, 3].map(permit), bounded(2));
    shard.flush();
    shard.lose(permit(1), 0);
    const restarted = shard.restarted();
    expect([1, 2, 3].map(n => reasonOfHolds(restarted.record(permit(n))!.holds))).toEqual([
      undefined,
      undefined,
      'MaxRunning',
    ]);
  });

  test('are no line with tasks that have an order key of the same text', () => {
    const shard = new TestShard();
    const order = aSpec({ orderKey: 'db' });
    shard.submit([permit(1)], bounded(1));
    shard.submit([permit(2)], order);
    expect(shard.machine.readyCount(Number.MAX_SAFE_INTEGER)).toBe(2);
  });
});
