/**
 * Limits of attempts, kept with real processes: by the kernel where this machine hands its
 * controllers on, and by watching. What the machine cannot do is skipped, and said.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Outcome } from '../../src/model/attempt.ts';
import { limits } from '../../src/model/limits.ts';
import { noResources, type Resources } from '../../src/model/resources.ts';
import type { AttemptKey, AttemptOrder, Runner, RunnerHello } from '../../src/ports/runner.ts';
import type { LimitKind } from '../../src/worker/supervisor/limit-probe.ts';
import type { TreeKind } from '../../src/worker/supervisor/process-tree.ts';
import type { StarterKind } from '../../src/worker/supervisor/starter.ts';
import { Ear, orderOf } from '../conformance/runner.ts';
import { ProcessWorld, writtenBy } from '../support/runner-world.ts';

const mib = 1024 * 1024;

let world: ProcessWorld;
let runner: Runner;
let ear: Ear;
let hello: RunnerHello;

async function begin(tree: TreeKind, starter: StarterKind, kind: LimitKind): Promise<RunnerHello> {
  world = new ProcessWorld(tree, starter, kind);
  runner = world.runner();
  ear = new Ear();
  hello = await runner.start(ear.events);
  runner.renew([{ shard: 1, sentBootMs: world.bootMs() }]);
  return hello;
}

async function close(): Promise<void> {
  await runner.stop({ end: true });
  await world.close();
}

const labelOf = (name: string, { labels = [] }: RunnerHello): string | undefined =>
  new Map(labels).get(name);

// What this machine can do is asked of a supervisor: tests are chosen before any of them runs.
const asked = await begin('cgroup', 'perl', 'kernel');
const kernel = { memory: labelOf('memory-limit', asked), cpu: labelOf('cpu-limit', asked) };
const words = asked.isolation;
await close();
if (kernel.memory !== 'kernel') console.warn(`SKIPPED memory limits: ${words['memoryLimit']}`);
if (kernel.cpu !== 'kernel') console.warn(`SKIPPED CPU limits: ${words['cpuLimit']}`);

function launch(
  argv: readonly string[],
  limit: Partial<Resources>,
  changes: Partial<AttemptOrder> = {},
): AttemptKey {
  const amounts = { limit: { ...noResources, ...limit }, ...changes };
  const order = orderOf({ kind: 'command', argv }, amounts);
  runner.launch(order);
  return order.key;
}

const shell = (text: string, limit: Partial<Resources> = {}): AttemptKey =>
  launch(['/bin/sh', '-c', text], limit);

const end = (key: AttemptKey): Promise<Outcome> => world.endOf(key, ear);

async function outputOf(key: AttemptKey): Promise<string> {
  await end(key);
  return writtenBy(runner, key);
}

/** Takes one MiB after the other, up to a bound that spares the machine. */
const takes = (count: number, last: string): string[] => [
  process.execPath,
  '-e',
  `const held = [];
   const take = () => {
     for (let n = 0; n < 8; n++) held.push(Buffer.alloc(${mib}, 1));
     if (held.length < ${count}) setTimeout(take, 10);
     else { ${last} }
   };
   take();`,
];
const limit = { memoryBytes: 96 * mib };
const over = `used more than its memory limit of 96MiB; --memory asks for more`;

type Case = [LimitKind, TreeKind, StarterKind];
const cases: Case[] = [
  ['watch', 'cgroup', 'perl'],
  ['watch', 'pidNamespace', 'perl'],
  ['watch', 'processGroup', 'node'],
];
if (kernel.memory === 'kernel')
  cases.unshift(['kernel', 'cgroup', 'perl'], ['kernel', 'cgroup', 'node']);

