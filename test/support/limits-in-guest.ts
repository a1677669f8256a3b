/**
 * Runs inside of a guest, as `limits-in-guest.ts PROGRAM DATA_DIR PARENT STARTER LOOK...`: starts
 * the real runner and its supervisor of the built program, has it run attempts, and prints what
 * became of them, one JSON object a line, each with the name of the look. What is to be of all that
 * is said by the test, outside. PARENT is the control group below which those of attempts are.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Outcome } from '../../src/model/attempt.ts';
import type { formatTaskId } from '../../src/model/ids.ts';
import type { noResources, Resources } from '../../src/model/resources.ts';
import type { AttemptControl } from '../../src/model/worker-protocol.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { silentLog } from '../../src/ports/log.ts';
import type { AttemptKey, AttemptOrder, RunnerHello } from '../../src/ports/runner.ts';
import type { createProcessRunner } from '../../src/worker/process-runner.ts';
import type { StarterKind } from '../../src/worker/supervisor/starter.ts';

const mib = 1024 * 1024;
/** An emulated machine that others use as well is some fifty times slower than a real one. */
const patienceMs = 300_000;
const bombMs = 420_000;
const pollMs = 50;

const [program = '', dataDir = '', parent = '', starter = '', ...looks] = process.argv.slice(2);
// The built program starts in a fifth of the time that its sources take here.
const load = async <T>(module: string): Promise<T> =>
  (await import(join(program, 'src', `${module}.js`))) as T;

const ids = await load<{ formatTaskId: typeof formatTaskId }>('model/ids');
const amounts = await load<{ noResources: typeof noResources }>('model/resources');
const log = await load<{ silentLog: typeof silentLog }>('ports/log');
const worker = await load<{ createProcessRunner: typeof createProcessRunner }>(
  'worker/process-runner',
);

/**
 * The node's patience is longer by what the guest is slower: a supervisor whose processor stands
 * still for some seconds is no dead one.
 */
const slower = 40;
const clock: Clock = {
  nowMs: () => performance.now() / slower,
  wallMs: () => Date.now(),
  bootMs: () => Math.floor(uptime() * 1_000),
  after: (delayMs, fire) => {
    const timer = setTimeout(fire, delayMs * slower);
    return () => clearTimeout(timer);
  },
};

const started = new Set<AttemptKey>();
const ended = new Map<AttemptKey, Outcome>();
const controlled = new Map<AttemptKey, AttemptControl>();
const supervisors: RunnerHello[] = [];
const runner = worker.createProcessRunner({
  ...{ dataDir, clock, log: log.silentLog, nodeName: 'guest' },
  ...{ isolation: 'cgroup', starter: starter as StarterKind, limits: 'kernel' },
});

const say = (look: string, what: object): void => console.log(JSON.stringify({ look, ...what }));

async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = patienceMs,
): Promise<void> {
  const beganMs = performance.now();
  while (!(await condition())) {
    if (performance.now() - beganMs > limitMs) {
      const supervisor = readFileSync(join(dataDir, 'supervisor.log'), 'utf8').slice(-1_000);
      say('failed', { started: [...started], ended: [...ended], supervisor });
      throw new Error(`waited in vain for ${what}`);
    }
    await delay(pollMs);
  }
}

let drawn = 0;

function launch(
  argv: readonly string[],
  limit: Partial<Resources> = {},
  request: Partial<Resources> = {},
): AttemptKey {
  const taskId = ids.formatTaskId({ atMs: 1_000, slot: 7, random: ++drawn });
  const order: AttemptOrder = {
    ...{ key: `${taskId}.1`, shard: 1, taskId, fence: 1, attemptRun: 1 },
    run: { kind: 'command', argv },
    env: { PATH: process.env['PATH'] ?? '', TSCHED_TASK_ID: taskId, TSCHED_FENCE: '1' },
    cwd: '',
    limit: { ...amounts.noResources, ...limit },
    request: { ...amounts.noResources, cpuMilli: 100, ...request },
    ...{ ports: [], capMs: 0, graceMs: 20_000, leaseMs: 3_600_000, outputBytesMax: mib },
  };
  runner.launch(order);
  return order.key;
}

const shell = (text: string, limit?: Partial<Resources>, request?: Partial<Resources>) =>
  launch(['/bin/sh', '-c', text], limit, request);
