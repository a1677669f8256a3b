/**
 * Starts processes from the supervisor itself. The kernel copies the tables of all its memory each
 * time, and a shell puts the process into its control group: several times the cost of the Perl
 * starter, and everywhere.
 */
import { closeSync, constants, openSync, writeFileSync } from 'node:fs';
import { execa } from 'execa';
import { bootMs } from './boot-clock.ts';
import { checkDirectory, explain, StartFault } from './command.ts';
import { exactly, joinScript } from './shell.ts';
import { oomScore, type StartEvents, type Starter, type StartRequest } from './starter.ts';

const outputFlags =
  constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unknown';

const join = ['/bin/sh', '-c', joinScript, 'tsched-join'];

/** What it has started by now keeps the score of the supervisor; what it starts from now on not. */
function offerFirst(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(oomScore), { flag: 'r+' });
  } catch (error) {
    // It may be over already, and a score is a wish.
    if (!(error instanceof Error)) throw error;
  }
}

export class NodeStarter implements Starter {
  readonly words: string;
  readonly pid = process.pid;
  readonly #exactShell: boolean;

  /** `exactShell`: the system's shell hands its environment on unchanged. */
  constructor(reason: string, exactShell: boolean) {
    this.words = `node (no perl: ${reason})`;
    this.#exactShell = exactShell;
  }

  start(request: StartRequest, events: StartEvents): void {
    setImmediate(() => {
      try {
        this.#start(request, events);
      } catch (error) {
        const fault = error instanceof StartFault ? error : explain('cannot start', codeOf(error));
        events.failed(fault);
      }
    });
  }

  #start(request: StartRequest, events: StartEvents): void {
    const { cwd, env, cgroups } = request;
    if (bootMs() >= request.deadline) {
      events.failed('late');
      return;
    }
    checkDirectory(cwd);
    const [file = '', ...args] =
      cgroups.length === 0
        ? request.argv
        : [...join, ...cgroups, '--', ...exactly(request.argv, env, this.#exactShell)];
    const stdout = openSync(request.stdout, outputFlags, 0o600);
    try {
      const stderr = openSync(request.stderr, outputFlags, 0o600);
      try {
        this.#spawn(file, args, { cwd, env, stdout, stderr }, events);
      } finally {
        closeSync(stderr);
      }
    } finally {
      closeSync(stdout);
    }
  }

  #spawn(
    file: string,
    args: readonly string[],
    how: {
      readonly cwd: string;
      readonly env: Readonly<Record<string, string>>;
      readonly stdout: number;
      readonly stderr: number;
    },
    events: StartEvents,
  ): void {
    const subprocess = execa(file, args, {
      cwd: how.cwd,
      env: how.env,
      extendEnv: false,
      stdin: 'ignore',
      // The declared types know small descriptors only; any number is handed on as it is.
      stdout: how.stdout as 1,
      stderr: how.stderr as 1,
      detached: true,
      buffer: false,
      cleanup: false,
      reject: false,
      forceKillAfterDelay: false,
    });
    const { pid } = subprocess;
    if (pid !== undefined) {
      offerFirst(pid);
      events.started(pid);
    }
    void subprocess.then(result => {
      if (pid !== undefined) events.ended({ code: result.exitCode, signal: result.signal });
      else events.failed(explain(`cannot start ${file}`, result.code ?? 'unknown'));
    });
  }
}
