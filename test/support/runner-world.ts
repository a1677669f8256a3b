/** One machine with real processes: a data directory, its supervisor, its clocks. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir, uptime } from 'node:os';
import { join } from 'node:path';
import type { Outcome } from '../../src/model/attempt.ts';
import type { Run } from '../../src/model/spec.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { silentLog } from '../../src/ports/log.ts';
import type { AttemptKey, Runner } from '../../src/ports/runner.ts';
import { createProcessRunner } from '../../src/worker/process-runner.ts';
import type { LimitKind } from '../../src/worker/supervisor/limit-probe.ts';
import type { TreeKind } from '../../src/worker/supervisor/process-tree.ts';
import type { StarterKind } from '../../src/worker/supervisor/starter.ts';
import { endSupervisor } from '../../src/worker/supervisor-process.ts';
import type { Behaviour, Ear, RunnerWorld } from '../conformance/runner.ts';

export const realClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  bootMs: () => Math.floor(uptime() * 1_000),
  after: (delayMs, fire) => {
    const timer = setTimeout(fire, delayMs);
    return () => clearTimeout(timer);
  },
};

const patienceMs = 20_000;

/** What an attempt has written so far. */
export async function writtenBy(
  runner: Runner,
  key: AttemptKey,
  stream: 'stdout' | 'stderr' = 'stdout',
): Promise<string> {
  const chunk = await runner.output(key, stream, 0, 1_000_000);
  return new TextDecoder().decode(chunk?.bytes);
}

export class ProcessWorld implements RunnerWorld {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'tsched-runner-'));
  readonly #isolation: TreeKind;
  readonly #starter: StarterKind;
  readonly #limits: LimitKind;
  readonly missing: Run = { kind: 'command', argv: ['/no/such/program'] };

  constructor(
    isolation: TreeKind = 'cgroup',
    starter: StarterKind = 'perl',
    limits: LimitKind = 'kernel',
  ) {
    this.#isolation = isolation;
    this.#starter = starter;
    this.#limits = limits;
  }

  runner(): Runner {
    return createProcessRunner({
      dataDir: this.dataDir,
      clock: realClock,
      log: silentLog,
      nodeName: 'test',
      isolation: this.#isolation,
      starter: this.#starter,
      limits: this.#limits,
    });
  }

  /** For the supervisor a node that dies is a connection that closes. */
  async crashNode(runner: Runner): Promise<void> {
    await runner.stop({ end: false });
  }

  /** Ids, as seen from here, of the supervisor itself, its init, and what was spawned. */
  supervisorPids(): number[] {
    const record = JSON.parse(readFileSync(join(this.dataDir, 'supervisor.json'), 'utf8')) as {
      namespace: boolean;
      processes: { pid: number }[];
    };
    const pids = record.processes.map(process => process.pid);
    if (!record.namespace) return pids;
    const last = pids.at(-1) ?? 0;
    const below = readFileSync(`/proc/${last}/task/${last}/children`, 'utf8').split(' ');
    // The init of the namespace has the supervisor as its first child.
    return [...pids, Number(below[0])];
  }

  get supervisorPid(): number {
    return this.supervisorPids().at(-1)!;
  }

  killSupervisor(): void {
    process.kill(this.supervisorPid, 'SIGKILL');
  }

  run(behaviour: Behaviour): Run {
    const { ms = 0, exit = 0, stubborn = false, out = '' } = behaviour;
    const lines = [
      stubborn ? 'trap "" TERM' : '',
      out === '' ? '' : `echo ${out}`,
      ms === 0 ? '' : `sleep ${ms / 1_000}`,
      `exit ${exit}`,
    ];
    return { kind: 'command', argv: ['/bin/sh', '-c', lines.filter(Boolean).join('\n')] };
  }

  bootMs(): number {
    return realClock.bootMs();
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    const startMs = performance.now();
    while (!condition()) {
      if (performance.now() - startMs > patienceMs) throw new Error(`waited in vain for ${what}`);
      await this.pass(10);
    }
  }

  /** How an attempt ended, once `ear` has heard of it. */
  async endOf(key: AttemptKey, ear: Ear): Promise<Outcome> {
    await this.until(`the end of ${key}`, () => ear.ended.has(key));
    return ear.ended.get(key)!;
  }

  async pass(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, ms);
    await promise;
  }

  async close(): Promise<void> {
    await endSupervisor(this.dataDir, realClock);
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}
