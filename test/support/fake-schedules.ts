/**
 * The schedules of a node without a cluster: the real rules of a shard and the real calendar over
 * one machine in memory. Nothing fires by itself.
 */
import type { Actor } from '../../src/model/command.ts';
import { TschedError } from '../../src/model/errors.ts';
import { formatTaskId, parseTaskId, type TaskId } from '../../src/model/ids.ts';
import {
  type ScheduleDefinition,
  type ScheduleName,
  type ScheduleView,
  slotOfSchedule,
} from '../../src/model/schedule.ts';
import type { ScheduleCommand } from '../../src/model/schedule-command.ts';
import type { TaskSpec } from '../../src/model/spec.ts';
import { occurrences, timingProblems } from '../../src/node/calendar.ts';
import { nextKnown, summaryOf, viewOf } from '../../src/node/schedule-view.ts';
import type { SchedulesApi } from '../../src/ports/schedules-api.ts';
import type { Schedule } from '../../src/shard/schedules.ts';
import { specEntry, TestShard } from './shard.ts';

export class FakeSchedules implements SchedulesApi {
  readonly shard = new TestShard();
  #drawn = 0;

  problems(definition: ScheduleDefinition): ReturnType<SchedulesApi['problems']> {
    return timingProblems(definition, Date.now());
  }

  async create(
    definition: ScheduleDefinition,
    spec: TaskSpec,
    _actor: Actor,
  ): ReturnType<SchedulesApi['create']> {
    const { digest, bytes } = specEntry(spec);
    const items = [{ definition, digest, spec: bytes }];
    const { repeated } = this.#change({ kind: 'createSchedule', items });
    return { shard: 1, repeated };
  }

  async pause(
    name: ScheduleName,
    how: { readonly paused: boolean; readonly reason: string },
  ): Promise<void> {
    const { paused, reason } = how;
    this.#change({ kind: 'pauseSchedule', items: [{ ...name, paused }], reason });
  }

  async delete(name: ScheduleName): Promise<void> {
    this.#change({ kind: 'deleteSchedule', items: [name] });
  }

  async trigger(
    name: ScheduleName,
    drawn: TaskId | undefined,
  ): ReturnType<SchedulesApi['trigger']> {
    const own = { atMs: Date.now(), random: this.#drawn++ };
    const parts = drawn === undefined ? own : parseTaskId(drawn)!;
    const id = formatTaskId({ ...parts, slot: slotOfSchedule(name) });
    const reply = this.#change({ kind: 'triggerSchedule', items: [{ ...name, id }] });
    return { id: reply.taskId, repeated: reply.repeated };
  }

  async backfill(
    name: ScheduleName,
    range: { readonly fromMs: number; readonly toMs: number; readonly request: string },
  ): ReturnType<SchedulesApi['backfill']> {
    const toMs = Math.min(range.toMs, Date.now());
    const bounds = { afterMs: range.fromMs - 1, toMs, limit: 1_000 };
    const found = occurrences(this.#found(name).definition, bounds);
    const items = [{ ...name, request: range.request, occurrences: found }];
    const { repeated } = this.#change({ kind: 'backfill', items });
    return { occurrences: found, repeated };
  }

  next(
    definition: Parameters<SchedulesApi['next']>[0],
    range: Parameters<SchedulesApi['next']>[1],
  ): readonly number[] {
    return occurrences(definition, { afterMs: range.afterMs ?? Date.now(), limit: range.count });
  }

  async nextOf(name: ScheduleName, count: number): Promise<readonly number[]> {
    return this.next(this.#found(name).definition, { count });
  }

  async get(name: ScheduleName): Promise<ScheduleView> {
    const schedule = this.#found(name);
    return viewOf(schedule, this.#seen(schedule));
  }

  async list(query: { readonly tenant?: string | undefined }): ReturnType<SchedulesApi['list']> {
    const all = [...this.shard.machine.schedules.all()].filter(
      ({ definition }) => query.tenant === undefined || definition.tenant === query.tenant,
    );
    const schedules = all.map(schedule => summaryOf(schedule, this.#seen(schedule)));
    return { schedules, missingShards: [], staleShards: [] };
  }

  #seen(schedule: Schedule): Parameters<typeof viewOf>[1] {
    const unknown = (why: string): never => {
      throw new Error(why);
    };
    return { nextAtMs: nextKnown(schedule, unknown), shard: 1, stale: false };
  }

  #found(name: ScheduleName): Schedule {
    const schedule = this.shard.machine.schedules.find(name);
    if (schedule !== undefined) return schedule;
    throw new TschedError('unknownSchedule', `there is no schedule ${name.name}`);
  }

  #change(body: ScheduleCommand) {
    // The second command finds the time of an idle shard right.
    for (const change of [{ kind: 'fire', items: [] } as const, body]) {
      this.shard.setNow(Date.now());
      const [reply] = this.shard.apply(change).replies;
      if (reply?.ok === false) throw new TschedError(reply.code, reply.message);
      if (reply?.ok === true) return reply;
    }
    throw new Error('no reply');
  }
}
