import { describe, expect, test } from 'vitest';
import { systemOutcome } from '../../../src/model/attempt.ts';
import type { TaskId } from '../../../src/model/ids.ts';
import type { TaskSpec } from '../../../src/model/spec.ts';
import { Renewals } from '../../../src/node/renewals.ts';
import { anOutcome, aSpec, idOf, specEntry } from '../../support/shard.ts';
import { LeaderBench } from './leader-bench.ts';

/** 1.1 L + 1 s of the default lease. */
const patienceMs = 23_000;

describe('the end of a lease', () => {
  test('an attempt is lost 1.1 L + 1 s after its assignment when nothing is heard', async () => {
    const bench = new LeaderBench();
    await bench.assign();
    await bench.hand.pass(patienceMs - 500);
    expect(bench.state()).toBe('assigned');
    await bench.hand.pass(1_500);
    expect(bench.state()).toBe('waiting');
  });

  test('the patience counts from the receipt of a renewal, not from its acknowledgement', async () => {
    const bench = new LeaderBench();
    await bench.assign();
    await bench.hand.pass(10_000);
    bench.hear({ kind: 'renew', shard: 1, incarnation: 'n1-a', sequence: 5, asks: [] });
    await bench.hand.pass(3_000);
    await bench.readsDone();
    await bench.hand.pass(patienceMs - 4_000);
    expect(bench.state()).toBe('assigned');
    await bench.hand.pass(2_000);
    expect(bench.state()).toBe('waiting');
  });

  test('a renewal whose read round is not done yet extends nothing', async () => {
    const bench = new LeaderBench();
    await bench.assign();
    await bench.hand.pass(10_000);
    bench.hear({ kind: 'renew', shard: 1, incarnation: 'n1-a', sequence: 5, asks: [] });
    await bench.hand.pass(patienceMs - 9_000);
    expect(bench.take('renewAck')).toEqual([]);
    expect(bench.state()).toBe('waiting');
  });

  test('a renewal of another supervisor of the node extends nothing', async () => {
    const bench = new LeaderBench();
    await bench.assign();
    await bench.hand.pass(10_000);
    bench.hear({ kind: 'renew', shard: 1, incarnation: 'n1-b', sequence: 5, asks: [] });
    await bench.readsDone();
    await bench.hand.pass(patienceMs - 9_000);
    expect(bench.state()).toBe('waiting');
  });

  test('an attempt whose loss is on its way through the log is not confirmed any more', async () => {
    const bench = new LeaderBench();
    const attempt = await bench.assign();
    bench.holding = true;
    await bench.hand.pass(patienceMs + 1_000);
    bench.told.length = 0;
    await bench.renew(7, [attempt]);
    expect(bench.take('renewAck').map(ack => ack.confirmed)).toEqual([[]]);
    bench.release();
    expect(bench.state()).toBe('waiting');
  });

  test('an attempt whose loss is on its way through the log is not dispatched again', async () => {
    const bench = new LeaderBench();
    await bench.assign();
    bench.holding = true;
    await bench.hand.pass(patienceMs + 1_000);
    bench.told.length = 0;
    await bench.hand.pass(10_000);
    expect(bench.take('dispatch')).toEqual([]);
  });

  test('a leader that was suspended gives every attempt its whole patience again', async () => {
    const bench = new LeaderBench();
    await bench.assign();
    await bench.hand.pass(1_000);
    bench.hand.ms += 3_600_000;
    await bench.hand.pass(patienceMs - 1_000);
    expect(bench.state()).toBe('assigned');
    await bench.hand.pass(2_500);
    expect(bench.state()).toBe('waiting');
  });

  test('renewals are forgotten only where there is no attempt', () => {
    const renewals = new Renewals();
    const whom = (number: number) => ({ node: `n${number}`, incarnation: 'a' });
    for (let number = 0; number < 2_000; number++) {
      renewals.acknowledged(whom(number), { receivedMs: 5, sequence: number });
    }
    renewals.trim([whom(3)]);
    expect(renewals.size).toBe(1);
    expect(renewals.receivedMs(whom(3))).toBe(5);
    expect(renewals.sequence(whom(3))).toBe(3);
  });
});

