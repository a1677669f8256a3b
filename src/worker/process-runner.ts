/**
 * The runner port on real processes. The processes are children of a supervisor (`supervisor/`);
 * this side starts it, adopts the one that is there, talks to it, and replaces it when it is dead
 * or silent. Nothing here starts a process of a task, so the node's event loop never waits for one.
 */
import { constants, mkdirSync } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { join } from 'node:path';
import { type Outcome, systemOutcome } from '../model/attempt.ts';
import type { AttemptControl } from '../model/worker-protocol.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type {
  AttemptKey,
  AttemptOrder,
  FoundAttempt,
  OutputChunk,
  Runner,
  RunnerEvents,
  RunnerHello,
} from '../ports/runner.ts';
import { isSafeKey, noOutputPath } from './supervisor/attempt-files.ts';
import type { LimitKind } from './supervisor/limit-probe.ts';
import type { TreeKind } from './supervisor/process-tree.ts';
import { toWireOrder } from './supervisor/protocol.ts';
import { socketPath } from './supervisor/remains.ts';
import type { StarterKind } from './supervisor/starter.ts';
import { carefully, isCausedByTask } from './supervisor/task-files.ts';
import { type News, SupervisorLink } from './supervisor-link.ts';
import {
  endSupervisor,
  isRunning,
  recordSupervisor,
  type SupervisorMeans,
  startSupervisor,
} from './supervisor-process.ts';

export interface ProcessRunnerOptions {
  /** The node's data directory; the supervisor keeps its files below it. */
  readonly dataDir: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly nodeName: string;
  /** Best way to hold an attempt's processes together that may be used; default `cgroup`. */
  readonly isolation?: TreeKind | undefined;
  /** Best way to start processes that may be used; default `perl`. */
  readonly starter?: StarterKind | undefined;
  /** Best way to keep attempts to their limits that may be used; default `kernel`. */
  readonly limits?: LimitKind | undefined;
}

/** How long an old supervisor may take to answer before it is ended. */
const adoptMs = 3_000;
/**
 * The same for a new one to come up, while its process runs: all nodes of a machine that has just
 * got its power back start at once, and theirs share what it has.
 */
const startMs = 120_000;
/** And to greet, once it listens. */
const greetMs = 15_000;
/** Largest piece of output that is read at once. */
const chunkBytesMax = 1024 * 1024;

export const createProcessRunner = (options: ProcessRunnerOptions): Runner =>
  new ProcessRunner(options);

class ProcessRunner implements Runner {
  readonly #dataDir: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #means: SupervisorMeans;
  #events: RunnerEvents | undefined;
  #link: SupervisorLink | undefined;
  /** Attempts that the supervisor has, or is about to have, and that did not end. */
  readonly #live = new Map<AttemptKey, FoundAttempt>();
  #stopped = false;
  /** Settles when a replacement of the supervisor that is under way is done. */
  #replacing: Promise<void> = Promise.resolve();

  constructor(options: ProcessRunnerOptions) {
    this.#dataDir = options.dataDir;
    this.#clock = options.clock;
    const { isolation = 'cgroup', starter = 'perl', limits = 'kernel' } = options;
    this.#means = { isolation, starter, limits };
    this.#log = options.log.child({ node: options.nodeName });
  }

