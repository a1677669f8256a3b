/**
 * The port `Gossip` on gossipsub: one topic, signed messages, bounded size. Everything received is
 * judged before it is passed on, so that a bad message ends at the first honest node.
 *
 * A watchdog stands beside it: gossipsub does not reopen a stream that broke while its connection
 * lived on (an oversized message does that), and such a peer would stay deaf for good. A peer that
 * is connected for 10 s without a subscription and a stream each way is hung up on; the transport
 * dials it again.
 */
import type { GossipSub, Message, TopicValidatorResult } from '@libp2p/gossipsub';
import type { Libp2p } from 'libp2p';
import type { NodeId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import type { Log } from '../ports/log.ts';
import type { Gossip } from '../ports/transport.ts';
import { advertTopic } from './protocols.ts';

export interface GossipOptions {
  readonly log: Log;
  mayConnect(peer: NodeId): boolean;
  readonly verdicts: typeof TopicValidatorResult;
  /** How long a connected peer may be without gossip, milliseconds. */
  readonly patienceMs: number;
  hostCounters(): Readonly<Record<string, number>>;
}

/** A member may send this many messages a second in the long run, and so many at once. */
const messagesPerSecondMax = 100;
const messagesBurstMax = 400;

interface Budget {
  left: number;
  atMs: number;
}

export class Libp2pGossip implements Gossip {
  readonly #host: Libp2p;
  readonly #pubsub: GossipSub;
  readonly #options: GossipOptions;
  readonly #budgets = new Map<NodeId, Budget>();
  /** Since when a connected peer is without a working gossip stream, milliseconds. */
  readonly #deafSinceMs = new Map<NodeId, number>();
  #accept: ((author: NodeId, message: Uint8Array) => boolean) | undefined;
  #watch: NodeJS.Timeout | undefined;
  #published = 0;
  #unpublished = 0;
  #accepted = 0;
  #rejected = 0;
  #oversized = 0;
  #strangers = 0;
  #flooded = 0;
  #hungUp = 0;

  constructor(host: Libp2p, pubsub: GossipSub, options: GossipOptions) {
    this.#host = host;
    this.#pubsub = pubsub;
    this.#options = options;
  }

  /** May be called before or after the transport is started. */
  async start(accept: (author: NodeId, message: Uint8Array) => boolean): Promise<void> {
    this.#accept = accept;
    const { Accept, Reject } = this.#options.verdicts;
    this.#pubsub.topicValidators.set(advertTopic, (_source, message) =>
      this.#judge(message) ? Accept : Reject,
    );
    if (this.#host.status === 'started') this.#subscribe();
    else this.#host.addEventListener('start', () => this.#subscribe(), { once: true });
    this.#watch = setInterval(() => this.#watchPeers(), this.#options.patienceMs / 10);
  }

  publish(message: Uint8Array): void {
    if (message.length > limits.gossipBytesMax) {
      this.#oversized++;
      this.#options.log.warn('oversized gossip not sent', { bytes: message.length });
      return;
    }
    if (this.#accept === undefined || this.#host.status !== 'started') {
      this.#unpublished++;
      return;
    }
    this.#published++;
    this.#pubsub.publish(advertTopic, message).catch((error: unknown) => {
      // Gossip is lossy by contract: the next message makes up for this one.
      this.#unpublished++;
      this.#options.log.debug('gossip not sent', { cause: String(error) });
    });
  }

  counters(): Readonly<Record<string, number>> {
    return {
      published: this.#published,
      unpublished: this.#unpublished,
      accepted: this.#accepted,
      rejected: this.#rejected,
      oversized: this.#oversized,
      strangers: this.#strangers,
      flooded: this.#flooded,
      hungUp: this.#hungUp,
      ...this.#options.hostCounters(),
    };
  }

  async stop(): Promise<void> {
    this.#accept = undefined;
    clearInterval(this.#watch);
    if (this.#host.status === 'started') this.#pubsub.unsubscribe(advertTopic);
    this.#pubsub.topicValidators.delete(advertTopic);
  }

  #subscribe(): void {
    if (this.#accept !== undefined) this.#pubsub.subscribe(advertTopic);
  }

  #judge(message: Message): boolean {
    if (message.type !== 'signed' || this.#accept === undefined) return false;
    const author = message.from.toString();
    if (!this.#options.mayConnect(author)) {
      this.#strangers++;
      return false;
    }
    if (message.data.length > limits.gossipBytesMax) {
      this.#oversized++;
      return false;
    }
    if (!this.#spend(author)) {
      this.#flooded++;
      return false;
    }
    let accepted = false;
    try {
      accepted = this.#accept(author, message.data);
    } catch (error) {
      this.#options.log.error('gossip check failed', { author, cause: String(error) });
    }
    if (accepted) this.#accepted++;
    else this.#rejected++;
    return accepted;
  }

  #spend(author: NodeId): boolean {
    const nowMs = performance.now();
    const budget = this.#budgets.get(author) ?? { left: messagesBurstMax, atMs: nowMs };
    const earned = ((nowMs - budget.atMs) * messagesPerSecondMax) / 1_000;
    budget.left = Math.min(messagesBurstMax, budget.left + earned);
    budget.atMs = nowMs;
    this.#budgets.set(author, budget);
    if (budget.left < 1) return false;
    budget.left--;
    return true;
  }

  #watchPeers(): void {
    const nowMs = performance.now();
    const subscribers = new Set(this.#pubsub.getSubscribers(advertTopic).map(String));
    const connected = new Set<NodeId>();
    for (const connection of this.#host.getConnections()) {
      connected.add(connection.remotePeer.toString());
    }
    for (const peer of connected) {
      if (subscribers.has(peer) && this.#hasStreams(peer)) this.#deafSinceMs.delete(peer);
      else if (!this.#deafSinceMs.has(peer)) this.#deafSinceMs.set(peer, nowMs);
    }
    for (const [peer, sinceMs] of this.#deafSinceMs) {
      if (!connected.has(peer)) this.#deafSinceMs.delete(peer);
      else if (nowMs - sinceMs >= this.#options.patienceMs) this.#hangUp(peer);
    }
    for (const peer of this.#budgets.keys()) {
      if (!this.#options.mayConnect(peer)) this.#budgets.delete(peer);
    }
  }

  #connectionsOf(peer: NodeId): ReturnType<Libp2p['getConnections']> {
    return this.#host.getConnections().filter(open => open.remotePeer.toString() === peer);
  }

  #hasStreams(peer: NodeId): boolean {
    const directions = new Set<string>();
    for (const connection of this.#connectionsOf(peer)) {
      for (const stream of connection.streams) {
        if (!this.#pubsub.protocols.includes(stream.protocol)) continue;
        // A stream that its writer has ended stays open in the other direction, which is not used.
        const outbound = stream.direction === 'outbound';
        const writer = outbound ? stream.writeStatus : stream.remoteWriteStatus;
        if (stream.status === 'open' && writer === 'writable') directions.add(stream.direction);
      }
    }
    return directions.size === 2;
  }

  #hangUp(peer: NodeId): void {
    this.#deafSinceMs.delete(peer);
    this.#hungUp++;
    this.#options.log.info('peer without gossip hung up', { peer });
    for (const connection of this.#connectionsOf(peer)) connection.abort(new Error('no gossip'));
  }
}
