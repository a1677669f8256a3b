/**
 * The disk under a data directory, and the ballast on it: a file that holds nothing. A store that
 * cannot be opened for want of room gets it by deleting that file.
 */
import { randomBytes } from 'node:crypto';
import { open, rename, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Disk } from '../ports/disk.ts';
import { ifThere } from './if-there.ts';

const ballastName = 'ballast';
export const ballastBytesDefault = 64 * 1024 * 1024;
const chunkBytes = 1024 * 1024;

export function dataDisk(dataDir: string, ballastBytes: number): Disk {
  const path = join(dataDir, ballastName);
  return {
    async room() {
      const { bavail, bsize, blocks } = await statfs(dataDir);
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    },
    async hasBallast() {
      return (await sizeOf(path)) >= ballastBytes;
    },
    async makeBallast(wanted) {
      const making = `${path}.making`;
      try {
        const file = await open(making, 'w', 0o600);
        try {
          for (let left = ballastBytes; left > 0 && wanted(); left -= chunkBytes) {
            // Not zeros: a file system that compresses would keep no room for them.
            await file.write(randomBytes(Math.min(left, chunkBytes)));
          }
          if (wanted()) await file.sync();
        } finally {
          await file.close();
        }
        if (wanted()) {
          await rename(making, path);
          return true;
        }
        await rm(making, { force: true });
        return false;
      } catch (error) {
        await rm(making, { force: true });
        throw error;
      }
    },
  };
}

/** Gives up the ballast; answers how many bytes that freed. */
export async function freeBallast(dataDir: string): Promise<number> {
  let freed = 0;
  for (const name of [ballastName, `${ballastName}.making`]) {
    const path = join(dataDir, name);
    freed += await sizeOf(path);
    await rm(path, { force: true });
  }
  return freed;
}

const sizeOf = async (path: string): Promise<number> => (await ifThere(stat(path)))?.size ?? 0;

/** Whether something failed for want of room on the disk, however deep that is in its causes. */
export function isDiskFull(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && cause.code === 'ENOSPC') return true;
    if (/No space left on device|ENOSPC/.test(cause.message)) return true;
  }
  return false;
}
