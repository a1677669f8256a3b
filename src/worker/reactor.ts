/**
 * The worker of a node: a state machine over the attempts that shards' leaders dispatch to it.
 * Pure: inputs are messages, reports of the runner and the boot clock, outputs are actions for the
 * host.
 *
 * An attempt here is `queued` (accepted, holds no resources), `held` (has resources, waits for the
 * leader's word that it is still meant, or that all of its gang have theirs), `launched`,
 * `running`, then `ended` until its report is acknowledged. A pair (task, fence) starts at most
 * once, whatever is repeated or late, and never while a lower fence of the same task lives here.
 *
 * A leader has to repeat a dispatch until it hears `started`, `refused` or `ended`: what was queued
 * here and not started is forgotten when the node restarts.
 */
import type { AdvertisedShare } from '../model/advertisement.ts';
import { assert } from '../model/assert.ts';
import { type Outcome, systemOutcome } from '../model/attempt.ts';
import type { NodeId, ShardId } from '../model/ids.ts';
import type { Resources } from '../model/resources.ts';
import type {
  AttemptControl,
  AttemptRef,
  FromWorker,
  Refusal,
  ToWorker,
} from '../model/worker-protocol.ts';
import type { AttemptKey, FoundAttempt, RunnerHello } from '../ports/runner.ts';
import type { WorkerAction, WorkerOptions } from './action.ts';
import { type Attempt, AttemptLedger } from './attempt-ledger.ts';
import { confirmStep } from './confirm-step.ts';
import { type ControlStep, controlledStep, controlStep, controlsOf } from './control-step.ts';
import { FenceMemory } from './fence-memory.ts';
import { launchOf } from './launch-of.ts';
import { lapseOf, waitsForGang } from './patience.ts';
import { repeatsDue, reportOf } from './reports.ts';
import { ShardLeases } from './shard-leases.ts';
import type { NodeShare } from './shares.ts';

/** Ended attempts that wait for an answer; beyond it an unknown one is answered once only. */
const endedMax = 8_192;

export class WorkerReactor {
  #incarnation = '';
  #draining = false;
  #nowMs = 0;
  readonly #ledger: AttemptLedger;
  readonly #leases: ShardLeases;
  readonly #memory = new FenceMemory();
  #actions: WorkerAction[] = [];

  constructor(options: WorkerOptions) {
    this.#ledger = new AttemptLedger(options);
    this.#leases = new ShardLeases(this.#ledger);
  }

