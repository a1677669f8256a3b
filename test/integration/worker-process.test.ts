import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Outcome } from '../../src/model/attempt.ts';
import { limits } from '../../src/model/limits.ts';
import type { Run } from '../../src/model/spec.ts';
import type { AttemptKey, AttemptOrder, Runner, RunnerHello } from '../../src/ports/runner.ts';
import { Ear, orderOf } from '../conformance/runner.ts';
import { ProcessWorld, writtenBy } from '../support/runner-world.ts';

let world: ProcessWorld;
let runner: Runner;
let ear: Ear;
let hello: RunnerHello;

beforeEach(async () => {
  world = new ProcessWorld();
  runner = world.runner();
  ear = new Ear();
  hello = await runner.start(ear.events);
  runner.renew([{ shard: 1, sentBootMs: world.bootMs() }]);
});

afterEach(async () => {
  await runner.stop({ end: true });
  await world.close();
});

const shell = (text: string): Run => ({ kind: 'command', argv: ['/bin/sh', '-c', text] });

function launch(run: Run, changes: Partial<AttemptOrder> = {}): AttemptKey {
  const order = orderOf(run, changes);
  runner.launch(order);
  return order.key;
}

const end = (key: AttemptKey): Promise<Outcome> => world.endOf(key, ear);

const started = (key: AttemptKey): Promise<void> =>
  world.until(`the start of ${key}`, () => ear.started.includes(key));

const outputOf = (key: AttemptKey, stream?: 'stdout' | 'stderr'): Promise<string> =>
  writtenBy(runner, key, stream);

/** Processes of this machine, zombies apart, that have `mark` among their arguments. */
function processesWith(mark: string): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(pid => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').includes(mark);
      } catch (error) {
        if (error instanceof Error) return false;
        throw error;
      }
    })
    .map(Number);
}

let marks = 0;
/** A duration for `sleep` that nobody else uses, to know its processes by. */
const newMark = (): string => `${700_000 + process.pid}.${++marks}`;

/** Three sleeps that do what daemons do to get away, and one that stays. */
const runaways = (mark: string): string =>
  `setsid sleep ${mark} & (setsid sh -c "sleep ${mark} & sleep ${mark}" &) ; sleep ${mark}`;

const isolated = (): boolean => !/degraded/.test(hello.isolation['isolation'] ?? '');

describe('the tree of an attempt', () => {
  test('is ended with its double-forked and setsid descendants on cancel', async () => {
    const mark = newMark();
    const key = launch(shell(runaways(mark)));
    await world.until('four sleeps', () => processesWith(mark).length === 4 || !isolated());
    runner.end(key, 'cancelled');
    expect((await end(key)).kind).toBe('cancelled');
    expect(isolated() ? processesWith(mark) : []).toEqual([]);
  });

  test('is ended when its first process ends, before the end is told', async () => {
    const mark = newMark();
    const key = launch(shell(`setsid sleep ${mark} & sleep 0.2; exit 6`));
    const outcome = await end(key);
    expect([outcome.kind, outcome.exitCode]).toEqual(['failed', 6]);
    expect(isolated() ? processesWith(mark) : []).toEqual([]);
  });

  test.each([
    ['the supervisor', -1],
    ['its init', -2],
    ['what was spawned', 0],
  ])('is dead when another supervisor takes over after kill -9 of %s', async (_what, position) => {
    const mark = newMark();
    const key = launch(shell(runaways(mark)));
    await world.until('four sleeps', () => processesWith(mark).length === 4 || !isolated());
    process.kill(world.supervisorPids().at(position)!, 'SIGKILL');
    await world.until('another supervisor', () => ear.supervisors.length > 0);
    expect(processesWith(mark)).toEqual([]);
    const found = ear.supervisors[0]?.found.find(attempt => attempt.key === key);
    expect(found?.outcome?.kind).toBe('lost');
  });

  test('dies with its supervisor also while there is no node', async () => {
    const mark = newMark();
    const key = launch(shell(runaways(mark)));
    await started(key);
    await world.until('four sleeps', () => processesWith(mark).length === 4 || !isolated());
    await world.crashNode(runner);
    world.killSupervisor();
    const own = hello.isolation['pidNamespace']?.startsWith('of the supervisor') === true;
    if (own) await world.until('no sleep', () => processesWith(mark).length === 0);
    runner = world.runner();
    ear = new Ear();
    const next = await runner.start(ear.events);
    expect(processesWith(mark)).toEqual([]);
    expect(next.found.map(found => [found.key, found.outcome?.kind])).toEqual([[key, 'lost']]);
  });

  test('leaves no zombies: orphans are reaped by the init', async () => {
    const keys = Array.from({ length: 10 }, () => launch(shell('(sleep 0.05 &) ; exit 0')));
    for (const key of keys) await end(key);
    const running = launch(shell('for i in 1 2 3 4 5; do (setsid true &) ; done; sleep 0.5'));
    await end(running);
    const init = world.supervisorPids().at(-2)!;
    const below = (): string[] =>
      readFileSync(`/proc/${init}/task/${init}/children`, 'utf8').split(' ').filter(Boolean);
    if (world.supervisorPids().length > 1) {
      await world.until('only the supervisor', () => below().length === 1);
    }
  });
});