describe.each(cases)('memory limits kept by %s, in a %s, started by %s', (kind, tree, starter) => {
  beforeEach(async () => void (await begin(tree, starter, kind)));
  afterEach(close);

  test('an attempt that is over is ended with the reason, and nobody else', async () => {
    expect(labelOf('memory-limit', hello)).toBe(kind === 'kernel' ? 'kernel' : 'watched');
    const neighbour = launch(takes(48, 'setTimeout(() => process.exit(5), 1500)'), limit);
    const hog = launch(takes(1_024, 'setTimeout(() => {}, 60000)'), limit);
    const outcome = await end(hog);
    expect([outcome.kind, outcome.message]).toEqual(['outOfMemory', over]);
    expect(outcome.peakMemoryBytes).toBeGreaterThan(90 * mib);
    const other = await end(neighbour);
    expect([other.kind, other.exitCode, other.message]).toEqual(['failed', 5, '']);
    expect(ear.supervisors).toEqual([]);
    // What it left does not count against those that come after it.
    const after = [shell('exit 0', limit), shell('exit 0', limit), shell('exit 0', limit)];
    for (const key of after) expect((await end(key)).kind).toBe('succeeded');
  });

  test('a part that is over takes the rest of the attempt along, though that would go on', async () => {
    const [program = '', flag, text = ''] = takes(1_024, 'setTimeout(() => {}, 60000)');
    const script = '"$0" "$1" "$2"; sleep 100; echo went on';
    const key = launch(['/bin/sh', '-c', script, program, flag ?? '', text], limit);
    const outcome = await end(key);
    expect([outcome.kind, outcome.message]).toEqual(['outOfMemory', over]);
    expect(await outputOf(key)).toBe('');
  });

  test('what several processes share counts once, and files that are read not at all', async () => {
    // 64 MiB, and five processes that show them as theirs; then a file of twice the limit.
    const share =
      'my $x = "x" x (64 * 1048576); for (1..5) { fork or do { select undef, undef, undef, 0.8; ' +
      'exit } } 1 while wait > 0;';
    const shared = launch(['perl', '-e', share], { memoryBytes: 192 * mib });
    const read = shell(
      'head -c 200000000 /dev/zero >big && cat big big >/dev/null && sleep 0.3 && rm big',
      limit,
    );
    expect(await end(shared)).toMatchObject({ kind: 'succeeded', message: '' });
    expect(await end(read)).toMatchObject({ kind: 'succeeded', message: '' });
  });

  test('without a limit there is none', async () => {
    const key = launch(takes(128, 'process.exit(7)'), {});
    expect(await end(key)).toMatchObject({ kind: 'failed', exitCode: 7 });
  });

  test('little is enough for little: a shell and what it starts, of one MiB', async () => {
    const key = shell('sleep 0.2 & sleep 0.2; wait; exit 3', { memoryBytes: mib, cpuMilli: 10 });
    expect(await end(key)).toMatchObject({ kind: 'failed', exitCode: 3, message: '' });
  });

  test('a cancel of what is over stays a cancel', async () => {
    const key = launch(takes(1_024, 'setTimeout(() => {}, 60000)'), { memoryBytes: 900 * mib });
    await world.until('the start', () => ear.started.includes(key));
    runner.end(key, 'cancelled');
    expect((await end(key)).kind).toBe('cancelled');
  });
});

/** Prints what the kernel has of the group of version 1 or of cgroup2 that it is in. */
const tell = (controller: string, file: string): string =>
  `p=$(sed -n 's/^[0-9]*:${controller}://p' /proc/self/cgroup); [ -n "$p" ] || ` +
  `p=$(sed -n 's/^0:://p' /proc/self/cgroup); ` +
  `cat /sys/fs/cgroup/${controller}$p/${file} /sys/fs/cgroup$p/${file} 2>/dev/null || true`;

describe.skipIf(kernel.cpu !== 'kernel')('CPU limits', () => {
  beforeEach(async () => void (await begin('cgroup', 'perl', 'kernel')));
  afterEach(close);

  test('hold for all processes of the attempt together', async () => {
    // Four that never rest, for two seconds of the clock, of a tenth of a CPU.
    const busy = '(while :; do :; done) & ';
    const key = shell(`${busy.repeat(4)} sleep 2; exit 3`, { cpuMilli: 100 });
    const outcome = await end(key);
    expect(outcome.exitCode).toBe(3);
    const usedMs = outcome.userCpuMs + outcome.systemCpuMs;
    const ranMs = outcome.endedAtMs - outcome.startedAtMs;
    // Twice what it may, and its first period: without a limit it would be ten times as much.
    expect(usedMs).toBeLessThan(0.2 * ranMs + 200);
    expect(usedMs).toBeGreaterThan(10);
  });

  test('and shares are those of the order, in a group that was used before, too', async () => {
    const ask = `${tell('cpu', 'cpu.cfs_quota_us')}; ${tell('cpu', 'cpu.max')}`;
    const quotas: string[] = [];
    for (const cpuMilli of [500, 1_000, 0, 100])
      quotas.push(await outputOf(shell(ask, { cpuMilli })));
    const first = ['50000\n', '100000\n', '-1\n', '10000\n'];
    const second = ['50000 100000\n', '100000 100000\n', 'max 100000\n', '10000 100000\n'];
    expect([first, second]).toContainEqual(quotas);
  });
});

test.skipIf(/not enforced/.test(words['processLimit'] ?? ''))(
  'an attempt may have so many processes, and no more',
  async () => {
    await begin('cgroup', 'perl', 'kernel');
    try {
      expect(await outputOf(shell(tell('pids', 'pids.max')))).toBe(
        `${limits.attemptProcessesMax}\n`,
      );
    } finally {
      await close();
    }
  },
);

test('groups of a supervisor are gone with it, also where it was killed', async () => {
  await begin('cgroup', 'perl', 'kernel');
  const noted = (): string[] =>
    ['supervisor.cgroup', 'supervisor.limits']
      .map(name => join(world.dataDir, name))
      .flatMap(path => (existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []))
      .filter(Boolean);
  const key = shell('sleep 300', limit);
  await world.until('the start', () => ear.started.includes(key));
  const groups = noted();
  expect(groups.filter(path => !existsSync(path))).toEqual([]);
  world.killSupervisor();
  await world.until('another supervisor', () => ear.supervisors.length > 0);
  expect(noted()).toEqual(groups);
  for (const path of groups) expect(existsSync(join(path, 'attempt-1'))).toBe(false);
  await close();
  expect(groups.filter(path => existsSync(path))).toEqual([]);
});

test('the kernel is to end a task before its node', async () => {
  for (const starter of ['perl', 'node'] as const) {
    await begin('cgroup', starter, 'kernel');
    try {
      expect(await outputOf(shell('sleep 0.2; cat /proc/self/oom_score_adj'))).toBe('500\n');
    } finally {
      await close();
    }
  }
});
