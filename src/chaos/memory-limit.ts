/**
 * Ending a process for want of memory, as the kernel does it: it is moved into a control group that
 * may hold no more than a little. Control groups of either version; needs root or a delegated
 * group, and a kernel that accounts for memory.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './until.ts';

const goneMs = 5_000;

interface Layout {
  readonly root: string;
  readonly limitFile: string;
}

function layout(): Layout | undefined {
  const first = '/sys/fs/cgroup/memory';
  if (existsSync(join(first, 'memory.limit_in_bytes'))) {
    return { root: first, limitFile: 'memory.limit_in_bytes' };
  }
  const second = '/sys/fs/cgroup';
  const controllers = join(second, 'cgroup.subtree_control');
  if (!existsSync(controllers) || !readFileSync(controllers, 'utf8').includes('memory')) {
    return undefined;
  }
  return { root: second, limitFile: 'memory.max' };
}

/**
 * Lets processes have no more than this much memory together from now on; the result takes that
 * back.
 */
export function limitMemory(
  pids: readonly number[],
  bytes: number,
  name: string,
): () => Promise<void> {
  const found = layout();
  if (found === undefined) throw new Error('memory is not accounted for on this machine');
  const group = join(found.root, `tsched-chaos-${process.pid}-${name}`);
  mkdirSync(group);
  const remove = async (): Promise<void> => {
    await until(() => removeGroup(group), { limitMs: goneMs, pollMs: 10 });
  };
  try {
    writeFileSync(join(group, found.limitFile), String(bytes));
    for (const pid of pids) writeFileSync(join(group, 'cgroup.procs'), String(pid));
  } catch (error) {
    removeGroup(group);
    throw error;
  }
  return async () => {
    // Whoever survived in it must not stay there.
    for (const left of readFileSync(join(group, 'cgroup.procs'), 'latin1').split('\n')) {
      if (left !== '') moveTo(found.root, left);
    }
    await remove();
  };
}

function moveTo(group: string, pid: string): void {
  try {
    writeFileSync(join(group, 'cgroup.procs'), pid);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Says whether it is gone; one whose processes are not quite gone is busy. */
function removeGroup(group: string): boolean {
  try {
    rmdirSync(group);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EBUSY') return false;
    if (code === 'ENOENT') return true;
    throw error;
  }
}

export async function memoryLimitMissing(): Promise<string | undefined> {
  // Takes more and more, as the node will.
  const eater = 'x=aaaaaaaaaaaaaaaa; read go; while :; do x=$x$x; done';
  const child: ChildProcess = spawn('sh', ['-c', eater], { stdio: ['pipe', 'ignore', 'ignore'] });
  child.stdin?.on('error', () => undefined);
  try {
    if (child.pid === undefined) return 'no process can be started';
    const remove = limitMemory([child.pid], 1_048_576, 'probe');
    child.stdin?.write('go\n');
    const killed = await until(() => child.signalCode === 'SIGKILL', { limitMs: goneMs });
    await remove();
    return killed === true ? undefined : 'the kernel does not end a process that is over its limit';
  } catch (error) {
    return `the memory of a process cannot be limited: ${(error as Error).message}`;
  } finally {
    child.kill('SIGKILL');
  }
}