describe('a supervisor', () => {
  test('that is stopped is ended by the node, with its attempts', async () => {
    const mark = newMark();
    const key = launch(shell(`sleep ${mark}`));
    await started(key);
    process.kill(world.supervisorPid, 'SIGSTOP');
    await world.until('another supervisor', () => ear.supervisors.length > 0);
    expect(processesWith(mark)).toEqual([]);
    expect(ear.supervisors[0]?.found.map(found => found.outcome?.kind)).toEqual(['lost']);
  });

  test('ends what outlived its lease first when it wakes, and calls it lost', async () => {
    runner.renew([{ shard: 2, sentBootMs: world.bootMs() }]);
    const lease = { shard: 2, leaseMs: 2_000, graceMs: 200 };
    const [over, running] = [
      launch(shell('sleep 1; exit 0'), lease),
      launch(shell('sleep 30'), lease),
    ];
    await started(over);
    await started(running);
    await world.crashNode(runner);
    process.kill(world.supervisorPid, 'SIGSTOP');
    await world.pass(2_500);
    process.kill(world.supervisorPid, 'SIGCONT');
    runner = world.runner();
    ear = new Ear();
    const { found } = await runner.start(ear.events);
    const outcomes = new Map(found.map(attempt => [attempt.key, attempt.outcome]));
    for (const key of [over, running]) {
      expect((outcomes.get(key) ?? (await end(key))).kind).toBe('lost');
    }
  });

  test('serves the newest node only', async () => {
    const second = world.runner();
    const secondEar = new Ear();
    const { incarnation } = await second.start(secondEar.events);
    expect(incarnation).toBe(hello.incarnation);
    second.renew([{ shard: 1, sentBootMs: world.bootMs() }]);
    const order = orderOf(shell('exit 0'));
    second.launch(order);
    await world.until('the end', () => secondEar.ended.has(order.key));
    expect(ear.ended.size).toBe(0);
    await runner.stop({ end: false });
    runner = second;
  });

  test('keeps exits for the next node when it dies before they are acknowledged', async () => {
    const key = launch(shell('exit 9'));
    await end(key);
    await world.crashNode(runner);
    world.killSupervisor();
    runner = world.runner();
    const { found, incarnation } = await runner.start(new Ear().events);
    expect(incarnation).not.toBe(hello.incarnation);
    expect(found.map(attempt => attempt.outcome?.exitCode)).toEqual([9]);
  });

  test('takes a torn journal for lost attempts, not for an error', async () => {
    const key = launch(shell('exit 9'));
    await end(key);
    await world.crashNode(runner);
    world.killSupervisor();
    const journal = join(world.dataDir, 'journal');
    await world.until('the record', () => readFileSync(journal, 'utf8').includes('"exitCode":9'));
    const text = readFileSync(journal, 'utf8');
    writeFileSync(journal, text.slice(0, text.lastIndexOf('{') + 20));
    runner = world.runner();
    const { found } = await runner.start(new Ear().events);
    expect(found.map(attempt => attempt.outcome?.kind)).toEqual(['lost']);
  });
});

