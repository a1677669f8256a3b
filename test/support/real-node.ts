/**
 * One node process on a data directory of its own, to be killed, stopped, thawed and started again.
 * Its output and log are files beside the directory, so that they survive it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { endWithUs, plainEnv, programEntry } from './program.ts';
import { supervisorOf } from './real-processes.ts';
import { until } from './until.ts';

/** A node is ready within seconds, but not where many processes share a small machine. */
const readyMs = 120_000;
const tailLines = 40;

export interface RealNodeOptions {
  readonly name: string;
  readonly dir: string;
  readonly configDir: string;
  /** Flags of `node start`, beside the directory and the name. */
  readonly flags: readonly string[];
  /** A command in front of the program, such as `ip netns exec NAME`. */
  readonly prefix?: readonly string[] | undefined;
  /** Entry of the program, where it is another than the one under test. */
  readonly program?: string | undefined;
}

export class RealNode {
  readonly name: string;
  readonly dir: string;
  /** Entry of what the next start runs. */
  program: string;
  readonly #options: RealNodeOptions;
  #child: ChildProcess | undefined;
  #exited: Promise<number | null> = Promise.resolve(null);
  #address = '';
  #paused = false;

  constructor(options: RealNodeOptions) {
    this.#options = options;
    this.name = options.name;
    this.dir = options.dir;
    this.program = options.program ?? programEntry;
  }

  get outFile(): string {
    return `${this.dir}.out`;
  }

  get logFile(): string {
    return `${this.dir}.log`;
  }

  /** `HOST:PORT` of the HTTP API, as of the last start. */
  get address(): string {
    return this.#address;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.name} was never started`);
    return pid;
  }

  get alive(): boolean {
    const child = this.#child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** Runs and is not stopped by a signal: it answers. */
  get awake(): boolean {
    return this.alive && !this.#paused;
  }

  /** The process that runs this node's tasks. */
  get supervisor(): number | undefined {
    return supervisorOf(this.dir);
  }

  /** Starts the process without waiting for it. */
  launch(moreFlags: readonly string[] = []): void {
    if (this.alive) throw new Error(`${this.name} runs already`);
    const out = openSync(this.outFile, 'w');
    const log = openSync(this.logFile, 'a');
    const flags = ['--data-dir', this.dir, '--name', this.name, ...this.#options.flags];
    const [command = '', ...args] = [
      ...(this.#options.prefix ?? []),
      ...[process.execPath, this.program, 'node', 'start', ...flags, ...moreFlags],
    ];
    try {
      this.#child = spawn(command, args, {
        env: plainEnv(this.#options.configDir),
        stdio: ['ignore', out, log],
        // A group of its own: a Ctrl-C of whoever runs the tests is not meant for it.
        detached: true,
      });
    } finally {
      closeSync(out);
      closeSync(log);
    }
    const child = this.#child;
    endWithUs(child);
    this.#exited = new Promise((resolve, reject) => {
      child.once('exit', resolve);
      child.once('error', reject);
    });
  }

  /** Starts the process and waits until it takes tasks. */
  async start(moreFlags: readonly string[] = []): Promise<void> {
    this.launch(moreFlags);
    await this.untilReady();
  }

  async untilReady(limitMs = readyMs): Promise<void> {
    const address = await until(
      `${this.name} says that it is ready`,
      () => {
        if (!this.alive) return 'ended';
        return /^ready http:\/\/(\S+)/m.exec(readFileSync(this.outFile, 'utf8'))?.[1];
      },
      limitMs,
    );
    if (address === 'ended') throw new Error(`${this.name} ended while it started\n${this.tail()}`);
    this.#address = address;
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  /** SIGSTOP: the process stands still, its connections stay open. */
  pause(): void {
    this.#paused = true;
    this.signal('SIGSTOP');
  }

  resume(): void {
    this.signal('SIGCONT');
    this.#paused = false;
  }

  /** kill -9, and until the process is gone. Its supervisor and tasks live on. */
  async kill(): Promise<void> {
    if (!this.alive) return;
    this.signal('SIGKILL');
    await this.#exited;
    this.#paused = false;
  }

  /** Exit code, once the process has ended by itself. */
  async exited(limitMs = 90_000): Promise<number | null> {
    await until(`${this.name} ends`, () => !this.alive, limitMs);
    return this.#exited;
  }

  /** The last lines of its output and log, for a person. */
  tail(): string {
    const last = (path: string) => {
      try {
        return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-tailLines).join('\n');
      } catch {
        return '(no file)';
      }
    };
    const [output, log] = [last(this.outFile), last(this.logFile)];
    return `--- ${this.name}: output\n${output}\n--- ${this.name}: log\n${log}`;
  }
}
