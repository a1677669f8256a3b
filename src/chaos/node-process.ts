/**
 * One node of a run: the program's own `node start` as a process, on a data directory of its own,
 * to be killed, stopped, frozen and started again. Its output and log are files beside the
 * directory.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { killHard, signalProcess, supervisorProcesses } from './processes.ts';
import { until } from './until.ts';

export const readyMs = 60_000;
const exitMs = 20_000;
const tailLines = 12;

/** How the program is started: the same Node, flags and entry as this process. */
export interface ProgramEntry {
  readonly command: string;
  readonly args: readonly string[];
}

export interface NodeSettings {
  readonly number: number;
  readonly dir: string;
  readonly configDir: string;
  readonly program: ProgramEntry;
  readonly flags: readonly string[];
  /** A command in front of the program. */
  readonly prefix: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Told when a process ends, and whether that had been asked for. */
  readonly onEnd: (node: NodeProcess, how: string, asked: boolean) => void;
}

/** Nothing of whoever runs this reaches a node. */
export const plainEnv = (configDir: string): Record<string, string> => ({
  PATH: `${dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
  HOME: '/nonexistent',
  TSCHED_CONFIG_DIR: configDir,
});

export class NodeProcess {
  readonly number: number;
  readonly dir: string;
  readonly #settings: NodeSettings;
  /** Changes where the node comes back as another one. */
  name: string;
  /** `HOST:PORT` of the HTTP API, as of the last start; empty before. */
  address = '';
  paused = false;
  /** It did not come up again and never will: a damaged store. */
  refused = false;
  /** `exit code 74`, or a signal; of the last process that ended. */
  howEnded = '';
  #child: ChildProcess | undefined;
  #asked = false;
  #exited: Promise<number | null> = Promise.resolve(null);

  constructor(settings: NodeSettings) {
    this.#settings = settings;
    this.number = settings.number;
    this.name = `n${settings.number}`;
    this.dir = settings.dir;
  }

  get alive(): boolean {
    const child = this.#child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.name} was never started`);
    return pid;
  }

  /** Runs and is not stopped by a signal: it answers. */
  get awake(): boolean {
    return this.alive && !this.paused && this.address !== '';
  }

  get logFile(): string {
    return `${this.dir}.log`;
  }

  get #outFile(): string {
    return `${this.dir}.out`;
  }

  /** Starts the process without waiting for it. */
  launch(moreFlags: readonly string[] = []): void {
    if (this.alive) return;
    const { program, prefix, flags, configDir, env, onEnd } = this.#settings;
    const own = ['node', 'start', '--data-dir', this.dir, '--name', this.name];
    const [command = '', ...args] = [
      ...[...prefix, program.command, ...program.args],
      ...[...own, ...flags, ...moreFlags],
    ];
    const out = openSync(this.#outFile, 'w');
    const log = openSync(this.logFile, 'a');
    this.#asked = false;
    this.address = '';
    try {
      this.#child = spawn(command, args, {
        env: { ...plainEnv(configDir), ...env },
        stdio: ['ignore', out, log],
        // A group of its own: Ctrl-C in a terminal is for this process, which ends it in order.
        detached: true,
      });
    } finally {
      closeSync(out);
      closeSync(log);
    }
    const child = this.#child;
    this.#exited = new Promise(resolve => {
      child.once('error', error => {
        onEnd(this, error.message, false);
        resolve(null);
      });
      child.once('exit', (code, signal) => {
        this.paused = false;
        this.howEnded = signal ?? `exit code ${code}`;
        onEnd(this, this.howEnded, this.#asked);
        resolve(code);
      });
    });
  }

  /** Until it takes tasks: `ready`, or its exit code where it ended instead; else it is late. */
  async untilReady(signal?: AbortSignal): Promise<'ready' | 'late' | number> {
    const outcome = await until(
      () => {
        const said = /^ready http:\/\/(\S+)/m.exec(readFileSync(this.#outFile, 'utf8'))?.[1];
        if (said !== undefined) this.address = said;
        if (said !== undefined && this.alive) return 'ready' as const;
        return this.alive ? undefined : ('ended' as const);
      },
      { limitMs: readyMs, pollMs: 25, signal },
    );
    if (outcome === 'ended') return (await this.#exited) ?? -1;
    return outcome ?? 'late';
  }

  /** Whether the next end of the process, whoever brings it about, is part of the plan. */
  expectEnd(expected = true): void {
    this.#asked = expected;
  }

  /** kill -9, and until the process is gone. */
  async kill(): Promise<void> {
    if (!this.alive) return;
    this.expectEnd();
    killHard(this.pid);
    await this.#exited;
  }

  /** SIGTERM; resolves with whether it ended by itself in time. It is gone in any case. */
  async stop(): Promise<boolean> {
    if (!this.alive) return true;
    this.expectEnd();
    signalProcess(this.pid, 'SIGTERM');
    signalProcess(this.pid, 'SIGCONT');
    const ended = await until(() => !this.alive, { limitMs: exitMs, pollMs: 10 });
    if (ended === true) return true;
    await this.kill();
    return false;
  }

  /** Until it has ended by itself. */
  async untilEnded(limitMs: number, signal?: AbortSignal): Promise<boolean> {
    return (await until(() => !this.alive, { limitMs, pollMs: 20, signal })) === true;
  }

  pause(): void {
    this.paused = signalProcess(this.pid, 'SIGSTOP');
  }

  resume(): void {
    if (this.alive) signalProcess(this.pid, 'SIGCONT');
    this.paused = false;
  }

  /** Ends the supervisor with every attempt under it. */
  killSupervisor(): void {
    for (const pid of supervisorProcesses(this.dir).toReversed()) killHard(pid);
  }

  /** The last lines of its log, for a person. */
  tail(): string {
    try {
      const lines = readFileSync(this.logFile, 'utf8').trimEnd().split('\n');
      return lines.slice(-tailLines).join('\n');
    } catch {
      return '(no log)';
    }
  }
}
