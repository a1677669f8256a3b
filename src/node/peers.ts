/**
 * Frames and requests to other nodes. Whatever a turn of the drive loop writes for a peer leaves as
 * one frame when the turn ends. A request to the node itself takes the same way but the wire.
 */
import { DecodeError } from '../model/bytes.ts';
import { type ErrorCode, isErrorCode, TschedError } from '../model/errors.ts';
import { type NodeId, registryGroup } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import type { Clock, Random } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Transport } from '../ports/transport.ts';
import type { Message } from '../raft/message.ts';
import { FrameWriter, readFrame } from './frame.ts';
import { readWireRange, type WireRange, WireVersions, wireRange } from './wire-version.ts';
import { within } from './within.ts';

/** Answers a request. `from` is proven by the connection. Throws `TschedError` to refuse. */
export type RequestHandler = (
  from: NodeId,
  payload: Uint8Array,
) => Promise<Uint8Array> | Uint8Array;

/** What the registry here says of a node; one that was removed is never heard again. */
export type Standing = 'member' | 'unknown' | 'removed';

export interface PeerSink {
  raft(from: NodeId, group: number, toStore: number, message: Message): void;
  toWorker(from: NodeId, message: Uint8Array): void;
  fromWorker(from: NodeId, message: Uint8Array): void;
  advert(from: NodeId, message: Uint8Array): void;
  up(peer: NodeId): void;
  down(peer: NodeId, refused: boolean): void;
}

interface Waiting {
  readonly peer: NodeId;
  readonly resolve: (payload: Uint8Array) => void;
  readonly reject: (error: TschedError) => void;
  readonly cancelTimer: () => void;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What a request that failed is told as; bytes that cannot be read are the sender's fault. */
function codeOf(error: unknown): ErrorCode {
  if (error instanceof DecodeError) return 'badRequest';
  return error instanceof TschedError ? error.code : 'internal';
}

export class Peers {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #transport: Transport;
  readonly #writers = new Map<NodeId, FrameWriter>();
  readonly #dirty: NodeId[] = [];
  readonly #handlers = new Map<string, { handle: RequestHandler; open: boolean }>();
  readonly #waiting = new Map<number, Waiting>();
  readonly #heardMs = new Map<NodeId, number>();
  readonly #versions: WireVersions;
  /** Who may say anything but what is open to everybody in the network. */
  #standingOf: (node: NodeId) => Standing = () => 'member';
  #nextRequest: number;
  #flushPlanned = false;
  #stopped = false;
  badFrames = 0;

  constructor(deps: {
    readonly clock: Clock;
    readonly random: Random;
    readonly log: Log;
    readonly transport: Transport;
    /** For tests of versions to come. */
    readonly wire?: WireRange | undefined;
  }) {
    this.#clock = deps.clock;
    // An answer to a request of an earlier process of this node may still be on its way: it must
    // not be taken for the answer to one of ours.
    this.#nextRequest = 1 + deps.random.uint32() * 2 ** 20;
    this.#log = deps.log;
    this.#transport = deps.transport;
    this.#versions = new WireVersions(deps.wire ?? wireRange);
    const hello = (from: NodeId, told: unknown): WireRange => this.#hello(from, told);
    this.answer('hello', hello, { open: true });
  }

  get self(): NodeId {
    return this.#transport.self;
  }

  async start(sink: PeerSink, standingOf: (node: NodeId) => Standing): Promise<void> {
    this.#standingOf = standingOf;
    await this.#transport.start({
      onFrame: (from, frame) => this.#onFrame(from, frame, sink),
      onUp: peer => {
        this.#versions.forget(peer);
        if (this.#versions.asks) this.#askVersion(peer);
        sink.up(peer);
      },
      onDown: (peer, refused) => {
        this.#failRequests(peer);
        sink.down(peer, refused);
      },
    });
  }

