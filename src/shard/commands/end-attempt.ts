/**
 * What follows from the end of a live attempt, for `finish` and `lose` alike:
 *
 *   succeeded                      → succeeded, a cancel that came too late notwithstanding
 *   cancelled, or a cancel asked   → cancelled
 *   lost                           → waits again at once and counts no run, with the start bound
 *                                    that it had unless it is known to have started; poison when
 *                                    it was lost `limits.lostMax` times, or `supervisorsLostMax`
 *                                    times because the supervisor ended under it
 *   anything else                  → waits for its back-off while runs are left and its causes may
 *                                    be retried, else failed
 *
 * Poison is failed and a dead letter like every failed task; before these rules were adopted
 * (`rules.ts`) it was aborted, supervisors were not counted, and back-offs were not spread.
 *
 * With an attempt that did not succeed end those of its gang: see `gang-recall.ts`.
 */
import type { Outcome } from '../../model/attempt.ts';
import { whyNotRetried } from '../../model/failure-causes.ts';
import type { NodeId } from '../../model/ids.ts';
import { limits } from '../../model/limits.ts';
import { mix32 } from '../../model/slots.ts';
import type { Backoff } from '../../model/spec.ts';
import { taskStates } from '../../model/task.ts';
import { hashWords } from '../memory/id-words.ts';
import type { AttemptRecord, Recall } from '../memory/task-detail.ts';
import { stateCode } from '../memory/task-table.ts';
import { failureRules } from '../rules.ts';
import { lookAtStart } from '../start-bound.ts';
import type { ShardState } from '../state.ts';
import { instantMaxMs } from '../state-time.ts';
import { attemptsOf, backoffOf } from '../terms.ts';
import type { Turn } from '../turn.ts';
import { abort, recallOf, recallOthers } from './gang-recall.ts';

/** Doublings after which no back-off grows: 2^40 ms are 34 years. */
const doublingsMax = 40;

/** Wait after the `runs`-th failed run: doubled with each, from `initialMs` to `maxMs`. */
export function backoffMs(backoff: Backoff, runs: number): number {
  return Math.min(backoff.maxMs, backoff.initialMs * 2 ** Math.min(runs - 1, doublingsMax));
}

/**
 * Between half a pause and all of it, by the task and the run, so that what failed together does
 * not come back together.
 */
export function spreadMs(pauseMs: number, words: Uint32Array, runs: number): number {
  const hash = mix32(hashWords(words[0]!, words[1]!, words[2]!, words[3]!) ^ runs);
  return pauseMs - Math.floor((Math.floor(pauseMs / 2) * (hash >>> 16)) / 2 ** 16);
}

interface Settling {
  readonly code: number;
  readonly reason: string;
}

/** Ends the live attempt of a task. */
export function endAttempt(turn: Turn, row: number, outcome: Outcome): void {
  const { state, effects } = turn;
  const { table } = state;
  const startedMs = startedAtMs(outcome);
  if (startedMs !== undefined) lookAtStart(turn, row, startedMs);
  const recall = outcome.kind === 'succeeded' ? undefined : recallOf(state, row);
  if (recall !== undefined) {
    endRecalled(turn, row, outcome, recall);
    return;
  }
  const gang = state.gangs.of(row);
  const isLost = outcome.kind === 'lost';
  if (isLost) table.setLost(row, table.lost(row) + 1);
  else table.setRuns(row, table.runs(row) + 1);
  const live = state.endLive(row);
  const attempt = {
    ...live,
    startedAtMs: live.startedAtMs ?? startedMs,
    endedAtMs: state.shownInstant(row),
    outcome,
  };
  const { fence, node } = attempt;
  const taskId = table.id(row);
  const about = { attempt: fence, node, outcome: outcome.kind };
  state.flush.markTask(row, textLength(outcome));
  effects.push({ kind: 'attemptEnded', taskId, fence, node });

  const countsSupervisor = outcome.supervisorLost === true && state.rules >= failureRules;
  if (countsSupervisor) table.ensureDetail(row).supervisorsLost++;
  const settling = settlingOf(turn, row, outcome);
  if (settling === undefined) {
    state.keepEnded(row, retried(attempt));
    if (!isLost || countsSupervisor) avoid(state, row, node);
    waitAgain(turn, row, isLost);
    state.note('attemptEnded', row, about);
    const why = `${taskId} of its gang ${isLost ? 'was lost' : 'failed'}: ${outcome.message}`;
    recallOthers(turn, gang, isLost ? 'again' : 'counts', why);
    return;
  }
  state.keepEnded(row, attempt);
  state.settle(row, settling.code, { reason: settling.reason });
  state.note('attemptEnded', row, about);
  state.note('settled', row, about);
  if (state.deadLetters.has(table.wordsOf(row))) state.note('deadLettered', row, about);
  effects.push({ kind: 'settled', taskId, state: taskStates[settling.code]! });
  if (settling.code === stateCode.succeeded) return;
  recallOthers(turn, gang, 'over', `${taskId} of its gang ${taskStates[settling.code]!}`);
}

const textLength = ({ tail, message, output }: Outcome): number =>
  tail.length + message.length + (output?.length ?? 0);

/** When a process started whose start was not told before its end. */
const startedAtMs = (outcome: Outcome): number | undefined =>
  outcome.kind === 'startFailed' || outcome.startedAtMs === 0 ? undefined : outcome.startedAtMs;