  async start(events: RunnerEvents): Promise<RunnerHello> {
    this.#events = events;
    mkdirSync(join(this.#dataDir, 'attempts'), { recursive: true, mode: 0o700 });
    try {
      return await this.#open(adoptMs);
    } catch (error) {
      this.#log.debug('no supervisor to adopt', { reason: String(error) });
    }
    return await this.#startNew();
  }

  launch(order: AttemptOrder): void {
    if (order.run.kind === 'null') {
      this.#settleNull(order);
      return;
    }
    const { key, shard, taskId, fence, request } = order;
    this.#live.set(key, { key, shard, taskId, fence, request, startedAtMs: 0 });
    this.#link?.send({ kind: 'launch', order: toWireOrder(order) });
  }

  end(key: AttemptKey, kind: 'cancelled' | 'lost'): void {
    this.#link?.send({ kind: 'end', key, outcomeKind: kind });
  }

  control(key: AttemptKey, control: AttemptControl): void {
    this.#link?.send({ kind: 'control', key, control });
  }

  renew(shards: readonly { readonly shard: number; readonly sentBootMs: number }[]): void {
    this.#link?.send({ kind: 'renew', shards });
  }

  acknowledge(key: AttemptKey): void {
    this.#link?.send({ kind: 'acknowledge', key });
  }

  async output(
    key: AttemptKey,
    stream: 'stdout' | 'stderr',
    offset: number,
    maxBytes: number,
  ): Promise<OutputChunk | undefined> {
    if (!isSafeKey(key)) return undefined;
    // Asked before the file is read: what is written after the read belongs to a later answer.
    const ended = !this.#live.has(key);
    const root = join(this.#dataDir, 'attempts');
    const chunk = await readChunk(
      join(root, key, stream),
      offset,
      Math.min(maxBytes, chunkBytesMax),
    );
    if (chunk !== undefined) return { ...chunk, ended };
    const silent = await isThere(noOutputPath(root, key));
    return silent ? { bytes: new Uint8Array(0), size: 0, ended } : undefined;
  }

  async stop(options: { readonly end: boolean }): Promise<void> {
    this.#stopped = true;
    await this.#replacing;
    const link = this.#link;
    this.#link = undefined;
    link?.close();
    if (options.end) await endSupervisor(this.#dataDir, this.#clock);
  }

  async #open(timeoutMs: number): Promise<RunnerHello> {
    const path = socketPath(this.#dataDir);
    const { link, hello } = await SupervisorLink.open(path, timeoutMs, this.#clock, {
      onMessage: message => this.#onMessage(message),
      onDown: why => this.#onDown(why),
    });
    this.#link = link;
    this.#live.clear();
    for (const found of hello.found) {
      if (found.outcome === undefined) this.#live.set(found.key, found);
    }
    return hello;
  }

  async #startNew(): Promise<RunnerHello> {
    await endSupervisor(this.#dataDir, this.#clock);
    const started = startSupervisor(this.#dataDir, this.#means);
    const startedMs = this.#clock.nowMs();
    for (;;) {
      try {
        const hello = await this.#open(greetMs);
        // By now the init is there too.
        recordSupervisor(this.#dataDir, started);
        this.#log.info('supervisor started', { pid: started.pid, ...hello.isolation });
        return hello;
      } catch (error) {
        const late = this.#clock.nowMs() - startedMs >= startMs;
        if (late || this.#stopped || !isRunning(started)) throw error;
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#clock.after(20, resolve);
        await promise;
      }
    }
  }

  #onMessage(message: News): void {
    if (message.kind === 'started') {
      this.#events?.onStarted(message.key, message.startedAtMs);
    } else if (message.kind === 'ended') {
      this.#live.delete(message.key);
      this.#events?.onEnded(message.key, message.outcome);
    } else if (message.kind === 'controlled') {
      this.#events?.onControlled(message.key, message.control);
    } else if (message.kind === 'replaced') {
      this.#log.error('another process of this node has taken the supervisor over');
      this.#stopped = true;
    }
  }

  /** The supervisor is dead or as good as dead: its attempts must be before anybody hears of it. */
  #onDown(why: string): void {
    this.#link = undefined;
    if (this.#stopped) return;
    this.#log.warn('supervisor is down', { reason: why });
    this.#replacing = this.#replace();
  }

  async #replace(): Promise<void> {
    const lost = [...this.#live.values()];
    for (let waitMs = 100; !this.#stopped; waitMs = Math.min(5_000, waitMs * 2)) {
      try {
        const hello = await this.#startNew();
        this.#events?.onSupervisor(withLost(hello, lost, this.#clock.wallMs()));
        return;
      } catch (error) {
        this.#log.error('cannot start a supervisor', { reason: String(error) });
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#clock.after(waitMs, resolve);
        await promise;
      }
    }
  }

  /**
   * Nothing runs: succeeds in the next turn. Not reported as started, so that a lost end is redone.
   */
  #settleNull(order: AttemptOrder): void {
    const now = this.#clock.wallMs();
    const outcome: Outcome = { ...systemOutcome('succeeded', now, ''), startedAtMs: now };
    queueMicrotask(() => {
      if (!this.#stopped) this.#events?.onEnded(order.key, { ...outcome, exitCode: 0 });
    });
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isCausedByTask(error)) return false;
    throw error;
  }
}

/** Part of an output file; `undefined` where there is none, or none any more. */
async function readChunk(
  path: string,
  offset: number,
  maxBytes: number,
): Promise<Pick<OutputChunk, 'bytes' | 'size'> | undefined> {
  try {
    const file = await open(path, constants.O_RDONLY | carefully);
    try {
      const stats = await file.stat();
      if (!stats.isFile()) return undefined;
      const { size } = stats;
      const wanted = Math.min(maxBytes, Math.max(0, size - offset));
      const bytes = new Uint8Array(wanted);
      const { bytesRead } = await file.read(bytes, 0, wanted, offset);
      // Files of an attempt that is over may be used again: by now it may be another one's output.
      if ((await lstat(path)).ino !== stats.ino) return undefined;
      return { bytes: bytes.subarray(0, bytesRead), size };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isCausedByTask(error)) return undefined;
    throw error;
  }
}

/**
 * Attempts that were on their way to the old supervisor are not in any record: they are lost too.
 */
function withLost(hello: RunnerHello, lost: readonly FoundAttempt[], wallMs: number): RunnerHello {
  const known = new Set(hello.found.map(found => found.key));
  const missing = lost.filter(attempt => !known.has(attempt.key));
  const outcome = systemOutcome('lost', wallMs, 'its supervisor ended before it did');
  return { ...hello, found: [...hello.found, ...missing.map(found => ({ ...found, outcome }))] };
}
