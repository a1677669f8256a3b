/** What would become of a workflow: by its stages, its kinds of tasks, and as a whole. */
import { describe, expect, test } from 'vitest';
import { limits } from '../../../src/model/limits.ts';
import type { NodeView } from '../../../src/model/planning.ts';
import type { TaskSpec } from '../../../src/model/spec.ts';
import { planTasks } from '../../../src/node/plan-tasks.ts';
import { planWorkflow } from '../../../src/node/plan-workflow.ts';
import type { WorkflowTaskRequest } from '../../../src/ports/workflow-api.ts';
import { cpus, view } from '../placement/builders.ts';
import { someSpec } from './small-world.ts';

const task = (
  name: string,
  parents: readonly number[] = [],
  changes: Partial<TaskSpec> = {},
): WorkflowTaskRequest => ({
  spec: someSpec({ name, tier: 'basic', request: cpus(1), ...changes }),
  parents,
});

function ask(
  tasks: readonly WorkflowTaskRequest[],
  views: readonly NodeView[],
  refusal?: Parameters<typeof planWorkflow>[1]['refusal'],
) {
  const questions: number[] = [];
  const mayNot = (spec: TaskSpec) =>
    spec.tier === 'premium' ? ({ code: 'notInPlan', message: 'no premium' } as const) : undefined;
  const planned = planWorkflow(
    { name: 'w', tenant: 'default', owner: 'ann', tasks },
    {
      refusal,
      mayNot,
      plan: asked => {
        questions.push(asked.length);
        const at = { nowMs: 1_000, wallMs: 1_700_000_000_000, seed: 1 };
        const [held, refused] = [() => undefined, mayNot];
        return planTasks({ tasks: asked, views, refusal: refused, heldBack: held, ...at });
      },
    },
  );
  return { planned, questions };
}

describe('the plan of a workflow', () => {
  test('tells stages, what the first would do together, and each other by itself', () => {
    const large = { request: cpus(2) };
    const { planned, questions } = ask(
      [task('a'), task('b', [], large), task('c', [0]), task('d', [0, 1], large), task('e', [3])],
      [view('n', 2)],
    );
    expect(planned).toMatchObject({ verdict: 'waits', total: 5 });
    expect(planned.message).toBe(
      '1 of the 2 that wait for no other would start now, the rest would wait',
    );
    expect(planned.stages).toEqual([
      { tasks: 2, starts: 1, waits: 1, refused: 0 },
      { tasks: 2, starts: 2, waits: 0, refused: 0 },
      { tasks: 1, starts: 1, waits: 0, refused: 0 },
    ]);
    expect(
      planned.tasks.map(({ name, stage, verdict, reason }) => [name, stage, verdict, reason]),
    ).toEqual([
      ['a', 1, 'starts', undefined],
      ['b', 1, 'waits', 'Resources'],
      ['c', 2, 'waits', 'Dependency'],
      ['d', 2, 'waits', 'Dependency'],
      ['e', 3, 'waits', 'Dependency'],
    ]);
    expect(planned.tasks[3]).toMatchObject({
      after: ['a', 'b'],
      message: 'waits for a, b; then it would start by what nodes have now, on name-n',
      places: [{ node: 'n' }],
      alone: 'starts',
      toleranceMs: limits.toleranceMsDefault,
    });
    expect(planned.tasks[3]?.startBoundMs).toBeUndefined();
    expect(planned.tasks[0]?.startBoundMs).toBe(1_700_000_000_000 + limits.toleranceMsDefault);
    // All of the first stage at once, then one for each kind.
    expect(questions).toEqual([2, 1, 1]);
  });

  test('is refused as a whole where one task is, and says all that are', () => {
    const { planned } = ask(
      [task('a'), task('b', [0], { tier: 'premium' }), task('c', [1], { tier: 'premium' })],
      [view('n', 4)],
    );
    expect(planned).toMatchObject({
      verdict: 'refused',
      code: 'notInPlan',
      message: 'task b: no premium (and 1 more tasks)',
    });
    expect(planned.tasks.map(({ verdict }) => verdict)).toEqual(['starts', 'refused', 'refused']);
    expect(planned.stages[1]).toEqual({ tasks: 1, starts: 0, waits: 0, refused: 1 });
    const tooMany = { code: 'tooLarge', message: 'more than may be submitted at once' } as const;
    expect(ask([task('a')], [view('n', 4)], tooMany).planned).toMatchObject({
      verdict: 'refused',
      ...tooMany,
      stages: [{ tasks: 1, starts: 1 }],
    });
  });

  test('of ten thousand tasks is bounded, with what is refused in it', () => {
    const chain = Array.from({ length: limits.workflowTasksMax }, (_, place) =>
      task(`t${place}`, place === 0 ? [] : [place - 1], {
        // Each another kind; the last is refused.
        request: cpus(1 + (place % 200) / 1_000),
        tier: place === limits.workflowTasksMax - 1 ? 'premium' : 'basic',
      }),
    );
    const { planned, questions } = ask(chain, [view('n', 4)]);
    expect(planned).toMatchObject({ verdict: 'refused', total: 10_000 });
    expect(planned.tasks).toHaveLength(limits.plannedRowsMax);
    expect(planned.tasks.at(-1)).toMatchObject({
      name: 't9999',
      verdict: 'refused',
      stage: 10_000,
    });
    expect(planned.stages).toHaveLength(10_000);
    expect(questions).toHaveLength(1 + limits.plannedKindsMax);
    const unknown = planned.tasks.find(({ stage, alone }) => stage > 1 && alone === undefined);
    expect(unknown?.message).toMatch(
      /^waits for t\d+; where it would start then was not looked at$/,
    );
    expect(planned.stages.reduce((sum, stage) => sum + stage.tasks, 0)).toBe(10_000);
  });
});
