/** Tasks that are not to start before a time: `--at` and `--in`. */
import { describe, expect, test } from 'vitest';
import { toView } from '../../../src/shard/view.ts';
import { aSpec, epochMs, idOf, TestShard } from '../../support/shard.ts';

const view = (shard: TestShard) =>
  toView(shard.machine.record(idOf(1))!, aSpec(), { shard: 1, stale: false });

describe('a task that waits for its time', () => {
  test('is ready then and not before, and says why it waits', () => {
    const shard = new TestShard();
    shard.submit([idOf(1)], aSpec({ notBeforeMs: epochMs + 5_000 }));
    expect(view(shard)).toMatchObject({ reason: 'BeginTime', notBeforeMs: epochMs + 5_000 });
    expect(shard.machine.readyCount(epochMs + 4_999)).toBe(0);
    expect(shard.machine.nextReadyAtMs()).toBe(epochMs + 5_000);
    expect(shard.machine.readyCount(epochMs + 5_000)).toBe(1);
  });

  test('counts a delay from its submit, so that a repeat is the same task', () => {
    const shard = new TestShard();
    const spec = aSpec({ delayMs: 2_000 });
    shard.atMs = 1_000;
    shard.submit([idOf(1)], spec);
    shard.atMs = 1_500;
    expect(shard.submit([idOf(1)], spec).replies[0]).toMatchObject({ ok: true, repeated: true });
    expect(shard.machine.nextReadyAtMs()).toBe(epochMs + 3_000);
  });

  test('is ready at once where the time is past', () => {
    const shard = new TestShard();
    shard.submit([idOf(1)], aSpec({ notBeforeMs: epochMs - 1 }));
    expect(view(shard).reason).toBe('Queued');
    expect(shard.machine.readyCount(epochMs)).toBe(1);
  });

  test('waits on after a restart, and is cancelled like any other', () => {
    const shard = new TestShard();
    shard.submit([idOf(1)], aSpec({ notBeforeMs: epochMs + 5_000 }));
    shard.flush();
    shard.machine = shard.restarted();
    expect(shard.machine.readyCount(epochMs + 4_999)).toBe(0);
    expect(shard.machine.nextReadyAtMs()).toBe(epochMs + 5_000);
    shard.cancel(idOf(1));
    expect(shard.machine.record(idOf(1))!.state).toBe('cancelled');
    expect(shard.machine.counts().waiting).toBe(0);
  });

  test('backs off for another reason once it ran and failed', () => {
    const shard = new TestShard();
    const backoff = { initialMs: 1_000, maxMs: 1_000 };
    shard.submit([idOf(1)], aSpec({ notBeforeMs: epochMs + 5_000, attempts: 2, backoff }));
    shard.atMs = 6_000;
    shard.runOnce(idOf(1), 'failed');
    expect(view(shard)).toMatchObject({ reason: 'BackOff', notBeforeMs: epochMs + 7_000 });
  });
});
