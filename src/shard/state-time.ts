/** State time: what decides order and back-off, equal on every replica (DESIGN 4). */

/** Most that one command alone can move it. */
export const timeJumpMaxMs = 60_000;
/** No instant in the state is later: the year 10889, the last a task ID can say. */
export const instantMaxMs = 2 ** 48 - 1;

/**
 * State time is max(previous, stamp). A jump of more than a minute is taken whole only where the
 * command before it claimed at least as much: one wrong stamp cannot freeze the shard's time, and a
 * shard that was idle for hours is right again with its second command.
 */
export function stateTimeAfter(nowMs: number, stampBeforeMs: number, stampMs: number): number {
  const capped = nowMs + timeJumpMaxMs;
  if (stampMs > capped && nowMs !== 0) return Math.max(capped, Math.min(stampMs, stampBeforeMs));
  return nowMs === 0 || stampMs > nowMs ? stampMs : nowMs;
}

/** When a task that is taken in at `baseMs` is ready: not before what its spec says. */
export function beginOf(
  { notBeforeMs, delayMs }: { readonly notBeforeMs: number; readonly delayMs: number },
  baseMs: number,
): number {
  return Math.min(Math.max(baseMs + delayMs, notBeforeMs), instantMaxMs);
}
