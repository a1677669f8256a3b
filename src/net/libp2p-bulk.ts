/**
 * The port `BulkTransport` on libp2p: a protocol of its own on the connections that the transport
 * keeps, messages by length prefix in both directions. One stream fills one muxer window; frames go
 * on beside it.
 */
import type { Libp2p } from 'libp2p';
import { assert } from '../model/assert.ts';
import { DecodeError } from '../model/bytes.ts';
import { TschedError } from '../model/errors.ts';
import type { NodeId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import type { BulkStream, BulkTransport } from '../ports/bulk.ts';
import type { Log } from '../ports/log.ts';
import { FrameReader } from './frame-reader.ts';
import type { Stream } from './frame-writer.ts';
import { bulkProtocol, frameHeaderBytes, timing } from './protocols.ts';

/** More than a node ever has open with one peer; a peer that opens more is refused. */
const streamsPerPeerMax = limits.snapshotsOut + 4;
/** A chunk this large fits one noise message together with the muxer's header. */
const chunkBytesMax = 60 * 1024;

interface Waiting {
  resolve(message: Uint8Array | undefined): void;
  reject(error: Error): void;
}

class Libp2pBulkStream implements BulkStream {
  readonly peer: NodeId;
  readonly #stream: Stream;
  readonly #inbox: Uint8Array[] = [];
  /** The other side has ended its half. */
  #over = false;
  #broken: TschedError | undefined;
  #waiting: Waiting | undefined;
  readonly #drained = new Set<() => void>();

  constructor(peer: NodeId, stream: Stream) {
    this.peer = peer;
    this.#stream = stream;
    const reader = new FrameReader(limits.bulkMessageBytesMax, message =>
      this.#arrived(message.slice()),
    );
    stream.addEventListener('message', event => {
      try {
        if (event.data instanceof Uint8Array) reader.push(event.data);
        else for (const chunk of event.data) reader.push(chunk);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        this.abort();
      }
    });
    stream.addEventListener('remoteCloseWrite', () => this.#ended());
    stream.addEventListener('drain', () => this.#wake());
    stream.addEventListener('close', () => this.#gone(), { once: true });
  }

  #arrived(message: Uint8Array): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) waiting.resolve(message);
    else if (this.#inbox.push(message) > limits.bulkMessagesMax) this.abort();
  }

  #ended(): void {
    this.#over = true;
    this.#waiting?.resolve(undefined);
    this.#waiting = undefined;
  }

  #wake(): void {
    for (const resume of this.#drained) resume();
    this.#drained.clear();
  }

  #gone(): void {
    this.#broken ??= new TschedError('nodeUnreachable', `the stream with ${this.peer} broke`);
    if (this.#over) this.#waiting?.resolve(undefined);
    else this.#waiting?.reject(this.#broken);
    this.#waiting = undefined;
    this.#wake();
  }

  async send(message: Uint8Array): Promise<void> {
    assert(message.length > 0, 'a message has content: without, it would be a keep-alive');
    const bytes = new Uint8Array(frameHeaderBytes + message.length);
    new DataView(bytes.buffer).setUint32(0, message.length);
    bytes.set(message, frameHeaderBytes);
    for (let at = 0; at < bytes.length; at += chunkBytesMax) {
      while (this.#broken === undefined && this.#stream.writableNeedsDrain) {
        await new Promise<void>(resolve => this.#drained.add(resolve));
      }
      if (this.#broken !== undefined) throw this.#broken;
      try {
        this.#stream.send(bytes.subarray(at, at + chunkBytesMax));
      } catch (cause) {
        this.abort();
        throw new TschedError('nodeUnreachable', `the stream with ${this.peer} broke`, {}, cause);
      }
    }
  }

  next(): Promise<Uint8Array | undefined> {
    const message = this.#inbox.shift();
    if (message !== undefined) return Promise.resolve(message);
    if (this.#over) return Promise.resolve(undefined);
    if (this.#broken !== undefined) return Promise.reject(this.#broken);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  end(): void {
    this.#stream.close({ signal: AbortSignal.timeout(timing.closeStreamMs) }).catch(() => {
      // The other side does not take what is left.
      this.abort();
    });
  }

  abort(): void {
    this.#stream.abort(new Error('given up'));
    this.#gone();
  }
}

export class Libp2pBulk implements BulkTransport {
  readonly #host: Libp2p;
  readonly #log: Log;
  readonly #mayConnect: (peer: NodeId) => boolean;
  readonly #streams = new Set<Libp2pBulkStream>();
  #stopped = false;

  constructor(host: Libp2p, options: { readonly log: Log; mayConnect(peer: NodeId): boolean }) {
    this.#host = host;
    this.#log = options.log;
    this.#mayConnect = options.mayConnect;
  }

  async start(onStream: (stream: BulkStream) => void): Promise<void> {
    await this.#host.handle(
      bulkProtocol,
      (stream, connection) => {
        const peer = connection.remotePeer.toString();
        if (this.#stopped || !this.#mayConnect(peer)) {
          stream.abort(new Error('not a member'));
          return;
        }
        onStream(this.#wrap(peer, stream));
      },
      { maxInboundStreams: streamsPerPeerMax, maxOutboundStreams: streamsPerPeerMax },
    );
  }

  #wrap(peer: NodeId, stream: Stream): Libp2pBulkStream {
    const wrapped = new Libp2pBulkStream(peer, stream);
    this.#streams.add(wrapped);
    stream.addEventListener('close', () => this.#streams.delete(wrapped), { once: true });
    return wrapped;
  }

  async open(peer: NodeId): Promise<BulkStream> {
    const connection = this.#host
      .getConnections()
      .find(one => one.remotePeer.toString() === peer && one.status === 'open');
    if (this.#stopped || connection === undefined) {
      throw new TschedError('nodeUnreachable', `no connection to node ${peer}`);
    }
    try {
      const signal = AbortSignal.timeout(timing.openStreamMs);
      return this.#wrap(peer, await connection.newStream(bulkProtocol, { signal }));
    } catch (cause) {
      this.#log.debug('no stream', { peer, cause: String(cause) });
      throw new TschedError('nodeUnreachable', `node ${peer} takes no stream`, {}, cause);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const stream of [...this.#streams]) stream.abort();
  }
}
