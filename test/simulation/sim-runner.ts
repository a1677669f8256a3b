/**
 * The `Runner` port in virtual time: one machine's supervisor with its attempts. It outlives
 * crashes of its node like the real one, enforces leases, and writes down from when to when each
 * attempt's process lived, for whoever checks that no two attempts of a task do.
 *
 * A command `['sim', 'ms=500', 'exit=0']` lives that long and ends so. Further words:
 * `signal=NAME`, `stubborn` (ignores SIGTERM), `out=TEXT`, `hand=TEXT` (in its TSCHED_OUTPUT file),
 * `collect` (hands on what it was given), `startfail`. Any other command lives 10
 * to 59 ms and succeeds; scripts are read as words in the same way.
 */
import { assert } from '../../src/model/assert.ts';
import { type Outcome, type OutcomeKind, systemOutcome } from '../../src/model/attempt.ts';
import type { ShardId, TaskId } from '../../src/model/ids.ts';
import type { AttemptControl } from '../../src/model/worker-protocol.ts';
import type { Clock, Random } from '../../src/ports/clock.ts';
import type {
  AttemptKey,
  AttemptOrder,
  FoundAttempt,
  OutputChunk,
  Runner,
  RunnerEvents,
  RunnerHello,
} from '../../src/ports/runner.ts';
import { leaseDeadline, lossGraceMs } from '../../src/worker/lease.ts';

/** The life of one process. */
export interface AttemptInterval {
  readonly key: AttemptKey;
  readonly taskId: TaskId;
  readonly fence: number;
  readonly startMs: number;
  /** Undefined while it lives. */
  endMs: number | undefined;
}

export interface SimRunnerOptions {
  /** Timers of the machine, which go on when a process of it is killed. */
  readonly scheduler: Pick<Clock, 'after'>;
  readonly random: Random;
  /** The machine's clocks. */
  readonly clock: Pick<Clock, 'wallMs' | 'bootMs'>;
  /** Where intervals are written down; several machines may share one. */
  readonly intervals?: AttemptInterval[] | undefined;
}

interface Program {
  readonly runsMs: number;
  readonly exitCode: number;
  readonly signal: string | undefined;
  readonly stubborn: boolean;
  readonly output: Uint8Array;
  /** Left in the file for those that wait for the task. */
  readonly handedOn: string | undefined;
  readonly startFails: boolean;
}

interface SimAttempt {
  readonly order: AttemptOrder;
  readonly program: Program;
  readonly interval: AttemptInterval;
  readonly startedAtMs: number;
  deadline: number;
  /** By the boot clock: when its process would end by itself, and when it is over its cap. */
  endsAtMs: number;
  capAtMs: number;
  control: AttemptControl | undefined;
  /** Its process stands still since then. */
  stoppedAtMs: number | undefined;
  killAtMs: number | undefined;
  endKind: OutcomeKind | undefined;
  cancelTimers: (() => void)[];
}

type Ended = FoundAttempt & { readonly outcome: Outcome };

/** A supervisor that is silent for this long is ended by its node. */
const silenceMs = 2_000;

export class SimRunner implements Runner {
  readonly intervals: AttemptInterval[];
  readonly #scheduler: Pick<Clock, 'after'>;
  readonly #random: Random;
  readonly #clock: Pick<Clock, 'wallMs' | 'bootMs'>;
  #events: RunnerEvents | undefined;
  /** Counts supervisors: what was arranged under an earlier one does not happen. */
  #supervisor = 0;
  #up = false;
  #node = 0;
  #frozen = false;
  #deferred: (() => void)[] = [];
  #standsStill = false;
  readonly #attempts = new Map<AttemptKey, SimAttempt>();
  readonly #ended = new Map<AttemptKey, Ended>();
  readonly #endedKeys = new Set<AttemptKey>();
  readonly #renewals = new Map<ShardId, number>();
  readonly #outputs = new Map<AttemptKey, Uint8Array>();
  /** Orders that were sent and did not arrive yet, and attempts whose end is not on disk yet. */
  readonly #underway = new Map<AttemptKey, FoundAttempt>();

  constructor(options: SimRunnerOptions) {
    this.#scheduler = options.scheduler;
    this.#random = options.random;
    this.#clock = options.clock;
    this.intervals = options.intervals ?? [];
  }

