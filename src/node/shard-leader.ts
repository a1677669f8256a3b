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
import type {
  Actor,
  FenceItem,
  GangItem,
  ItemReply,
  PlacementItem,
  ShardCommand,
  ShardCommandBody,
} from '../model/command.ts';
import { TschedError } from '../model/errors.ts';
import type { NodeId, TaskId } from '../model/ids.ts';
import { refuseTooNew, type TaskChange } from '../model/task-change.ts';
import {
  type AttemptControl,
  type AttemptName,
  type AttemptRef,
  encodeToWorker,
  type FromWorker,
  type Refusal,
  type ToWorker,
} from '../model/worker-protocol.ts';
import type { Effect } from '../shard/effects.ts';
import type { LiveAttempt } from '../shard/live-attempt.ts';
import type { ShardMachine } from '../shard/machine.ts';
import { RulesAdoption } from './adopt-rules.ts';
import { isTenantPaused, isUntold, PauseWatch, pausesIn, wishFor } from './attempt-wishes.ts';
import { background, type NodeContext } from './context.ts';
import { diskFull } from './disk-room.ts';
import { dispatchOf } from './dispatch.ts';
import { GangDesk } from './gang-desk.ts';
import { keyOf, type Live, mayHaveRun, repeatAcceptedMs, repeatMs, trackedFrom } from './live.ts';
import type { PlacementDesk } from './placement-desk.ts';
import { type QueuedReport, ReportQueue } from './queued-report.ts';
import { Renewals } from './renewals.ts';
import type { Replica } from './replica.ts';
import { ShardProposals } from './shard-proposals.ts';
import { StartRate } from './start-rate.ts';
import { itemsMax, type SubmitBatch, SubmitQueue } from './submit-queue.ts';
import { inputsOf } from './task-inputs.ts';
import type { RowReader } from './workflow-graph.ts';

const scanMs = 500;
/** A scan that comes later than this finds a leader that was stopped or suspended. */
const scanLateMs = 5_000;

export class ShardLeader {
  readonly replica: Replica;
  readonly machine: ShardMachine;
  readonly #context: NodeContext;
  readonly #desk: PlacementDesk;
  readonly #readRow: RowReader;
  readonly #self: Actor;
  readonly #rules: RulesAdoption;
  #beganMs: number;
  #scannedMs: number;
  readonly #live = new Map<string, Live>();
  readonly #renewals = new Renewals();
  readonly #pauses: PauseWatch;
  readonly #gangs: GangDesk;
  /** Tasks that were given to a node. */
  readonly starts: StartRate;
  readonly #proposals: ShardProposals;
  readonly #submits: SubmitQueue;
  readonly #reports: ReportQueue;
  readonly #losing = new Set<string>();
  #flushPlanned = false;
  #stopped = false;
  #cancelScan: () => void;

