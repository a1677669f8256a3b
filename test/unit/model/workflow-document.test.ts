/** Workflow documents: their order, and everything that is refused, with the place and why. */
import { describe, expect, test } from 'vitest';
import { drawCycle, inOrder } from '../../../src/model/graph.ts';
import { formatTaskId } from '../../../src/model/ids.ts';
import { limits } from '../../../src/model/limits.ts';
import { readWorkflowDocument } from '../../../src/model/workflow-document.ts';

const defaults = { tenant: 'default', owner: 'ann' };
const read = (document: unknown) => readWorkflowDocument(document, defaults);
const task = (name: string, after?: unknown, more: object = {}) => ({
  name,
  command: ['true'],
  ...(after === undefined ? {} : { after }),
  ...more,
});

function problemsOf(document: unknown): string[] {
  const reading = read(document);
  if (reading.ok) throw new Error('nothing is wrong with it');
  return reading.problems.map(({ pointer, message }) => `${pointer}: ${message}`);
}

describe('a workflow', () => {
  test('is put into an order in which parents stand before their children', () => {
    const reading = read({
      workflow: 'nightly',
      tasks: [task('d', ['b', 'c']), task('b', 'a'), task('c', ['a']), task('a')],
    });
    expect(reading.ok && reading.workflow.name).toBe('nightly');
    const tasks = reading.ok ? reading.workflow.tasks : [];
    expect(tasks.map(({ spec, parents }) => [spec.name, parents])).toEqual([
      ['a', []],
      ['b', [0]],
      ['c', [0]],
      ['d', [1, 2]],
    ]);
  });

  test('may wait for tasks outside by their IDs, and keeps each condition', () => {
    const outside = formatTaskId({ atMs: 1, slot: 2, random: 3 });
    const reading = read({
      tasks: [
        task('a'),
        task('b', ['a', outside], { when: 'failure' }),
        task('c', ['b'], { when: 'always' }),
      ],
    });
    const [, b, c] = reading.ok ? reading.workflow.tasks : [];
    expect(b?.spec).toMatchObject({ after: [outside], when: 'failure' });
    expect(b?.parents).toEqual([0]);
    expect([c?.spec.when, c?.spec.after]).toEqual(['always', undefined]);
  });

  test('with a cycle is refused, and the cycle is drawn', () => {
    expect(
      problemsOf({
        tasks: [
          task('x'),
          task('a', ['c', 'x']),
          task('b', ['a']),
          task('c', ['b']),
          task('d', ['a']),
        ],
      }),
    ).toEqual([
      expect.stringMatching(
        /^\/tasks\/\d\/after: .*: (a → b → c → a|b → c → a → b|c → a → b → c)$/,
      ),
    ]);
  });

  test.each([
    [
      'unknown names',
      [task('load'), task('b', ['loa'])],
      '/tasks/1/after/0',
      'did you mean `load`?',
    ],
    ['a name twice', [task('a'), task('a')], '/tasks/1/name', 'the name of task 1'],
    ['a task that waits for itself', [task('a', ['a'])], '/tasks/0/after/0', 'waits for itself'],
    ['a parent twice', [task('a'), task('b', ['a', 'a'])], '/tasks/1/after/1', 'twice'],
    ['a task without a name', [{ command: ['true'] }], '/tasks/0', 'needs a `name`'],
    ['a name with a slash', [task('a/b')], '/tasks/0/name', 'letters, digits'],
    ['an order key', [task('a', undefined, { orderKey: 'k' })], '/tasks/0/orderKey', 'order'],
    [
      'an idempotency key',
      [task('a', undefined, { idempotencyKey: 'k' })],
      '/tasks/0/idempotencyKey',
      'whole',
    ],
    ['an array', [task('a', undefined, { array: '1-3' })], '/tasks/0/array', 'write its tasks out'],
    ['when without after', [task('a', undefined, { when: 'always' })], '/tasks/0/when', '`after`'],
    [
      'an unknown condition',
      [task('a'), task('b', ['a'], { when: 'maybe' })],
      '/tasks/1/when',
      'success, failure or always',
    ],
    ['a mistake in a task', [task('a', undefined, { cpu: 'much' })], '/tasks/0/cpu', 'CPUs'],
    ['no tasks', [], '/tasks', 'a list of tasks, not an empty one'],
    ['a task in place of a list', {}, '/tasks', 'a list of tasks, not a map'],
  ])('is refused with %s', (_what, tasks, pointer, words) => {
    const problems = problemsOf({ tasks });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(`${pointer}: `);
    expect(problems[0]).toContain(words);
  });

  test('tells all its problems at once, and what its own fields are', () => {
    const problems = problemsOf({
      taks: [],
      tasks: [task('a', ['b']), task('c', undefined, { cpu: -1 })],
    });
    expect(problems[0]).toBe('/taks: unknown field `taks`; did you mean `tasks`?');
    expect(problems.length).toBeGreaterThan(1);
  });

  test('has its bounds', () => {
    const many = Array.from({ length: limits.workflowTasksMax + 1 }, (_, n) => task(`t${n}`));
    expect(problemsOf({ tasks: many })[0]).toContain('at most 10000');
    const fan = Array.from({ length: 500 }, (_, n) =>
      task(`t${n}`, n === 0 ? undefined : Array.from({ length: n }, (_x, parent) => `t${parent}`)),
    );
    expect(problemsOf({ tasks: fan })[0]).toContain('more than 100000');
  });
});

describe('a graph', () => {
  test('of ten thousand in a row is put in order, and a long cycle is drawn short', () => {
    const chain = Array.from({ length: 10_000 }, (_, n) => (n === 9_999 ? [] : [n + 1]));
    expect(inOrder(chain)).toEqual({ order: Array.from({ length: 10_000 }, (_, n) => 9_999 - n) });
    const circle = Array.from({ length: 100 }, (_, n) => [(n + 1) % 100]);
    const found = inOrder(circle);
    const cycle = 'cycle' in found ? found.cycle : [];
    expect(cycle).toHaveLength(100);
    for (const [place, index] of cycle.entries()) {
      expect(circle[cycle[(place + 1) % 100]!]).toContain(index);
    }
    const drawn = drawCycle(cycle.map(String));
    expect(drawn).toContain('… 92 more …');
    expect(drawn.split(' → ')[0]).toBe(drawn.split(' → ').at(-1));
  });
});
