/**
 * Programmer-error checks. A failed assertion is a bug in tsched: the process stops with the
 * message, because memory shared by every group on this node can no longer be trusted.
 */

/** Thrown by `assert` and `unreachable`. Never caught to continue. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Throws `AssertionError` unless `condition` holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Marks the end of an exhaustive switch; the compiler proves that it is never reached. */
export function unreachable(value: never, what = 'value'): never {
  throw new AssertionError(`unreachable ${what}: ${String(value)}`);
}