const perl = (text: string, limit?: Partial<Resources>) => launch(['perl', '-e', text], limit);

const start = (key: AttemptKey) => until(`the start of ${key}`, () => started.has(key));

async function end(key: AttemptKey): Promise<Outcome> {
  await until(`the end of ${key}`, () => ended.has(key));
  return ended.get(key)!;
}

async function writtenBy(key: AttemptKey): Promise<string> {
  const chunk = await runner.output(key, 'stdout', 0, mib);
  return new TextDecoder().decode(chunk?.bytes);
}

/** Takes 8 MiB after the other, slowly enough to be seen, up to a bound that spares the guest. */
const hog =
  'my @held; for (1 .. 64) { push @held, "x" x (8 << 20); select undef, undef, undef, 0.1 } ' +
  'sleep 600';
const limit = { memoryBytes: 96 * mib };

/** A hog beside a neighbour that has the same limit, is there all the time, and ends when told. */
async function memory(): Promise<void> {
  const done = join(dataDir, 'memory-done');
  const neighbour = shell(`while [ ! -e ${done} ]; do sleep 0.2; done; exit 5`, limit);
  await start(neighbour);
  const hogged = await end(perl(hog, limit));
  // All of an attempt goes, though what is left of it would go on.
  const whole = launch(['/bin/sh', '-c', '"$@"; echo went on', 'sh', 'perl', '-e', hog], limit);
  const part = await end(whole);
  const outlived = !ended.has(neighbour);
  writeFileSync(done, '');
  const other = await end(neighbour);
  const after = [await end(shell('exit 0', limit)), await end(shell('exit 0', limit))];
  say('memory', { hogged, part, wrote: await writtenBy(whole), outlived, other, after });
}

const busy = '(while :; do :; done) & ';

/** Two that never rest, of half a CPU together, and of a tenth. */
async function cpu(): Promise<void> {
  const half = await end(shell(`${busy}${busy}sleep 6; exit 3`, { cpuMilli: 500 }));
  const tenth = await end(shell(`${busy}${busy}sleep 6; exit 3`, { cpuMilli: 100 }));
  const free = await end(shell(`${busy}${busy}sleep 3; exit 3`));
  say('cpu', { half, tenth, free });
}

/** Two that want all there is, and hold a fifth and four fifths of a CPU. */
async function shares(): Promise<void> {
  const text = `${busy}${busy}sleep 600`;
  const [small, large] = [200, 800].map(cpuMilli => shell(text, {}, { cpuMilli }));
  await start(small!);
  await start(large!);
  await delay(8_000);
  for (const key of [small!, large!]) runner.end(key, 'cancelled');
  say('shares', { small: await end(small!), large: await end(large!) });
}

/** Where the kernel has the group of an attempt that has written it as its first line. */
const groupOf = 'echo /sys/fs/cgroup$(sed -n "s/^0:://p" /proc/self/cgroup)';

/** Forks until it is refused, and stays so; another attempt is started meanwhile. */
async function processes(): Promise<void> {
  const bomb = 'for (1 .. 5000) { my $p = fork; last if !defined $p; $p or last } sleep 600';
  const key = shell(`${groupOf}; exec perl -e '${bomb}'`);
  await until('its group', async () => (await writtenBy(key)).includes('\n'));
  const group = (await writtenBy(key)).trimEnd();
  const read = (name: string): string => readFileSync(join(group, name), 'utf8').trimEnd();
  const refused = (): number => Number(/^max (\d+)$/m.exec(read('pids.events'))?.[1]);
  await until('a fork that is refused', () => ended.has(key) || refused() > 0, bombMs);
  const [current, most] = [read('pids.current'), read('pids.max')].map(Number);
  const meanwhile = await end(shell('sleep 0.1; exit 4'));
  const alive = !ended.has(key);
  runner.end(key, 'cancelled');
  say('processes', { refused: refused(), current, most, meanwhile, alive, bomb: await end(key) });
}

