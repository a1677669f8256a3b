/**
 * The schedules of a shard: what each is, what it has fired, which of its tasks have not settled
 * and which occurrences wait for those. All of it is in memory and small; the two rows of a
 * schedule (`schedule-rows.ts`) are written when a flush comes by, the larger one once.
 */
import { assert } from '../model/assert.ts';
import type { TaskId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import type { Firing, ScheduleName } from '../model/schedule.ts';
import {
  decodeScheduleRow,
  decodeStandingRow,
  encodeScheduleRow,
  encodeStandingRow,
  nameOfKey,
  type ScheduleOrigin,
  type Standing,
  scheduleKey,
  standingKey,
} from './schedule-rows.ts';

export interface Schedule extends ScheduleOrigin {
  standing: Standing;
}

/** Names sort by tenant, then by name. */
const textOf = ({ tenant, name }: ScheduleName): string => `${tenant}\u0000${name}`;

/** Changes of which it is known what changed; a firing is two or three. */
const changesKept = 256;

type Row = readonly [key: Uint8Array, value: Uint8Array | undefined];

export class ScheduleBook {
  readonly #schedules = new Map<string, Schedule>();
  readonly #ofTask = new Map<TaskId, Schedule>();
  /** Names of which a row is still to be written, or both deleted where the schedule is gone. */
  readonly #dirtyOrigins = new Set<string>();
  readonly #dirtyStandings = new Set<Schedule>();
  #specBytes = 0;
  /** Grows with every change; local. */
  changes = 0;
  /** Which schedule each of the newest changes was of, at the number of the change. */
  readonly #changed: (Schedule | undefined)[] = [];
  /** Grows with every schedule that comes or goes; local. */
  comings = 0;

  get size(): number {
    return this.#schedules.size;
  }

  /** Bytes of the specs of all schedules. */
  get specBytes(): number {
    return this.#specBytes;
  }

  get dirtyRows(): number {
    return this.#dirtyOrigins.size + this.#dirtyStandings.size;
  }

  find(name: ScheduleName): Schedule | undefined {
    return this.#schedules.get(textOf(name));
  }

  all(): IterableIterator<Schedule> {
    return this.#schedules.values();
  }

  ofTask(id: TaskId): Schedule | undefined {
    return this.#ofTask.get(id);
  }

  add(schedule: Schedule): void {
    const text = textOf(schedule.definition);
    assert(!this.#schedules.has(text), 'a schedule is made once');
    this.#schedules.set(text, schedule);
    this.#specBytes += schedule.spec.length;
    this.#dirtyOrigins.add(text);
    this.#dirtyStandings.add(schedule);
    this.#countChange(schedule);
    this.comings++;
  }

  /** Its tasks stay: they are tasks like any other from now on. */
  remove(schedule: Schedule): void {
    const text = textOf(schedule.definition);
    this.#schedules.delete(text);
    this.#specBytes -= schedule.spec.length;
    for (const id of schedule.standing.active) this.#ofTask.delete(id);
    this.#dirtyOrigins.add(text);
    this.#dirtyStandings.delete(schedule);
    // Nothing of it stays in memory; who follows the book looks at all that is left.
    this.#changed.length = 0;
    this.changes++;
    this.comings++;
  }

  change(schedule: Schedule, parts: Partial<Standing>): void {
    this.replace(schedule, { ...schedule.standing, ...parts });
  }

  replace(schedule: Schedule, standing: Standing): void {
    schedule.standing = standing;
    this.#dirtyStandings.add(schedule);
    this.#countChange(schedule);
  }

  #countChange(schedule: Schedule): void {
    this.changes++;
    this.#changed[this.changes % changesKept] = schedule;
  }

  /**
   * What has changed behind a change, maybe some twice; `undefined` where those were so many that
   * it is not known any more. For who follows the book, and must not look at all of it each time.
   */
  changedSince(change: number): readonly Schedule[] | undefined {
    if (change < 0 || this.changes - change > changesKept) return undefined;
    const changed: Schedule[] = [];
    for (let next = change + 1; next <= this.changes; next++) {
      const schedule = this.#changed[next % changesKept];
      if (schedule === undefined) return undefined;
      changed.push(schedule);
    }
    return changed;
  }

  /** A task was made for an occurrence, and has not settled. */
  activate(schedule: Schedule, firing: Firing): void {
    const { standing } = schedule;
    this.#ofTask.set(firing.taskId, schedule);
    const recent = standing.recent.slice(1 - limits.scheduleRecentMax);
    recent.push(firing);
    const active = [...standing.active, firing.taskId];
    this.replace(schedule, { ...standing, fired: standing.fired + 1, active, recent });
  }

  /** A task has settled; the schedule that it is of, where there is one. */
  deactivate(id: TaskId): Schedule | undefined {
    const schedule = this.#ofTask.get(id);
    if (schedule === undefined) return undefined;
    this.#ofTask.delete(id);
    const { standing } = schedule;
    const active = standing.active.filter(other => other !== id);
    this.replace(schedule, { ...standing, active });
    return schedule;
  }

  /** Everything that is to be written, now clean. */
  takeRows(): Row[] {
    const rows: Row[] = [];
    for (const text of this.#dirtyOrigins) {
      const schedule = this.#schedules.get(text);
      rows.push([scheduleKey(text), schedule && encodeScheduleRow(schedule)]);
      if (schedule === undefined) rows.push([standingKey(text), undefined]);
    }
    for (const { definition, standing } of this.#dirtyStandings) {
      rows.push([standingKey(textOf(definition)), encodeStandingRow(standing)]);
    }
    this.#dirtyOrigins.clear();
    this.#dirtyStandings.clear();
    return rows;
  }

  /** Rows of what a schedule is come before those of how far it is. */
  loadOrigin(value: Uint8Array): void {
    const origin = decodeScheduleRow(value);
    this.#schedules.set(textOf(origin.definition), { ...origin, standing: nowhere });
    this.#specBytes += origin.spec.length;
  }

  loadStanding(key: Uint8Array, value: Uint8Array): void {
    const schedule = this.#schedules.get(nameOfKey(key));
    assert(schedule, 'a schedule has both its rows');
    schedule.standing = decodeStandingRow(value);
    for (const id of schedule.standing.active) this.#ofTask.set(id, schedule);
  }
}

/** Of a schedule whose second row has not been read yet. */
const nowhere: Standing = {
  cursorMs: 0,
  fired: 0,
  skipped: 0,
  missed: 0,
  active: [],
  queued: [],
  recent: [],
  requests: [],
};