  async start(events: RunnerEvents): Promise<RunnerHello> {
    this.#node++;
    this.#events = events;
    // A supervisor that does not answer is ended before another one is started.
    if (this.#frozen) this.#endSupervisor();
    if (!this.#up) this.#startSupervisor();
    this.#checkDeadlines();
    return this.#hello();
  }

  launch(order: AttemptOrder): void {
    const { key, shard, taskId, fence, request, ports } = order;
    if (order.run.kind === 'null') {
      const now = this.#clock.wallMs();
      const outcome = { ...systemOutcome('succeeded', now, ''), startedAtMs: now, exitCode: 0 };
      this.#tell(1, events => events.onEnded(key, outcome));
      return;
    }
    this.#underway.set(key, { key, shard, taskId, fence, request, ports, startedAtMs: 0 });
    this.#order(() => this.#launch(order));
  }

  end(key: AttemptKey, kind: 'cancelled' | 'lost'): void {
    this.#order(() => {
      const attempt = this.#attempts.get(key);
      if (attempt !== undefined) this.#beginEnd(attempt, kind, attempt.order.graceMs);
    });
  }

  control(key: AttemptKey, control: AttemptControl): void {
    this.#order(() => {
      const attempt = this.#attempts.get(key);
      if (attempt === undefined || attempt.endKind !== undefined) return;
      const { capMs } = control;
      if (capMs !== undefined) {
        const ranMs = this.#ranMs(attempt);
        const leftMs = capMs === 0 ? Number.POSITIVE_INFINITY : capMs - ranMs;
        attempt.capAtMs = (attempt.stoppedAtMs ?? this.#clock.bootMs()) + leftMs;
      }
      if (control.suspended) attempt.stoppedAtMs ??= this.#clock.bootMs();
      else this.#goesOn(attempt);
      this.#watchCap(attempt);
      this.#supervised(1, () => {
        if (!this.#attempts.has(key) || attempt.endKind !== undefined) return;
        attempt.control = control;
        this.#tell(1, events => events.onControlled(key, control));
      });
    });
  }

  /** How long it has run, not counting what it stood still. */
  #ranMs(attempt: SimAttempt): number {
    const now = attempt.stoppedAtMs ?? this.#clock.bootMs();
    return attempt.program.runsMs - (attempt.endsAtMs - now);
  }

  /** Ends the stop of a process; what it has left to do comes that much later. */
  #goesOn(attempt: SimAttempt): void {
    if (attempt.stoppedAtMs === undefined) return;
    const stoodMs = this.#clock.bootMs() - attempt.stoppedAtMs;
    attempt.stoppedAtMs = undefined;
    attempt.endsAtMs += stoodMs;
    attempt.capAtMs += stoodMs;
    this.#watchProcess(attempt);
    this.#watchCap(attempt);
  }

  renew(shards: readonly { readonly shard: ShardId; readonly sentBootMs: number }[]): void {
    this.#order(() => {
      for (const { shard, sentBootMs } of shards) {
        if (sentBootMs <= (this.#renewals.get(shard) ?? Number.NEGATIVE_INFINITY)) continue;
        this.#renewals.set(shard, sentBootMs);
        for (const attempt of this.#attempts.values()) {
          if (attempt.order.shard === shard) this.#extend(attempt, sentBootMs);
        }
      }
    });
  }

  acknowledge(key: AttemptKey): void {
    this.#order(() => this.#ended.delete(key));
  }

  async output(
    key: AttemptKey,
    stream: 'stdout' | 'stderr',
    offset: number,
    maxBytes: number,
  ): Promise<OutputChunk | undefined> {
    const bytes = this.#outputs.get(key);
    if (bytes === undefined) return undefined;
    const all = stream === 'stdout' ? bytes : new Uint8Array(0);
    const ended = !this.#attempts.has(key) && !this.#underway.has(key);
    return { bytes: all.slice(offset, offset + maxBytes), size: all.length, ended };
  }

  async stop(options: { readonly end: boolean }): Promise<void> {
    this.crashNode();
    if (options.end) this.#endSupervisor();
  }

  /** The node's process is gone: nothing more is told to it; attempts live on. */
  crashNode(): void {
    this.#events = undefined;
    this.#node++;
    // What was not handed over yet went with the node.
    for (const key of [...this.#underway.keys()]) {
      if (!this.#endedKeys.has(key)) this.#underway.delete(key);
    }
  }

  /** The supervisor is killed and everything it ran with it. A live node gets another one. */
  crashSupervisor(): void {
    this.#endSupervisor();
    if (this.#events === undefined) return;
    const node = this.#node;
    this.#scheduler.after(50 + (this.#random.uint32() % 100), () => {
      if (node !== this.#node || this.#up) return;
      this.#startSupervisor();
      this.#events?.onSupervisor(this.#hello());
    });
  }

  /**
   * The supervisor is stopped for `forMs`, the processes of its attempts are not. A live node ends
   * a supervisor that is silent for 2 s; with `node` the node's process is stopped as well, as far
   * as this port can tell.
   */
  freeze(forMs: number, what: { readonly node: boolean } = { node: false }): void {
    if (this.#frozen || !this.#up) return;
    this.#frozen = true;
    const supervisor = this.#supervisor;
    const watched = !what.node && this.#events !== undefined && forMs > silenceMs;
    this.#scheduler.after(watched ? silenceMs : forMs, () => {
      if (supervisor !== this.#supervisor || this.#standsStill) return;
      if (watched && this.#events !== undefined) this.crashSupervisor();
      else this.#thaw();
    });
  }

  /** Whether the whole machine is stopped, the processes of its attempts with it. */
  get standsStill(): boolean {
    return this.#standsStill;
  }

  /**
   * The machine is suspended until `goOn`: nothing on it happens, its boot clock goes on. When it
   * goes on, its supervisor looks at the clock before an attempt gets anywhere.
   */
  standStill(): void {
    this.#standsStill = true;
    this.#frozen = true;
  }

  goOn(): void {
    if (!this.#standsStill) return;
    this.#standsStill = false;
    this.#thaw();
  }

  #thaw(): void {
    this.#frozen = false;
    this.#checkDeadlines();
    const deferred = this.#deferred;
    this.#deferred = [];
    for (const act of deferred) act();
  }

  #startSupervisor(): void {
    this.#up = true;
    this.#supervisor++;
  }

  #endSupervisor(): void {
    this.#up = false;
    this.#supervisor++;
    this.#frozen = false;
    this.#deferred = [];
    this.#renewals.clear();
    const now = this.#clock.bootMs();
    const wallMs = this.#clock.wallMs();
    for (const attempt of this.#attempts.values()) {
      for (const cancel of attempt.cancelTimers) cancel();
      attempt.interval.endMs ??= now;
      this.#underway.set(attempt.order.key, foundOf(attempt));
    }
    this.#attempts.clear();
    for (const [key, found] of this.#underway) {
      this.#endedKeys.add(key);
      const lost = systemOutcome('lost', wallMs, 'its supervisor ended before it did');
      const outcome = { ...lost, startedAtMs: found.startedAtMs, supervisorLost: true };
      this.#ended.set(key, { ...found, outcome });
    }
    this.#underway.clear();
  }

  #hello(): RunnerHello {
    return {
      incarnation: `supervisor-${this.#supervisor}`,
      found: [...[...this.#attempts.values()].map(foundOf), ...this.#ended.values()],
      keepsPorts: true,
      isolation: { isolation: 'simulated' },
    };
  }

  /**
   * A message from the node to the supervisor: arrives in order, unless one of them dies before.
   */
  #order(act: () => void): void {
    const node = this.#node;
    this.#supervised(1, () => {
      if (node === this.#node) act();
    });
  }

  /**
   * Something the supervisor does after `delayMs`, not while it is stopped, not after its death.
   */
  #supervised(delayMs: number, act: () => void): () => void {
    const supervisor = this.#supervisor;
    return this.#scheduler.after(delayMs, () => {
      if (supervisor !== this.#supervisor || !this.#up) return;
      if (this.#frozen) this.#deferred.push(act);
      else {
        this.#checkDeadlines();
        act();
      }
    });
  }

  #tell(delayMs: number, say: (events: RunnerEvents) => void): void {
    const node = this.#node;
    this.#scheduler.after(delayMs, () => {
      if (node === this.#node && this.#events !== undefined) say(this.#events);
    });
  }

  #launch(order: AttemptOrder): void {
    const { key } = order;
    const before = this.#ended.get(key);
    if (before !== undefined) this.#tell(1, events => events.onEnded(key, before.outcome));
    if (this.#attempts.has(key) || this.#endedKeys.has(key)) return;
    const sentBootMs = this.#renewals.get(order.shard);
    const now = this.#clock.bootMs();
    const deadline =
      sentBootMs === undefined
        ? Number.NEGATIVE_INFINITY
        : leaseDeadline(sentBootMs, order.leaseMs, order.graceMs);
    if (now >= deadline) {
      this.#never(order, 'lost', 'its lease was not live');
      return;
    }
    const program = programOf(order, this.#random);
    if (program.startFails) {
      this.#never(order, 'startFailed', 'no such file');
      return;
    }
    const { taskId, fence } = order;
    const interval: AttemptInterval = { key, taskId, fence, startMs: now, endMs: undefined };
    this.intervals.push(interval);
    const attempt: SimAttempt = {
      order,
      program,
      interval,
      startedAtMs: this.#clock.wallMs(),
      deadline,
      endsAtMs: now + program.runsMs,
      capAtMs: now + (order.capMs > 0 ? order.capMs : Number.POSITIVE_INFINITY),
      control: undefined,
      stoppedAtMs: undefined,
      killAtMs: undefined,
      endKind: undefined,
      cancelTimers: [],
    };
    for (const { order: other } of this.#attempts.values()) {
      const shared = order.ports.find(port => other.ports.includes(port));
      assert(shared === undefined, `${key} and ${other.key} live with port ${shared}`);
    }
    this.#attempts.set(key, attempt);
    this.#underway.delete(key);
    this.#outputs.set(key, program.output);
    this.#tell(1, events => events.onStarted(key, attempt.startedAtMs));
    this.#watchProcess(attempt);
    this.#watchDeadline(attempt);
    this.#watchCap(attempt);
  }

  /** Ends it once it is over its cap, however often that was moved meanwhile. */
  #watchCap(attempt: SimAttempt): void {
    const leftMs = attempt.capAtMs - this.#clock.bootMs();
    if (leftMs === Number.POSITIVE_INFINITY || attempt.stoppedAtMs !== undefined) return;
    const cap = this.#supervised(Math.max(0, leftMs) + 0.01, () => {
      const due = attempt.stoppedAtMs === undefined && this.#clock.bootMs() >= attempt.capAtMs;
      if (due) this.#beginEnd(attempt, 'timedOut', attempt.order.graceMs);
    });
    attempt.cancelTimers.push(cap);
  }

  /** The process ends by itself, whether its supervisor is stopped or not. */
  #watchProcess(attempt: SimAttempt): void {
    const delayMs = Math.max(0, attempt.endsAtMs - this.#clock.bootMs());
    const cancel = this.#scheduler.after(delayMs, () => {
      const end = (): void => {
        // It was stopped meanwhile: whoever lets it go on looks again.
        if (attempt.stoppedAtMs !== undefined) return;
        if (this.#clock.bootMs() + 1 < attempt.endsAtMs) return;
        if (attempt.interval.endMs !== undefined) return;
        attempt.interval.endMs = this.#clock.bootMs();
        this.#supervised(1, () => this.#observe(attempt));
      };
      if (this.#standsStill) this.#deferred.push(end);
      else end();
    });
    attempt.cancelTimers.push(cancel);
  }

  #watchDeadline(attempt: SimAttempt): void {
    // A clock with a rate of its own rounds: a little late is seen, a little early is not.
    const delayMs = Math.max(0, attempt.deadline - this.#clock.bootMs()) + 0.01;
    attempt.cancelTimers.push(this.#supervised(delayMs, () => this.#checkDeadlines()));
  }

  #extend(attempt: SimAttempt, sentBootMs: number): void {
    if (this.#clock.bootMs() >= attempt.deadline) return;
    const { leaseMs, graceMs } = attempt.order;
    attempt.deadline = leaseDeadline(sentBootMs, leaseMs, graceMs);
    this.#watchDeadline(attempt);
  }

  #checkDeadlines(): void {
    const now = this.#clock.bootMs();
    for (const attempt of [...this.#attempts.values()]) {
      if (now < attempt.deadline || attempt.endKind === 'lost') continue;
      const { leaseMs, graceMs } = attempt.order;
      const left = attempt.deadline + lossGraceMs(leaseMs, graceMs) - now;
      this.#beginEnd(attempt, 'lost', Math.max(0, left));
    }
  }

  #beginEnd(attempt: SimAttempt, kind: OutcomeKind, graceMs: number): void {
    if (!this.#attempts.has(attempt.order.key)) return;
    if (attempt.endKind === undefined || kind === 'lost') attempt.endKind = kind;
    // What stands still could not use its grace.
    this.#goesOn(attempt);
    const killAtMs = this.#clock.bootMs() + graceMs;
    if (attempt.killAtMs !== undefined && attempt.killAtMs <= killAtMs) return;
    attempt.killAtMs = killAtMs;
    const obeysMs = attempt.program.stubborn
      ? graceMs
      : Math.min(graceMs, this.#random.uint32() % 20);
    if (obeysMs === 0) this.#kill(attempt);
    else attempt.cancelTimers.push(this.#supervised(obeysMs, () => this.#kill(attempt)));
  }

  #kill(attempt: SimAttempt): void {
    attempt.interval.endMs ??= this.#clock.bootMs();
    this.#observe(attempt);
  }

  /** The supervisor sees the end, records it durably, then tells. */
  #observe(attempt: SimAttempt): void {
    const { key } = attempt.order;
    if (!this.#attempts.delete(key)) return;
    for (const cancel of attempt.cancelTimers) cancel();
    assert(attempt.interval.endMs !== undefined, 'an end is observed after it happened');
    const late = this.#clock.bootMs() >= attempt.deadline;
    this.#settle(foundOf(attempt), this.#outcome(attempt, late ? 'lost' : attempt.endKind));
  }

  #outcome(attempt: SimAttempt, kind: OutcomeKind | undefined): Outcome {
    const { exitCode, signal, output, handedOn } = attempt.program;
    const own = exitCode === 0 && signal === undefined ? 'succeeded' : 'failed';
    const ending =
      kind !== undefined ? { signal: 'SIGTERM' } : signal === undefined ? { exitCode } : { signal };
    return {
      ...systemOutcome(kind ?? own, this.#clock.wallMs(), ''),
      ...ending,
      startedAtMs: attempt.startedAtMs,
      stdoutBytes: output.length,
      tail: new TextDecoder().decode(output),
      ...(handedOn === undefined || !attempt.order.handsOn ? {} : { output: handedOn }),
    };
  }

  #never(order: AttemptOrder, kind: OutcomeKind, message: string): void {
    const { key, shard, taskId, fence, request } = order;
    const startedAtMs = this.#clock.wallMs();
    const outcome = { ...systemOutcome(kind, startedAtMs, message), startedAtMs };
    this.#settle({ key, shard, taskId, fence, request, startedAtMs }, outcome);
  }

  #settle(found: FoundAttempt, outcome: Outcome): void {
    this.#endedKeys.add(found.key);
    this.#underway.set(found.key, found);
    this.#supervised(1 + (this.#random.uint32() % 5), () => {
      this.#underway.delete(found.key);
      this.#ended.set(found.key, { ...found, outcome });
      this.#tell(1, events => events.onEnded(found.key, outcome));
    });
  }
}

