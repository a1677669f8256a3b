/**
 * Submits and changes: routed to the leader of each task's shard and repeated there, with the same
 * IDs, until the answer is known or the time is up. Repeating is safe: apply knows a task by its
 * ID.
 */
import type { Actor, ItemReply } from '../model/command.ts';
import { type ErrorCode, TschedError } from '../model/errors.ts';
import { type ShardId, slotOfId, type TaskId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import { keySlot, type SlotTable } from '../model/slots.ts';
import type { TaskSpec } from '../model/spec.ts';
import { isTaskChange, type TaskChangeKind, type TaskRequest } from '../model/task-change.ts';
import { type NodeTotals, neverFits } from '../placement/explain.ts';
import type { PlannedTask } from '../ports/control-api.ts';
import type { SubmitRequest } from '../ports/node-api.ts';
import type { SubmitReply } from '../ports/submit-reply.ts';
import { isTenantPaused, pausesIn } from './attempt-wishes.ts';
import type { NodeContext } from './context.ts';
import { encodeChange, encodeSubmit } from './forwarded.ts';
import type { IdDraw } from './id-draw.ts';
import { type PlanQuestion, planTasks } from './plan-tasks.ts';
import type { Admission } from './reservations.ts';
import type { Scheduler } from './scheduler.ts';
import type { ShardLeaders } from './shard-leaders.ts';
import {
  type Encoded,
  encodeWithDigest,
  inParts,
  type Routed,
  refuseUnreadable,
  submitAt,
  toBatch,
  tooNewFor,
} from './submit-parts.ts';
import { failureOf, notTried, refusalOf, toReply } from './submit-replies.ts';

/** Why a task can never run. */
interface Unfit {
  readonly code: ErrorCode;
  readonly message: string;
}

export class TaskWrites {
  readonly #context: NodeContext;
  readonly #scheduler: Pick<Scheduler, 'rooms' | 'placeable'>;
  readonly #draw: IdDraw;
  readonly #table: () => SlotTable;
  /** Every node that may run tasks, for telling `neverFits`. */
  readonly #totals: () => readonly NodeTotals[];
  /** Of a task that names a reservation. */
  readonly #admit: (spec: TaskSpec) => Admission;
  readonly #inFlightMax: number;
  readonly #leaders: ShardLeaders;
  #inFlight = 0;

  constructor(deps: {
    readonly context: NodeContext;
    readonly scheduler: Pick<Scheduler, 'rooms' | 'placeable'>;
    readonly leaders: ShardLeaders;
    readonly draw: IdDraw;
    readonly table: () => SlotTable;
    readonly totals: () => readonly NodeTotals[];
    readonly admit: (spec: TaskSpec) => Admission;
    /** Less than `limits.submitsInFlightMax`, for a small machine. */
    readonly inFlightMax?: number | undefined;
  }) {
    this.#inFlightMax = deps.inFlightMax ?? limits.submitsInFlightMax;
    this.#context = deps.context;
    this.#scheduler = deps.scheduler;
    this.#leaders = deps.leaders;
    this.#draw = deps.draw;
    this.#table = deps.table;
    this.#totals = deps.totals;
    this.#admit = deps.admit;
    this.#serve();
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  shardOf(id: TaskId): ShardId {
    const shard = this.#table()[slotOfId(id)];
    if (shard === undefined)
      throw new TschedError('starting', 'this node does not know the shards yet');
    return shard;
  }

  async submit(requests: readonly SubmitRequest[], actor: Actor): Promise<SubmitReply[]> {
    return await this.bounded(
      requests.length,
      () => this.#submit(requests, actor),
      refusal => requests.map(() => refusal),
    );
  }

  /** Submits so many tasks, unless too many are under way already. */
  async bounded<Reply>(
    count: number,
    submit: () => Promise<Reply>,
    refused: (refusal: SubmitReply) => Reply,
  ): Promise<Reply> {
    if (this.#inFlight + count > this.#inFlightMax) {
      return refused(refusalOf('overloaded', 'too many submits wait for consensus here', 500));
    }
    this.#inFlight += count;
    try {
      return await submit();
    } finally {
      this.#inFlight -= count;
    }
  }

  async #submit(requests: readonly SubmitRequest[], actor: Actor): Promise<SubmitReply[]> {
    const replies: SubmitReply[] = new Array(requests.length);
    const byShard = new Map<ShardId, Routed[]>();
    const encoded = new Map<TaskSpec, Encoded>();
    const fits = new Map<TaskSpec, Unfit | undefined>();
    for (let position = 0; position < requests.length; position++) {
      const request = requests[position]!;
      const { spec } = request;
      if (!fits.has(spec)) fits.set(spec, this.unfit(spec));
      const unfit = fits.get(spec);
      if (unfit !== undefined) {
        replies[position] = refusalOf(unfit.code, unfit.message);
        continue;
      }
      const id = request.id ?? this.#drawId(spec);
      if (id === undefined) {
        replies[position] = refusalOf(
          'noQuorum',
          'no shard has a leader that this node can reach',
          1_000,
        );
        continue;
      }
      let bytes = encoded.get(spec);
      if (bytes === undefined) {
        bytes = encodeWithDigest(spec);
        encoded.set(spec, bytes);
      }
      const tooNew = tooNewFor(bytes.bytes, this.#context.clusterVersion());
      if (tooNew !== undefined) {
        replies[position] = refusalOf('notYet', tooNew);
        continue;
      }
      const shard = this.shardOf(id);
      const routed = { position, id, spec: bytes, request };
      const items = byShard.get(shard);
      if (items === undefined) byShard.set(shard, [routed]);
      else items.push(routed);
    }
    await Promise.all(
      [...byShard].map(([shard, items]) => this.#submitShard(shard, items, actor, replies)),
    );
    return replies;
  }

  /** What would become of tasks, but those of a `refusal`; nothing is submitted. */
  plan(tasks: PlanQuestion['tasks'], refusal: PlanQuestion['refusal']): PlannedTask[] {
    const { clock, random } = this.#context;
    const pauses = pausesIn(this.#context);
    return planTasks({
      tasks,
      refusal: spec => this.unfit(spec) ?? refusal(spec),
      heldBack: tenant => {
        if (isTenantPaused(pauses, tenant)) return 'Paused';
        return this.#scheduler.rooms?.holdsBack(tenant) === true ? 'Quota' : undefined;
      },
      views: this.#scheduler.placeable(),
      nowMs: clock.nowMs(),
      wallMs: clock.wallMs(),
      seed: random.uint32(),
    });
  }

  /**
   * Why no node could ever run it; one that is to be held all the same is looked at only for the
   * reservation that it names.
   */
  unfit(spec: TaskSpec): Unfit | undefined {
    const admission = spec.reservation === undefined ? undefined : this.#admit(spec);
    if (admission?.ok === false) return admission;
    if (spec.holdIfUnfit === true) return undefined;
    const totals = admission?.nodes ?? this.#totals();
    if (totals.length === 0) return undefined;
    const { tier, request, require, gang, reservation: name, tenant } = spec;
    const reservation = name === undefined ? undefined : { name, tenant };
    const verdict = neverFits({ tier, request, require, gang, reservation }, totals);
    return verdict.fits ? undefined : { code: 'neverFits', message: verdict.message };
  }

  #drawId(spec: TaskSpec): TaskId | undefined {
    const slot = keySlot(spec);
    return slot === undefined ? this.#draw.anywhere() : this.#draw.inSlot(slot);
  }

  async #submitShard(
    shard: ShardId,
    routed: readonly Routed[],
    actor: Actor,
    replies: SubmitReply[],
  ): Promise<void> {
    let givenUp = false;
    for (const part of inParts(routed)) {
      if (givenUp) {
        // Nobody is made to wait again for a shard that has just been given up.
        for (const { position, id } of part) replies[position] = notTried(shard, id);
        continue;
      }
      const batch = toBatch(part);
      let results: readonly ItemReply[];
      try {
        results = await this.#leaders.ask(
          shard,
          leader => submitAt(leader, batch, actor),
          () => ({ method: 'submit', payload: encodeSubmit(shard, batch, actor) }),
        );
      } catch (error) {
        for (const { position, id } of part) {
          const failure = failureOf(error, id);
          replies[position] = failure;
          givenUp ||= failure.code === 'noQuorum' || failure.code === 'outcomeUnknown';
        }
        continue;
      }
      part.forEach(({ position, id }, place) => {
        replies[position] = toReply(results[place], shard, id);
      });
    }
  }

  /** What somebody asks of tasks, whichever shards they are in; replies in their order. */
  change(ids: readonly TaskId[], asked: TaskRequest, actor: Actor): Promise<SubmitReply[]> {
    return this.perShard(ids, (shard, mine) => {
      const change = { ...asked, items: mine.map(taskId => ({ taskId })) };
      return this.#leaders.ask(
        shard,
        leader => leader.change(change, actor),
        () => ({ method: methodOf(change.kind), payload: encodeChange(shard, change, actor) }),
      );
    });
  }

  /** Asks every shard of the tasks once; replies in the order of the tasks. */
  async perShard(
    ids: readonly TaskId[],
    ask: (shard: ShardId, ids: readonly TaskId[]) => Promise<readonly ItemReply[]>,
  ): Promise<SubmitReply[]> {
    const replies: SubmitReply[] = new Array(ids.length);
    const byShard = new Map<ShardId, number[]>();
    ids.forEach((id, position) => {
      const shard = this.shardOf(id);
      byShard.set(shard, [...(byShard.get(shard) ?? []), position]);
    });
    await Promise.all(
      [...byShard].map(async ([shard, positions]) => {
        const mine = positions.map(position => ids[position]!);
        try {
          const results = await ask(shard, mine);
          positions.forEach((position, place) => {
            replies[position] = toReply(results[place], shard, ids[position]!);
          });
        } catch (error) {
          for (const position of positions) replies[position] = failureOf(error, ids[position]!);
        }
      }),
    );
    return replies;
  }

  /** What other nodes forward to this one. */
  #serve(): void {
    const { peers } = this.#context;
    peers.handle('submit', (_from, payload) =>
      this.#leaders.forwarded(payload, async (shard, command) => {
        if (command.kind !== 'submit') throw new TschedError('badRequest', 'not a submit');
        const leader = this.#leaders.leading(shard);
        refuseUnreadable(command, this.#context.clusterVersion());
        return await submitAt(leader, command, command.actor);
      }),
    );
    for (const method of ['cancel', 'change']) {
      peers.handle(method, (_from, payload) =>
        this.#leaders.forwarded(payload, async (shard, command) => {
          if (!isTaskChange(command)) throw new TschedError('badRequest', 'not a change');
          return await this.#leaders.leading(shard).change(command, command.actor);
        }),
      );
    }
  }
}

/** Nodes of the program before know the one; the others go only where all know them. */
const methodOf = (kind: TaskChangeKind): string => (kind === 'cancel' ? 'cancel' : 'change');
