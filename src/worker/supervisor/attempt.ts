/**
 * One attempt in the supervisor: starting its process, the ladder that ends it (SIGTERM, grace, the
 * whole tree killed), and what is known about it afterwards.
 *
 * The supervisor drives it: `check` on every tick and before anything else is looked at.
 */
import { availableParallelism } from 'node:os';
import { type Outcome, type OutcomeKind, systemOutcome } from '../../model/attempt.ts';
import type { AttemptControl } from '../../model/worker-protocol.ts';
import type { AttemptKey, FoundAttempt } from '../../ports/runner.ts';
import { lossGraceMs } from '../lease.ts';
import type { AttemptFiles, OutputFiles, OutputSizes } from './attempt-files.ts';
import { bootMs } from './boot-clock.ts';
import { boundsOf, memoryRanOut, overMemory } from './bounds.ts';
import { CapClock } from './cap-clock.ts';
import { checkCommand, checkDirectory, StartFault } from './command.ts';
import { equip, handedOn, tooMuchHandedOn, unequip } from './handed-on.ts';
import type { AttemptLimits, Limiter } from './limiter.ts';
import { makeTree, type ProcessTree, type TreeOptions } from './process-tree.ts';
import { isChildOf, ownShareBytes, processUsage } from './processes.ts';
import type { WireOrder } from './protocol.ts';
import type { Exit, Starter } from './starter.ts';

export type EndKind = Extract<
  OutcomeKind,
  'cancelled' | 'lost' | 'timedOut' | 'outOfMemory' | 'outputTooLarge'
>;

export interface AttemptOptions {
  readonly files: AttemptFiles;
  readonly tree: TreeOptions;
  readonly limiter: Limiter;
  readonly starter: Starter;
  readonly deadline: number;
  readonly nowBootMs: number;
}

export interface AttemptEvents {
  /** There is a process; not told where none could be made. */
  onStarted(attempt: Attempt): void;
  /** The process that was started has ended, which is not yet the end of its tree. */
  onExit(attempt: Attempt): void;
}

/** Asked once: the system reads several files for it. */
const cpus = availableParallelism();

const noExit: Exit = { code: undefined, signal: undefined };

const messages: Record<EndKind, string> = {
  cancelled: '',
  lost: 'its lease ended, so it was ended too',
  timedOut: 'over its execution cap',
  outOfMemory: memoryRanOut,
  outputTooLarge: 'over its output limit; the head of the output is kept',
};

export class Attempt {
  readonly order: WireOrder;
  readonly startedAtMs: number;
  /** Instant of CLOCK_BOOTTIME at which the lease makes it end. */
  deadline: number;
  readonly #files: AttemptFiles;
  readonly #tree: ProcessTree;
  readonly #limits: AttemptLimits;
  readonly #starter: Starter;
  readonly #cap: CapClock;
  /** What was asked for last, until the tree does so. */
  #asked: AttemptControl | undefined;
  /** What it does of that was asked of it. */
  #control: AttemptControl | undefined;
  #pid = 0;
  #killAt: number | undefined;
  #endKind: EndKind | undefined;
  #endMessage: string | undefined;
  #exit: Exit | undefined;
  /** Why there never was its command. */
  #fault: StartFault | 'late' | undefined;
  /** From samples; exact figures replace them where there are any. */
  #peakMemoryBytes = 0;
  #userCpuMs = 0;
  #systemCpuMs = 0;

  private constructor(order: WireOrder, held: Held, options: AttemptOptions) {
    this.order = order;
    this.#files = options.files;
    this.#tree = held.tree;
    this.#limits = held.limits;
    this.#starter = options.starter;
    this.deadline = options.deadline;
    this.#cap = new CapClock(order.capMs, options.nowBootMs);
    this.startedAtMs = Date.now();
  }

  /**
   * Asks for the process; throws `StartFault` where it is known already that it cannot be. It is
   * an attempt from now on: what ends it before there is a process ends the process.
   */
  static start(order: WireOrder, options: AttemptOptions, events: AttemptEvents): Attempt {
    const { files } = options;
    const { key } = order;
    const output = files.create(key);
    try {
      const env = equip(files.directory(key), order);
      const cwd = order.cwd === '' ? files.work(key) : order.cwd;
      if (order.cwd !== '') checkDirectory(cwd);
      const argv = commandOf(order, files);
      const file = checkCommand(argv, cwd, env);
      const tree = makeTree(options.tree, file, argv, env);
      const limits = boundTree(order, tree, options.limiter);
      const attempt = new Attempt(order, { tree, limits }, options);
      attempt.#start(cwd, env, output, events);
      return attempt;
    } catch (error) {
      // Its directory is kept and removed like that of any attempt that is over.
      files.complete(key);
      unequip(files.directory(key));
      files.settle(key, { stdout: 0, stderr: 0 });
      throw error;
    }
  }

