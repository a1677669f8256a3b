/**
 * Schedules of each minute, for as long as it takes: the real clock of schedules and the real
 * calendar over the real rules of a shard, in virtual time, without a network. What a network and
 * machines do to firings is done here by chance: leaders end at any instant, also in the middle of
 * a proposal, which is then lost, committed without an answer, or committed when another has led
 * for long; those that were deposed go on for a while, and what they say comes late, and again;
 * clocks are wrong, or set; and for up to three hours nobody leads.
 */
import {
  encodeShardCommand,
  type ItemReply,
  type ShardCommand,
  type ShardCommandBody,
} from '../../../src/model/command.ts';
import { TschedError } from '../../../src/model/errors.ts';
import type { TaskId } from '../../../src/model/ids.ts';
import type { ScheduleDefinition } from '../../../src/model/schedule.ts';
import type { NodeContext } from '../../../src/node/context.ts';
import { ScheduleClock } from '../../../src/node/schedule-clock.ts';
import { ScheduleGate } from '../../../src/node/schedule-gate.ts';
import type { ShardLeader } from '../../../src/node/shard-leader.ts';
import type { TenantGate } from '../../../src/node/tenant-gate.ts';
import { silentLog } from '../../../src/ports/log.ts';
import type { ShardMachine } from '../../../src/shard/machine.ts';
import { aSpec, specEntry } from '../../support/shard.ts';
import { check } from '../violation.ts';
import { seededRandom, VirtualTime } from '../virtual-time.ts';
import { FiringCheck, minuteMs } from './firing-check.ts';
import { LedShard } from './led-shard.ts';
import { Tasks } from './tasks.ts';

/** Virtual time begins in the winter of a year that is no leap year: it has 525,600 minutes. */
const fromMs = Date.UTC(2026, 0, 1);
const hourMs = 60 * minuteMs;
const taskMs = 1_000;

/** What becomes of a proposal in the middle of which its leader ends. */
const ends = ['lost', 'unanswered', 'late'] as const;
type End = (typeof ends)[number];

/** Zones with rules of their own; a schedule of each minute fires alike in all. */
const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata'];

/** How far from the truth a clock that is wrong is. */
const offsetsMs = [-50 * minuteMs, -1_000, 700, 90_000, 20 * minuteMs];

export interface MinutelyOptions {
  readonly seed: number;
  readonly minutes: number;
  /** Numbers of the schedules that are run. */
  readonly schedules: readonly number[];
  /** Virtual minutes from one leader to the next, on average. */
  readonly termMinutes: number;
  /** Is told in each minute how many have passed; false ends the run there. */
  readonly goesOn?: ((minutes: number, counts: MinutelyCounts) => boolean) | undefined;
}

export interface MinutelyCounts {
  /** Virtual minutes that have passed. */
  minutes: number;
  firings: number;
  /** Occurrences that were passed over by the rule of their schedule. */
  passedOver: number;
  leaders: number;
  /** Proposals that a leader did not live to hear of, by what became of them. */
  readonly ends: Record<End, number>;
  /** Firings that were committed again, or late. */
  repeats: number;
  wrongClocks: number;
  outages: number;
  entries: number;
}

/** A node that leads, or believes that it does. */
interface Term {
  readonly machine: ShardMachine;
  wallOffsetMs: number;
  leads: boolean;
  alive: boolean;
  /** Whether it will look at its schedules; else it does so now. */
  armed: boolean;
  stop: () => void;
}

const tenant = 'default';

function definitionOf(number: number): ScheduleDefinition {
  // A few pass over what was missed; all others have to fire each minute.
  const catchUp = number % 50 === 7 ? 'last' : number % 50 === 23 ? 'skip' : 'all';
  return {
    tenant,
    name: `s${number}`,
    timing: { kind: 'cron', pattern: number % 4 === 0 ? '*/1 * * * *' : '* * * * *' },
    zone: zones[number % zones.length]!,
    overlap: number % 3 === 0 ? 'queue' : 'allow',
    catchUp,
    jitterMs: number % 50 === 9 ? 20_000 : 0,
  };
}

