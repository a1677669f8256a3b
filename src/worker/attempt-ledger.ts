/**
 * The books of the worker reactor: which attempts are here, in which phase, and what they hold.
 * Pure.
 *
 * Every change of a phase goes through here, so that resources are held exactly in the phases
 * `held`, `launched` and `running`, and a task has at most one attempt in those.
 */
import type { AdvertisedShare } from '../model/advertisement.ts';
import { assert } from '../model/assert.ts';
import type { Outcome } from '../model/attempt.ts';
import type { TaskId } from '../model/ids.ts';
import {
  addResources,
  firstShortage,
  noResources,
  type PortRange,
  type Resources,
  resourceNames,
  subtractResources,
} from '../model/resources.ts';
import type { TaskSpec } from '../model/spec.ts';
import type { AttemptControl, AttemptRef, Refusal } from '../model/worker-protocol.ts';
import type { AttemptKey, FoundAttempt } from '../ports/runner.ts';
import type { Launch } from './action.ts';
import { PortPool } from './port-pool.ts';
import { nextInQueue } from './queue-order.ts';
import { type ShareKey, Shares, shareOf } from './shares.ts';
import { Turnover } from './turnover.ts';

export type Phase = 'queued' | 'held' | 'launched' | 'running' | 'ended';

export interface Attempt {
  readonly key: AttemptKey;
  readonly ref: AttemptRef;
  readonly request: Resources;
  /** Absent for an attempt that was found in the supervisor. */
  readonly launch: Launch | undefined;
  /** TCP ports it holds. */
  readonly ports: readonly number[];
  /** The share of a reservation that it takes its room from. */
  readonly share: ShareKey;
  readonly acceptedAtMs: number;
  readonly phase: Phase;
  /**
   * The dispatch is known to be meant now: it was sent under the live lease or the leader said so.
   */
  confirmed: boolean;
  /** Of a gang: where all of them are, by rank. Told once each has its room, and then it starts. */
  peers: readonly string[] | undefined;
  endAsked: boolean;
  /** How it goes on, where it was told and does so. */
  control: AttemptControl | undefined;
  startedAtMs: number;
  startedAcked: boolean;
  reportedAtMs: number;
  readonly outcome: Outcome | undefined;
}

type Entry = { -readonly [Name in keyof Attempt]: Attempt[Name] };

export const attemptKey = (taskId: TaskId, fence: number): AttemptKey => `${taskId}.${fence}`;

/**
 * Not queued behind others: one of a gang would make those wait that have their room already, and
 * what is reserved is there or not.
 */
const isHeldAtOnce = (spec: TaskSpec): boolean =>
  spec.gang !== undefined || spec.reservation !== undefined;

const holdsResources = (phase: Phase): boolean =>
  phase === 'held' || phase === 'launched' || phase === 'running';

export interface LedgerLimits {
  readonly total: Resources;
  readonly ports?: PortRange | undefined;
  readonly prefetchMax: number;
  readonly runningMax: number;
}

export class AttemptLedger {
  readonly #limits: LedgerLimits;
  readonly #turnover: Turnover;
  readonly #entries = new Map<AttemptKey, Entry>();
  /** Entries in phase `queued`, in the order in which they came. */
  #queue: Entry[] = [];
  /** Entries in phase `held`. */
  readonly #held = new Set<Entry>();
  /** The entry of a task that has a process or is about to have one. */
  readonly #liveByTask = new Map<TaskId, Entry>();
  #allocated: Resources = noResources;
  readonly #ports: PortPool;
  /** What is kept for reservations. */
  readonly shares = new Shares();
  #adopted = 0;
  #ended = 0;
  /** Whether the supervisor tells after a restart of the node which ports its attempts have. */
  keepsPorts = false;

  constructor(limits: LedgerLimits) {
    this.#limits = limits;
    this.#turnover = new Turnover(limits.prefetchMax);
    this.#ports = new PortPool(limits.ports);
  }

  get allocated(): Resources {
    return this.#allocated;
  }

