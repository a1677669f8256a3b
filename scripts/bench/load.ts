/**
 * The load generator, a process of its own: `node load.ts JOB`, a `LoadJob` as JSON; prints a
 * `LoadResult`. It shares the machine's cores with the nodes, so it has to be cheap: plain sockets
 * that are kept, one request under way on each, requests laid out once and only their numbers
 * changed, answers looked at for no more than status, length and what was refused.
 */
import { connect, type Socket } from 'node:net';
import { type LoadJob, type LoadResult, placeholder } from './load-job.ts';
import { percentile, rounded } from './statistics.ts';

const job = JSON.parse(process.argv[2] ?? '') as LoadJob;
const headEnd = Buffer.from('\r\n\r\n');
const acceptedMark = Buffer.from('"ok":true');
const reconnectMs = 50;
/** How long the answers to what was sent last may take: longer than a node waits for a majority. */
const patienceMs = 10_000;

let nextNumber = job.firstNumber;
let left = job.until.kind === 'tasks' ? job.until.tasks : Number.POSITIVE_INFINITY;
let ended = false;
let counting = job.until.kind === 'tasks';
let beganMs = 0;
let endedMs = 0;
let cpuAtBegin = process.cpuUsage();
let cpuAtEnd = cpuAtBegin;
let acknowledged = 0;
let acknowledgedInAll = 0;
let refused = 0;
let broken = 0;
let requests = 0;
let underWay = 0;
let latencies = new Float64Array(65_536);
const refusals = new Set<string>();

/** A request as it goes over the wire, and where the numbers of its tasks stand in it. */
class Request {
  readonly bytes: Buffer;
  readonly tasks: number;
  readonly #places: number[][] = [];

  constructor(tasks: number, host: string) {
    this.tasks = tasks;
    const body =
      job.batch === 1
        ? job.document
        : `{"tasks":[${new Array<string>(tasks).fill(job.document).join(',')}]}`;
    const path = job.batch === 1 ? '/v1/tasks' : '/v1/tasks/batch';
    this.bytes = Buffer.from(
      `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${job.token}\r\n` +
        'Content-Type: application/json\r\n' +
        `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    const perTask = job.document.split(placeholder).length - 1;
    let at = this.bytes.indexOf(placeholder);
    for (let found = 0; at >= 0; found++) {
      const task = Math.floor(found / perTask);
      const places = this.#places[task];
      if (places === undefined) this.#places[task] = [at];
      else places.push(at);
      at = this.bytes.indexOf(placeholder, at + placeholder.length);
    }
  }

  /** Gives every task the next number. */
  renumber(): void {
    for (const places of this.#places) {
      let number = nextNumber++;
      for (let digit = placeholder.length - 1; digit >= 0; digit--) {
        const character = 48 + (number % 10);
        number = Math.floor(number / 10);
        for (const place of places) this.bytes[place + digit] = character;
      }
    }
  }
}

/** One connection with at most one request under way. */
class Client {
  readonly #host: string;
  readonly #port: number;
  readonly #whole: Request;
  #socket: Socket | undefined;
  #request: Request;
  #sentMs = 0;
  #waiting = false;
  #received: Buffer | undefined;

  constructor(target: { readonly host: string; readonly port: number }) {
    this.#host = target.host;
    this.#port = target.port;
    this.#whole = new Request(job.batch, `${target.host}:${target.port}`);
    this.#request = this.#whole;
  }

  open(): void {
    const socket = connect({ host: this.#host, port: this.#port, noDelay: true });
    this.#socket = socket;
    socket.on('connect', () => this.#send());
    socket.on('data', chunk => this.#onData(chunk as Buffer));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#onClose());
  }

  close(): void {
    this.#socket?.destroy();
  }

  #send(): void {
    if (ended || left <= 0) {
      finishWhenIdle();
      return;
    }
    const tasks = Math.min(job.batch, left);
    left -= tasks;
    this.#request =
      tasks === job.batch ? this.#whole : new Request(tasks, `${this.#host}:${this.#port}`);
    this.#request.renumber();
    this.#waiting = true;
    underWay++;
    this.#sentMs = performance.now();
    this.#socket?.write(this.#request.bytes);
  }

  #onData(chunk: Buffer): void {
    const all = this.#received === undefined ? chunk : Buffer.concat([this.#received, chunk]);
    const head = all.indexOf(headEnd);
    const length = head < 0 ? -1 : contentLength(all, head);
    if (length < 0 || all.length < head + 4 + length) {
      this.#received = all;
      return;
    }
    this.#received = undefined;
    this.#waiting = false;
    underWay--;
    observe(this.#request, statusOf(all), all.subarray(head + 4), this.#sentMs);
    this.#send();
  }

  #onClose(): void {
    this.#received = undefined;
    if (this.#waiting) {
      this.#waiting = false;
      underWay--;
      broken++;
      left += this.#request.tasks;
    }
    if (ended) return;
    setTimeout(() => this.open(), reconnectMs);
  }
}

/** `HTTP/1.1 201 Created`. */
const statusOf = (head: Buffer): number =>
  (head[9]! - 48) * 100 + (head[10]! - 48) * 10 + (head[11]! - 48);

function contentLength(bytes: Buffer, headEndsAt: number): number {
  const match = /content-length: (\d+)/i.exec(bytes.toString('latin1', 0, headEndsAt));
  return match === null ? -1 : Number(match[1]);
}

function countOf(bytes: Buffer, mark: Buffer): number {
  let found = 0;
  for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + mark.length)) found++;
  return found;
}