export class Minutely {
  readonly #options: MinutelyOptions;
  readonly #time = new VirtualTime();
  readonly #shard = new LedShard();
  readonly #book = new FiringCheck(fromMs);
  readonly #definitions: readonly ScheduleDefinition[];
  readonly #tasks: Tasks;
  readonly #random;
  readonly #terms = new Set<Term>();
  #leader: Term | undefined;
  /** What becomes of the next proposal of the leader. */
  #end: End | undefined;
  /** The newest firings that were proposed, to be heard again. */
  #said: Uint8Array[] = [];
  /** The newest event that was looked at. */
  #seq = 0;
  #wrong: unknown;
  #healed = false;
  /** The tasks that were made will be run. */
  #settles = false;
  #endMinute: number;
  readonly counts: MinutelyCounts = {
    ...{
      minutes: 0,
      firings: 0,
      passedOver: 0,
      leaders: 0,
      repeats: 0,
      wrongClocks: 0,
      outages: 0,
    },
    ...{ ends: { lost: 0, unanswered: 0, late: 0 }, entries: 0 },
  };

  constructor(options: MinutelyOptions) {
    this.#options = options;
    this.#endMinute = options.minutes;
    this.#random = seededRandom(options.seed, 'minutely');
    const { digest, bytes } = specEntry(aSpec());
    this.#definitions = options.schedules.map(definitionOf);
    this.#tasks = new Tasks(digest);
    const items = this.#definitions.map(definition => ({ definition, digest, spec: bytes }));
    const actor = { name: 'ann', tenant };
    const command = { kind: 'createSchedule', items, atMs: fromMs, actor } as const;
    const { replies } = this.#shard.commit(encodeShardCommand(command));
    check(
      replies.every(reply => reply.ok),
      () => `not made: ${JSON.stringify(replies.find(reply => !reply.ok))}`,
    );
    for (const { name, catchUp } of this.#definitions) this.#book.expect(name, catchUp !== 'all');
  }

  /** Throws a `Violation` where an occurrence did not fire once. */
  async run(): Promise<MinutelyCounts> {
    this.#lead();
    this.#planChange();
    this.#planMinute(1);
    while (this.counts.minutes < this.#endMinute) await this.#step();
    const endMs = this.#endMinute * minuteMs;
    this.#heal();
    // What was missed is caught up with at once, but for jitter and what comes late.
    while (this.#time.nowMs < endMs + 5 * minuteMs) await this.#step();
    this.#judge(endMs);
    return this.counts;
  }

  async #step(): Promise<void> {
    check(this.#time.step(), () => 'nothing is planned');
    if (this.#wrong !== undefined) throw this.#wrong;
    for (const term of this.#terms) {
      for (let turns = 0; term.alive && !term.armed; turns++) {
        check(turns < 10_000, () => 'a leader looks at its schedules for ever');
        await undefined;
      }
    }
  }

  #below(count: number): number {
    return this.#random.uint32() % count;
  }

  #lead(): void {
    this.#shard.takeOver();
    const wrong = !this.#healed && this.counts.leaders > 0 && this.#below(8) === 0;
    const term: Term = {
      machine: this.#shard.machine,
      wallOffsetMs: 0,
      ...{ leads: true, alive: true, armed: false, stop: () => undefined },
    };
    if (wrong) this.#setClock(term);
    this.#terms.add(term);
    this.#leader = term;
    this.counts.leaders++;
    this.#settle();
    // What leaders before have said comes again: at once, before this one has said anything.
    for (const bytes of this.#said.splice(0, this.#below(9))) this.#comesLate(bytes, 0);
    this.#run(term);
  }

  #run(term: Term): void {
    const clock = {
      nowMs: () => this.#time.nowMs,
      wallMs: () => this.#wallMs(term),
      bootMs: () => this.#time.nowMs,
      after: (delayMs: number, fire: () => void) => {
        term.armed = true;
        return this.#time.after(delayMs, () => {
          if (!term.alive) return;
          term.armed = false;
          fire();
        });
      },
    };
    const loop = { vitals: { diskLow: false } };
    const context = { clock, loop, log: silentLog } as unknown as NodeContext;
    const leader = {
      machine: term.machine,
      replica: { leading: true },
      ask: async (body: ShardCommandBody) => this.#propose(term, body),
    } as unknown as ShardLeader;
    const letsIn = { refusals: async (all: readonly unknown[]) => all.map(() => undefined) };
    const gate = new ScheduleGate(clock, letsIn as unknown as TenantGate);
    const schedules = new ScheduleClock(context, leader, gate);
    term.stop = () => schedules.stop();
  }

