/**
 * One process of the simulated cluster, as its ports see it. Everything that enters it, timers,
 * frames, ends of writes, words of the supervisor, goes through `enter`: a dead process gets
 * nothing, a paused one (SIGSTOP) gets all of it in a burst when it goes on. Its clock is its
 * machine's, which may run fast or slow.
 */
import type { BulkStream, BulkTransport } from '../../src/ports/bulk.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Runner, RunnerEvents } from '../../src/ports/runner.ts';
import type { Gossip, Transport, TransportEvents } from '../../src/ports/transport.ts';
import type { VirtualTime } from './virtual-time.ts';

/** Wall clock of a machine without an offset at the start of a run: 2026-01-01T00:00:00Z. */
const epochMs = 1_767_225_600_000;

/** The oscillator of a machine: shared by all its processes, never stopped. */
export class MachineClock {
  readonly #time: VirtualTime;
  readonly rate: number;
  wallOffsetMs: number;

  constructor(time: VirtualTime, rate: number, wallOffsetMs: number) {
    this.#time = time;
    this.rate = rate;
    this.wallOffsetMs = wallOffsetMs;
  }

  bootMs(): number {
    return 1_000 + this.#time.nowMs * this.rate;
  }

  wallMs(): number {
    return Math.floor(epochMs + this.wallOffsetMs + this.#time.nowMs * this.rate);
  }

  /** Calls `fire` after `delayMs` of this clock. */
  after(delayMs: number, fire: () => void): () => void {
    return this.#time.after(Math.max(0, delayMs) / this.rate, fire);
  }
}

export class SimProcess {
  readonly name: string;
  readonly machine: MachineClock;
  alive = true;
  /** Called before anything runs inside this process. */
  readonly #entered: (process: SimProcess) => void;
  #paused = false;
  #held: (() => void)[] = [];

  constructor(name: string, machine: MachineClock, entered: (process: SimProcess) => void) {
    this.name = name;
    this.machine = machine;
    this.#entered = entered;
  }

  get paused(): boolean {
    return this.#paused;
  }

  enter(fire: () => void): void {
    if (!this.alive) return;
    if (this.#paused) this.#held.push(fire);
    else {
      this.#entered(this);
      fire();
    }
  }

  kill(): void {
    this.alive = false;
    this.#held = [];
  }

  pause(): void {
    this.#paused = true;
  }

  /** Goes on: what was held back happens now, in its order, each as an event of its own. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    for (const fire of this.#held.splice(0)) this.machine.after(0, () => this.enter(fire));
  }

  readonly clock: Clock = {
    nowMs: () => this.machine.bootMs(),
    wallMs: () => this.machine.wallMs(),
    bootMs: () => this.machine.bootMs(),
    after: (delayMs, fire) => {
      // Held back by a pause, it can still be cancelled.
      let cancelled = false;
      const cancel = this.machine.after(delayMs, () =>
        this.enter(() => {
          if (!cancelled) fire();
        }),
      );
      return () => {
        cancelled = true;
        cancel();
      };
    },
  };

  transport(inner: Transport, sent: (peer: string, frame: Uint8Array) => void): Transport {
    const events = (outer: TransportEvents): TransportEvents => ({
      onFrame: (from, frame) => {
        if (!this.#paused) this.enter(() => outer.onFrame(from, frame));
        else {
          const copy = frame.slice();
          this.enter(() => outer.onFrame(from, copy));
        }
      },
      onUp: peer => this.enter(() => outer.onUp(peer)),
      onDown: (peer, refused) => this.enter(() => outer.onDown(peer, refused)),
    });
    return {
      self: inner.self,
      start: outer => inner.start(events(outer)),
      addresses: () => inner.addresses(),
      connect: (peer, addresses) => inner.connect(peer, addresses),
      disconnect: peer => inner.disconnect(peer),
      connected: peer => inner.connected(peer),
      send: (peer, frame) => {
        sent(peer, frame);
        return inner.send(peer, frame);
      },
      counters: () => inner.counters(),
      stop: () => inner.stop(),
    };
  }

  /** What `work` comes to, told when this process runs; a dead one never hears of it. */
  #told<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      work.then(
        value => this.enter(() => resolve(value)),
        (error: unknown) => this.enter(() => reject(error)),
      );
    });
  }

  bulk(inner: BulkTransport): BulkTransport {
    const outer = (stream: BulkStream): BulkStream => ({
      peer: stream.peer,
      send: message => this.#told(stream.send(message)),
      next: () => this.#told(stream.next()),
      end: () => stream.end(),
      abort: () => stream.abort(),
    });
    return {
      start: onStream => inner.start(stream => this.enter(() => onStream(outer(stream)))),
      open: async peer => outer(await this.#told(inner.open(peer))),
      stop: () => inner.stop(),
    };
  }

  gossip(inner: Gossip): Gossip {
    return {
      start: accept =>
        inner.start((author, message) => {
          let accepted = true;
          this.enter(() => {
            accepted = accept(author, message);
          });
          return accepted;
        }),
      publish: message => inner.publish(message),
      counters: () => inner.counters(),
      stop: () => inner.stop(),
    };
  }

  runner(inner: Runner): Runner {
    const events = (outer: RunnerEvents): RunnerEvents => ({
      onStarted: (key, atMs) => this.enter(() => outer.onStarted(key, atMs)),
      onEnded: (key, outcome) => this.enter(() => outer.onEnded(key, outcome)),
      onControlled: (key, control) => this.enter(() => outer.onControlled(key, control)),
      onSupervisor: hello => this.enter(() => outer.onSupervisor(hello)),
    });
    return {
      start: outer => inner.start(events(outer)),
      launch: order => inner.launch(order),
      end: (key, kind) => inner.end(key, kind),
      control: (key, control) => inner.control(key, control),
      renew: shards => inner.renew(shards),
      acknowledge: key => inner.acknowledge(key),
      output: (key, stream, offset, maxBytes) => inner.output(key, stream, offset, maxBytes),
      stop: options => inner.stop(options),
    };
  }
}