  #hello(from: NodeId, told: unknown): WireRange {
    const range = readWireRange(told);
    if (range === undefined) throw new TschedError('badRequest', 'hello without versions');
    this.#versions.heard(from, range);
    return this.#versions.own;
  }

  /** One that does not know the question reads the oldest version, in which it is spoken to. */
  #askVersion(peer: NodeId): void {
    this.ask<unknown>(peer, 'hello', this.#versions.own)
      .then(
        told => this.#hello(peer, told),
        (error: unknown) => this.#log.debug('no word on versions', { peer, why: String(error) }),
      )
      .catch((error: unknown) => {
        this.#log.warn('a peer answered hello with no versions', { peer, why: String(error) });
      });
  }

  /** Version of the wire that a peer is spoken to in. */
  wireVersion(peer: NodeId): number {
    return this.#versions.of(peer);
  }

  /** Why a peer cannot be understood; `undefined` where it can. */
  whyForeign(peer: NodeId): string | undefined {
    return this.#versions.why(peer);
  }

  /** `open` requests are answered for nodes that are not members yet. */
  handle(method: string, handle: RequestHandler, options: { readonly open?: boolean } = {}): void {
    this.#handlers.set(method, { handle, open: options.open === true });
  }

  /**
   * Answer of `peer`; rejects with its error, or `unreachable`, or `waitTimeout` at the deadline.
   */
  request(
    peer: NodeId,
    method: string,
    payload: Uint8Array,
    timeoutMs: number,
  ): Promise<Uint8Array> {
    const late = (): TschedError =>
      new TschedError('outcomeUnknown', `node ${peer} did not answer ${method} in time`);
    if (peer === this.self) {
      // Whatever it waits for, a disk that stands still for example, the caller does not.
      return within(this.#clock, this.#serve(method, peer, payload), timeoutMs, late);
    }
    if (!this.#transport.connected(peer) || this.#waiting.size >= limits.rpcInFlightMax) {
      return Promise.reject(new TschedError('nodeUnreachable', `no connection to node ${peer}`));
    }
    if (payload.length > limits.rpcBytesMax) {
      return Promise.reject(new TschedError('tooLarge', `${method} of ${payload.length} bytes`));
    }
    const id = this.#nextRequest++;
    return new Promise((resolve, reject) => {
      const cancelTimer = this.#clock.after(timeoutMs, () => {
        this.#waiting.delete(id);
        reject(late());
      });
      this.#waiting.set(id, { peer, resolve, reject, cancelTimer });
      this.to(peer).request(id, method, payload);
    });
  }

  /** As `request`, with JSON both ways: for what is asked seldom. */
  async ask<T>(peer: NodeId, method: string, body: unknown, timeoutMs = 5_000): Promise<T> {
    const payload = encoder.encode(JSON.stringify(body));
    const answer = await this.request(peer, method, payload, timeoutMs);
    return JSON.parse(decoder.decode(answer)) as T;
  }

  /** Registers a JSON handler, the counterpart of `ask`. */
  answer<T>(
    method: string,
    handle: (from: NodeId, body: T) => Promise<unknown> | unknown,
    options: { readonly open?: boolean } = {},
  ): void {
    this.handle(
      method,
      async (from, payload) => {
        let body: T;
        try {
          body = JSON.parse(decoder.decode(payload)) as T;
        } catch (cause) {
          throw new TschedError('badRequest', `${method}: not JSON`, {}, cause);
        }
        return encoder.encode(JSON.stringify((await handle(from, body)) ?? null));
      },
      options,
    );
  }

  /** The frame that leaves for `peer` at the end of this turn. */
  to(peer: NodeId): FrameWriter {
    let writer = this.#writers.get(peer);
    if (writer === undefined) {
      writer = new FrameWriter();
      this.#writers.set(peer, writer);
    }
    if (writer.length === 0) {
      writer.version = this.#versions.of(peer);
      this.#dirty.push(peer);
    } else if (writer.length > limits.frameBytesMax / 4) {
      this.#send(peer, writer);
      this.#dirty.push(peer);
    }
    if (!this.#flushPlanned) {
      this.#flushPlanned = true;
      this.#clock.after(0, () => this.flush());
    }
    return writer;
  }

  /** Sends what has been written; called at the end of every turn. */
  flush(): void {
    this.#flushPlanned = false;
    const peers = this.#dirty.splice(0);
    for (const peer of peers) {
      const writer = this.#writers.get(peer);
      if (writer !== undefined && writer.length > 0) this.#send(peer, writer);
    }
  }

  #send(peer: NodeId, writer: FrameWriter): void {
    const frame = writer.take();
    if (frame !== undefined && !this.#stopped) this.#transport.send(peer, frame);
  }

  connect(peer: NodeId, addresses: readonly string[]): void {
    this.#transport.connect(peer, addresses);
  }

  connected(peer: NodeId): boolean {
    return peer === this.self || this.#transport.connected(peer);
  }

  /** When the last frame of `peer` came, on the monotonic clock. */
  heardMs(peer: NodeId): number | undefined {
    return this.#heardMs.get(peer);
  }

  addresses(): string[] {
    return this.#transport.addresses();
  }

  stop(): void {
    this.flush();
    this.#stopped = true;
    for (const [id, waiting] of this.#waiting) {
      waiting.cancelTimer();
      // It was sent: whoever got it may have done it.
      waiting.reject(new TschedError('outcomeUnknown', 'this node is stopping'));
      this.#waiting.delete(id);
    }
  }

  #onFrame(from: NodeId, frame: Uint8Array, sink: PeerSink): void {
    if (this.#stopped) return;
    this.#heardMs.set(from, this.#clock.nowMs());
    const version = frame[0] ?? 0;
    if (!this.#versions.reads(version) && this.#versions.foreign(from, version)) {
      const why = this.#versions.why(from);
      this.#log.error('a peer cannot be understood', { peer: from, why });
    }
    const standing = this.#standingOf(from);
    const member = standing === 'member';
    try {
      readFrame(
        frame,
        {
          raft: (group, toStore, message) => {
            // A registry that is behind learns of new nodes from its leader, which may be one of
            // them: it has to be heard when it speaks to exactly this store.
            const tells = standing === 'unknown' && group === registryGroup && toStore !== 0;
            if (member || tells) sink.raft(from, group, toStore, message);
          },
          request: (id, method, payload) => this.#onRequest(from, member, id, method, payload),
          response: (id, code, payload) => this.#onResponse(from, id, code, payload),
          toWorker: message => member && sink.toWorker(from, message),
          fromWorker: message => member && sink.fromWorker(from, message),
          advert: message => member && sink.advert(from, message),
        },
        this.#versions.own,
      );
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.badFrames++;
      this.#log.warn('dropped a frame that cannot be read', { peer: from, why: error.message });
    }
  }

  #onRequest(from: NodeId, member: boolean, id: number, method: string, payload: Uint8Array): void {
    const entry = this.#handlers.get(method);
    const answer =
      entry !== undefined && (member || entry.open)
        ? this.#serve(method, from, payload)
        : Promise.reject(new TschedError('forbidden', `request ${method} is not for this node`));
    answer.then(
      result => {
        if (result.length <= limits.rpcBytesMax) this.to(from).response(id, '', result);
        else this.#refuse(from, id, 'tooLarge', `an answer of ${result.length} bytes`);
      },
      (error: unknown) => {
        const code = codeOf(error);
        if (code === 'internal') {
          this.#log.error('a request failed', { method, why: String(error) });
        }
        this.#refuse(from, id, code, error instanceof Error ? error.message : String(error));
      },
    );
  }

  #refuse(to: NodeId, id: number, code: ErrorCode, message: string): void {
    this.to(to).response(id, code, encoder.encode(message.slice(0, 2_000)));
  }

  async #serve(method: string, from: NodeId, payload: Uint8Array): Promise<Uint8Array> {
    const entry = this.#handlers.get(method);
    if (entry === undefined) throw new TschedError('badRequest', `unknown request ${method}`);
    return entry.handle(from, payload);
  }

  #onResponse(from: NodeId, id: number, code: string, payload: Uint8Array): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined || waiting.peer !== from) return;
    this.#waiting.delete(id);
    waiting.cancelTimer();
    if (code === '') waiting.resolve(payload);
    else {
      const known: ErrorCode = isErrorCode(code) ? code : 'internal';
      waiting.reject(new TschedError(known, decoder.decode(payload)));
    }
  }

  #failRequests(peer: NodeId): void {
    for (const [id, waiting] of this.#waiting) {
      if (waiting.peer !== peer) continue;
      this.#waiting.delete(id);
      waiting.cancelTimer();
      waiting.reject(new TschedError('outcomeUnknown', `the connection to node ${peer} closed`));
    }
  }
}
