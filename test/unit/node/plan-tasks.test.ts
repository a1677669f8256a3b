import { describe, expect, test } from 'vitest';
import type { NodeView } from '../../../src/model/planning.ts';
import type { TaskSpec } from '../../../src/model/spec.ts';
import { type PlanQuestion, planTasks } from '../../../src/node/plan-tasks.ts';
import { cpus, taskId, view } from '../placement/builders.ts';
import { someSpec } from './small-world.ts';

const task = (changes: Partial<TaskSpec> = {}, count = 1) => ({
  spec: someSpec({ tier: 'basic', request: cpus(1), ...changes }),
  count,
});

const ask = (
  tasks: PlanQuestion['tasks'],
  views: readonly NodeView[],
  changes: Partial<PlanQuestion> = {},
) =>
  planTasks({
    tasks,
    views,
    refusal: () => undefined,
    heldBack: () => undefined,
    nowMs: 1_000,
    wallMs: 1_700_000_000_000,
    seed: 1,
    ...changes,
  });

describe('a plan', () => {
  test('says where tasks would start, each after those before it', () => {
    const plans = ask([task({}, 2), task()], [view('a', 2), view('b', 1)]);
    expect(plans.map(({ verdict, waiting }) => [verdict, waiting])).toEqual([
      ['starts', 0],
      ['starts', 0],
    ]);
    const counts = new Map<string, number>();
    for (const { places } of plans) {
      for (const { node, count } of places) counts.set(node, (counts.get(node) ?? 0) + count);
    }
    expect([...counts].sort()).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
  });

  test('says how many of an array would wait, and what each node says', () => {
    const [planned] = ask([task({}, 5)], [view('a', 2)]);
    expect(planned).toMatchObject({ verdict: 'waits', reason: 'Resources', waiting: 3 });
    expect(planned?.message).toBe(
      '3 of 5 would wait: every node that could run it is full; the others would start now on name-a (2)',
    );
    // Beside those that would start there.
    expect(planned?.nodes).toMatchObject([{ node: 'a', sentence: 'cpu: needs 1, has 0 free' }]);
    const [first] = ask([task(), task({}, 2)], [view('a', 2)]);
    expect(first?.nodes).toMatchObject([{ verdict: { kind: 'fits' } }]);
  });

  test('says whether a gang would start whole, or wait whole', () => {
    const gang = (size: number) => task({ gang: size }, size);
    const views = [view('a', 2), view('b', 1), view('c', 1, { advertisement: { free: cpus(0) } })];
    const [starts] = ask([gang(3)], views);
    expect(starts).toMatchObject({ verdict: 'starts', waiting: 0 });
    expect(starts?.places.reduce((sum, { count }) => sum + count, 0)).toBe(3);
    expect(ask([gang(4), task({}, 3)], views)).toMatchObject([
      {
        verdict: 'waits',
        reason: 'Resources',
        waiting: 4,
        places: [],
        message: 'would wait: every node that could run it is full',
      },
      { verdict: 'starts' },
    ]);
    // Room would be kept for it where it is urgent, which is what the others wait for.
    const urgent = ask([task({ gang: 4, toleranceMs: 10_000 }, 4), task({}, 1)], views);
    expect(urgent.map(({ reason }) => reason)).toEqual(['Resources', 'Priority']);
  });

  test('says what keeps a task from starting whatever nodes have, and by when it should', () => {
    const wallMs = 1_700_000_000_000;
    const tolerance = { toleranceMs: 60_000 };
    const plans = ask(
      [
        task(tolerance),
        task({ ...tolerance, delayMs: 5_000 }),
        task({ ...tolerance, notBeforeMs: wallMs + 9_000 }),
        task({ ...tolerance, after: [taskId(1)] }),
      ],
      [view('a', 4)],
    );
    expect(
      plans.map(({ verdict, reason, startBoundMs }) => [verdict, reason, startBoundMs]),
    ).toEqual([
      ['starts', undefined, wallMs + 60_000],
      ['waits', 'BeginTime', wallMs + 65_000],
      ['waits', 'BeginTime', wallMs + 69_000],
      ['waits', 'Dependency', undefined],
    ]);
    expect(plans[1]?.message).toBe('would wait: it is not to start for 5s');
    expect(plans[2]?.message).toBe('would wait: it is not to start before 2023-11-14T22:13:29Z');
    const [night] = ask(
      [task({ offPeak: { byLoad: false, windows: [{ days: 127, from: 180, to: 240 }] } })],
      [view('a', 4)],
    );
    expect(night).toMatchObject({
      reason: 'OffPeak',
      message: expect.stringMatching(/: it is held/),
    });
  });

  test('counts no place in the queue of a full node', () => {
    const full = view('a', 1, { advertisement: { free: cpus(0), queueRoom: 5 } });
    expect(ask([task()], [full])).toMatchObject([{ verdict: 'waits', waiting: 1, places: [] }]);
  });

  test('tells what would not be let in, and takes no room for it', () => {
    const refused = { code: 'notInPlan', message: 'the plan allows tier basic' } as const;
    const refusal = (spec: TaskSpec) => (spec.tier === 'premium' ? refused : undefined);
    const plans = ask([task({ tier: 'premium' }), task()], [view('a', 1)], { refusal });
    expect(plans).toMatchObject([{ verdict: 'refused', ...refused }, { verdict: 'starts' }]);
  });

  test.each(['Paused', 'Quota'] as const)('leaves tasks of a tenant that is held: %s', why => {
    const heldBack = (tenant: string) => (tenant === 'busy' ? why : undefined);
    const plans = ask([task({ tenant: 'busy' }), task()], [view('a', 1)], { heldBack });
    expect(plans).toMatchObject([
      { verdict: 'waits', reason: why, waiting: 1 },
      { verdict: 'starts' },
    ]);
  });

  test('starts no more of one key than may run at a time', () => {
    const plans = ask(
      [
        task({ orderKey: 'k' }, 3),
        task({ orderKey: 'k' }),
        task({ maxRunningPer: { key: 'k', max: 2 } }, 3),
        task(),
      ],
      [view('a', 9)],
    );
    expect(plans).toMatchObject([
      { verdict: 'waits', reason: 'OrderKey', waiting: 2 },
      { verdict: 'waits', reason: 'OrderKey', waiting: 1 },
      { verdict: 'waits', reason: 'MaxRunning', waiting: 1 },
      { verdict: 'starts' },
    ]);
  });
});
