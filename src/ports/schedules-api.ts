/** What a node answers about schedules: the part of `NodeApi` behind `/v1/schedules`. */
import type { Actor } from '../model/command.ts';
import type { TaskId } from '../model/ids.ts';
import type {
  ScheduleDefinition,
  ScheduleName,
  ScheduleSummary,
  ScheduleView,
} from '../model/schedule.ts';
import type { TaskSpec } from '../model/spec.ts';
import type { SpecProblem } from '../model/spec-reading.ts';

/** A page of schedules by tenant and name. */
export interface SchedulePage {
  readonly schedules: readonly ScheduleSummary[];
  /** Give it as `after` for the next page; missing on the last one. */
  readonly cursor?: string | undefined;
  /** Shards that did not answer: their schedules are missing. */
  readonly missingShards: readonly number[];
  /** Shards told of by a replica that could not confirm with a majority what is the newest. */
  readonly staleShards: readonly number[];
}

export interface Backfilled {
  readonly occurrences: readonly number[];
  /** The same was asked before. */
  readonly repeated: boolean;
}

export interface SchedulesApi {
  /** What a calendar says against a schedule: an unknown zone, a time that never comes. */
  problems(definition: ScheduleDefinition): readonly SpecProblem[];
  /** Throws `scheduleExists` where another one has the name. */
  create(
    definition: ScheduleDefinition,
    spec: TaskSpec,
    actor: Actor,
  ): Promise<{ readonly shard: number; readonly repeated: boolean }>;
  get(name: ScheduleName): Promise<ScheduleView>;
  /** Only those of `tenant` where it is given. */
  list(query: {
    readonly tenant?: string | undefined;
    readonly after?: string | undefined;
    readonly limit: number;
  }): Promise<SchedulePage>;
  /** With `paused` false it fires again from now on. */
  pause(
    name: ScheduleName,
    how: { readonly paused: boolean; readonly reason: string },
    actor: Actor,
  ): Promise<void>;
  delete(name: ScheduleName, actor: Actor): Promise<void>;
  /** Fires now; `id` is drawn by the client so that it may repeat the request. */
  trigger(
    name: ScheduleName,
    id: TaskId | undefined,
    actor: Actor,
  ): Promise<{ readonly id: TaskId; readonly repeated: boolean }>;
  /** Fires the occurrences from `fromMs` up to `toMs`, both included. */
  backfill(
    name: ScheduleName,
    range: { readonly fromMs: number; readonly toMs: number; readonly request: string },
    actor: Actor,
  ): Promise<Backfilled>;
  /** Occurrences after an instant, now where none is given, of what may not exist yet. */
  next(
    definition: Pick<ScheduleDefinition, 'timing' | 'zone' | 'untilMs' | 'count'>,
    range: { readonly afterMs?: number | undefined; readonly count: number },
  ): readonly number[];
  /** The same of one that exists: those that are still to fire. */
  nextOf(name: ScheduleName, count: number): Promise<readonly number[]>;
}
