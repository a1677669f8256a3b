/**
 * A process that somebody else started, as `/proc` shows it: enough to know whose it is, and to
 * start it again in the same way. Reading the text of the kernel is apart from getting it.
 */
import { readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { processIds, startTicksOf } from './processes.ts';

export interface RunningProcess {
  readonly pid: number;
  /** With the pid this is one process for good: pids are given again. */
  readonly startTicks: number;
  readonly executable: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly owner: Owner;
  /** Where its standard output and error go. */
  readonly outputs: readonly [string, string];
  /** The systemd unit that it belongs to, which may start it again by itself. */
  readonly unit: string | undefined;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/** `/proc/PID/cmdline`: what was given to exec, one argument after the other. */
export const parseArgs = (text: string): string[] => text.replace(/\0$/, '').split('\0');

/** `/proc/PID/environ`; of a name that is there twice the first, as getenv has it. */
export function parseEnv(text: string): Record<string, string> {
  const env: Record<string, string> = {};
  for (const entry of text.split('\0')) {
    const at = entry.indexOf('=');
    if (at > 0) env[entry.slice(0, at)] ??= entry.slice(at + 1);
  }
  return env;
}

/** `/proc/PID/status`: the effective user and group, and the others that it belongs to. */
export function parseOwner(text: string): Owner | undefined {
  const numbers = (name: string): number[] | undefined => {
    const line = new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(text)?.[1];
    return line?.split(/\s+/).filter(Boolean).map(Number);
  };
  const [uid, gid] = [numbers('Uid')?.[1], numbers('Gid')?.[1]];
  if (uid === undefined || gid === undefined) return undefined;
  return { uid, gid, groups: numbers('Groups') ?? [] };
}

/** The value of a flag, written as two arguments or as one. */
export function flagOf(args: readonly string[], flag: string): string | undefined {
  for (const [place, arg] of args.entries()) {
    if (arg === flag) return args[place + 1];
    if (arg.startsWith(`${flag}=`)) return arg.slice(flag.length + 1);
  }
  return undefined;
}

/** A command line for people: what admits a node to the cluster is left out. */
export function tellArgs(args: readonly string[]): string {
  return args
    .map((arg, place) => {
      if (args[place - 1] === '--join') return '(join token)';
      return arg.startsWith('--join=') ? '--join=(join token)' : arg;
    })
    .join(' ');
}

/** `/proc/PID/cgroup`: the innermost service; a session or a scope is nobody's to restart. */
export function parseUnit(text: string): string | undefined {
  for (const line of text.split('\n')) {
    const path = line.split(':').slice(2).join(':');
    const last = path.split('/').at(-1) ?? '';
    if (last.endsWith('.service') && !/^user@\d+\.service$/.test(last)) return last;
  }
  return undefined;
}

/** `/proc/locks`: who holds a lock for writing on the file with this number on this device. */
export function parseLockHolder(text: string, device: string, inode: string): number | undefined {
  for (const line of text.split('\n')) {
    const [, kind, , mode, pid, file] = line.trim().split(/\s+/);
    if (kind !== 'POSIX' || mode !== 'WRITE' || file !== `${device}:${inode}`) continue;
    if (Number(pid) > 0) return Number(pid);
  }
  return undefined;
}

/** As `/proc/locks` writes the device of a file: two hexadecimal numbers. */
export function deviceOf(dev: bigint): string {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
  const minor = (dev & 0xffn) | ((dev >> 12n) & ~0xffn & 0xffffffffn);
  return [major, minor].map(number => number.toString(16).padStart(2, '0')).join(':');
}

/** The process that has the store of a data directory open, or `undefined`. */
export function holderOf(dataDir: string): number | undefined {
  let found: { readonly dev: bigint; readonly ino: bigint };
  try {
    found = statSync(join(dataDir, 'store', 'LOCK'), { bigint: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const locks = readFileSync('/proc/locks', 'latin1');
  return parseLockHolder(locks, deviceOf(found.dev), String(found.ino));
}

/** Reads all of it; throws where it is of another user, `undefined` where it is gone. */
export function readProcess(pid: number): RunningProcess | undefined {
  const startTicks = startTicksOf(pid);
  if (startTicks === undefined) return undefined;
  const text = (name: string, encoding: 'utf8' | 'latin1' = 'utf8'): string =>
    readFileSync(`/proc/${pid}/${name}`, encoding);
  const owner = parseOwner(text('status', 'latin1'));
  if (owner === undefined) return undefined;
  return {
    ...{ pid, startTicks, owner },
    executable: readlinkSync(`/proc/${pid}/exe`),
    args: parseArgs(text('cmdline')),
    env: parseEnv(text('environ')),
    cwd: readlinkSync(`/proc/${pid}/cwd`),
    outputs: [readlinkSync(`/proc/${pid}/fd/1`), readlinkSync(`/proc/${pid}/fd/2`)],
    unit: parseUnit(text('cgroup', 'latin1')),
  };
}

/** Whether there is a process that was told to use this data directory. */
export function isStarting(dataDir: string): boolean {
  return processIds().some(pid => {
    try {
      const args = parseArgs(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
      if (startTicksOf(pid) === undefined || !args.includes('start')) return false;
      return usesDataDir({ args, cwd: readlinkSync(`/proc/${pid}/cwd`) }, dataDir);
    } catch {
      // Gone meanwhile, or of somebody else.
      return false;
    }
  });
}

/** Whether a process was told to use this data directory. */
export function usesDataDir(
  { args, cwd }: Pick<RunningProcess, 'args' | 'cwd'>,
  dataDir: string,
): boolean {
  const told = flagOf(args, '--data-dir');
  try {
    return told !== undefined && realpathSync(resolve(cwd, told)) === dataDir;
  } catch {
    // What it names is not there: then it is another one.
    return false;
  }
}

/** Whether a process sees the same processes as this one: pids mean the same. */
export const sharesPids = (pid: number): boolean =>
  readlinkSync(`/proc/${pid}/ns/pid`) === readlinkSync('/proc/self/ns/pid');

/** Whether what this process has at `path` is what the other one finds there. */
export function seesFile(pid: number, path: string): boolean {
  try {
    const [own, other] = [statSync(path), statSync(`/proc/${pid}/root${path}`)];
    return own.dev === other.dev && own.ino === other.ino;
  } catch {
    // It has nothing there: a root or a /tmp of its own.
    return false;
  }
}
