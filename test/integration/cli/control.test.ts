/** `pause`, `resume`, `update`, `plan` and `template` as a person meets them. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CliBench, openBench } from './run-cli.ts';

let bench: CliBench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const submit = async (): Promise<string> =>
  (await bench.run(['submit', '-q', '--', 'work'])).stdout.trim();

test('a task is paused and resumed, and its status says by whom', async () => {
  const id = await submit();
  const paused = await bench.run(['pause', id, '--suspend', '--reason', 'the disk']);
  expect(paused).toMatchObject({ code: 0, stdout: `task ${id.slice(-8)} pause accepted\n` });
  const status = await bench.run(['status', id]);
  expect(status.stdout).toMatch(/paused +suspended by admin \S.*: the disk\n/);
  expect(status.stdout).toContain(`tsched resume ${id.slice(-8)}`);
  expect(await bench.run(['resume', 'task', id, '-q'])).toMatchObject({
    code: 0,
    stdout: `${id}\n`,
  });
});

test('a tenant and the cluster are paused, listed and resumed', async () => {
  await bench.run(['pause', 'tenant', 'search']);
  await bench.run(['pause', 'cluster', '--reason', 'maintenance']);
  const { stdout } = await bench.run(['pause']);
  expect(stdout).toMatch(/search +goes on/);
  expect(stdout).toMatch(/the cluster +goes on +\S.* +admin +maintenance/);
  await bench.run(['resume', 'tenant', 'search']);
  const left = await bench.run(['resume', 'cluster', '--json']);
  expect(JSON.parse(left.stdout)).toMatchObject({ ok: true, id: 'cluster' });
  expect((await bench.run(['pause', '-q'])).stdout).toBe('');
});

test('a workflow is paused by its ID alone, and explain says what to name', async () => {
  const file = join(bench.dir, 'held.yaml');
  await writeFile(file, 'tasks:\n  - { name: a, command: [work] }\n');
  const id = (await bench.run(['submit', '-q', '-f', file])).stdout.trim();
  const named = `workflow ${id.slice(-8)} pause accepted\n`;
  expect(await bench.run(['pause', id])).toMatchObject({ code: 0, stdout: named });
  const task = await submit();
  const both = await bench.run(['pause', task, id]);
  expect(both.stdout).toBe(`task ${task.slice(-8)} pause accepted\n${named}`);
  const nobody = await bench.run(['pause', '06fkq8t4r8m2s9v7d1xa']);
  expect(nobody).toMatchObject({ code: 1, stdout: '' });
  expect(nobody.stderr).toContain('No such task');
  const explained = await bench.run(['explain', id]);
  expect(explained.code).toBe(1);
  expect(explained.stderr).toMatch(/is a workflow, and this is asked of a task\n.*tsched status/);
});

test('what cannot be is said with a way out', async () => {
  const id = await submit();
  const release = await bench.run(['pause', id, '--release']);
  expect(release.code).toBe(2);
  expect(release.stderr).toContain('--suspend');
  const nothing = await bench.run(['update', id]);
  expect(nothing.code).toBe(2);
  const wrong = await bench.run(['update', id, '--cap', 'soon']);
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain('--cap: must be a duration');
  expect((await bench.run(['resume'])).stderr).toContain('tsched resume task ID');
  const schedule = await bench.run(['pause', 'schedule', 'nightly']);
  expect(schedule.code).toBe(2);
  expect(schedule.stderr).toContain('tsched schedule pause nightly');
  expect((await bench.run(['plan'])).stderr).toContain('tsched plan -- echo hello');
});

test('an update changes what was given, and the status tells it', async () => {
  const id = await submit();
  const run = await bench.run(['update', id, '--cap', 'none', '--attempts', '4']);
  expect(run.code).toBe(0);
  const { stdout } = await bench.run(['status', id]);
  expect(stdout).toMatch(/updated +attempts 4, cap none \(by admin \S.*\)/);
});

test('an update of priority and tolerance is told, and nonsense refused', async () => {
  const id = await submit();
  const waits = ['--priority', 'low', '--tolerance', '2h'];
  const other = await bench.run(['update', id, ...waits, '--json']);
  expect(JSON.parse(other.stdout)).toMatchObject({ ok: true, id });
  expect((await bench.run(['status', id])).stdout).toMatch(/updated +priority low, tolerance 2h /);
  const negative = await bench.run(['update', id, '--tolerance=-5m']);
  expect(negative).toMatchObject({ code: 2, stdout: '' });
  expect(negative.stderr).toContain('--tolerance: must be a duration');
});

test('a plan shows where tasks would start, and ends with 7 where one never fits', async () => {
  const starts = await bench.run(['plan', '--name', 'small', '--', 'work']);
  expect(starts).toMatchObject({ code: 0, stdout: 'small  starts  would start now\n' });
  const never = await bench.run(['plan', '--cpu', '64', '--', 'work']);
  expect(never.code).toBe(7);
  expect(never.stdout).toContain('refused  cpu: 64 asked for');
});

test('a plan of a workflow over two files shows its stages, and a cycle is refused', async () => {
  const [one, two] = [join(bench.dir, 'one.yaml'), join(bench.dir, 'two.yaml')];
  await writeFile(one, 'workflow: split\ntasks:\n  - { name: a, command: [work] }\n');
  await writeFile(two, 'tasks:\n  - { name: b, after: [a], command: [work] }\n');
  const { code, stdout } = await bench.run(['plan', '-f', one, '-f', two]);
  expect([code, stdout]).toEqual([
    0,
    'workflow split  starts  1 of the 1 would start now; 2 tasks in 2 stages\n' +
      'STAGE  TASKS  START  WAIT  REFUSED\n' +
      '    1      1      1     0        0\n' +
      '    2      1      1     0        0\n' +
      'a  starts  would start now\n' +
      'b  waits  waits for a\n',
  ]);
  await writeFile(one, 'tasks:\n  - { name: a, after: [b], command: [work] }\n');
  const turning = await bench.run(['plan', '-f', one, '-f', two]);
  expect(turning).toMatchObject({ code: 2, stdout: '' });
  expect(turning.stderr).toMatch(/a \(\S*one\.yaml:2\) → b \(\S*two\.yaml:2\)/);
});

test('a template is made from a file, run, changed, shown and deleted', async () => {
  const file = join(bench.dir, 'hello.yaml');
  await writeFile(
    file,
    'parameters:\n  who: string\ntask:\n  command: [echo, "${who}"]\n  env: { WHO: "${who}" }\n',
  );
  const made = await bench.run(['template', 'create', 'hello', '-f', file]);
  expect(made).toMatchObject({ code: 0 });
  expect(made.stdout).toContain('template hello@1 made');
  const run = await bench.run([
    'template',
    'run',
    'hello',
    '--set',
    'who=you',
    '-q',
    '--name',
    'n',
  ]);
  expect(run.code).toBe(0);
  expect(bench.api.submitCalls.at(-1)?.requests[0]).toMatchObject({
    id: run.stdout.trim(),
    spec: { name: 'n', run: { argv: ['echo', 'you'] }, template: { name: 'hello', revision: 1 } },
  });
  const missing = await bench.run(['template', 'run', 'hello']);
  expect(missing.code).toBe(2);
  expect(missing.stderr).toContain('--set who=VALUE');
  await writeFile(file, 'task:\n  command: [echo, all]\n');
  const update = ['template', 'update', 'hello', '-f', file, '--if-revision', '1'];
  expect((await bench.run(update)).stdout).toContain('hello@2 is the newest');
  expect((await bench.run(update)).code).toBe(1);
  const old = await bench.run(['template', 'run', 'hello', '--revision', '1', '--set', 'who=me']);
  expect(old.code).toBe(0);
  const shown = await bench.run(['template', 'show', 'hello', '--revision', '1']);
  expect(shown.stdout).toContain('command:\n    - echo\n    - ${who}');
  expect((await bench.run(['template', 'list'])).stdout).toMatch(/hello +2 +default/);
  expect((await bench.run(['template', 'delete', 'hello'])).code).toBe(0);
  expect((await bench.run(['template', 'list', '-q'])).stdout).toBe('');
  const gone = await bench.run(['template', 'delete', 'hello']);
  expect(gone).toMatchObject({ code: 0, stdout: 'there was no template hello\n' });
});

test('a template that is wrong is refused with its line before anything is sent', async () => {
  const file = join(bench.dir, 'wrong.yaml');
  await writeFile(file, 'parameters:\n  who: string\ntask:\n  command: echo ${who}\n');
  const run = await bench.run(['template', 'create', 'wrong', '-f', file]);
  expect(run.code).toBe(2);
  expect(run.stderr).toMatch(/wrong\.yaml:4:\d+/);
  expect(run.stderr).toContain('a shell would read');
});

test('what a node finds wrong is told by flag or line, for programs by pointer', async () => {
  const work = ['--', 'work'];
  const never = await bench.run(['schedule', 'create', 'x', '--cron', '0 0 30 2 *', ...work]);
  expect(never).toMatchObject({ code: 2, stdout: '' });
  expect(never.stderr).toMatch(/--cron: never fires: .*\n {2}try: /);
  const next = await bench.run(['schedule', 'next', '--every', 'daily', '--timezone', 'Berlin']);
  expect(next.stderr).toContain('--timezone: there is no time zone "Berlin"; did you mean');
  const file = join(bench.dir, 'schedules.yaml');
  await writeFile(file, 'name: x\nevery: daily\ntimezone: Mars\ntask: { command: [work] }\n');
  const inFile = await bench.run(['schedule', 'create', '-f', file, '--json']);
  expect(inFile.code).toBe(2);
  expect(JSON.parse(inFile.stdout)).toMatchObject({
    error: {
      code: 'badSchedule',
      field: '/timezone',
      message: expect.stringMatching(/yaml:3:11: /),
    },
  });
  const template = join(bench.dir, 'greet.yaml');
  await writeFile(template, 'parameters: { whom: string }\ntask: { command: [echo, "${whom}"] }\n');
  await bench.run(['template', 'create', 'greet', '-f', template]);
  const missing = await bench.run(['template', 'run', 'greet']);
  expect(missing.code).toBe(2);
  expect(missing.stderr).toMatch(/--set: the parameter `whom` \(string\) has no default: give it/);
  const unknown = await bench.run(['template', 'run', 'great', '--set', 'whom=x']);
  expect(unknown.stderr).toContain('NAME: there is no template great');
  const daily = ['schedule', 'create', 'greeting', '--every', 'daily', '--template', 'greet'];
  expect(await bench.run([...daily, '--set', 'whom=you'])).toMatchObject({ code: 0 });
});
