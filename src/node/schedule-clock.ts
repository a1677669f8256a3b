/**
 * The schedules of a shard that this node leads: which occurrences are due by its clock, proposed
 * in their order. That each fires once is decided in apply (`shard/commands/fire.ts`); what a clock
 * that is wrong, a leader that is late or two that overlap can cost is a proposal that changes
 * nothing.
 *
 * An occurrence that is later than a minute was missed: nobody led the shard, or everything was
 * down. What is then done is said by the schedule.
 */
import type { ItemReply } from '../model/command.ts';
import { jitterOf } from '../model/schedule.ts';
import type { FireItem } from '../model/schedule-command.ts';
import type { Schedule, ScheduleBook } from '../shard/schedules.ts';
import { lastOccurrence, nextOccurrence } from './calendar.ts';
import { background, type NodeContext } from './context.ts';
import { DueInstants } from './due-instants.ts';
import type { ScheduleGate } from './schedule-gate.ts';
import { nextOf } from './schedule-view.ts';
import type { ShardLeader } from './shard-leader.ts';

/** A firing that is no later than this is on time: an election takes seconds. */
const onTimeMs = 60_000;
/** The clock may be set, and schedules may be made: they are looked at this often at least. */
const lookMs = 1_000;
/** Occurrences of all schedules in one command, and of one of them. */
const itemsMax = 512;
const itemsPerScheduleMax = 64;
/** Occurrences that are passed over at a time: each costs the calendar. */
const passedMax = 500;

/** What is to be done about a schedule now. */
interface Due {
  readonly schedule: Schedule;
  readonly items: readonly FireItem[];
}

export class ScheduleClock {
  readonly #context: NodeContext;
  readonly #leader: ShardLeader;
  readonly #gate: ScheduleGate;
  readonly #dues = new DueInstants(schedule => this.#dueMs(schedule));
  /** Of the book, when all of it was looked at. */
  #seenChanges = -1;
  #nextMs = Number.NEGATIVE_INFINITY;
  #stopped = false;
  #idle = true;
  #cancel: () => void = () => undefined;

  constructor(context: NodeContext, leader: ShardLeader, gate: ScheduleGate) {
    this.#context = context;
    this.#leader = leader;
    this.#gate = gate;
    this.#arm(0);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  /** A schedule was made: a clock without any has stopped. */
  wake(): void {
    if (this.#idle) this.#arm(0);
  }

  #arm(delayMs: number): void {
    this.#idle = this.#leader.machine.schedules.size === 0;
    if (this.#stopped || this.#idle) return;
    this.#cancel = this.#context.clock.after(delayMs, () => this.#look());
  }

  #look(): void {
    if (this.#stopped) return;
    const { schedules } = this.#leader.machine;
    const wallMs = this.#context.clock.wallMs();
    const isDue = schedules.changes !== this.#seenChanges || wallMs >= this.#nextMs;
    // A disk that is nearly full takes no tasks; the leadership goes elsewhere.
    const { diskLow } = this.#context.loop.vitals;
    if (!isDue || diskLow || !this.#leader.replica.leading) {
      this.#arm(Math.max(1, Math.min(lookMs, this.#nextMs - wallMs)));
      return;
    }
    const dues = this.#collect(schedules, wallMs);
    if (dues.length === 0) {
      this.#arm(Math.max(1, Math.min(lookMs, this.#nextMs - wallMs)));
      return;
    }
    const proposed = this.#propose(dues).then(
      done => this.#arm(done ? 1 : lookMs),
      (error: unknown) => {
        this.#arm(lookMs);
        throw error;
      },
    );
    background(this.#context, 'fire schedules', proposed);
  }

  #collect(schedules: ScheduleBook, wallMs: number): Due[] {
    this.#seenChanges = schedules.changes;
    const { due, nextMs } = this.#dues.upTo(wallMs, schedules);
    this.#nextMs = nextMs;
    const found: Due[] = [];
    let count = 0;
    for (const schedule of due) {
      const heldToMs = this.#heldToMs(schedule, wallMs);
      this.#nextMs = Math.min(this.#nextMs, heldToMs);
      if (heldToMs > wallMs || count >= itemsMax) continue;
      const items = dueItems(schedule, wallMs);
      count += items.length;
      if (items.length > 0) found.push({ schedule, items });
    }
    return found;
  }

  /** What the plan of a tenant does not let in stays due, and does not stand before others. */
  #heldToMs(schedule: Schedule, wallMs: number): number {
    const untilMs = this.#gate.heldUntilMs(schedule);
    return untilMs === undefined ? wallMs : wallMs + untilMs - this.#context.clock.nowMs();
  }

