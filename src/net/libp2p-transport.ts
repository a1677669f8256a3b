/**
 * The port `Transport` on libp2p: one link a peer, frames by length prefix. Each direction has a
 * stream of its own, opened by the side that writes, so that a stream has one writer and one reader
 * and neither side needs to know who dialled.
 *
 * What arrives is counted before it is believed: a frame that is too long, or that the receiver
 * cannot decode (`DecodeError`), ends that stream and nothing else.
 */
import type { Multiaddr } from '@multiformats/multiaddr';
import type { Libp2p } from 'libp2p';
import { DecodeError } from '../model/bytes.ts';
import type { NodeId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import type { Log } from '../ports/log.ts';
import type { Transport, TransportEvents } from '../ports/transport.ts';
import { FrameReader } from './frame-reader.ts';
import type { Connection, Stream } from './frame-writer.ts';
import { PeerLink } from './peer-link.ts';
import { framesProtocol, timing } from './protocols.ts';

export interface TransportOptions {
  readonly log: Log;
  mayConnect(peer: NodeId): boolean;
  parseAddress(text: string): Multiaddr;
  /** Counters of the host: what was turned away before it was a peer. */
  hostCounters(): Readonly<Record<string, number>>;
}

const streamsPerPeerMax = 4;

export class Libp2pTransport implements Transport {
  readonly self: NodeId;
  readonly #host: Libp2p;
  readonly #options: TransportOptions;
  readonly #links = new Map<NodeId, PeerLink>();
  /** The stream on which each peer sends to us; a newer one replaces an older one. */
  readonly #inbound = new Map<NodeId, Stream>();
  #events: TransportEvents | undefined;
  #watch: NodeJS.Timeout | undefined;
  #watchedAtMs = 0;
  #framesIn = 0;
  #framesOut = 0;
  #bytesIn = 0;
  #bytesOut = 0;
  #dropped = 0;
  #badFrames = 0;
  #silent = 0;
  #stalled = 0;

  constructor(host: Libp2p, options: TransportOptions) {
    this.self = host.peerId.toString();
    this.#host = host;
    this.#options = options;
  }

  async start(events: TransportEvents): Promise<void> {
    this.#events = events;
    await this.#host.handle(
      framesProtocol,
      (stream, connection) => this.#onStream(stream, connection),
      {
        maxInboundStreams: streamsPerPeerMax,
        maxOutboundStreams: streamsPerPeerMax,
      },
    );
    this.#host.addEventListener('connection:open', event => {
      const peer = event.detail.remotePeer.toString();
      if (this.#events !== undefined) this.#linkTo(peer).addConnection(event.detail);
    });
    this.#host.addEventListener('connection:close', event => {
      this.#links.get(event.detail.remotePeer.toString())?.removeConnection(event.detail);
    });
    await this.#host.start();
    for (const link of this.#links.values()) link.wake();
    this.#watchedAtMs = performance.now();
    this.#watch = setInterval(() => this.#tick(), timing.keepAliveMs / 2);
  }

  addresses(): string[] {
    return this.#host.getMultiaddrs().map(address => address.toString());
  }

  connect(peer: NodeId, addresses: readonly string[]): void {
    if (peer === this.self) return;
    const parsed: Multiaddr[] = [];
    for (const text of addresses) {
      try {
        const address = this.#options.parseAddress(text);
        const named = address.getComponents().some(component => component.name === 'p2p');
        parsed.push(named ? address : address.encapsulate(`/p2p/${peer}`));
      } catch (error) {
        // Addresses come from other nodes; one that cannot be read must not hide the others.
        this.#options.log.warn('unreadable address', { peer, address: text, cause: String(error) });
      }
    }
    this.#linkTo(peer).want(parsed);
  }

  disconnect(peer: NodeId): void {
    const link = this.#links.get(peer);
    if (link === undefined) return;
    this.#links.delete(peer);
    link.stop();
    link.hangUp('disconnected');
  }

  connected(peer: NodeId): boolean {
    return this.#links.get(peer)?.writer !== undefined;
  }

  send(peer: NodeId, frame: Uint8Array): boolean {
    if (this.#links.get(peer)?.send(frame) !== true) {
      this.#dropped++;
      return false;
    }
    this.#framesOut++;
    this.#bytesOut += frame.length;
    return true;
  }

  counters(): Readonly<Record<string, number>> {
    return {
      framesIn: this.#framesIn,
      framesOut: this.#framesOut,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      dropped: this.#dropped,
      badFrames: this.#badFrames,
      silent: this.#silent,
      stalled: this.#stalled,
      ...this.#options.hostCounters(),
    };
  }

  /** Ends everything; no event is reported after this call. */
  async stop(): Promise<void> {
    this.#events = undefined;
    clearInterval(this.#watch);
    for (const link of this.#links.values()) link.stop();
    this.#links.clear();
    this.#inbound.clear();
    await this.#host.stop();
  }

  #linkTo(peer: NodeId): PeerLink {
    const known = this.#links.get(peer);
    if (known !== undefined) return known;
    const link = new PeerLink(peer, {
      dial: (addresses, signal) => this.#host.dial(addresses, { signal }),
      onUp: up => this.#events?.onUp(up),
      onDown: (down, refused) => this.#events?.onDown(down, refused),
      onIdle: idle => {
        if (this.#links.get(idle.peer) === idle) this.#links.delete(idle.peer);
      },
      nowMs: () => performance.now(),
      random: () => Math.random(),
      log: this.#options.log,
    });
    this.#links.set(peer, link);
    for (const connection of this.#host.getConnections()) {
      if (connection.remotePeer.toString() === peer && connection.status === 'open') {
        link.addConnection(connection);
      }
    }
    return link;
  }

  #onStream(stream: Stream, connection: Connection): void {
    const peer = connection.remotePeer.toString();
    if (this.#events === undefined || !this.#options.mayConnect(peer)) {
      stream.abort(new Error('not a member'));
      return;
    }
    const link = this.#linkTo(peer);
    this.#inbound.get(peer)?.abort(new Error('replaced'));
    this.#inbound.set(peer, stream);
    link.setInbound(true);
    const reader = new FrameReader(limits.frameBytesMax, frame => {
      this.#framesIn++;
      this.#bytesIn += frame.length;
      this.#events?.onFrame(peer, frame);
    });
    stream.addEventListener('message', event => {
      link.heard();
      try {
        if (event.data instanceof Uint8Array) reader.push(event.data);
        else for (const chunk of event.data) reader.push(chunk);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        this.#badFrames++;
        this.#options.log.warn('bad frame', { peer, cause: error.message });
        stream.abort(error);
      }
    });
    // The writer ended its half: nothing more will come, and we never write here.
    stream.addEventListener('remoteCloseWrite', () => stream.abort(new Error('closed by peer')));
    stream.addEventListener('close', () => {
      if (this.#inbound.get(peer) !== stream) return;
      this.#inbound.delete(peer);
      this.#links.get(peer)?.setInbound(false);
    });
  }

  /** Keeps quiet links alive; takes down those that fell silent or lost their membership. */
  #tick(): void {
    const nowMs = performance.now();
    // After a stall of our own loop the peers' bytes may be waiting unread: judge nobody yet.
    const judge = nowMs - this.#watchedAtMs < timing.keepAliveMs;
    this.#watchedAtMs = nowMs;
    for (const [peer, link] of this.#links) {
      if (!this.#options.mayConnect(peer)) {
        this.disconnect(peer);
        continue;
      }
      const writer = link.writer;
      if (writer !== undefined && !writer.tick(timing.keepAliveMs, timing.stalledMs)) {
        this.#stalled++;
        this.#options.log.warn('stalled stream', { peer });
        writer.stream.abort(new Error('stalled'));
      }
      if (!judge || !link.hasConnections) continue;
      const { ms, heard } = link.silence;
      if (ms < (heard ? timing.silenceMs : timing.firstFrameMs)) continue;
      this.#silent++;
      this.#options.log.info('silent peer', { peer, silentMs: Math.round(ms) });
      link.hangUp('silent');
    }
  }
}