describe('dispatches', () => {
  test('name the newest renewal that was acknowledged to their supervisor', async () => {
    const bench = new LeaderBench(2);
    await bench.assign(1);
    expect(bench.take('dispatch').map(dispatch => dispatch.renewed)).toEqual([0]);
    await bench.renew(41);
    bench.hear({ kind: 'renew', shard: 1, incarnation: 'n1-a', sequence: 42, asks: [] });
    await bench.assign(2);
    expect(bench.take('dispatch').map(dispatch => dispatch.renewed)).toEqual([41]);
  });

  test('are repeated until the worker answers, then seldom, and not once it runs', async () => {
    const bench = new LeaderBench();
    const attempt = await bench.assign();
    await bench.hand.pass(3_100);
    expect(bench.take('dispatch').length).toBe(4);
    bench.hear({ kind: 'accepted', shard: 1, ...attempt });
    await bench.hand.pass(4_000);
    expect(bench.take('dispatch').length).toBeLessThanOrEqual(1);
    bench.hear({ kind: 'started', shard: 1, ...attempt, startedAtMs: 5 });
    await bench.hand.pass(10_000);
    expect(bench.take('dispatch')).toEqual([]);
  });
});

describe('refusals', () => {
  test('an attempt whose refusal is on its way through the log is not confirmed', async () => {
    const bench = new LeaderBench();
    const attempt = await bench.assign();
    bench.holding = true;
    bench.hear({ kind: 'refused', shard: 1, ...attempt, why: 'noRoom' });
    await bench.hand.pass(10);
    bench.told.length = 0;
    await bench.renew(7, [attempt]);
    expect(bench.take('renewAck').map(ack => ack.confirmed)).toEqual([[]]);
    bench.release();
    expect(bench.state()).toBe('waiting');
  });

  test('a refusal of an attempt that is known to run changes nothing', async () => {
    const bench = new LeaderBench();
    const attempt = await bench.assign();
    bench.hear({ kind: 'started', shard: 1, ...attempt, startedAtMs: 5 });
    await bench.hand.pass(10);
    bench.hear({ kind: 'refused', shard: 1, ...attempt, why: 'noRoom' });
    await bench.hand.pass(10);
    expect(bench.state()).toBe('running');
  });
});

describe('a refusal by a new supervisor', () => {
  const refuse = async (bench: LeaderBench, attempt: { taskId: TaskId; fence: number }) => {
    bench.hear({ kind: 'refused', shard: 1, ...attempt, why: 'wrongIncarnation' });
    await bench.hand.pass(10);
    expect(bench.state()).toBe('waiting');
    return bench.shard.machine.record(attempt.taskId)!;
  };

  test('of the first dispatch says that nothing ever ran', async () => {
    const bench = new LeaderBench();
    const record = await refuse(bench, await bench.assign());
    expect([record.lost, record.attempts]).toEqual([0, []]);
  });

  // Found by a power cut: what had run before it was on no record.
  test.each<[string, (bench: LeaderBench, attempt: { taskId: TaskId; fence: number }) => void]>([
    ['was repeated', () => undefined],
    ['was accepted', (bench, ref) => bench.hear({ kind: 'accepted', shard: 1, ...ref })],
  ])('of a dispatch that %s says that an attempt was lost', async (_what, before) => {
    const bench = new LeaderBench();
    const attempt = await bench.assign();
    before(bench, attempt);
    await bench.hand.pass(1_100);
    const record = await refuse(bench, attempt);
    expect([record.lost, record.runs]).toEqual([1, 0]);
    expect(record.attempts.map(({ fence, outcome }) => [fence, outcome?.kind])).toEqual([
      [1, 'lost'],
    ]);
  });

  test('of what an earlier leader assigned says that an attempt was lost', async () => {
    const bench = new LeaderBench();
    const attempt = await bench.assign();
    bench.succeed();
    const record = await refuse(bench, attempt);
    expect([record.lost, record.runs]).toEqual([1, 0]);
  });
});

