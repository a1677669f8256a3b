/**
 * How long a task may wait for its start, and what follows from it.
 *
 * Its delay tolerance is what was asked for; else, of a firing of a schedule, the shortest time
 * between two of them; else a day, or the time after which it is dropped where that is shorter.
 * Tolerance and `expire` count from the submit; of a task that is not to start before a time, from
 * then; of one that something held (dependencies, a pause), from when the last hold was gone. The
 * bound is about the first start: a task that ran once has kept it, and waits for its next run by
 * the same tolerance, counted from the end of its back-off.
 *
 * The class follows from what is left: `urgent` once that is a minute or less (from the submit on,
 * where the tolerance is no longer than that), before that `periodic` for firings of a schedule and
 * `delayable` for all others. Urgent work goes first; the other two are one class to the planner.
 */
import { limits } from './limits.ts';
import type { SpecScheduling } from './spec-scheduling.ts';

export const taskClasses = ['urgent', 'delayable', 'periodic'] as const;
export type TaskClass = (typeof taskClasses)[number];

/** A task whose start bound is no further away is urgent. */
const urgentMs = 60_000;

type Terms = Pick<SpecScheduling, 'toleranceMs' | 'expireMs' | 'periodMs'>;

export function toleranceOf({ toleranceMs, expireMs, periodMs }: Terms): number {
  if (toleranceMs !== undefined) return toleranceMs;
  const usual = periodMs ?? limits.toleranceMsDefault;
  return expireMs === undefined ? usual : Math.min(usual, expireMs);
}

export const isUrgent = (boundMs: number, nowMs: number): boolean => boundMs - nowMs <= urgentMs;

export function classOf(terms: Terms, boundMs: number, nowMs: number): TaskClass {
  if (isUrgent(boundMs, nowMs)) return 'urgent';
  return terms.periodMs === undefined ? 'delayable' : 'periodic';
}
