/**
 * Runs the command line as a process of its own, from the sources, against a gateway over a fake
 * node in the test's process: what is looked at is what a person gets, exit code included.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGateway } from '../../../src/gateway/server.ts';
import { silentLog } from '../../../src/ports/log.ts';
import { FakeNodeApi, type FakeNodeOptions } from '../../support/fake-node-api.ts';

const entry = new URL('../../../cli/run.ts', import.meta.url).pathname;
const deadlineMs = 30_000;

export interface CliRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliInput {
  readonly stdin?: string | Buffer | undefined;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly cwd?: string | undefined;
}

export interface CliProcess {
  readonly child: ChildProcess;
  /** What was printed so far. */
  stdout(): string;
  stderr(): string;
  readonly done: Promise<CliRun>;
}

/** Starts the CLI with an environment of its own: no profile, no token of whoever runs the test. */
export function startCli(args: readonly string[], input: CliInput = {}): CliProcess {
  const child = spawn(process.execPath, [entry, ...args], {
    cwd: input.cwd,
    env: {
      PATH: process.env['PATH'],
      HOME: '/nonexistent',
      XDG_CONFIG_HOME: '/nonexistent',
      ...input.env,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', chunk => {
    stdout += String(chunk);
  });
  child.stderr.on('data', chunk => {
    stderr += String(chunk);
  });
  // A command that refuses its input early closes the pipe under the writer.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input.stdin ?? '');
  const done = new Promise<CliRun>((resolve, reject) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
    child.once('error', reject);
    child.once('close', code => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
  });
  return { child, stdout: () => stdout, stderr: () => stderr, done };
}

export interface CliBench {
  readonly api: FakeNodeApi;
  readonly address: string;
  readonly dir: string;
  /** Runs a command against the fake node as its admin. */
  run(args: readonly string[], input?: CliInput): Promise<CliRun>;
  start(args: readonly string[], input?: CliInput): CliProcess;
  close(): Promise<void>;
}

/** A fake node behind a real gateway, and a directory for files. */
export async function openBench(options: FakeNodeOptions = {}): Promise<CliBench> {
  const api = new FakeNodeApi(options);
  const gateway = createGateway({ api, log: silentLog, host: '127.0.0.1', port: 0, version: '0' });
  const { address } = await gateway.start();
  const dir = await mkdtemp(join(tmpdir(), 'tsched-cli-'));
  const env = { TSCHED_ADDR: address, TSCHED_TOKEN: 'admin-token' };
  const start: CliBench['start'] = (args, input = {}) =>
    startCli(args, { cwd: dir, ...input, env: { ...env, ...input.env } });
  return {
    api,
    address,
    dir,
    start,
    run: (args, input) => start(args, input).done,
    async close() {
      api.close();
      await gateway.stop();
      await rm(dir, { recursive: true });
    },
  };
}

/** Waits until `condition` holds; fails with `what` after a deadline. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`did not happen in time: ${what}`);
    await new Promise(resolve => setTimeout(resolve, 10));
  }
}
