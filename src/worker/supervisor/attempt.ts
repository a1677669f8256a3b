/**
 * One attempt in the supervisor: starting its process, the ladder that ends it (SIGTERM, grace, the
 * whole tree killed), and what is known about it afterwards.
 *
 * The supervisor drives it: `check` on every tick and before anything else is looked at.
 */
import { closeSync } from 'node:fs';
import { execa } from 'execa';
import type { Outcome, OutcomeKind } from '../../model/attempt.ts';
import type { AttemptKey, FoundAttempt } from '../../ports/runner.ts';
import { lossGraceMs } from '../lease.ts';
import type { AttemptFiles, OutputSizes } from './attempt-files.ts';
import { checkCommand, checkDirectory, StartFault } from './command.ts';
import { makeTree, type ProcessTree, type TreeOptions } from './process-tree.ts';
import { processUsage } from './processes.ts';
import type { WireOrder } from './protocol.ts';

export type EndKind = Extract<OutcomeKind, 'cancelled' | 'lost' | 'timedOut' | 'outputTooLarge'>;

/** How a process ended: what `wait` said. */
interface Exit {
  readonly code: number | undefined;
  readonly signal: string | undefined;
}

const messages: Record<EndKind, string> = {
  cancelled: '',
  lost: 'its lease ended, so it was ended too',
  timedOut: 'over its execution cap',
  outputTooLarge: 'over its output limit; the head of the output is kept',
};

export class Attempt {
  readonly order: WireOrder;
  readonly startedAtMs: number;
  /** Instant of CLOCK_BOOTTIME at which the lease makes it end. */
  deadline: number;
  readonly #files: AttemptFiles;
  readonly #tree: ProcessTree;
  readonly #capAt: number;
  #pid = 0;
  #killAt: number | undefined;
  #endKind: EndKind | undefined;
  #endMessage: string | undefined;
  #exit: Exit | undefined;
  /** From samples; exact figures replace them where there are any. */
  #peakMemoryBytes = 0;
  #userCpuMs = 0;
  #systemCpuMs = 0;
  #outOfMemory = false;

  private constructor(
    order: WireOrder,
    files: AttemptFiles,
    tree: ProcessTree,
    deadline: number,
    nowBootMs: number,
  ) {
    this.order = order;
    this.#files = files;
    this.#tree = tree;
    this.deadline = deadline;
    this.#capAt = order.capMs > 0 ? nowBootMs + order.capMs : Number.POSITIVE_INFINITY;
    this.startedAtMs = Date.now();
  }

  /**
   * Starts the process; throws `StartFault` where that cannot be. `onExit` is called when the
   * process that was started has ended, which is not yet the end of its tree.
   */
  static start(
    order: WireOrder,
    options: { files: AttemptFiles; tree: TreeOptions; deadline: number; nowBootMs: number },
    onExit: (attempt: Attempt) => void,
  ): Attempt {
    const { files } = options;
    const { key, env } = order;
    const output = files.create(key);
    try {
      const cwd = order.cwd === '' ? files.work(key) : order.cwd;
      checkDirectory(cwd);
      const argv = commandOf(order, files);
      checkCommand(argv, cwd, env);
      const tree = makeTree(options.tree, argv, env);
      const attempt = new Attempt(order, files, tree, options.deadline, options.nowBootMs);
      attempt.#spawn(cwd, output, onExit);
      return attempt;
    } catch (error) {
      // Its directory is kept and removed like that of any attempt that is over.
      files.settle(key, { stdout: 0, stderr: 0 });
      throw error;
    } finally {
      closeSync(output.stdout);
      closeSync(output.stderr);
    }
  }

