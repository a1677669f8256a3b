/** What there is to say about a task and its attempts, in words. */
import type { Outcome } from '../model/attempt.ts';
import type { AttemptView, TaskSummary, TaskView } from '../model/task.ts';
import { plural, span } from './format.ts';
import { oneLine } from './text.ts';

/** A task without a name is called by what it runs. */
export const titleOf = (task: Pick<TaskSummary, 'name' | 'command' | 'id'>): string =>
  oneLine(task.name) || oneLine(task.command) || task.id.slice(-8);

/** Settled: it does not change any more. */
export const isSettledState = (state: string): boolean =>
  ['succeeded', 'failed', 'cancelled', 'aborted'].includes(state);

const reasons: Readonly<Record<string, string>> = {
  Queued: 'ready, not looked at yet',
  Resources: 'every node that could run it is full',
  TierUnavailable: 'no node at hand has the tier and labels',
  NoNodes: 'no node that could run it was heard of lately',
  BackOff: 'back-off before the next attempt',
  NeverFits: 'no node is large enough, even empty',
  ShardNoQuorum: 'its shard has no majority',
  Dependency: 'waits for another task',
  BeginTime: 'not before its time',
  RateLimit: 'rate limit',
  Paused: 'paused',
  Quota: 'quota',
  OrderKey: 'one before it in order',
  OffPeak: 'held for a quieter time',
  Priority: 'others are more urgent',
  MaxRunning: 'as many of its key run as may',
  Gang: 'waits for the others of its gang',
  Reservation: 'its reservation is over, or not its own',
  RoomKept: 'every node that could run it is full, room is kept for it',
};

/** Why a task waits, or what there is to say about how it settled. */
export const reasonWords = (reason: string): string => reasons[reason] ?? oneLine(reason);

export const runsWords = (task: Pick<TaskView, 'runs' | 'attemptsMax'>): string =>
  `${task.runs} / ${task.attemptsMax}`;

const kinds: Record<Outcome['kind'], string> = {
  succeeded: 'succeeded',
  failed: 'failed',
  timedOut: 'over its cap',
  cancelled: 'cancelled',
  lost: 'lost with its node',
  startFailed: 'could not be started',
  outOfMemory: 'out of memory',
  outputTooLarge: 'output too large',
};

/** `failed, exit code 1`, `cancelled, SIGTERM`. */
export function outcomeWords(outcome: Outcome): string {
  const parts = [kinds[outcome.kind] ?? oneLine(outcome.kind)];
  if (outcome.exitCode !== undefined && outcome.kind !== 'succeeded') {
    parts.push(`exit code ${outcome.exitCode}`);
  }
  if (outcome.signal !== undefined) parts.push(oneLine(outcome.signal));
  return parts.join(', ');
}

/** When the process began and ended, where it has; the clocks of two nodes may differ a little. */
export interface AttemptTimes {
  readonly assignedAtMs: number;
  readonly startedAtMs?: number | undefined;
  readonly endedAtMs?: number | undefined;
}

export function timesOf(attempt: AttemptView): AttemptTimes {
  const { assignedAtMs, outcome } = attempt;
  const endedAtMs = attempt.endedAtMs ?? outcome?.endedAtMs;
  const told = attempt.startedAtMs ?? outcome?.startedAtMs;
  const startedAtMs = told === undefined || told === 0 ? undefined : Math.max(told, assignedAtMs);
  return { assignedAtMs, startedAtMs, endedAtMs };
}

/** `waited 120 ms, started after 40 ms, ran 3.2 s`. */
export function attemptWords(attempt: AttemptView, readySinceMs: number, nowMs: number): string {
  const { assignedAtMs, startedAtMs, endedAtMs } = timesOf(attempt);
  const parts = [`waited ${span(assignedAtMs - readySinceMs)}`];
  if (startedAtMs === undefined) {
    const passedMs = (endedAtMs ?? nowMs) - assignedAtMs;
    parts.push(
      endedAtMs === undefined ? `not started for ${span(passedMs)}` : 'was never seen to start',
    );
    return parts.join(', ');
  }
  parts.push(`started after ${span(startedAtMs - assignedAtMs)}`);
  const ranMs = (endedAtMs ?? nowMs) - startedAtMs;
  parts.push(endedAtMs === undefined ? `runs for ${span(ranMs)}` : `ran ${span(ranMs)}`);
  return parts.join(', ');
}

/** Since when an attempt was waited for: the end of the one before, or the submit. */
export function readySince(task: TaskView, position: number): number {
  const before = task.attempts[position - 1];
  return (before === undefined ? undefined : timesOf(before).endedAtMs) ?? task.submittedAtMs;
}

/** `CPU 1.2 s, peak memory 12 MiB`, where it was measured. */
export function usageWords(outcome: Outcome, size: (bytes: number) => string): string {
  const cpuMs = outcome.userCpuMs + outcome.systemCpuMs;
  const parts: string[] = [];
  if (outcome.startedAtMs > 0) parts.push(`CPU ${span(cpuMs)}`);
  if (outcome.peakMemoryBytes > 0) parts.push(`peak memory ${size(outcome.peakMemoryBytes)}`);
  const bytes = outcome.stdoutBytes + outcome.stderrBytes;
  if (bytes > 0) parts.push(`output ${size(bytes)}${outcome.outputTruncated ? ', cut' : ''}`);
  return parts.join(', ');
}

/** `Shards 3, 4 and 5 did not answer …`. */
export function missingWords(shards: readonly number[]): string {
  if (shards.length === 0) return '';
  const named = shards.length <= 5 ? ` (${shards.join(', ')})` : '';
  return `${plural(shards.length, 'shard')}${named} did not answer: their tasks are missing here.`;
}

/** What a listing says of shards that were told of without a majority; empty without any. */
export function staleWords(shards: readonly number[]): string {
  if (shards.length === 0) return '';
  const named = shards.length <= 5 ? ` (${shards.join(', ')})` : '';
  return `No majority of ${plural(shards.length, 'shard')}${named}: their tasks may be out of date.`;
}
