/** A gateway over a fake node on a free loopback port, and requests to it in one line. */
import { connect } from 'node:net';
import { createGateway, type Gateway, type GatewayOptions } from '../../src/gateway/server.ts';
import type { TaskId } from '../../src/model/ids.ts';
import { type Log, silentLog } from '../../src/ports/log.ts';
import { FakeNodeApi, type FakeNodeOptions } from './fake-node-api.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as a JSON object; empty where it is none. */
  readonly json: Readonly<Record<string, unknown>>;
}

export interface CallOptions {
  /** Sent as JSON unless it is text or bytes. */
  readonly body?: unknown;
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

export class GatewayClient {
  readonly api: FakeNodeApi;
  readonly gateway: Gateway;
  readonly logged: { message: string; fields: unknown }[] = [];
  address = '';

  constructor(options: FakeNodeOptions = {}, more: Pick<GatewayOptions, 'pages'> = {}) {
    this.api = new FakeNodeApi(options);
    const log: Log = {
      ...silentLog,
      error: (message, fields) => this.logged.push({ message, fields }),
    };
    const { api } = this;
    const at = { host: '127.0.0.1', port: 0 };
    this.gateway = createGateway({ api, log, ...at, version: '1.2.3', ...more });
  }

  async start(): Promise<this> {
    this.address = (await this.gateway.start()).address;
    return this;
  }

  async stop(): Promise<void> {
    this.api.close();
    await this.gateway.stop();
  }

  get port(): number {
    return Number(new URL(this.address).port);
  }

  headers(options: CallOptions): Record<string, string> {
    const { token = 'admin-token', headers = {}, body } = options;
    return {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    };
  }

  async call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const { body } = options;
    const raw = typeof body === 'string' || body instanceof Uint8Array;
    const response = await fetch(this.address + path, {
      method,
      headers: this.headers(options),
      body: body === undefined ? null : raw ? (body as string) : JSON.stringify(body),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    const json = isJson && text !== '' && !text.includes('\n') ? JSON.parse(text) : {};
    return { status: response.status, headers: response.headers, text, json };
  }

  get(path: string, options: CallOptions = {}): Promise<Answer> {
    return this.call('GET', path, options);
  }

  post(path: string, body?: unknown, options: CallOptions = {}): Promise<Answer> {
    return this.call('POST', path, { ...options, body });
  }

  /** Submits a task and returns its ID. */
  async submit(document: object = { command: ['true'] }, token = 'admin-token'): Promise<TaskId> {
    const answer = await this.post('/v1/tasks', document, { token });
    const { id } = answer.json;
    if (typeof id !== 'string') throw new Error(`submit answered ${answer.text}`);
    return id as TaskId;
  }

  /** Sends bytes as they are; resolves with what came back once the connection is closed. */
  raw(bytes: string | Uint8Array): Promise<string> {
    return sendTo(this.port, bytes);
  }
}

/** Sends bytes to a loopback port; resolves with what came back once the connection is closed. */
export function sendTo(port: number, bytes: string | Uint8Array): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', chunk => (answer += chunk.toString('latin1')));
    socket.on('close', () => resolve(answer));
    socket.on('error', error => {
      if ((error as NodeJS.ErrnoException).code === 'ECONNRESET') resolve(answer);
      else reject(error);
    });
  });
}

/** Waits until `condition` holds; fails after `deadlineMs` with what was waited for. */
export async function until(
  what: string,
  condition: () => boolean,
  deadlineMs = 30_000,
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`gave up waiting until ${what}`);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}
