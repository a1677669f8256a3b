/** `tsched chaos` as far as no cluster is started: scenarios, and what is wrong with them. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startCli } from './run-cli.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tsched-cli-chaos-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const chaos = (...args: string[]) => startCli(['chaos', ...args], { cwd: dir }).done;

test('lists the scenarios with what they are about', async () => {
  const { code, stdout } = await chaos('list');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^SCENARIO +NODES +WORK +FAULTS +ABOUT\n/);
  expect(stdout).toMatch(/^split +5 +30s +partition +Five nodes/m);
  const names = (await chaos('list', '-q')).stdout.trim().split('\n');
  expect(names).toEqual(expect.arrayContaining(['bridge', 'leader-kill', 'smoke']));
});

test('shows a scenario so that it can be begun from', async () => {
  const { code, stdout } = await chaos('show', 'leader-kill');
  expect(code).toBe(0);
  const file = join(dir, 'mine.yaml');
  await writeFile(file, stdout.replace('name: leader-kill', 'name: mine'));
  const mine = JSON.parse((await chaos('show', file, '--json')).stdout) as object;
  expect(mine).toMatchObject({ name: 'mine', nodes: 3, checks: { ackWithinMs: 4_000 } });
});

test('a scenario that is not there is wrong usage, with what was meant', async () => {
  const { code, stderr } = await chaos('run', 'leader-kil');
  expect(code).toBe(2);
  expect(stderr).toContain('there is no scenario and no file `leader-kil`');
  expect(stderr).toContain('tsched chaos run leader-kill');
});

test('every mistake in a file is told with its line and column', async () => {
  const file = join(dir, 'bad.yaml');
  await writeFile(
    file,
    'name: bad\nfaults:\n  - { at: 5s, kind: kil }\n  - { att: 1, kind: kill }\n',
  );
  const { code, stderr } = await chaos('run', 'bad.yaml');
  expect(code).toBe(2);
  expect(stderr).toContain('bad.yaml:3:21: must be one of kill,');
  expect(stderr).toContain('bad.yaml:4:7: unknown field `att`; did you mean `at`?');
  expect(stderr).toContain('bad.yaml:4:5: has no `at`');
});

test('what is no YAML, no scenario, or several, is told', async () => {
  const file = join(dir, 'worse.yaml');
  await writeFile(file, 'name: [\n');
  expect((await chaos('show', file)).code).toBe(2);
  await writeFile(file, 'name: a\nfaults: []\n---\nname: b\nfaults: []\n');
  const { code, stderr } = await chaos('show', file);
  expect([code, stderr]).toEqual([2, expect.stringContaining('must hold one scenario, not 2')]);
});

test.each([
  ['--seed', 'x'],
  ['--nodes', '20'],
  ['--duration', 'soon'],
])('%s %s is wrong usage', async (flag, value) => {
  const { code, stderr } = await chaos('run', 'smoke', flag, value);
  expect([code, stderr]).toEqual([2, expect.stringContaining(`${flag} ${value} is not`)]);
});

test('a size under which the scenario makes no sense is told', async () => {
  const { code, stderr } = await chaos('run', 'bridge', '--nodes', '2');
  expect([code, stderr]).toEqual([
    2,
    expect.stringContaining('names n3; the cluster has n1 to n2'),
  ]);
});

test.each([
  [['--restart', 'self'], '--attach is missing'],
  [['--i-understand-that-this-cluster-will-be-broken'], '--attach is missing'],
  [['--attach', 'none', '--nodes', '3'], 'a cluster of --attach has the nodes it has'],
  [['--attach', 'none', '--restart', 'you'], '--restart you is not one of self, manager'],
  [['--attach', 'none'], 'there is no directory none'],
])('%j is wrong usage', async (flags, text) => {
  const { code, stderr } = await chaos('run', 'smoke', ...flags);
  expect([code, stderr]).toEqual([2, expect.stringContaining(text)]);
});
