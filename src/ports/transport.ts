/**
 * Frames between nodes. Weak on purpose: a frame may be lost or repeated, order holds only within
 * one connection; what is built on top must not depend on more.
 */
import type { NodeId } from '../model/ids.ts';

export interface TransportEvents {
  /** `frame` is a view that is reused after the call returns: copy what is kept. */
  onFrame(from: NodeId, frame: Uint8Array): void;
  onUp(peer: NodeId): void;
  /**
   * The connection is gone. `refused` is true where a redial was refused at once, so that the
   * process at the other end is not there any more (DESIGN 5, fast failover).
   */
  onDown(peer: NodeId, refused: boolean): void;
}

export interface Transport {
  readonly self: NodeId;
  start(events: TransportEvents): Promise<void>;
  /** Multiaddresses that others can dial, with /p2p/ and our id. */
  addresses(): string[];
  /**
   * Keeps a connection to this peer open: dials, redials with jitter. New addresses replace old
   * ones.
   */
  connect(peer: NodeId, addresses: readonly string[]): void;
  disconnect(peer: NodeId): void;
  connected(peer: NodeId): boolean;
  /**
   * Hands a frame over for sending. False where the peer is not connected or its queue is full: the
   * frame is dropped. The buffer belongs to the transport afterwards.
   */
  send(peer: NodeId, frame: Uint8Array): boolean;
  /** Counters: framesIn, framesOut, bytesIn, bytesOut, dropped, badFrames. */
  counters(): Readonly<Record<string, number>>;
  stop(): Promise<void>;
}

/** Hints for everybody: signed, bounded, lossy. */
export interface Gossip {
  /**
   * `accept` judges a message of a proven author; false drops and counts it. It must be cheap and
   * must not throw.
   */
  start(accept: (author: NodeId, message: Uint8Array) => boolean): Promise<void>;
  publish(message: Uint8Array): void;
  counters(): Readonly<Record<string, number>>;
  stop(): Promise<void>;
}
