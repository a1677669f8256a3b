/** What keeps a waiting task out of the ready queue, and what lets it back in. */
import { describe, expect, test } from 'vitest';
import { formatTaskId, type TaskId } from '../../../src/model/ids.ts';
import { limits } from '../../../src/model/limits.ts';
import { holdBit, reasonOfHolds } from '../../../src/model/task.ts';
import { checkState } from '../../../src/shard/invariants.ts';
import { digestWords } from '../../../src/shard/keys.ts';
import { packId } from '../../../src/shard/memory/id-words.ts';
import { stateCode } from '../../../src/shard/memory/task-table.ts';
import { ShardState } from '../../../src/shard/state.ts';
import { aSpec, epochMs, specEntry } from '../../support/shard.ts';

function stateWith(...holds: number[]): { state: ShardState; rows: number[] } {
  const state = new ShardState(1);
  state.beginCommand(1, epochMs + 1_000);
  const spec = aSpec();
  const { digest, bytes } = specEntry(spec);
  const place = state.specs.add(
    digestWords(digest),
    state.specs.internTraits(spec),
    undefined,
    bytes,
  );
  const rows = holds.map((bits, random) => {
    const id: TaskId = formatTaskId({ atMs: epochMs, slot: 7, random });
    packId(id, state.words);
    return state.admit({ id, spec: 0 }, place, bits);
  });
  return { state, rows };
}

describe('a task that is held', () => {
  test('is not offered until its last hold is gone, and is ready as of then', () => {
    const { state, rows } = stateWith(holdBit('dependency') | holdBit('paused'), 0);
    const [held] = rows as [number, number];
    const dependency = { unmet: 1, anyFailed: false, awaited: [], inputs: [] };
    state.table.ensureDetail(held).dependency = dependency;
    expect(state.ready.count(epochMs + 2_000)).toBe(1);
    state.release(held, 'paused');
    checkState(state);
    expect(state.ready.count(epochMs + 2_000)).toBe(1);
    state.beginCommand(2, epochMs + 5_000);
    dependency.unmet = 0;
    state.release(held, 'dependency');
    checkState(state);
    expect(state.ready.count(epochMs + 6_000)).toBe(2);
    expect(state.table.readySince(held)).toBe(epochMs + 5_000);
  });

  test('leaves the queue, and a hold twice is one', () => {
    const { state, rows } = stateWith(0);
    state.hold(rows[0]!, 'paused');
    state.hold(rows[0]!, 'paused');
    checkState(state);
    expect([state.held, state.ready.count(epochMs + 2_000)]).toEqual([1, 0]);
    state.release(rows[0]!, 'paused');
    state.release(rows[0]!, 'paused');
    checkState(state);
    expect([state.held, state.ready.count(epochMs + 2_000)]).toEqual([0, 1]);
  });

  test('while it runs waits when it comes back', () => {
    const { state, rows } = stateWith(0);
    const row = rows[0]!;
    state.assign(row, { node: 'n1', nodeName: 'one', incarnation: 'i' });
    state.hold(row, 'paused');
    checkState(state);
    expect(state.held).toBe(0);
    state.endLive(row);
    state.table.setLost(row, 1);
    state.wait(row, epochMs + 1_000, false);
    checkState(state);
    expect([state.held, state.ready.count(epochMs + 2_000)]).toEqual([1, 0]);
  });

  test('settles like any other', () => {
    const { state, rows } = stateWith(holdBit('orderKey'));
    state.leaveQueue(rows[0]!);
    state.settle(rows[0]!, stateCode.cancelled, { reason: 'no' });
    checkState(state);
    expect([state.held, state.table.holds(rows[0]!)]).toEqual([0, 0]);
  });

  test('shows the first of what holds it, and before all that somebody paused it', () => {
    expect(reasonOfHolds(holdBit('gang') | holdBit('dependency'))).toBe('Dependency');
    expect(reasonOfHolds(holdBit('paused') | holdBit('dependency'))).toBe('Paused');
    expect(reasonOfHolds(holdBit('paused'))).toBe('Paused');
    expect(reasonOfHolds(0)).toBeUndefined();
  });
});

describe('the start bound of a task that was held', () => {
  test('counts from when the last hold was gone, also where a node had it meanwhile', () => {
    const { state, rows } = stateWith(holdBit('permit'), 0);
    const [held, free] = rows as [number, number];
    expect(state.due.hasBound(held)).toBe(false);
    state.assign(free, { node: 'n1', nodeName: 'one', incarnation: 'i' });
    state.hold(free, 'paused');
    checkState(state);
    state.beginCommand(2, epochMs + 5_000);
    for (const [row, kind] of [
      [held, 'permit'],
      [free, 'paused'],
    ] as const) {
      state.release(row, kind);
      checkState(state);
    }
    const boundMs = (row: number): number => state.due.boundMs(row) - limits.toleranceMsDefault;
    expect([boundMs(held), boundMs(free)]).toEqual([epochMs + 5_000, epochMs + 1_000]);
    expect(state.due.size).toBe(2);
  });
});
