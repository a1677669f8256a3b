/**
 * Measures how many processes a second a supervisor starts and settles by itself: everything on
 * (control groups and their limits, output files, durable exit records), no node and no consensus
 * around it. Part of `npm run bench`; alone: `node src/worker/spawn-bench.ts [COUNT] [IN_FLIGHT]
 * [DIR]`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatTaskId } from '../model/ids.ts';
import { noResources } from '../model/resources.ts';
import type { Clock } from '../ports/clock.ts';
import { silentLog } from '../ports/log.ts';
import type { AttemptOrder } from '../ports/runner.ts';
import { createProcessRunner } from './process-runner.ts';
import { bootMs } from './supervisor/boot-clock.ts';

export interface SpawnFigures {
  readonly perSecond: number;
  readonly count: number;
  readonly inFlight: number;
  /** Attempts that did not succeed: 0, or the figure means nothing. */
  readonly failed: number;
  readonly isolation: Readonly<Record<string, string>>;
}

const clock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  bootMs,
  after: (delayMs, fire) => {
    const timer = setTimeout(fire, delayMs);
    return () => clearTimeout(timer);
  },
};

/** As a small task has them, so that what keeps to limits is measured too. */
const small = { ...noResources, cpuMilli: 100, memoryBytes: 64 * 1024 * 1024 };

function trueOrder(number: number): AttemptOrder {
  const taskId = formatTaskId({ atMs: 1, slot: 1, random: number });
  return {
    key: `${taskId}.1`,
    shard: 1,
    taskId,
    fence: 1,
    attemptRun: 1,
    run: { kind: 'command', argv: ['/bin/true'] },
    env: { PATH: '/usr/bin:/bin', TSCHED_TASK_ID: taskId, TSCHED_FENCE: '1' },
    cwd: '',
    limit: { ...small, cpuMilli: 1_000 },
    request: small,
    ports: [],
    capMs: 0,
    graceMs: 2_000,
    leaseMs: 3_600_000,
    outputBytesMax: 1_000_000,
  };
}

/** Runs `/bin/true` `count` times, `inFlight` at a time, in a new directory below `parent`. */
export async function measureSpawns(
  count: number,
  inFlight: number,
  parent: string = tmpdir(),
): Promise<SpawnFigures> {
  const dataDir = mkdtempSync(join(parent, 'tsched-spawn-'));
  const runner = createProcessRunner({ dataDir, clock, log: silentLog, nodeName: 'bench' });
  const all = Promise.withResolvers<void>();
  let launched = 0;
  let ended = 0;
  let failed = 0;
  const launch = (): void => {
    if (launched < count) runner.launch(trueOrder(launched++));
  };
  try {
    const hello = await runner.start({
      onStarted: () => undefined,
      onControlled: () => undefined,
      onEnded: (key, outcome) => {
        if (outcome.kind !== 'succeeded') failed++;
        runner.acknowledge(key);
        launch();
        if (++ended === count) all.resolve();
      },
      onSupervisor: () => all.reject(new Error('the supervisor ended')),
    });
    runner.renew([{ shard: 1, sentBootMs: clock.bootMs() }]);
    const startMs = performance.now();
    for (let number = 0; number < inFlight; number++) launch();
    await all.promise;
    const perSecond = (count / (performance.now() - startMs)) * 1_000;
    return { perSecond, count, inFlight, failed, isolation: hello.isolation };
  } finally {
    await runner.stop({ end: true });
    rmSync(dataDir, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const [count = '2000', inFlight = '32', parent] = process.argv.slice(2);
  const figures = await measureSpawns(Number(count), Number(inFlight), parent);
  console.log(`${figures.perSecond.toFixed(0)} processes/s`, JSON.stringify(figures));
}
