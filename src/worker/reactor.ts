/**
 * The worker of a node: a state machine over the attempts that shards' leaders dispatch to it.
 * Pure: inputs are messages, reports of the runner and the boot clock, outputs are actions for the
 * host.
 *
 * An attempt here is `queued` (accepted, holds no resources), `held` (has resources, waits for the
 * leader's word that it is still meant), `launched`, `running`, then `ended` until its report is
 * acknowledged. A pair (task, fence) starts at most once, whatever is repeated or late, and never
 * while a lower fence of the same task lives here.
 *
 * A leader has to repeat a dispatch until it hears `started`, `refused` or `ended`: what was queued
 * here and not started is forgotten when the node restarts.
 */
import { assert } from '../model/assert.ts';
import { type Outcome, systemOutcome } from '../model/attempt.ts';
import { DecodeError } from '../model/bytes.ts';
import type { NodeId, ShardId, TaskId } from '../model/ids.ts';
import {
  addResources,
  firstShortage,
  noResources,
  type Resources,
  resourceNames,
  subtractResources,
} from '../model/resources.ts';
import { decodeSpec, type TaskSpec } from '../model/spec.ts';
import {
  type AttemptName,
  type AttemptRef,
  asksMax,
  type FromWorker,
  type Refusal,
  type ToWorker,
} from '../model/worker-protocol.ts';
import type { AttemptKey, FoundAttempt, RunnerHello } from '../ports/runner.ts';
import type { Launch, WorkerAction, WorkerOptions } from './action.ts';
import { FenceMemory } from './fence-memory.ts';
import { ShardLease } from './shard-lease.ts';

/** Reports are repeated this often until they are acknowledged. */
export const reportEveryMs = 1_000;
/** Renewals of a shard whose attempts all have leases of 20 s or more. */
const renewEveryMs = 2_000;
/** Renewals of a shard with a shorter lease, or one that is not known (an adopted attempt). */
const renewShortEveryMs = 1_250;
/** A renewal that held attempts wait for is repeated this soon. */
const renewHeldEveryMs = 250;
/**
 * Ended attempts that wait for an acknowledgement; beyond it an unknown one is answered once only.
 */
const endedMax = 8_192;

type Phase = 'queued' | 'held' | 'launched' | 'running' | 'ended';

interface Attempt {
  readonly key: AttemptKey;
  readonly ref: AttemptRef;
  readonly request: Resources;
  /** Absent for an attempt that was found in the supervisor. */
  readonly launch: Launch | undefined;
  readonly acceptedAtMs: number;
  phase: Phase;
  /** The dispatch is known to be current: it came under a live lease or the leader said so. */
  confirmed: boolean;
  endAsked: boolean;
  startedAtMs: number;
  startedAcked: boolean;
  reportedAtMs: number;
  outcome: Outcome | undefined;
}

export const attemptKey = (taskId: TaskId, fence: number): AttemptKey => `${taskId}.${fence}`;

const holdsResources = (phase: Phase): boolean =>
  phase === 'held' || phase === 'launched' || phase === 'running';

export class WorkerReactor {
  readonly #options: WorkerOptions;
  #incarnation = '';
  #draining = false;
  #nowMs = 0;
  #allocated: Resources = noResources;
  #holding = 0;
  #live = 0;
  #adopted = 0;
  readonly #attempts = new Map<AttemptKey, Attempt>();
  /** Attempts in phase `queued`, first come first. */
  #queue: Attempt[] = [];
  /** Attempts in phase `held`. */
  readonly #held = new Set<Attempt>();
  /** The attempt of a task that has a process or is about to have one. */
  readonly #liveByTask = new Map<TaskId, Attempt>();
  readonly #leases = new Map<ShardId, ShardLease>();
  readonly #memory = new FenceMemory();
  #actions: WorkerAction[] = [];

