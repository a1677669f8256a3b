/**
 * One node of a run: the program's own `node start` as a process, on a data directory of its own,
 * to be killed, stopped, frozen and started again. Its output and log are files beside the
 * directory.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { ClusterNode, Heal } from './cluster.ts';
import { emptyDisk, fillDisk, flipBytes, slowSyncs, wipeDirectory } from './disks.ts';
import type { Draw } from './draw.ts';
import { limitMemory } from './memory-limit.ts';
import {
  childrenOf,
  killHard,
  killSupervisor,
  pauseSupervisor,
  signalProcess,
  supervisorOf,
} from './processes.ts';
import { until } from './until.ts';

export const readyMs = 60_000;
const exitMs = 20_000;
const clockMs = 5_000;
/** A process that may not grow is ended at its next allocation: within this, it makes one. */
const starvesMs = 20_000;
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
  /** Whether its wall clock is to be moved. */
  readonly movableClock: boolean;
  /** Told when a process ends, and whether that had been asked for. */
  readonly onEnd: (node: NodeProcess, how: string, asked: boolean) => void;
}

/** Nothing of whoever runs this reaches a node. */
export const plainEnv = (configDir: string): Record<string, string> => ({
  PATH: `${dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
  HOME: '/nonexistent',
  TSCHED_CONFIG_DIR: configDir,
});

export class NodeProcess implements ClusterNode {
  readonly number: number;
  readonly dir: string;
  readonly breakable = true;
  readonly #settings: NodeSettings;
  name: string;
  address = '';
  paused = false;
  refused = false;
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

  get #pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.name} was never started`);
    return pid;
  }

  get awake(): boolean {
    return this.alive && !this.paused && this.address !== '';
  }

  get logFile(): string {
    return `${this.dir}.log`;
  }

  get #outFile(): string {
    return `${this.dir}.out`;
  }

  async launch(moreFlags: readonly string[] = []): Promise<void> {
    if (this.alive) return;
    const { program, prefix, flags, configDir, onEnd } = this.#settings;
    const env = await this.#clockEnv();
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

  expectEnd(expected = true): void {
    this.#asked = expected;
  }

  async kill(): Promise<void> {
    if (!this.alive) return;
    this.expectEnd();
    killHard(this.#pid);
    await this.#exited;
  }

  async stop(): Promise<boolean> {
    if (!this.alive) return true;
    this.expectEnd();
    signalProcess(this.#pid, 'SIGTERM');
    signalProcess(this.#pid, 'SIGCONT');
    const ended = await until(() => !this.alive, { limitMs: exitMs, pollMs: 10 });
    if (ended === true) return true;
    await this.kill();
    return false;
  }

  /** Until it has ended by itself. */
  async untilEnded(limitMs: number, signal?: AbortSignal): Promise<boolean> {
    return (await until(() => !this.alive, { limitMs, pollMs: 20, signal })) === true;
  }

  async pause(): Promise<void> {
    this.paused = signalProcess(this.#pid, 'SIGSTOP');
  }

  async resume(): Promise<void> {
    if (this.alive) signalProcess(this.#pid, 'SIGCONT');
    this.paused = false;
  }

  async killSupervisor(): Promise<boolean> {
    return killSupervisor(this.dir);
  }

  async pauseSupervisor(): Promise<(() => Promise<boolean>) | undefined> {
    return pauseSupervisor(this.dir);
  }

  slowSyncs(delayMs: number): Promise<Heal> {
    return slowSyncs(this.#pid, delayMs);
  }

  async limitMemory(bytes: number): Promise<Heal> {
    return limitMemory([this.#pid], bytes, this.name);
  }

  async starveSupervisor(bytes: number, signal: AbortSignal): Promise<void> {
    const pid = supervisorOf(this.dir);
    if (pid === undefined) throw new Error(`${this.name} has no supervisor`);
    // With what starts tasks for it: what it has already is not counted, what they take is, and of
    // all in the group it is the largest, which the kernel ends.
    const pids = [pid, ...childrenOf(pid)];
    const heal = limitMemory(pids, bytes, `${this.name}-worker`);
    try {
      const gone = (): boolean => supervisorOf(this.dir) !== pid;
      if ((await until(gone, { limitMs: starvesMs, signal })) === true) return;
      throw new Error('the kernel did not end it');
    } finally {
      await heal();
    }
  }

  fillDisk(): Promise<number> {
    return fillDisk(this.dir);
  }

  emptyDisk(): Promise<void> {
    return emptyDisk(this.dir);
  }

  async wipe(): Promise<void> {
    await wipeDirectory(this.dir);
    this.name = `${this.name}b`;
  }

  flipBytes(count: number, draw: Draw): Promise<string[]> {
    return flipBytes(this.dir, count, draw);
  }

  get #clockFile(): string {
    return `${this.dir}.clock`;
  }

  /** A module in the node moves its clock; a start sets it right. */
  async #clockEnv(): Promise<Record<string, string>> {
    if (!this.#settings.movableClock) return {};
    await this.moveClock(0, false);
    // Source and build differ in the ending only.
    const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const preload = new URL(`./clock-preload.${ending}`, import.meta.url).href;
    return { NODE_OPTIONS: `--import=${preload}`, TSCHED_CHAOS_CLOCK: this.#clockFile };
  }

  async moveClock(offsetMs: number, followed: boolean): Promise<void> {
    await writeFile(this.#clockFile, String(offsetMs));
    if (!followed) return;
    const said = await until(
      async () => {
        const text = await readFile(`${this.#clockFile}.seen`, 'utf8').catch(() => '');
        return text === String(offsetMs);
      },
      { limitMs: clockMs },
    );
    if (said !== true) throw new Error(`${this.name} does not follow the clock that it is given`);
  }

  tail(): string {
    try {
      const lines = readFileSync(this.logFile, 'utf8').trimEnd().split('\n');
      return lines.slice(-tailLines).join('\n');
    } catch {
      return '(no log)';
    }
  }
}
