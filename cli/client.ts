/**
 * The client of the HTTP API: tries the nodes it was given one after the other, repeats what is
 * safe to repeat for a few seconds, and says exactly what is known when it gives up: refused,
 * unreachable, no quorum, or outcome unknown.
 */
import { type ErrorCode, errorTable, isErrorCode } from '../src/model/errors.ts';
import { CliError } from './cli-error.ts';
import {
  type Answer,
  type Exchange,
  ExchangeError,
  exchange,
  type OpenAnswer,
  openExchange,
} from './http.ts';
import type { Target } from './profile.ts';
import { type Placing, placedOf, refusal } from './refusal.ts';

/** How long a request is tried again before the client says what it knows. */
export interface RetryWindows {
  /** No new try after this, so that a cluster without a majority is told of within 5 s. */
  readonly answeredMs: number;
  /** The same while nothing listens at all: a wrong address should not cost more than this. */
  readonly refusedMs: number;
}

const retryWindows: RetryWindows = { answeredMs: 4_000, refusedMs: 1_500 };
const connectMs = 3_000;
const tryMs = 10_000;
/** While another address is left to try. */
const firstTryMs = 5_000;
const pauseMsMin = 100;
const pauseMsMax = 1_000;

export interface Call {
  readonly method: 'GET' | 'POST';
  /** With the query. */
  readonly path: string;
  readonly body?: unknown;
  /** The request may be sent again although the first may have been carried out. */
  readonly repeatable: boolean;
  /** How long the other side may take, where that is longer than usual. */
  readonly timeoutMs?: number | undefined;
  /** IDs to name where the outcome stays unknown. */
  readonly ids?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Where in what a person gave the places of the body stand. */
  readonly place?: Placing | undefined;
}

export interface Reply<T> {
  readonly status: number;
  readonly headers: Answer['headers'];
  readonly body: T;
}

/** A problem document (RFC 9457) as far as it is used here. */
interface ProblemDocument {
  readonly code?: unknown;
  readonly title?: unknown;
  readonly detail?: unknown;
  readonly suggestion?: unknown;
  readonly field?: unknown;
  readonly pointer?: unknown;
  readonly retryAfterMs?: unknown;
  readonly problems?: unknown;
}

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

const codeOfStatus = (status: number): ErrorCode => {
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'unknownRoute';
  if (status === 408) return 'requestTimeout';
  if (status === 413) return 'tooLarge';
  if (status === 429) return 'overloaded';
  if (status === 503) return 'unreachable';
  if (status === 504) return 'outcomeUnknown';
  return status < 500 ? 'badRequest' : 'internal';
};

/** The error that an answer of 400 or more stands for; `place` finds what it is about. */
export function problemOf(answer: Answer, place?: Placing): CliError {
  let found: ProblemDocument = {};
  try {
    const parsed: unknown = JSON.parse(answer.body.toString('utf8'));
    if (typeof parsed === 'object' && parsed !== null) found = parsed;
  } catch {
    // Not from a node: the status is all there is.
  }
  const named = text(found.code);
  const code = named !== undefined && isErrorCode(named) ? named : codeOfStatus(answer.status);
  const title = text(found.title) ?? errorTable[code].title;
  const retryAfter = Number(answer.headers['retry-after']);
  const retryAfterMs =
    typeof found.retryAfterMs === 'number'
      ? found.retryAfterMs
      : Number.isFinite(retryAfter)
        ? retryAfter * 1_000
        : undefined;
  const full = ['overloaded', 'tooManyTasks', 'rateLimited', 'quotaExceeded'].includes(code);
  const later =
    full && retryAfterMs !== undefined
      ? `Try again in ${Math.max(1, Math.ceil(retryAfterMs / 1_000))} s, or with fewer at a time.`
      : undefined;
  const told = { title, suggestion: later ?? text(found.suggestion), retryAfterMs };
  const message = text(found.detail) ?? (named === undefined ? `HTTP ${answer.status}` : title);
  const field = text(found.pointer) ?? text(found.field);
  const problems = placedOf({ message, field, problems: found.problems }, place);
  if (problems.length > 0) return refusal(code, problems, told);
  return new CliError(code, message, { ...told, field });
}

/** Passing conditions: another node, or the same one a moment later, may answer. */
const passing: ReadonlySet<ErrorCode> = new Set([
  'noQuorum',
  'notLeader',
  'starting',
  'requestTimeout',
  'overloaded',
  'tooManyTasks',
  'diskFull',
  'nodeUnreachable',
  'outcomeUnknown',
  'unreachable',
]);

const isUnknown = (error: CliError | ExchangeError): boolean =>
  error instanceof ExchangeError ? error.reached : error.code === 'outcomeUnknown';

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));

export class Client {
  readonly #target: Target;
  readonly #windows: RetryWindows;
  /** The address that answered last: asked first. */
  #preferred = 0;

  constructor(target: Target, windows: RetryWindows = retryWindows) {
    this.#windows = windows;
    this.#target = target;
  }

