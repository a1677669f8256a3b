/**
 * The lease of an attempt, as its worker counts it (DESIGN 9). Pure.
 *
 * The leader acknowledged a renewal that this node sent at `sentBootMs`; it will not reassign
 * before its own receipt of that request + 1.1 L + 1 s, which is later than sent + 1.1 L + 1 s. The
 * worker ends the attempt so that the whole tree is gone at sent + 0.9 L at the latest. Between the
 * two lies room for clocks that run up to 5 % differently.
 *
 * All instants are milliseconds of CLOCK_BOOTTIME.
 */

/**
 * Time between SIGTERM and SIGKILL when a lease ends. A long kill grace must not eat the whole
 * lease, or an attempt with a short one could never start: at most two fifths of it count.
 */
export function lossGraceMs(leaseMs: number, graceMs: number): number {
  return Math.min(graceMs, Math.floor((leaseMs * 2) / 5));
}

/** Instant at which the supervisor begins to end the attempt: sent + 0.9 L - grace. */
export function leaseDeadline(sentBootMs: number, leaseMs: number, graceMs: number): number {
  return sentBootMs + Math.floor((leaseMs * 9) / 10) - lossGraceMs(leaseMs, graceMs);
}
