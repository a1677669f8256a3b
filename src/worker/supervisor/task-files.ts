/**
 * Files that a task had in its hands. It may have replaced them by links, pipes or directories,
 * taken rights away or removed them: nothing here follows a link, waits for a pipe, or fails for
 * what a task can do. Faults of the machine (no space, a bad disk) are thrown.
 */
import {
  chmodSync,
  closeSync,
  constants,
  type Dirent,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readdirSync,
} from 'node:fs';
import { chmod, lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Not through a link, and not waiting for the other end of a pipe. */
export const carefully = constants.O_NOFOLLOW | constants.O_NONBLOCK;

const causedByTask: ReadonlySet<string> = new Set([
  'EACCES',
  'EBUSY',
  'EEXIST',
  'EISDIR',
  'ELOOP',
  'ENAMETOOLONG',
  'ENOENT',
  'ENOTDIR',
  'ENOTEMPTY',
  'ENXIO',
  'EPERM',
]);

/** Whether a fault is one that a task can bring about with its own files. */
export const isCausedByTask = (error: unknown): boolean =>
  causedByTask.has((error as NodeJS.ErrnoException).code ?? '');

/** The result of `work`, or `otherwise` where the task has made it impossible. */
function unlessTask<T>(work: () => T, otherwise: T): T {
  try {
    return work();
  } catch (error) {
    if (isCausedByTask(error)) return otherwise;
    throw error;
  }
}

/** Size of a regular file; 0 for anything else. */
export function fileSize(path: string): number {
  return unlessTask(() => {
    const stats = lstatSync(path);
    return stats.isFile() ? stats.size : 0;
  }, 0);
}

export const isDirectory = (path: string): boolean =>
  unlessTask(() => lstatSync(path).isDirectory(), false);

/**
 * Opens a regular file, calls `work` with it and closes it; `undefined` where there is none. One
 * with a second name is somebody's copy: with `onlyName` it counts as none.
 */
export function withFile<T>(
  path: string,
  how: { readonly flags: number; readonly onlyName?: boolean | undefined },
  work: (fd: number) => T,
): T | undefined {
  return unlessTask(() => {
    const fd = openSync(path, how.flags | carefully, 0o600);
    try {
      const stats = fstatSync(fd);
      if (!stats.isFile() || (how.onlyName === true && stats.nlink > 1)) return undefined;
      return work(fd);
    } finally {
      closeSync(fd);
    }
  }, undefined);
}

/** False where it is not a regular file any more, or has a second name. */
export function truncateFile(path: string, size: number): boolean {
  const how = { flags: constants.O_WRONLY, onlyName: true };
  const done = withFile(path, how, fd => {
    ftruncateSync(fd, size);
    return true;
  });
  return done === true;
}

/** Entries of a directory; `undefined` where it is none, or cannot be looked into even by force. */
export function entriesOf(path: string): Dirent[] | undefined {
  if (!isDirectory(path)) return undefined;
  const read = (): Dirent[] => readdirSync(path, { withFileTypes: true });
  return (
    unlessTask<Dirent[] | undefined>(read, undefined) ??
    unlessTask(() => {
      // The task has taken away the right to look into what it left.
      chmodSync(path, 0o700);
      return read();
    }, undefined)
  );
}

/** Gives the owner of every directory of a tree all rights in it. */
async function openUp(path: string): Promise<void> {
  if (!(await lstat(path)).isDirectory()) return;
  await chmod(path, 0o700);
  for (const name of await readdir(path)) await openUp(join(path, name));
}

/**
 * Removes a file or a tree, also one with directories that may not be written (caches are made so).
 * Resolves to false where the task has made that impossible.
 */
export async function removeTree(path: string): Promise<boolean> {
  const remove = (): Promise<void> => rm(path, { recursive: true, force: true });
  try {
    await remove();
    return true;
  } catch (error) {
    if (!isCausedByTask(error)) throw error;
  }
  try {
    await openUp(path);
    await remove();
    return true;
  } catch (error) {
    if (isCausedByTask(error)) return false;
    throw error;
  }
}