  /** Sends one request to one node after the other. Throws `CliError` with what is known. */
  async call<T>(asked: Call): Promise<Reply<T>> {
    const answer = await this.#onAnyNode(asked, (address, timeoutMs) =>
      this.#answer(address, asked, timeoutMs),
    );
    let body: unknown;
    try {
      body = answer.body.length === 0 ? undefined : JSON.parse(answer.body.toString('utf8'));
    } catch (cause) {
      throw new CliError('internal', 'the answer is not JSON', {
        title: 'This is not a tsched node',
        suggestion: 'Check --addr.',
        cause,
      });
    }
    return { status: answer.status, headers: answer.headers, body: body as T };
  }

  async get<T>(path: string, timeoutMs?: number): Promise<T> {
    return (await this.call<T>({ method: 'GET', path, repeatable: true, timeoutMs })).body;
  }

  /** Opens a stream: the answer's body is handed out as it comes. */
  async open(path: string): Promise<OpenAnswer> {
    const asked: Call = { method: 'GET', path, repeatable: true };
    return this.#onAnyNode(asked, async (address, timeoutMs) => {
      const opened = await openExchange(this.#exchangeFor(address, asked, timeoutMs));
      if (opened.status < 400) return opened;
      const chunks: Buffer[] = [];
      for await (const chunk of opened.chunks) chunks.push(chunk);
      throw problemOf({ ...opened, body: Buffer.concat(chunks) });
    });
  }

  /** The same client for one node only. */
  at(address: URL): Client {
    return new Client({ ...this.#target, addresses: [address] }, this.#windows);
  }

  get addresses(): readonly URL[] {
    return this.#target.addresses;
  }

  async #answer(address: URL, asked: Call, timeoutMs: number): Promise<Answer> {
    const answer = await exchange(this.#exchangeFor(address, asked, timeoutMs));
    if (answer.status >= 400) throw problemOf(answer, asked.place);
    return answer;
  }

  #exchangeFor(address: URL, asked: Call, timeoutMs: number): Exchange {
    const headers: Record<string, string> = {
      accept: 'application/json, application/problem+json, application/octet-stream',
    };
    if (this.#target.token !== undefined) headers['authorization'] = `Bearer ${this.#target.token}`;
    let body: string | undefined;
    if (asked.method === 'POST') {
      body = asked.body === undefined ? '{}' : JSON.stringify(asked.body);
      headers['content-type'] = 'application/json';
      headers['content-length'] = String(Buffer.byteLength(body));
    }
    const url = new URL(address.pathname.replace(/\/$/, '') + asked.path, address);
    return { method: asked.method, url, headers, body, connectMs, timeoutMs, signal: asked.signal };
  }

  async #onAnyNode<T>(
    asked: Call,
    send: (address: URL, timeoutMs: number) => Promise<T>,
  ): Promise<T> {
    const { addresses } = this.#target;
    const startedMs = performance.now();
    let unknown: CliError | ExchangeError | undefined;
    for (let round = 0; ; round++) {
      const position = (this.#preferred + round) % addresses.length;
      const others = round + 1 < addresses.length;
      const timeoutMs = asked.timeoutMs ?? (others ? firstTryMs : tryMs);
      let failure: CliError | ExchangeError;
      try {
        const result = await send(addresses[position]!, timeoutMs);
        this.#preferred = position;
        return result;
      } catch (error) {
        if (!(error instanceof CliError || error instanceof ExchangeError)) throw error;
        failure = error;
      }
      if (failure instanceof CliError && !passing.has(failure.code)) throw failure;
      if (isUnknown(failure)) unknown = failure;
      const mayRepeat = asked.repeatable || unknown === undefined;
      const elapsedMs = performance.now() - startedMs;
      const pauseMs = others ? 0 : this.#pauseAfter(failure, round);
      const refused = failure instanceof ExchangeError && !failure.reached;
      const { answeredMs, refusedMs } = this.#windows;
      const windowMs = refused && unknown === undefined ? refusedMs : answeredMs;
      const timeLeft = elapsedMs + pauseMs < windowMs;
      if (asked.signal?.aborted || !mayRepeat || !(others || timeLeft)) {
        throw this.#verdict(asked, failure, unknown);
      }
      await pause(pauseMs);
    }
  }

  #pauseAfter(failure: CliError | ExchangeError, round: number): number {
    const turns = Math.floor(round / this.#target.addresses.length);
    const backoffMs = Math.min(pauseMsMax, pauseMsMin * 2 ** Math.min(turns, 8));
    return failure instanceof CliError && failure.retryAfterMs !== undefined
      ? Math.max(backoffMs, failure.retryAfterMs)
      : backoffMs;
  }

  #verdict(
    asked: Call,
    last: CliError | ExchangeError,
    unknown: CliError | ExchangeError | undefined,
  ): CliError {
    if (asked.method === 'POST' && unknown !== undefined) {
      return new CliError('outcomeUnknown', unknown.message, {
        ids: asked.ids,
        cause: unknown,
        ...(asked.repeatable
          ? {}
          : { suggestion: 'Look with `tsched list` whether it happened before you repeat it.' }),
      });
    }
    if (last instanceof CliError) return last;
    const tried = this.#target.addresses.map(address => address.host).join(', ');
    const many = this.#target.addresses.length > 1;
    return new CliError('unreachable', many ? `tried ${tried}; ${last.message}` : last.message, {
      cause: last,
    });
  }
}
