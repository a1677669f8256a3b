/**
 * What a schedule does when an occurrence is to fire: makes its task, lets it wait, has the tasks
 * before it cancelled, or gives it up; and what follows when one of its tasks has settled.
 */
import { assert } from '../model/assert.ts';
import type { ItemReply } from '../model/command.ts';
import { errorTable } from '../model/errors.ts';
import { parseTaskId, type TaskId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import { firingId, type QueuedFiring } from '../model/schedule.ts';
import { cancelRow } from './commands/cancel.ts';
import { prepareSpec, submitOne } from './commands/submit.ts';
import { digestWords } from './keys.ts';
import type { Schedule } from './schedules.ts';
import { lookup, type ShardState } from './state.ts';
import { instantMaxMs } from './state-time.ts';
import type { Turn } from './turn.ts';

/** What became of an occurrence; folded into the digest by its number. */
const fates = { refused: 0, fired: 1, queued: 2, skipped: 3, repeated: 4 } as const;
type Fate = keyof typeof fates;

interface Decided {
  readonly fate: Fate;
  /** Of its task, or of the refusal. */
  readonly reply?: ItemReply | undefined;
}

/** Lets an occurrence fire by the schedule's rule for overlaps. */
export function decideFiring(turn: Turn, schedule: Schedule, firing: QueuedFiring): Decided {
  startWaiting(turn, schedule);
  const decided = decide(turn, schedule, firing);
  turn.state.fold(fates[decided.fate]);
  return decided;
}

function decide(turn: Turn, schedule: Schedule, firing: QueuedFiring): Decided {
  const { active, queued } = schedule.standing;
  const { overlap } = schedule.definition;
  const isFree = active.length === 0 && queued.length === 0;
  if (isFree || (overlap === 'allow' && active.length < limits.scheduleActiveMax)) {
    return start(turn, schedule, firing);
  }
  if (overlap === 'queue') return enqueue(turn, schedule, firing);
  if (overlap === 'replace') {
    // Of those that wait already only the newest would ever have run.
    turn.state.schedules.change(schedule, {
      queued: [firing],
      skipped: schedule.standing.skipped + queued.length,
    });
    const { name } = schedule.definition;
    const reason = `replaced by the next occurrence of schedule ${name}`;
    for (const id of active) {
      const row = turn.state.lookUp(id);
      if (row >= 0) cancelRow(turn, row, { reason, by: `schedule:${name}` });
    }
    return { fate: 'queued' };
  }
  return giveUp(turn, schedule);
}

/**
 * Lets an occurrence of the past fire that somebody asked for: at once where tasks may overlap,
 * else behind those before it, as none of a list should be given up for another.
 */
export function decideBackfill(turn: Turn, schedule: Schedule, firing: QueuedFiring): Decided {
  startWaiting(turn, schedule);
  const { active, queued } = schedule.standing;
  const isFree = active.length === 0 && queued.length === 0;
  const mayStart =
    isFree || (schedule.definition.overlap === 'allow' && active.length < limits.scheduleActiveMax);
  const decided = mayStart ? start(turn, schedule, firing) : enqueue(turn, schedule, firing);
  turn.state.fold(fates[decided.fate]);
  return decided;
}

function enqueue(turn: Turn, schedule: Schedule, firing: QueuedFiring): Decided {
  const { queued } = schedule.standing;
  if (queued.length >= limits.scheduleQueueMax) return giveUp(turn, schedule);
  turn.state.schedules.change(schedule, { queued: [...queued, firing] });
  return { fate: 'queued' };
}

function giveUp(turn: Turn, schedule: Schedule): Decided {
  turn.state.schedules.change(schedule, { skipped: schedule.standing.skipped + 1 });
  return { fate: 'skipped' };
}

/** Later than this after its occurrence a task is named by the time at which it is made. */
const onTimeMs = 60_000;

/**
 * The instant in an ID, by which tasks are listed and expire: that of the occurrence where it fires
 * on time, else when it was asked for, which must be the same if it is asked for again. Nothing is
 * admitted under one from before what has left the history.
 */
function idInstant(state: ShardState, schedule: Schedule, firing: QueuedFiring): number {
  const { occurrenceMs, salt } = firing;
  const baseMs = state.readyBaseMs;
  const isLate = occurrenceMs < baseMs - onTimeMs - schedule.definition.jitterMs;
  const asked = salt === undefined ? undefined : parseTaskId(salt);
  const wantedMs = salt === undefined ? (isLate ? baseMs : occurrenceMs) : asked?.atMs;
  return Math.min(Math.max(wantedMs ?? occurrenceMs, state.expired.toMs + 1), instantMaxMs);
}

/** ID of the task of an occurrence; a free one, unless somebody gave it a name of its own. */
function idFor(state: ShardState, schedule: Schedule, firing: QueuedFiring): TaskId {
  if (firing.id !== undefined) return firing.id;
  const { occurrenceMs, salt } = firing;
  const idMs = idInstant(state, schedule, firing);
  const { tenant, name } = schedule.definition;
  const origin = { tenant, name, createdMs: schedule.createdMs };
  let id = firingId(origin, occurrenceMs, idMs, salt ?? '');
  if (salt !== undefined) return id;
  // Forty bits may meet those of another task: the next number that is free is as good.
  for (let next = 1; state.lookUp(id) !== lookup.unknown; next++) {
    id = firingId(origin, occurrenceMs, idMs, `again ${next}`);
  }
  return id;
}

/** Whether what somebody asked for by name is there: as a task, or behind others. */
export function isMade(state: ShardState, schedule: Schedule, firing: QueuedFiring): boolean {
  const { occurrenceMs, id, salt } = firing;
  const waits = schedule.standing.queued.some(
    queued => queued.id === id && queued.salt === salt && queued.occurrenceMs === occurrenceMs,
  );
  return waits || isItsTask(state, schedule, idFor(state, schedule, firing));
}

/** A settled task is compared by the bits of its spec that every replica keeps. */
export function isItsTask(state: ShardState, schedule: Schedule, id: TaskId): boolean {
  const found = state.lookUp(id);
  if (found === lookup.settled) {
    return state.settled.matches(state.words, digestWords(schedule.digest)[0]!);
  }
  return found >= 0 && state.table.detail(found)?.firing?.schedule === schedule.definition.name;
}

/** Makes the task of an occurrence; a refusal of the shard to take it changes nothing. */
function start(turn: Turn, schedule: Schedule, firing: QueuedFiring): Decided {
  const { state } = turn;
  const { definition, digest, spec } = schedule;
  const { occurrenceMs } = firing;
  const id = idFor(state, schedule, firing);
  const prepared = prepareSpec(state, digest, spec);
  const made = { schedule: definition.name, occurrenceMs };
  const reply = submitOne(turn, { id, spec: 0 }, prepared, made);
  state.specs.dropUnusedTraits(prepared.traits);
  if (!reply.ok) return { fate: 'refused', reply };
  if (reply.repeated) return { fate: 'repeated', reply };
  state.schedules.activate(schedule, { occurrenceMs, taskId: id, firedAtMs: state.stampMs });
  return { fate: 'fired', reply };
}

/** Starts what waits for nothing any more. */
function startWaiting(turn: Turn, schedule: Schedule): void {
  for (;;) {
    const [first] = schedule.standing.queued;
    if (first === undefined || schedule.standing.active.length > 0) return;
    const { reply } = start(turn, schedule, first);
    const refused = reply?.ok === false;
    // Where the shard is full it stays, and is tried again with the next that settles or fires.
    if (refused && errorTable[reply.code].http === 429) return;
    const { queued, skipped } = schedule.standing;
    turn.state.schedules.change(schedule, {
      queued: queued.slice(1),
      skipped: skipped + (refused ? 1 : 0),
    });
  }
}

/** What settled by this command makes room for what waits behind it. */
export function startQueued(turn: Turn): void {
  if (turn.state.schedules.size === 0) return;
  // A task that starts here cannot settle at once: the list does not grow by what follows.
  const settled = turn.effects.filter(effect => effect.kind === 'settled');
  for (const { taskId } of settled) {
    const schedule = turn.state.schedules.deactivate(taskId);
    if (schedule !== undefined) startWaiting(turn, schedule);
  }
}

/** For the invariants: what a schedule says of its tasks is so. */
export function checkSchedules(state: ShardState): void {
  for (const schedule of state.schedules.all()) {
    const { definition, standing } = schedule;
    for (const id of standing.active) {
      const row = state.lookUp(id);
      assert(row >= 0, `${id} of schedule ${definition.name} has not settled`);
      const firing = state.table.detail(row)?.firing;
      assert(firing?.schedule === definition.name, `${id} knows the schedule that made it`);
      assert(state.schedules.ofTask(id) === schedule, `the schedule of ${id} is found by it`);
    }
    assert(
      definition.overlap === 'allow' || standing.active.length <= 1,
      `schedule ${definition.name} runs one task at a time`,
    );
    assert(standing.queued.length <= limits.scheduleQueueMax, 'few occurrences wait');
    assert((standing.left ?? 0) <= (definition.count ?? 0), 'no more are left than were asked for');
  }
}