describe('reports', () => {
  test('a start of an attempt that the shard gave up is answered with its end', async () => {
    const bench = new LeaderBench();
    const attempt = await bench.assign();
    await bench.hand.pass(patienceMs + 1_000);
    bench.told.length = 0;
    bench.hear({ kind: 'started', shard: 1, ...attempt, startedAtMs: 5 });
    await bench.hand.pass(10);
    expect(bench.take('end').map(end => [end.fence, end.reason])).toEqual([[1, 'superseded']]);
  });

  test('an outcome is acknowledged once it is applied, however often it is repeated', async () => {
    const bench = new LeaderBench();
    const attempt = await bench.assign();
    bench.holding = true;
    const outcome = systemOutcome('succeeded', 5, '');
    for (let repeat = 0; repeat < 3; repeat++) {
      bench.hear({ kind: 'ended', shard: 1, ...attempt, outcome });
      await bench.hand.pass(10);
    }
    expect(bench.take('reportAck')).toEqual([]);
    bench.release();
    await bench.hand.pass(10);
    expect(bench.take('reportAck').map(ack => ack.ended)).toEqual([true]);
    bench.holding = false;
    bench.hear({ kind: 'ended', shard: 1, ...attempt, outcome });
    await bench.hand.pass(10);
    expect(bench.take('reportAck').map(ack => ack.ended)).toEqual([true]);
    expect(bench.state()).toBe('succeeded');
  });

  test('a cancel of an assigned attempt is told until its end is known, and no dispatch', async () => {
    const bench = new LeaderBench();
    const attempt = await bench.assign();
    bench.told.length = 0;
    const actor = { name: 'ann', tenant: 'default' };
    const items = [{ taskId: attempt.taskId }];
    await bench.leader.change({ kind: 'cancel', items, reason: 'no need' }, actor);
    await bench.hand.pass(3_000);
    expect(bench.told.filter(message => message.kind === 'dispatch')).toEqual([]);
    expect(bench.take('end').length).toBeGreaterThanOrEqual(3);
    const outcome = systemOutcome('lost', 5, 'not known on this node');
    bench.hear({ kind: 'ended', shard: 1, ...attempt, outcome });
    await bench.hand.pass(10);
    expect(bench.state()).toBe('cancelled');
  });
});

describe('after a long pause', () => {
  const actor = { name: 'ada', tenant: 'default' };

  const submit = (bench: LeaderBench, n: number, parts: Partial<TaskSpec>) => {
    const batch = { specs: [specEntry(aSpec(parts))], items: [{ id: idOf(n), spec: 0 }] };
    return bench.leader.submit(batch, actor);
  };

  test('what ended waits for the whole of its back-off', async () => {
    const bench = new LeaderBench(1);
    const asked = submit(bench, 2, {
      attempts: 2,
      backoff: { initialMs: 300_000, maxMs: 300_000 },
    });
    await bench.hand.pass(10);
    await asked;
    const attempt = await bench.assign(2);
    bench.hear({ kind: 'accepted', shard: 1, ...attempt });
    for (let minute = 0; minute < 30; minute++) {
      await bench.hand.pass(10_000);
      await bench.renew(minute, [attempt]);
      await bench.hand.pass(10_000);
      await bench.renew(100 + minute, [attempt]);
    }
    bench.hear({ kind: 'ended', shard: 1, ...attempt, outcome: anOutcome('failed') });
    await bench.hand.pass(1_000);
    const wallMs = bench.hand.clock.wallMs();
    expect(bench.shard.machine.record(idOf(2))?.readySinceMs).toBeGreaterThan(wallMs + 140_000);
  });
});
