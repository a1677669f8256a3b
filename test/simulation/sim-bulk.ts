/**
 * One stream of the port `BulkTransport` in virtual time: two ends, each with its inbox. Messages
 * arrive in order or not at all: what meets a cut link stalls for good, as a connection does whose
 * packets are swallowed, and a break is noticed by each end after a while of its own.
 */
import { assert } from '../../src/model/assert.ts';
import { TschedError } from '../../src/model/errors.ts';
import type { NodeId } from '../../src/model/ids.ts';
import { limits } from '../../src/model/limits.ts';
import type { BulkStream } from '../../src/ports/bulk.ts';

export interface BulkWire {
  nowMs(): number;
  after(delayMs: number, fire: () => void): unknown;
  /** Drawn for each message. */
  delayMs(): number;
  /** Whether this message breaks the stream. */
  breaks(): boolean;
  /** Whether the connection under the stream is there. */
  open(): boolean;
  cut(from: NodeId, to: NodeId): boolean;
  /** The message as it arrives: whole, or cut short. */
  arrives(message: Uint8Array): Uint8Array;
  /** Runs `arrive` once nothing holds the link back. */
  through(from: NodeId, to: NodeId, arrive: () => void): void;
}

const broken = (peer: NodeId): TschedError =>
  new TschedError('nodeUnreachable', `the stream with ${peer} broke`);

export class SimBulkEnd implements BulkStream {
  readonly peer: NodeId;
  readonly #self: NodeId;
  readonly #wire: BulkWire;
  #other: SimBulkEnd | undefined;
  #inbox: (Uint8Array | undefined)[] = [];
  #waiting:
    | { resolve(message: Uint8Array | undefined): void; reject(error: Error): void }
    | undefined;
  #sending = new Set<(error: Error) => void>();
  #state: 'open' | 'ended' | 'broken' = 'open';
  /** A message met a cut link: nothing behind it arrives any more. */
  #stalled = false;
  #lastAtMs = 0;

  constructor(self: NodeId, peer: NodeId, wire: BulkWire) {
    this.#self = self;
    this.peer = peer;
    this.#wire = wire;
  }

  join(other: SimBulkEnd): void {
    this.#other = other;
  }

  send(message: Uint8Array): Promise<void> {
    assert(message.length > 0, 'a message has content');
    if (this.#state !== 'open' || message.length > limits.bulkMessageBytesMax) {
      return Promise.reject(broken(this.peer));
    }
    return new Promise((resolve, reject) => {
      this.#sending.add(reject);
      this.#carry(message.slice(), () => {
        this.#sending.delete(reject);
        resolve();
      });
    });
  }

  #carry(message: Uint8Array | undefined, arrived: () => void): void {
    if (this.#wire.breaks()) {
      this.fail();
      return;
    }
    const atMs = Math.max(this.#lastAtMs, this.#wire.nowMs() + this.#wire.delayMs());
    this.#lastAtMs = atMs;
    const arriving = message === undefined ? undefined : this.#wire.arrives(message);
    this.#wire.after(atMs - this.#wire.nowMs(), () => {
      this.#wire.through(this.#self, this.peer, () => {
        if (this.#state === 'broken') return;
        this.#stalled ||= !this.#wire.open() || this.#wire.cut(this.#self, this.peer);
        if (this.#stalled) return;
        arrived();
        this.#other?.receive(arriving);
      });
    });
  }

  receive(message: Uint8Array | undefined): void {
    if (this.#state === 'broken') return;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) waiting.resolve(message);
    else if (this.#inbox.push(message) > limits.bulkMessagesMax) this.abort();
  }

  next(): Promise<Uint8Array | undefined> {
    if (this.#inbox.length > 0) return Promise.resolve(this.#inbox.shift());
    if (this.#state !== 'open') return Promise.reject(broken(this.peer));
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  end(): void {
    if (this.#state !== 'open') return;
    this.#state = 'ended';
    this.#carry(undefined, () => undefined);
  }

  /** This end learns that the stream is gone, the other one later. */
  fail(): void {
    this.#break();
    const other = this.#other;
    if (other !== undefined) this.#wire.after(this.#wire.delayMs(), () => other.#break());
  }

  abort(): void {
    if (this.#state !== 'broken') this.fail();
  }

  #break(): void {
    if (this.#state === 'broken') return;
    this.#state = 'broken';
    this.#inbox = [];
    const error = broken(this.peer);
    for (const reject of this.#sending) reject(error);
    this.#sending.clear();
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }
}
