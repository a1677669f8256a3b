/**
 * The duties of a shard's leader, from its first applied entry until it loses the leadership:
 * merging what is asked for into commands, dispatching assignments until the worker answers,
 * acknowledging reports and lease renewals, and declaring attempts lost.
 *
 * The lease argument (DESIGN 9). A renewal is acknowledged only after a read round that began when
 * the request was here, so that a deposed leader cannot renew. An attempt is declared lost at
 * 1.1 L + 1 s after the latest of: the receipt of the last request that was acknowledged to its
 * supervisor, its assignment, and the moment this leadership began. The worker's own deadline is
 * 0.9 L - grace after it sent that request, so it is over by then if clocks run within 5 %.
 *
 * An attempt whose end is on its way through the log (`#isEnding`) is neither dispatched nor
 * confirmed any more: an acknowledgement on the way to its apply could start it after all. A
 * dispatch names the renewal that was acknowledged last, so that its worker can tell a late one.
 */
import {
  type Actor,
  encodeShardCommand,
  type FenceItem,
  type ItemReply,
  type PlacementItem,
  type ShardCommand,
  type ShardCommandBody,
} from '../model/command.ts';
import { TschedError } from '../model/errors.ts';
import type { NodeId, TaskId } from '../model/ids.ts';
import {
  type AttemptRef,
  encodeToWorker,
  type FromWorker,
  type Refusal,
  type ToWorker,
} from '../model/worker-protocol.ts';
import type { Effect } from '../shard/effects.ts';
import type { ShardMachine } from '../shard/machine.ts';
import { RulesAdoption } from './adopt-rules.ts';
import { background, boundInMs, type NodeContext } from './context.ts';
import { diskFull } from './disk-room.ts';
import { keyOf, type Live, mayHaveRun } from './live.ts';
import type { PlacementDesk } from './placement-desk.ts';
import { overCodes, type QueuedReport } from './queued-report.ts';
import { Renewals } from './renewals.ts';
import type { Replica } from './replica.ts';
import { itemsMax, type SubmitBatch, SubmitQueue } from './submit-queue.ts';

/** A dispatch or an end that was not answered is repeated this often. */
const repeatMs = 1_000;
/** The same once the worker has accepted: only a restarted node has forgotten it. */
const repeatAcceptedMs = 5_000;
const scanMs = 500;
/** A scan that comes later than this finds a leader that was stopped or suspended. */
const scanLateMs = 5_000;

/** How the leader reads a spec that has left memory. */
export type SpecReader = (digest: string) => Uint8Array | undefined;

export class ShardLeader {
  readonly replica: Replica;
  readonly machine: ShardMachine;
  readonly #context: NodeContext;
  readonly #desk: PlacementDesk;
  readonly #readSpec: SpecReader;
  readonly #self: Actor;
  readonly #rules: RulesAdoption;
  #beganMs: number;
  #scannedMs: number;
  readonly #live = new Map<string, Live>();
  readonly #renewals = new Renewals();
  readonly #submits: SubmitQueue;
  #reports: QueuedReport[] = [];
  /** Reports that are on their way through the log: repeats of them are dropped. */
  readonly #reporting = new Set<string>();
  readonly #losing = new Set<string>();
  #flushPlanned = false;
  #stopped = false;
  #cancelScan: () => void;

  constructor(options: {
    readonly context: NodeContext;
    readonly desk: PlacementDesk;
    readonly replica: Replica;
    readonly machine: ShardMachine;
    readonly readSpec: SpecReader;
  }) {
    this.replica = options.replica;
    this.machine = options.machine;
    this.#context = options.context;
    this.#desk = options.desk;
    this.#readSpec = options.readSpec;
    this.#self = { name: `node:${options.context.nodeId}`, tenant: '' };
    this.#rules = new RulesAdoption(this.machine, options.context, rules =>
      this.ask({ kind: 'adopt', rules }),
    );
    this.#beganMs = options.context.clock.bootMs();
    this.#scannedMs = this.#beganMs;
    this.#submits = new SubmitQueue(command => this.#propose(command));
    for (const attempt of this.machine.liveAttempts()) {
      this.#track(attempt.taskId, attempt.fence, 1);
    }
    const scan = (): void => {
      if (this.#stopped) return;
      this.#scan();
      this.#cancelScan = this.#context.clock.after(scanMs, scan);
    };
    this.#cancelScan = this.#context.clock.after(0, scan);
  }

