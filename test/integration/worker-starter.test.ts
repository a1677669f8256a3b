/** What starts the processes of attempts: exact about what goes in and about what comes out. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Outcome } from '../../src/model/attempt.ts';
import type { AttemptKey, AttemptOrder, Runner, RunnerHello } from '../../src/ports/runner.ts';
import type { TreeKind } from '../../src/worker/supervisor/process-tree.ts';
import type { StarterKind } from '../../src/worker/supervisor/starter.ts';
import { Ear, orderOf } from '../conformance/runner.ts';
import { ProcessWorld, writtenBy } from '../support/runner-world.ts';

let world: ProcessWorld;
let runner: Runner;
let ear: Ear;
let hello: RunnerHello;

async function begin(starter: StarterKind, best: TreeKind = 'cgroup'): Promise<void> {
  world = new ProcessWorld(best, starter);
  runner = world.runner();
  ear = new Ear();
  hello = await runner.start(ear.events);
  runner.renew([{ shard: 1, sentBootMs: world.bootMs() }]);
}

afterEach(async () => {
  await runner.stop({ end: true });
  await world.close();
});

function launch(argv: readonly string[], changes: Partial<AttemptOrder> = {}): AttemptKey {
  const order = orderOf({ kind: 'command', argv }, changes);
  runner.launch(order);
  return order.key;
}

const shell = (text: string, changes: Partial<AttemptOrder> = {}): AttemptKey =>
  launch(['/bin/sh', '-c', text], changes);

const end = (key: AttemptKey): Promise<Outcome> => world.endOf(key, ear);

async function outputOf(key: AttemptKey): Promise<string> {
  await end(key);
  return writtenBy(runner, key);
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1');
  return text.split(' ').filter(Boolean).map(Number);
}

const supervisorLog = (): string => readFileSync(join(world.dataDir, 'supervisor.log'), 'utf8');

/** The Perl process beside the supervisor. */
function starterPid(): number {
  const named = childrenOf(world.supervisorPid).filter(pid =>
    readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith('tsched-starter'),
  );
  expect(named).toHaveLength(1);
  return named[0]!;
}

describe.each<StarterKind>(['perl', 'node'])('a process started by %s', starter => {
  beforeEach(() => begin(starter));

  test('lives in a control group in which others were killed before', async () => {
    for (let round = 0; round < 3; round++) {
      // What is left of it when it ends is killed through its group, which the next one is given.
      const first = shell('setsid sleep 300 & exit 3');
      expect(await end(first)).toMatchObject({ kind: 'failed', exitCode: 3 });
      const next = [shell('echo one'), shell('echo two')];
      for (const key of next) expect((await end(key)).kind).toBe('succeeded');
    }
  });

  test('is started by what `node show` says', () => {
    const { starter: words } = hello.isolation;
    expect(words).toBe(starter === 'perl' ? 'perl' : 'node (no perl: switched off)');
  });

  test('tells an exit code from a signal', async () => {
    const ends = [
      ['exit 0', 0, undefined],
      ['exit 137', 137, undefined],
      ['exit 255', 255, undefined],
      ['kill -9 $$', undefined, 'SIGKILL'],
      ['kill -15 $$', undefined, 'SIGTERM'],
      ['kill -6 $$', undefined, 'SIGABRT'],
      ['kill -13 $$', undefined, 'SIGPIPE'],
    ] as const;
    const keys = ends.map(([text]) => shell(text));
    for (const [number, [, code, signal]] of ends.entries()) {
      const outcome = await end(keys[number]!);
      expect([outcome.exitCode, outcome.signal]).toEqual([code, signal]);
    }
  });

  test('has its own session, stdin from /dev/null and no descriptor but three', async () => {
    const key = shell(`cut -d' ' -f1,5,6 /proc/$$/stat; echo $$; cat; exec ls -l /proc/self/fd`);
    const [stat = '', pid = '', ...rest] = (await outputOf(key)).split('\n');
    expect(stat).toBe(`${pid} ${pid} ${pid}`);
    const descriptors = rest.filter(line => line.includes('->'));
    // The fourth is the directory that `ls` reads.
    expect(descriptors).toHaveLength(4);
    expect(descriptors[0]).toMatch(/ 0 -> \/dev\/null$/);
    expect(descriptors[1]).toMatch(/ 1 -> .*\/stdout$/);
    expect(descriptors[2]).toMatch(/ 2 -> .*\/stderr$/);
  });

  test('has all signals as a process is born with: none blocked, none ignored', async () => {
    const key = launch(['/bin/grep', '-E', '^Sig(Blk|Ign)', '/proc/self/status']);
    const zero = '0'.repeat(16);
    expect(await outputOf(key)).toBe(`SigBlk:\t${zero}\nSigIgn:\t${zero}\n`);
  });

  test('gets each argument and variable byte for byte, the empty ones and the long', async () => {
    const argv = ['/usr/bin/printf', '[%s]', '', 'a b', '', '-n', '$x', 'é€\n', ''];
    const plain = launch(argv);
    const env = { é: '€', 'a.b': '\u0001', LC_ALL: 'C', _: 'x', PERL5OPT: '-w', E: '' };
    const told = launch(['/usr/bin/env', '-0'], { env });
    const big = 'x'.repeat(120_000);
    const many = Object.fromEntries(Array.from({ length: 8 }, (_, number) => [`V${number}`, big]));
    const large = launch(['/usr/bin/env', '-0'], { env: many, outputBytesMax: 10_000_000 });
    expect(await outputOf(plain)).toBe('[][a b][][-n][$x][é€\n][]');
    const entries = (of: Record<string, string>): string[] =>
      Object.entries(of).map(([name, value]) => `${name}=${value}`);
    expect((await outputOf(told)).split('\0').slice(0, -1).sort()).toEqual(entries(env).sort());
    expect((await end(large)).stdoutBytes).toBe(entries(many).join('\0').length + 1);
  });

  test('with more arguments than the system takes fails, and says why', async () => {
    const outcome = await end(launch(['/bin/true', 'x'.repeat(200_000)]));
    expect(outcome.kind).toBe('startFailed');
    expect(outcome.message).toMatch(/too large for this machine/);
  });

  test('is text without #!, run by the shell', async () => {
    const made = await end(
      shell(
        'echo "echo text \\$0" >/tmp/text-$$; chmod +x /tmp/text-$$; ' +
          'mv /tmp/text-$$ "$PWD/../text"',
      ),
    );
    expect(made.exitCode).toBe(0);
    const path = join(world.dataDir, 'attempts', [...ear.ended.keys()][0]!, 'text');
    expect(await outputOf(launch([path]))).toBe(`text ${path}\n`);
  });

  test('is ended by a cancel that comes right after its launch', async () => {
    const keys = Array.from({ length: 40 }, () => shell('sleep 700123', { graceMs: 300 }));
    for (const key of keys) runner.end(key, 'cancelled');
    for (const key of keys) expect((await end(key)).kind).toBe('cancelled');
  });

  test('is not there, or ended at once, where its lease is about to end', async () => {
    const lease = { shard: 2, leaseMs: 2_000, graceMs: 200 };
    const startMs = world.bootMs();
    runner.renew([{ shard: 2, sentBootMs: startMs - 1_500 }]);
    const keys: AttemptKey[] = [];
    while (world.bootMs() < startMs + 700) {
      keys.push(shell('sleep 700124', lease));
      await world.pass(20);
    }
    for (const key of keys) expect((await end(key)).kind).toBe('lost');
  });

  test('ends with its own result, five hundred at once', async () => {
    const keys = Array.from({ length: 500 }, (_, number) => shell(`exit ${number % 251}`));
    for (const [number, key] of keys.entries()) {
      expect((await end(key)).exitCode).toBe(number % 251);
    }
  });
});

