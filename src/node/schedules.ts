/**
 * The verbs about schedules: changes go to the leader of the schedule's shard, reads to whoever can
 * confirm what is the newest, and what needs a calendar is answered here.
 */
import type { Actor, ItemReply, ShardCommand } from '../model/command.ts';
import { TschedError } from '../model/errors.ts';
import { formatTaskId, parseTaskId, type ShardId, type TaskId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import {
  type ScheduleDefinition,
  type ScheduleName,
  type ScheduleSummary,
  type ScheduleView,
  slotOfSchedule,
} from '../model/schedule.ts';
import type { ScheduleCommand, ScheduleCommandKind } from '../model/schedule-command.ts';
import type { TaskSpec } from '../model/spec.ts';
import type { Backfilled, SchedulePage, SchedulesApi } from '../ports/schedules-api.ts';
import type { ShardMachine } from '../shard/machine.ts';
import type { Schedule } from '../shard/schedules.ts';
import { type Answered, type Asked, ShardQuestions } from './ask-shards.ts';
import { occurrences, periodOf, timingProblems } from './calendar.ts';
import type { NodeContext } from './context.ts';
import type { IdDraw } from './id-draw.ts';
import type { RegistryClient } from './registry-client.ts';
import { moveStateTime } from './schedule-clock.ts';
import type { ScheduleGate } from './schedule-gate.ts';
import { nextKnown, summaryOf, viewOf } from './schedule-view.ts';
import type { ShardAccess } from './shard-access.ts';
import type { ShardLeader } from './shard-leader.ts';
import type { ShardLeaders } from './shard-leaders.ts';
import { encodeWithDigest, refuseUnreadable } from './submit-parts.ts';
import type { TaskWrites } from './task-writes.ts';
import type { TenantDesk } from './tenant-desk.ts';

/** The cluster version that knows schedules. */
const scheduleVersion = 3;

/** What people ask for; `fire` is what the leader's clock does. */
const changeKinds = [
  'createSchedule',
  'triggerSchedule',
  'backfill',
  'pauseSchedule',
  'deleteSchedule',
] as const satisfies readonly ScheduleCommandKind[];

interface OneAsked {
  readonly shard: ShardId;
  readonly stale: boolean;
  readonly name: ScheduleName;
}

interface ListAsked extends Asked {
  readonly tenant?: string | undefined;
  readonly after?: string | undefined;
  readonly limit: number;
}

interface ListAnswer extends Answered {
  readonly schedules: readonly ScheduleSummary[];
}

const byName = (left: ScheduleName, right: ScheduleName): number =>
  placeOf(left) < placeOf(right) ? -1 : 1;

/** Sorts by tenant, then by name; the cursor of a listing. */
const placeOf = ({ tenant, name }: ScheduleName): string => `${tenant}/${name}`;

export class Schedules implements SchedulesApi {
  readonly #context: NodeContext;
  readonly #access: ShardAccess;
  readonly #leaders: ShardLeaders;
  readonly #writes: TaskWrites;
  readonly #draw: IdDraw;
  readonly #registry: RegistryClient;
  readonly #shards: () => number;
  readonly #gate: ScheduleGate;
  readonly #questions: ShardQuestions;

  constructor(deps: {
    readonly context: NodeContext;
    readonly access: ShardAccess;
    readonly leaders: ShardLeaders;
    readonly writes: TaskWrites;
    readonly draw: IdDraw;
    readonly registry: RegistryClient;
    readonly shards: () => number;
    readonly tenants: TenantDesk;
  }) {
    this.#context = deps.context;
    this.#access = deps.access;
    this.#leaders = deps.leaders;
    this.#writes = deps.writes;
    this.#draw = deps.draw;
    this.#registry = deps.registry;
    this.#shards = deps.shards;
    this.#gate = deps.tenants.scheduleGate;
    this.#questions = new ShardQuestions(deps.context, deps.access);
    this.#serve();
  }

  problems(definition: ScheduleDefinition): ReturnType<SchedulesApi['problems']> {
    return timingProblems(definition, this.#context.clock.wallMs());
  }

  async create(
    definition: ScheduleDefinition,
    asked: TaskSpec,
    actor: Actor,
  ): ReturnType<SchedulesApi['create']> {
    this.#refuseEarly();
    const periodMs = periodOf(definition);
    const spec = { ...this.#gate.specOf(asked), periodMs };
    const unfit = this.#writes.unfit(spec);
    if (unfit !== undefined) throw new TschedError(unfit.code, unfit.message);
    const { digest, bytes } = encodeWithDigest(spec);
    const items = [{ definition, digest, spec: bytes }];
    const reply = await this.#change({ kind: 'createSchedule', items }, definition, actor);
    return { shard: this.#shardOf(definition), repeated: reply.repeated };
  }

  async pause(
    name: ScheduleName,
    how: { readonly paused: boolean; readonly reason: string },
    actor: Actor,
  ): Promise<void> {
    const { paused, reason } = how;
    await this.#change(
      { kind: 'pauseSchedule', items: [{ ...name, paused }], reason },
      name,
      actor,
    );
  }

  async delete(name: ScheduleName, actor: Actor): Promise<void> {
    await this.#change({ kind: 'deleteSchedule', items: [name] }, name, actor);
  }

  async trigger(
    name: ScheduleName,
    drawn: TaskId | undefined,
    actor: Actor,
  ): ReturnType<SchedulesApi['trigger']> {
    const slot = slotOfSchedule(name);
    // The client knows no tenant, hence no slot; the rest of the ID is its own.
    const parts = drawn === undefined ? undefined : parseTaskId(drawn);
    const id = parts ? formatTaskId({ ...parts, slot }) : this.#draw.inSlot(slot);
    const items = [{ ...name, id }];
    const { taskId, repeated } = await this.#change(
      { kind: 'triggerSchedule', items },
      name,
      actor,
    );
    return { id: taskId, repeated };
  }

  async backfill(
    name: ScheduleName,
    range: { readonly fromMs: number; readonly toMs: number; readonly request: string },
    actor: Actor,
  ): Promise<Backfilled> {
    const { definition } = await this.#ask<{ definition: ScheduleDefinition }>('scheduleIs', name);
    const { timing, zone } = definition;
    const nowMs = this.#context.clock.wallMs();
    if (range.fromMs > nowMs) {
      const why = '`from` is in the future: what fires by this has passed; give an earlier instant';
      throw new TschedError('badRequest', why, { field: '/from' });
    }
    const toMs = Math.min(range.toMs, nowMs);
    const most = limits.backfillMax;
    const bounds = { afterMs: range.fromMs - 1, toMs, limit: most + 1 };
    const found = occurrences({ timing, zone }, bounds);
    if (found.length > most) {
      throw new TschedError(
        'badRequest',
        `there are more than ${most} occurrences in that time; ask for less of it at a time`,
      );
    }
    if (found.length === 0) return { occurrences: found, repeated: false };
    const items = [{ ...name, request: range.request, occurrences: found }];
    const reply = await this.#change({ kind: 'backfill', items }, name, actor);
    return { occurrences: found, repeated: reply.repeated };
  }

  next(
    definition: Parameters<SchedulesApi['next']>[0],
    range: Parameters<SchedulesApi['next']>[1],
  ): readonly number[] {
    const afterMs = range.afterMs ?? this.#context.clock.wallMs();
    const limit = Math.min(range.count, definition.count ?? range.count);
    return occurrences(definition, { afterMs, limit });
  }

  async nextOf(name: ScheduleName, count: number): Promise<readonly number[]> {
    const is = await this.#ask<{
      definition: ScheduleDefinition;
      cursorMs: number;
      left?: number;
      paused: boolean;
    }>('scheduleIs', name);
    const { definition, cursorMs, left, paused } = is;
    const nowMs = this.#context.clock.wallMs();
    // What passes while it is paused is never fired.
    const afterMs = paused ? Math.max(cursorMs, nowMs) : cursorMs;
    return this.next({ ...definition, count: left }, { afterMs, count });
  }

  async get(name: ScheduleName): Promise<ScheduleView> {
    return this.#ask('schedule', name);
  }

  async list(query: {
    readonly tenant?: string | undefined;
    readonly after?: string | undefined;
    readonly limit: number;
  }): Promise<SchedulePage> {
    const shards = Array.from({ length: this.#shards() }, (_, position) => position + 1);
    const asked = { shards, local: false };
    const gathered = await this.#questions.ask<ListAnswer>('schedules', asked, query);
    const found = gathered.answers.flatMap(answer => answer.schedules).sort(byName);
    const schedules = found.slice(0, query.limit);
    const last = found.length > query.limit ? schedules.at(-1) : undefined;
    return {
      schedules,
      cursor: last && placeOf(last),
      missingShards: gathered.missing,
      staleShards: gathered.stale,
    };
  }

  /** A shard whose nodes do not all know schedules would stop at one. */
  #refuseEarly(): void {
    const version = this.#context.clusterVersion();
    if (version >= scheduleVersion) return;
    throw new TschedError(
      'notYet',
      `schedules need cluster version ${scheduleVersion}, and this cluster has ${version} until ` +
        'each of its nodes runs a newer program',
    );
  }

  #shardOf(name: ScheduleName): ShardId {
    const shard = this.#registry.machine()?.slotTable()[slotOfSchedule(name)];
    if (shard !== undefined) return shard;
    throw new TschedError('starting', 'this node does not know the shards yet');
  }

  #ask<T>(method: string, name: ScheduleName): Promise<T> {
    const { tenant, name: word } = name;
    return this.#access.fromShard<T>(this.#shardOf(name), method, {
      name: { tenant, name: word },
    });
  }

  /** The reply of the shard; what it refused is thrown. */
  async #change(
    change: ScheduleCommand,
    name: ScheduleName,
    actor: Actor,
  ): Promise<ItemReply & { readonly ok: true }> {
    const [reply] = await this.#leaders.change(this.#shardOf(name), change, actor);
    if (reply?.ok === true) return reply;
    throw new TschedError(reply?.code ?? 'internal', reply?.message ?? 'the shard gave no reply');
  }

  /** At the leader, where everything about a schedule is known. */
  async #changeHere(
    leader: ShardLeader,
    command: ShardCommand & ScheduleCommand,
  ): Promise<readonly ItemReply[]> {
    this.#refuseEarly();
    if (command.kind === 'createSchedule') {
      const specs = command.items.map(({ digest, spec }) => ({ digest, bytes: spec }));
      refuseUnreadable({ specs }, this.#context.clusterVersion());
    }
    await this.#letIn(leader, command);
    // A schedule begins, and goes on, from now; a shard that was idle has to be told first.
    await moveStateTime(leader, this.#context.clock.wallMs() - 1_000);
    return leader.ask(command, command.actor);
  }

  /** What is fired by hand is submitted, too; a repeat of what was let in is not. */
  async #letIn({ machine }: ShardLeader, command: ScheduleCommand): Promise<void> {
    if (command.kind !== 'triggerSchedule' && command.kind !== 'backfill') return;
    const [item] = command.items;
    const schedule = item && machine.schedules.find(item);
    if (item === undefined || schedule === undefined) return;
    const isBackfill = 'occurrences' in item;
    const isRepeat = isBackfill
      ? schedule.standing.requests.includes(item.request)
      : machine.record(item.id) !== undefined || machine.isSettled(item.id);
    if (isRepeat) return;
    const count = isBackfill ? item.occurrences.length : 1;
    const tasks = Array.from({ length: count }, () => schedule);
    const [refusal] = await this.#gate.refusals(tasks, 'one');
    if (refusal === undefined) return;
    const { code, message, retryAfterMs } = refusal;
    throw new TschedError(code, message, { retryAfterMs });
  }

  #serve(): void {
    const { peers } = this.#context;
    for (const kind of changeKinds) {
      this.#leaders.serve(kind, (leader, command) => this.#changeHere(leader, command));
    }
    peers.answer<OneAsked>('schedule', async (_from, { shard, stale, name }) => {
      const { machine } = await this.#access.confirmed(shard, stale);
      const schedule = found(machine, name);
      const heldBack = this.#gate.whyHeld(schedule);
      return viewOf(schedule, { nextAtMs: this.#next(schedule), shard, stale }, heldBack);
    });
    peers.answer<OneAsked>('scheduleIs', async (_from, { shard, stale, name }) => {
      const { machine } = await this.#access.confirmed(shard, stale);
      const { definition, standing } = found(machine, name);
      const { cursorMs, left, paused } = standing;
      return { definition, cursorMs, left, paused: paused !== undefined };
    });
    peers.answer<ListAsked>('schedules', (_from, asked) => this.#listHere(asked));
  }

  async #listHere(asked: ListAsked): Promise<ListAnswer> {
    const { shards, tenant, after, limit } = asked;
    const stale = await this.#questions.unconfirmed(asked);
    const matching: { schedule: Schedule; shard: ShardId }[] = [];
    const missing: ShardId[] = [];
    for (const shard of shards) {
      const replica = this.#context.loop.replica(shard);
      if (replica === undefined) {
        missing.push(shard);
        continue;
      }
      for (const schedule of (replica.machine as unknown as ShardMachine).schedules.all()) {
        const { definition } = schedule;
        if (tenant !== undefined && definition.tenant !== tenant) continue;
        if (after !== undefined && placeOf(definition) <= after) continue;
        matching.push({ schedule, shard });
      }
    }
    matching.sort((left, right) => byName(left.schedule.definition, right.schedule.definition));
    // One more than asked for says that there are more.
    const schedules = matching
      .slice(0, limit + 1)
      .map(({ schedule, shard }) => this.#summary(schedule, shard, stale.includes(shard)));
    return { schedules, missing, stale: stale.filter(shard => !missing.includes(shard)) };
  }

  #next(schedule: Schedule): number | undefined {
    return nextKnown(schedule, why => {
      this.#context.log.error('the calendar does not know a schedule', { why });
    });
  }

  #summary(schedule: Schedule, shard: ShardId, stale: boolean): ScheduleSummary {
    return summaryOf(schedule, { nextAtMs: this.#next(schedule), shard, stale });
  }
}

function found(machine: ShardMachine, name: ScheduleName): Schedule {
  const schedule = machine.schedules.find(name);
  if (schedule !== undefined) return schedule;
  throw new TschedError('unknownSchedule', `there is no schedule ${name.name}`);
}