  /** When the next occurrence is to be fired; never where there is none. */
  #dueMs(schedule: Schedule): number {
    const { definition } = schedule;
    try {
      const next = nextOf(schedule);
      if (next !== undefined) return next + jitterOf(definition, next);
    } catch (error) {
      const { tenant, name } = definition;
      const why = error instanceof Error ? error.message : String(error);
      this.#context.log.error('the calendar does not know a schedule', { tenant, name, why });
    }
    return Number.POSITIVE_INFINITY;
  }

  /** False where something could not be fired now. */
  async #propose(wanted: readonly Due[]): Promise<boolean> {
    const leader = this.#leader;
    const items = await this.#letIn(wanted);
    if (items.length === 0) return true;
    const newestMs = items.reduce((newest, item) => Math.max(newest, item.occurrenceMs), 0);
    await moveStateTime(leader, newestMs);
    const replies = await leader.ask({ kind: 'fire', items });
    return replies.every((reply: ItemReply) => reply.ok);
  }

  /**
   * Those that their tenants' plans allow now; of one schedule none behind one that has to wait.
   */
  async #letIn(wanted: readonly Due[]): Promise<readonly FireItem[]> {
    const firing: Schedule[] = [];
    for (const { schedule, items } of wanted) {
      for (const item of items) if (item.fires) firing.push(schedule);
    }
    const refusals = (await this.#gate.refusalsOfDue(firing)).values();
    const letIn: FireItem[] = [];
    for (const { items } of wanted) {
      let waits = false;
      for (const item of items) {
        if (item.fires && refusals.next().value !== undefined) waits = true;
        if (!waits) letIn.push(item);
      }
    }
    return letIn;
  }
}

/**
 * Tells the time of a shard that was idle for longer than one command may move it, so that the next
 * command finds it right.
 */
export async function moveStateTime(leader: ShardLeader, toMs: number): Promise<void> {
  if (leader.machine.nowMs >= toMs) return;
  await leader.ask({ kind: 'fire', items: [] });
}

/** What is to be done about the occurrences of a schedule up to now, the first of them. */
export function dueItems(schedule: Schedule, wallMs: number): FireItem[] {
  const { definition, standing, createdMs } = schedule;
  const { tenant, name, withinMs, jitterMs } = definition;
  const items: FireItem[] = [];
  let cursorMs = standing.cursorMs;
  const add = (occurrenceMs: number, fires: boolean, missed: number): void => {
    items.push({ tenant, name, createdMs, afterMs: cursorMs, occurrenceMs, fires, missed });
    cursorMs = occurrenceMs;
  };
  const missedToMs = wallMs - onTimeMs - jitterMs;
  const caughtFromMs = withinMs === undefined ? 0 : wallMs - withinMs;
  const passToMs = lastPassed(schedule, missedToMs, caughtFromMs);
  if (passToMs !== undefined) {
    const passed = passOver(schedule, passToMs);
    if (passed.count > 0) add(passed.lastMs, false, passed.count);
    if (passed.lastMs < passToMs) return items;
  }
  const mostFires = Math.min(itemsPerScheduleMax, standing.left ?? itemsPerScheduleMax);
  for (let fired = 0; fired < mostFires; fired++) {
    const next = nextOccurrence(definition, cursorMs);
    if (next === undefined || next + jitterOf(definition, next) > wallMs) break;
    add(next, true, 0);
  }
  return items;
}

/** The last occurrence that is passed over; `undefined` where all are to fire. */
function lastPassed(
  { definition, standing }: Schedule,
  missedToMs: number,
  caughtFromMs: number,
): number | undefined {
  const { cursorMs } = standing;
  if (missedToMs <= cursorMs) return undefined;
  const first = nextOccurrence(definition, cursorMs);
  if (first === undefined || first > missedToMs) return undefined;
  if (definition.catchUp === 'all') {
    return first < caughtFromMs
      ? lastOccurrence(definition, cursorMs, caughtFromMs - 1)
      : undefined;
  }
  const last = lastOccurrence(definition, cursorMs, missedToMs);
  if (last === undefined || definition.catchUp === 'skip' || last < caughtFromMs) return last;
  return first < last ? lastOccurrence(definition, cursorMs, last - 1) : undefined;
}

/** Counts what is passed over, some of it at a time. */
function passOver(
  { definition, standing }: Schedule,
  toMs: number,
): { readonly lastMs: number; readonly count: number } {
  let lastMs = standing.cursorMs;
  let count = 0;
  while (count < passedMax) {
    const next = nextOccurrence(definition, lastMs);
    if (next === undefined || next > toMs) break;
    lastMs = next;
    count++;
  }
  return { lastMs, count };
}
