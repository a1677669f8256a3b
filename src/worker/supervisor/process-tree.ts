/**
 * Handles on everything that one attempt has started, whatever its processes do to get away: a
 * control group, else a PID namespace of its own, else a process group (degraded: `setsid` leaves
 * it).
 */
import { cgroupPids, cgroupPopulated, freezeCgroup, isCgroupFrozen, killCgroup } from './cgroup.ts';
import type { CgroupPool, PooledCgroup } from './cgroup-pool.ts';
import { children, descendants, signal, stopAll } from './processes.ts';
import { exactly, initScript } from './shell.ts';

/** Undefined where only samples can say. */
export interface TreeUsage {
  readonly userCpuMs: number | undefined;
  readonly systemCpuMs: number | undefined;
  readonly peakMemoryBytes: number | undefined;
}

export interface ProcessTree {
  /** What to execute so that the command runs inside this tree. */
  readonly file: string;
  readonly argv: readonly string[];
  /** Directory of the control group it has to be in, or ''. */
  readonly cgroup: string;
  /**
   * Asks every process to end. `pid` is that of the process that was started; 0 where it is not
   * known yet, or over.
   */
  terminate(pid: number): void;
  /** Ends every process. */
  kill(pid: number): void;
  /** Stops every process where it is; true once all of them stand still, to be asked until then. */
  suspend(pid: number): boolean;
  /** Lets them go on. */
  resume(pid: number): void;
  /**
   * To be asked once the spawned process has ended, until it answers: ends what that left behind.
   * The answer, what the tree has used, comes when nothing is left of it; the tree is not used
   * again.
   */
  clear(pid: number): TreeUsage | undefined;
  /** Processes to sample. */
  pids(pid: number): number[];
}

const unknownUsage: TreeUsage = {
  userCpuMs: undefined,
  systemCpuMs: undefined,
  peakMemoryBytes: undefined,
};

/** Processes of one attempt that are looked at for what they use. */
const sampledMax = 256;

/** The ways to hold an attempt, best first. */
export type TreeKind = 'cgroup' | 'pidNamespace' | 'processGroup';

export interface TreeOptions {
  readonly kind: TreeKind;
  /** For `cgroup`. */
  readonly pool: CgroupPool | undefined;
  /** Path and arguments of `unshare` for `pidNamespace`. */
  readonly unshare: { readonly file: string; readonly args: readonly string[] };
  /** The system's shell hands its environment on unchanged. */
  readonly exactShell: boolean;
}

/** `file` is the path of the program that `argv` names. */
export function makeTree(
  options: TreeOptions,
  file: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
): ProcessTree {
  const { kind, pool, exactShell, unshare } = options;
  if (kind === 'cgroup' && pool !== undefined) return new CgroupTree(pool, file, argv);
  if (kind === 'processGroup') return new GroupTree(file, argv);
  const inside = exactly(argv, env, exactShell);
  const init = ['--', '/bin/sh', '-c', initScript, 'tsched-init'];
  return new NamespaceTree(unshare.file, ['unshare', ...unshare.args, ...init, ...inside]);
}

class CgroupTree implements ProcessTree {
  readonly file: string;
  readonly argv: readonly string[];
  readonly cgroup: string;
  readonly #pool: CgroupPool;
  readonly #group: PooledCgroup;
  /** The group is used again, and must not stay frozen. */
  #suspended = false;

  constructor(pool: CgroupPool, file: string, argv: readonly string[]) {
    this.file = file;
    this.argv = argv;
    this.#pool = pool;
    this.#group = pool.take();
    this.cgroup = this.#group.path;
  }

  terminate(pid: number): void {
    // The process that was started may not have entered its group yet.
    signal(pid, 'SIGTERM');
    for (const member of cgroupPids(this.#group.path)) {
      if (member !== pid) signal(member, 'SIGTERM');
    }
  }

  kill(pid: number): void {
    killCgroup(this.#group.path);
    signal(pid, 'SIGKILL');
  }

  suspend(pid: number): boolean {
    const { path } = this.#group;
    this.#suspended = true;
    if (freezeCgroup(path, true)) return pid > 0 && isCgroupFrozen(path);
    return pid > 0 && stopAll(() => cgroupPids(path));
  }

  resume(): void {
    const { path } = this.#group;
    this.#suspended = false;
    if (freezeCgroup(path, false)) return;
    for (const member of cgroupPids(path)) signal(member, 'SIGCONT');
  }

  clear(): TreeUsage | undefined {
    if (this.#suspended) this.resume();
    if (!cgroupPopulated(this.#group.path)) return this.#pool.give(this.#group);
    killCgroup(this.#group.path);
    return undefined;
  }

  pids(): number[] {
    return cgroupPids(this.#group.path, sampledMax);
  }
}

class NamespaceTree implements ProcessTree {
  readonly file: string;
  readonly argv: readonly string[];
  readonly cgroup = '';

  constructor(file: string, argv: readonly string[]) {
    this.file = file;
    this.argv = argv;
  }

  terminate(pid: number): void {
    const [init] = children(pid);
    // Once there is an init, `unshare` must live on: its end would be the end of all without grace.
    if (init === undefined) signal(pid, 'SIGTERM');
    else for (const member of descendants(init)) signal(member, 'SIGTERM');
  }

  kill(pid: number): void {
    const [init] = children(pid);
    // The end of the init is complete only when the namespace is empty, and `unshare` waits for it.
    signal(init ?? pid, 'SIGKILL');
  }

  suspend(pid: number): boolean {
    const [init] = children(pid);
    return init !== undefined && stopAll(() => descendants(init));
  }

  resume(pid: number): void {
    const [init] = children(pid);
    if (init === undefined) return;
    for (const member of descendants(init)) signal(member, 'SIGCONT');
  }

  clear(): TreeUsage {
    return unknownUsage;
  }

  pids(pid: number): number[] {
    return descendants(pid, sampledMax);
  }
}

class GroupTree implements ProcessTree {
  readonly file: string;
  readonly argv: readonly string[];
  readonly cgroup = '';

  constructor(file: string, argv: readonly string[]) {
    this.file = file;
    this.argv = argv;
  }

  terminate(pid: number): void {
    signal(-pid, 'SIGTERM');
  }

  kill(pid: number): void {
    signal(-pid, 'SIGKILL');
  }

  suspend(pid: number): boolean {
    if (pid === 0) return false;
    signal(-pid, 'SIGSTOP');
    return stopAll(() => [pid, ...descendants(pid)]);
  }

  resume(pid: number): void {
    signal(-pid, 'SIGCONT');
    for (const member of descendants(pid)) signal(member, 'SIGCONT');
  }

  clear(pid: number): TreeUsage | undefined {
    return pid > 0 && signal(-pid, 'SIGKILL') ? undefined : unknownUsage;
  }

  pids(pid: number): number[] {
    return [pid, ...descendants(pid, sampledMax - 1)];
  }
}