  /** Empty until the supervisor said hello. */
  get incarnation(): string {
    return this.#incarnation;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Total less what running and queued attempts ask for; no component is negative. */
  get free(): Resources {
    return this.#ledger.free;
  }

  /** What is held by attempts that run or are about to. */
  get allocated(): Resources {
    return this.#ledger.allocated;
  }

  /** Attempts that hold resources. */
  get running(): number {
    return this.#ledger.holding;
  }

  get queued(): number {
    return this.#ledger.queued;
  }

  get queueRoom(): number {
    return this.#draining ? 0 : this.#ledger.queueRoom(this.#nowMs);
  }

  /** The supervisor of this node's start, with what it still runs or has to report. */
  onHello(hello: RunnerHello): WorkerAction[] {
    this.#greet(hello);
    for (const found of hello.found) this.#adopt(found);
    return this.#take();
  }

  onMessage(message: ToWorker, _from: NodeId, nowBootMs: number): WorkerAction[] {
    this.#advance(nowBootMs);
    // What the supervisor runs is not known yet: any answer could be wrong. The leader repeats it.
    if (this.#incarnation === '') return this.#take();
    switch (message.kind) {
      case 'dispatch':
        this.#onDispatch(message);
        break;
      case 'go':
        this.#onGo(message);
        break;
      case 'end':
        this.#onEnd(message, message.reason);
        break;
      case 'reportAck':
        this.#onReportAck(message, message.ended);
        break;
      case 'renewAck':
        this.#onRenewAck(message);
        break;
      case 'control':
        this.#obey(controlStep(this.#ledger, message));
        break;
    }
    this.#pump();
    return this.#take();
  }

  /** The process of a launched attempt is there. `atMs` is wall clock, for people. */
  onStarted(key: AttemptKey, atMs: number, nowBootMs = this.#nowMs): WorkerAction[] {
    this.#advance(nowBootMs);
    const attempt = this.#ledger.find(key);
    if (attempt?.phase === 'launched') {
      this.#ledger.started(attempt, atMs);
      this.#report(attempt);
    }
    return this.#take();
  }

  /** The processes of an attempt do as they were told. */
  onControlled(key: AttemptKey, control: AttemptControl): WorkerAction[] {
    this.#actions.push(...controlledStep(this.#ledger, key, control));
    return this.#take();
  }

  /** The attempt is over and its whole process tree gone. Repeats are ignored. */
  onEnded(key: AttemptKey, outcome: Outcome, nowBootMs = this.#nowMs): WorkerAction[] {
    this.#advance(nowBootMs);
    const attempt = this.#ledger.find(key);
    // An end that nobody here waits for was acknowledged before: the runner missed the word.
    if (attempt === undefined) this.#actions.push({ kind: 'acknowledge', key });
    else if (attempt.phase !== 'ended') this.#settle(attempt, outcome);
    this.#pump();
    return this.#take();
  }

  /**
   * Another supervisor took over: all that ran is dead, all that was queued was not meant for it.
   */
  onSupervisor(hello: RunnerHello): WorkerAction[] {
    const records = new Map(hello.found.map(found => [found.key, found]));
    this.#greet(hello);
    this.#leases.clear();
    for (const attempt of this.#ledger.waiting()) this.#refuse(attempt, 'wrongIncarnation');
    for (const attempt of this.#ledger.all()) {
      if (attempt.phase === 'ended') continue;
      const record = records.get(attempt.key)?.outcome;
      const ended = systemOutcome('lost', attempt.startedAtMs, 'ended with its supervisor');
      const lost = { ...ended, supervisorLost: true };
      this.#settle(attempt, record ?? lost);
    }
    for (const found of hello.found) {
      if (this.#ledger.find(found.key) === undefined) this.#adopt(found);
    }
    return this.#take();
  }

  /** To be called every 100 ms or so: repeats reports, renews leases, drops what waited in vain. */
  tick(nowBootMs: number): WorkerAction[] {
    this.#advance(nowBootMs);
    for (const attempt of repeatsDue(this.#ledger.all(), nowBootMs)) this.#report(attempt);
    for (const renewal of this.#leases.renewDue(this.#incarnation, nowBootMs)) {
      this.#send(renewal.shard, renewal);
      this.#actions.push(...controlsOf(this.#ledger, renewal.shard));
    }
    this.#pump();
    return this.#take();
  }

  /** While draining nothing is accepted, what is queued goes back, what runs may be ended. */
  drain(on: boolean, endRunning = false): WorkerAction[] {
    this.#draining = on;
    if (on) {
      for (const attempt of this.#ledger.waiting()) this.#refuse(attempt, 'draining');
    }
    if (endRunning) for (const attempt of this.#ledger.processes()) this.#askEnd(attempt, 'lost');
    return this.#take();
  }

  #greet({ incarnation, keepsPorts }: RunnerHello): void {
    this.#incarnation = incarnation;
    this.#ledger.keepsPorts = keepsPorts === true;
  }

  #take(): WorkerAction[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  #send(shard: ShardId, message: FromWorker): void {
    this.#actions.push({ kind: 'send', shard, message });
  }

  /**
   * Moves the clock, then drops what may not start any more. Comes before anything else, so that a
   * node that was stopped does not take a late acknowledgement for an unbroken lease.
   */
  #advance(nowBootMs: number): void {
    if (nowBootMs > this.#nowMs) this.#nowMs = nowBootMs;
    for (const attempt of this.#ledger.waiting()) {
      const why = lapseOf(attempt, this.#leases, this.#nowMs);
      if (why !== undefined) this.#refuse(attempt, why);
    }
  }

  #onDispatch(message: Extract<ToWorker, { kind: 'dispatch' }>): void {
    const ref = { shard: message.shard, taskId: message.taskId, fence: message.fence };
    const known = this.#ledger.get(ref.taskId, ref.fence);
    if (known !== undefined) {
      if (known.phase !== 'ended') this.#send(ref.shard, { kind: 'accepted', ...ref });
      this.#report(known);
      return;
    }
    const higher = (this.#ledger.live(ref.taskId)?.ref.fence ?? 0) > ref.fence;
    const before = higher ? 'noLease' : this.#memory.recall(ref.taskId, ref.fence);
    if (before === 'settled') this.#send(ref.shard, { kind: 'accepted', ...ref });
    else if (before !== undefined) this.#send(ref.shard, { kind: 'refused', ...ref, why: before });
    else if (message.incarnation !== this.#incarnation) {
      this.#send(ref.shard, { kind: 'refused', ...ref, why: 'wrongIncarnation' });
    } else this.#consider(ref, message);
  }

  #consider(ref: AttemptRef, message: Extract<ToWorker, { kind: 'dispatch' }>): void {
    const asked = launchOf(ref, message);
    if ('outcome' in asked) {
      this.#report(this.#ledger.addEnded(ref, asked.outcome, this.#nowMs));
      return;
    }
    const { launch } = asked;
    const objection = this.#ledger.objection(ref.taskId, launch.spec, message.immediate);
    const why = this.#draining ? 'draining' : objection;
    if (why !== undefined) {
      this.#memory.remember(ref.taskId, ref.fence, why);
      this.#send(ref.shard, { kind: 'refused', ...ref, why });
      return;
    }
    this.#endLower(ref);
    const attempt = this.#ledger.enqueue(ref, launch, this.#nowMs);
    // From now on lower fences of the task are refused.
    this.#memory.remember(ref.taskId, ref.fence, 'settled');
    attempt.confirmed = this.#leases.proves(launch, message.renewed, this.#nowMs);
    this.#send(ref.shard, { kind: 'accepted', ...ref });
    this.#pump();
    if (!attempt.confirmed) this.#renewForHeld(ref.shard);
  }

  /** All of its gang have their room. */
  #onGo({ taskId, fence, peers }: Extract<ToWorker, { kind: 'go' }>): void {
    const attempt = this.#ledger.get(taskId, fence);
    if (attempt !== undefined && waitsForGang(attempt)) attempt.peers = peers;
  }

  /** What is kept for reservations from now on. */
  keep(shares: readonly NodeShare[]): WorkerAction[] {
    this.#ledger.shares.set(shares);
    this.#pump();
    return this.#take();
  }

  /** What is kept for each, as others are told. */
  get shares(): AdvertisedShare[] {
    return this.#ledger.advertisedShares;
  }

  /** A higher fence says that lower ones are over for the shard; here they have to be. */
  #endLower(ref: AttemptRef): void {
    const isLower = (own: AttemptRef): boolean =>
      own.taskId === ref.taskId && own.fence < ref.fence;
    const waiting = this.#ledger.waiting().filter(attempt => isLower(attempt.ref));
    for (const attempt of waiting) this.#refuse(attempt, 'noLease');
    const lower = this.#ledger.live(ref.taskId);
    if (lower !== undefined && lower.ref.fence < ref.fence) this.#askEnd(lower, 'lost');
  }

  #onEnd(ref: AttemptRef, reason: 'cancelled' | 'superseded'): void {
    const kind = reason === 'cancelled' ? 'cancelled' : 'lost';
    const attempt = this.#ledger.get(ref.taskId, ref.fence);
    if (attempt === undefined) this.#answerUnknown(ref);
    else if (attempt.phase === 'ended') this.#report(attempt);
    else if (attempt.phase === 'queued' || attempt.phase === 'held') {
      this.#settle(attempt, systemOutcome(kind, 0, 'ended before it was started'));
    } else this.#askEnd(attempt, kind);
  }

  #askEnd(attempt: Attempt, outcomeKind: 'cancelled' | 'lost'): void {
    if (attempt.endAsked) return;
    attempt.endAsked = true;
    this.#actions.push({ kind: 'end', key: attempt.key, outcomeKind });
  }

  #obey({ actions, refuse, report }: ControlStep): void {
    this.#actions.push(...actions);
    if (refuse !== undefined) this.#refuse(refuse, 'paused');
    if (report !== undefined) this.#report(report);
  }

  /** A leader must never wait for ever for an attempt that is not here, nor may it start later. */
  #answerUnknown(ref: AttemptRef): void {
    const plain = { shard: ref.shard, taskId: ref.taskId, fence: ref.fence };
    const outcome = systemOutcome('lost', 0, 'not known on this node');
    if (this.#ledger.ended < endedMax) {
      this.#report(this.#ledger.addEnded(plain, outcome, this.#nowMs));
    } else {
      this.#memory.remember(ref.taskId, ref.fence, 'settled');
      this.#send(ref.shard, { kind: 'ended', ...plain, outcome });
    }
  }