describe('output', () => {
  test('over its limit ends the attempt and keeps the head', async () => {
    const key = launch(shell('echo first; exec yes'), { outputBytesMax: 10_000 });
    const outcome = await end(key);
    expect([outcome.kind, outcome.outputTruncated]).toEqual(['outputTooLarge', true]);
    expect([outcome.stdoutBytes, outcome.stderrBytes]).toEqual([10_000, 0]);
    const text = await outputOf(key);
    expect([text.length, text.startsWith('first\ny\n')]).toEqual([10_000, true]);
  });

  test('has its last 4 KiB in the outcome, stderr before stdout, cut at a character', async () => {
    const script = 'i=0; while [ $i -lt 3000 ]; do printf "€"; i=$((i+1)); done; exit 1';
    const [out, both] = [
      launch(shell(script)),
      launch(shell(`${script.slice(0, -6)}echo why >&2`)),
    ];
    const { tail } = await end(out);
    expect(tail).toBe('€'.repeat(Math.floor(limits.outcomeTailBytes / 3)));
    expect((await end(both)).tail).toBe('why\n');
  });

  test('can be followed while it is written', async () => {
    const key = launch(shell('echo one; sleep 1; echo two'));
    await started(key);
    await world.until('the first line', () => {
      const path = join(world.dataDir, 'attempts', key, 'stdout');
      return existsSync(path) && readFileSync(path, 'utf8') === 'one\n';
    });
    expect((await runner.output(key, 'stdout', 0, 100))?.ended).toBe(false);
    await end(key);
    const rest = await runner.output(key, 'stdout', 4, 100);
    expect([new TextDecoder().decode(rest?.bytes), rest?.ended]).toEqual(['two\n', true]);
  });

  test('of a key that is a path is refused', async () => {
    expect(await runner.output('../journal', 'stdout', 0, 10)).toBeUndefined();
  });
});

describe('a process', () => {
  test('gets exactly the environment of its order, unusual names and no PATH included', async () => {
    const env = { TSCHED_TASK_ID: 'x', 'odd.name-1': 'a b\n c', EMPTY: '', QUOTES: `'"$HOME` };
    const key = launch({ kind: 'command', argv: ['/usr/bin/env', '-0'] }, { env });
    const plain = launch({ kind: 'command', argv: ['/usr/bin/env', '-0'] }, { env: { A: '1' } });
    expect((await end(key)).kind).toBe('succeeded');
    const entries = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    expect((await outputOf(key)).split('\0').filter(Boolean).sort()).toEqual(entries.sort());
    await end(plain);
    expect(await outputOf(plain)).toBe('A=1\0');
  });

  test('starts in a directory of its own unless its order names one', async () => {
    const [own, named] = [launch(shell('pwd; touch mine')), launch(shell('pwd'), { cwd: '/usr' })];
    await end(own);
    await end(named);
    expect(await outputOf(own)).toBe(`${world.dataDir}/attempts/${own}/work\n`);
    expect(await outputOf(named)).toBe('/usr\n');
    const work = join(world.dataDir, 'attempts', own, 'work');
    await world.until('a clean work directory', () => readdirSync(work).length === 0);
  });

  test('has an empty stdin, no terminal and a session of its own', async () => {
    const key = launch(shell('cat; [ "$(cut -d" " -f6 /proc/$$/stat)" = $$ ] && echo leader'));
    await end(key);
    expect(await outputOf(key)).toBe('leader\n');
  });

  test('may send a signal to its whole group without hurting others', async () => {
    const other = launch(shell('sleep 1; exit 5'));
    await started(other);
    const outcome = await end(launch(shell('kill -TERM 0; sleep 5')));
    expect([outcome.kind, outcome.signal]).toEqual(['failed', 'SIGTERM']);
    expect((await end(other)).exitCode).toBe(5);
  });

  test('tells what it used: processor time of the whole tree and peak memory', async () => {
    const burn = 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done';
    const hold = `head -c 60000000 /dev/zero | tail -c 50000000 | { sleep 0.6; cat >/dev/null; }`;
    const outcome = await end(launch(shell(`sh -c '${burn}' & ${hold}; wait`)));
    expect(outcome.userCpuMs + outcome.systemCpuMs).toBeGreaterThan(50);
    expect(outcome.peakMemoryBytes).toBeGreaterThan(40_000_000);
  });

  test('of a script runs with its own interpreter, name and arguments, or the shell', async () => {
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
    const script = (text: string, name: string): Run => ({
      kind: 'script',
      name,
      bytes: bytes(text),
      args: ['a b', '$HOME'],
    });
    const own = launch(script('#!/bin/cat\nhello\n', 'greeting.txt'));
    const plain = launch(script('printf "%s|" "$(basename "$0")" "$@"', '../../stdout'));
    expect((await end(own)).kind).toBe('failed');
    expect(await outputOf(own)).toBe('#!/bin/cat\nhello\n');
    expect((await end(plain)).kind).toBe('succeeded');
    expect(await outputOf(plain)).toBe('script-stdout|a b|$HOME|');
  });
});

