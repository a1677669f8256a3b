/**
 * The supervisor: parent of all attempts of one node, a process of its own that outlives the node.
 *
 * Whatever wakes it, deadlines come first (`#guard`): after a stop of the machine or of this
 * process, an attempt whose lease ran out meanwhile is ended before anything is reported about it.
 * An end is told to the node once its record is durable.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type Outcome, systemOutcome } from '../../model/attempt.ts';
import type { ShardId } from '../../model/ids.ts';
import type { AttemptControl } from '../../model/worker-protocol.ts';
import type { AttemptKey, FoundAttempt, RunnerHello } from '../../ports/runner.ts';
import { leaseDeadline } from '../lease.ts';
import { Attempt } from './attempt.ts';
import { AttemptFiles, isSafeKey } from './attempt-files.ts';
import { bootMs } from './boot-clock.ts';
import { StartFault } from './command.ts';
import type { Guard } from './guard.ts';
import type { Isolation } from './isolation.ts';
import { Journal } from './journal.ts';
import type { FromSupervisor, ToSupervisor, WireOrder } from './protocol.ts';
import type { Starter } from './starter.ts';

/** Attempts started in one turn of the event loop, so that pings and ends are not kept waiting. */
const launchesPerTurn = 8;
/** Deadlines, caps and graces are kept to this. */
export const tickMs = 100;
/** Attempts looked at in one tick, for output and memory. */
const samplesPerTick = 200;
/** Keys of attempts that ended here, so that none starts twice. */
const endedKeysMax = 65_536;

/** An order that has no process yet. */
interface Waiting {
  readonly order: WireOrder;
  /** Instant at which its lease ends; once that is past it never starts. */
  deadline: number | undefined;
  /** It is to go on so from its start. */
  control?: AttemptControl | undefined;
}

export interface SupervisorOptions {
  readonly dataDir: string;
  readonly isolation: Isolation;
  readonly starter: Starter;
  /** What earlier supervisors left in the journal; those without an outcome are dead by now. */
  readonly inherited: readonly FoundAttempt[];
  /** Ends the attempts should this process be killed; not needed in a PID namespace. */
  readonly guard: Guard | undefined;
  readonly onFault: (error: unknown) => void;
}

export class Supervisor {
  readonly incarnation: string = randomUUID();
  readonly #isolation: Isolation;
  readonly #starter: Starter;
  readonly #files: AttemptFiles;
  readonly #journal: Journal;
  readonly #guardian: Guard | undefined;
  readonly #attempts = new Map<AttemptKey, Attempt>();
  /** Ended, recorded and not acknowledged. */
  readonly #ended = new Map<AttemptKey, FoundAttempt & { readonly outcome: Outcome }>();
  /** Ended, but the record is not durable yet. */
  readonly #recording = new Map<AttemptKey, FoundAttempt & { readonly outcome: Outcome }>();
  readonly #endedKeys = new Set<AttemptKey>();
  readonly #renewals = new Map<ShardId, number>();
  #orders: Waiting[] = [];
  #launching = false;
  #tell: ((message: FromSupervisor) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #nextDue = Number.POSITIVE_INFINITY;
  #samplePosition = 0;
  #onIdle: (() => void) | undefined;

  constructor(options: SupervisorOptions) {
    this.#isolation = options.isolation;
    this.#starter = options.starter;
    this.#guardian = options.guard;
    const root = join(options.dataDir, 'attempts');
    const held = options.isolation.tree.kind !== 'processGroup';
    this.#files = new AttemptFiles(root, held, options.onFault);
    for (const attempt of options.inherited) {
      const lost = 'its supervisor ended before it did';
      const outcome = attempt.outcome ?? {
        ...systemOutcome('lost', Date.now(), lost),
        startedAtMs: attempt.startedAtMs,
        supervisorLost: true,
      };
      this.#ended.set(attempt.key, { ...attempt, outcome });
      this.#endedKeys.add(attempt.key);
    }
    const live = (): FoundAttempt[] => this.#journalled();
    this.#journal = new Journal(join(options.dataDir, 'journal'), live, options.onFault);
  }

  /** Attempts that run or are about to. */
  get busy(): boolean {
    return this.#attempts.size > 0 || this.#orders.length > 0 || this.#recording.size > 0;
  }

