/** Applying one log entry, and the one failure of it that is not a bug. */
import { DecodeError } from '../model/bytes.ts';
import { TschedError } from '../model/errors.ts';

interface Applies<T> {
  apply(index: number, data: Uint8Array): T;
}

/**
 * Throws `programTooOld` for an entry that this program cannot read: it was written by a newer one.
 * The node has to end there. To skip the entry, or to guess, would make this replica differ from
 * the others for ever.
 */
export function applyEntry<T>(
  machine: Applies<T>,
  group: number,
  index: number,
  data: Uint8Array,
): T {
  try {
    return machine.apply(index, data);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new TschedError(
      'programTooOld',
      `entry ${index} of group ${group} cannot be read by this program: ${error.message}`,
      {},
      error,
    );
  }
}