  #onReportAck({ taskId, fence }: AttemptRef, ended: boolean): void {
    const attempt = this.#ledger.get(taskId, fence);
    if (attempt !== undefined && !ended) attempt.startedAcked = true;
    else if (attempt?.phase === 'ended') {
      this.#ledger.remove(attempt);
      this.#memory.remember(taskId, fence, 'settled');
      this.#actions.push({ kind: 'acknowledge', key: attempt.key });
    }
  }

  #onRenewAck(message: Extract<ToWorker, { kind: 'renewAck' }>): void {
    if (message.incarnation !== this.#incarnation) return;
    const renewal = this.#leases.acknowledge(message.shard, message.sequence);
    if (renewal === undefined) return;
    const shards = [{ shard: message.shard, sentBootMs: renewal.sentBootMs }];
    this.#actions.push({ kind: 'renewRunner', shards });
    const about = { asks: renewal.asks, confirmed: message.confirmed };
    for (const attempt of confirmStep(this.#ledger, this.#leases, about, this.#nowMs)) {
      this.#refuse(attempt, 'noLease');
    }
    if (this.#leases.hasUnconfirmed(message.shard)) this.#renewForHeld(message.shard);
  }

  #renewForHeld(shard: ShardId): void {
    const renewal = this.#leases.renewForHeld(shard, this.#incarnation, this.#nowMs);
    if (renewal !== undefined) this.#send(shard, renewal);
  }

  /** Gives resources to the queue in order, then starts what has them and the leader's word. */
  #pump(): void {
    this.#ledger.allocate(this.#nowMs);
    for (const attempt of this.#ledger.held()) {
      if (!attempt.confirmed) continue;
      if (!waitsForGang(attempt)) this.#launch(attempt);
      else if (attempt.reportedAtMs < attempt.acceptedAtMs) this.#report(attempt);
    }
  }

  #launch(attempt: Attempt): void {
    const { launch } = attempt;
    assert(launch !== undefined, `an attempt without a spec is held: ${attempt.key}`);
    if (!this.#leases.live(launch, this.#nowMs)) return;
    this.#actions.push({ kind: 'launch', launch: this.#ledger.launched(attempt) });
  }

  #adopt(found: FoundAttempt): void {
    const { outcome } = found;
    this.#memory.remember(found.taskId, found.fence, 'settled');
    if (outcome === undefined) this.#report(this.#ledger.adopt(found, this.#nowMs));
    else this.#report(this.#ledger.addEnded(found, outcome, this.#nowMs));
  }

  /** The attempt is over: frees what it held and reports until the shard has recorded it. */
  #settle(attempt: Attempt, outcome: Outcome): void {
    this.#ledger.end(attempt, outcome, this.#nowMs);
    this.#report(attempt);
  }

  /** Hands back an attempt that was accepted and never started. */
  #refuse(attempt: Attempt, why: Refusal): void {
    assert(attempt.phase === 'queued' || attempt.phase === 'held', `refused late: ${attempt.key}`);
    this.#ledger.remove(attempt);
    this.#memory.remember(attempt.ref.taskId, attempt.ref.fence, why);
    this.#send(attempt.ref.shard, { kind: 'refused', ...attempt.ref, why });
  }

  #report(attempt: Attempt): void {
    const report = reportOf(attempt);
    if (report === undefined) return;
    this.#send(attempt.ref.shard, report);
    attempt.reportedAtMs = this.#nowMs;
  }

  /** For tests and the simulator: throws `AssertionError` where the books do not balance. */
  invariants(): void {
    this.#ledger.invariants();
  }
}