  /**
   * A node connected: it is told everything that it has to know, and all that happens from now on.
   */
  connect(tell: (message: FromSupervisor) => void): RunnerHello {
    this.#guard();
    this.#tell = tell;
    const running = [...this.#attempts.values()].map(attempt => attempt.found());
    // What is about to start or to be told has to be known to the node, or it would drop the news.
    const coming = this.#orders.map(({ order }) => foundOf(order));
    const going = [...this.#recording.values()].map(one => ({ ...one, outcome: undefined }));
    return {
      incarnation: this.incarnation,
      found: [...running, ...coming, ...going, ...this.#ended.values()],
      keepsPorts: true,
      isolation: { ...this.#isolation.words, starter: this.#starter.words },
      labels: this.#isolation.labels,
    };
  }

  disconnect(): void {
    this.#tell = undefined;
  }

  receive(message: ToSupervisor): void {
    this.#guard();
    switch (message.kind) {
      case 'launch':
        // The lease is looked at now, before a renewal that comes right behind a stop of the
        // machine: meanwhile the task may have been given to another node.
        this.#orders.push({ order: message.order, deadline: this.#deadline(message.order) });
        this.#scheduleLaunches();
        break;
      case 'end':
        this.#end(message.key, message.outcomeKind);
        break;
      case 'control':
        this.#control(message.key, message.control);
        break;
      case 'renew':
        for (const { shard, sentBootMs } of message.shards) this.#renew(shard, sentBootMs);
        break;
      case 'acknowledge':
        if (this.#ended.delete(message.key)) this.#journal.acknowledge(message.key);
        break;
      case 'ping':
        this.#tell?.({ kind: 'pong' });
        break;
      case 'shutdown':
        this.shutdown(() => process.exit(0));
        break;
    }
  }

  /** Ends all attempts at once; `done` is called when they are gone and their records durable. */
  shutdown(done: () => void): void {
    this.#onIdle = () => {
      this.#journal.close();
      done();
    };
    for (const { order } of this.#orders) {
      this.#record(order, 'lost', 'the supervisor is ending');
    }
    this.#orders = [];
    const now = bootMs();
    for (const attempt of this.#attempts.values()) {
      attempt.end('lost', 0, now, 'the supervisor is ending');
    }
    this.#checkIdle();
  }

  #checkIdle(): void {
    if (this.#onIdle === undefined || this.busy) return;
    const done = this.#onIdle;
    this.#onIdle = undefined;
    done();
  }

  #journalled(): FoundAttempt[] {
    const running = [...this.#attempts.values()].map(attempt => attempt.found());
    return [...running, ...this.#recording.values(), ...this.#ended.values()];
  }

  /** Ends what its lease, cap or grace says, before anything else is looked at. */
  #guard(): void {
    if (this.#attempts.size === 0) return;
    const now = bootMs();
    if (now < this.#nextDue) return;
    for (const attempt of this.#attempts.values()) attempt.check(now);
    this.#computeDue();
  }

  #computeDue(): void {
    this.#nextDue = Number.POSITIVE_INFINITY;
    for (const attempt of this.#attempts.values()) {
      if (!attempt.exited && attempt.dueAt < this.#nextDue) this.#nextDue = attempt.dueAt;
    }
  }

  #tick(): void {
    this.#guard();
    const attempts = [...this.#attempts.values()];
    const now = bootMs();
    const withCpu = this.#isolation.tree.kind !== 'cgroup';
    for (let count = 0; count < Math.min(samplesPerTick, attempts.length); count++) {
      this.#samplePosition = (this.#samplePosition + 1) % attempts.length;
      attempts[this.#samplePosition]?.sample(now, withCpu);
    }
    for (const attempt of attempts) this.#tellControlled(attempt);
    this.#computeDue();
    if (this.#attempts.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }

  #deadline(order: WireOrder): number | undefined {
    const sentBootMs = this.#renewals.get(order.shard);
    if (sentBootMs === undefined) return undefined;
    return leaseDeadline(sentBootMs, order.leaseMs, order.graceMs);
  }

  #renew(shard: ShardId, sentBootMs: number): void {
    if (sentBootMs <= (this.#renewals.get(shard) ?? Number.NEGATIVE_INFINITY)) return;
    this.#renewals.set(shard, sentBootMs);
    const now = bootMs();
    for (const one of [...this.#orders, ...this.#attempts.values()]) {
      // One that is past its deadline stays lost: the leader may have given the task away.
      if (one.order.shard !== shard || one.deadline === undefined || now >= one.deadline) continue;
      const { leaseMs, graceMs } = one.order;
      one.deadline = leaseDeadline(sentBootMs, leaseMs, graceMs);
    }
    this.#computeDue();
  }

  #scheduleLaunches(): void {
    if (this.#launching) return;
    this.#launching = true;
    setImmediate(() => {
      this.#launching = false;
      this.#guard();
      const turn = this.#orders.splice(0, launchesPerTurn);
      for (const waiting of turn) this.#launch(waiting);
      if (this.#orders.length > 0) this.#scheduleLaunches();
    });
  }

  #launch({ order, deadline, control }: Waiting): void {
    if (this.#attempts.has(order.key) || this.#recording.has(order.key)) return;
    const ended = this.#ended.get(order.key);
    if (ended !== undefined)
      this.#tell?.({ kind: 'ended', key: order.key, outcome: ended.outcome });
    if (this.#endedKeys.has(order.key)) return;
    if (!isSafeKey(order.key)) {
      this.#record(order, 'startFailed', 'not an attempt key');
      return;
    }
    const nowBootMs = bootMs();
    if (deadline === undefined || nowBootMs >= deadline) {
      this.#record(order, 'lost', 'its lease was not live when it was to start');
      return;
    }
    const { tree, limiter } = this.#isolation;
    // Written before there is a process: whatever kills this one, what it ran is in the record.
    this.#journal.start(foundOf(order));
    this.#journal.flush();
    this.#guardian?.add(order.key);
    try {
      const how = { files: this.#files, starter: this.#starter, tree, limiter };
      const attempt = Attempt.start(
        order,
        { ...how, deadline, nowBootMs },
        {
          onStarted: ({ key, startedAtMs }) => this.#tell?.({ kind: 'started', key, startedAtMs }),
          onExit: ended => this.#onExit(ended),
        },
      );
      this.#attempts.set(order.key, attempt);
      if (control !== undefined) attempt.control(control, nowBootMs);
      this.#nextDue = Math.min(this.#nextDue, attempt.dueAt);
      this.#timer ??= setInterval(() => this.#tick(), tickMs);
    } catch (error) {
      this.#guardian?.remove(order.key);
      const known = error instanceof StartFault;
      this.#record(order, 'startFailed', known ? error.message : `cannot start: ${String(error)}`);
    }
  }

  #end(key: AttemptKey, kind: 'cancelled' | 'lost'): void {
    const waiting = this.#orders.find(({ order }) => order.key === key);
    if (waiting !== undefined) {
      this.#orders = this.#orders.filter(other => other !== waiting);
      this.#record(waiting.order, kind, 'ended before it was started');
      return;
    }
    const attempt = this.#attempts.get(key);
    if (attempt === undefined) return;
    attempt.end(kind, attempt.order.graceMs, bootMs(), kind === 'lost' ? 'superseded' : undefined);
    this.#computeDue();
  }

  #control(key: AttemptKey, control: AttemptControl): void {
    const waiting = this.#orders.find(({ order }) => order.key === key);
    if (waiting !== undefined) waiting.control = control;
    const attempt = this.#attempts.get(key);
    if (attempt === undefined) return;
    attempt.control(control, bootMs());
    this.#tellControlled(attempt);
    this.#computeDue();
  }

  /** Said once it is so: a tree that is being stopped may take a moment. */
  #tellControlled(attempt: Attempt): void {
    const control = attempt.controlled();
    if (control !== undefined) this.#tell?.({ kind: 'controlled', key: attempt.key, control });
  }

  /** The process is over; the attempt is, once nothing of its tree is left. */
  #onExit(attempt: Attempt, waitedMs = 0): void {
    this.#guard();
    if (!attempt.clear()) {
      const waitMs = Math.min(100, 1 + waitedMs);
      setTimeout(() => this.#onExit(attempt, waitedMs + waitMs), waitMs);
      return;
    }
    this.#attempts.delete(attempt.key);
    this.#guardian?.remove(attempt.key);
    this.#settle(attempt.found(), attempt.settle(bootMs()));
  }

  /** An attempt that never had a process. */
  #record(order: WireOrder, kind: Outcome['kind'], message: string): void {
    const found = foundOf(order);
    const { startedAtMs } = found;
    this.#journal.start(found);
    this.#settle(found, { ...systemOutcome(kind, startedAtMs, message), startedAtMs });
  }

  #settle(found: FoundAttempt, outcome: Outcome): void {
    this.#remember(found.key);
    this.#recording.set(found.key, { ...found, outcome });
    this.#journal.exit(found.key, outcome, () => {
      this.#recording.delete(found.key);
      this.#ended.set(found.key, { ...found, outcome });
      this.#tell?.({ kind: 'ended', key: found.key, outcome });
      this.#checkIdle();
    });
  }

  #remember(key: AttemptKey): void {
    this.#endedKeys.add(key);
    if (this.#endedKeys.size <= endedKeysMax) return;
    for (const oldest of this.#endedKeys) {
      this.#endedKeys.delete(oldest);
      break;
    }
  }
}

function foundOf(order: WireOrder): FoundAttempt {
  const { key, shard, taskId, fence, request, ports } = order;
  return { key, shard, taskId, fence, request, ports, startedAtMs: Date.now() };
}