function observe(request: Request, status: number, body: Buffer, sentMs: number): void {
  const nowMs = performance.now();
  const accepted =
    job.batch === 1 ? (status === 201 ? 1 : 0) : status === 200 ? countOf(body, acceptedMark) : 0;
  acknowledgedInAll += accepted;
  if (accepted < request.tasks) {
    refused += request.tasks - accepted;
    const from = Math.max(0, body.indexOf('"ok":false'));
    if (refusals.size < 5) refusals.add(`${status} ${body.toString('utf8', from, from + 300)}`);
  }
  if (!counting) return;
  acknowledged += accepted;
  if (requests === latencies.length) {
    const longer = new Float64Array(latencies.length * 2);
    longer.set(latencies);
    latencies = longer;
  }
  latencies[requests++] = nowMs - sentMs;
}

function finishWhenIdle(): void {
  if (underWay > 0) return;
  if (!ended) end();
  report();
}

/** Requests that nobody answers are told as broken: the measure must end. */
function giveUp(): void {
  broken += underWay;
  if (!ended) end();
  report();
}

/** Counting ends; what is under way is waited for, so that the number of tasks is known. */
function end(): void {
  ended = true;
  counting = false;
  endedMs = performance.now();
  cpuAtEnd = process.cpuUsage();
}

function begin(): void {
  beganMs = performance.now();
  cpuAtBegin = process.cpuUsage();
  counting = true;
}

function report(): void {
  const taken = latencies.subarray(0, requests);
  const cpuMicros = cpuAtEnd.user + cpuAtEnd.system - cpuAtBegin.user - cpuAtBegin.system;
  const result: LoadResult = {
    acknowledged,
    acknowledgedInAll,
    refused,
    broken,
    refusals: [...refusals],
    measuredMs: endedMs - beganMs,
    requests,
    p50Ms: rounded(percentile(taken, 0.5), 3),
    p99Ms: rounded(percentile(taken, 0.99), 3),
    maxMs: rounded(percentile(taken, 1), 3),
    cpuMicrosPerRequest: rounded(cpuMicros / Math.max(1, requests), 1),
    beganAtMs,
  };
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
}

const beganAtMs = Date.now();
begin();
const clients = Array.from(
  { length: job.inFlight },
  (_, place) => new Client(job.targets[place % job.targets.length]!),
);
for (const client of clients) client.open();
if (job.until.kind === 'time') {
  const { warmUpMs, measureMs } = job.until;
  counting = false;
  setTimeout(begin, warmUpMs);
  setTimeout(() => {
    end();
    finishWhenIdle();
    setTimeout(giveUp, patienceMs);
  }, warmUpMs + measureMs);
}