  constructor(options: {
    readonly context: NodeContext;
    readonly desk: PlacementDesk;
    readonly replica: Replica;
    readonly machine: ShardMachine;
    readonly readRow: RowReader;
  }) {
    this.replica = options.replica;
    this.machine = options.machine;
    this.#context = options.context;
    this.#desk = options.desk;
    this.#readRow = options.readRow;
    this.#self = { name: `node:${options.context.nodeId}`, tenant: '' };
    this.#rules = new RulesAdoption(this.machine, options.context, rules =>
      this.ask({ kind: 'adopt', rules }),
    );
    this.#beganMs = options.context.clock.bootMs();
    this.#pauses = new PauseWatch(options.context);
    this.starts = new StartRate(options.context.clock.nowMs());
    this.#scannedMs = this.#beganMs;
    this.#proposals = new ShardProposals(options.context, options.replica, options.machine);
    this.#submits = new SubmitQueue(command => this.#proposals.propose(command));
    this.#reports = new ReportQueue({
      context: options.context,
      propose: body => this.ask(body),
      tell: (node, message) => this.#tell(node, message),
    });
    this.#gangs = new GangDesk({
      shard: options.replica.group,
      machine: options.machine,
      isEnding: (taskId, fence) => this.#isEnding({ taskId, fence }),
      hostOf: node => options.desk.hostOf(node),
      tell: (node, message) => this.#tell(node, message),
    });
    for (const { taskId, fence } of this.machine.liveAttempts()) this.#track(taskId, fence, 1);
    const scan = (): void => {
      if (this.#stopped) return;
      this.#scan();
      this.#cancelScan = this.#context.clock.after(scanMs, scan);
    };
    this.#cancelScan = this.#context.clock.after(0, scan);
  }

  /** Whether tasks of a tenant are placed: not while it, or the whole cluster, is paused. */
  readonly mayPlace = (tenant: string): boolean => !isTenantPaused(pausesIn(this.#context), tenant);

  get shard(): number {
    return this.replica.group;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelScan();
    const why = `this node no longer leads shard ${this.shard}`;
    this.#submits.stop(new TschedError('notLeader', why));
  }

  /** Puts submits into the log; resolves with a reply for each item once they are applied. */
  submit(batch: SubmitBatch, actor: Actor): Promise<readonly ItemReply[]> {
    if (this.#context.loop.vitals.diskLow) return Promise.reject(diskFull(this.shard));
    const replies = this.#submits.add(batch, actor);
    this.#planFlush();
    return replies;
  }

  /** What somebody asks of tasks that are there. */
  change(change: TaskChange, actor: Actor): Promise<readonly ItemReply[]> {
    refuseTooNew(change, this.#context.clusterVersion());
    return this.ask(change, actor);
  }

  /** Proposes assignments; the reply to each says whether it holds. */
  assign(items: readonly PlacementItem[]): Promise<readonly ItemReply[]> {
    return this.ask({ kind: 'assign', items });
  }

  /** The same for gangs: one reply for each. */
  assignGangs(items: readonly GangItem[]): Promise<readonly ItemReply[]> {
    return this.ask({ kind: 'assignGang', items });
  }

  /** Proposes what `actor`, or the cluster itself, asks for; stamped here. */
  ask(body: ShardCommandBody, actor = this.#self): Promise<readonly ItemReply[]> {
    const atMs = this.#context.clock.wallMs();
    return this.#proposals.propose({ ...body, actor, atMs } as ShardCommand);
  }

  #planFlush(): void {
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    this.#context.clock.after(0, () => {
      this.#flushPlanned = false;
      if (this.#stopped) return;
      this.#submits.flush(this.#context.clock.wallMs());
      this.#reports.flush();
    });
  }

  #report(ref: AttemptRef, from: NodeId, change: QueuedReport['change']): void {
    if (this.#reports.add({ ref, from, change })) this.#planFlush();
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
      case 'ready':
        this.#gangs.ready(ref.taskId, { fence: ref.fence, port: message.port });
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
      case 'controlled':
        if (live !== undefined) this.#onControlled(live, from, message);
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

  #onControlled(live: Live, from: NodeId, { suspended, capMs }: AttemptControl): void {
    live.toldCapMs = capMs;
    const attempt = this.machine.attempt(live.ref.taskId, live.ref.fence);
    if (attempt === undefined) return;
    const wish = wishFor(attempt, pausesIn(this.#context));
    live.untold = isUntold({ ...attempt, suspended }, wish, capMs);
    if (attempt.suspended === suspended) return;
    this.#report(live.ref, from, { kind: 'suspended', suspended });
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
        attempt.ending === undefined &&
        !this.#isEnding(ask)
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
  #isEnding(attempt: AttemptName): boolean {
    return (
      this.#losing.has(keyOf(attempt.taskId, attempt.fence)) ||
      this.#reports.isUnderWay('unassign', attempt) ||
      this.#reports.isUnderWay('finish', attempt)
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
          this.starts.note(this.#context.clock.nowMs());
          break;
        case 'cancelling':
        case 'controlled':
          this.#repeat(this.#live.get(keyOf(effect.taskId, effect.fence)));
          break;
        case 'attemptEnded':
          this.#ended(keyOf(effect.taskId, effect.fence));
          this.#losing.delete(keyOf(effect.taskId, effect.fence));
          this.#gangs.ended(effect.taskId);
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

  #ended(key: string): void {
    const live = this.#live.get(key);
    if (live?.accepted) this.#desk.ended(this.#context.clock.bootMs() - live.sinceMs);
    this.#live.delete(key);
  }

  #track(taskId: TaskId, fence: number, dispatches = 0): void {
    const attempt = this.machine.attempt(taskId, fence);
    if (attempt === undefined) return;
    const ref = { shard: this.shard, taskId, fence };
    const live = trackedFrom(this.#context.clock.bootMs(), ref, attempt, dispatches);
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
    if (attempt.ending !== undefined) {
      this.#tell(live.node, { kind: 'end', ...live.ref, reason: attempt.ending });
      return;
    }
    if (attempt.state === 'assigned' && !this.#isEnding(live.ref)) this.#dispatch(live, attempt);
    // Behind the dispatch: a worker takes no notice of an attempt that it does not know.
    const wish = wishFor(attempt, pausesIn(this.#context));
    live.untold = isUntold(attempt, wish, live.toldCapMs);
    if (live.untold) this.#tell(live.node, { kind: 'control', ...live.ref, ...wish });
  }

  #dispatch(live: Live, attempt: LiveAttempt): void {
    const { taskId, digest } = attempt;
    const spec = this.machine.specBytes(digest) ?? this.#readRow(this.machine.specKey(digest));
    if (spec === undefined) {
      this.#context.log.error('the spec of a task is missing', { task: taskId, shard: this.shard });
      return;
    }
    live.dispatches++;
    const renewed = this.#renewals.sequence(live);
    const inputs = inputsOf(this.machine, this.#readRow, taskId);
    const immediate = this.#desk.startsAtOnce(taskId);
    const dispatch = dispatchOf(this.#context, live, attempt, { renewed, spec, inputs, immediate });
    this.#tell(live.node, dispatch);
  }

  #scan(): void {
    const nowMs = this.#context.clock.bootMs();
    // After a stop the clock may have been read late: what it dated may be older than it was.
    if (nowMs - this.#scannedMs >= scanLateMs) this.#beganMs = nowMs;
    this.#scannedMs = nowMs;
    const lost: FenceItem[] = [];
    // An attempt that is to stand still, or to go on, hears of it now.
    const paused = this.#pauses.changed();
    for (const [key, live] of this.#live) {
      const patience = live.accepted && !live.untold ? repeatAcceptedMs : repeatMs;
      if (paused || nowMs - live.sentMs >= patience) this.#repeat(live);
      const fromMs = Math.max(this.#renewals.receivedMs(live), live.sinceMs, this.#beganMs);
      if (nowMs - fromMs <= live.leaseMs * 1.1 + 1_000) continue;
      if (this.#losing.has(key) || lost.length >= itemsMax) continue;
      this.#losing.add(key);
      lost.push({ taskId: live.ref.taskId, fence: live.ref.fence });
    }
    const why = 'its node was not heard of until its lease had ended';
    if (lost.length > 0) background(this.#context, 'lose', this.#lose(lost, why));
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
