/**
 * One HTTP exchange, and what is known when it fails: whether the request can have reached the
 * other side. That decides between "nothing happened" and "the outcome is unknown". `node:http` is
 * used because it tells this, and because it loads in a tenth of the time of the built-in `fetch`.
 */
import type { ClientRequest, IncomingMessage } from 'node:http';

// An `import` of it would read every export, and some of those load all of `fetch`: 30 ms of a
// start.
const http = process.getBuiltinModule('node:http');

/** More than any answer of the API is long. */
const answerBytesMax = 256 * 1024 * 1024;

export interface Exchange {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly connectMs: number;
  /** From the request to the end of the answer; for a stream to its first byte. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** The exchange did not end with an answer. */
export class ExchangeError extends Error {
  override readonly name = 'ExchangeError';
  /** The request may have been read, and acted on, by the other side. */
  readonly reached: boolean;
  readonly timedOut: boolean;

  constructor(message: string, options: { reached: boolean; timedOut: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.reached = options.reached;
    this.timedOut = options.timedOut;
  }
}

function describe(error: Error, host: string): string {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const known: Record<string, string> = {
    ECONNREFUSED: `nothing listens on ${host}`,
    ENOTFOUND: `the name of ${host} is not known`,
    EAI_AGAIN: `the name of ${host} could not be looked up`,
    ECONNRESET: `${host} closed the connection`,
    EPIPE: `${host} closed the connection`,
    EHOSTUNREACH: `there is no route to ${host}`,
    ENETUNREACH: `there is no route to ${host}`,
    ETIMEDOUT: `${host} did not answer`,
  };
  return known[code] ?? `${host}: ${error.message || code}`;
}

type Opened = { readonly response: IncomingMessage; readonly request: ClientRequest };

async function open(exchange: Exchange): Promise<Opened> {
  const { url } = exchange;
  const secure = url.protocol === 'https:';
  const { request: start } = secure ? process.getBuiltinModule('node:https') : http;
  return new Promise<Opened>((resolve, reject) => {
    let connected = false;
    let failure: ExchangeError | undefined;
    const request = start(url, {
      method: exchange.method,
      headers: exchange.headers,
      ...(exchange.signal === undefined ? {} : { signal: exchange.signal }),
    });
    const giveUp = (message: string): void => {
      failure = new ExchangeError(message, { reached: connected, timedOut: true });
      request.destroy(failure);
    };
    const connecting = setTimeout(
      () => giveUp(`${url.host} did not accept a connection within ${exchange.connectMs} ms`),
      exchange.connectMs,
    );
    const answering = setTimeout(
      () => giveUp(`${url.host} did not answer within ${exchange.timeoutMs} ms`),
      exchange.timeoutMs,
    );
    const settle = (): void => {
      clearTimeout(connecting);
      clearTimeout(answering);
    };
    request.on('socket', socket => {
      const onConnect = (): void => {
        connected = true;
        clearTimeout(connecting);
      };
      if (socket.connecting) socket.once('connect', onConnect);
      else onConnect();
    });
    request.on('response', response => {
      settle();
      resolve({ response, request });
    });
    request.on('error', error => {
      settle();
      const message = describe(error, url.host);
      const known = { reached: connected, timedOut: false, cause: error };
      reject(failure ?? new ExchangeError(message, known));
    });
    request.end(exchange.body);
  });
}

function lost(error: unknown, host: string): ExchangeError {
  const cause = error instanceof Error ? error : new Error(String(error));
  if (cause instanceof ExchangeError) return cause;
  return new ExchangeError(describe(cause, host), { reached: true, timedOut: false, cause });
}

/** Sends a request and reads the whole answer. Throws `ExchangeError`. */
export async function exchange(asked: Exchange): Promise<Answer> {
  const startedMs = performance.now();
  const { response, request } = await open(asked);
  const { host } = asked.url;
  const left = Math.max(1, asked.timeoutMs - (performance.now() - startedMs));
  const timer = setTimeout(() => {
    const message = `${host} did not finish its answer within ${asked.timeoutMs} ms`;
    request.destroy(new ExchangeError(message, { reached: true, timedOut: true }));
  }, left);
  try {
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > answerBytesMax) throw new Error('the answer is too long');
      chunks.push(chunk);
    }
    const body = Buffer.concat(chunks);
    return { status: response.statusCode ?? 0, headers: response.headers, body };
  } catch (error) {
    throw lost(error, host);
  } finally {
    clearTimeout(timer);
  }
}

export interface OpenAnswer {
  readonly status: number;
  readonly headers: Answer['headers'];
  /** The body as it comes. Throws `ExchangeError` where the connection is lost. */
  readonly chunks: AsyncIterable<Buffer>;
}

/** Sends a request and hands out the answer as it comes, without a limit on its duration. */
export async function openExchange(asked: Exchange): Promise<OpenAnswer> {
  const { response } = await open(asked);
  const { host } = asked.url;
  async function* chunks(): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) yield chunk;
    } catch (error) {
      throw lost(error, host);
    }
  }
  return { status: response.statusCode ?? 0, headers: response.headers, chunks: chunks() };
}