  #wallMs = (term: Term): number => fromMs + Math.floor(this.#time.nowMs) + term.wallOffsetMs;

  /** A leader proposes; throws where it does not hear what became of it. */
  #propose(term: Term, body: ShardCommandBody): readonly ItemReply[] {
    const bytes = this.#encode(term, body);
    const isFiring = body.kind === 'fire' && body.items.length > 0;
    if (!term.leads) {
      this.#comesLate(bytes, this.#below(120_000));
      throw new TschedError('notLeader', 'another leads', {});
    }
    if (isFiring) this.#said = [...this.#said.slice(-15), bytes];
    if (!isFiring || this.#end === undefined) return this.#commit(bytes);
    const end = this.#end;
    this.#end = undefined;
    this.counts.ends[end]++;
    if (end === 'unanswered') this.#commit(bytes, false);
    this.#depose();
    if (end === 'late') this.#comesLate(bytes, this.#below(120_000));
    throw new TschedError('notLeader', 'it has ended', {});
  }

  #encode(term: Term, body: ShardCommandBody): Uint8Array {
    const actor = { name: 'node', tenant: '' };
    return encodeShardCommand({ ...body, atMs: this.#wallMs(term), actor } as ShardCommand);
  }

  #commit(bytes: Uint8Array, settles = true): readonly ItemReply[] {
    const { replies } = this.#shard.commit(bytes);
    this.#notice();
    if (settles) this.#settleSoon();
    return replies;
  }

