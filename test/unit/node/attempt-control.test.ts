/** What a leader tells the worker of an attempt that is to stand still, or has another cap. */
import { describe, expect, test } from 'vitest';
import { decodeSpec } from '../../../src/model/spec.ts';
import type { TaskChange } from '../../../src/model/task-change.ts';
import { LeaderBench } from './leader-bench.ts';

const ann = { name: 'ann', tenant: 'default' };

async function running(): Promise<{
  bench: LeaderBench;
  attempt: Awaited<ReturnType<LeaderBench['assign']>>;
  change: (body: object) => Promise<unknown>;
}> {
  const bench = new LeaderBench();
  const attempt = await bench.assign();
  bench.hear({ kind: 'started', shard: 1, ...attempt, startedAtMs: 5 });
  await bench.hand.pass(10);
  expect(bench.state()).toBe('running');
  bench.told.length = 0;
  const items = [{ taskId: attempt.taskId }];
  const change = (body: object) =>
    bench.leader.change({ ...body, items } as unknown as TaskChange, ann);
  return { bench, attempt, change };
}

describe('an attempt that is to stand still', () => {
  test('is told so until its worker says that it does, then left alone', async () => {
    const { bench, attempt, change } = await running();
    await change({ kind: 'pause', suspend: true, reason: '' });
    await bench.hand.pass(2_600);
    const told = bench.take('control');
    expect(told.length).toBeGreaterThanOrEqual(3);
    expect(told.every(message => message.suspended)).toBe(true);
    bench.hear({ kind: 'controlled', shard: 1, ...attempt, suspended: true, capMs: undefined });
    await bench.hand.pass(10);
    bench.take('control');
    expect(bench.leader.machine.attempt(attempt.taskId, attempt.fence)?.suspended).toBe(true);
    await bench.hand.pass(10_000);
    expect(bench.take('control')).toEqual([]);
    await change({ kind: 'resume' });
    expect(bench.take('control').map(message => message.suspended)).toEqual([false]);
  });

  test('is told again where its worker repeats what was before, and believed when it does so', async () => {
    const { bench, attempt, change } = await running();
    const says = (suspended: boolean) =>
      bench.hear({ kind: 'controlled', shard: 1, ...attempt, suspended, capMs: undefined });
    await change({ kind: 'pause', suspend: true, reason: '' });
    bench.take('control');
    says(false);
    await bench.hand.pass(2_600);
    expect(bench.take('control').length).toBeGreaterThanOrEqual(2);
    says(true);
    await bench.hand.pass(10);
    bench.take('control');
    says(true);
    await bench.hand.pass(10_000);
    expect(bench.take('control')).toEqual([]);
  });

  test('is told again where a late word says that it does the opposite', async () => {
    const { bench, attempt } = await running();
    bench.hear({ kind: 'controlled', shard: 1, ...attempt, suspended: true, capMs: undefined });
    await bench.hand.pass(10);
    expect(bench.take('control').map(message => message.suspended)).toEqual([false]);
  });

  test('is told so behind each dispatch, and goes back once its worker refuses', async () => {
    const bench = new LeaderBench();
    const attempt = await bench.assign();
    const items = [{ taskId: attempt.taskId }];
    bench.told.length = 0;
    await bench.leader.change({ kind: 'pause', items, suspend: true, reason: '' }, ann);
    await bench.hand.pass(3_000);
    const [first, second] = bench.told;
    expect([first?.kind, second?.kind]).toEqual(['dispatch', 'control']);
    bench.hear({ kind: 'refused', shard: 1, ...attempt, why: 'paused' });
    await bench.hand.pass(10);
    expect(bench.state()).toBe('waiting');
  });

  test('follows its tenant and the whole cluster, without a word in its shard', async () => {
    const { bench, attempt } = await running();
    bench.pauses.set('default', { by: 'ann', atMs: 1, reason: '', suspend: true });
    await bench.hand.pass(6_000);
    expect(bench.take('control').at(-1)).toMatchObject({ suspended: true });
    bench.hear({ kind: 'controlled', shard: 1, ...attempt, suspended: true, capMs: undefined });
    await bench.hand.pass(10);
    bench.pauses.clear();
    await bench.hand.pass(6_000);
    expect(bench.take('control').at(-1)).toMatchObject({ suspended: false });
  });
});

describe('another cap', () => {
  test('of a running attempt is told until its worker confirms exactly that', async () => {
    const { bench, attempt, change } = await running();
    await change({ kind: 'update', overrides: { capMs: 5_000 } });
    expect(bench.take('control')).toMatchObject([{ suspended: false, capMs: 5_000 }]);
    bench.hear({ kind: 'controlled', shard: 1, ...attempt, suspended: false, capMs: 4_000 });
    await bench.hand.pass(6_000);
    expect(bench.take('control').length).toBeGreaterThan(0);
    bench.hear({ kind: 'controlled', shard: 1, ...attempt, suspended: false, capMs: 5_000 });
    await bench.hand.pass(10_000);
    bench.take('control');
    await bench.hand.pass(10_000);
    expect(bench.take('control')).toEqual([]);
  });

  test('of a waiting task goes along with its dispatch', async () => {
    const bench = new LeaderBench();
    const taskId = bench.leader.machine.hotIds().next().value!;
    const overrides = { capMs: 5_000, name: 'late' };
    await bench.leader.change({ kind: 'update', items: [{ taskId }], overrides }, ann);
    await bench.assign();
    const [dispatch] = bench.take('dispatch');
    expect(decodeSpec(dispatch!.spec)).toMatchObject({ capMs: 5_000, name: 'late' });
  });
});

test('tasks of a paused tenant are not offered to the planner', () => {
  const bench = new LeaderBench();
  expect(bench.leader.mayPlace('default')).toBe(true);
  bench.pauses.set('*', { by: 'ann', atMs: 1, reason: '', suspend: false });
  expect(bench.leader.mayPlace('default')).toBe(false);
});
