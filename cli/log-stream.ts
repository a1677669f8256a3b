/**
 * Reading the output of a task, at once or as it comes. A followed output goes on where it was
 * after a lost connection, on another node if need be, and goes over to the next attempt when one
 * ends.
 */
import { isSettled, type TaskView } from '../src/model/task.ts';
import { type CliError, isCliError } from './cli-error.ts';
import type { Client } from './client.ts';
import { ExchangeError, type OpenAnswer } from './http.ts';

const pollPauseMs = 400;
/** The cluster, or the node that holds the output, may be out of reach this long. */
const outageMsMax = 60_000;

export interface LogOptions {
  /** Whole ID. */
  readonly id: string;
  readonly stream: 'stdout' | 'stderr';
  /** The newest one that started where it is not given. */
  readonly attempt: number | undefined;
}

export interface LogEnd {
  readonly attempt: number | undefined;
  /** Bytes read of the last attempt. */
  readonly offset: number;
  readonly ended: boolean;
}

export interface LogSink {
  write(chunk: Buffer): Promise<void>;
  /** Something happened that is not part of the output. */
  note(text: string): void;
}

interface Position {
  attempt: number | undefined;
  offset: number;
}

const header = (answer: OpenAnswer, name: string): string | undefined => {
  const value = answer.headers[name];
  return typeof value === 'string' ? value : undefined;
};

const numberIn = (answer: OpenAnswer, name: string): number | undefined => {
  const count = Number(header(answer, name) ?? Number.NaN);
  return Number.isSafeInteger(count) && count >= 0 ? count : undefined;
};

function pathOf(options: LogOptions, at: Position, follow: boolean): string {
  const query = new URLSearchParams({ stream: options.stream, offset: String(at.offset) });
  if (at.attempt !== undefined) query.set('attempt', String(at.attempt));
  if (follow) query.set('follow', 'true');
  return `/v1/tasks/${encodeURIComponent(options.id)}/logs?${query}`;
}

async function drain(
  answer: OpenAnswer,
  at: Position,
  write: (chunk: Buffer) => Promise<void>,
): Promise<number> {
  at.attempt = numberIn(answer, 'x-tsched-attempt') ?? at.attempt;
  let count = 0;
  for await (const chunk of answer.chunks) {
    await write(chunk);
    at.offset += chunk.length;
    count += chunk.length;
  }
  return count;
}

/** Reads what there is. Throws `noOutput` where nothing has started. */
export async function readOutput(
  client: Client,
  options: LogOptions,
  sink: Pick<LogSink, 'write'>,
): Promise<LogEnd> {
  const at: Position = { attempt: options.attempt, offset: 0 };
  for (;;) {
    const answer = await client.open(pathOf(options, at, false));
    const count = await drain(answer, at, chunk => sink.write(chunk));
    const size = numberIn(answer, 'x-tsched-size') ?? at.offset;
    if (count === 0 || at.offset >= size) {
      return { ...at, ended: header(answer, 'x-tsched-ended') === 'true' };
    }
  }
}

const newestStarted = (task: TaskView): number | undefined =>
  task.attempts.findLast(attempt => attempt.startedAtMs !== undefined)?.attempt;

const pause = (): Promise<void> => new Promise(resolve => setTimeout(resolve, pollPauseMs));

/** The cluster, or one node, cannot be reached now: a moment later it may. */
export const isOutage = (error: unknown): error is Error =>
  error instanceof ExchangeError ||
  (isCliError(error) &&
    ['unreachable', 'noQuorum', 'starting', 'notLeader', 'nodeUnreachable'].includes(error.code));

const hasNoOutput = (error: unknown): error is CliError =>
  isCliError(error) && error.code === 'noOutput';

/** Whether everything of this attempt has been read. */
async function isRead(client: Client, options: LogOptions, at: Position): Promise<boolean> {
  const answer = await client.open(pathOf(options, at, false));
  const left = (numberIn(answer, 'x-tsched-size') ?? at.offset) - at.offset;
  for await (const _chunk of answer.chunks) break;
  return left <= 0 && header(answer, 'x-tsched-ended') === 'true';
}

/** Moves on to the next attempt if there is one; says whether there can still be one. */
async function nextAttempt(
  client: Client,
  options: LogOptions,
  at: Position,
  sink: LogSink,
): Promise<'moved' | 'later' | 'none'> {
  if (options.attempt !== undefined) return 'none';
  const task = await client.get<TaskView>(`/v1/tasks/${encodeURIComponent(options.id)}`);
  const newest = newestStarted(task);
  if (newest !== undefined && newest !== at.attempt) {
    const node = task.attempts.find(attempt => attempt.attempt === newest)!.nodeName;
    if (at.attempt !== undefined) sink.note(`--- attempt ${newest} on ${node} ---`);
    at.attempt = newest;
    at.offset = 0;
    return 'moved';
  }
  return isSettled(task.state) ? 'none' : 'later';
}

/** Follows the output until the task has settled, or the given attempt has ended. */
export async function followOutput(
  client: Client,
  options: LogOptions,
  sink: LogSink,
): Promise<LogEnd> {
  const at: Position = { attempt: options.attempt, offset: 0 };
  let outageSinceMs: number | undefined;
  for (;;) {
    try {
      const answer = await client.open(pathOf(options, at, true));
      outageSinceMs = undefined;
      await drain(answer, at, chunk => sink.write(chunk));
      if (!(await isRead(client, options, at))) continue;
      const next = await nextAttempt(client, options, at, sink);
      if (next === 'none') return { ...at, ended: true };
      if (next === 'later') await pause();
    } catch (error) {
      if (hasNoOutput(error)) {
        const next = await nextAttempt(client, options, at, sink);
        if (next === 'none') throw error;
      } else if (isOutage(error)) {
        const now = performance.now();
        outageSinceMs ??= now;
        if (now - outageSinceMs > outageMsMax) throw error;
        await moveOnIfPossible(client, options, at, sink);
      } else throw error;
      await pause();
    }
  }
}

/** The output of a lost node may stay away; the task may run elsewhere already. */
async function moveOnIfPossible(
  client: Client,
  options: LogOptions,
  at: Position,
  sink: LogSink,
): Promise<void> {
  try {
    await nextAttempt(client, options, at, sink);
  } catch (error) {
    if (!isOutage(error)) throw error;
  }
}
