/**
 * The built program as a person runs it: a process, its output, its exit code. It sees no profile
 * and no token but those it is given. What still runs when the test process ends is killed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { dirname } from 'node:path';

export const programEntry = new URL('../../dist/cli/run.js', import.meta.url).pathname;

const limitMsDefault = 120_000;

export interface ProgramRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

export interface ProgramInput {
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly stdin?: string | Buffer | undefined;
  readonly cwd?: string | undefined;
  /** Entry of another program than the one under test. */
  readonly program?: string | undefined;
  /** Killed after this; a minute unless given. */
  readonly limitMs?: number | undefined;
}

export interface Program {
  readonly child: ChildProcess;
  stdout(): string;
  stderr(): string;
  readonly done: Promise<ProgramRun>;
}

/** Environment of every process that a test starts: nothing of whoever runs the tests. */
export const plainEnv = (configDir: string): Record<string, string> => ({
  PATH: `${dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
  HOME: '/nonexistent',
  TSCHED_CONFIG_DIR: configDir,
});

const running = new Set<ChildProcess>();

/** Ends `child` with this process, whatever ends this process in order. */
export function endWithUs(child: ChildProcess): void {
  if (running.size === 0) process.once('exit', killAll);
  running.add(child);
  child.once('exit', () => running.delete(child));
}

function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** Starts the program; a run that takes too long is killed and has no exit code. */
export function startProgram(args: readonly string[], input: ProgramInput = {}): Program {
  const beganMs = performance.now();
  const child = spawn(process.execPath, [input.program ?? programEntry, ...args], {
    cwd: input.cwd,
    env: input.env === undefined ? plainEnv('/nonexistent') : { ...input.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  endWithUs(child);
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  // A command that refuses its input early closes the pipe under the writer.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input.stdin ?? '');
  const text = (chunks: readonly Buffer[]) => Buffer.concat(chunks).toString('utf8');
  const done = new Promise<ProgramRun>((resolve, reject) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), input.limitMs ?? limitMsDefault);
    child.once('error', reject);
    child.once('close', code => {
      clearTimeout(timer);
      const ms = performance.now() - beganMs;
      resolve({ code, stdout: text(stdout), stderr: text(stderr), ms });
    });
  });
  return { child, stdout: () => text(stdout), stderr: () => text(stderr), done };
}
