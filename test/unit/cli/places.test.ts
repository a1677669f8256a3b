/**
 * What a node finds wrong with a document, told where a person typed it: by flag, or by file, line
 * and excerpt. The answers are those of the gateway.
 */
import { describe, expect, test } from 'vitest';
import type { CliError } from '../../../cli/cli-error.ts';
import { problemOf } from '../../../cli/client.ts';
import { flagOfField, placingOf } from '../../../cli/input/places.ts';
import {
  documentOfScheduleFlags,
  flagOfSchedule,
  prepareSchedules,
} from '../../../cli/input/schedule-flags.ts';
import { documentOfFlags, type TaskDocument } from '../../../cli/input/spec-flags.ts';
import { readTaskFile } from '../../../cli/input/task-file.ts';
import { makeIdSource, prepareTasks } from '../../../cli/input/tasks.ts';
import { prepareWorkflow } from '../../../cli/input/workflow.ts';
import { renderFailure, toFailureJson } from '../../../cli/output/failure.ts';
import { renderPlans } from '../../../cli/output/plan.ts';
import { plainScreen } from '../../../cli/output/screen.ts';
import type { Placing } from '../../../cli/refusal.ts';
import { batchFailure } from '../../../cli/submission.ts';
import {
  type Problem,
  problemOf as problem,
  problemOfDocument,
} from '../../../src/gateway/problem.ts';
import type { SpecProblem } from '../../../src/model/spec-reading.ts';

const screen = plainScreen(1_700_000_000_000);
const drawId = makeIdSource(1_700_000_000_000);
const read = (text: string, file = 'f.yaml') =>
  readTaskFile(text, file).map(source => ({ value: source.value, source, file }));

const told = (answer: Problem, place?: Placing): CliError =>
  problemOf(
    { status: answer.status, headers: {}, body: Buffer.from(JSON.stringify(answer)) },
    place,
  );
const found = (...problems: (readonly [pointer: string, message: string])[]): SpecProblem[] =>
  problems.map(([pointer, message]) => ({ pointer, message, code: 'badSpec' }));
const sentenceOf = (place: Placing, pointer: string, message = 'is wrong'): string =>
  told(problemOfDocument(found([pointer, message])), place).sentence;

describe('what a node finds in flags', () => {
  const typed = documentOfScheduleFlags({ cron: '0 0 30 2 *', timezone: 'Mars', cpu: '2' });
  const [schedule] = prepareSchedules([{ value: { name: 'x', task: { command: ['a'] } } }], typed);

  test('is told with the flag, and with the pointer for programs', () => {
    const answer = problemOfDocument([
      { pointer: '/cron', code: 'badSchedule', message: 'never fires: no such time ever comes' },
    ]);
    const error = told(answer, schedule!.place);
    expect(error).toMatchObject({
      code: 'badSchedule',
      exit: 2,
      sentence: '--cron: never fires: no such time ever comes',
      field: '/cron',
      suggestion: answer.suggestion,
    });
    expect(toFailureJson(error).error).toMatchObject({ code: 'badSchedule', field: '/cron' });
  });

  test('is told all at once, each with its flag and its pointer', () => {
    const answer = problemOfDocument(
      found(['/timezone', 'is unknown'], ['/task/cpu', 'is too much'], ['/name', 'is taken']),
    );
    const error = told(answer, schedule!.place);
    expect(error.sentence).toBe('3 problems');
    expect(renderFailure(error, screen)).toContain(
      '\n  --timezone: is unknown\n  --cpu: is too much\n  NAME: is taken\n',
    );
    expect(toFailureJson(error).error).toMatchObject({
      field: '/timezone',
      problems: [
        { place: '--timezone', pointer: '/timezone' },
        { place: '--cpu', pointer: '/task/cpu' },
        { place: 'NAME', pointer: '/name' },
      ],
    });
  });

  test('is told of a field that an answer names beside its sentence', () => {
    const flags = documentOfFlags({ template: 'nightli', set: ['day=1'] });
    const place = placingOf({ value: {} }, flags);
    const answer = problem('unknownTemplate', 'there is no template nightli', {
      field: '/template',
    });
    expect(told(answer, place)).toMatchObject({
      code: 'unknownTemplate',
      sentence: '--template: there is no template nightli',
      field: '/template',
    });
  });

  test('keeps what is not about the document as it was said', () => {
    const header = problem('forbidden', 'not your host', { field: 'Host' });
    expect(told(header, schedule!.place)).toMatchObject({
      sentence: 'not your host',
      field: 'Host',
    });
    const unplaced = problem('badRequest', '`from` is no instant', { field: '/from' });
    expect(told(unplaced).sentence).toBe('`from` is no instant');
  });

  test.each([
    ['/nodes/0', 'nodes/0'],
    ['/until', '--until'],
  ])('of a plain request %s is %s', (pointer, place) => {
    const flagOf = (at: string) => (at === '/until' ? flagOfField(at) : undefined);
    expect(sentenceOf(placingOf({ value: {} }, {}, flagOf), pointer)).toBe(`${place}: is wrong`);
  });
});