  /** Tells the book what fired. Whoever proposed it may catch what is thrown, so that is kept. */
  #notice(): void {
    try {
      this.#note();
    } catch (error) {
      this.#wrong ??= error;
      throw error;
    }
  }

  #note(): void {
    const { machine } = this.#shard;
    const events = machine.eventsAfter(this.#seq, 10_000);
    check(events !== 'expired', () => 'more happened than the shard remembers');
    this.#seq = machine.lastSeq;
    for (const { kind, taskId } of events) {
      if (kind !== 'fired') continue;
      const { schedule, occurrenceMs } = this.#firingOf(taskId);
      this.#book.saw(schedule, occurrenceMs);
      this.#tasks.made(taskId);
    }
  }

  /** By what its schedule has fired lately, which is soon found; else by the record of the task. */
  #firingOf(taskId: TaskId): { readonly schedule: string; readonly occurrenceMs: number } {
    const { machine } = this.#shard;
    const schedule = machine.schedules.ofTask(taskId);
    const recent = schedule?.standing.recent.findLast(made => made.taskId === taskId);
    if (schedule !== undefined && recent !== undefined) {
      return { schedule: schedule.definition.name, occurrenceMs: recent.occurrenceMs };
    }
    const firing = machine.record(taskId)?.firing;
    check(firing !== undefined, () => `nobody knows what ${taskId} is of`);
    return firing;
  }

  /** What was made runs for up to a second, also while its leader ends. */
  #settleSoon(): void {
    if (this.#settles) return;
    this.#settles = true;
    this.#time.after(taskMs, () => {
      this.#settles = false;
      this.#settle();
    });
  }

  /** Runs the tasks that were made, where somebody leads. */
  #settle(): void {
    const term = this.#leader;
    if (term === undefined) return;
    this.#tasks.run(body => this.#commit(this.#encode(term, body), false), this.#wallMs(term));
  }

  /** Firings of a leader of before are committed under another, once there is one. */
  #comesLate(bytes: Uint8Array, afterMs: number): void {
    this.#time.after(afterMs, () => {
      if (this.#leader === undefined) {
        this.#comesLate(bytes, 1_000);
        return;
      }
      this.counts.repeats++;
      this.#commit(bytes);
    });
  }

  /** Nobody leads from now on, until somebody is elected. */
  #depose(): void {
    const term = this.#leader;
    if (term === undefined) return;
    this.#leader = undefined;
    term.leads = false;
    // One of two does not know it yet.
    this.#time.after(this.#below(2) * this.#below(90_000), () => this.#drop(term));
    const isOutage = this.#below(20) === 0;
    if (isOutage) this.counts.outages++;
    const electedMs = isOutage ? minuteMs + this.#below(3 * hourMs) : this.#below(5_000);
    this.#time.after(electedMs, () => {
      if (this.#leader === undefined) this.#lead();
    });
  }

  #drop(term: Term): void {
    term.alive = false;
    term.stop();
    this.#terms.delete(term);
  }

  /** The next leader comes, or the clock of this one is set. */
  #planChange(): void {
    const { termMinutes } = this.#options;
    const inMs = this.#below(2 * termMinutes * minuteMs);
    // Half of them within a second of a minute: that is when something happens.
    const nearMs = minuteMs - ((this.#time.nowMs + inMs) % minuteMs) - 500 + this.#below(1_000);
    this.#time.after(this.#below(2) === 0 ? inMs : inMs + nearMs, () => {
      if (this.#healed) return;
      const what = this.#below(5);
      if (what < 2) this.#depose();
      else if (what < 4) this.#end = ends[this.#below(ends.length)];
      else if (this.#leader !== undefined) this.#setClock(this.#leader);
      this.#planChange();
    });
  }

  /** Wrong for a while. */
  #setClock(term: Term): void {
    this.counts.wrongClocks++;
    term.wallOffsetMs = offsetsMs[this.#below(offsetsMs.length)]!;
    this.#time.after(this.#below(30 * minuteMs), () => {
      term.wallOffsetMs = 0;
    });
  }

  /** Half a minute after each: what is old leaves the history, now and then all is stored. */
  #planMinute(minute: number): void {
    this.#time.after((minute + 0.5) * minuteMs - this.#time.nowMs, () => {
      const term = this.#leader;
      if (this.#below(40) === 0) this.#shard.flush();
      if (term !== undefined) {
        const ask = (body: ShardCommandBody) => this.#commit(this.#encode(term, body), false);
        this.#tasks.expire(ask, this.#shard.machine.nowMs);
      }
      if (this.#below(40) === 0) this.#shard.flush();
      this.#count();
      if (!this.#healed) this.counts.minutes = minute;
      const goesOn = this.#options.goesOn?.(minute, this.counts) ?? true;
      if (!goesOn) this.#endMinute = Math.min(this.#endMinute, minute);
      this.#planMinute(minute + 1);
    });
  }

  /** A leader with a right clock leads from now on. */
  #heal(): void {
    this.#healed = true;
    this.#end = undefined;
    for (const term of this.#terms) this.#drop(term);
    this.#lead();
  }

  #judge(endMs: number): void {
    const { schedules } = this.#shard.machine;
    for (const definition of this.#definitions) {
      const standing = schedules.find(definition)?.standing;
      check(standing !== undefined, () => `schedule ${definition.name} is gone`);
      const { cursorMs, fired, missed, skipped } = standing;
      const passed = missed + skipped;
      this.#book.end(definition.name, { cursorMs, fired, passed }, fromMs + endMs);
      this.counts.passedOver += passed;
    }
    this.#count();
  }

  #count(): void {
    this.counts.firings = this.#book.fired;
    this.counts.entries = this.#shard.entries;
  }
}