/** Whether a process of this machine, zombies apart, has `mark` among its arguments. */
const lives = (mark: string): boolean =>
  readdirSync('/proc').some(name => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'latin1').split('\0').includes(mark);
    } catch (error) {
      if (error instanceof Error) return false;
      throw error;
    }
  });

test.each<TreeKind>(['cgroup', 'pidNamespace', 'processGroup'])(
  'a starter that is killed takes the attempts along, each held by a %s',
  async best => {
    await begin('perl', best);
    const mark = `700125.${process.pid}`;
    const key = shell(`setsid sleep ${mark} & sleep ${mark}`);
    await world.until('the processes', () => ear.started.includes(key) && lives(mark));
    process.kill(starterPid(), 'SIGKILL');
    await world.until('another supervisor', () => ear.supervisors.length > 0);
    expect(lives(mark)).toBe(false);
    const found = ear.supervisors[0]?.found.find(attempt => attempt.key === key);
    expect(found?.outcome?.kind).toBe('lost');
    expect(supervisorLog()).toMatch(/the starter of the attempts has ended \(SIGKILL\)/);
    runner.renew([{ shard: 1, sentBootMs: world.bootMs() }]);
    expect((await end(shell('exit 4'))).exitCode).toBe(4);
  },
);

describe('the starter', () => {
  beforeEach(() => begin('perl'));

  test('does not hear what is for the node, and leaves no zombie', async () => {
    const pid = starterPid();
    for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.kill(pid, name);
    for (let round = 0; round < 20; round++) expect((await end(shell('exit 3'))).exitCode).toBe(3);
    expect(starterPid()).toBe(pid);
    expect(childrenOf(pid)).toEqual([]);
  });

  test('that owes an answer for ten seconds is given up, and its supervisor with it', async () => {
    process.kill(starterPid(), 'SIGSTOP');
    const key = shell('exit 0');
    await world.until('another supervisor', () => ear.supervisors.length > 0);
    const found = ear.supervisors[0]?.found.find(attempt => attempt.key === key);
    expect(found?.outcome?.kind).toBe('lost');
    expect(supervisorLog()).toMatch(/the starter of the attempts does not answer/);
  });

  test('that was stopped starts nothing whose lease ended meanwhile', async () => {
    const pid = starterPid();
    runner.renew([{ shard: 2, sentBootMs: world.bootMs() }]);
    process.kill(pid, 'SIGSTOP');
    const key = shell('echo ran', { shard: 2, leaseMs: 1_500, graceMs: 100 });
    await world.pass(1_800);
    process.kill(pid, 'SIGCONT');
    const outcome = await end(key);
    expect([outcome.kind, outcome.stdoutBytes]).toEqual(['lost', 0]);
    expect(ear.started).not.toContain(key);
  });
});