describe('a start that fails says why', () => {
  test.each([
    ['a program that is not there', { argv: ['no-such-program'] }, /no-such-program: no such file/],
    ['a path that is not there', { argv: ['/no/such'] }, /\/no\/such: no such file/],
    ['a file without the right to execute', { argv: ['/etc/passwd'] }, /permission denied/],
    ['a directory', { argv: ['/usr'] }, /permission denied/],
    ['no command', { argv: [] }, /empty command/],
    ['a missing directory', { argv: ['true'], cwd: '/no/dir' }, /working directory \/no\/dir/],
    ['a directory that is a file', { argv: ['true'], cwd: '/etc/passwd' }, /working directory/],
    ['a NUL in an argument', { argv: ['echo', 'a\0b'] }, /NUL/],
  ])('%s', async (_what, { argv, cwd }: { argv: string[]; cwd?: string }, words) => {
    const outcome = await end(launch({ kind: 'command', argv }, { cwd: cwd ?? '' }));
    expect(outcome.kind).toBe('startFailed');
    expect(outcome.message).toMatch(words);
  });

  test('a file in no format, and a script without its interpreter', async () => {
    const directory = join(world.dataDir, 'programs');
    mkdirSync(directory);
    const binary = join(directory, 'binary');
    writeFileSync(binary, Buffer.from([1, 0, 2, 0]), { mode: 0o755 });
    const orphan = join(directory, 'orphan');
    writeFileSync(orphan, '#!/no/such/interpreter\n', { mode: 0o755 });
    const [first, second] = [
      await end(launch({ kind: 'command', argv: [binary] })),
      await end(launch({ kind: 'command', argv: [orphan] })),
    ];
    expect(first.message).toMatch(/not in a format that can be executed/);
    expect(second.message).toMatch(/interpreter \/no\/such\/interpreter: no such file/);
    rmSync(directory, { recursive: true });
  });
});

test('two hundred short tasks end with their own code and output each', async () => {
  const keys = Array.from({ length: 200 }, (_, number) =>
    launch(shell(`echo ${number}; exit ${number % 7}`)),
  );
  for (const [number, key] of keys.entries()) {
    expect((await end(key)).exitCode).toBe(number % 7);
    expect(await outputOf(key)).toBe(`${number}\n`);
    runner.acknowledge(key);
  }
});

test('the data directory of the supervisor is for its owner only', () => {
  const modes = execFileSync('stat', ['-c', '%a', world.dataDir, join(world.dataDir, 'attempts')]);
  expect(modes.toString().split('\n').filter(Boolean)).toEqual(['700', '700']);
});
