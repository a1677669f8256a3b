/**
 * Faults of a node's disk: a file system of its own that can be filled, syncs that wait, bytes that
 * change. Each says whether it can be done on this machine by doing it once.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, rm, stat, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { deathGuard } from './death-guard.ts';
import type { Draw } from './draw.ts';
import { until } from './until.ts';

const run = promisify(execFile);
const chunkBytes = 1024 * 1024;
const attachMs = 5_000;

/** Room for a node, and little enough to fill it in no time. */
const smallDiskBytes = 256 * 1024 * 1024;

/** Mounts a small file system at `dir`, which is made. Only root may. */
export async function mountSmallDisk(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const options = `size=${smallDiskBytes},mode=0700,nosuid,nodev`;
  await run('mount', ['-t', 'tmpfs', '-o', options, 'tsched-chaos', dir]);
}

/** Takes it away; what still holds a file of it keeps that file only. */
export async function unmountSmallDisk(dir: string): Promise<void> {
  await run('umount', ['--lazy', dir]);
}

const ballastPath = (dir: string): string => join(dir, 'chaos-ballast');

/** Takes every byte that is free; resolves with how many there were. */
export async function fillDisk(dir: string): Promise<number> {
  const file = await open(ballastPath(dir), 'a', 0o600);
  const zeros = Buffer.alloc(chunkBytes);
  let written = 0;
  try {
    // Smaller and smaller, down to the last page.
    for (let size = chunkBytes; size >= 512; ) {
      try {
        const { bytesWritten } = await file.write(zeros, 0, size);
        written += bytesWritten;
        if (written > smallDiskBytes) throw new Error(`${dir} is larger than was asked for`);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        size /= 2;
      }
    }
  } finally {
    await file.close();
  }
  return written;
}

export const emptyDisk = (dir: string): Promise<void> => rm(ballastPath(dir), { force: true });

export async function smallDiskMissing(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'a disk that can be filled is a mount, which needs root';
  const dir = await mkdtemp(join(tmpdir(), 'tsched-chaos-disk-'));
  try {
    await mountSmallDisk(dir);
    try {
      const { bavail, bsize } = await statfs(dir);
      if (bavail * bsize > smallDiskBytes) return 'a mount of a given size has another one';
    } finally {
      await unmountSmallDisk(dir);
    }
    return undefined;
  } catch (error) {
    return `a small disk cannot be mounted: ${firstLine(error)}`;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

const firstLine = (error: unknown): string =>
  String((error as { stderr?: string }).stderr || (error as Error).message).split('\n', 1)[0]!;

/** Makes every sync of a running process wait, by strace; call what it returns to end that. */
export async function slowSyncs(pid: number, delayMs: number): Promise<() => Promise<void>> {
  const calls = 'fdatasync,fsync';
  const [command = '', ...args] = [...(await deathGuard()), 'strace'];
  const child = spawn(
    command,
    [
      ...args,
      ...['-f', '-q', '-o', '/dev/null', '-e', `trace=${calls}`],
      ...['-e', `inject=${calls}:delay_enter=${delayMs * 1_000}`, '-p', String(pid)],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'], detached: true },
  );
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.on('error', error => (said += error.message));
  const traced = (): boolean => tracerOf(pid) === child.pid;
  const attached = await until(() => traced() || ended(child), { limitMs: attachMs, pollMs: 5 });
  if (attached !== true || !traced()) {
    child.kill('SIGKILL');
    throw new Error(`strace does not attach: ${said.trim() || 'it does not answer'}`);
  }
  return async () => {
    child.kill('SIGTERM');
    if ((await until(() => ended(child), { limitMs: attachMs, pollMs: 5 })) !== true) {
      child.kill('SIGKILL');
    }
  };
}

const ended = (child: ChildProcess): boolean =>
  child.exitCode !== null || child.signalCode !== null || child.pid === undefined;

function tracerOf(pid: number): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    return Number(/^TracerPid:\s+(\d+)/m.exec(status)?.[1]);
  } catch {
    // The process is gone.
    return undefined;
  }
}

export async function syscallDelayMissing(): Promise<string | undefined> {
  const sleeper = spawn('sleep', ['60'], { stdio: 'ignore' });
  try {
    if (sleeper.pid === undefined) return 'no process can be started';
    const heal = await slowSyncs(sleeper.pid, 1);
    await heal();
    return undefined;
  } catch (error) {
    return `a sync can be delayed with strace only: ${firstLine(error)}`;
  } finally {
    sleeper.kill('SIGKILL');
  }
}

/**
 * Flips `count` single bits of the store, each byte of it being as likely; resolves with how many
 * of which file, for the report.
 */
export async function flipBytes(dataDir: string, count: number, draw: Draw): Promise<string[]> {
  const dir = join(dataDir, 'store');
  // What LevelDB only writes for people, and its lock, hold nothing.
  const names = (await readdir(dir)).filter(name => !/^(LOG|LOCK)/.test(name)).sort();
  const sizes = await Promise.all(names.map(async name => (await stat(join(dir, name))).size));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const flipped = new Map<string, number>();
  for (let done = 0; done < count && total > 0; done++) {
    let position = draw(total);
    let place = 0;
    while (position >= sizes[place]!) position -= sizes[place++]!;
    const name = names[place]!;
    const file = await open(join(dir, name), 'r+');
    try {
      const byte = Buffer.alloc(1);
      await file.read(byte, 0, 1, position);
      byte[0]! ^= 1 << draw(8);
      await file.write(byte, 0, 1, position);
    } finally {
      await file.close();
    }
    flipped.set(name, (flipped.get(name) ?? 0) + 1);
  }
  return [...flipped].map(([name, times]) => `${times} in ${name}`);
}

/** Removes everything in a directory, but not the directory: it may be a mount. */
export async function wipeDirectory(dir: string): Promise<void> {
  for (const name of await readdir(dir)) {
    await rm(join(dir, name), { recursive: true, force: true, maxRetries: 3 });
  }
}
