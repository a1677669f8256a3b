/** Processes of this machine as `/proc` shows them: what a run started, and what is left of it. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

function readProc(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // Gone meanwhile.
    return '';
  }
}

export const processIds = (): number[] =>
  readdirSync('/proc')
    .map(Number)
    .filter(pid => Number.isInteger(pid) && pid > 1 && pid !== process.pid);

/** Clock ticks since boot at which a process started; `undefined` for one that is gone. */
export function startTicksOf(pid: number): number | undefined {
  const text = readProc(`/proc/${pid}/stat`);
  const [state, ...rest] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (state === undefined || state === '' || state === 'Z' || state === 'X') return undefined;
  return Number(rest[18]);
}

export const childrenOf = (pid: number): number[] =>
  readProc(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);

function outputsOf(pid: number): string[] {
  return ['1', '2'].map(fd => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      // Gone, or of somebody else.
      return '';
    }
  });
}

const isAlive = (pid: number): boolean => startTicksOf(pid) !== undefined;

/** Processes that write into files below `dir`: nodes, supervisors and tasks of a run. */
export const processesWritingTo = (dir: string): number[] =>
  processIds().filter(
    pid => isAlive(pid) && outputsOf(pid).some(path => path.startsWith(`${dir}/`)),
  );

/** Processes that were given a path below `dir` as an argument. */
export const processesNaming = (dir: string): number[] =>
  processIds().filter(pid => isAlive(pid) && readProc(`/proc/${pid}/cmdline`).includes(`${dir}/`));

/** What a process is, for a person. */
export const describeProcess = (pid: number): string =>
  `${pid} ${readProc(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim().slice(0, 120)}`;

interface SupervisorFile {
  readonly processes: readonly { readonly pid: number; readonly startTicks: number }[];
}

/**
 * The supervisor of a data directory with what stands between it and its node, outermost first, as
 * far as they live.
 */
function supervisorProcesses(dataDir: string): number[] {
  const text = readProc(join(dataDir, 'supervisor.json'));
  if (text === '') return [];
  const { processes } = JSON.parse(text) as SupervisorFile;
  const found = processes
    .filter(({ pid, startTicks }) => startTicksOf(pid) === startTicks)
    .map(({ pid }) => pid);
  return [...new Set([...found, ...found.flatMap(childrenOf)])];
}

/** Ends the supervisor with every attempt under it; says whether there was one. */
export function killSupervisor(dataDir: string): boolean {
  const had = supervisorOf(dataDir) !== undefined;
  for (const pid of supervisorProcesses(dataDir).toReversed()) killHard(pid);
  return had;
}

/** Stops it; `undefined` where there is none. Healing says whether it was still there. */
export function pauseSupervisor(dataDir: string): (() => Promise<boolean>) | undefined {
  const pid = supervisorOf(dataDir);
  if (pid === undefined) return undefined;
  signalProcess(pid, 'SIGSTOP');
  return async () => {
    const there = supervisorOf(dataDir) === pid;
    if (there) signalProcess(pid, 'SIGCONT');
    return there;
  };
}

/** The supervisor itself. */
export const supervisorOf = (dataDir: string): number | undefined =>
  supervisorProcesses(dataDir).find(pid =>
    readProc(`/proc/${pid}/cmdline`).startsWith('tsched-supervisor'),
  );

/** Sends a signal; says whether there was anybody to get it. */
export function signalProcess(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** SIGKILL, and SIGCONT, without which a stopped process would not be reaped at once. */
export function killHard(pid: number): void {
  signalProcess(pid, 'SIGKILL');
  signalProcess(pid, 'SIGCONT');
}

/** Seconds of the machine's monotonic clock. */
export const uptimeS = (): number => Number(readProc('/proc/uptime').split(' ')[0]);
