/** How an attempt ended, in a few words, and the exit code a waiting command takes from a task. */
import type { Outcome } from '../../src/model/attempt.ts';
import { isSettled, type TaskState, type TaskView } from '../../src/model/task.ts';
import type { Paint } from './screen.ts';
import { oneLine } from './text.ts';

const words: Record<Outcome['kind'], string> = {
  succeeded: 'succeeded',
  failed: 'failed',
  timedOut: 'over its cap',
  cancelled: 'cancelled',
  lost: 'lost with its node',
  startFailed: 'could not be started',
  outOfMemory: 'out of memory',
  outputTooLarge: 'too much output',
};

/** `failed: exit code 2`, `over its cap: SIGKILL`, `lost with its node`. */
export function describeOutcome(outcome: Outcome): string {
  const details: string[] = [];
  if (outcome.signal !== undefined) details.push(outcome.signal);
  else if (outcome.exitCode !== undefined && outcome.exitCode !== 0) {
    details.push(`exit code ${outcome.exitCode}`);
  }
  if (outcome.message !== '') details.push(oneLine(outcome.message));
  const word = words[outcome.kind] ?? outcome.kind;
  return details.length === 0 ? word : `${word}: ${details.join(', ')}`;
}

/**
 * How a task ended in one line: what its last attempt did, and what was decided about that. Of what
 * was given up as it may be what ends nodes, the latter says it all.
 */
export function describeEnd(outcome: Outcome | undefined, reason: string | undefined): string {
  const why = reason === undefined ? '' : oneLine(reason);
  if (outcome === undefined || (outcome.kind === 'lost' && why !== '')) return why;
  const ended = describeOutcome(outcome);
  return why === '' || ended.includes(why) ? ended : `${ended} (${why})`;
}

const paints: Record<TaskState, Paint> = {
  waiting: 'yellow',
  assigned: 'cyan',
  running: 'cyan',
  succeeded: 'green',
  failed: 'red',
  cancelled: 'yellow',
  aborted: 'red',
};

export const statePaint = (state: TaskState): Paint | undefined => paints[state];

/** Exit code of `wait` for tasks: the first of 5, 3, 4 that applies, else 0. */
export function waitExit(tasks: readonly Pick<TaskView, 'state'>[]): 0 | 3 | 4 | 5 {
  if (tasks.some(task => !isSettled(task.state))) return 5;
  if (tasks.some(task => task.state === 'failed')) return 3;
  if (tasks.some(task => task.state === 'cancelled' || task.state === 'aborted')) return 4;
  return 0;
}