  #spawn(
    cwd: string,
    output: { stdout: number; stderr: number },
    onExit: (attempt: Attempt) => void,
  ): void {
    const subprocess = execa(this.#tree.file, this.#tree.args, {
      cwd,
      env: this.order.env,
      extendEnv: false,
      stdin: 'ignore',
      // The declared types know small descriptors only; any number is handed on as it is.
      stdout: output.stdout as 1,
      stderr: output.stderr as 1,
      detached: true,
      buffer: false,
      cleanup: false,
      reject: false,
      forceKillAfterDelay: false,
    });
    this.#pid = subprocess.pid ?? 0;
    void subprocess.then(result => {
      this.#exit ??= { code: result.exitCode, signal: result.signal };
      if (this.#pid !== 0) onExit(this);
    });
    if (this.#pid !== 0) return;
    this.#tree.clear(0);
    throw new StartFault('the system refused to start a process');
  }

  get key(): AttemptKey {
    return this.order.key;
  }

  get pid(): number {
    return this.#pid;
  }

  get exited(): boolean {
    return this.#exit !== undefined;
  }

  found(): FoundAttempt {
    const { key, shard, taskId, fence, request } = this.order;
    return { key, shard, taskId, fence, request, startedAtMs: this.startedAtMs };
  }

  /** Next instant at which `check` has something to do. */
  get dueAt(): number {
    return Math.min(this.deadline, this.#capAt, this.#killAt ?? Number.POSITIVE_INFINITY);
  }

  /** Deadline, cap and the end of a grace, as far as they are reached. */
  check(nowBootMs: number): void {
    if (this.exited) return;
    if (nowBootMs >= this.deadline) {
      const { leaseMs, graceMs } = this.order;
      this.end(
        'lost',
        Math.max(0, this.deadline + lossGraceMs(leaseMs, graceMs) - nowBootMs),
        nowBootMs,
      );
    }
    if (nowBootMs >= this.#capAt) this.end('timedOut', this.order.graceMs, nowBootMs);
    if (this.#killAt !== undefined && nowBootMs >= this.#killAt) {
      this.#tree.kill(this.#pid);
      // Should something slip through (a process on its way into the group), it is asked again.
      this.#killAt = nowBootMs + 100;
    }
  }

  /**
   * Begins to end the attempt. The first reason stays, except that nothing outlives its lease; a
   * shorter grace than one that runs already cuts it short.
   */
  end(kind: EndKind, graceMs: number, nowBootMs: number, message?: string): void {
    if (this.exited) return;
    const killAt = nowBootMs + graceMs;
    if (this.#endKind === undefined || (kind === 'lost' && this.#endKind !== 'lost')) {
      if (this.#endKind === undefined && graceMs > 0) this.#tree.terminate(this.#pid);
      this.#endKind = kind;
      this.#endMessage = message;
    }
    if (this.#killAt === undefined || killAt < this.#killAt) this.#killAt = killAt;
    if (graceMs <= 0) this.#tree.kill(this.#pid);
  }

  /** Looks at what it uses; ends it where that is more than it may. */
  sample(nowBootMs: number, withCpu: boolean): void {
    if (this.exited) return;
    let memoryBytes = 0;
    let userCpuMs = 0;
    let systemCpuMs = 0;
    for (const pid of this.#tree.pids(this.#pid)) {
      const usage = processUsage(pid, withCpu);
      memoryBytes += usage.memoryBytes;
      userCpuMs += usage.userCpuMs;
      systemCpuMs += usage.systemCpuMs;
      this.#peakMemoryBytes = Math.max(this.#peakMemoryBytes, usage.peakMemoryBytes);
    }
    this.#peakMemoryBytes = Math.max(this.#peakMemoryBytes, memoryBytes);
    this.#userCpuMs = Math.max(this.#userCpuMs, userCpuMs);
    this.#systemCpuMs = Math.max(this.#systemCpuMs, systemCpuMs);
    const { stdout, stderr } = this.#files.sizes(this.key);
    if (stdout + stderr > this.order.outputBytesMax) this.end('outputTooLarge', 0, nowBootMs);
  }

  /** Once it has exited: ends what is left of its tree; true when nothing is. */
  clear(): boolean {
    const usage = this.#tree.clear(this.#pid);
    if (usage === undefined) return false;
    this.#userCpuMs = usage.userCpuMs ?? this.#userCpuMs;
    this.#systemCpuMs = usage.systemCpuMs ?? this.#systemCpuMs;
    this.#peakMemoryBytes = usage.peakMemoryBytes ?? this.#peakMemoryBytes;
    this.#outOfMemory = usage.outOfMemory;
    return true;
  }

  /** The outcome, once `clear` said true. Cuts the output to its limit. */
  settle(nowBootMs: number): Outcome {
    const produced = this.#files.sizes(this.key);
    const { outputBytesMax } = this.order;
    const truncated = produced.stdout + produced.stderr > outputBytesMax;
    if (truncated && this.#endKind === undefined) this.#endKind = 'outputTooLarge';
    const sizes = truncated ? this.#files.truncate(this.key, produced, outputBytesMax) : produced;
    // An end that is seen after the deadline came after it, as far as anybody can know.
    if (nowBootMs >= this.deadline) this.#endKind = 'lost';
    const tail = this.#files.tail(this.key, sizes);
    this.#files.settle(this.key, sizes);
    return this.#outcome(sizes, truncated, tail);
  }

  #outcome(sizes: OutputSizes, outputTruncated: boolean, tail: string): Outcome {
    const { code, signal } = this.#exit ?? { code: undefined, signal: undefined };
    const kind = this.#endKind;
    const own = this.#outOfMemory ? 'outOfMemory' : code === 0 ? 'succeeded' : 'failed';
    return {
      kind: kind ?? own,
      ...(code === undefined ? {} : { exitCode: code }),
      ...(signal === undefined ? {} : { signal }),
      startedAtMs: this.startedAtMs,
      endedAtMs: Date.now(),
      userCpuMs: this.#userCpuMs,
      systemCpuMs: this.#systemCpuMs,
      peakMemoryBytes: this.#peakMemoryBytes,
      stdoutBytes: sizes.stdout,
      stderrBytes: sizes.stderr,
      outputTruncated,
      tail,
      message: this.#endMessage ?? (kind === undefined ? '' : messages[kind]),
    };
  }
}

/** The command of an order; the script is written to the attempt's directory first. */
function commandOf(order: WireOrder, files: AttemptFiles): readonly string[] {
  const { run } = order;
  if (run.kind === 'command') return run.argv;
  const bytes = Buffer.from(run.base64, 'base64');
  const path = files.writeScript(order.key, run.name, bytes);
  const own = bytes.subarray(0, 2).toString('latin1') === '#!';
  return own ? [path, ...run.args] : ['/bin/sh', path, ...run.args];
}
