/**
 * How many were counted in the last hour, by minutes. The minute that runs and the sixty before it
 * count, so that no hour, wherever it begins, has more than what is allowed.
 */

const minuteMs = 60_000;
export const minutesCounted = 61;

/** Minutes since the epoch, with what was counted in each; in order. */
export type Minutes = readonly (readonly [minute: number, count: number])[];

export const minuteOf = (wallMs: number): number => Math.floor(wallMs / minuteMs);

/** Counted within the hour before `wallMs`. */
export function countedIn(minutes: Minutes, wallMs: number): number {
  const oldest = minuteOf(wallMs) - minutesCounted + 1;
  return minutes.reduce((sum, [minute, count]) => sum + (minute >= oldest ? count : 0), 0);
}

/** With `count` more at that instant, and without what no later hour counts. */
export function counted(minutes: Minutes, wallMs: number, count: number): Minutes {
  const now = Math.max(minuteOf(wallMs), minutes.at(-1)?.[0] ?? 0);
  const kept = minutes.filter(([minute]) => minute > now - minutesCounted && minute < now);
  const present = minutes.at(-1)?.[0] === now ? minutes.at(-1)![1] : 0;
  return [...kept, [now, present + count]];
}

/** Until `count` more are within `limit`; `undefined` where they never are. */
export function hourWaitMs(
  minutes: Minutes,
  wallMs: number,
  count: number,
  limit: number,
): number | undefined {
  if (count > limit) return undefined;
  let total = countedIn(minutes, wallMs);
  const now = minuteOf(wallMs);
  for (const [minute, spent] of minutes) {
    if (total + count <= limit) break;
    if (minute <= now - minutesCounted) continue;
    total -= spent;
    if (total + count <= limit) return (minute + minutesCounted) * minuteMs - wallMs;
  }
  return 0;
}
