/** A schedule as people and programs see it, from what the shard knows and the calendar says. */
import type { ScheduleSummary, ScheduleView } from '../model/schedule.ts';
import { writeScheduleDocument } from '../model/schedule-document.ts';
import { timingWords } from '../model/schedule-timing.ts';
import { decodeSpec } from '../model/spec.ts';
import type { Schedule } from '../shard/schedules.ts';
import { commandLine } from '../shard/view.ts';
import { nextOccurrence } from './calendar.ts';

/** The next occurrence that is to fire. Throws where the calendar does not know the schedule. */
export function nextOf({ definition, standing }: Schedule): number | undefined {
  if (standing.paused !== undefined || standing.left === 0) return undefined;
  return nextOccurrence(definition, standing.cursorMs);
}

/** The same; `undefined` where this program's calendar does not know the schedule. */
export function nextKnown(schedule: Schedule, unknown: (why: string) => void): number | undefined {
  try {
    return nextOf(schedule);
  } catch (error) {
    unknown(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

interface Seen {
  readonly nextAtMs: number | undefined;
  readonly shard: number;
  readonly stale: boolean;
}

export function summaryOf(schedule: Schedule, seen: Seen): ScheduleSummary {
  const { definition, standing, createdMs, createdBy } = schedule;
  const { tenant, name, timing, zone } = definition;
  const { paused, left, fired, skipped, missed } = standing;
  const isOver = seen.nextAtMs === undefined && paused === undefined;
  return {
    tenant,
    name,
    state: paused !== undefined ? 'paused' : isOver ? 'ended' : 'active',
    timing: timingWords(timing),
    timezone: zone,
    command: commandLine(decodeSpec(schedule.spec).run),
    createdAtMs: createdMs,
    createdBy,
    left,
    fired,
    skipped,
    missed,
    ...seen,
  };
}

export function viewOf(schedule: Schedule, seen: Seen, heldBack?: string): ScheduleView {
  const { active, queued, recent, paused } = schedule.standing;
  return {
    ...summaryOf(schedule, seen),
    document: writeScheduleDocument(schedule.definition, decodeSpec(schedule.spec)),
    running: active,
    queued: queued.map(({ occurrenceMs }) => occurrenceMs),
    recent,
    paused,
    heldBack,
  };
}