  get shard(): number {
    return this.replica.group;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelScan();
    this.#submits.stop(
      new TschedError('notLeader', `this node no longer leads shard ${this.shard}`),
    );
  }

  /** Puts submits into the log; resolves with a reply for each item once they are applied. */
  submit(batch: SubmitBatch, actor: Actor): Promise<readonly ItemReply[]> {
    if (this.#context.loop.vitals.diskLow) return Promise.reject(diskFull(this.shard));
    const replies = this.#submits.add(batch, actor);
    this.#planFlush();
    return replies;
  }

  cancel(ids: readonly TaskId[], reason: string, actor: Actor): Promise<readonly ItemReply[]> {
    return this.ask({ kind: 'cancel', items: ids.map(taskId => ({ taskId })), reason }, actor);
  }

  /** Proposes assignments; the reply to each says whether it holds. */
  assign(items: readonly PlacementItem[]): Promise<readonly ItemReply[]> {
    return this.ask({ kind: 'assign', items });
  }

  /** Proposes what `actor`, or the cluster itself, asks for; stamped here. */
  ask(body: ShardCommandBody, actor = this.#self): Promise<readonly ItemReply[]> {
    const atMs = this.#context.clock.wallMs();
    return this.#propose({ ...body, actor, atMs } as ShardCommand);
  }

  async #propose(command: ShardCommand): Promise<readonly ItemReply[]> {
    const applied = await this.#context.loop.propose(this.replica, encodeShardCommand(command));
    return applied.replies as readonly ItemReply[];
  }

  #planFlush(): void {
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    this.#context.clock.after(0, () => {
      this.#flushPlanned = false;
      if (this.#stopped) return;
      this.#submits.flush(this.#context.clock.wallMs());
      this.#flushReports();
    });
  }

  #flushReports(): void {
    const reports = this.#reports;
    if (reports.length === 0) return;
    this.#reports = [];
    for (const kind of ['start', 'finish', 'unassign'] as const) {
      const mine = reports.filter(report => report.change.kind === kind);
      for (let from = 0; from < mine.length; from += itemsMax) {
        const items = mine.slice(from, from + itemsMax);
        background(this.#context, `report ${kind}`, this.#proposeReports(kind, items));
      }
    }
  }

  async #proposeReports(
    kind: QueuedReport['change']['kind'],
    reports: readonly QueuedReport[],
  ): Promise<void> {
    const items = reports.map(({ ref, change }) => ({
      taskId: ref.taskId,
      fence: ref.fence,
      ...change,
    }));
    let replies: readonly ItemReply[];
    try {
      replies = await this.ask({ kind, items } as unknown as ShardCommandBody);
    } finally {
      for (const { ref } of reports)
        this.#reporting.delete(`${kind}.${keyOf(ref.taskId, ref.fence)}`);
    }
    if (kind === 'unassign') return;
    // Whatever the reply was, the shard has decided: a stale report must not be repeated either.
    reports.forEach(({ ref, from }, position) => {
      this.#tell(from, { kind: 'reportAck', ...ref, ended: kind === 'finish' });
      const reply = replies[position];
      // Nothing of it may live: the renewals of other attempts would keep it alive for ever.
      if (kind === 'start' && reply?.ok === false && overCodes.has(reply.code)) {
        this.#tell(from, { kind: 'end', ...ref, reason: 'superseded' });
      }
    });
  }

  #report(ref: AttemptRef, from: NodeId, change: QueuedReport['change']): void {
    const key = `${change.kind}.${keyOf(ref.taskId, ref.fence)}`;
    if (this.#reporting.has(key)) return;
    this.#reporting.add(key);
    this.#reports.push({ ref, from, change });
    this.#planFlush();
  }

  /** Something the worker of `from` says about an attempt of this shard. */
  onWorker(from: NodeId, message: FromWorker): void {
    if (this.#stopped) return;
    if (message.kind === 'renew') {
      const receivedMs = this.#context.clock.bootMs();
      background(this.#context, 'renew', this.#onRenew(from, message, receivedMs));
      return;
    }
    const ref = { shard: this.shard, taskId: message.taskId, fence: message.fence };
    const live = this.#live.get(keyOf(ref.taskId, ref.fence));
    this.#desk.answered(ref.taskId, from);
    switch (message.kind) {
      case 'accepted':
        this.#desk.accepted(from);
        if (live !== undefined) live.accepted = true;
        break;
      case 'refused':
        this.#desk.refused(from, message.why);
        if (live !== undefined) this.#onRefused(live, from, message.why);
        break;
      case 'started':
        if (live !== undefined) live.accepted = true;
        this.#report(ref, from, { kind: 'start', startedAtMs: message.startedAtMs });
        break;
      case 'ended':
        this.#report(ref, from, { kind: 'finish', outcome: message.outcome });
        break;
    }
  }

  #onRefused(live: Live, from: NodeId, why: Refusal): void {
    if (!mayHaveRun(live, why)) {
      this.#report(live.ref, from, { kind: 'unassign', why });
      return;
    }
    const { taskId, fence } = live.ref;
    if (this.#losing.has(keyOf(taskId, fence))) return;
    this.#losing.add(keyOf(taskId, fence));
    const message = 'the supervisor that it was given to is gone';
    background(this.#context, 'lose', this.#lose([{ taskId, fence }], message));
  }

  async #onRenew(
    from: NodeId,
    message: Extract<FromWorker, { kind: 'renew' }>,
    receivedMs: number,
  ): Promise<void> {
    await this.#context.loop.read(this.replica);
    if (this.#stopped) return;
    const { incarnation, sequence } = message;
    this.#renewals.acknowledged({ node: from, incarnation }, { receivedMs, sequence });
    const confirmed = message.asks.filter(ask => {
      const attempt = this.machine.attempt(ask.taskId, ask.fence);
      return (
        attempt?.node === from &&
        attempt.incarnation === incarnation &&
        !attempt.cancelling &&
        !this.#isEnding(keyOf(ask.taskId, ask.fence))
      );
    });
    this.#tell(from, {
      kind: 'renewAck',
      shard: this.shard,
      incarnation,
      sequence,
      confirmed,
    });
  }

  /** Whether the end of this attempt was decided and is not applied yet. */
  #isEnding(key: string): boolean {
    return (
      this.#losing.has(key) ||
      this.#reporting.has(`unassign.${key}`) ||
      this.#reporting.has(`finish.${key}`)
    );
  }

  #tell(node: NodeId, message: ToWorker): void {
    this.#desk.toWorker(node, message, () => encodeToWorker(message));
  }

  /** What an applied entry changed; hints only, `liveAttempts` is the truth. */
  onEffects(effects: readonly Effect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'assigned':
          this.#track(effect.taskId, effect.fence);
          break;
        case 'cancelling':
          this.#repeat(this.#live.get(keyOf(effect.taskId, effect.fence)));
          break;
        case 'attemptEnded':
          this.#live.delete(keyOf(effect.taskId, effect.fence));
          this.#losing.delete(keyOf(effect.taskId, effect.fence));
          this.#desk.answered(effect.taskId, effect.node);
          break;
        case 'settled':
          break;
        case 'readyChanged':
          this.#desk.wake();
          break;
      }
    }
  }

  #track(taskId: TaskId, fence: number, dispatches = 0): void {
    const attempt = this.machine.attempt(taskId, fence);
    if (attempt === undefined) return;
    const live: Live = {
      ref: { shard: this.shard, taskId, fence },
      node: attempt.node,
      incarnation: attempt.incarnation,
      leaseMs: attempt.leaseMs,
      sinceMs: this.#context.clock.bootMs(),
      sentMs: 0,
      accepted: false,
      dispatches,
    };
    this.#live.set(keyOf(taskId, fence), live);
    this.#repeat(live);
  }

  /** Says to the worker what it has to know about this attempt now. */
  #repeat(live: Live | undefined): void {
    if (live === undefined) return;
    const { taskId, fence } = live.ref;
    const attempt = this.machine.attempt(taskId, fence);
    if (attempt === undefined) {
      this.#live.delete(keyOf(taskId, fence));
      return;
    }
    live.sentMs = this.#context.clock.bootMs();
    if (attempt.cancelling) {
      this.#tell(live.node, { kind: 'end', ...live.ref, reason: 'cancelled' });
      return;
    }
    if (attempt.state === 'running' || this.#isEnding(keyOf(taskId, fence))) return;
    const spec = this.machine.specBytes(attempt.digest) ?? this.#readSpec(attempt.digest);
    if (spec === undefined) {
      this.#context.log.error('the spec of a task is missing', { task: taskId, shard: this.shard });
      return;
    }
    live.dispatches++;
    this.#tell(live.node, {
      kind: 'dispatch',
      ...live.ref,
      incarnation: live.incarnation,
      renewed: this.#renewals.sequence(live),
      run: attempt.run,
      arrayIndex: attempt.arrayIndex,
      spec,
      boundInMs: boundInMs(this.#context, attempt.boundMs),
      // An earlier program reads no such word.
      immediate:
        (this.#context.clusterVersion() >= 3 && this.#desk.startsAtOnce(taskId)) || undefined,
    });
  }

  #scan(): void {
    const nowMs = this.#context.clock.bootMs();
    // After a stop the clock may have been read late: what it dated may be older than it was.
    if (nowMs - this.#scannedMs >= scanLateMs) this.#beganMs = nowMs;
    this.#scannedMs = nowMs;
    const lost: FenceItem[] = [];
    for (const [key, live] of this.#live) {
      const patience = live.accepted ? repeatAcceptedMs : repeatMs;
      if (nowMs - live.sentMs >= patience) this.#repeat(live);
      const fromMs = Math.max(this.#renewals.receivedMs(live), live.sinceMs, this.#beganMs);
      if (nowMs - fromMs <= live.leaseMs * 1.1 + 1_000) continue;
      if (this.#losing.has(key) || lost.length >= itemsMax) continue;
      this.#losing.add(key);
      lost.push({ taskId: live.ref.taskId, fence: live.ref.fence });
    }
    if (lost.length > 0) {
      const message = 'its node was not heard of until its lease had ended';
      background(this.#context, 'lose', this.#lose(lost, message));
    }
    this.#renewals.trim(this.#live.values());
    background(this.#context, 'adopt', this.#rules.round());
  }

  async #lose(items: readonly FenceItem[], message: string): Promise<void> {
    try {
      await this.ask({ kind: 'lose', items, message });
    } finally {
      for (const { taskId, fence } of items) this.#losing.delete(keyOf(taskId, fence));
    }
  }
}
