/**
 * Handles on everything that one attempt has started, whatever its processes do to get away: a control
 * group, else a PID namespace of its own, else a process group (degraded: `setsid` leaves it).
 */
import { join } from 'node:path';
import {
  cgroupPids,
  cgroupPopulated,
  cgroupUsage,
  createCgroup,
  killCgroup,
  removeCgroup,
} from './cgroup.ts';
import { children, descendants, signal } from './processes.ts';
import { exactly, initScript, joinScript } from './shell.ts';

export interface TreeUsage {
  /** Undefined where only samples can say. */
  readonly userCpuMs: number | undefined;
  readonly systemCpuMs: number | undefined;
  readonly peakMemoryBytes: number | undefined;
  readonly outOfMemory: boolean;
}

export interface ProcessTree {
  /** What to spawn so that the command runs inside this tree. */
  readonly file: string;
  readonly args: readonly string[];
  /** Asks every process to end. `pid` is that of the process that was spawned. */
  terminate(pid: number): void;
  /** Ends every process. */
  kill(pid: number): void;
  /**
   * To be asked once the spawned process has ended: ends what it left behind and tells whether
   * nothing is left.
   */
  clear(pid: number): boolean;
  /** Processes to sample. */
  pids(pid: number): number[];
  /** To be read once before `clear` says true. */
  usage(): TreeUsage;
}

const unknownUsage: TreeUsage = {
  userCpuMs: undefined,
  systemCpuMs: undefined,
  peakMemoryBytes: undefined,
  outOfMemory: false,
};

/** The ways to hold an attempt, best first. */
export type TreeKind = 'cgroup' | 'pidNamespace' | 'processGroup';

export interface TreeOptions {
  readonly kind: TreeKind;
  /** Control group of the supervisor, for `cgroup`. */
  readonly base: string;
  /** Whether memory is accounted by control groups. */
  readonly memory: boolean;
  /** Arguments of `unshare` for `pidNamespace`. */
  readonly unshare: readonly string[];
  /** The system's shell hands its environment on unchanged. */
  readonly exactShell: boolean;
}

export function makeTree(
  options: TreeOptions,
  key: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
): ProcessTree {
  if (options.kind === 'cgroup') {
    return new CgroupTree(
      join(options.base, key),
      options.memory,
      exactly(argv, env, options.exactShell),
    );
  }
  if (options.kind === 'pidNamespace') {
    return new NamespaceTree(options.unshare, exactly(argv, env, options.exactShell));
  }
  return new GroupTree(argv);
}

class CgroupTree implements ProcessTree {
  readonly file = '/bin/sh';
  readonly args: readonly string[];
  readonly #path: string;
  readonly #memory: boolean;
  #killed = false;

  constructor(path: string, memory: boolean, argv: readonly string[]) {
    this.#path = path;
    this.#memory = memory;
    this.args = ['-c', joinScript, path, ...argv];
    createCgroup(path);
  }

  terminate(pid: number): void {
    // The spawned process may not have entered its group yet.
    signal(pid, 'SIGTERM');
    for (const member of cgroupPids(this.#path)) if (member !== pid) signal(member, 'SIGTERM');
  }

  kill(pid: number): void {
    killCgroup(this.#path);
    signal(pid, 'SIGKILL');
  }

  clear(): boolean {
    if (removeCgroup(this.#path)) return true;
    // Nothing was killed that a group created since does not hold: `cgroup.kill` is asked again only
    // while processes are left.
    if (!this.#killed || cgroupPopulated(this.#path)) killCgroup(this.#path);
    this.#killed = true;
    return removeCgroup(this.#path);
  }

  pids(): number[] {
    return cgroupPids(this.#path, 64);
  }

  usage(): TreeUsage {
    return cgroupUsage(this.#path, this.#memory);
  }
}

class NamespaceTree implements ProcessTree {
  readonly file = 'unshare';
  readonly args: readonly string[];

  constructor(unshare: readonly string[], argv: readonly string[]) {
    this.args = [...unshare, '--', '/bin/sh', '-c', initScript, 'tsched-init', ...argv];
  }

  terminate(pid: number): void {
    const [init] = children(pid);
    // `unshare` itself must live on: its end would be the end of all without grace.
    for (const member of init === undefined ? [] : descendants(init)) signal(member, 'SIGTERM');
  }

  kill(pid: number): void {
    const [init] = children(pid);
    // The end of the init is complete only when the namespace is empty, and `unshare` waits for it.
    signal(init ?? pid, 'SIGKILL');
  }

  clear(): boolean {
    return true;
  }

  pids(pid: number): number[] {
    return descendants(pid, 64);
  }

  usage(): TreeUsage {
    return unknownUsage;
  }
}

class GroupTree implements ProcessTree {
  readonly file: string;
  readonly args: readonly string[];

  constructor(argv: readonly string[]) {
    const [file = '', ...args] = argv;
    this.file = file;
    this.args = args;
  }

  terminate(pid: number): void {
    signal(-pid, 'SIGTERM');
  }

  kill(pid: number): void {
    signal(-pid, 'SIGKILL');
  }

  clear(pid: number): boolean {
    return !signal(-pid, 'SIGKILL');
  }

  pids(pid: number): number[] {
    return [pid, ...descendants(pid, 63)];
  }

  usage(): TreeUsage {
    return unknownUsage;
  }
}
