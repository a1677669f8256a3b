/**
 * How a failing disk becomes an error that a person can act on. Inside this room damage is thrown
 * as `StoreDamage`; the front of the store turns it, and whatever LevelDB throws, into a
 * `TschedError`.
 */
import { TschedError } from '../model/errors.ts';

/** Content that contradicts itself: a checksum, a gap, a record that cannot be. */
export class StoreDamage extends Error {
  override readonly name = 'StoreDamage';
}

const codeOf = (error: unknown): string | undefined => {
  if (!(error instanceof Error)) return undefined;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  // LevelDB's own error is the cause of "database failed to open".
  if (code === 'LEVEL_DATABASE_NOT_OPEN' && error.cause !== undefined) return codeOf(error.cause);
  return code;
};

const messageOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? messageOf(error.cause) : error.message;
};

const advice =
  'Do not start this node on this directory again without looking at the disk: check the kernel ' +
  'log and the free space. `tsched doctor --data-dir DIR` tells what is damaged and what can be ' +
  'done: a node whose replicas others have too is rebuilt from them.';

/** Whether LevelDB refused because the directory is open elsewhere. */
export const isLocked = (error: unknown): boolean => codeOf(error) === 'LEVEL_LOCKED';

/** The error to show for anything that went wrong with the store in `directory`. */
export function toStorageError(directory: string, error: unknown): TschedError {
  if (error instanceof TschedError) return error;
  if (isLocked(error)) {
    return new TschedError(
      'dataDirInUse',
      `${directory} is open in another process`,
      { directory },
      error,
    );
  }
  return new TschedError(
    'storageFault',
    `${directory}: ${messageOf(error)}. ${advice}`,
    { directory },
    error,
  );
}
