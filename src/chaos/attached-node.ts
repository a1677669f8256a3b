/**
 * A node that somebody else started on this machine. It is killed, stopped and frozen as its
 * process, and started again as it was started: the same program, arguments, environment, directory
 * and user. It is its operator's, not this run's: it outlives it. Where a service manager starts it
 * again, that is waited for and taken up.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, fchownSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { callNode } from './calls.ts';
import type { Heal } from './cluster.ts';
import { slowSyncs } from './disks.ts';
import { readyMs } from './node-process.ts';
import {
  killHard,
  killSupervisor,
  pauseSupervisor,
  signalProcess,
  startTicksOf,
} from './processes.ts';
import { holderOf, isStarting, type Owner, type RunningProcess } from './running-process.ts';
import { SeenNode, type SeenNodeSettings } from './seen-node.ts';
import { until } from './until.ts';

const lookMs = 50;
const exitMs = 20_000;
const askMs = 1_000;
/** So long after its end a node has to come back by itself before it is started. */
const selfStartMs = 1_500;
const tailLines = 12;

/** Who starts a node again that has ended. */
export type Restarter = 'self' | 'manager';

export interface AttachedNodeSettings extends SeenNodeSettings {
  readonly dir: string;
  readonly process: RunningProcess;
  readonly restarter: Restarter;
  readonly onEnd: (node: AttachedNode, how: string, asked: boolean) => void;
  readonly say: (text: string) => void;
}

export class AttachedNode extends SeenNode {
  override readonly breakable = true;
  readonly dir: string;
  /** As it was found: what it is started from. */
  readonly image: RunningProcess;
  readonly #settings: AttachedNodeSettings;
  /** The process of now, or the last one. */
  #now: { readonly pid: number; readonly startTicks: number };
  #alive = true;
  #endedMs = 0;
  #asked = false;
  #managed: boolean;
  #child: ChildProcess | undefined;
  /** What `http.address` was when the node was last seen to end: it is written again. */
  #oldAddressFile = '';
  #watch: NodeJS.Timeout | undefined;

  constructor(settings: AttachedNodeSettings) {
    super(settings);
    this.#settings = settings;
    this.dir = settings.dir;
    this.image = settings.process;
    this.#now = settings.process;
    this.#managed = settings.restarter === 'manager';
  }

  override get alive(): boolean {
    return this.#alive;
  }

  get pid(): number {
    return this.#now.pid;
  }

  /** Follows the process from now on. */
  begin(): void {
    this.#watch = setInterval(() => this.#look(), lookMs);
  }

  /** Lets go of it. */
  leave(): void {
    clearInterval(this.#watch);
    this.#child?.unref();
  }

  get #runs(): boolean {
    return startTicksOf(this.#now.pid) === this.#now.startTicks;
  }

  /** Notes that the process has ended, or that there is another one. */
  #look(): void {
    if (this.#alive && !this.#runs) this.#noteEnd();
    if (!this.#alive) this.#adopt();
  }

  #noteEnd(): void {
    const code = this.#child?.pid === this.#now.pid ? this.#child.exitCode : null;
    this.#alive = false;
    this.#endedMs = performance.now();
    this.paused = false;
    this.address = '';
    this.#oldAddressFile = this.#addressFile();
    this.howEnded = this.#asked ? 'ended as it was told' : 'ended by itself';
    if (code !== null) this.howEnded = `exit code ${code}`;
    this.#settings.onEnd(this, this.howEnded, this.#asked);
  }

  /** Takes up a process that somebody else started for this node meanwhile. */
  #adopt(): void {
    const pid = holderOf(this.dir);
    const startTicks = pid === undefined ? undefined : startTicksOf(pid);
    if (pid === undefined || startTicks === undefined) return;
    this.#now = { pid, startTicks };
    this.#alive = true;
    this.#managed = true;
    this.#settings.say(`${this.name} was started again by its own manager, as process ${pid}`);
  }

