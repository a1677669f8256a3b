/**
 * The node's side of the supervisor process: starting one, finding the one that an earlier node
 * process started, and making sure that one is dead with everything it ran.
 *
 * The process that is started is `unshare`, which waits for the init of a PID namespace (a shell),
 * which waits for the supervisor. Whichever of the three is killed, the namespace and every attempt
 * in it end with it.
 */
import { closeSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { Clock } from '../ports/clock.ts';
import { cgroupPopulated, killCgroup } from './supervisor/cgroup.ts';
import { type Probe, probePidNamespace } from './supervisor/isolation.ts';
import { readJournal } from './supervisor/journal.ts';
import type { LimitKind } from './supervisor/limit-probe.ts';
import type { TreeKind } from './supervisor/process-tree.ts';
import { bootId, children, killByEnvironment, signal, startTicks } from './supervisor/processes.ts';
import {
  heldGroup,
  killBounded,
  openAttempts,
  readIfThere,
  removeGroups,
} from './supervisor/remains.ts';
import { initScript } from './supervisor/shell.ts';
import type { StarterKind } from './supervisor/starter.ts';

/** How long processes may take to die after SIGKILL before that is an error. */
const dyingMs = 10_000;

/**
 * A small heap, because forking a process costs by its size; one thread, because the machine's
 * cores are for the work.
 */
const nodeFlags = [
  '--single-threaded',
  '--v8-pool-size=0',
  '--optimize-for-size',
  '--initial-old-space-size=4',
  '--max-semi-space-size=4',
  '--max-old-space-size=256',
];

/** A process for good: a pid alone may be another one's by now. */
interface ProcessName {
  readonly pid: number;
  readonly startTicks: number;
}

interface SupervisorRecord {
  readonly bootId: string;
  /** The first of `processes` is not the supervisor but keeps a PID namespace for it. */
  readonly namespace: boolean;
  /** What was spawned, and the init below it as soon as it was seen. */
  readonly processes: readonly ProcessName[];
}

const recordPath = (dataDir: string): string => join(dataDir, 'supervisor.json');

const nameOf = (pid: number): ProcessName | undefined => {
  const ticks = startTicks(pid);
  return ticks === undefined ? undefined : { pid, startTicks: ticks };
};

const alive = (name: ProcessName): boolean => startTicks(name.pid) === name.startTicks;

/** Notes who the supervisor is, so that a later node can end it should it not answer. */
export function recordSupervisor(dataDir: string, start: SupervisorStart): void {
  const { pid } = start;
  const namespace = start.namespace.value !== undefined;
  const names = [pid, ...(namespace ? children(pid) : [])].map(nameOf);
  const processes = names.filter(name => name !== undefined);
  const record: SupervisorRecord = { bootId: bootId(), namespace, processes };
  const path = recordPath(dataDir);
  writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function readRecord(dataDir: string): SupervisorRecord | undefined {
  const text = readIfThere(recordPath(dataDir));
  if (text === undefined || text === '') return undefined;
  const record = JSON.parse(text) as SupervisorRecord;
  return record.bootId === bootId() ? record : undefined;
}

export interface SupervisorStart {
  readonly pid: number;
  readonly namespace: Probe<readonly string[]>;
}

/** The best ways that a supervisor may use; it finds out what the machine allows. */
export interface SupervisorMeans {
  readonly isolation: TreeKind;
  readonly starter: StarterKind;
  readonly limits: LimitKind;
}

/**
 * Starts a supervisor that holds, starts and bounds attempts as well as this machine allows, but
 * not beyond `means`; it is not known yet whether it will answer.
 */
export function startSupervisor(
  dataDir: string,
  { isolation: best, starter, limits }: SupervisorMeans,
): SupervisorStart {
  const namespace =
    best === 'processGroup' ? { value: undefined, reason: 'switched off' } : probePidNamespace();
  // Source and build differ in the ending only; the supervisor is started from where this file is.
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const main = fileURLToPath(new URL(`./supervisor/main.${ending}`, import.meta.url));
  const order = [dataDir, JSON.stringify(namespace), best, starter, limits];
  const command = [process.execPath, ...nodeFlags, main, ...order];
  const [file = '', ...args] =
    namespace.value === undefined
      ? command
      : [
          'unshare',
          ...namespace.value,
          '--',
          '/bin/sh',
          '-c',
          initScript,
          'tsched-init',
          ...command,
        ];
  const log = openSync(join(dataDir, 'supervisor.log'), 'a', 0o600);
  try {
    const subprocess = execa(file, args, {
      cwd: '/',
      env: { PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin', HOME: '/' },
      extendEnv: false,
      stdin: 'ignore',
      stdout: log as 1,
      stderr: log as 1,
      detached: true,
      buffer: false,
      cleanup: false,
      reject: false,
    });
    if (subprocess.pid === undefined) throw new Error(`cannot start ${file}`);
    subprocess.nodeChildProcess.unref();
    const start = { pid: subprocess.pid, namespace };
    recordSupervisor(dataDir, start);
    return start;
  } finally {
    closeSync(log);
  }
}

/** Whether what was spawned is still there; what it was to start ends with it. */
export const isRunning = ({ pid }: SupervisorStart): boolean => startTicks(pid) !== undefined;

async function until(condition: () => boolean, clock: Clock, what: string): Promise<void> {
  const startMs = clock.nowMs();
  while (!condition()) {
    if (clock.nowMs() - startMs > dyingMs) throw new Error(`${what} after ${dyingMs} ms`);
    const { promise, resolve } = Promise.withResolvers<void>();
    clock.after(5, resolve);
    await promise;
  }
}

/**
 * Ends the supervisor of this directory, where there is one, and everything it ran; resolves when
 * nothing of it is left. Rejects where the kernel does not get rid of it within 10 s.
 */
export async function endSupervisor(dataDir: string, clock: Clock): Promise<void> {
  const record = readRecord(dataDir);
  const processes = [...(record?.processes ?? [])];
  // The init first: its end is complete only when its namespace is empty, and its parent waits.
  for (const name of processes.toReversed()) {
    const below = record?.namespace === true && alive(name) ? children(name.pid) : [];
    // Of a start that was broken off the record does not name the init: that is waited for, too.
    processes.push(...below.map(nameOf).filter(one => one !== undefined));
    for (const pid of below) signal(pid, 'SIGKILL');
    if (alive(name)) signal(name.pid, 'SIGKILL');
  }
  await until(() => !processes.some(alive), clock, 'the supervisor is still there');
  const open =
    record?.namespace === false ? openAttempts(readJournal(join(dataDir, 'journal'))) : [];
  if (open.length > 0) {
    await until(() => !killByEnvironment(open), clock, 'attempts of the supervisor are left');
  }
  const held = heldGroup(dataDir);
  if (held !== undefined) {
    killCgroup(held);
    await until(() => !cgroupPopulated(held), clock, `processes are left in ${held}`);
  }
  await until(() => !killBounded(dataDir), clock, 'attempts of the supervisor are left');
  removeGroups(dataDir);
}
