/**
 * One connection to the supervisor: hello, frames both ways, pings. A link that is silent for 2 s
 * of this process's own running time, or that closes, is down; what then has to be done is the
 * owner's.
 */
import { connect, type Socket } from 'node:net';
import type { Clock } from '../ports/clock.ts';
import type { FoundAttempt, RunnerHello } from '../ports/runner.ts';
import {
  encodeFrame,
  FrameReader,
  type FromSupervisor,
  pingEveryMs,
  silenceMs,
  supervisorVersion,
  type ToSupervisor,
} from './supervisor/protocol.ts';

/** Beats between two looks at the link. Silence is counted in beats, not by the clock. */
const beatMs = 250;

export type News = Exclude<FromSupervisor, { kind: 'hello' | 'found' }>;

export interface LinkEvents {
  /** Never before whoever waits for `open` has gone on, in this turn of the loop. */
  onMessage(message: News): void;
  /** Called once, after hello; never after `close`. */
  onDown(why: string): void;
}

export class SupervisorLink {
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #events: LinkEvents;
  readonly #reader = new FrameReader<FromSupervisor>();
  readonly #hello = Promise.withResolvers<RunnerHello>();
  readonly #found: FoundAttempt[] = [];
  /** News that came with hello: they are about what its owner has not taken in yet. */
  #early: News[] | undefined = [];
  #greeted = false;
  #down = false;
  #silentBeats = 0;
  #beats = 0;
  #cancelBeat: () => void = () => undefined;
  #frames: Buffer[] = [];

  private constructor(path: string, clock: Clock, events: LinkEvents) {
    this.#clock = clock;
    this.#events = events;
    this.#socket = connect(path);
    this.#socket.on('data', chunk => this.#onData(chunk));
    this.#socket.on('error', error => this.#fail(error.message));
    this.#socket.on('close', () => this.#fail('the connection closed'));
  }

  /**
   * Connects and waits for hello. Rejects where nobody listens, where another version does, or
   * after `timeoutMs`.
   */
  static async open(
    path: string,
    timeoutMs: number,
    clock: Clock,
    events: LinkEvents,
  ): Promise<{ link: SupervisorLink; hello: RunnerHello }> {
    const link = new SupervisorLink(path, clock, events);
    const cancel = clock.after(timeoutMs, () => link.#fail(`no hello within ${timeoutMs} ms`));
    try {
      const hello = await link.#hello.promise;
      return { link, hello };
    } finally {
      cancel();
    }
  }

  send(message: ToSupervisor): void {
    if (this.#down) return;
    this.#frames.push(encodeFrame(message));
    if (this.#frames.length > 1) return;
    // One write for all that comes up in this turn of the loop.
    queueMicrotask(() => {
      const frames = this.#frames;
      this.#frames = [];
      if (!this.#down) this.#socket.write(Buffer.concat(frames));
    });
  }

  /** Lets go without a word; `onDown` is not called any more. */
  close(): void {
    this.#down = true;
    this.#cancelBeat();
    this.#socket.destroy();
  }

  #onData(chunk: Buffer): void {
    this.#silentBeats = 0;
    if (this.#down) return;
    let messages: FromSupervisor[];
    try {
      messages = this.#reader.push(chunk);
    } catch (error) {
      this.#fail(`not understood: ${String(error)}`);
      return;
    }
    for (const message of messages) {
      if (message.kind === 'found') this.#found.push(...message.found);
      else if (message.kind !== 'hello') this.#tellOwner(message);
      else if (message.version !== supervisorVersion) this.#fail(`version ${message.version}`);
      else {
        this.#greeted = true;
        this.#hello.resolve({ ...message.hello, found: this.#found });
        this.#clock.after(0, () => this.#tellEarly());
        this.#beat();
      }
    }
  }

  #tellOwner(news: News): void {
    if (this.#early === undefined) this.#events.onMessage(news);
    else this.#early.push(news);
  }

  #tellEarly(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const news of early) if (!this.#down) this.#events.onMessage(news);
  }

  /**
   * Counts beats, so that a stop of this very process is not taken for silence of the other one:
   * after it one beat comes, then all that was said meanwhile.
   */
  #beat(): void {
    if (this.#down) return;
    if (this.#silentBeats * beatMs >= silenceMs) {
      this.#fail(`silent for ${silenceMs} ms`);
      return;
    }
    this.#silentBeats++;
    if ((this.#beats++ * beatMs) % pingEveryMs === 0) this.send({ kind: 'ping' });
    this.#cancelBeat = this.#clock.after(beatMs, () => this.#beat());
  }

  #fail(why: string): void {
    if (this.#down) return;
    this.close();
    if (this.#greeted) this.#events.onDown(why);
    else this.#hello.reject(new Error(`no supervisor: ${why}`));
  }
}