describe('what a node finds in a file', () => {
  const text = 'name: a\nevery: daily\ntimezone: Mars\ntask:\n  command: [a]\n  cpu: 900\n';
  const [input] = read(text, 's.yaml');

  test('is told with file, line, column and the line itself', () => {
    const { place } = prepareSchedules([input!], {})[0]!;
    const error = told(problemOfDocument(found(['/timezone', 'is unknown'])), place);
    expect(renderFailure(error, screen)).toMatch(
      /s\.yaml:3:11: is unknown\n +3 \| timezone: Mars\n +\| {11}\^{4}\n/,
    );
    expect(error.field).toBe('/timezone');
  });

  test('is that of the flag only for what the flag says', () => {
    const place = placingOf(input!, documentOfScheduleFlags({ memory: '1GiB' }), flagOfSchedule);
    expect(sentenceOf(place, '/task/cpu')).toBe('s.yaml:6:8: is wrong');
    expect(sentenceOf(place, '/task/memory')).toBe('--memory: is wrong');
    const env = placingOf(read('command: [a]\nenv:\n  A: a\n')[0]!, { env: { B: 'b' } });
    expect(sentenceOf(env, '/env/A')).toBe('f.yaml:3:6: is wrong');
    expect(sentenceOf(env, '/env/B')).toBe('--env: is wrong');
  });

  test('is told of a workflow in the file of its task', () => {
    const files = [
      'tasks:\n  - { name: a, command: [a] }\n',
      'tasks:\n  - name: b\n    template: t\n',
    ];
    const inputs = files.flatMap((file, at) => read(file, `${at}.yaml`));
    const { place } = prepareWorkflow(inputs, {}, drawId)!;
    expect(sentenceOf(place, '/tasks/1/template')).toBe('1.yaml:3:15: is wrong');
    const made = sentenceOf(place, '/tasks/1/cpu', 'must be more than 0');
    expect(made).toBe('1.yaml:3:15: in the task that it makes, cpu: must be more than 0');
    const nameless = () => prepareWorkflow(read('tasks:\n  - template: t\n'), {}, drawId);
    expect(nameless).toThrow(/^f\.yaml:2:5: (?!in the task)/);
  });
});

describe('what a node finds in what a template makes', () => {
  const place = (flags: TaskDocument, value: unknown = {}) => placingOf({ value }, flags);

  test('is told at the use of the template, by the name of the field', () => {
    const use = place({ template: 'nightly', set: { day: '1' }, cpu: '2' });
    expect(sentenceOf(use, '/memory')).toBe(
      '--template: in the task that it makes, memory: is wrong',
    );
    expect(sentenceOf(use, '/cpu')).toBe('--cpu: is wrong');
    expect(sentenceOf(use, '/set/day')).toBe('--set: is wrong');
    expect(sentenceOf(use, '/set/month')).toBe('--set: is wrong');
    const ofSchedule = documentOfScheduleFlags({ every: 'daily', template: 'nightly' });
    const inSchedule = placingOf({ value: { name: 'x', task: {} } }, ofSchedule, flagOfSchedule);
    expect(sentenceOf(inSchedule, '/task/array')).toMatch(
      /^--template: in the task that it makes, /,
    );
  });
});

describe('many documents', () => {
  const inputs = read('- { name: a, template: t }\n- { name: b, template: t, set: { n: 0 } }\n');
  const tasks = prepareTasks(inputs, {}, drawId);
  const refused = (...problems: SpecProblem[]) => {
    const { code, detail: message, field } = problemOfDocument(problems);
    return { ok: false, code, message, field, problems } as const;
  };
  const taken = { ok: true, id: 'x', repeated: false } as const;

  test('a refused one of a batch is told at its place in the file', () => {
    const results = [taken, refused(...found(['/set/n', 'must be at least 1']))];
    const error = batchFailure(results, tasks)!;
    expect(error.sentence).toBe('1 of 2 tasks (2): f.yaml:2:37: must be at least 1');
    expect(error).toMatchObject({ code: 'badSpec', exit: 2, field: '/set/n' });
    expect(renderFailure(error, screen)).toContain('^');
  });

  test('several are listed, and what is wrong beside documents is hinted at', () => {
    const full = { ok: false, code: 'overloaded', message: 'too much' } as const;
    const unknown = {
      ok: false,
      code: 'unknownTemplate',
      message: 'none',
      field: '/template',
    } as const;
    const both = batchFailure([unknown, refused(...found(['/set/n', 'is low']))], tasks)!;
    expect(both.sentence).toBe('2 of 2 tasks: 2 problems');
    expect(both.problems.map(({ place }) => place)).toEqual(['f.yaml:1:24', 'f.yaml:2:37']);
    const mixed = batchFailure([full, refused(...found(['/set/n', 'is low']))], tasks)!;
    expect(mixed.sentence).toBe(
      '2 of 2 tasks: f.yaml:2:37: is low (and other reasons; --json has all)',
    );
    expect(batchFailure([full, taken], tasks)?.sentence).toBe('1 of 2 tasks (1): too much');
    const many = [taken, full, taken, full, full, full];
    expect(batchFailure(many, tasks)?.sentence).toBe('4 of 6 tasks (2, 4-6): too much');
  });

  test('a plan tells each problem once, at its place', () => {
    const { ok: _ok, ...row } = refused(...found(['/set/n', 'is low']));
    const plans = [{ name: '', count: 0, verdict: 'refused', ...row }] as const;
    const text = renderPlans(plans, screen, [tasks[1]!.place]);
    expect(text.split('\n')[0]).toBe('task 1  refused  f.yaml:2:37: is low');
    expect(text.match(/is low/g)).toHaveLength(1);
    expect(text).toContain('^');
  });
});