  /** Total less what is held. */
  get unallocated(): Resources {
    return subtractResources(this.#limits.total, this.#allocated);
  }

  /** Total less what is held and what the queue asks for. */
  get unclaimed(): Resources {
    let left = this.unallocated;
    for (const entry of this.#queue) left = subtractResources(left, entry.request);
    return left;
  }

  /** Of that, what nobody has reserved; no component is negative. */
  get free(): Resources {
    return this.#advertised(this.shares.open(undefined, this.unclaimed));
  }

  /** What is kept for each reservation, as others are told. */
  get advertisedShares(): AdvertisedShare[] {
    const shares = this.shares.advertised(this.unallocated);
    return shares.map(share => ({ ...share, left: this.#advertised(share.left) }));
  }

  /** Ports that would be forgotten are not offered. */
  #advertised(free: Resources): Resources {
    return this.keepsPorts ? free : { ...free, ports: 0 };
  }

  /** Attempts that hold resources. */
  get holding(): number {
    return this.#liveByTask.size;
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** Attempts that had better be queued here than wait elsewhere. */
  queueRoom(nowMs: number): number {
    return Math.max(0, this.#turnover.ahead(nowMs) - this.#queue.length);
  }

  /** Attempts that ended and whose report is not acknowledged. */
  get ended(): number {
    return this.#ended;
  }

  get(taskId: TaskId, fence: number): Attempt | undefined {
    return this.#entries.get(attemptKey(taskId, fence));
  }

  find(key: AttemptKey): Attempt | undefined {
    return this.#entries.get(key);
  }

  all(): Attempt[] {
    return [...this.#entries.values()];
  }

  /** Accepted and not started: those held, then the queue. */
  waiting(): Attempt[] {
    return [...this.#held, ...this.#queue];
  }

  /** Those that have a process, or are about to. */
  processes(): Attempt[] {
    return this.all().filter(({ phase }) => phase === 'launched' || phase === 'running');
  }

  held(): Attempt[] {
    return [...this.#held];
  }

  /** The attempt of the task that holds resources. */
  live(taskId: TaskId): Attempt | undefined {
    return this.#liveByTask.get(taskId);
  }

  /** Why an attempt of the task could not be accepted, to run or to wait. */
  objection(taskId: TaskId, spec: TaskSpec, immediate = false): Refusal | undefined {
    const { request } = spec;
    const short = firstShortage(request, this.#limits.total);
    if (short === 'ports' || (request.ports > 0 && !this.keepsPorts)) return 'noPorts';
    if (isHeldAtOnce(spec)) return this.#isFreeFor(taskId, spec) ? undefined : 'noRoom';
    const ever = subtractResources(this.#limits.total, this.shares.total);
    if (firstShortage(request, ever) !== undefined) return 'noRoom';
    if (this.#queue.length === 0 && this.#fits(request)) return undefined;
    return !immediate && this.#queue.length < this.#limits.prefetchMax ? undefined : 'noRoom';
  }

  #isFreeFor(taskId: TaskId, spec: TaskSpec): boolean {
    if (this.holding >= this.#limits.runningMax || this.#liveByTask.has(taskId)) return false;
    const share = shareOf(spec);
    // What stands in the queue has no claim on what is kept for others.
    const open = this.shares.open(share, share ? this.unallocated : this.unclaimed);
    return firstShortage(spec.request, open) === undefined;
  }

  /** A new attempt that has room: in phase `queued`, or at once in phase `held`. */
  enqueue(ref: AttemptRef, launch: Launch, nowMs: number): Attempt {
    const entry = this.#add(ref, launch.spec.request, launch, 'queued', nowMs);
    if (isHeldAtOnce(launch.spec)) this.#hold(entry);
    else this.#queue.push(entry);
    return entry;
  }

  #hold(entry: Entry): void {
    entry.phase = 'held';
    entry.ports = this.#ports.take(entry.request.ports);
    this.#held.add(entry);
    this.#allocate(entry);
  }

  /** One that the supervisor already runs. */
  adopt(found: FoundAttempt, nowMs: number): Attempt {
    const entry = this.#add(found, found.request, undefined, 'running', nowMs);
    entry.startedAtMs = found.startedAtMs;
    entry.control = found.control;
    entry.ports = found.ports ?? [];
    this.#ports.hold(entry.ports);
    this.#adopted++;
    this.#allocate(entry);
    return entry;
  }

  /** One that is over and only has to be reported. */
  addEnded(ref: AttemptRef, outcome: Outcome, nowMs: number): Attempt {
    const entry = this.#add(ref, noResources, undefined, 'ended', nowMs);
    entry.outcome = outcome;
    this.#ended++;
    return entry;
  }

  /** Gives resources to the queue in its order, as far as they go. */
  allocate(nowMs: number): void {
    const { total } = this.#limits;
    for (;;) {
      const next = nextInQueue(this.#queue, this.#liveByTask, { total, nowMs });
      if (next === undefined || !this.#fits(next.request)) return;
      this.#hold(next);
      this.#queue = this.#queue.filter(entry => entry !== next);
    }
  }

  /** Another cap for an attempt that was not launched yet. */
  changeCap(attempt: Attempt, capMs: number): void {
    const entry = this.#entry(attempt, attempt.phase);
    const { launch } = entry;
    assert(launch !== undefined, `an attempt without a spec waits: ${entry.key}`);
    entry.launch = { ...launch, spec: { ...launch.spec, capMs } };
  }

  /** Answers what is to be launched. */
  launched(attempt: Attempt): Launch {
    const entry = this.#entry(attempt, 'held');
    assert(entry.launch !== undefined, `an attempt without a spec is held: ${entry.key}`);
    this.#held.delete(entry);
    entry.phase = 'launched';
    return { ...entry.launch, ports: entry.ports, peers: entry.peers };
  }

  started(attempt: Attempt, startedAtMs: number): void {
    const entry = this.#entry(attempt, 'launched');
    entry.phase = 'running';
    entry.startedAtMs = startedAtMs;
  }

  end(attempt: Attempt, outcome: Outcome, nowMs: number): void {
    const entry = this.#entry(attempt, attempt.phase);
    assert(entry.phase !== 'ended', `ended twice: ${entry.key}`);
    if (holdsResources(entry.phase)) this.#turnover.ended(nowMs);
    this.#release(entry);
    entry.phase = 'ended';
    entry.outcome = outcome;
    this.#ended++;
  }

  /** Forgets an attempt that never started, or whose end is acknowledged. */
  remove(attempt: Attempt): void {
    const entry = this.#entry(attempt, attempt.phase);
    assert(entry.phase !== 'launched' && entry.phase !== 'running', `forgot: ${entry.key}`);
    this.#release(entry);
    if (entry.phase === 'ended') this.#ended--;
    this.#entries.delete(entry.key);
  }

  #entry(attempt: Attempt, phase: Phase): Entry {
    const entry = this.#entries.get(attempt.key);
    assert(entry === attempt && entry.phase === phase, `not ${phase} here: ${attempt.key}`);
    return entry;
  }

  #fits(request: Resources): boolean {
    if (this.holding >= this.#limits.runningMax) return false;
    const open = this.shares.open(undefined, this.unallocated);
    return firstShortage(request, open) === undefined;
  }

  #allocate(entry: Entry): void {
    const before = this.#liveByTask.get(entry.ref.taskId);
    assert(before === undefined, `two attempts of a task are live here: ${entry.key}`);
    this.#allocated = addResources(this.#allocated, entry.request);
    this.shares.take(entry.share, entry.request);
    this.#liveByTask.set(entry.ref.taskId, entry);
  }

  #release(entry: Entry): void {
    if (entry.phase === 'queued') this.#queue = this.#queue.filter(other => other !== entry);
    if (!holdsResources(entry.phase)) return;
    this.#allocated = subtractResources(this.#allocated, entry.request);
    this.#ports.giveBack(entry.ports);
    entry.ports = [];
    this.shares.give(entry.share, entry.request);
    this.#held.delete(entry);
    this.#liveByTask.delete(entry.ref.taskId);
    if (entry.launch === undefined) this.#adopted--;
  }

  #add(
    ref: AttemptRef,
    request: Resources,
    launch: Launch | undefined,
    phase: Phase,
    nowMs: number,
  ): Entry {
    const { shard, taskId, fence } = ref;
    const entry: Entry = {
      key: attemptKey(taskId, fence),
      ref: { shard, taskId, fence },
      request,
      launch,
      ports: [],
      share: launch && shareOf(launch.spec),
      acceptedAtMs: nowMs,
      phase,
      confirmed: launch === undefined,
      peers: undefined,
      endAsked: false,
      control: undefined,
      startedAtMs: 0,
      startedAcked: false,
      // Before it was accepted: nothing was reported.
      reportedAtMs: -1,
      outcome: undefined,
    };
    assert(!this.#entries.has(entry.key), `twice in the books: ${entry.key}`);
    this.#entries.set(entry.key, entry);
    return entry;
  }

  /** Throws `AssertionError` where the books do not balance. */
  invariants(): void {
    const ports = new Set<number>();
    let allocated = noResources;
    const shares = new Map<string, Resources>();
    let holding = 0;
    let ended = 0;
    for (const entry of this.#entries.values()) {
      if (entry.phase === 'ended') ended++;
      assert((entry.outcome !== undefined) === (entry.phase === 'ended'), 'outcome iff ended');
      assert((entry.phase === 'queued') === this.#queue.includes(entry), 'queue is the phase');
      assert((entry.phase === 'held') === this.#held.has(entry), 'held is the phase');
      if (!holdsResources(entry.phase)) continue;
      allocated = addResources(allocated, entry.request);
      for (const port of entry.ports) {
        assert(!ports.has(port), `port ${port} has two holders`);
        ports.add(port);
      }
      const taken =
        entry.share && addResources(shares.get(entry.share) ?? noResources, entry.request);
      if (entry.share && taken) shares.set(entry.share, taken);
      holding++;
      assert(this.#liveByTask.get(entry.ref.taskId) === entry, 'one live attempt of a task');
    }
    for (const [key, taken] of shares) {
      const used = this.shares.used(key);
      const isSum = resourceNames.every(name => used[name] === taken[name]);
      assert(isSum, `taken of share ${key} is the sum`);
    }
    assert(holding === this.holding && ended === this.#ended, 'attempts are counted');
    assert(ports.size === this.#ports.heldCount, 'ports are held by attempts');
    assert(this.#queue.length <= this.#limits.prefetchMax, 'the queue is bounded');
    for (const name of resourceNames) {
      assert(allocated[name] === this.#allocated[name], `allocated ${name} is the sum`);
      // What a restarted node found may be more than it was restarted with.
      const within = allocated[name] <= this.#limits.total[name] || this.#adopted > 0;
      assert(within, `allocated ${name} over the total`);
    }
  }
}