  constructor(options: WorkerOptions) {
    this.#options = options;
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
    let left = subtractResources(this.#options.total, this.#allocated);
    for (const attempt of this.#queue) left = subtractResources(left, attempt.request);
    return mapResources(left, amount => Math.max(0, amount));
  }

  /** What is held by attempts that run or are about to. */
  get allocated(): Resources {
    return this.#allocated;
  }

  /** Attempts that hold resources. */
  get running(): number {
    return this.#holding;
  }

  get queued(): number {
    return this.#queue.length;
  }

  get queueRoom(): number {
    return this.#draining ? 0 : Math.max(0, this.#options.prefetchMax - this.#queue.length);
  }

  /** The supervisor of this node's start, with what it still runs or has to report. */
  onHello(hello: RunnerHello): WorkerAction[] {
    this.#incarnation = hello.incarnation;
    for (const found of hello.found) this.#adopt(found);
    return this.#take();
  }

  onMessage(message: ToWorker, _from: NodeId, nowBootMs: number): WorkerAction[] {
    this.#advance(nowBootMs);
    switch (message.kind) {
      case 'dispatch':
        this.#onDispatch(message);
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
    }
    this.#pump();
    return this.#take();
  }

  /** The process of a launched attempt is there. `atMs` is wall clock, for people. */
  onStarted(key: AttemptKey, atMs: number, nowBootMs = this.#nowMs): WorkerAction[] {
    this.#advance(nowBootMs);
    const attempt = this.#attempts.get(key);
    if (attempt?.phase === 'launched') {
      attempt.phase = 'running';
      attempt.startedAtMs = atMs;
      this.#report(attempt);
    }
    return this.#take();
  }

  /** The attempt is over and its whole process tree gone. Repeats are ignored. */
  onEnded(key: AttemptKey, outcome: Outcome, nowBootMs = this.#nowMs): WorkerAction[] {
    this.#advance(nowBootMs);
    const attempt = this.#attempts.get(key);
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
    this.#incarnation = hello.incarnation;
    this.#leases.clear();
    for (const attempt of this.#waiting()) this.#refuse(attempt, 'wrongIncarnation');
    for (const attempt of [...this.#attempts.values()]) {
      if (attempt.phase === 'ended') continue;
      const record = records.get(attempt.key)?.outcome;
      const lost = systemOutcome('lost', attempt.startedAtMs, 'ended with its supervisor');
      this.#settle(attempt, record ?? lost);
    }
    for (const found of hello.found) if (!this.#attempts.has(found.key)) this.#adopt(found);
    return this.#take();
  }

  /** To be called every 100 ms or so: repeats reports, renews leases, drops what waited in vain. */
  tick(nowBootMs: number): WorkerAction[] {
    this.#advance(nowBootMs);
    for (const attempt of this.#attempts.values()) {
      if (nowBootMs - attempt.reportedAtMs >= reportEveryMs) this.#report(attempt);
    }
    this.#renewDue();
    this.#pump();
    return this.#take();
  }

  /** While draining nothing is accepted and what is queued goes back; what runs, runs on. */
  drain(on: boolean): WorkerAction[] {
    this.#draining = on;
    if (on) {
      for (const attempt of this.#waiting()) this.#refuse(attempt, 'draining');
    }
    return this.#take();
  }

  #take(): WorkerAction[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  #send(shard: ShardId, message: FromWorker): void {
    this.#actions.push({ kind: 'send', shard, message });
  }

  #lease(shard: ShardId): ShardLease {
    let lease = this.#leases.get(shard);
    if (lease === undefined) {
      lease = new ShardLease();
      this.#leases.set(shard, lease);
    }
    return lease;
  }

  #leaseLive(launch: Launch): boolean {
    const { leaseMs, graceMs } = launch.spec;
    return this.#leases.get(launch.shard)?.live(this.#nowMs, leaseMs, graceMs) === true;
  }

  /**
   * Moves the clock, then drops what may not start any more. Comes before anything else, so that a
   * node that was stopped does not take a late acknowledgement for an unbroken lease.
   */
  #advance(nowBootMs: number): void {
    if (nowBootMs > this.#nowMs) this.#nowMs = nowBootMs;
    for (const attempt of this.#waiting()) {
      const { launch } = attempt;
      assert(launch !== undefined, `an attempt without a spec waits: ${attempt.key}`);
      const lapsed = attempt.confirmed
        ? !this.#leaseLive(launch)
        : this.#nowMs - attempt.acceptedAtMs >= launch.spec.leaseMs;
      if (lapsed) this.#refuse(attempt, 'noLease');
    }
  }

  /** Attempts that were accepted and not started: those held, then the queue. */
  #waiting(): Attempt[] {
    return [...this.#held, ...this.#queue];
  }

  #onDispatch(message: Extract<ToWorker, { kind: 'dispatch' }>): void {
    const ref = { shard: message.shard, taskId: message.taskId, fence: message.fence };
    const known = this.#attempts.get(attemptKey(ref.taskId, ref.fence));
    if (known !== undefined) {
      if (known.phase !== 'ended') this.#send(ref.shard, { kind: 'accepted', ...ref });
      this.#report(known);
      return;
    }
    const before = this.#memory.recall(ref.taskId, ref.fence);
    if (before === 'settled') this.#send(ref.shard, { kind: 'accepted', ...ref });
    else if (before !== undefined) this.#send(ref.shard, { kind: 'refused', ...ref, why: before });
    else if (message.incarnation !== this.#incarnation || this.#incarnation === '') {
      this.#send(ref.shard, { kind: 'refused', ...ref, why: 'wrongIncarnation' });
    } else this.#consider(ref, message);
  }

  #consider(ref: AttemptRef, message: Extract<ToWorker, { kind: 'dispatch' }>): void {
    let spec: TaskSpec;
    try {
      spec = decodeSpec(message.spec);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      const outcome = systemOutcome('startFailed', 0, `cannot read the spec: ${error.message}`);
      this.#settle(this.#add(ref, noResources, undefined, 'ended'), outcome);
      return;
    }
    const why = this.#objection(spec.request);
    if (why !== undefined) {
      this.#memory.remember(ref.taskId, ref.fence, why);
      this.#send(ref.shard, { kind: 'refused', ...ref, why });
      return;
    }
    const key = attemptKey(ref.taskId, ref.fence);
    const launch = { ...ref, key, run: message.run, arrayIndex: message.arrayIndex, spec };
    const attempt = this.#add(ref, spec.request, launch, 'queued');
    attempt.confirmed = this.#leaseLive(launch);
    this.#endLower(ref);
    this.#queue.push(attempt);
    this.#send(ref.shard, { kind: 'accepted', ...ref });
    this.#pump();
    if (!attempt.confirmed) {
      const lease = this.#lease(ref.shard);
      if (!lease.awaiting(this.#nowMs, renewHeldEveryMs)) this.#renew(ref.shard, lease);
    }
  }

  /** Why an attempt that asks for `request` cannot be accepted now. */
  #objection(request: Resources): Refusal | undefined {
    if (this.#draining) return 'draining';
    if (firstShortage(request, this.#options.total) !== undefined) return 'noRoom';
    const fits = this.#queue.length === 0 && this.#fits(request);
    return fits || this.#queue.length < this.#options.prefetchMax ? undefined : 'noRoom';
  }

  #fits(request: Resources): boolean {
    if (this.#holding >= this.#options.runningMax) return false;
    const left = subtractResources(this.#options.total, this.#allocated);
    return firstShortage(request, left) === undefined;
  }

  /** A higher fence says that lower ones are over for the shard; here they have to be. */
  #endLower(ref: AttemptRef): void {
    for (const waiting of [...this.#queue]) {
      if (waiting.ref.taskId === ref.taskId && waiting.ref.fence < ref.fence) {
        this.#refuse(waiting, 'noLease');
      }
    }
    const lower = this.#liveByTask.get(ref.taskId);
    if (lower === undefined || lower.ref.fence >= ref.fence) return;
    if (lower.phase === 'held') this.#refuse(lower, 'noLease');
    else this.#askEnd(lower, 'lost');
  }

  #onEnd(ref: AttemptRef, reason: 'cancelled' | 'superseded'): void {
    const kind = reason === 'cancelled' ? 'cancelled' : 'lost';
    const attempt = this.#attempts.get(attemptKey(ref.taskId, ref.fence));
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

  /** A leader must never wait for ever for an attempt that is not here, nor may it start later. */
  #answerUnknown(ref: AttemptRef): void {
    const plain = { shard: ref.shard, taskId: ref.taskId, fence: ref.fence };
    const outcome = systemOutcome('lost', 0, 'not known on this node');
    if (this.#attempts.size - this.#live < endedMax) {
      this.#settle(this.#add(plain, noResources, undefined, 'ended'), outcome);
    } else {
      this.#memory.remember(ref.taskId, ref.fence, 'settled');
      this.#send(ref.shard, { kind: 'ended', ...plain, outcome });
    }
  }

  #onReportAck(ref: AttemptRef, ended: boolean): void {
    const attempt = this.#attempts.get(attemptKey(ref.taskId, ref.fence));
    if (attempt === undefined) return;
    if (!ended) attempt.startedAcked = true;
    else if (attempt.phase === 'ended') {
      this.#attempts.delete(attempt.key);
      this.#memory.remember(ref.taskId, ref.fence, 'settled');
      this.#actions.push({ kind: 'acknowledge', key: attempt.key });
    }
  }

  #onRenewAck(message: Extract<ToWorker, { kind: 'renewAck' }>): void {
    if (message.incarnation !== this.#incarnation) return;
    const lease = this.#leases.get(message.shard);
    const renewal = lease?.acknowledge(message.sequence);
    if (lease === undefined || renewal === undefined) return;
    const shards = [{ shard: message.shard, sentBootMs: renewal.sentBootMs }];
    this.#actions.push({ kind: 'renewRunner', shards });
    const confirmed = new Set(message.confirmed.map(name => attemptKey(name.taskId, name.fence)));
    for (const name of renewal.asks) {
      const attempt = this.#attempts.get(attemptKey(name.taskId, name.fence));
      if (attempt === undefined || attempt.confirmed) continue;
      if (attempt.phase !== 'queued' && attempt.phase !== 'held') continue;
      const { launch } = attempt;
      if (!confirmed.has(attempt.key)) this.#refuse(attempt, 'noLease');
      else if (launch !== undefined && this.#leaseLive(launch)) attempt.confirmed = true;
    }
    if (this.#unconfirmed(message.shard).length > 0) this.#renew(message.shard, lease);
  }

  #unconfirmed(shard: ShardId): AttemptName[] {
    const names: AttemptName[] = [];
    for (const attempt of this.#waiting()) {
      if (names.length >= asksMax) break;
      if (attempt.ref.shard !== shard || attempt.confirmed) continue;
      names.push({ taskId: attempt.ref.taskId, fence: attempt.ref.fence });
    }
    return names;
  }

  #renew(shard: ShardId, lease: ShardLease): void {
    const asks = this.#unconfirmed(shard);
    const sequence = lease.send(this.#nowMs, asks);
    this.#send(shard, { kind: 'renew', shard, incarnation: this.#incarnation, sequence, asks });
  }

  /** One renewal for each shard with attempts here whose interval is over. */
  #renewDue(): void {
    const intervals = new Map<ShardId, number>();
    for (const attempt of this.#attempts.values()) {
      if (attempt.phase === 'ended') continue;
      const { shard } = attempt.ref;
      const wanted = renewIntervalMs(attempt.launch, attempt.confirmed);
      intervals.set(shard, Math.min(wanted, intervals.get(shard) ?? renewEveryMs));
    }
    for (const [shard, intervalMs] of intervals) {
      const lease = this.#lease(shard);
      if (lease.sinceSent(this.#nowMs) >= intervalMs) this.#renew(shard, lease);
    }
  }

  /**
   * Gives resources to the queue in order, then starts what has resources and the leader's word.
   */
  #pump(): void {
    for (const attempt of this.#queue) {
      if (this.#liveByTask.has(attempt.ref.taskId)) continue;
      if (!this.#fits(attempt.request)) break;
      attempt.phase = 'held';
      this.#allocate(attempt);
    }
    if (this.#queue.some(attempt => attempt.phase !== 'queued')) {
      this.#queue = this.#queue.filter(attempt => attempt.phase === 'queued');
    }
    for (const attempt of [...this.#held]) if (attempt.confirmed) this.#launch(attempt);
  }

  #launch(attempt: Attempt): void {
    const { launch } = attempt;
    assert(launch !== undefined, `an attempt without a spec is held: ${attempt.key}`);
    if (!this.#leaseLive(launch)) return;
    attempt.phase = 'launched';
    this.#held.delete(attempt);
    this.#actions.push({ kind: 'launch', launch });
  }

  #allocate(attempt: Attempt): void {
    this.#allocated = addResources(this.#allocated, attempt.request);
    this.#holding++;
    this.#liveByTask.set(attempt.ref.taskId, attempt);
    if (attempt.phase === 'held') this.#held.add(attempt);
  }

  #release(attempt: Attempt): void {
    if (attempt.phase === 'queued') {
      this.#queue = this.#queue.filter(waiting => waiting !== attempt);
    } else if (holdsResources(attempt.phase)) {
      this.#allocated = subtractResources(this.#allocated, attempt.request);
      this.#holding--;
      this.#held.delete(attempt);
      this.#liveByTask.delete(attempt.ref.taskId);
    }
    if (attempt.phase !== 'ended') this.#live--;
    if (attempt.launch === undefined && holdsResources(attempt.phase)) this.#adopted--;
  }

  #add(
    ref: AttemptRef,
    request: Resources,
    launch: Launch | undefined,
    phase: Phase,
    startedAtMs = 0,
  ): Attempt {
    const attempt: Attempt = {
      key: attemptKey(ref.taskId, ref.fence),
      ref: { shard: ref.shard, taskId: ref.taskId, fence: ref.fence },
      request,
      launch,
      acceptedAtMs: this.#nowMs,
      phase,
      confirmed: launch === undefined,
      endAsked: false,
      startedAtMs,
      startedAcked: false,
      reportedAtMs: this.#nowMs,
      outcome: undefined,
    };
    this.#attempts.set(attempt.key, attempt);
    if (phase !== 'ended') this.#live++;
    return attempt;
  }

  #adopt(found: FoundAttempt): void {
    const { outcome } = found;
    const phase = outcome === undefined ? 'running' : 'ended';
    const attempt = this.#add(found, found.request, undefined, phase, found.startedAtMs);
    if (outcome !== undefined) attempt.outcome = outcome;
    else {
      this.#adopted++;
      this.#allocate(attempt);
    }
    this.#report(attempt);
  }

  /** The attempt is over: frees what it held and reports until the shard has recorded it. */
  #settle(attempt: Attempt, outcome: Outcome): void {
    this.#release(attempt);
    attempt.phase = 'ended';
    attempt.outcome = outcome;
    this.#report(attempt);
  }

  /** Hands back an attempt that was accepted and never started. */
  #refuse(attempt: Attempt, why: Refusal): void {
    assert(attempt.phase === 'queued' || attempt.phase === 'held', `refused late: ${attempt.key}`);
    this.#release(attempt);
    this.#attempts.delete(attempt.key);
    this.#memory.remember(attempt.ref.taskId, attempt.ref.fence, why);
    this.#send(attempt.ref.shard, { kind: 'refused', ...attempt.ref, why });
  }

  #report(attempt: Attempt): void {
    const { ref, outcome } = attempt;
    if (attempt.phase === 'ended') {
      assert(outcome !== undefined, `an ended attempt has an outcome: ${attempt.key}`);
      this.#send(ref.shard, { kind: 'ended', ...ref, outcome });
    } else if (attempt.phase === 'running' && !attempt.startedAcked) {
      const { startedAtMs } = attempt;
      this.#send(ref.shard, { kind: 'started', ...ref, startedAtMs });
    } else return;
    attempt.reportedAtMs = this.#nowMs;
  }

  /** For tests and the simulator: throws `AssertionError` where the books do not balance. */
  invariants(): void {
    let allocated = noResources;
    let holding = 0;
    let live = 0;
    for (const attempt of this.#attempts.values()) {
      if (attempt.phase !== 'ended') live++;
      assert((attempt.outcome !== undefined) === (attempt.phase === 'ended'), 'outcome iff ended');
      assert((attempt.phase === 'queued') === this.#queue.includes(attempt), 'queue is the phase');
      assert((attempt.phase === 'held') === this.#held.has(attempt), 'held is the phase');
      if (!holdsResources(attempt.phase)) continue;
      allocated = addResources(allocated, attempt.request);
      holding++;
      assert(this.#liveByTask.get(attempt.ref.taskId) === attempt, 'one live attempt of a task');
    }
    assert(holding === this.#holding && live === this.#live, 'attempts are counted');
    assert(this.#liveByTask.size === holding, 'live attempts are known by task');
    assert(this.#queue.length <= this.#options.prefetchMax, 'the queue is bounded');
    for (const name of resourceNames) {
      assert(allocated[name] === this.#allocated[name], `allocated ${name} is the sum`);
      const within = allocated[name] <= this.#options.total[name] || this.#adopted > 0;
      assert(within, `allocated ${name} over the total`);
    }
  }
}

function renewIntervalMs(launch: Launch | undefined, confirmed: boolean): number {
  if (!confirmed) return renewHeldEveryMs;
  if (launch === undefined || launch.spec.leaseMs < 10 * renewEveryMs) return renewShortEveryMs;
  return renewEveryMs;
}

function mapResources(resources: Resources, change: (amount: number) => number): Resources {
  return {
    cpuMilli: change(resources.cpuMilli),
    memoryBytes: change(resources.memoryBytes),
    diskBytes: change(resources.diskBytes),
    iops: change(resources.iops),
    bandwidth: change(resources.bandwidth),
    ports: change(resources.ports),
  };
}
