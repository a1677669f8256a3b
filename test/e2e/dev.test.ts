/**
 * `tsched dev` as a person meets it: a whole cluster from one command, which ends with it, comes
 * back with what it held, and leaves no process behind whenever it is interrupted.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFailed, test } from 'vitest';
import { type Program, plainEnv, startProgram } from '../support/program.ts';
import { killHard, processesWritingTo } from '../support/real-processes.ts';
import { until } from '../support/until.ts';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tsched-e2e-dev-'));
});

afterEach(async () => {
  for (const pid of processesOf()) killHard(pid);
  await rm(dir, { recursive: true, force: true, maxRetries: 3 });
});

const env = (): Record<string, string> => plainEnv(join(dir, 'config'));

/** Nodes write into pipes of `dev`; their supervisors and tasks into files. */
const processesOf = (): number[] => processesWritingTo(dir);

function startDev(more: readonly string[] = []): Program {
  const args = ['dev', '--dir', join(dir, 'cluster'), '--port', '0', '--shards', '4', ...more];
  const program = startProgram(args, { env: env(), limitMs: 120_000 });
  onTestFailed(() => console.error(program.stdout(), program.stderr()));
  return program;
}

const untilReady = (program: Program): Promise<string> =>
  until(
    'the cluster is ready',
    () => /^ready http:\/\/(\S+)/m.exec(program.stdout())?.[1] ?? ended(program),
    60_000,
  );

function ended(program: Program): undefined {
  if (program.child.exitCode !== null) throw new Error(`ended early: ${program.stderr()}`);
  return undefined;
}

async function interrupt(program: Program): Promise<void> {
  program.child.kill('SIGINT');
  const { code } = await program.done;
  expect(code, program.stderr()).toBe(0);
  await until('nothing is left running', () => processesOf().length === 0, 15_000);
}

/** Process ids of the nodes, as they were printed. */
const nodesOf = (program: Program): number[] =>
  [...program.stdout().matchAll(/pid (\d+)/g)].map(match => Number(match[1]));

async function cli(address: string, ...args: string[]): Promise<string> {
  const token = (await readFile(join(dir, 'cluster/node-1/admin.token'), 'utf8')).trim();
  const settings = { ...env(), TSCHED_ADDR: address, TSCHED_TOKEN: token };
  const { code, stdout, stderr } = await startProgram(args, { env: settings }).done;
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${stderr}`);
  return stdout.trim();
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test('a dev cluster ends with Ctrl-C and comes back with its tasks', async () => {
  const first = startDev();
  const address = await untilReady(first);
  expect(first.stdout()).toMatch(/30 succeeded/);
  const id = await cli(address, 'submit', '-q', '--wait', '--', 'echo', 'kept');
  expect(nodesOf(first)).toHaveLength(3);
  await interrupt(first);
  expect(nodesOf(first).filter(isAlive)).toEqual([]);

  const second = startDev(['--no-workload']);
  const again = await untilReady(second);
  expect(JSON.parse(await cli(again, 'status', id, '--json'))).toMatchObject({
    state: 'succeeded',
  });
  await interrupt(second);
}, 120_000);

test('a dev cluster that is interrupted while it starts ends all the same', async () => {
  const program = startDev();
  await until('a node is there', () => nodesOf(program).length >= 1, 30_000);
  await interrupt(program);
  expect(nodesOf(program).filter(isAlive)).toEqual([]);
}, 60_000);
