/** What becomes of attempts that ended: causes, pauses, poison, dead letters. */
import { describe, expect, test } from 'vitest';
import { encodeShardCommand } from '../../../src/model/command.ts';
import type { TaskId } from '../../../src/model/ids.ts';
import { spreadMs } from '../../../src/shard/commands/end-attempt.ts';
import { packId } from '../../../src/shard/memory/id-words.ts';
import { anOutcome, aSpec, epochMs, idOf, specEntry, TestShard } from '../../support/shard.ts';

function adopted(): TestShard {
  const shard = new TestShard();
  shard.apply({ kind: 'adopt', rules: 3 });
  return shard;
}

const supervisorLost = anOutcome('lost', { supervisorLost: true });
const replayOf = (retryOf: TaskId, id: TaskId, spec = aSpec()) => ({
  kind: 'replay' as const,
  specs: [specEntry(spec)],
  items: [{ id, spec: 0, retryOf }],
});
const kinds = (shard: TestShard): string[] => {
  const events = shard.machine.eventsAfter(0, 1_000);
  return events === 'expired' ? [] : events.map(event => event.kind);
};

describe('a failed run', () => {
  test('is followed by another while its cause may be retried, whatever runs are left', () => {
    const shard = adopted();
    shard.submit([idOf(1)], aSpec({ attempts: 9, retryOn: ['75'] }));
    shard.runOnce(idOf(1), anOutcome('failed', { exitCode: 75 }));
    expect(shard.machine.record(idOf(1))?.state).toBe('waiting');
    shard.runOnce(idOf(1), anOutcome('failed', { exitCode: 76 }));
    expect(shard.machine.record(idOf(1))).toMatchObject({
      state: 'failed',
      runs: 2,
      reason: 'not run again: none of 75, which retryOn asks for',
    });
  });

  test('pauses for at least half of its back-off, at most all of it, and not as others do', () => {
    const pauses = Array.from({ length: 2_000 }, (_, n) => {
      const words = new Uint32Array(4);
      packId(idOf(n), words);
      return spreadMs(1_000, words, 1);
    });
    expect(Math.min(...pauses)).toBeGreaterThan(499);
    expect(Math.max(...pauses)).toBeLessThan(1_001);
    expect(new Set(pauses).size).toBeGreaterThan(300);
    const mean = pauses.reduce((sum, pause) => sum + pause, 0) / pauses.length;
    expect(Math.abs(mean - 750)).toBeLessThan(20);
    expect(spreadMs(0, new Uint32Array(4), 1)).toBe(0);
    const day = 86_400_000;
    expect(spreadMs(day, new Uint32Array(4), 3)).toBeGreaterThanOrEqual(day / 2);
  });

  test('waits for that pause in the queue, on every replica alike', () => {
    const shard = adopted();
    const backoff = { initialMs: 10_000, maxMs: 60_000 };
    shard.submit([idOf(1)], aSpec({ attempts: 3, backoff }));
    shard.runOnce(idOf(1), 'failed');
    const since = shard.machine.record(idOf(1))!.readySinceMs - epochMs;
    expect(since).toBeGreaterThanOrEqual(5_000);
    expect(since).toBeLessThanOrEqual(10_000);
    expect(shard.restarted().record(idOf(1))?.readySinceMs).toBe(epochMs + since);
  });
});

describe('a task that may be what ends its nodes', () => {
  test('is given up when a second supervisor ended under it, and goes elsewhere before', () => {
    const shard = adopted();
    shard.submit([idOf(1)]);
    shard.runOnce(idOf(1), supervisorLost, 'n1');
    const record = shard.machine.record(idOf(1));
    expect(record).toMatchObject({ state: 'waiting', lost: 1, runs: 0, avoid: ['n1'] });
    expect(shard.restarted().record(idOf(1))?.supervisorsLost).toBe(1);
    shard.runOnce(idOf(1), supervisorLost, 'n2');
    expect(shard.machine.record(idOf(1))).toMatchObject({ state: 'failed', lost: 2 });
    expect(shard.machine.record(idOf(1))?.reason).toContain('ended under it 2 times');
    expect(shard.machine.isDeadLetter(idOf(1))).toBe(true);
  });

  test('is given up when it was lost five times, for whatever reason', () => {
    const shard = adopted();
    shard.submit([idOf(1)]);
    shard.runOnce(idOf(1), supervisorLost);
    for (let turn = 0; turn < 4; turn++) {
      expect(shard.machine.record(idOf(1))?.state).toBe('waiting');
      const reply = shard.assign(idOf(1)).replies[0]!;
      shard.lose(idOf(1), (reply.ok && reply.fence) || 0);
    }
    expect(shard.machine.record(idOf(1))).toMatchObject({ state: 'failed', lost: 5 });
    expect(shard.machine.isDeadLetter(idOf(1))).toBe(true);
  });

  test('is aborted as before, and its supervisors not counted, where nothing was adopted', () => {
    const shard = new TestShard();
    shard.submit([idOf(1)]);
    for (let turn = 0; turn < 5; turn++) shard.runOnce(idOf(1), supervisorLost);
    expect(shard.machine.record(idOf(1))).toMatchObject({ state: 'aborted', lost: 5 });
    expect(shard.machine.deadLetters).toBe(0);
  });
});