  #start(
    cwd: string,
    env: Readonly<Record<string, string>>,
    output: OutputFiles,
    { onStarted, onExit }: AttemptEvents,
  ): void {
    const { file, argv, cgroup } = this.#tree;
    const cgroups = [...(cgroup === '' ? [] : [cgroup]), ...this.#limits.joins];
    const { deadline } = this;
    const over = (exit: Exit): void => {
      this.#exit = exit;
      onExit(this);
    };
    this.#starter.start(
      { file, argv, env, cwd, cgroups, deadline, ...output },
      {
        started: pid => {
          this.#pid = pid;
          // What was to end it meanwhile had nobody to turn to.
          if (this.#endKind !== undefined) this.#tree.terminate(pid);
          this.check(bootMs());
          onStarted(this);
        },
        failed: fault => {
          this.#fault = fault;
          over(noExit);
        },
        ended: over,
      },
    );
  }

  /** The process to send signals to: 0 once it was waited for, for its id may be another's then. */
  get #target(): number {
    return this.#pid !== 0 && isChildOf(this.#pid, this.#starter.pid) ? this.#pid : 0;
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
    const { key, shard, taskId, fence, request, ports } = this.order;
    const { startedAtMs } = this;
    return { key, shard, taskId, fence, request, ports, startedAtMs, control: this.#control };
  }

  /** Next instant at which `check` has something to do. */
  get dueAt(): number {
    return Math.min(this.deadline, this.#cap.endsAt, this.#killAt ?? Number.POSITIVE_INFINITY);
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
    if (nowBootMs >= this.#cap.endsAt) this.end('timedOut', this.order.graceMs, nowBootMs);
    if (this.#killAt !== undefined && nowBootMs >= this.#killAt) {
      this.#tree.kill(this.#target);
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
      if (this.#endKind === undefined && graceMs > 0) this.#tree.terminate(this.#target);
      // What stands still could not use its grace.
      this.#setSuspended(false, nowBootMs);
      this.#endKind = kind;
      this.#endMessage = message;
    }
    if (this.#killAt === undefined || killAt < this.#killAt) this.#killAt = killAt;
    if (graceMs <= 0) this.#tree.kill(this.#target);
  }

  /** Stops its tree or lets it go on, and changes its cap; `controlled` tells when it is so. */
  control(control: AttemptControl, nowBootMs: number): void {
    // What is ending goes on to its end.
    if (this.exited || this.#endKind !== undefined) return;
    if (control.capMs !== undefined) this.#cap.change(control.capMs);
    this.#asked = control;
    this.#setSuspended(control.suspended, nowBootMs);
    this.check(nowBootMs);
  }

  #setSuspended(suspended: boolean, nowBootMs: number): void {
    if (this.#cap.stopped === suspended) return;
    this.#cap.stop(suspended, nowBootMs);
    if (suspended) this.#tree.suspend(this.#target);
    else this.#tree.resume(this.#target);
  }

  /** What was asked for, once the tree does so; each time only once. */
  controlled(): AttemptControl | undefined {
    const asked = this.#asked;
    if (asked === undefined || this.exited || this.#endKind !== undefined) return undefined;
    if (asked.suspended && !this.#tree.suspend(this.#target)) return undefined;
    this.#asked = undefined;
    this.#control = asked;
    return asked;
  }

  /** Looks at what it uses; ends it where that is more than it may. */
  sample(nowBootMs: number, withCpu: boolean): void {
    if (this.exited) return;
    let memoryBytes = 0;
    let heldBytes = 0;
    let userCpuMs = 0;
    let systemCpuMs = 0;
    const pids = this.#tree.pids(this.#pid);
    for (const pid of pids) {
      const usage = processUsage(pid, withCpu);
      memoryBytes += usage.memoryBytes;
      heldBytes += usage.heldBytes;
      userCpuMs += usage.userCpuMs;
      systemCpuMs += usage.systemCpuMs;
      this.#peakMemoryBytes = Math.max(this.#peakMemoryBytes, usage.peakMemoryBytes);
    }
    this.#peakMemoryBytes = Math.max(this.#peakMemoryBytes, memoryBytes);
    this.#userCpuMs = Math.max(this.#userCpuMs, userCpuMs);
    this.#systemCpuMs = Math.max(this.#systemCpuMs, systemCpuMs);
    const { stdout, stderr } = this.#files.sizes(this.key);
    if (stdout + stderr > this.order.outputBytesMax) this.end('outputTooLarge', 0, nowBootMs);
    this.#checkMemory(pids, heldBytes, nowBootMs);
  }

  /** `heldBytes` counts what processes share once for each of them. */
  #checkMemory(pids: readonly number[], heldBytes: number, nowBootMs: number): void {
    const { memoryBytes } = this.order.limit;
    if (this.#limits.inKernel) {
      if (this.#limits.endsOneByOne) this.#noteVerdict(nowBootMs);
      return;
    }
    if (memoryBytes === 0 || heldBytes <= memoryBytes) return;
    let bytes = 0;
    for (const pid of pids) bytes += ownShareBytes(pid) ?? processUsage(pid, false).heldBytes;
    if (bytes > memoryBytes) this.end('outOfMemory', 0, nowBootMs, overMemory(memoryBytes));
  }

  /** Ends the rest of it where the kernel has ended a part for want of memory. */
  #noteVerdict(nowBootMs: number): void {
    const verdict = this.#limits.verdict();
    if (verdict === undefined || this.#endKind !== undefined) return;
    const { memoryBytes } = this.order.limit;
    const own = verdict === 'own' && memoryBytes > 0;
    if (own) this.#peakMemoryBytes = Math.max(this.#peakMemoryBytes, memoryBytes);
    const message = own ? overMemory(memoryBytes) : memoryRanOut;
    this.end('outOfMemory', 0, nowBootMs, message);
    // What has exited already was ended by the kernel.
    this.#endKind ??= 'outOfMemory';
    this.#endMessage ??= message;
  }

  /** Once it has exited: ends what is left of its tree; true when nothing is. */
  clear(): boolean {
    this.#noteVerdict(bootMs());
    const usage = this.#tree.clear(this.#pid);
    if (usage === undefined) return false;
    this.#userCpuMs = usage.userCpuMs ?? this.#userCpuMs;
    this.#systemCpuMs = usage.systemCpuMs ?? this.#systemCpuMs;
    this.#peakMemoryBytes = usage.peakMemoryBytes ?? this.#peakMemoryBytes;
    this.#limits.release();
    return true;
  }

  /** The outcome, once `clear` said true. Cuts the output to its limit. */
  settle(nowBootMs: number): Outcome {
    const produced = this.#files.sizes(this.key);
    if (this.#fault !== undefined) return this.#failure(this.#fault, produced);
    const { outputBytesMax } = this.order;
    const truncated = produced.stdout + produced.stderr > outputBytesMax;
    if (truncated && this.#endKind === undefined) this.#endKind = 'outputTooLarge';
    const sizes = truncated ? this.#files.truncate(this.key, produced, outputBytesMax) : produced;
    // An end that is seen after the deadline came after it, as far as anybody can know.
    if (nowBootMs >= this.deadline) this.#endKind = 'lost';
    // It may have been killed before it opened its output.
    if (this.#exit?.signal !== undefined) this.#files.complete(this.key);
    const tail = this.#files.tail(this.key, sizes);
    const handed = this.order.handsOn ? handedOn(this.#files.directory(this.key)) : undefined;
    if (handed === 'tooLong' && this.#endKind === undefined) {
      this.#endKind = 'outputTooLarge';
      this.#endMessage = tooMuchHandedOn;
    }
    unequip(this.#files.directory(this.key));
    this.#files.settle(this.key, sizes);
    const outcome = this.#outcome(sizes, truncated, tail);
    return typeof handed === 'object' ? { ...outcome, output: handed.text } : outcome;
  }

  #failure(fault: StartFault | 'late', sizes: OutputSizes): Outcome {
    this.#files.complete(this.key);
    unequip(this.#files.directory(this.key));
    this.#files.settle(this.key, sizes);
    const { startedAtMs } = this;
    const kind = fault === 'late' ? 'lost' : (this.#endKind ?? 'startFailed');
    const message = fault === 'late' ? 'its lease ended before it was started' : fault.message;
    return { ...systemOutcome(kind, Date.now(), message), startedAtMs };
  }

  #outcome(sizes: OutputSizes, outputTruncated: boolean, tail: string): Outcome {
    const { code, signal } = this.#exit ?? noExit;
    const kind = this.#endKind;
    const own = code === 0 ? 'succeeded' : 'failed';
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

interface Held {
  readonly tree: ProcessTree;
  readonly limits: AttemptLimits;
}

function boundTree(order: WireOrder, tree: ProcessTree, limiter: Limiter): AttemptLimits {
  try {
    return limiter.limit(boundsOf(order, cpus), tree.cgroup);
  } catch (error) {
    tree.clear(0);
    throw new StartFault(`its limits cannot be set: ${(error as Error).message}`);
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