  #addressFile(): string {
    try {
      const { ino, mtimeNs } = statSync(join(this.dir, 'http.address'), { bigint: true });
      return `${ino} ${mtimeNs}`;
    } catch {
      // A node that stops in order takes it away.
      return '';
    }
  }

  override async launch(): Promise<void> {
    if (!this.#managed) {
      const limitMs = this.#endedMs + selfStartMs - performance.now();
      await until(() => this.#alive, { limitMs, pollMs: lookMs });
      // It need not have come as far as its store.
      this.#managed = this.#alive || isStarting(this.dir);
    }
    if (this.#alive || this.#managed) return;
    const { image, dir } = this;
    const [command, ...args] = startOf(image);
    const files = image.outputs.map(path => openOutput(path, dir, image.owner));
    try {
      this.#child = spawn(command!, args, {
        ...{ cwd: image.cwd, env: { ...image.env } },
        ...(command === image.executable ? { argv0: image.args[0]! } : {}),
        stdio: ['ignore', files[0], files[1]],
        // A session of its own: it stays when this process and its terminal are gone.
        detached: true,
      });
    } finally {
      for (const file of files) closeSync(file);
    }
    let failure = '';
    this.#child.once('error', error => (failure = error.message));
    const pid = this.#child.pid;
    const startTicks = pid === undefined ? undefined : startTicksOf(pid);
    if (pid === undefined || startTicks === undefined) {
      await until(() => failure !== '', { limitMs: askMs, pollMs: 5 });
      throw new Error(`${this.name} cannot be started again: ${failure}`);
    }
    this.#asked = false;
    this.#now = { pid, startTicks };
    this.#alive = true;
  }

  override async untilReady(signal?: AbortSignal): Promise<'ready' | 'late' | number> {
    const outcome = await until(
      async () => {
        if (this.awake) return 'ready' as const;
        if (!this.#alive) return this.#managed ? undefined : ('ended' as const);
        if (this.#addressFile() === this.#oldAddressFile) return undefined;
        return (await this.#takesTasks()) ? ('ready' as const) : undefined;
      },
      { limitMs: readyMs, pollMs: 25, signal },
    );
    if (outcome === undefined && !this.#alive) {
      throw new Error(`${this.name} was not started again by its manager: start it by hand`);
    }
    return outcome === 'ended' ? (this.#child?.exitCode ?? -1) : (outcome ?? 'late');
  }

  async #takesTasks(): Promise<boolean> {
    try {
      const address = readAddress(this.dir);
      if (address === '') return false;
      const { status } = await callNode(address, '', '/v1/health', { limitMs: askMs });
      if (status !== 200 || !this.#alive) return false;
      this.address = address;
      return true;
    } catch {
      // Not yet: asked again.
      return false;
    }
  }

  override expectEnd(expected = true): void {
    this.#asked = expected;
  }

  override async kill(): Promise<void> {
    if (!this.#alive) return;
    this.#asked = true;
    if (this.#runs) killHard(this.#now.pid);
    await this.#untilGone(exitMs);
  }

  override async stop(): Promise<boolean> {
    if (!this.#alive) return true;
    this.#asked = true;
    if (this.#runs) {
      signalProcess(this.#now.pid, 'SIGTERM');
      signalProcess(this.#now.pid, 'SIGCONT');
    }
    if (await this.#untilGone(exitMs)) return true;
    await this.kill();
    return false;
  }

  /** Until this process, not the next one, is gone. */
  async #untilGone(limitMs: number): Promise<boolean> {
    const { pid, startTicks } = this.#now;
    const gone = (): boolean => startTicksOf(pid) !== startTicks;
    if ((await until(gone, { limitMs, pollMs: 5 })) !== true) return false;
    if (this.#alive && this.#now.pid === pid) this.#noteEnd();
    return true;
  }

  override async pause(): Promise<void> {
    this.paused = this.#runs && signalProcess(this.#now.pid, 'SIGSTOP');
  }

  override async resume(): Promise<void> {
    if (this.#runs) signalProcess(this.#now.pid, 'SIGCONT');
    this.paused = false;
  }

  override async killSupervisor(): Promise<boolean> {
    return killSupervisor(this.dir);
  }

  override async pauseSupervisor(): Promise<(() => Promise<boolean>) | undefined> {
    return pauseSupervisor(this.dir);
  }

  override slowSyncs(delayMs: number): Promise<Heal> {
    return slowSyncs(this.#now.pid, delayMs);
  }

  override tail(): string {
    const path = outputPath(this.image.outputs[1], this.dir);
    try {
      return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-tailLines).join('\n');
    } catch {
      return `(no log at ${path})`;
    }
  }
}

/** Address of the HTTP API of the node that runs in a data directory; empty where it has none. */
export function readAddress(dataDir: string): string {
  try {
    return readFileSync(join(dataDir, 'http.address'), 'utf8')
      .trim()
      .replace(/^http:\/\//, '');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** The command that starts the same again, by the same user. */
function startOf({ executable, args, owner }: RunningProcess): string[] {
  const program = executable.endsWith(' (deleted)') ? args[0]! : executable;
  const command = [program, ...args.slice(1)];
  if (owner.uid === process.geteuid?.()) return command;
  const groups = owner.groups.length === 0 ? '--clear-groups' : `--groups=${owner.groups.join()}`;
  return ['setpriv', `--reuid=${owner.uid}`, `--regid=${owner.gid}`, groups, '--', ...command];
}

/** A file that the process wrote into is written on; a pipe or a terminal is not there any more. */
function outputPath(output: string, dir: string): string {
  try {
    if (statSync(output).isFile()) return output;
  } catch {
    // A pipe, a socket, or a file that was deleted.
  }
  return join(dir, 'restarted.log');
}

/** A file that is made is the node's; what its user may have put in its way is not followed. */
function openOutput(output: string, dir: string, owner: Owner): number {
  const path = outputPath(output, dir);
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW;
  try {
    return openSync(path, flags);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const file = openSync(path, flags | constants.O_CREAT | constants.O_EXCL, 0o600);
  if (owner.uid !== process.geteuid?.()) fchownSync(file, owner.uid, owner.gid);
  return file;
}