/** How the outcome settles the task; `undefined` where it runs again. */
function settlingOf(turn: Turn, row: number, outcome: Outcome): Settling | undefined {
  const { table, specs } = turn.state;
  if (outcome.kind === 'succeeded') return { code: stateCode.succeeded, reason: '' };
  const request = table.detail(row)?.cancelRequested;
  if (request !== undefined || outcome.kind === 'cancelled') {
    return { code: stateCode.cancelled, reason: request?.reason ?? outcome.message };
  }
  if (outcome.kind === 'lost') return poisonOf(turn.state, row);
  if (table.runs(row) >= attemptsOf(turn.state, row)) {
    return { code: stateCode.failed, reason: outcome.message };
  }
  const reason = whyNotRetried(specs.traits(table.spec(row)).retry, outcome);
  return reason === undefined ? undefined : { code: stateCode.failed, reason };
}

/** Whether a task that was lost again is what ends its nodes. */
function poisonOf({ table, rules }: ShardState, row: number): Settling | undefined {
  const lost = table.lost(row);
  const supervisors = table.detail(row)?.supervisorsLost ?? 0;
  if (supervisors >= limits.supervisorsLostMax) {
    const times = `${supervisors} times`;
    const reason = `the supervisor of its node ended under it ${times}: it may be what ends it`;
    return { code: stateCode.failed, reason };
  }
  if (lost < limits.lostMax) return undefined;
  const code = rules >= failureRules ? stateCode.failed : stateCode.aborted;
  return { code, reason: `${lost} attempts ended with their node` };
}

/** Another node is to have its next attempt, where there is one. */
function avoid({ table }: ShardState, row: number, failedOn: NodeId): void {
  const detail = table.ensureDetail(row);
  const others = detail.avoid.filter(node => node !== failedOn);
  detail.avoid = [...others.slice(1 - limits.avoidMax), failedOn];
}

/** Back to the queue: at once where no run was counted, else after its back-off. */
function waitAgain(turn: Turn, row: number, isLost: boolean): void {
  const { state } = turn;
  turn.readyChanged = true;
  if (isLost) {
    const sinceMs = state.due.hasStarted(row) ? state.readyBaseMs : state.table.readySince(row);
    state.wait(row, sinceMs, false);
    return;
  }
  const pauseMs = pauseAfter(state, row);
  state.wait(row, Math.min(state.readyBaseMs + pauseMs, instantMaxMs), pauseMs > 0);
}

/** How long a task waits after the run that was counted last. */
function pauseAfter(state: ShardState, row: number): number {
  const { table, rules } = state;
  const runs = table.runs(row);
  const pauseMs = backoffMs(backoffOf(state, row), runs);
  return rules >= failureRules ? spreadMs(pauseMs, table.wordsOf(row), runs) : pauseMs;
}

/** Ends the live attempt of a task that was recalled. */
export function endRecalled(turn: Turn, row: number, outcome: Outcome, recall: Recall): void {
  const { state, effects } = turn;
  const live = state.endLive(row);
  const { fence, node } = live;
  effects.push({ kind: 'attemptEnded', taskId: state.table.id(row), fence, node });
  const about = { attempt: fence, node, outcome: outcome.kind };
  // Of one that was never started there is nothing to show, as of one that was refused.
  const started = live.startedAtMs ?? (outcome.startedAtMs || undefined);
  if (started !== undefined) {
    const ended = { ...outcome, message: recall.reason };
    const endedAtMs = state.shownInstant(row);
    state.keepEnded(row, retried({ ...live, startedAtMs: started, endedAtMs, outcome: ended }));
  }
  state.flush.markTask(row, outcome.tail.length);
  if (recall.kind === 'over') {
    abort(turn, row, recall.reason);
    return;
  }
  const { table } = state;
  const isCounted = recall.kind === 'counts';
  if (isCounted) table.setRuns(row, table.runs(row) + 1);
  const pauseMs = isCounted ? pauseAfter(state, row) : 0;
  const sinceMs =
    pauseMs > 0 ? Math.min(state.readyBaseMs + pauseMs, instantMaxMs) : table.readySince(row);
  turn.readyChanged = true;
  state.wait(row, sinceMs, pauseMs > 0);
  state.note(started === undefined ? 'unassigned' : 'attemptEnded', row, about);
}

/**
 * An attempt that is followed by another, with its texts cut short: a waiting task must stay small,
 * and the whole output is on the node that ran it.
 */
function retried(attempt: AttemptRecord & { readonly outcome: Outcome }): AttemptRecord {
  const { outcome } = attempt;
  const tail = lastCharacters(outcome.tail);
  const message =
    outcome.message.length > limits.retriedTailMax
      ? lastCharacters(outcome.message)
      : outcome.message;
  return { ...attempt, outcome: { ...outcome, tail, message, output: undefined } };
}

/** Built from codes: a slice would keep the whole text in memory. */
function lastCharacters(text: string): string {
  if (text.length <= limits.retriedTailMax) return text;
  const codes: number[] = [];
  for (let at = text.length - limits.retriedTailMax; at < text.length; at++) {
    codes.push(text.charCodeAt(at));
  }
  const isHalf = codes[0]! >= 0xdc00 && codes[0]! <= 0xdfff;
  return String.fromCharCode(...(isHalf ? codes.slice(1) : codes));
}
