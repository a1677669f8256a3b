/**
 * Submits and cancels: routed to the leader of each task's shard and repeated there, with the same
 * IDs, until the answer is known or the time is up. Repeating is safe: apply knows a task by its
 * ID.
 */
import type { Actor, ItemReply, ShardCommand, ShardCommandBody } from '../model/command.ts';
import { type ErrorCode, TschedError } from '../model/errors.ts';
import { type ShardId, slotOfId, type TaskId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import { keySlot, type SlotTable } from '../model/slots.ts';
import type { TaskSpec } from '../model/spec.ts';
import { type NodeTotals, neverFits } from '../placement/explain.ts';
import type { SubmitReply, SubmitRequest } from '../ports/node-api.ts';
import { demandOf } from '../shard/memory/spec-table.ts';
import type { NodeContext } from './context.ts';
import {
  decodeForwarded,
  decodeReplies,
  encodeCancel,
  encodeForwarded,
  encodeReplies,
  encodeSubmit,
} from './forwarded.ts';
import type { IdDraw } from './id-draw.ts';
import type { Admission } from './reservations.ts';
import type { Scheduler } from './scheduler.ts';
import type { ShardLeader } from './shard-leader.ts';
import {
  type Encoded,
  encodeWithDigest,
  inParts,
  type Routed,
  refuseUnreadable,
  toBatch,
  tooNewFor,
} from './submit-parts.ts';
import { codeOf, failureOf, notTried, refusalOf, toReply } from './submit-replies.ts';
import { within } from './within.ts';

/** A cluster without a majority has to say so within 5 s, the start of the CLI included. */
const writeTimeoutMs = 4_200;
const repeatMs = 40;
/** `forbidden`: the node asked has not heard yet that this one is a member. */
const passing: readonly ErrorCode[] = ['notLeader', 'nodeUnreachable', 'starting', 'forbidden'];

/** What others than this file serve at the leader. */
type Served = 'replay' | 'purge';

/** Why a task can never run. */
interface Unfit {
  readonly code: ErrorCode;
  readonly message: string;
}

export class TaskWrites {
  readonly #context: NodeContext;
  readonly #scheduler: Scheduler;
  readonly #draw: IdDraw;
  readonly #table: () => SlotTable;
  /** Every node that may run tasks, for telling `neverFits`. */
  readonly #totals: () => readonly NodeTotals[];
  /** Of a task that names a reservation. */
  readonly #admit: (spec: TaskSpec) => Admission;
  readonly #inFlightMax: number;
  readonly #served = new Map<
    string,
    (leader: ShardLeader, command: ShardCommand) => Promise<readonly ItemReply[]>
  >();
  #inFlight = 0;
  /** Requests of other nodes that wait for consensus here. */
  #forwardedBytes = 0;

  constructor(deps: {
    readonly context: NodeContext;
    readonly scheduler: Scheduler;
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
    if (this.#inFlight + requests.length > this.#inFlightMax) {
      const refusal = refusalOf('overloaded', 'too many submits wait for consensus here', 500);
      return requests.map(() => refusal);
    }
    this.#inFlight += requests.length;
    try {
      return await this.#submit(requests, actor);
    } finally {
      this.#inFlight -= requests.length;
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
      if (!fits.has(spec)) fits.set(spec, this.#unfit(spec));
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

  /**
   * Why no node could ever run it; one that is to be held all the same is looked at only for the
   * reservation that it names.
   */
  #unfit(spec: TaskSpec): Unfit | undefined {
    const admission = spec.reservation === undefined ? undefined : this.#admit(spec);
    if (admission?.ok === false) return admission;
    if (spec.holdIfUnfit === true) return undefined;
    const totals = admission?.nodes ?? this.#totals();
    if (totals.length === 0) return undefined;
    const verdict = neverFits(demandOf(spec), totals);
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
        results = await this.#atLeader(
          shard,
          leader => leader.submit(batch, actor),
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

  cancel(ids: readonly TaskId[], reason: string, actor: Actor): Promise<SubmitReply[]> {
    return this.perShard(ids, (shard, mine) =>
      this.#atLeader(
        shard,
        leader => leader.cancel(mine, reason, actor),
        () => ({ method: 'cancel', payload: encodeCancel(shard, mine, reason, actor) }),
      ),
    );
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

  /** Asks the leader of a shard for what it serves under the kind of the command. */
  ask<Kind extends Served>(
    shard: ShardId,
    body: ShardCommandBody & { readonly kind: Kind },
    actor: Actor,
  ): Promise<readonly ItemReply[]> {
    const command = { ...body, actor, atMs: 0 } as ShardCommand;
    return this.#atLeader(
      shard,
      leader => this.#served.get(body.kind)!(leader, command),
      () => ({ method: body.kind, payload: encodeForwarded(shard, command) }),
    );
  }

  /** Says what the leader of a shard does about commands of this kind, asked here or elsewhere. */
  serve<Kind extends Served>(
    kind: Kind,
    run: (
      leader: ShardLeader,
      command: ShardCommand & { readonly kind: Kind },
    ) => Promise<readonly ItemReply[]>,
  ): void {
    const judged = (leader: ShardLeader, command: ShardCommand) => {
      if (command.kind !== kind) throw new TschedError('badRequest', `not a ${kind}`);
      return run(leader, command as ShardCommand & { readonly kind: Kind });
    };
    this.#served.set(kind, judged);
    this.#context.peers.handle(kind, (_from, payload) =>
      this.#forwarded(payload, async (shard, command) => judged(this.#leading(shard), command)),
    );
  }

  /** Runs `here` where this node leads the shard, else asks the leader, until the time is up. */
  async #atLeader(
    shard: ShardId,
    here: (leader: ShardLeader) => Promise<readonly ItemReply[]>,
    there: () => { readonly method: string; readonly payload: Uint8Array },
  ): Promise<readonly ItemReply[]> {
    const { clock, peers, nodeId } = this.#context;
    const deadlineMs = clock.nowMs() + writeTimeoutMs;
    let unknown = false;
    let request: ReturnType<typeof there> | undefined;
    const late = (): TschedError =>
      new TschedError('outcomeUnknown', `shard ${shard} did not confirm in time`);
    for (;;) {
      const leftMs = deadlineMs - clock.nowMs();
      if (leftMs <= 0) {
        if (unknown) throw late();
        throw new TschedError('noQuorum', `shard ${shard} has no leader that can be reached`, {
          retryAfterMs: 1_000,
        });
      }
      const leaderNode = this.#context.leaderOf(shard);
      try {
        if (leaderNode === nodeId) {
          const leader = this.#scheduler.leader(shard);
          if (leader?.replica.leading === true)
            return await within(clock, here(leader), leftMs, late);
        } else if (leaderNode !== undefined) {
          // Encoded once, however often it is sent.
          const { method, payload } = (request ??= there());
          return decodeReplies(
            await peers.request(leaderNode, method, payload, Math.min(leftMs, 2_500)),
          );
        }
      } catch (error) {
        const code = codeOf(error);
        if (code === 'outcomeUnknown') unknown = true;
        // An earlier attempt may have been taken: no refusal of a later one is the last word then.
        else if (!unknown && !passing.includes(code)) throw error;
      }
      await new Promise<void>(resolve => clock.after(repeatMs, resolve));
    }
  }

  /** What other nodes forward to this one. */
  #serve(): void {
    const { peers } = this.#context;
    peers.handle('submit', (_from, payload) =>
      this.#forwarded(payload, async (shard, command) => {
        if (command.kind !== 'submit') throw new TschedError('badRequest', 'not a submit');
        const leader = this.#leading(shard);
        refuseUnreadable(command, this.#context.clusterVersion());
        return await leader.submit(command, command.actor);
      }),
    );
    peers.handle('cancel', (_from, payload) =>
      this.#forwarded(payload, async (shard, command) => {
        if (command.kind !== 'cancel') throw new TschedError('badRequest', 'not a cancel');
        const ids = command.items.map(item => item.taskId);
        return await this.#leading(shard).cancel(ids, command.reason, command.actor);
      }),
    );
  }

  async #forwarded(
    payload: Uint8Array,
    run: (shard: ShardId, command: ShardCommand) => Promise<readonly ItemReply[]>,
  ): Promise<Uint8Array> {
    const bytes = payload.length;
    if (this.#forwardedBytes + bytes > limits.forwardedBytesInFlightMax) {
      throw new TschedError('overloaded', 'too much of other nodes waits for consensus here');
    }
    this.#forwardedBytes += bytes;
    try {
      const { shard, command } = decodeForwarded(payload);
      return encodeReplies(await run(shard, command));
    } finally {
      this.#forwardedBytes -= bytes;
    }
  }

  #leading(shard: ShardId): ShardLeader {
    const leader = this.#scheduler.leader(shard);
    if (leader?.replica.leading !== true) {
      throw new TschedError('notLeader', `this node does not lead shard ${shard}`);
    }
    return leader;
  }
}