/**
 * The runner of one simulated machine. The same object serves every process of its node in turn.
 */
export const createSimRunner = (options: SimRunnerOptions): SimRunner => new SimRunner(options);

/** Pairs of attempts of one task whose processes lived at the same time, over any machines. */
export function overlaps(
  intervals: readonly AttemptInterval[],
): (readonly [AttemptInterval, AttemptInterval])[] {
  const sorted = [...intervals].sort((left, right) => left.startMs - right.startMs);
  const last = new Map<TaskId, AttemptInterval>();
  const pairs: (readonly [AttemptInterval, AttemptInterval])[] = [];
  for (const interval of sorted) {
    const before = last.get(interval.taskId);
    const beforeEnd = before === undefined ? 0 : (before.endMs ?? Number.POSITIVE_INFINITY);
    if (before !== undefined && beforeEnd > interval.startMs) pairs.push([before, interval]);
    // The one that lives longest is the one that later ones may collide with.
    if (before === undefined || (interval.endMs ?? Number.POSITIVE_INFINITY) >= beforeEnd) {
      last.set(interval.taskId, interval);
    }
  }
  return pairs;
}

function foundOf(attempt: SimAttempt): FoundAttempt {
  const { key, shard, taskId, fence, request, ports } = attempt.order;
  const { startedAtMs, control } = attempt;
  return { key, shard, taskId, fence, request, ports, startedAtMs, control };
}

/** What the attempt was given, as one text. */
const collected = ({ inputs = [] }: AttemptOrder): string =>
  inputs.map(({ name, text }) => `${name}:${text}`).join(',');

function programOf(order: AttemptOrder, random: Random): Program {
  const { run } = order;
  const words =
    run.kind === 'script'
      ? new TextDecoder().decode(run.bytes).split(/\s+/)
      : run.kind === 'command'
        ? [...run.argv]
        : [];
  const value = (name: string): string | undefined =>
    words.find(word => word.startsWith(`${name}=`))?.slice(name.length + 1);
  const simulated = words[0] === 'sim';
  const drawn = 10 + (random.uint32() % 50);
  return {
    runsMs: simulated ? Number(value('ms') ?? drawn) : drawn,
    exitCode: simulated ? Number(value('exit') ?? 0) : 0,
    signal: value('signal'),
    stubborn: words.includes('stubborn'),
    output: new TextEncoder().encode(value('out') ?? ''),
    handedOn: words.includes('collect') ? collected(order) : value('hand'),
    startFails: words.includes('startfail'),
  };
}
