/**
 * Requests to the node that served the page, with the token. Answers are what
 * `docs/reference/http.md` says; everything else is thrown as `ApiError`.
 */
import { type ApiError, noAnswer, problemOfAnswer } from './problem.ts';

const answerMs = 15_000;

export interface OpenOptions {
  readonly signal?: AbortSignal | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export class Api {
  readonly #token: string;
  readonly #refused: (error: ApiError) => void;
  #skewMs = 0;

  /** `refused` is told when the node does not know the token, before the request fails. */
  constructor(token: string, refused: (error: ApiError) => void) {
    this.#token = token;
    this.#refused = refused;
  }

  /** The time by the clock of the node: the ages shown rest on its clock, not on the browser's. */
  nowMs(): number {
    return Date.now() + this.#skewMs;
  }

  async get<Answer>(path: string, signal?: AbortSignal): Promise<Answer> {
    return await this.#json<Answer>(path, { method: 'GET' }, signal);
  }

  async post<Answer>(path: string, body: object): Promise<Answer> {
    const headers = { 'Content-Type': 'application/json' };
    const request = { method: 'POST', headers, body: JSON.stringify(body) };
    return await this.#json<Answer>(path, request, undefined);
  }

  /** An answer to be read as a stream; the caller ends it by its signal. */
  async open(path: string, options: OpenOptions = {}): Promise<Response> {
    const { headers, signal } = options;
    return await this.#fetch(path, { ...(headers && { headers }), ...(signal && { signal }) });
  }

  async #json<Answer>(path: string, init: RequestInit, signal?: AbortSignal): Promise<Answer> {
    const timeout = AbortSignal.timeout(answerMs);
    const either = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
    const response = await this.#fetch(path, { ...init, signal: either });
    try {
      return (await response.json()) as Answer;
    } catch {
      // Broken off, or not JSON: either way this was no answer.
      signal?.throwIfAborted();
      throw noAnswer();
    }
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set('Authorization', `Bearer ${this.#token}`);
    let response: Response;
    try {
      response = await fetch(path, { ...init, headers, cache: 'no-store', credentials: 'omit' });
    } catch {
      // Why it failed is hidden from a page; one that was broken off on purpose is told apart.
      if (init.signal?.aborted === true && !isTimeout(init.signal.reason)) throw init.signal.reason;
      throw noAnswer();
    }
    this.#learnClock(response.headers.get('Date'));
    if (response.ok) return response;
    const problem = problemOfAnswer(response.status, await response.text().catch(() => ''));
    if (problem.code === 'unauthorized') this.#refused(problem);
    throw problem;
  }

  /** The header has whole seconds: only a difference beyond them is one. */
  #learnClock(date: string | null): void {
    const difference = date === null ? Number.NaN : Date.parse(date) + 500 - Date.now();
    if (Number.isFinite(difference)) this.#skewMs = Math.abs(difference) < 2_000 ? 0 : difference;
  }
}

const isTimeout = (reason: unknown): boolean =>
  reason instanceof DOMException && reason.name === 'TimeoutError';
