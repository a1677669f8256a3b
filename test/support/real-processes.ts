/** Processes of this machine as `/proc` shows them, for finding what a cluster under test runs. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // Gone meanwhile.
    return '';
  }
}

function pids(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter(pid => Number.isInteger(pid) && pid > 1 && pid !== process.pid);
}

/**
 * Clock ticks since boot at which a process started; `undefined` for one that is gone or a zombie.
 */
export function startTicksOf(pid: number): number | undefined {
  const text = read(`/proc/${pid}/stat`);
  const [state, ...rest] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (state === undefined || state === '' || state === 'Z' || state === 'X') return undefined;
  return Number(rest[18]);
}

export const childrenOf = (pid: number): number[] =>
  read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);

function outputOf(pid: number): string[] {
  return ['1', '2'].map(fd => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return '';
    }
  });
}

/** Processes whose standard output or error is a file below `dir`: nodes, supervisors, tasks. */
export const processesWritingTo = (dir: string): number[] =>
  pids().filter(pid => outputOf(pid).some(path => path.startsWith(`${dir}/`)));

/** Processes of a task, whatever they did to leave their group or session. */
export const processesOfTask = (taskId: string): number[] =>
  pids().filter(pid =>
    read(`/proc/${pid}/environ`).split('\0').includes(`TSCHED_TASK_ID=${taskId}`),
  );

interface SupervisorFile {
  readonly processes: readonly { readonly pid: number; readonly startTicks: number }[];
}

/** Processes that a node noted as its supervisor's, those that are still there. */
function noted(dataDir: string): number[] {
  const text = read(join(dataDir, 'supervisor.json'));
  if (text === '') return [];
  const { processes } = JSON.parse(text) as SupervisorFile;
  return processes
    .filter(({ pid, startTicks }) => startTicksOf(pid) === startTicks)
    .map(({ pid }) => pid);
}

/** The supervisor of a data directory with what stands between it and the node, outermost first. */
export function supervisorProcesses(dataDir: string): number[] {
  const found = noted(dataDir);
  return [...new Set([...found, ...found.flatMap(childrenOf)])];
}

/** The supervisor itself: the innermost of its processes. */
export function supervisorOf(dataDir: string): number | undefined {
  const title = (pid: number) => read(`/proc/${pid}/cmdline`).startsWith('tsched-supervisor');
  return supervisorProcesses(dataDir).find(title);
}

/** Sends SIGCONT and SIGKILL; a process that is gone is what was wanted. */
export function killHard(pid: number): void {
  for (const signal of ['SIGKILL', 'SIGCONT'] as const) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
