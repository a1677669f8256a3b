/** Workflows that are split over files: what they become, and where what is wrong is told. */
import { describe, expect, test } from 'vitest';
import { CliError } from '../../../cli/cli-error.ts';
import { readTaskFile } from '../../../cli/input/task-file.ts';
import { makeIdSource } from '../../../cli/input/tasks.ts';
import { prepareWorkflow } from '../../../cli/input/workflow.ts';

const prepare = (files: Readonly<Record<string, string>>) =>
  prepareWorkflow(
    Object.entries(files).flatMap(([file, text]) =>
      readTaskFile(text, file).map(source => ({ value: source.value, source, file })),
    ),
    {},
    makeIdSource(1_700_000_000_000),
  );

function refused(files: Readonly<Record<string, string>>): CliError {
  try {
    prepare(files);
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

const a = 'workflow: nightly\ntasks:\n  - name: a\n    after: [c]\n    command: [a]\n';
const b = 'tasks:\n  - name: b\n    after: a\n    command: [b]\n';
const c = '# the last\ntasks:\n  - command: [c]\n    name: c\n    after: [x, b]\n';
const x = 'tasks:\n  - { name: x, command: [x] }\n';

describe('a workflow of several files', () => {
  test('has the tasks of all, in their order, and what one of them says of the whole', () => {
    const prepared = prepare({
      x,
      b: b.replace('after: a', 'after: x'),
      a: a.replace('[c]', '[b]'),
    });
    expect(prepared?.document).toMatchObject({
      workflow: 'nightly',
      tasks: [{ name: 'x' }, { name: 'b', after: 'x' }, { name: 'a', after: ['b'] }],
    });
    expect(prepared?.document['id']).toBe(prepared?.id);
  });

  test('may say the same of the whole in each, and is refused where they differ', () => {
    const named = (name: string, task: string) =>
      `owner: ann\nworkflow: ${name}\ntasks:\n  - { name: ${task}, command: [a] }\n`;
    expect(prepare({ 1: named('n', 'a'), 2: named('n', 'b') })?.document['workflow']).toBe('n');
    const { code, sentence } = refused({
      'one.yaml': named('n', 'a'),
      'two.yaml': named('m', 'b'),
    });
    expect([code, sentence]).toEqual([
      'badSpec',
      'two.yaml:2:11: `workflow` is another one at one.yaml:2: say it once, or the same in each file',
    ]);
  });

  test('with a cycle through three of them is refused, each drawn with its file and line', () => {
    const { code, sentence, exit, problems } = refused({
      'x.yaml': x,
      'a.yaml': a,
      'b.yaml': b,
      'c.yaml': c,
    });
    expect([code, exit]).toEqual(['badSpec', 2]);
    const members = ['a (a.yaml:4)', 'b (b.yaml:3)', 'c (c.yaml:5)'];
    const turns = members.map((_, at) => {
      const drawn = [...members.slice(at), ...members.slice(0, at), members[at]];
      return drawn.join(' → ');
    });
    expect(sentence).toMatch(/^[abc]\.yaml:\d+:\d+: tasks wait for each other in a cycle/);
    expect(sentence).toContain('take one of them out of the `after` of the next');
    expect(
      turns.some(drawn => sentence.endsWith(drawn)),
      sentence,
    ).toBe(true);
    expect(problems[0]?.excerpt).toMatch(/after: .*\n.*\^/);
  });

  test('with two tasks of one name is refused, naming both files and lines', () => {
    const { sentence } = refused({ 'one.yaml': x, 'two.yaml': `# more\n${x}` });
    expect(sentence).toBe('two.yaml:3:13: `x` is the name of the task at one.yaml:2 already');
  });

  test('tells what is wrong with a task at its place in its file', () => {
    const bad = 'tasks:\n  - name: y\n    after: [z]\n    command: [y]\n    attempts: 0\n';
    const { sentence } = refused({ 'one.yaml': x, 'two.yaml': bad });
    expect(sentence).toMatch(/^two\.yaml:5:15: must be a whole number/);
  });

  test('holds nothing else, and no file twice', () => {
    const foreign = refused({ 'one.yaml': x, 'two.yaml': 'command: [a]\n' });
    expect(foreign.sentence).toMatch(/^two\.yaml:1:1: this is no part of the workflow/);
    const twice = refused({ 'one.yaml': `${x}---\n${b}` });
    expect([twice.exit, twice.sentence]).toEqual([2, expect.stringContaining('one.yaml')]);
    expect(refused({ 'one.yaml': x, 'two.yaml': 'tasks: 3\n' }).sentence).toMatch(
      /^two\.yaml:1:8: must be a list of tasks/,
    );
  });

  test('is none where no file holds tasks of a workflow', () => {
    expect(prepare({ 1: 'command: [a]\n', 2: 'command: [b]\n' })).toBeUndefined();
  });
});
