/**
 * Whether schedules fired each occurrence once. Which were due is computed here, from the clock of
 * the machine that ran the check, and not asked of the cluster: an instant, or every full minute
 * from when the schedule was made until the cluster had healed. What fell due while it was being
 * made or deleted may have fired or not.
 */
import { clocksMoved, counted, type Finding, type Seen } from './finding.ts';
import type { FiringRecord, ScheduleRecord } from './history.ts';

const minuteMs = 60_000;
/** Clocks of other machines, and of a guest, are not quite that of this one. */
const clockSkewMs = 5_000;

export function checkFired({ history, lives }: Seen): Finding {
  const mayBeEarly = clocksMoved(history);
  const cases: string[] = [];
  let looked = 0;
  for (const schedule of history.schedules) {
    const due = dueOf(schedule);
    looked += due.length;
    const told = faultsOf(schedule, due, mayBeEarly);
    cases.push(...told.map(text => `schedule ${schedule.name} ${text}`));
  }
  const listed = new Set(
    history.schedules.flatMap(({ firings }) => firings.map(one => one.taskId)),
  );
  for (const life of [...lives.values()].flat()) {
    if (life.number <= history.submits.length || listed.has(life.id)) continue;
    cases.push(`task ${life.id} of a schedule ran on ${life.node} and is not there`);
  }
  const schedules = counted(history.schedules.length, 'schedule');
  const what = `${counted(looked, 'occurrence')} of ${schedules}`;
  return { cases, looked, what };
}

function faultsOf(
  schedule: ScheduleRecord,
  due: readonly number[],
  mayBeEarly: boolean,
): readonly string[] {
  const byOccurrence = new Map<number, FiringRecord[]>();
  for (const firing of schedule.firings) {
    const { occurrenceMs } = firing;
    byOccurrence.set(occurrenceMs, [...(byOccurrence.get(occurrenceMs) ?? []), firing]);
  }
  const faults: string[] = [];
  for (const occurrenceMs of due) {
    if (!byOccurrence.has(occurrenceMs)) faults.push(`did not fire ${instant(occurrenceMs)}`);
  }
  for (const [occurrenceMs, firings] of byOccurrence) {
    if (firings.length > 1) {
      const ids = firings.map(one => one.taskId).join(', ');
      faults.push(`fired ${instant(occurrenceMs)} ${firings.length} times: ${ids}`);
    }
    if (!mayFire(schedule, occurrenceMs, mayBeEarly)) {
      faults.push(`fired ${instant(occurrenceMs)}, which it was not for`);
    }
    for (const { taskId, settled } of firings) {
      if (!settled) faults.push(`fired ${instant(occurrenceMs)}, but ${taskId} does not settle`);
    }
  }
  return faults;
}

/** Occurrences that must have fired. */
function dueOf({ onceMs, madeMs, dueToMs }: ScheduleRecord): number[] {
  if (onceMs !== undefined) return onceMs > madeMs && onceMs <= dueToMs ? [onceMs] : [];
  const due: number[] = [];
  const first = (Math.floor((madeMs + clockSkewMs) / minuteMs) + 1) * minuteMs;
  for (let atMs = first; atMs <= dueToMs; atMs += minuteMs) due.push(atMs);
  return due;
}

function mayFire(schedule: ScheduleRecord, occurrenceMs: number, mayBeEarly: boolean): boolean {
  const { onceMs, askedMs, goneMs } = schedule;
  if (onceMs !== undefined) return occurrenceMs === onceMs;
  const isOne = occurrenceMs % minuteMs === 0 && occurrenceMs > askedMs - clockSkewMs;
  return isOne && (mayBeEarly || occurrenceMs <= goneMs + clockSkewMs);
}

const instant = (atMs: number): string => new Date(atMs).toISOString().replace('.000', '');
