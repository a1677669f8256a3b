/**
 * The one error of the Raft core. It is thrown when an invariant of the algorithm or of its
 * contract with the driver is broken: memory or disk can no longer be trusted, so the process has
 * to stop.
 */

/** A broken invariant, with a diagnosis. Never caught to continue: the process must end. */
export class RaftFatal extends Error {
  override readonly name = 'RaftFatal';
}

/**
 * This replica acknowledged entries that its log does not have any more: its disk forgot them.
 * Nothing of its store may be relied on; it is to be filled anew by the others.
 */
export class LogLost extends RaftFatal {}

/** Throws `RaftFatal` unless `condition` holds. */
export function ensure(condition: boolean, diagnosis: string): asserts condition {
  if (!condition) throw new RaftFatal(diagnosis);
}