describe('a dead letter', () => {
  test('is a task that failed, and no other that settled', () => {
    const shard = adopted();
    shard.submit([1, 2, 3, 4].map(n => idOf(n)));
    shard.runOnce(idOf(1), 'failed');
    shard.runOnce(idOf(2), 'succeeded');
    shard.runOnce(idOf(3), 'timedOut');
    shard.cancel(idOf(4));
    expect([1, 2, 3, 4].map(n => shard.machine.isDeadLetter(idOf(n)))).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(shard.machine.deadLetters).toBe(2);
    expect(kinds(shard).filter(kind => kind === 'deadLettered')).toHaveLength(2);
  });

  test('is replayed once, and a repeat of that replay is known', () => {
    const shard = adopted();
    shard.submit([idOf(1)]);
    shard.runOnce(idOf(1), 'failed');
    shard.flush();
    expect(shard.apply(replayOf(idOf(1), idOf(2))).replies).toMatchObject([
      { ok: true, taskId: idOf(2), repeated: false },
    ]);
    expect(shard.machine.record(idOf(2))).toMatchObject({ state: 'waiting', retryOf: idOf(1) });
    expect(shard.apply(replayOf(idOf(1), idOf(2))).replies).toMatchObject([
      { ok: true, taskId: idOf(2), repeated: true },
    ]);
    expect(shard.apply(replayOf(idOf(1), idOf(3))).replies).toMatchObject([
      { ok: false, code: 'notDeadLetter' },
    ]);
    shard.flush();
    const restarted = shard.restarted();
    expect([restarted.deadLetters, restarted.knows(idOf(3))]).toEqual([0, false]);
  });

  test('stays one where its replay is refused', () => {
    const shard = adopted();
    shard.submit([idOf(1), idOf(2)]);
    shard.runOnce(idOf(1), 'failed');
    const other = { ...aSpec(), name: 'other' };
    expect(shard.apply(replayOf(idOf(1), idOf(2), other)).replies).toMatchObject([
      { ok: false, code: 'idTaken' },
    ]);
    const none = { ...replayOf(idOf(1), idOf(3)), specs: [] };
    expect(shard.apply(none).replies).toMatchObject([{ ok: false, code: 'badSpec' }]);
    expect(shard.apply(replayOf(idOf(2), idOf(3))).replies).toMatchObject([
      { ok: false, code: 'notSettled' },
    ]);
    expect(shard.apply(replayOf(idOf(9), idOf(3))).replies).toMatchObject([
      { ok: false, code: 'unknownTask' },
    ]);
    expect(shard.machine.isDeadLetter(idOf(1))).toBe(true);
  });

  test('leaves the list when it is purged, and with its task when that expires', () => {
    const shard = adopted();
    shard.submit([idOf(1), idOf(2)]);
    shard.runOnce(idOf(1), 'failed');
    shard.runOnce(idOf(2), 'failed');
    shard.flush();
    const purge = { kind: 'purge' as const, items: [{ taskId: idOf(1) }] };
    expect(shard.apply(purge).replies).toMatchObject([{ ok: true, repeated: false }]);
    expect(shard.apply(purge).replies).toMatchObject([{ ok: true, repeated: true }]);
    shard.atMs = 60_000;
    const { digest } = specEntry(aSpec());
    shard.apply({ kind: 'expire', items: [{ taskId: idOf(2), state: 'failed', digest }] });
    expect(shard.machine.deadLetters).toBe(0);
    shard.flush();
    expect([...shard.stored.keys()].filter(key => key.startsWith('0c'))).toEqual([]);
    expect(shard.restarted().deadLetters).toBe(0);
  });

  test('is found again by a replica that starts from rows and log', () => {
    const shard = adopted();
    shard.submit([idOf(1), idOf(2)]);
    shard.runOnce(idOf(1), 'failed');
    shard.flush();
    shard.runOnce(idOf(2), 'failed');
    const restarted = shard.restarted();
    expect([restarted.isDeadLetter(idOf(1)), restarted.isDeadLetter(idOf(2))]).toEqual([
      true,
      true,
    ]);
    expect(restarted.digest()).toBe(shard.machine.digest());
  });
});

test('rules that only a newer program knows stop the replica, with nothing changed', () => {
  const shard = new TestShard();
  const actor = { name: 'node', tenant: '' };
  const bytes = encodeShardCommand({ kind: 'adopt', rules: 4, actor, atMs: epochMs });
  expect(() => shard.machine.apply(1, bytes)).toThrow('rules of cluster version 4');
  expect([shard.machine.applied, shard.machine.nowMs, shard.machine.rules]).toEqual([0, 0, 1]);
});