/** Two processes that count, stopped and let go on; then ended while they stand still. */
async function suspend(): Promise<void> {
  const files = ['count-1', 'count-2'].map(name => join(dataDir, name));
  const counts = (): number[] => files.map(file => Number(readFileSync(file, 'utf8')));
  const key = perl(
    `$SIG{TERM} = sub { print "bye\\n"; exit 9 }; my $file = '${files[0]}'; ` +
      `if (!fork) { $SIG{TERM} = 'DEFAULT'; $file = '${files[1]}' } ` +
      'for (my $n = 1; ; $n++) { open my $out, ">", "$file.new"; print $out $n; close $out; ' +
      'rename "$file.new", $file; select undef, undef, undef, 0.05 }',
  );
  const begun = (file: string): boolean => existsSync(file) && readFileSync(file, 'utf8') !== '1';
  await until('both counts', () => files.every(begun));
  const control = async (suspended: boolean): Promise<void> => {
    controlled.delete(key);
    runner.control(key, { suspended });
    await until(`suspended: ${suspended}`, () => controlled.get(key)?.suspended === suspended);
  };
  await control(true);
  const stood = counts();
  await delay(3_000);
  const still = counts();
  await control(false);
  await until('counts that go on', () => counts().every((n, place) => n > still[place]!));
  await control(true);
  runner.end(key, 'cancelled');
  say('suspend', { stood, still, outcome: await end(key), wrote: await writtenBy(key) });
}

/** What the kernel has of the group that an attempt is in. */
async function groups(): Promise<void> {
  const names = 'memory.max memory.swap.max memory.oom.group cpu.max cpu.weight pids.max';
  const key = shell(
    `g=$(${groupOf}); echo group $g; ` +
      `for f in ${names}; do echo $f $(cat $g/$f 2>&1); done; ` +
      'echo oom_score_adj $(cat /proc/self/oom_score_adj)',
    { cpuMilli: 500, memoryBytes: 64 * mib },
    { cpuMilli: 250 },
  );
  await end(key);
  const lines = (await writtenBy(key)).trimEnd().split('\n');
  say('groups', Object.fromEntries(lines.map(line => line.split(/ (.*)/).slice(0, 2))));
}

const ownGroups = (): string[] =>
  readdirSync(parent).filter(name => name.startsWith('tsched-') && !name.endsWith('.service'));

/** Ids of the supervisor's process, as seen from here. */
function supervisorPid(): number {
  const text = readFileSync(join(dataDir, 'supervisor.json'), 'utf8');
  const record = JSON.parse(text) as { namespace: boolean; processes: { pid: number }[] };
  const last = record.processes.at(-1)?.pid ?? 0;
  if (!record.namespace) return last;
  return Number(readFileSync(`/proc/${last}/task/${last}/children`, 'utf8').split(' ')[0]);
}

/** The supervisor is killed beside an attempt that left a process which nobody waits for. */
async function killed(): Promise<void> {
  const key = shell('(setsid sleep 600 &) ; sleep 600', limit);
  await start(key);
  const before = ownGroups();
  process.kill(supervisorPid(), 'SIGKILL');
  await until('another supervisor', () => supervisors.length > 0);
  const inside = ownGroups().flatMap(name =>
    readdirSync(join(parent, name)).filter(below => below.startsWith('attempt-')),
  );
  runner.renew([{ shard: 1, sentBootMs: clock.bootMs() }]);
  const after = await end(shell('exit 6', limit));
  const { isolation: words, labels, found } = supervisors[0]!;
  const lost = found.find(one => one.key === key)?.outcome?.kind;
  say('killed', { before, now: ownGroups(), inside, lost, after, words, labels });
}

const known: Readonly<Record<string, () => Promise<void>>> = {
  ...{ memory, cpu, shares, processes, suspend, groups, killed },
};

const hello = await runner.start({
  onStarted: key => void started.add(key),
  onControlled: (key, control) => void controlled.set(key, control),
  onSupervisor: found => void supervisors.push(found),
  onEnded: (key, outcome) => {
    ended.set(key, outcome);
    runner.acknowledge(key);
  },
});
const self = readFileSync('/proc/self/cgroup', 'utf8').trimEnd();
const { isolation: words, labels } = hello;
say('hello', { words, labels: Object.fromEntries(labels ?? []), self, uid: process.getuid?.() });
runner.renew([{ shard: 1, sentBootMs: clock.bootMs() }]);
try {
  for (const name of looks) {
    const beganMs = performance.now();
    await known[name]!();
    say('took', { name, ms: Math.round(performance.now() - beganMs) });
  }
} finally {
  // Nothing is to be in the way of the nodes after this one.
  await runner.stop({ end: true });
}
say('left', { groups: ownGroups() });
process.exit(0);
