/**
 * `GET /v1/events` for as long as it is wanted. It is read with `fetch`, because an `EventSource`
 * cannot send a token; a stream that breaks is opened again behind the last event that was seen.
 */
import type { TaskEvent } from '../model/task.ts';
import type { Api } from './api.ts';
import { ApiError, noAnswer, problemOfAnswer } from './problem.ts';
import { pause, untilSeen } from './repeat.ts';
import { SseParser } from './sse.ts';

/** The node sends something at least every 10 s. */
const silenceMs = 25_000;
const retryMs = 1_000;
const retryMaxMs = 10_000;

export interface EventListener {
  /** The stream is open: what was read before may be old. */
  opened(): void;
  event(event: TaskEvent): void;
  /** How it goes: `undefined` where it goes well. */
  told(error: unknown): void;
}

/** Follows the events of one task, or of all where `task` is missing, until the signal aborts. */
export function followEvents(
  api: Api,
  task: string | undefined,
  signal: AbortSignal,
  listener: EventListener,
): void {
  const path = task === undefined ? '/v1/events' : `/v1/events?task=${encodeURIComponent(task)}`;
  let cursor: string | undefined;
  let failures = 0;
  const listen = async (round: AbortSignal, heard: () => void): Promise<void> => {
    const headers = cursor === undefined ? {} : { 'Last-Event-ID': cursor };
    const response = await api.open(path, { headers, signal: round });
    failures = 0;
    listener.told(undefined);
    listener.opened();
    for await (const message of messagesOf(response, heard)) {
      if (message.event === 'problem') throw problemOfAnswer(0, message.data);
      if (message.id !== '') cursor = message.id;
      listener.event(JSON.parse(message.data) as TaskEvent);
    }
    throw noAnswer();
  };
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      await untilSeen(signal);
      const round = new Round(signal);
      try {
        await listen(round.signal, round.heard);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ApiError && error.code === 'cursorExpired') {
          cursor = undefined;
          continue;
        }
        if (!round.hidden) listener.told(round.silent ? noAnswer() : error);
      } finally {
        round.end();
      }
      if (!round.hidden) await pause(Math.min(retryMaxMs, retryMs * 2 ** failures++), signal);
    }
  };
  run().catch(error => listener.told(error));
}

async function* messagesOf(response: Response, heard: () => void) {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  const parser = new SseParser();
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read().catch(() => {
      throw noAnswer();
    });
    if (done) return;
    heard();
    yield* parser.push(decoder.decode(value, { stream: true }));
  }
}

/** One opening of the stream: it ends when the page is hidden and when the node falls silent. */
class Round {
  readonly #ended = new AbortController();
  readonly signal: AbortSignal;
  hidden = false;
  silent = false;
  #timer = 0;

  constructor(outer: AbortSignal) {
    this.signal = AbortSignal.any([outer, this.#ended.signal]);
    document.addEventListener('visibilitychange', this.#look);
    this.heard();
  }

  readonly heard = (): void => {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.silent = true;
      this.#ended.abort();
    }, silenceMs);
  };

  readonly #look = (): void => {
    if (!document.hidden) return;
    this.hidden = true;
    this.#ended.abort();
  };

  end(): void {
    clearTimeout(this.#timer);
    document.removeEventListener('visibilitychange', this.#look);
    this.#ended.abort();
  }
}
